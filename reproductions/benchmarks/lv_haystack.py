"""LV-Haystack: find the few frames of a long egocentric video that answer, and answer.

The questions with their choices; `meta["frames"]` names the published key frames of the video.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, directly, mcq
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    options, facts = record["options"], record.get("video_metadata") or {}
    letters = [x for x in sorted(options) if options[x]]
    return mcq(
        f"{record['video_id']}-{record['_place']}", record["question"],
        [options[x] for x in letters], letter=record["answer"], video=record["video_id"],
        frames=list(record["frame_indexes_video"]), fps=facts.get("frame_rate"),
        interval=facts.get("vclip_interval_in_video"),
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="lv_haystack",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=directly,
    splits={
        "tiny": Split(("**/test_tiny-*.parquet",)),
        "test": Split(("**/test-*.parquet",)),
        "val": Split(("**/val-*.parquet",)),
    },
    videos=("{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "careful"},
    hub="LVHaystack/LongVideoHaystack",
    source="LVHaystack/LongVideoHaystack (hub card); LongVideoHaystack/TStar@ea044c6",
    prompt_source="ours",
)
