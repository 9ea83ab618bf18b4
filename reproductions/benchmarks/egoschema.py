"""EgoSchema: five-way questions on three-minute egocentric clips."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, directly, mcq
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    if "option 0" in record:  # the authors' questions.json, with subset_answers.json beside it
        name = record["q_uid"]
        options = [record[f"option {i}"] for i in range(5)]
        return mcq(name, record["question"], options, index=record["_extra"].get(name), video=name)
    answer = record.get("answer")
    return mcq(
        record["question_idx"],
        record["question"],
        record["option"],
        index=None if answer in (None, "") else answer,
        video=record["video_idx"],
    )


BENCHMARK = Benchmark(
    id="egoschema",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=directly,
    splits={
        "subset": Split(("Subset/*.parquet",), 500),
        "full": Split(("questions.json", "GENERATION/*.parquet"), 5031, gold=False),
    },
    videos=("{video}.mp4", "videos/{video}.mp4", "good_clips_git/{video}.mp4"),
    rules={"paper": "careful", "lmms_eval": "lmms_eval_egoschema"},
    by={},
    hub="lmms-eval/egoschema",
    source=f"egoschema/EgoSchema@505c787 subset_answers.json; {LMMS_EVAL}egoschema",
    extra="subset_answers.json",
)
