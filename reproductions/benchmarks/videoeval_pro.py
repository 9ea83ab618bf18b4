"""VideoEval-Pro: long-video questions with short open answers; also as multiple choice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, listed, mcq
from reproductions.benchmarks._open import OPEN
from reproductions.shared.method import Sample


def _open(record: Mapping[str, Any]) -> Sample:
    return Sample(
        str(record.get("id", f"{record['video']}-{record['_place']}")), record["question"],
        str(record["answer_text"]), "free-form", video=record["video"],
        task=record.get("qa_type", ""),
    )  # fmt: skip


def _choices(record: Mapping[str, Any]) -> Sample:
    return mcq(
        record.get("id", f"{record['video']}-{record['_place']}"), record["question"],
        listed(record["options"]), letter=record["answer"], video=record["video"],
        task=record.get("qa_type", ""),
    )  # fmt: skip


def _benchmark(**rest: Any) -> Benchmark:
    return Benchmark(
        id="videoeval_pro",
        splits={"test": Split(("**/test-*.parquet", "*.json*"), 1289)},
        videos=("videos_filtered/{video}", "{video}", "videos/{video}"),
        by={"type": lambda s: s.task},
        hub="TIGER-Lab/VideoEval-Pro",
        source=f"{LMMS_EVAL}videoevalpro",
        **rest,
    )


BENCHMARK = _benchmark(
    metrics=("judge_accuracy",),
    shape=OPEN,
    sample=_open,
    prompt=lambda s: f"{s.question} Keep the answer short and concise.",
    rules={"paper": "grade", "lmms_eval": "grade"},
    variants={
        "mcq": _benchmark(
            metrics=("accuracy",),
            shape=CHOICE,
            sample=_choices,
            prompt=lambda s: f"{s.question}\n{ask(s)}\nAnswer with the option letter only.",
            rules={"paper": "careful", "lmms_eval": "lmms_eval_position"},
        )
    },
)
