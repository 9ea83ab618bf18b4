"""E.T. Bench: twelve tasks of time; each record holds its own prompt.

Grounding tasks here; the variants hold those with options ("choice") and dense captions ("dense").
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, mcq
from reproductions.benchmarks._events import DENSE
from reproductions.benchmarks._spans import SPAN, moment
from reproductions.shared.method import Sample


def _name(record: Mapping[str, Any]) -> str:
    return f"{record['task']}-{record['idx']}"


def _when(record: Mapping[str, Any]) -> Sample:
    return moment(
        _name(record), record["q"], record["tgt"], video=record["video"], task=record["task"],
        duration=record.get("duration"),
    )  # fmt: skip


def _choice(record: Mapping[str, Any]) -> Sample:
    return mcq(
        _name(record), record["q"], record["o"], index=record["p"], video=record["video"],
        task=record["task"],
    )  # fmt: skip


def _dense(record: Mapping[str, Any]) -> Sample:
    events = [
        [float(t[0]), float(t[1]), g] for t, g in zip(record["tgt"], record["g"], strict=True)
    ]
    return Sample(
        _name(record), record["q"], json.dumps([events]), "dense captioning",
        video=record["video"], task=record["task"],
    )  # fmt: skip


def _benchmark(
    tasks: tuple[str, ...], sample: Callable[[Mapping[str, Any]], Sample], **rest: Any
) -> Benchmark:
    files = ("annotations/etbench_txt_v1.0.json", "etbench_txt_v1.0.json")
    return Benchmark(
        id="et_bench",
        splits={"test": Split(files, where=lambda r: r["task"] in tasks)},
        sample=sample,
        prompt=lambda s: s.question,
        videos=("videos/{video}", "videos_compressed/{video}", "{video}"),
        by={"task": lambda s: s.task},
        hub="PolyU-ChenLab/ETBench",
        license="BSD-3-Clause (code)",
        source="PolyU-ChenLab/ETBench@445f620 docs/BENCHMARK.md",
        **rest,
    )


BENCHMARK = _benchmark(
    ("tvg", "epm", "tal", "evs", "vhd", "tem"),
    _when,
    metrics=("miou", "recall_at_iou", "f1"),
    shape=SPAN,
    rules={"paper": "et_bench"},
    variants={
        "choice": _benchmark(
            ("rar", "eca", "rvq", "gvq"),
            _choice,
            metrics=("accuracy",),
            shape=CHOICE,
            rules={"paper": "careful"},
        ),
        "dense": _benchmark(
            ("dvc", "slc"),
            _dense,
            metrics=("f1", "sentence_similarity"),
            shape=DENSE,
            rules={"paper": "dense"},
        ),
    },
)
