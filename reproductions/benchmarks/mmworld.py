"""MMWorld: four-way questions on videos of seven disciplines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, mcq
from reproductions.shared.method import Sample
from reproductions.shared.rewards.boxes import literal


def _sample(record: Mapping[str, Any]) -> Sample:
    choices = record["options"]
    choices = literal(choices) if isinstance(choices, str) else choices
    if not isinstance(choices, Mapping):
        raise ValueError("options are no mapping of letters")
    return mcq(
        f"{record['video_id']}-{record['_place']}", record["question"],
        [choices[x] for x in sorted(choices)], letter=record["correct_answer_label"],
        video=str(record["video_id"]).split("/")[-1], task=record["discipline"],
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="mmworld",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: (
        "Select the best answer to the following multiple-choice question based on the video and "
        "the subtitles. Respond with only the letter (A, B, C, or D) of the correct option.\n"
        f"{s.question}\n{ ({o[0].lower(): o.partition('. ')[2] for o in s.options}) }\n"
        "Answer with the option's letter from the given choices directly."
    ),
    splits={"test": Split(("**/train-*.parquet", "*.json"))},
    videos=("{video}.mp4", "videos/{video}.mp4", "{video}.avi"),
    rules={"paper": "careful", "lmms_eval": "lmms_eval_capital"},
    by={"task": lambda s: s.task},
    hub="MMWorld/MMWorld",
    source=f"{LMMS_EVAL}mmworld",
)
