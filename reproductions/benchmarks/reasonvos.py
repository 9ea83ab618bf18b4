"""ReasonVOS: segment the object that a sentence implies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._boxes import MASK
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Iterator[Sample]:
    """The expressions of a video; masks as in MeViS' mask_dict.json, by object."""
    for entry in record["expressions"]:
        codes = record["_extra"].get(f"{record['key']}_{entry['obj_id']}")
        yield Sample(
            f"{record['source']}_{record['key']}_{entry['obj_id']}-{entry['exp_id']}",
            entry["exp_text"], json.dumps(codes) if codes else "", "segmentation",
            video=record["key"], task="sentence" if entry["is_sent"] else "phrase",
            meta={"origin": record["source"]},
        )  # fmt: skip


def _prompt(sample: Sample) -> str:
    if sample.task == "phrase":
        return f"Please segment the {sample.question.lower()} in this scene."
    return f"{sample.question}. Please output the segmentation masks."


BENCHMARK = Benchmark(
    id="reasonvos",
    metrics=("j_and_f", "region_j", "boundary_f"),
    shape=MASK,
    sample=_sample,
    prompt=_prompt,
    splits={"test": Split(("ReasonVOS/meta_expressions.json", "meta_expressions.json"), 458)},
    videos=("JPEGImages/{video}/00000.jpg", "{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "davis"},
    by={"kind": lambda s: s.task, "source": lambda s: str(s.meta.get("origin", ""))},
    license="non-commercial research only",
    source="showlab/VideoLISA@146f2bc BENCHMARK.md, evaluation/reason_vos",
    extra="mask_dict.json",
)
