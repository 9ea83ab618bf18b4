"""VidTAB-QA: whether a video's quality is low or high (Quality Access of VideoEval)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, directly, mcq
from reproductions.benchmarks._files import read_columns
from reproductions.shared.method import Sample

LABELS = ("low quality video", "high quality video")


def _sample(record: Mapping[str, Any]) -> Sample:
    name, label = record["columns"]
    return mcq(name, "How good is the quality of this video?", LABELS, index=int(label), video=name)


BENCHMARK = Benchmark(
    id="vidtab_qa",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=directly,
    splits={"test": Split(("Quality_Access/test.txt", "test.txt"), 724)},
    videos=("{video}", "videos/{video}"),
    rules={"paper": "careful"},
    license="Apache-2.0 (annotations)",
    source="leexinhao/VideoEval@16f1244 VidTAB/annotations/Quality_Access",
    prompt_source="ours",
    records=read_columns,
)
