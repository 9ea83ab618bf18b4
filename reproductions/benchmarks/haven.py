"""HAVEN: hallucination in videos, asked as yes or no, with three options, and open.

The published scoring lets a judge say 1 or 0 to every answer, choices too; rule `judge` reads
choices by letter instead. Choices whose published gold is no single option ("No or I don't know"),
or whose options cannot be told apart, are left to the judge there.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import mcq, split_row
from reproductions.benchmarks._open import MIXED, OPEN
from reproductions.shared.method import Sample

_LEADS = {
    "Multiple-choice": "The following is a multiple-choice question. Please choose one of the "
    "following options. \n",
    "Binary-choice": "Please answer the following yes/no question. \n",
}


def _prompt(sample: Sample) -> str:
    return _LEADS.get(str(sample.meta["form"]), "") + str(sample.meta["asked"])


def _sample(record: Mapping[str, Any]) -> Sample:
    name, question, gold = str(record["Index"]), record["Question"], str(record["Answer"])
    facts = {"task": record["Aspects"], "video": str(record["Video Path"])}
    more = {"cause": record["Causes"], "form": record["Form"], "group": record["Group_id"]}
    more["asked"] = question  # options as printed: the spacing differs from record to record
    if record["Form"] == "Binary-choice" and gold.lower() in ("yes", "no"):
        return mcq(name, question, ["Yes", "No"], text=gold, **facts, **more)
    if record["Form"] == "Multiple-choice" and len(gold) == 1:
        with suppress(ValueError):  # "A A forest B A wall" has marks without a point
            asked, options = split_row(question)
            return mcq(name, asked, options, letter=gold, **facts, **more)
    return Sample(name, question, gold, "free-form", **facts, meta=more)


BENCHMARK = Benchmark(
    id="haven",
    metrics=("accuracy", "judge_accuracy"),
    shape=replace(
        MIXED,
        rules={**MIXED.rules, "judge_all": OPEN.rules["judge_1"]},
        judged=("judge_all",),
    ),
    sample=_sample,
    prompt=_prompt,
    splits={"test": Split(("test_data.json", "Data/test_data.json"), 1200)},
    videos=("{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "judge_all"},
    by={
        "aspect": lambda s: s.task,
        "cause": lambda s: str(s.meta.get("cause", "")),
        "form": lambda s: str(s.meta.get("form", "")),
    },
    hub="Joshua999/HAVEN",
    source="Hongcheng-Gao/HAVEN@22b7b85 Data/test_data.json, Infer/Infer.py, Judge/Judge.py",
)
