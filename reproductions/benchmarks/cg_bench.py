"""CG-Bench: questions on long videos whose answer lies in annotated clues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import ask, mcq
from reproductions.benchmarks._spans import GROUNDED, spans_text
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    return mcq(
        record["qid"], record["question"], record["choices"], letter=record["right_answer"],
        video=record["video_uid"], task=record["sub_category"], domain=record.get("domain"),
        duration=record.get("duration"), spans=spans_text(record.get("clue_intervals") or []),
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="cg_bench",
    metrics=("accuracy", "miou", "acc_at_iou"),
    shape=GROUNDED,
    sample=_sample,
    prompt=lambda s: (
        "Select the best answer to the following multiple-choice question based on the video.\n"
        f"{s.question}\n{ask(s)}\nAnswer with the option letter only."
    ),
    splits={
        "mini": Split(("cgbench_mini.json",), 3000),
        "full": Split(("cgbench.json",), 12129),
    },
    videos=("cg_videos_720p/{video}.mp4", "{video}.mp4", "videos/{video}.mp4"),
    rules={
        "paper": "careful",
        "lmms_eval": "lmms_eval_cg_bench",
        "vlmevalkit": "vlmevalkit_cg_bench",
    },
    by={"task": lambda s: s.task, "domain": lambda s: str(s.meta.get("domain", ""))},
    hub="CG-Bench/CG-Bench",
    subtitles=("cg_subtitles/{video}.srt", "subtitles/{video}.srt"),
    source=f"{LMMS_EVAL}cgbench; open-compass/VLMEvalKit@e8e78f0 vlmeval/dataset/cgbench.py",
)
