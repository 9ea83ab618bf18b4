"""LongVideo-Reason-eval: reasoning over long videos of many fields, options in the question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, LETTERS, ask, split_options
from reproductions.benchmarks._open import text_gold
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    answer = text_gold(record["answer"]).strip("(). ")[:1].upper()
    question, options = split_options(record["problem"])
    marked = tuple(f"{x}. {t}" for x, t in zip(LETTERS, options, strict=False))
    if answer not in LETTERS[: len(marked)]:
        raise ValueError(f"the gold {record['answer']!r} is no option")
    return Sample(
        str(record.get("id", record["_place"])), question, answer, options=marked,
        video=str(record["videos"]), task=str(record.get("problem_type", "")),
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="longvideo_reason_eval",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: (
        "You are a helpful assistant. The user asks a question, and then you solves it.\n\nPlease "
        "first think deeply about the question based on the given video, and then provide the "
        "final answer. The reasoning process and answer are enclosed within <think> </think> and "
        "<answer> </answer> tags, respectively, i.e., <think> reasoning process here </think> "
        f"<answer> answer here </answer>.\n\n Question: {s.question}\n{ask(s)}"
    ),
    splits={"test": Split(("**/test-*.parquet", "*test*.json*"), 1000)},
    videos=("{video}", "longvila_videos/{video}", "videos/{video}"),
    rules={"paper": "careful"},
    by={"task": lambda s: s.task},
    hub="LongVideo-Reason/longvideo-reason",
    source="NVlabs/Long-RL@97abc84 eval/eval.py, README (options in the problem: assumed)",
)
