"""MINERVA: five-way questions on complex events, with hand-written reasoning traces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, directly, mcq
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    options = [record[f"answer_choice_{i}"] for i in range(5)]
    sample = mcq(
        record["key"], record["question"], options, index=record["answer_id"],
        video=record["video_id"], task=record.get("question_type") or record.get("category", ""),
        split=record.get("split"),
    )  # fmt: skip
    return replace(sample, rationale=record.get("reasoning", ""))


BENCHMARK = Benchmark(
    id="minerva",
    metrics=("accuracy", "mira_rubric"),
    shape=CHOICE,
    sample=_sample,
    prompt=directly,
    splits={"test": Split(("minerva.json",), 1515)},
    videos=("{video}.mp4", "videos/{video}.mp4", "{video}.mkv", "{video}.webm"),
    rules={"paper": "careful", "lmms_eval": "lmms_eval_minerva"},
    by={"task": lambda s: s.task},
    license="CC-BY-4.0",
    source=f"google-deepmind/neptune@bdde4b1 README; {LMMS_EVAL}minerva",
)
