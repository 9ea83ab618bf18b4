"""Causal-VidQA: describe, explain, predict, and what if; the last two need answer and reason.

A folder a video with text.json and answer.json. The lists of the splits are pickles, which are not
read: leave the folders of one split only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reproductions.benchmarks._base import Benchmark, Graded, Number, Split
from reproductions.benchmarks._choice import CHOICE, directly, mcq
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Iterator[Sample]:
    video, kind = record["_folder"], record["key"]
    for part in ("answer", "reason"):
        if part in record:
            yield mcq(
                f"{video}/{kind}/{part}", record["question"], record[part],
                index=record["_extra"][kind][part], video=video, task=f"{kind} {part}",
            )  # fmt: skip


def _both(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    """Questions of which all parts are right, by kind and over all."""
    whole: dict[str, list[float]] = {}
    for sample, answer in zip(samples, graded, strict=True):
        whole.setdefault(sample.id.rpartition("/")[0], []).append(answer.values["accuracy"])
    kinds: dict[str, list[float]] = {"whole questions": []}
    for name, parts in whole.items():
        kinds["whole questions"].append(min(parts))
        if len(parts) > 1:
            kinds.setdefault(f"whole {name.rpartition('/')[2]} questions", []).append(min(parts))
    return {k: Number(sum(v) / len(v), len(v)) for k, v in kinds.items() if v}


BENCHMARK = Benchmark(
    id="causal_vidqa",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=directly,
    splits={"test": Split(("*/text.json", "QA/*/text.json", "data/QA/*/text.json"))},
    videos=("{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "careful"},
    by={"kind": lambda s: s.task},
    totals=_both,
    source="bcmi/Causal-VidQA@a5a9a9b dataset/dataset.py, eval_mc.py",
    prompt_source="ours",
    extra="answer.json",
)
