"""FutureBench: what happens next, or in between, one to several events ahead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    asked = record["qa"]
    path = str(record["video_path"])
    return mcq(
        record["id"], asked["Question"], [asked["Options"][x] for x in "ABCD"],
        letter=asked["Answer"], video=path.partition("video_dataset/")[2] or path,
        task=record["question_type"],
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="futurebench",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: (
        f"\n{s.question}\n{ask(s)}\n\nAnswer with the option's letter from the given choices "
        "directly."
    ),
    splits={"test": Split(("**/test*.parquet", "futurebench*.json*"), 1056)},
    videos=("first_part_video/{video}", "{video}", "videos/{video}"),
    rules={"paper": "lmms_eval_position"},
    by={"hops": lambda s: s.task},
    source="sail-sg/Video-Next-Event-Prediction@fb9b315 third_party/lmms-eval (its futurebench)",
)
