"""RTV-Bench: questions asked again along a video; advanced ones rest on basic ones.

One published record has a single option and is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reproductions.benchmarks._base import Benchmark, Graded, Number, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq
from reproductions.metrics.flips import consistency_score
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Iterator[Sample]:
    options = record["options"]
    letters = sorted(x for x in options if options[x] is not None)
    if len(letters) < 2:
        return
    name = str(record["questionID"])
    yield mcq(
        name, record["question"], [options[x] for x in letters], letter=record["answer"],
        video=f"{record['video'].removesuffix('.mp4')}_{record['end_time']}.mp4",
        task=record["type"], field=record.get("field"), asked_at=record["end_time"],
    )  # fmt: skip


def _score(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    """Advanced questions (level 2) that are right in groups whose basic ones (0, 1) all are."""
    groups: dict[str, dict[str, list[float]]] = {}
    for sample, answer in zip(samples, graded, strict=True):
        parts = sample.id.split("-")
        if len(parts) < 4 or parts[:2] != ["q", "group"]:
            return {}
        level = "advanced" if parts[3] == "2" else "basic"
        group = groups.setdefault(parts[2], {"basic": [], "advanced": []})
        group[level].append(answer.values["accuracy"])
    rows = [(score, g["basic"]) for g in groups.values() for score in g["advanced"]]
    value = consistency_score([r[0] for r in rows], [r[1] for r in rows])
    return {"consistency score": Number(value, len(rows), unit="advanced questions")}


BENCHMARK = Benchmark(
    id="rtv_bench",
    metrics=("accuracy", "consistency_score"),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: (
        f"Question: {s.question}\nOptions:\n{ask(s)}\nAnswer with the option's letter from the "
        "given choices directly and only give the best option."
    ),
    splits={"test": Split(("QA.json", "QA_clips.json"), 4608)},
    videos=("{video}", "clips/{video}", "videos/{video}"),
    rules={"paper": "careful"},
    by={
        "subject": lambda s: s.task.partition("-")[0],
        "task": lambda s: s.task.partition("-")[2],
        "field": lambda s: str(s.meta.get("field", "")),
    },
    totals=_score,
    hub="xunsh/RTV-Bench",
    source="LJungang/RTV-Bench@a928cbe QA.json, scripts/infer, scripts/eval",
)
