"""Charades-STA: find the span of an indoor video that a sentence describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._spans import SPAN, moment
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    if "sentence" in record:  # the authors' text lines
        video, span, query = record["video"], [record["start"], record["end"]], record["sentence"]
    else:
        video, span, query = record["video"], record["timestamp"], record["caption"]
    video = str(video).removesuffix(".mp4")
    return moment(f"{video}-{record['_place']}", query, [span], video=video)


BENCHMARK = Benchmark(
    id="charades_sta",
    metrics=("recall_at_iou", "miou"),
    shape=SPAN,
    sample=_sample,
    prompt=lambda s: (
        "Please find the visual event described by a sentence in the video, determining its "
        "starting "
        "and ending times. The format should be: 'The event happens in the start time - end time'. "
        "For example, The event 'person turn a light on' happens in the 24.3 - 30.4 seonds. "
        "Now I will "
        f"give you the textual sentence: {s.question}. Please return its start time and end time."
    ),
    splits={
        "test": Split(("charades_sta_test.txt", "**/test-*.parquet"), 3720),
        "train": Split(("charades_sta_train.txt",), 12408),
    },
    videos=("{video}.mp4", "Charades_v1_480/{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "spans", "lmms_eval": "lmms_eval_charades"},
    hub="lmms-eval/charades_sta",
    source=f"jiyanggao/TALL charades_sta_test.txt; {LMMS_EVAL}charades_sta",
    prompt_source=f"{LMMS_EVAL}charades_sta",
)
