"""MECD+: the whole causal graph of a video's events, scored by structural Hamming distance.

The answer lists the relations of every event to the later ones as published: those to the last
event first, then those to the one before, and so on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reproductions.benchmarks._base import Benchmark, Graded, Number, Split
from reproductions.benchmarks._choice import ORDER
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Iterator[Sample]:
    for name, entry in record.items():
        if not isinstance(entry, Mapping) or "all_relation" not in entry:
            continue
        graph = [int(x) for row in entry["all_relation"].split(",") for x in row.strip()]
        yield Sample(
            name, ", ".join(f'"{s.strip()}"' for s in entry["sentences"]), json.dumps(graph),
            "order", video=name, task=f"{len(entry['sentences'])} events",
        )  # fmt: skip


def _distance(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    """Relations that are wrong, a video."""
    n = len(graded)
    wrong = sum(g.values["steps"] - g.values["places"] for g in graded)
    return {"Ave SHD": Number(wrong / n if n else 0.0, n, percent=False, unit="videos")}


def _prompt(sample: Sample) -> str:
    return (
        f"The video shows these events, in order: {sample.question}\nFor the last event, then for "
        "the one before it, and so on down to the second, write for each earlier event 1 if it is "
        "a cause and 0 if it is not. Answer with one list of numbers."
    )


BENCHMARK = Benchmark(
    id="mecd_plus",
    metrics=("accuracy",),
    shape=ORDER,
    sample=_sample,
    prompt=_prompt,
    splits={"test": Split(("test_complete.json", "captions/test_complete.json"), 299)},
    videos=("{video}.mp4", "videos/{video}.mp4", "{video}.mkv", "{video}.webm"),
    rules={"paper": "order"},
    by={"events": lambda s: s.task},
    totals=_distance,
    hub="tychen-sjtu/MECD",
    license="MIT",
    source="tychen-SJTU/MECD-Benchmark@eafa2c3 captions/test_complete.json",
    prompt_source="ours",
)
