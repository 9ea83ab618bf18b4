"""Ref-DAVIS17: segment the object that a sentence describes, in DAVIS clips."""

from __future__ import annotations

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._boxes import MASK, expressions, segment

BENCHMARK = Benchmark(
    id="ref_davis17",
    metrics=("j_and_f", "region_j", "boundary_f"),
    shape=MASK,
    sample=expressions,
    prompt=segment,
    splits={
        "valid": Split(("meta_expressions/valid/meta_expressions.json", "meta_expressions.json"))
    },
    videos=("JPEGImages/{video}/00000.jpg", "{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "davis"},
    hub="kcz358/RVOS-Ref-DAVIS17",
    source="cilinyan/VISA@ec158fd tools/eval_davis17.py; showlab/VideoLISA@146f2bc refdavis",
    prompt_source="ours",
    extra="mask_dict.json",
)
