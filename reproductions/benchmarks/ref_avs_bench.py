"""Ref-AVS Bench: segment what a sentence about sight and sound refers to.

The masks are published as pictures; scoring takes them as run-length codes in mask_dict.json
beside metadata.csv: uid -> one code a frame.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._boxes import MASK, segment
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    codes = record["_extra"].get(record["uid"])
    # As the published loader does: the clip is named by the uid without object and number.
    clip = record["uid"].rsplit("_", 2)[0]
    return Sample(
        f"{record['uid']}-{record['fid']}", record["exp"],
        json.dumps(codes) if codes else "", "segmentation", video=clip,
        task=record["split"], meta={"object": record["fid"]},
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="ref_avs_bench",
    metrics=("j_and_f", "region_j", "boundary_f"),
    shape=MASK,
    sample=_sample,
    prompt=segment,
    splits={
        name: Split(
            ("metadata.csv", "data/metadata.csv"), where=lambda r, name=name: r["split"] == name
        )
        for name in ("test_s", "test_u", "test_n", "val")
    },
    videos=("media/{video}/video.mp4", "{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "davis"},
    by={"split": lambda s: s.task},
    license="MIT (code and sentences)",
    source="GeWu-Lab/Ref-AVS@82eb688 data/metadata.csv, datasets/dataset_refavs.py",
    prompt_source="ours",
    extra="mask_dict.json",
)
