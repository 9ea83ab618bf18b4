"""TGIF-QA: short open questions about a GIF; repeated actions and transitions as five choices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, directly, mcq
from reproductions.benchmarks._numbers import COUNT
from reproductions.benchmarks._open import OPEN
from reproductions.shared.method import Sample

_KINDS = {"0": "object", "1": "number", "2": "color", "3": "location"}


def _name(record: Mapping[str, Any]) -> str:
    # A clip name, kind and key together are unique; the same question is asked of several clips.
    return f"{record['vid_id']}-{record['_place']}"


def _choice(record: Mapping[str, Any]) -> Sample:
    options = [record[f"a{i}"] for i in range(1, 6)]
    return mcq(
        _name(record), record["question"], options, index=record["answer"], video=record["gif_name"]
    )


def _open(record: Mapping[str, Any]) -> Sample:
    return Sample(
        _name(record), record["question"], record["answer"], "free-form", video=record["gif_name"],
        task=_KINDS.get(str(record.get("type", "")), ""),
    )  # fmt: skip


def _benchmark(kind: str, size: int, **rest: Any) -> Benchmark:
    return Benchmark(
        id="tgif_qa",
        splits={"test": Split((f"Test_{kind}_question.csv", f"Test_{kind}_question.tsv"), size)},
        videos=("{video}.gif", "gifs/{video}.gif", "{video}.mp4", "videos/{video}.mp4"),
        source="YunseokJANG/tgif-qa@9ecbbc7 dataset/Test_*_question.csv, dataset/README.md",
        prompt_source="ours",
        **rest,
    )


_CHOICE: dict[str, Any] = {
    "metrics": ("accuracy",), "shape": CHOICE, "sample": _choice, "prompt": directly,
    "rules": {"paper": "careful"},
}  # fmt: skip
BENCHMARK = _benchmark(
    "frameqa",
    13691,
    metrics=("judge_accuracy", "judge_score_5", "exact_match"),
    shape=OPEN,
    sample=_open,
    prompt=lambda s: s.question,
    rules={"paper": "exact_match"},
    by={"task": lambda s: s.task},
    variants={
        "action": _benchmark("action", 2274, **_CHOICE),
        "transition": _benchmark("transition", 6232, **_CHOICE),
        "count": _benchmark(
            "count",
            3554,
            metrics=("accuracy", "mae"),
            shape=COUNT,
            sample=_open,
            prompt=lambda s: f"{s.question}\nAnswer with a single number.",
            rules={"paper": "count"},
        ),
    },
)
