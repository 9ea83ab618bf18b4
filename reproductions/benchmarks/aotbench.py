"""AoTBench: which way time runs, in five sets. Questions hold their options and instructions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE
from reproductions.shared.method import Sample

SETS = ("ReverseFilm", "UCF101", "Rtime_t2v", "Rtime_v2t", "AoTBench_QA")


def _sample(record: Mapping[str, Any]) -> Sample:
    name = record["_file"]
    return Sample(
        f"{name}-{record['qa_idx']}", str(record["question"]), str(record["ans"]).strip(),
        video=str(record["video_name"]), task=name,
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="aotbench",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: s.question,
    splits={
        "all": Split(("data_files/input/*.json", "data_files/*.json")),
        **{n: Split((f"data_files/input/{n}.json", f"data_files/{n}.json")) for n in SETS},
    },
    videos=("{video}",),
    rules={"paper": "first_letter"},
    by={"set": lambda s: s.task},
    hub="sherryxzh/AoTBench",
    source="zihuixue/seeAoT@366b5b4 eval/run_qwen25.py, eval/read_qa.py",
)
