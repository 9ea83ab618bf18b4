"""Neptune: five-way questions on order, causes and counts over whole videos."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    options = [record[f"answer_choice_{i}"] for i in range(5)]
    return mcq(
        record["key"], record["question"], options, index=record["answer_id"],
        video=str(record.get("video_path") or record.get("video_id")),
        task=record.get("question_type", ""),
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="neptune",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: (
        f"{s.question}\n{ask(s)}\nAnswer with only the option letter (A, B, C, D, or E)."
    ),
    splits={
        "full": Split(("neptune_full.json", "full/*.parquet"), 3268),
        "mmh": Split(("neptune_mmh.json", "mmh/*.parquet")),
        "mma": Split(("neptune_mma.json", "mma/*.parquet")),
    },
    videos=("{video}", "videos/{video}", "{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "careful", "lmms_eval": "lmms_eval_neptune"},
    by={"task": lambda s: s.task},
    hub="lmms-eval/GoogleDeepMind-NEPTUNE",
    license="CC-BY-4.0",
    source=f"google-deepmind/neptune@bdde4b1 README; {LMMS_EVAL}neptune",
)
