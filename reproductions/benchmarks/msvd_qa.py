"""MSVD-QA: short open questions generated from captions of short clips."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._open import OPEN
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    video = record.get("video") or f"vid{record['video_id']}"
    return Sample(
        str(record["id"]), record["question"], str(record["answer"]), "free-form",
        video=str(video), task=record.get("answer_type", record["question"].split(" ")[0]),
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="msvd_qa",
    metrics=("judge_accuracy", "judge_score_5", "exact_match"),
    shape=OPEN,
    sample=_sample,
    prompt=lambda s: s.question,
    splits={"test": Split(("test_qa.json", "test.json"), 13157)},
    videos=("{video}.mp4", "{video}.avi", "videos/{video}.mp4", "videos/{video}.avi"),
    rules={"paper": "exact_match", "lmms_eval": "judge"},
    by={"word": lambda s: s.task},
    source="xudejing/video-question-answering test_qa.json (recalled)",
    prompt_source="ours",
)
