"""VidSTG: the tube of the object that a statement or a question is about.

Times are in vidstg's own files; boxes come from VidOR, looked for as vidor/<id>.json beside them.
Without boxes a tube has no gold; the variant "when" needs times only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._boxes import TUBE
from reproductions.benchmarks._files import FileProblem, read_records
from reproductions.benchmarks._spans import SPAN, moment, when
from reproductions.shared.method import Sample


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The records, each with the trajectories of its VidOR file ([] if there is none)."""
    for place, record in read_records(path):
        name = str(record.get("vid", ""))
        beside = path.parent / "vidor" / f"{name}.json"
        tracks: Any = []
        if name.isalnum() and beside.is_file():
            try:
                tracks = json.loads(beside.read_text(encoding="utf-8"))["trajectories"]
            except (ValueError, KeyError, TypeError, RecursionError, OSError) as error:
                raise FileProblem(
                    f"{beside}: no VidOR annotation ({error}). Download it again."
                ) from None
        yield place, {**record, "trajectories": tracks}


def _sentences(record: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for kind in ("captions", "questions"):
        for i, entry in enumerate(record.get(kind, ())):
            yield f"{record['vid']}-{record['_place']}-{kind}-{i}", kind, entry


def _tubes(record: Mapping[str, Any]) -> Iterator[Sample]:
    span = record["temporal_gt"]
    for name, kind, entry in _sentences(record):
        boxes = {
            str(frame): [b["bbox"][x] for x in ("xmin", "ymin", "xmax", "ymax")]
            for frame in range(span["begin_fid"], span["end_fid"])
            if frame < len(record["trajectories"])
            for b in record["trajectories"][frame]
            if b["tid"] == entry["target_id"]
        }
        yield Sample(
            name, entry["description"], json.dumps(boxes) if boxes else "", "tube",
            video=str(record["vid"]), task=kind, meta={"boxes": "corners"},
        )  # fmt: skip


def _moments(record: Mapping[str, Any]) -> Iterator[Sample]:
    span, fps = record["temporal_gt"], float(record["fps"])
    for name, kind, entry in _sentences(record):
        seconds = [span["begin_fid"] / fps, span["end_fid"] / fps]
        yield moment(
            name, entry["description"], [seconds], video=str(record["vid"]), task=kind,
            duration=record["frame_count"] / fps,
        )  # fmt: skip


def _benchmark(**rest: Any) -> Benchmark:
    return Benchmark(
        id="vidstg",
        splits={
            name: Split((f"{name}_annotations.json", f"annotations/{name}_annotations.json"))
            for name in ("test", "val")
        },
        videos=("{video}.mp4", "videos/{video}.mp4", "*/{video}.mp4"),
        by={"kind": lambda s: s.task},
        source="Guaranteer/VidSTG-Dataset@6820cb5 annotations/ and README",
        prompt_source="ours",
        records=_records,
        **rest,
    )


BENCHMARK = _benchmark(
    metrics=("v_iou", "miou"),
    shape=TUBE,
    sample=_tubes,
    prompt=lambda s: (
        f"Find in the video: {s.question}\nOutput a JSON object of frames and boxes: "
        '{"12": [x_min, y_min, x_max, y_max], ..}.'
    ),
    rules={"paper": "corners"},
    variants={
        "when": _benchmark(
            metrics=("miou", "recall_at_iou"),
            shape=SPAN,
            sample=_moments,
            prompt=when,
            rules={"paper": "spans"},
        )
    },
)
