"""MeViS: segment what a sentence about motion describes."""

from __future__ import annotations

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._boxes import MASK, expressions, segment

BENCHMARK = Benchmark(
    id="mevis",
    metrics=("j_and_f", "region_j", "boundary_f"),
    shape=MASK,
    sample=expressions,
    prompt=segment,
    splits={"valid_u": Split(("valid_u/meta_expressions.json", "meta_expressions.json"))},
    videos=("JPEGImages/{video}/00000.jpg", "{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "davis"},
    hub="kcz358/RVOS-MeViS-ValidU",
    source="henghuiding/MeViS@7c0620b README",
    prompt_source="ours",
    extra="mask_dict.json",
)
