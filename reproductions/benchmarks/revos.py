"""ReVOS: segment what a question that needs reasoning points at."""

from __future__ import annotations

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._boxes import MASK, expressions, segment

BENCHMARK = Benchmark(
    id="revos",
    metrics=("j_and_f", "region_j", "boundary_f"),
    shape=MASK,
    sample=expressions,
    prompt=segment,
    splits={"valid": Split(("meta_expressions_valid_.json", "meta_expressions_valid*.json"))},
    videos=("JPEGImages/{video}/00000.jpg", "{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "davis"},
    source="cilinyan/ReVOS-api@2633da9 README; cilinyan/VISA@ec158fd tools/eval_revos.py",
    prompt_source="ours",
    extra="mask_dict.json",
)
