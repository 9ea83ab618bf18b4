"""COVER: counterfactual questions, each with the question it rests on and sub-questions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, directly, mcq
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    choices = record["choices"]
    choices = json.loads(choices) if isinstance(choices, str) else choices
    return mcq(
        record.get("id", f"{record['_file']}-{record['_place']}"), record["question"],
        [choices[x] for x in sorted(choices)], letter=record["answer"], video=record["video_name"],
        task=record.get("aspect", ""), kind=record.get("qa_type"),
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="cover",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=directly,
    splits={"test": Split(("**/test-*.parquet", "*.json"))},
    videos=("{video}", "videos/{video}", "videos/{video}.mp4"),
    rules={"paper": "careful", "lmms_eval": "lmms_eval_cover"},
    by={"aspect": lambda s: s.task, "kind": lambda s: str(s.meta.get("kind", ""))},
    hub="PeterPanonly/COVER",
    source=f"{LMMS_EVAL}cover",
)
