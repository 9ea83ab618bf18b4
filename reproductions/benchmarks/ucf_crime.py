"""UCF-Crime: which of thirteen anomalies a surveillance video shows, or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, directly, mcq
from reproductions.benchmarks._files import read_columns
from reproductions.shared.method import Sample

CLASSES = (
    *("Abuse", "Arrest", "Arson", "Assault", "Burglary", "Explosion", "Fighting", "RoadAccidents"),
    *("Robbery", "Shooting", "Shoplifting", "Stealing", "Vandalism", "Normal"),
)


def _sample(record: Mapping[str, Any]) -> Sample:
    name, kind, *frames = record["columns"]
    spans = [[int(a), int(b)] for a, b in zip(frames[::2], frames[1::2], strict=True)]
    return mcq(
        name, "Which anomaly does the surveillance video show?", CLASSES, text=kind, video=name,
        task=kind, frames=[s for s in spans if s[0] >= 0],
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="ucf_crime",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=directly,
    splits={"test": Split(("Temporal_Anomaly_Annotation*.txt",), 290)},
    videos=("{video}", "videos/{video}", "{task}/{video}", "Testing_Normal_Videos_Anomaly/{video}"),
    rules={"paper": "careful"},
    by={"class": lambda s: s.task},
    source="WaqasSultani/AnomalyDetectionCVPR2018@8aa957c Temporal_Anomaly_Annotation.txt",
    prompt_source="ours",
    records=read_columns,
)
