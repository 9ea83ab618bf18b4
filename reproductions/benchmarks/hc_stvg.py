"""HC-STVG: find the person that a sentence describes, as a box for each frame of a span."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._boxes import TUBE
from reproductions.metrics.v_iou import corners
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    """A video of v1 or v2; boxes are published as [x, y, width, height] from the first frame on."""
    first = int(record["st_frame"])
    boxes = {str(first + i): corners([float(v) for v in b]) for i, b in enumerate(record["bbox"])}
    sentence = record.get("English") or record.get("caption") or record.get("sentence", "")
    return Sample(
        str(record["key"]), sentence, json.dumps(boxes), "tube", video=str(record["key"]),
        meta={"boxes": "corners", "frames": record.get("img_num", 0)},
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="hc_stvg",
    metrics=("v_iou",),
    shape=TUBE,
    sample=_sample,
    prompt=lambda s: (
        f"Find the person in the video: {s.question}\nOutput a JSON object of frames and boxes: "
        '{"12": [x_min, y_min, x_max, y_max], ..}.'
    ),
    splits={
        "v1_test": Split(("test.json", "hcstvg_v1/test.json"), 1160),
        "v2_val": Split(("valv2.json", "val_v2.json", "hcstvg_v2/test.json", "val.json"), 2000),
    },
    videos=("{video}", "video/{video}", "videos/{video}", "{stem}.mp4"),
    rules={"paper": "corners"},
    source="tzhhhh123/HC-STVG@94ab6e9 README; antoyang/TubeDETR@d70c0ee preproc (v2)",
    prompt_source="ours",
)
