"""Vinoground: counterfactual pairs that differ in time; text, video and group score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Graded, Number, Split
from reproductions.benchmarks._choice import CHOICE
from reproductions.metrics.flips import pair_scores
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    index, kind = str(record["index"]), "text" if "text" in record["_file"] else "video"
    major, _, side = index.rpartition("_")
    return Sample(
        f"{index}_{kind}",
        record["question"],
        str(record["GT"]).strip()[:1].upper(),
        options=("A", "B"),
        video=str(record["video_name"]),
        task=kind,
        meta={"pair": major, "side": side},
    )


def _pairs(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    """The three scores over the pairs that are answered in all four forms."""
    found: dict[str, dict[str, list[float]]] = {}
    for sample, answer in zip(samples, graded, strict=True):
        if "pair" not in sample.meta:
            return {}
        parts = found.setdefault(sample.meta["pair"], {"text": [], "video": []})
        parts[sample.task].append(answer.values["accuracy"])
    whole = [p for p in found.values() if len(p["text"]) == 2 and len(p["video"]) == 2]
    if not whole:
        return {}
    scores = pair_scores(
        [(p["text"][0], p["text"][1]) for p in whole],
        [(p["video"][0], p["video"][1]) for p in whole],
    )
    names = ("text score", "video score", "group score")
    return {n: Number(v, len(whole), unit="pairs") for n, v in zip(names, scores, strict=True)}


BENCHMARK = Benchmark(
    id="vinoground",
    metrics=("group_score", "text_score", "video_score", "accuracy"),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: f"{s.question}\nPlease only output one English character.",
    splits={"test": Split(("vinoground_*score.csv",), 2000)},
    videos=("{video}", "vinoground_videos/{video}", "vinoground_videos_concated/{video}"),
    rules={"paper": "careful", "lmms_eval": "exact"},
    by={"form": lambda s: s.task},
    totals=_pairs,
    hub="HanSolo9682/Vinoground",
    source=f"{LMMS_EVAL}vinoground",
)
