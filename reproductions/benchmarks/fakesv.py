"""FakeSV: Chinese short news videos, true or fake; debunking videos are a third class.

The published task is binary; debunking videos (the variant "three" has them) are left out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, directly, mcq, over_classes
from reproductions.shared.method import Sample

_CLASSES = {"\u771f": "real", "\u5047": "fake", "\u8f9f\u8c23": "debunking"}


def _sample(classes: Sequence[str]) -> Callable[[Mapping[str, Any]], Sample]:
    def sample(record: Mapping[str, Any]) -> Sample:
        kind = _kind(record)
        return mcq(
            record["video_id"], "What is the news in this short video?", classes, text=kind,
            video=str(record["video_id"]), task=kind, keywords=record.get("keywords"),
        )  # fmt: skip

    return sample


def _kind(record: Mapping[str, Any]) -> str:
    return _CLASSES.get(record["annotation"], record["annotation"])


def _benchmark(classes: Sequence[str], size: int, **rest: Any) -> Benchmark:
    return Benchmark(
        id="fakesv",
        metrics=("accuracy", "f1"),
        shape=CHOICE,
        sample=_sample(classes),
        prompt=directly,
        splits={
            "all": Split(("data.json", "dataset/data.json"), size, lambda r: _kind(r) in classes)
        },
        videos=("{video}.mp4", "videos/{video}.mp4", "video/{video}.mp4"),
        rules={"paper": "careful"},
        by={"class": lambda s: s.task},
        totals=over_classes,
        source="ICTMCG/FakeSV@7b59012 dataset/data.json",
        prompt_source="ours",
        **rest,
    )


BENCHMARK = _benchmark(
    ("real", "fake"), 3624, variants={"three": _benchmark(("real", "fake", "debunking"), 5495)}
)
