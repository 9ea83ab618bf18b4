"""QAEgo4D-Closed: what an egocentric video showed, with three wrong answers beside the true one.

The published code shuffles the options at random; here their order follows from the question's id,
so that it is the same in every run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    name, gold = str(record["sample_id"]), record["answer"].strip()
    options = sorted(
        [gold, *record["wrong_answers"]],
        key=lambda text: hashlib.sha256(f"{name}/{text}".encode()).digest(),
    )
    return mcq(
        name, record["question"], options, index=options.index(gold), video=record["video_id"],
        frames=[record.get("moment_start_frame"), record.get("moment_end_frame")],
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="qaego4d_closed",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: (
        f"question: {s.question} choices: {ask(s, option='({letter}) {text}', join=' ')}."
    ),
    splits={"test": Split(("annotations.QaEgo4D_test_close.json", "*QaEgo4D_test*.json"))},
    videos=("{video}.mp4", "clips/{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "careful"},
    license="Ego4D licence; QaEgo4D by agreement",
    source="lbaermann/qaego4d@bc1e29d README; Becomebright/GroundVQA@6b7abd5 model/ours/dataset.py",
)
