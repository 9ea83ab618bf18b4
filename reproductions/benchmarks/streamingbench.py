"""StreamingBench: questions asked at a moment of a stream, about what was seen so far."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, listed, mcq
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Iterator[Sample]:
    for i, entry in enumerate(record.get("questions", [record])):
        video = record.get("video_path") or record.get("video") or entry["question_id"]
        yield mcq(
            entry.get("question_id", f"{record['_file']}-{record['_place']}-{i}"),
            entry["question"],
            listed(entry["options"]), letter=entry["answer"], video=str(video).removeprefix("./"),
            task=entry["task_type"], asked_at=entry.get("time_stamp"),
        )  # fmt: skip


BENCHMARK = Benchmark(
    id="streamingbench",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: (
        "You are an advanced video question-answering AI assistant. You have been provided "
        "with some "
        "frames from the video and a multiple-choice question related to the video. Your "
        "task is to "
        "carefully analyze the video and provide the best answer to question, choosing from "
        "the four "
        "options provided. Respond with only the letter (A, B, C, or D) of the correct option.\n\n"
        f"Question: {s.question}\n\nOptions:\n{ask(s)}\n\nThe best option is:"
    ),
    splits={
        "real": Split(("questions_real.json", "*Real_Time*.csv")),
        "omni": Split(("questions_omni.json", "*Omni*.csv")),
        "contextual": Split(("questions_sqa.json", "*Sequential*.csv", "*Contextual*.csv")),
    },
    videos=("{video}", "videos/{video}", "videos/{video}.mp4"),
    rules={"paper": "careful"},
    by={"task": lambda s: s.task},
    hub="mjuicem/StreamingBench",
    license="MIT",
    source="THUNLP-MT/StreamingBench@8929923 src/data/questions_*.json",
    prompt_source="THUNLP-MT/StreamingBench@8929923 src/benchmark",
)
