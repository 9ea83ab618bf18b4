"""ScaleLong: questions on four time scales about the same long videos.

The file is the one its annotators worked on: a line a video. It does not name the time scale of a
question; the files of the hub, which may, were not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, directly, mcq
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Iterator[Sample]:
    own = ("_file", "_folder", "_place", "_extra")
    ((video, entries),) = ((k, v) for k, v in record.items() if k not in own)
    for entry in entries:
        options = entry["options"]
        yield mcq(
            f"{video}-{entry['data_id']}", entry["question"], [options[x] for x in sorted(options)],
            letter=entry["answer"], video=video, task=entry["question_type"],
        )  # fmt: skip


BENCHMARK = Benchmark(
    id="scalelong",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=directly,
    splits={"test": Split(("questions_converted.jsonl",))},
    rules={"paper": "careful"},
    by={"task": lambda s: s.task},
    hub="m-a-p/ScaleLong",
    source="dma2077/scalelong_anno@8c580c6 questions_converted.jsonl",
    prompt_source="ours",
)
