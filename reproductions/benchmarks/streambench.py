"""StreamBench: open questions asked at moments of a stream, each of one of six kinds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._open import OPEN
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Iterator[Sample]:
    facts = record["info"]
    for i, entry in enumerate(record["breakpoint"]):
        yield Sample(
            f"{record['_place']}-{i}", entry["question"], entry["answer"], "free-form",
            video=facts["video_path"], task=entry["class"],
            meta={"asked_at": entry["time"], "domain": facts.get("class_1", "")},
        )  # fmt: skip


BENCHMARK = Benchmark(
    id="streambench",
    metrics=("judge_accuracy", "judge_score_5"),
    shape=OPEN,
    sample=_sample,
    prompt=lambda s: s.question,
    splits={"test": Split(("streaming_bench_v0.3.json", "streaming_bench*.json"))},
    videos=("{video}", "videos/{video}"),
    rules={"paper": "judge"},
    by={"kind": lambda s: s.task, "domain": lambda s: str(s.meta.get("domain", ""))},
    hub="Barry-12138/StreamBench_v0.3",
    license="MIT (code)",
    source="hmxiong/StreamChat@f8bcd22 inference_streaming_longva_v2.py, README",
)
