"""OpenEQA: open questions about an indoor space, from a walk through it; a judge marks 1 to 5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reproductions.benchmarks._base import Benchmark, Graded, Number, Split
from reproductions.benchmarks._open import OPEN
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    return Sample(
        record["question_id"], record["question"], record.get("answer") or "", "free-form",
        video=record["episode_history"], task=record["category"],
    )  # fmt: skip


def _match(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    """LLM-Match: mean of (mark - 1) / 4 over the answers that have a mark."""
    marks = [g.values["score"] for g in graded if "score" in g.values]
    if not marks:
        return {}
    return {"LLM-Match": Number(sum((m - 1) / 4 for m in marks) / len(marks), len(marks))}


BENCHMARK = Benchmark(
    id="openeqa",
    metrics=("judge_score_5",),
    shape=OPEN,
    sample=_sample,
    prompt=lambda s: (
        "You are an intelligent question answering agent. I will ask you questions about an "
        "indoor space and you must provide an answer.\nYou will be shown a set of images that have "
        "been collected from a single location.\nGiven a user query, you must output `text` to "
        f"answer to the question asked by the user.\nUser Query: {s.question}"
    ),
    splits={"em_eqa": Split(("open-eqa-v0.json", "data/open-eqa-v0.json"), 1636)},
    videos=("{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "judge"},
    by={"category": lambda s: s.task, "scenes": lambda s: (s.video or "").partition("-")[0]},
    totals=_match,
    license="MIT",
    source="facebookresearch/open-eqa@cfa3fce data/open-eqa-v0.json, prompts/gpt4v.txt",
)
