"""OmniMMI: questions along a stream; next actions, who speaks, when to alert.

Turns of one video are asked one by one about the clip up to their time: <video>_<turn>.mp4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, mcq, texts
from reproductions.benchmarks._open import OPEN
from reproductions.benchmarks._spans import SPAN, moment, when
from reproductions.shared.method import Sample


def _turns(record: Mapping[str, Any]) -> Iterator[Sample]:
    task, video = record["_file"], record["video"]
    if "qa" not in record:  # speaker_identification
        yield Sample(
            f"{task}-{record['_place']}", record["question"], record["answer"], "free-form",
            video=video, task=task, meta={"asked_at": record.get("timestamp")},
        )  # fmt: skip
        return
    told = ""
    for i, turn in enumerate(record["qa"]):
        # Later turns speak of the answer before; the published run puts in the model's own.
        question = turn["question"].replace("##ANSWER##", told) if told else turn["question"]
        yield Sample(
            f"{task}-{record['_place']}-{i}", question, turn["answer"], "free-form",
            video=f"{video.removesuffix('.mp4')}_{i}.mp4", task=task,
            meta={"asked_at": turn.get("timestamp"), "turn": i},
        )  # fmt: skip
        told = turn["answer"]


def _next(record: Mapping[str, Any]) -> Sample:
    return mcq(
        f"{record['_file']}-{record['_place']}", record["question"], record["vocab"],
        text=record["answer"], video=record["video"], task=record["_file"],
    )  # fmt: skip


def _alert(record: Mapping[str, Any]) -> Sample:
    return moment(
        f"{record['_file']}-{record['_place']}", record["question"], [record["answer"]],
        video=record["video"], task=record["_file"],
    )  # fmt: skip


def _benchmark(files: Mapping[str, int], **rest: Any) -> Benchmark:
    return Benchmark(
        id="omnimmi",
        splits={n: Split((f"{n}.json", f"omnimmi/{n}.json"), size) for n, size in files.items()},
        videos=("clips/{video}", "videos/{video}", "{video}"),
        by={"task": lambda s: s.task},
        hub="ColorfulAI/OmniMMI",
        license="MIT",
        source="OmniMMI/OmniMMI@036d2ca omnimmi/*.json, evaluations/inference_utils.py",
        **rest,
    )


BENCHMARK = _benchmark(
    {
        "dynamic_state_grounding": 300,
        "multiturn_dependency_reasoning": 300,
        "speaker_identification": 200,
    },
    metrics=("judge_accuracy",),
    shape=OPEN,
    sample=_turns,
    prompt=lambda s: s.question,
    rules={"paper": "judge"},
    variants={
        "next": _benchmark(
            {"action_prediction": 200},
            metrics=("accuracy",),
            shape=CHOICE,
            sample=_next,
            prompt=lambda s: (
                f"{s.question}, Please select the next step from the provided vocabulary list: "
                f"{texts(s.options)}."
            ),
            rules={"paper": "careful"},
        ),
        "alert": _benchmark(
            {"proactive_alerting": 200},
            metrics=("precision_at_iou", "miou"),
            shape=SPAN,
            sample=_alert,
            prompt=when,
            rules={"paper": "spans"},
            prompt_source="ours",
        ),
    },
)
