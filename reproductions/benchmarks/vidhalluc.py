"""VidHalluc: actions and scenes that look alike - yes/no in pairs, choices, scene changes.

A yes/no question is asked of several clips and counts only if it is right for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq
from reproductions.benchmarks._open import YES_NO, all_right_numbers, yes_no_gold
from reproductions.shared.method import Sample


def _pairs(record: Mapping[str, Any]) -> Iterator[Sample]:
    for clip, answer in record["a"].items():
        pair = f"{record['key']}-{record['_place']}"
        yield Sample(
            f"{pair}-{clip}", record["q"], yes_no_gold(answer), "yes or no", video=clip,
            meta={"pair": pair},
        )  # fmt: skip


def _choice(record: Mapping[str, Any]) -> Iterator[Sample]:
    for clip, entry in record.items():
        if isinstance(entry, Mapping) and "Question" in entry:
            choices = entry["Choices"]
            yield mcq(
                f"{record['key']}-{clip}", entry["Question"], [choices[x] for x in sorted(choices)],
                letter=entry["Correct Answer"], video=clip,
            )  # fmt: skip


def _scene(record: Mapping[str, Any]) -> Sample:
    return Sample(
        record["key"], "", yes_no_gold(record["Scene change"]), "yes or no", video=record["key"],
        meta={"locations": record["Locations"]},
    )  # fmt: skip


def _benchmark(file: str, **rest: Any) -> Benchmark:
    return Benchmark(
        id="vidhalluc",
        splits={"test": Split((file,))},
        videos=("{video}", "{video}.mp4", "data/*/{video}.mp4", "videos/{video}.mp4"),
        hub="chaoyuli/VidHalluc",
        license="CC-BY-NC-4.0",
        source="pritamqu/RRPO@a905573 eval/vidhalluc (files and fields of the authors)",
        **rest,
    )


BENCHMARK = _benchmark(
    "ach_binaryqa.json",
    metrics=("pair_accuracy", "accuracy"),
    shape=YES_NO,
    sample=_pairs,
    prompt=lambda s: f"{s.question} Only answer with a single word 'Yes' or 'No'.",
    rules={"paper": "yes_no"},
    totals=all_right_numbers(lambda s: s.meta["pair"], "pair accuracy", "questions"),
    variants={
        "mcq": _benchmark(
            "ach_mcq.json",
            metrics=("accuracy",),
            shape=CHOICE,
            sample=_choice,
            prompt=lambda s: (
                f"Question: {s.question}\nOptions:\n{ask(s)}\nAnswer with the option's letter from "
                "the given choices directly and only give the best option."
            ),
            rules={"paper": "careful"},
        ),
        "scene": _benchmark(
            "sth.json",
            metrics=("accuracy",),
            shape=YES_NO,
            sample=_scene,
            prompt=lambda s: (
                "Watch the given video and determine if a scene change occurs. If no change "
                "occurs, respond: 'Scene change: No, Locations: None'. If there is a scene change, "
                "respond in the format: 'Scene change: Yes, Locations: from [location1] to "
                "[location2].'"
            ),
            rules={"paper": "yes_no"},
        ),
    },
)
