"""ActivityNet-QA: open questions on ActivityNet videos, judged against a short answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._open import OPEN
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    answers = {a["question_id"]: a for a in record["_extra"] or ()}
    gold = record if "answer" in record else answers.get(record["question_id"], {})
    return Sample(
        str(record["question_id"]), record["question"], str(gold.get("answer", "")), "free-form",
        video=f"v_{record['video_name']}", task=str(gold.get("type", "")),
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="activitynet_qa",
    metrics=("judge_accuracy", "judge_score_5"),
    shape=OPEN,
    sample=_sample,
    prompt=lambda s: (
        f"{s.question.capitalize()}? Answer the question using a single word or phrase."
    ),
    splits={
        "test": Split(("test_q.json", "dataset/test_q.json", "**/test-*.parquet"), 8000),
        "val": Split(("val_q.json",), 18000),
    },
    videos=("{video}.mp4", "videos/{video}.mp4", "{video}.mkv", "{video}.webm"),
    rules={"paper": "judge", "lmms_eval": "judge"},
    by={"type": lambda s: s.task},
    hub="lmms-eval/ActivityNetQA",
    source=f"MILVLG/activitynet-qa@2cf80ae dataset/test_{{q,a}}.json; {LMMS_EVAL}activitynetqa",
    prompt_source=f"{LMMS_EVAL}activitynetqa",
    extra="test_a.json",
    license="MIT, non-commercial (README)",
)
