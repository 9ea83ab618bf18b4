"""TimeLens-Bench: re-annotated queries of Charades-STA, ActivityNet Captions and QVHighlights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._spans import SPAN, moment
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    spans = record["span"]
    spans = [spans] if isinstance(spans[0], int | float) else spans
    return moment(
        f"{record['video_path']}-{record['_place']}",
        record["query"],
        spans,
        video=record["video_path"],
        duration=record.get("duration"),
    )


BENCHMARK = Benchmark(
    id="timelens_bench",
    metrics=("recall_at_iou", "miou"),
    shape=SPAN,
    sample=_sample,
    prompt=lambda s: (
        f"Please find the visual event described by the sentence '{s.question}', determining its "
        "starting and ending times. The format should be: 'The event happens in <start time> - "
        "<end time> seconds'."
    ),
    splits={
        "charades": Split(("**/charades-*.parquet", "charades*.json*")),
        "activitynet": Split(("**/activitynet-*.parquet", "activitynet*.json*")),
        "qvhighlights": Split(("**/qvhighlights-*.parquet", "qvhighlights*.json*")),
    },
    videos=("{video}", "videos/{video}", "video_shards/{video}"),
    rules={"paper": "lmms_eval_timelens", "lmms_eval": "lmms_eval_timelens"},
    hub="TencentARC/TimeLens-Bench",
    source=f"{LMMS_EVAL}timelens",
)
