"""LongVALE: events of long videos with sight, sound and speech - when, all of them, and one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._events import DENSE
from reproductions.benchmarks._spans import SPAN, moment
from reproductions.shared.method import Sample


def _moments(record: Mapping[str, Any]) -> Iterator[Sample]:
    for i, (span, text) in enumerate(zip(record["timestamps"], record["sentences"], strict=True)):
        query = text.strip().lower().removesuffix(".")
        yield moment(
            f"{record['key']}-{i}", query, [span], video=record["key"], duration=record["duration"]
        )


def _all(record: Mapping[str, Any]) -> Sample:
    pairs = zip(record["timestamps"], record["sentences"], strict=True)
    events = [[float(t[0]), float(t[1]), text.strip()] for t, text in pairs]
    return Sample(
        record["key"], "", json.dumps([events]), "dense captioning", video=record["key"],
        meta={"duration": record["duration"]},
    )  # fmt: skip


def _benchmark(size: int, **rest: Any) -> Benchmark:
    return Benchmark(
        id="longvale",
        splits={"eval": Split(("longvale-annotations-eval.json",), size)},
        videos=("{video}.mp4", "videos/{video}.mp4"),
        hub="ttgeng233/LongVALE",
        source="ttgeng233/LongVALE@2eb88ce README, longvalellm/eval/eval.py",
        **rest,
    )


BENCHMARK = _benchmark(
    13867,
    metrics=("miou", "recall_at_iou"),
    shape=SPAN,
    sample=_moments,
    prompt=lambda s: (
        f"At which time interval can we find {s.question} taking place in the video? Give the "
        "timestamps in the fromat: From xx to xx."
    ),
    rules={"paper": "spans"},
    variants={
        "dense": _benchmark(
            1171,
            metrics=("soda_c", "cider", "meteor"),
            shape=DENSE,
            sample=_all,
            prompt=lambda s: (
                "Could you please detail the events that took place during different time segments "
                "in the video? List the events in the format: From xx to xx, event1. \n From xx "
                "to xx, event2. \n ..."
            ),
            rules={"paper": "dense"},
        )
    },
)
