"""Ref-YouTube-VOS: segment the object that a sentence describes."""

from __future__ import annotations

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._boxes import MASK, expressions, segment

BENCHMARK = Benchmark(
    id="ref_youtube_vos",
    metrics=("j_and_f", "region_j", "boundary_f"),
    shape=MASK,
    sample=expressions,
    prompt=segment,
    splits={
        "valid": Split(
            ("meta_expressions/valid/meta_expressions.json", "meta_expressions.json"), gold=False
        )
    },
    videos=("JPEGImages/{video}/00000.jpg", "{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "davis"},
    hub="kcz358/RVOS-Ref-YT-VOS",
    source="cilinyan/VISA@ec158fd utils/d2_datasets/refytvos_utils.py reads meta_expressions.json",
    prompt_source="ours",
    extra="mask_dict.json",
)
