"""VSI-Bench: eight tasks on space in indoor scans, with letters or numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import lettered
from reproductions.benchmarks._numbers import QUANTITY, family
from reproductions.shared.method import Sample

NUMERICAL = {
    "object_abs_distance", "object_counting", "object_size_estimation", "room_size_estimation",
}  # fmt: skip


def _sample(record: Mapping[str, Any]) -> Sample:
    task = record["question_type"]
    return Sample(
        id=str(record["id"]),
        question=record["question"],
        answer=str(record["ground_truth"]).strip(),
        problem_type="regression" if task in NUMERICAL else "multiple choice",
        options=lettered(record.get("options") or ()),
        video=f"{record['dataset']}/{record['scene_name']}.mp4",
        task=task,
        meta={"dataset": record["dataset"], "pruned": str(record.get("pruned", ""))},
    )


def _prompt(sample: Sample) -> str:
    if sample.task in NUMERICAL:
        return (
            f"These are frames of a video.\n{sample.question}\n"
            "Please answer the question using a single word or phrase."
        )
    options = "\n".join(sample.options)
    return (
        f"These are frames of a video.\n{sample.question}\nOptions:\n{options}\n"
        "Answer with the option's letter from the given choices directly."
    )


BENCHMARK = Benchmark(
    id="vsi_bench",
    metrics=("mra", "accuracy", "macro_accuracy"),
    shape=QUANTITY,
    sample=_sample,
    prompt=_prompt,
    splits={"test": Split(("test.jsonl", "**/test-*.parquet", "*.parquet"), 5130)},
    videos=("{video}", "videos/{video}"),
    rules={
        "paper": "thinking_in_space",
        "lmms_eval": "lmms_eval_vsi",
        "vlmevalkit": "vlmevalkit_spatial",
    },
    by={"task": lambda s: family(s.task)},
    hub="nyu-visionx/VSI-Bench",
    license="Apache-2.0",
    source=f"vision-x-nyu/thinking-in-space@51e089c README; {LMMS_EVAL}vsibench",
)
