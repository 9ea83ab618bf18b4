"""SEED-Bench-R1: the next action of an egocentric plan, in three levels of unlike data.

A published question shows the progress video and the present frame; `videos` looks for the video,
`meta["frame"]` names the picture, which should stand at its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    source = record["video_source"]
    return mcq(
        record["sample_id"] if "sample_id" in record else record["id"], record["question"],
        [record[f"choice_{x}"] for x in "abcd"], letter=record["golden_choice_idx"],
        video=f"{source}/{record['video_basename']}", task=source,
        frame=f"{source}/{record.get('current_observation_basename', '')}",
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="seed_bench_r1",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: (
        f"{s.question}\n{ask(s)}\n Output the thinking process in <think> </think> and final "
        "answer in <answer> </answer> tags, i.e., <think> reasoning process here </think><answer> "
        "answer here </answer>. "
    ),
    splits={
        level: Split((f"annotations/validation_{level}.jsonl", f"validation_{level}.jsonl"))
        for level in ("L1", "L2", "L3")
    },
    videos=("videos/{video}", "{video}"),
    rules={"paper": "careful"},
    by={"source": lambda s: s.task},
    hub="TencentARC/SEED-Bench-R1",
    source="TencentARC/SEED-Bench-R1@12e8fcc infer.py, scripts/eval.sh",
)
