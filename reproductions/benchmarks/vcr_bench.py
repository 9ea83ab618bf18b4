"""VCR-Bench: answers with a chain of thought whose steps a judge compares with written ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import ask, listed, mcq
from reproductions.benchmarks._open import MIXED
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    facts = {"video": record["video_path"], "task": record["dimension"]}
    choices = record.get("choices") or {}
    if str(record["multiple-choice"]).lower() == "true":
        letters = [x for x in sorted(choices) if choices[x]]
        # The published question ends with the options.
        question = record["question"].partition(f"A. {choices['A']}")[0]
        sample = mcq(
            record["id"], question, [choices[x] for x in letters], letter=record["answer"], **facts
        )
    else:
        sample = Sample(
            str(record["id"]), record["question"], record["answer"], "free-form", **facts
        )
    steps = record.get("reasoning") or ()
    return replace(sample, rationale="\n".join(steps if isinstance(steps, list) else listed(steps)))


BENCHMARK = Benchmark(
    id="vcr_bench",
    metrics=("accuracy", "cot_score"),
    shape=MIXED,
    sample=_sample,
    prompt=lambda s: f"Question: {s.question}{ask(s)}\nAnswer: ",
    splits={"test": Split(("meta_info_video.json", "*.json"), 1034)},
    videos=("{video}", "videos/{video}"),
    rules={"paper": "judge"},
    by={"dimension": lambda s: s.task},
    hub="VLM-Reasoning/VCR-Bench",
    source="zhishuifeiqian/VCR-Bench@4e564b7 README and eval_code/input.json",
    prompt_source="open-compass/VLMEvalKit@e8e78f0 vlmeval/dataset/vcrbench.py",
)
