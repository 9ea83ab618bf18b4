"""MotionBench: fine motion, with inline options; answers of the test part are not public."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq, split_options
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Iterator[Sample]:
    for entry in record["qa"]:
        question, options = split_options(entry["question"])
        gold = None if entry["answer"] in ("NA", "", None) else entry["answer"]
        yield mcq(
            entry["uid"], question, options, letter=gold, video=record["video_path"],
            task=record.get("question_type", ""),
        )  # fmt: skip


BENCHMARK = Benchmark(
    id="motionbench",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: (
        f"{s.question}\n{ask(s)}\nAnswer with only the option letter (A, B, C, D, E, or F)."
    ),
    splits={
        "dev": Split(
            ("video_info.meta.jsonl", "MotionBench/video_info.meta.jsonl"),
            where=lambda r: any(q["answer"] != "NA" for q in r["qa"]),
        ),
        "all": Split(
            ("video_info.meta.jsonl", "MotionBench/video_info.meta.jsonl"), 8052, gold=False
        ),
    },
    videos=("{video}", "self-collected/{video}", "public-dataset/{video}"),
    rules={"paper": "careful", "lmms_eval": "lmms_eval_motionbench"},
    by={"task": lambda s: s.task},
    hub="THUDM/MotionBench",
    source=f"{LMMS_EVAL}motionbench",
)
