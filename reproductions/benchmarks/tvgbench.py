"""TVGBench: 800 grounding queries balanced over sources and types of query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._spans import SPAN, moment
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    video = str(record.get("path") or record["video"]).split("/")[-1]
    span = record.get("timestamp") or [float(x) for x in str(record["answer"]).split("-")]
    return moment(
        record.get("qid", record["_place"]), record["sentence"], [span], video=video,
        task=record.get("source", ""), duration=record.get("duration"),
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="tvgbench",
    metrics=("recall_at_iou", "miou"),
    shape=SPAN,
    sample=_sample,
    prompt=lambda s: (
        f'To accurately pinpoint the event "{s.question}" in the video, determine the precise time '
        "period of the event.\n\nOutput your thought process within the <think> </think> tags, "
        "including analysis with either specific time ranges (xx.xx to xx.xx) in <timestep> "
        "</timestep> "
        "tags.\n\nThen, provide the start and end times (in seconds, precise to two decimal "
        "places) "
        'in the format "start time to end time" within the <answer> </answer> tags. For example: '
        '"12.54 to 17.83".'
    ),
    splits={"test": Split(("tvgbench.json", "**/tvgbench.json"), 800)},
    videos=("{video}", "videos/{video}", "videos/tvgbench_data/{video}", "tvgbench_data/{video}"),
    rules={"paper": "time_r1"},
    hub="Boshenxx/TimeR1-Dataset",
    source="www-Ye/Time-R1 README (dataset/timer1/annotations/tvgbench.json)",
    prompt_source="www-Ye/Time-R1 src (facts/methods/time-r1)",
)
