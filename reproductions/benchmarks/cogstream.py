"""CogStream: open questions along a stream that rest on the dialogue so far."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._open import OPEN
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Iterator[Sample]:
    """The first chain of questions of a video, as the published evaluation takes it."""
    for i, entry in enumerate(record["data"][0]):
        facts = entry["info"]
        yield Sample(
            f"{record['video_name']}-{i}", entry["Q"], entry["A"], "free-form",
            video=record["video_name"], task="visual" if facts["is_visual"] else "text",
            meta={"asked_at": facts["Event_Time"], "relevant": facts.get("relevance")},
        )  # fmt: skip


BENCHMARK = Benchmark(
    id="cogstream",
    metrics=("judge_score_5",),
    shape=OPEN,
    sample=_sample,
    prompt=lambda s: s.question,
    splits={"test": Split(("COG_streamv_dataset.json",))},
    videos=("{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "judge"},
    by={"needs": lambda s: s.task},
    license="MIT (code)",
    source="LiamZhao326/CogStream@16f4958 dataset_gen_pipeline/, evaluate/",
)
