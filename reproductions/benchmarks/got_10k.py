"""GOT-10k: follow one object, given its box in the first frame."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._boxes import TRACK
from reproductions.benchmarks._files import FileProblem, read_records
from reproductions.metrics.v_iou import corners
from reproductions.shared.method import Sample


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """A sequence is a folder with groundtruth.txt: a line "x,y,width,height" a frame."""
    if path.name != "groundtruth.txt":
        yield from read_records(path)
        return
    boxes = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            boxes.append([float(v) for v in line.replace("\t", ",").split(",")])
        except ValueError:
            raise FileProblem(
                f'{path}:{number}: not "x,y,width,height". Repair the line.'
            ) from None
    yield 1, {"key": path.parent.name, "boxes": boxes}


def _sample(record: Mapping[str, Any]) -> Sample:
    boxes = {str(i): corners(box) for i, box in enumerate(record["boxes"])}
    first = record["boxes"][0]
    return Sample(
        record["key"],
        json.dumps(first),
        json.dumps(boxes),
        "tracking",
        video=record["key"],
        meta={"boxes": "corners"},
    )


BENCHMARK = Benchmark(
    id="got_10k",
    metrics=("average_overlap", "overlap_success_rate", "success_auc", "tracking_precision"),
    shape=TRACK,
    sample=_sample,
    prompt=lambda s: (
        f"An object is at {s.question} (x, y, width, height) in the first frame. Output its box in "
        "every frame as a JSON list of [x, y, width, height]."
    ),
    splits={"val": Split(("val/*/groundtruth.txt", "*/groundtruth.txt"), 180)},
    videos=("val/{video}/00000001.jpg", "{video}/00000001.jpg", "{video}.mp4"),
    rules={"paper": "xywh"},
    license="CC-BY-NC-SA-4.0",
    source="got-10k/toolkit@62b8fa0 got10k/datasets and experiments",
    prompt_source="ours",
    records=_records,
)
