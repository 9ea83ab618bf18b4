"""FakeTT: English short news videos, true or fake."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, directly, mcq, over_classes
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    return mcq(
        record["video_id"], "What is the news in this short video?", ["real", "fake"],
        text=record["annotation"], video=str(record["video_id"]), task=record["annotation"],
        event=record.get("event"),
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="fakett",
    metrics=("accuracy", "f1"),
    shape=CHOICE,
    sample=_sample,
    prompt=directly,
    splits={
        "all": Split(("data.json",), 1991, where=lambda r: r["annotation"] in ("real", "fake"))
    },
    videos=("{video}.mp4", "videos/{video}.mp4", "video/{video}.mp4"),
    rules={"paper": "careful"},
    by={"class": lambda s: s.task},
    totals=over_classes,
    source="ICTMCG/FakingRecipe@69c3e81 README, utils/dataloader.py",
    prompt_source="ours",
)
