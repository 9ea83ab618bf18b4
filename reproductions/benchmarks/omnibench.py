"""OmniBench: four-way questions on a picture with a sound, given here by its transcript.

Models of this project have no ears: this is the published variant with "audio content" as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    name = str(record.get("index", record["_place"]))
    return mcq(
        name, record["question"], record["options"], text=record["answer"], video=f"{name}.mp4",
        task=record["task type"], sound=record.get("audio content"),
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="omnibench",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: (
        f"Audio context for the images:\n{s.meta.get('sound', '')}\n\nQuestion:\n{s.question}\n\n"
        f"Options:\n{ask(s)}\n\nAnswer with the option's letter from the given choices directly."
    ),
    splits={"test": Split(("**/train-*.parquet", "*.json*"), 1142)},
    videos=("videos/{video}", "{video}"),
    rules={"paper": "careful", "lmms_eval": "lmms_eval_omni_bench"},
    by={"task": lambda s: s.task},
    hub="m-a-p/OmniBench",
    source=f"{LMMS_EVAL}omni_bench",
)
