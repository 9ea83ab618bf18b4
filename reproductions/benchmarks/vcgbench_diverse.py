"""VCGBench-Diverse: open questions on 18 kinds of videos, asked twice for consistency."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._open import OPEN
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Iterator[Sample]:
    name, kind = str(record.get("id", record["_place"])), str(record.get("type", ""))
    asked = {"": record["Q"]} if record.get("Q") else {}
    asked |= {f"-{i}": record[f"Q{i}"] for i in (1, 2) if record.get(f"Q{i}")}
    if not asked:
        raise KeyError("Q")
    for part, question in asked.items():
        yield Sample(
            name + part, question, record["A"], "free-form", video=record["video_name"], task=kind
        )


BENCHMARK = Benchmark(
    id="vcgbench_diverse",
    metrics=("judge_score_5",),
    shape=OPEN,
    sample=_sample,
    prompt=lambda s: s.question,
    splits={"test": Split(("vcgbench_diverse_qa.json",), 4354)},
    videos=tuple(
        f"{place}{{video}}{end}" for place in ("videos/", "") for end in (".mp4", ".mkv", ".avi")
    ),
    rules={"paper": "judge"},
    by={"type": lambda s: s.task},
    hub="MBZUAI/VCGBench-Diverse",
    source="mbzuai-oryx/VideoGPT-plus@6b08052 eval/vcgbench_diverse",
)
