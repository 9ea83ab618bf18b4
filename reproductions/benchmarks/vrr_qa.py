"""VRR-QA (ImplicitQA): relations that a creative video implies, asked of a span of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    options = record["options"]
    gold = next(record[k] for k in ("correct_answer", "answer", "correct_option") if k in record)
    return mcq(
        record.get("question_id", f"{record['_file']}-{record['_place']}"),
        record["question_text"], [options[x] for x in sorted(options)], letter=gold,
        video=f"{record['_file'].removeprefix('video_')}.mp4",
        start=record["question_start_time"], end=record["question_stop_time"],
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="vrr_qa",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: (
        f"{s.question}{ask(s, option='Option {letter}: {text} ', join='')}\nAnswer with the "
        "option's letter from the given choices directly."
    ),
    splits={"test": Split(("annotations/*.json", "video_*.json", "*.json"))},
    videos=("{video}", "videos/{video}"),
    rules={"paper": "careful"},
    hub="ucf-crcv/ImplicitQA",
    license="MIT (code)",
    source="UCF-CRCV/ImplicitQA@38950f9 eval.py (name of the answer field not seen)",
)
