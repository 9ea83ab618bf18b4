"""BlackSwanSuite: what happened in an unseen middle (1), and what did once all is seen (2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq
from reproductions.shared.method import Sample

_ASKED = {
    "1": "Choose which of the following options indicate what happened in between the frames from "
    "the beginning and frames from the end of the video:",
    "2": "Choose which of the following options indicate what happened in the video frames shown "
    "here?",
}


def _sample(record: Mapping[str, Any]) -> Sample:
    kind = str(record["mcq_task"])
    label = record.get("mcq_label")
    parts = "preevent+postevent" if kind == "1" else "whole"
    name = str(record["index"])
    return mcq(
        f"{name}-{kind}-{record['_place']}", _ASKED.get(kind, _ASKED["2"]), record["mcq_options"],
        index=None if label is None else label, video=f"{parts}/{name}.mp4", task=kind,
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="black_swan",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: (
        f"\n{s.question}\n{ask(s, option='({letter}) {text}')}. Provide the correct option letter."
    ),
    splits={"mcq": Split(("*MCQ*.json*", "mcq_list*.json"))},
    videos=("{video}", "videos/{video}"),
    rules={"paper": "careful"},
    by={"task": lambda s: s.task},
    hub="UBC-ViL/BlackSwanSuite-MCQ",
    license="CC-BY-NC-SA-4.0 (data), MIT (code)",
    source="sahithyaravi/BlackSwan@2e59834 inference/mcq/qwen2-MCQ.py",
)
