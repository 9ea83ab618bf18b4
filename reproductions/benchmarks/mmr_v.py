"""MMR-V: what a video implies but does not show, with up to twelve options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, listed, mcq
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    return mcq(
        f"{record['video']}-{record.get('question_idx', record['_place'])}", record["question"],
        [o.partition(")")[2] for o in listed(record["options"])], letter=record["correctAnswer"],
        video=record["video"], task=record["abilityType_L2"], ability=record.get("abilityType_L3"),
        kind=record.get("videoType"),
    )  # fmt: skip


def _prompt(sample: Sample) -> str:
    options = [f"({o[0]}) {o[3:]}" for o in sample.options]
    return (
        f"[[QUESTION]]\n{sample.question}\n[[END OF QUESTION]]\n[[OPTIONS]]\n{options}\n"
        "[[END OF OPTIONS]]\n[[OUTPUT FORMAT]]\nFormat your answer as follows:\n\nGive the final "
        'correct option number in the following format: "[[A]]" or "[[B]]" or "[[C]]" or "[[D]]" '
        "...\n[[END OF OUTPUT FORMAT]]\n"
    )


BENCHMARK = Benchmark(
    id="mmr_v",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=_prompt,
    splits={"test": Split(("MMR-V*.json", "*.json", "**/*.parquet"), 1257)},
    videos=("MMR-V/videos/{video}", "videos/{video}", "{video}"),
    rules={"paper": "careful"},
    by={"ability": lambda s: s.task, "type": lambda s: str(s.meta.get("kind", ""))},
    hub="JokerJan/MMR-VBench",
    source="GaryStack/MMR-V@87ac4e5 README, evaluation/qwen2.5-VL-72B_on_MMR.py",
)
