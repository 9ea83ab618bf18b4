"""NExT-QA: five-way questions on causes, order and description of daily videos."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, directly, mcq
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    return mcq(
        f"{record['video']}_{record['qid']}",
        record["question"],
        [record[f"a{i}"] for i in range(5)],
        index=record["answer"],
        video=str(record["video"]),
        task=record["type"],
    )


BENCHMARK = Benchmark(
    id="next_qa",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=directly,
    splits={"val": Split(("val.csv",), 4996), "test": Split(("test.csv",), 8564)},
    videos=("{video}.mp4", "videos/{video}.mp4", "NExTVideo/{video}.mp4"),
    rules={"paper": "exact", "lmms_eval": "lmms_eval_mmmu"},
    by={"family": lambda s: s.task[:1], "type": lambda s: s.task},
    hub="lmms-eval/NExTQA",
    license="MIT",
    source="doc-doc/NExT-QA@6b92588 dataset/nextqa/{val,test}.csv",
    prompt_source=f"{LMMS_EVAL}nextqa",
)
