"""MMVU: questions at expert level on videos of 27 subjects, with choices or open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import mcq
from reproductions.benchmarks._open import MIXED
from reproductions.shared.method import Sample

CHOICE_PROMPT = """
Question:{question}
A: {a}
B: {b}
C: {c}
D: {d}
E: {e}
Visual Information: processed video
Do not generate any intermediate reasoning process. Answer directly with the option letter from the
given choices.
"""
OPEN_PROMPT = """
Question:{question}
Visual Information: processed video
Do not generate any intermediate reasoning process. Directly output the final answer.
"""


def _sample(record: Mapping[str, Any]) -> Sample:
    path = str(record.get("video_path") or record["video"])
    facts: dict[str, Any] = {"video": path.partition("/videos/")[2] or path.removeprefix("videos/")}
    subject = (record.get("metadata") or {}).get("subject", "")
    if record["question_type"] == "multiple-choice":
        choices = record["choices"]
        options = [choices[x] for x in "ABCDE"]
        return mcq(
            record["id"],
            record["question"],
            options,
            letter=record["answer"],
            task=subject,
            **facts,
        )
    return Sample(
        str(record["id"]), record["question"], str(record["answer"]), "free-form", task=subject,
        **facts,
    )  # fmt: skip


def _prompt(sample: Sample) -> str:
    if not sample.options:
        return OPEN_PROMPT.format(question=sample.question)
    choices = {o[0].lower(): o.partition(". ")[2] for o in sample.options}
    return CHOICE_PROMPT.format(question=sample.question, **choices)


BENCHMARK = Benchmark(
    id="mmvu",
    metrics=("accuracy", "judge_accuracy"),
    shape=MIXED,
    sample=_sample,
    prompt=_prompt,
    splits={
        "validation": Split(("validation*.json", "**/validation*.parquet"), 1000),
        "choices": Split(
            ("validation*.json", "**/validation*.parquet"),
            625,
            where=lambda r: r["question_type"] == "multiple-choice",
        ),
    },
    videos=("videos/{video}", "{video}"),
    rules={"paper": "judge", "lmms_eval": "lmms_eval_mmvu"},
    by={"subject": lambda s: s.task},
    hub="yale-nlp/MMVU",
    source="yale-nlp/MMVU@4d54223 data/validation.json",
    prompt_source=f"{LMMS_EVAL}mmvu",
)
