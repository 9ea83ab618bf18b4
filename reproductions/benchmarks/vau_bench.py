"""VAU-Bench: four-way questions about an anomaly; when it happens; what happened and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, mcq
from reproductions.benchmarks._open import OPEN
from reproductions.benchmarks._spans import SPAN, moment
from reproductions.shared.method import Sample

WHEN = (
    "Is there any anomaly in the video? If yes, output time period as "
    "<glue>[start_time, end_time]</glue>, replace start_time and end_time with the actual time "
    "period in seconds. If no anomaly, output <glue>[-1.0, -1.0]</glue>."
)
WHY = (
    "Explain in detail whether (and how) any anomaly occurs in the video, and the reasoning behind "
    "it."
)
_WHEN_END = (
    "\nProvide your answer within the <glue> </glue> tags, present the precise time period in "
    "seconds of the video clips on which you base your answer to this question in the format of "
    "[s1, e1]. \nFor example: <glue>[5.2, 10.4]</glue>.\n"
)


def _choice(record: Mapping[str, Any]) -> Sample:
    return mcq(
        record["Video Name"], record["Question"], [record[f"Option {i}"] for i in range(1, 5)],
        letter=record["Correct Option"], video=record["Video Name"], task=record["Anomaly Class"],
    )  # fmt: skip


def _when(record: Mapping[str, Any]) -> Sample:
    span = [float(record["Start Time"]), float(record["End Time"])]
    return moment(
        record["Video Name"], WHEN, [span], video=record["Video Name"], task=record["Anomaly Class"]
    )


def _why(record: Mapping[str, Any]) -> Sample:
    return Sample(
        record["Video Name"], WHY, record["Reasoning"], "free-form",
        video=record["Video Name"], task=record["Anomaly Class"],
    )  # fmt: skip


def _prompt(sample: Sample) -> str:
    options = "\n".join(f'"{o[:3]}"{o[3:]}' for o in sample.options)
    return (
        "You are a helpful AI assistant performing video anomaly detection reasoning. \nBelow is a "
        "video description and a reasoning process. Based on this, answer the following "
        f"multiple-choice question correctly.\n\n### Question:\n{sample.question}\n\n### Options:\n"
        f"{options}\n\nPlease only output one option letter (A, B, C, or D). Please do not output "
        "other words."
    )


def _benchmark(**rest: Any) -> Benchmark:
    return Benchmark(
        id="vau_bench",
        videos=("{video}", "videos/{video}"),
        by={"class": lambda s: s.task},
        hub="7xiang/VAU-Bench",
        source="GVCLab/VAU-R1@845c33b annotations/*.csv, src/evaluation",
        **rest,
    )


_SIZES = {"test_ucf_crime": 290, "test_ecva": 438, "test_msad": 240, "val": 734}
_SPLITS = {
    name: Split((f"{name}.csv", f"annotations/{name}.csv"), size) for name, size in _SIZES.items()
}
_MOMENTS = {
    # Videos without an anomaly have no span (both ends are -1) and are left to the choice part.
    name: Split(split.files, where=lambda r: float(r["End Time"]) > 0)
    for name, split in _SPLITS.items()
}
BENCHMARK = _benchmark(
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_choice,
    prompt=_prompt,
    splits=_SPLITS,
    rules={"paper": "careful"},
    variants={
        "when": _benchmark(
            metrics=("miou", "recall_at_iou"),
            shape=SPAN,
            sample=_when,
            prompt=lambda s: (
                f'Answer the question: "{s.question}" according to the content of the video.'
                f"{_WHEN_END}"
            ),
            splits=_MOMENTS,
            rules={"paper": "spans"},
        ),
        "why": _benchmark(
            metrics=("judge_score_5",),
            shape=OPEN,
            sample=_why,
            prompt=lambda s: s.question,
            splits=_SPLITS,
            rules={"paper": "judge"},
        ),
    },
)
