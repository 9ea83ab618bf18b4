"""ShortVid-Bench: questions on real short videos with sound, options with their letters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, directly, mcq
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    return mcq(
        f"{record['video']}-{record['_place']}", record["question"], record["candidates"],
        letter=record["answer"], video=record["video"], task=str(record.get("problem_type", "")),
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="shortvid_bench",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=directly,
    splits={"test": Split(("ShortVid-Bench*.json",))},
    videos=("videos_compressed/{video}", "videos/{video}", "{video}"),
    rules={"paper": "careful"},
    by={"task": lambda s: s.task},
    hub="TencentARC/ShortVid-Bench",
    source="fields as the public evaluation code of OmniZip reads them (ShortVid-Bench-1k.json)",
    prompt_source="ours",
)
