"""HourVideo: five-way questions on egocentric videos of 20 minutes to two hours.

Tasks whose options are pictures (room to room, object retrieval, layout) are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq, split_options
from reproductions.shared.method import Sample

PICTURES = (
    *("navigation/room_to_room_image", "navigation/object_retrieval_image"),
    "reasoning/spatial/layout",
)


def _sample(record: Mapping[str, Any]) -> Iterator[Sample]:
    for i, entry in enumerate(record["benchmark_dataset"]):
        if entry["task"] in PICTURES:
            continue
        _, options = split_options(entry["mcq_test"])
        yield mcq(
            entry.get("qid", f"{record['key']}-{i}"), entry["question"], options,
            letter=entry["correct_answer_label"], video=record["key"], task=entry["task"],
            when=entry.get("relevant_timestamps"),
        )  # fmt: skip


BENCHMARK = Benchmark(
    id="hourvideo",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: (
        f"Question: {s.question}\nAnswers:\n{ask(s)}\nAnswer with the option letter only."
    ),
    splits={
        "dev": Split(("**/dev_v1.0_annotations.json", "dev*.json"), 1182),
        "test": Split(("**/test_v1.0_annotations.json", "test*.json"), 12976, gold=False),
    },
    videos=("{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "careful"},
    by={"task": lambda s: s.task.partition("/")[0]},
    hub="HourVideo/HourVideo",
    license="Apache-2.0 (code)",
    source="keshik6/HourVideo@1ac83c2 hourvideo/hv_utils.py, README (records not seen)",
    prompt_source="question and answers as published; the instruction is ours",
)
