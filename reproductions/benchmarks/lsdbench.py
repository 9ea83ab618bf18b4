"""LSDBench: questions about a short part of a long video, which need dense sampling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    choices = record["options"]
    options = [choices[x] for x in sorted(choices) if choices[x]]
    return mcq(
        record.get("question_id", f"{record['video_id']}-{record['_place']}"), record["question"],
        options, letter=record["correct_answer"], video=record["video_id"],
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="lsdbench",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: f"{s.question}\n{ask(s)}\n",
    splits={"test": Split(("*mc_qa*.json", "**/test-*.parquet"), 1304)},
    videos=("{video}", "{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "lmms_eval_lsdbench", "lmms_eval": "lmms_eval_lsdbench"},
    by={},
    hub="TainU/LSDBench",
    source=f"{LMMS_EVAL}lsdbench",
)
