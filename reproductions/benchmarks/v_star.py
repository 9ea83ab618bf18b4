"""V-STaR: what, when and where, each asked alone so that the three can be joined."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._boxes import TUBE
from reproductions.benchmarks._open import OPEN
from reproductions.benchmarks._spans import SPAN, moment
from reproductions.shared.method import Sample


def _when(record: Mapping[str, Any]) -> Sample:
    return moment(
        record["vid"], record["temporal_question"], [record["timestamps"]], video=record["vid"],
        task=record["domain"],
    )  # fmt: skip


def _what(record: Mapping[str, Any]) -> Sample:
    return Sample(
        str(record["vid"]), record["question"], record["answer"], "free-form",
        video=str(record["vid"]), task=record["domain"],
    )  # fmt: skip


def _where(record: Mapping[str, Any]) -> Sample:
    boxes = {
        # Keys as `tube_of` makes them from times.
        str(int(t) if float(t).is_integer() else round(100 * float(t))): [
            b["xmin"], b["ymin"], b["xmax"], b["ymax"]
        ]
        for b in record["bboxes"]
        for t in [b["timestamp"]]
    }  # fmt: skip
    return Sample(
        str(record["vid"]), record["spatial_question"], json.dumps(boxes), "boxes",
        video=str(record["vid"]), task=record["domain"], meta={"boxes": "corners"},
    )  # fmt: skip


def _benchmark(**rest: Any) -> Benchmark:
    return Benchmark(
        id="v_star",
        splits={"test": Split(("V_STaR_test.json", "data/V_STaR_test.json"), 2094)},
        videos=("{video}.mp4", "videos/{video}.mp4", "{video}"),
        by={"domain": lambda s: s.task},
        hub="V-STaR-Bench/V-STaR",
        source="V-STaR-Bench/V-STaR@1894682 data/README.md and eval.py",
        **rest,
    )


BENCHMARK = _benchmark(
    metrics=("miou", "recall_at_iou", "v_iou", "ap_v_iou", "v_star_am", "v_star_lgm"),
    shape=SPAN,
    sample=_when,
    prompt=lambda s: f'{s.question}\nOutput the time range in the form "[start, end]", in seconds.',
    rules={"paper": "spans"},
    prompt_source="ours",
    variants={
        "what": _benchmark(
            metrics=("judge_accuracy",),
            shape=OPEN,
            sample=_what,
            prompt=lambda s: s.question,
            rules={"paper": "judge_3"},
        ),
        "where": _benchmark(
            metrics=("v_iou", "ap_v_iou"),
            shape=TUBE,
            sample=_where,
            prompt=lambda s: (
                f"{s.question}\nOutput a JSON object of seconds and boxes: "
                '{"1": [x_min, y_min, x_max, y_max], ..}.'
            ),
            rules={"paper": "v_star"},
            prompt_source="ours",
        ),
    },
)
