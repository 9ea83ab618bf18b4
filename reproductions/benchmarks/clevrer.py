"""CLEVRER: collisions of simple bodies; open questions and sets of right choices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._clevrer import SETS, choices, set_gold
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Iterator[Sample]:
    for entry in record["questions"]:
        name = f"{record['scene_index']}-{entry['question_id']}"
        kind = entry.get("question_type", "")
        video = record["video_filename"]
        if "choices" in entry:
            yield Sample(
                name, entry["question"], set_gold(entry["choices"]), "multiple choice",
                choices(entry["choices"]), video=video, task=kind,
            )  # fmt: skip
        else:
            yield Sample(
                name, entry["question"], str(entry.get("answer", "")), "free-form", video=video,
                task=kind,
            )  # fmt: skip


BENCHMARK = Benchmark(
    id="clevrer",
    metrics=("accuracy",),
    shape=SETS,
    sample=_sample,
    prompt=lambda s: "\n".join(
        [
            s.question,
            *s.options,
            "Give the letters of all right options, separated by commas."
            if s.options
            else "Answer with one word.",
        ]
    ),
    splits={
        "validation": Split(("validation.json",), 76364),
        "test": Split(("test.json",), gold=False),
    },
    videos=(
        "{video}",
        "videos/{video}",
        "video_validation/{video}",
        *(f"video_validation/video_{n}-{n + 1000}/{{video}}" for n in range(10000, 20000, 1000)),
    ),
    rules={"paper": "sets"},
    by={"type": lambda s: s.task},
    license="CC0-1.0",
    source="chuangg/CLEVRER@98b8420 executor/get_results.py (fields it reads)",
    prompt_source="ours",
)
