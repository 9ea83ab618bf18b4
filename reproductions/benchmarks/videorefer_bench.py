"""VideoRefer-Bench: questions about marked objects (Q), and their descriptions (D).

Objects are given as masks; general models see them drawn into the video, which has to be made
first (the published scripts do): the videos looked for are masked/<id>.mp4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq
from reproductions.benchmarks._open import OPEN
from reproductions.shared.method import Sample

COLOURS = ("red", "green", "yellow", "blue", "grey", "purple", "orange", "brown", "pink")


def _sample(record: Mapping[str, Any]) -> Sample:
    options = [o.partition(")")[2] for o in record["options"]]
    return mcq(
        record["id"], record["Question"].replace("<region>", ""), options,
        letter=record["Answer"], video=f"masked/{record['id']}.mp4", task=record["type"],
        original=record["video"],
    )  # fmt: skip


def _described(record: Mapping[str, Any]) -> Sample:
    return Sample(
        str(record["id"]), "", record["caption"], "captioning",
        video=f"masked/{record['id']}.mp4", meta={"original": record["video"]},
    )  # fmt: skip


def _prompt(sample: Sample) -> str:
    objects = re.findall(r"<object\d+>", sample.question)
    marks = "; ".join(f"{o}: {c}" for o, c in zip(objects, COLOURS, strict=False))
    return (
        "I have highlighted an object using a colored mask in the first frame it occurs in the "
        f"video. {marks}.{sample.question}{ask(sample, option='({letter}) {text}', join=' ')}. "
        "Answer with the option's letter from the given choices directly."
    )


def _benchmark(part: str, size: int, **rest: Any) -> Benchmark:
    return Benchmark(
        id="videorefer_bench",
        splits={"test": Split((f"VideoRefer-Bench-{part}.json",), size)},
        videos=("{video}",),
        by={"type": lambda s: s.task},
        hub="DAMO-NLP-SG/VideoRefer-Bench",
        source="DAMO-NLP-SG/VideoRefer@cbd4207 benchmark/README.md and its scripts for Qwen2-VL",
        **rest,
    )


BENCHMARK = _benchmark(
    "Q",
    1000,
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=_prompt,
    rules={"paper": "careful"},
    variants={
        "described": _benchmark(
            "D",
            400,
            metrics=("judge_score_5",),
            shape=OPEN,
            sample=_described,
            prompt=lambda s: (
                "I have outlined an object with a red contour in the first frame in the video. "
                "Please describe the object in the entire video in detail."
            ),
            rules={"paper": "judge"},
        )
    },
)
