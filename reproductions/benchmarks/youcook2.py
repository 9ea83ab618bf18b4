"""YouCook2: captions of cooking steps, and dense captions of whole videos."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._events import DENSE
from reproductions.benchmarks._open import CAPTION
from reproductions.shared.method import Sample


def _steps(record: Mapping[str, Any]) -> Iterator[Sample]:
    if "annotations" not in record:  # lmms-eval's copy, a row a step
        video = str(record.get("youtube_id") or record["video_path"])
        yield Sample(
            str(record.get("id", f"{video}-{record['_place']}")), "", record["sentence"],
            "captioning", video=str(record["video_path"]),
        )  # fmt: skip
        return
    for step in record["annotations"]:
        yield Sample(
            f"{record['key']}-{step['id']}", "", step["sentence"], "captioning",
            video=record["key"], meta={"start": step["segment"][0], "end": step["segment"][1]},
        )  # fmt: skip


def _whole(record: Mapping[str, Any]) -> Sample:
    events = [[*step["segment"], step["sentence"]] for step in record["annotations"]]
    return Sample(
        record["key"], "", json.dumps([events]), "dense captioning", video=record["key"],
        meta={"duration": record["duration"]},
    )  # fmt: skip


FILES = ("youcookii_annotations_trainval.json",)
VIDEOS = ("{video}.mp4", "videos/{video}.mp4", "{video}.mkv", "{video}.webm", "{video}")
SOURCE = "youcookii_annotations_trainval.json, as public code reads its database"

DENSE_BENCHMARK = Benchmark(
    id="youcook2",
    metrics=("soda_c", "cider", "meteor", "f1"),
    shape=DENSE,
    sample=_whole,
    prompt=lambda s: (
        "Localize a series of action steps in the given video, output a start and end "
        "timestamp for "
        "each step, and briefly describe the step."
    ),
    splits={"val": Split(FILES, 457, where=lambda r: r["subset"] == "validation")},
    videos=VIDEOS,
    rules={"paper": "dense"},
    hub="lmms-eval/YouCook2",
    source=SOURCE,
    prompt_source="RenShuhuai-Andy/TimeChat@c60b332 action_locate_prompts.json",
)
BENCHMARK = Benchmark(
    id="youcook2",
    metrics=("cider", "meteor", "bleu", "rouge", "soda_c", "f1"),
    shape=CAPTION,
    sample=_steps,
    prompt=lambda s: "Provide a one-sentence caption for the provided video.",
    splits={
        "val": Split(
            (*FILES, "**/val-*.parquet"),
            where=lambda r: r.get("subset", "validation") == "validation",
        )
    },
    videos=VIDEOS,
    rules={"paper": "coco", "lmms_eval": "coco"},
    hub="lmms-eval/YouCook2",
    source=f"{SOURCE}; {LMMS_EVAL}youcook2",
    variants={"dense": DENSE_BENCHMARK},
)
