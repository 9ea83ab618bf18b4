"""DREAM-1K: describe a short clip; events of description and reference are compared by a judge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._open import OPEN
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    """A record of the repository (messages, its file a placeholder) or of the hub's copy."""
    if "messages" in record:
        gold = record["messages"][-1]["content"][0]["reference"]
    else:
        gold = record.get("caption") or record.get("description") or record["response"]
    video = record.get("video_file") or record.get("video") or f"{record['idx']}.mp4"
    return Sample(
        str(record.get("idx", record["_place"])),
        "",
        str(gold),
        "captioning",
        video=str(video).split("/")[-1],
    )


BENCHMARK = Benchmark(
    id="dream_1k",
    metrics=("autodq_f1",),
    shape=OPEN,
    sample=_sample,
    prompt=lambda s: "Describe the video in detail.",
    splits={
        "test": Split(
            ("DREAM-1k.jsonl", "data/annotations/DREAM-1k.jsonl", "*.json*", "**/*.parquet"), 1000
        )
    },
    videos=("{video}", "video/{video}", "videos/{video}"),
    rules={"paper": "judge_1"},
    hub="omni-research/DREAM-1K",
    license="Apache-2.0 (repository)",
    source="bytedance/tarsier@63de87a data/annotations/DREAM-1k.jsonl",
    prompt_source="bytedance/tarsier@63de87a README",
)
