"""E.T. Bench: twelve tasks of time; each record holds its own prompt.

Grounding tasks here; the variants hold those with options ("choice") and dense captions ("dense").
The published script (evaluation/compute_metrics.py on the hub, read in copies of it) scores each
task in its own way and prints means over pairs of task and source:

- tvg, epm: F1 is the share of first spans with tIoU >= 0.1, 0.3, 0.5, 0.7, averaged;
- tal: F1 over all spans at these thresholds; evs: F1 over whole seconds, without unread answers;
- vhd: whether the first number lies in a true span; tem: the recall of the first span (mRec).

Not as published: options that are written out are read by our rule, not by sentence similarity,
and the F1 of dense captions is that of ActivityNet Captions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reproductions.benchmarks._base import Benchmark, Graded, Number, Rule, Shape, Split
from reproductions.benchmarks._choice import CHOICE, mcq
from reproductions.benchmarks._events import DENSE
from reproductions.benchmarks._spans import SPAN, gold_spans, moment, span_numbers
from reproductions.metrics.tiou import f1_at, tiou
from reproductions.shared.method import Sample

THRESHOLDS = (0.1, 0.3, 0.5, 0.7)
VIDEO_END = 1000
"""Whole seconds of a video that the script looks at for summaries (evs)."""


def _name(record: Mapping[str, Any]) -> str:
    return f"{record['task']}-{record['idx']}"


def _when(record: Mapping[str, Any]) -> Sample:
    spans = record["tgt"]
    if not isinstance(spans[0], list):
        spans = [spans]  # one moment
    while isinstance(spans[0][0], list):
        spans = [s for rater in spans for s in rater]  # vhd: highlights of several people
    return moment(
        _name(record), record["q"], spans, video=record["video"], task=record["task"],
        duration=record.get("duration"), source=record["source"],
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


def _seconds(spans: Sequence[Sequence[float]]) -> set[int]:
    """The whole seconds that spans cover."""
    return {
        second for s in spans for second in range(max(0, round(s[0])), min(VIDEO_END, round(s[1])))
    }


def _score(sample: Sample, found: Sequence[Sequence[float]]) -> dict[str, float]:
    """The published score of one answer, by task; {} where it does not count."""
    golds, spans = gold_spans(sample), [(s[0], s[1]) for s in found]
    if sample.task == "vhd":
        return {"F1": float(any(a <= s[0] <= b for s in spans[:1] for a, b in golds))}
    if sample.task == "evs":
        if not spans:
            return {}
        said, true = _seconds(spans), _seconds(golds)
        return {"F1": 2 * len(said & true) / max(1, len(said) + len(true))}
    if sample.task == "tal":
        return {"F1": sum(f1_at(spans, golds, t) for t in THRESHOLDS) / len(THRESHOLDS)}
    best = max((tiou(s, g) for s in spans[:1] for g in golds), default=0.0)
    share = sum(bool(spans) and best >= t for t in THRESHOLDS) / len(THRESHOLDS)
    return {"mRec" if sample.task == "tem" else "F1": share}


def _scored(name: str) -> Rule:
    """A rule that reads spans, with the published score added."""
    rule = SPAN.rules[name]

    def scored(sample: Sample, prediction: Any) -> Graded:
        if sample.task == "vhd" and name == "et_bench" and prediction is not None:
            point = re.search(r"[-+]?(?:\d{0,9}\.)?\d{1,9}", str(prediction))
            prediction = [[float(point.group())] * 2] if point else ""
        graded = rule(sample, prediction)
        return Graded(
            graded.read, {**graded.values, **_score(sample, graded.read or [])}, graded.note
        )

    return scored


def _numbers(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    """Those of spans, and F1 and mRec: means over pairs of task and source."""
    found = span_numbers(samples, graded)
    for name in ("F1", "mRec"):
        groups: dict[tuple[str, str], list[float]] = {}
        for sample, answer in zip(samples, graded, strict=True):
            if name in answer.values:
                key = (sample.task, str(sample.meta.get("source", "")))
                groups.setdefault(key, []).append(answer.values[name])
        if groups:
            means = [sum(v) / len(v) for v in groups.values()]
            n = sum(map(len, groups.values()))
            found[name] = Number(sum(means) / len(means), n, unit="queries")
    return found


GROUNDING = Shape("span", {n: _scored(n) for n in SPAN.rules}, SPAN.better, _numbers, SPAN.gold)


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
    metrics=("f1", "recall_at_iou", "miou"),
    shape=GROUNDING,
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
