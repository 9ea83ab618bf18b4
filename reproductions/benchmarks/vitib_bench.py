"""ViTIB: questions in 14 categories of video reasoning, on a clip or its key part ("key")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq, over_tasks
from reproductions.shared.method import Sample


def _sample(field: str) -> Callable[[Mapping[str, Any]], Sample]:
    def sample(record: Mapping[str, Any]) -> Sample:
        options = [str(o).split("):", 1)[-1].strip() for o in record["options"]]
        return mcq(
            record["_place"] - 1, record["question"], options, letter=record["correct_answer"],
            video=record[field], task=record["task"], evidence=record.get("evidence"),
        )  # fmt: skip

    return sample


def _benchmark(field: str, **rest: Any) -> Benchmark:
    return Benchmark(
        id="vitib_bench",
        metrics=("macro_accuracy", "accuracy"),
        shape=CHOICE,
        sample=_sample(field),
        prompt=lambda s: (
            f"Please finish the {s.task} task. Question: {s.question} You have the following "
            f"options: \n{ask(s, option='({letter}) {text}')}\n. \nLet's think step by step! \n"
            "Note, you must choose one of the four options and provide your final answer in this "
            "format: `Answer: A or B or C or D`."
        ),
        splits={"test": Split(("vitcot_data.jsonl", "src/vitcot_data.jsonl"), 1382)},
        videos=("{video}", "src/{video}"),
        rules={"paper": "vitcot"},
        by={"task": lambda s: s.task},
        totals=over_tasks,
        hub="BRZ911/ViTCoT",
        source="BRZ911/ViTCoT@3f1d882 src/vitcot_data.jsonl, src/eval.py, src/ViTCoT_stage*.py",
        **rest,
    )


BENCHMARK = _benchmark("video_path", variants={"key": _benchmark("key_video_path")})
