"""MLVU: nine tasks on long videos; the choice tasks, in the authors' form or the dev copy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq, over_tasks, split_options
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    task = record.get("task_type") or record.get("question_type") or record["_file"]
    if "candidates" in record:
        gold = {"text": record["answer"]} if record.get("answer") is not None else {}
        return mcq(
            record.get("question_id", f"{record['_file']}-{record['_place']}"), record["question"],
            record["candidates"], video=f"{record['_file']}/{record['video']}", task=task, **gold,
        )  # fmt: skip
    question, options = split_options(record["question"])
    return mcq(
        f"{task}-{record['_place']}", question, options, letter=record["answer"],
        video=record["video_name"], task=task,
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="mlvu",
    metrics=("macro_accuracy", "judge_score_5"),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: (
        f"{s.question}\n{ask(s, option='({letter}) {text}')}\nOnly give the best option."
    ),
    splits={
        "dev": Split(
            ("json/*.json", "**/test-*.parquet"),
            where=lambda r: (
                "6_subPlot" not in r["_file"]
                and "8_sub" not in r["_file"]
                and "9_summary" not in r["_file"]
            ),
        ),
        "test": Split(("test_multi_choice_tasks.json", "test-ground-truth/*.json")),
    },
    videos=("video/{video}", "{video}", "videos/{video}"),
    rules={"paper": "lmms_eval_2025", "lmms_eval": "lmms_eval_position"},
    by={"task": lambda s: s.task},
    totals=over_tasks,
    hub="MLVU/MVLU",
    license="CC-BY-NC-SA-4.0",
    source=f"JUNJIE99/MLVU@fd060c1 README; {LMMS_EVAL}mlvu",
)
