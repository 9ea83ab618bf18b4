"""Video-TT: YouTube Shorts with one open question and its adversarial variants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, listed, mcq
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    return mcq(
        record["qid"] if "qid" in record else record["question_id"],
        record["question"],
        listed(record["options"]),
        letter=record["answer"],
        video=record["video_id"],
        task=str(record.get("capability", "")),
    )


BENCHMARK = Benchmark(
    id="video_tt",
    metrics=("accuracy", "robustness_score"),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: (
        "Select the best answer to the following multiple-choice question based on the video. "
        "Respond with only the letter (A, B, C, or D) of the correct option.\n"
        f"{s.question}\n{ask(s)}\nThe best answer is:"
    ),
    splits={"mc": Split(("**/test_mc_new-*.parquet",), 1000)},
    videos=("Benchmark-AllVideos-LQ/{video}.mp4", "{video}.mp4", "videos/{video}.mp4"),
    rules={
        "paper": "lmms_eval_2025",
        "lmms_eval": "lmms_eval_video_tt",
        "vlmevalkit": "vlmevalkit_capital",
    },
    by={"task": lambda s: s.task},
    hub="lmms-eval/video-tt",
    source=f"{LMMS_EVAL}video-tt",
)
