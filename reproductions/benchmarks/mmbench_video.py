"""MMBench-Video: open questions on YouTube videos; a judge gives 0 to 3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import listed
from reproductions.benchmarks._open import OPEN
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    kinds = record.get("dimensions") or ""
    kinds = listed(kinds) if str(kinds).startswith("[") else [kinds]
    return Sample(
        str(record["index"]), record["question"], record["answer"], "free-form",
        video=str(record["video_path"]).rpartition("/")[2], task=", ".join(str(k) for k in kinds),
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="mmbench_video",
    metrics=("judge_score_3",),
    shape=OPEN,
    sample=_sample,
    prompt=lambda s: s.question,
    splits={"test": Split(("MMBench-Video.tsv",), 1998)},
    videos=("video/{video}", "videos/{video}", "{video}"),
    rules={"paper": "judge_3", "vlmevalkit": "judge_3"},
    by={"dimension": lambda s: s.task},
    hub="opencompass/MMBench-Video",
    source="open-compass/VLMEvalKit@e8e78f0 vlmeval/dataset/mmbench_video.py",
)
