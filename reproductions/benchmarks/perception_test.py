"""Perception Test: three-way questions on memory, abstraction, physics and semantics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, directly, mcq
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Iterator[Sample]:
    if "mc_question" in record:  # the authors' mapping of videos
        for entry in record["mc_question"]:
            yield mcq(
                f"{record['key']}-{entry['id']}", entry["question"], entry["options"],
                index=entry.get("answer_id"), video=record["key"], task=entry.get("area", ""),
            )  # fmt: skip
        return
    answer = record.get("answer_id")
    yield mcq(
        f"{record['video_name']}-{record['question_id']}", record["question"], record["options"],
        index=None if answer in (None, "") else answer, video=record["video_name"],
        task=record.get("area", ""),
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="perception_test",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=directly,
    splits={
        "valid": Split(("mc_question_valid.json", "all_valid.json", "mc_question_val/*.parquet")),
        "test": Split(("mc_question_test.json", "mc_question/*.parquet"), gold=False),
    },
    videos=("{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "careful", "lmms_eval": "lmms_eval_perception_test"},
    by={"area": lambda s: s.task},
    hub="lmms-eval/PerceptionTest_Val",
    license="CC-BY-4.0",
    source=f"google-deepmind/perception_test@6bd0642 README; {LMMS_EVAL}perceptiontest",
)
