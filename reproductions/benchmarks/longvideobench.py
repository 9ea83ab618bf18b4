"""LongVideoBench: questions that refer to a moment, with subtitles interleaved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    options = record.get("candidates") or [
        record[f"option{i}"] for i in range(5) if record.get(f"option{i}") not in (None, "N/A", "")
    ]
    choice = record.get("correct_choice")
    return mcq(
        record["id"], record["question"], options,
        index=None if choice is None or int(choice) < 0 else choice,
        video=record["video_path"], task=record["question_category"],
        duration_group=str(record["duration_group"]), subtitle_path=record.get("subtitle_path"),
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="longvideobench",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: (
        f"{s.question}\n{ask(s)}\nAnswer with the option's letter from the given choices "
        "directly.\n"
    ),
    splits={
        "val": Split(("lvb_val.json", "validation-*.parquet"), 1337),
        "test": Split(("lvb_test_wo_gt.json", "test-*.parquet"), gold=False),
    },
    videos=("videos/{video}", "{video}"),
    rules={
        "paper": "lmms_eval_capital_or_random",
        "lmms_eval": "lmms_eval_capital_or_random",
        "vlmevalkit": "vlmevalkit_longvideobench",
    },
    by={"duration": lambda s: str(s.meta.get("duration_group", "")), "task": lambda s: s.task},
    hub="longvideobench/LongVideoBench",
    subtitles=("subtitles/{stem}_en.json", "subtitles/{stem}.json"),
    license="CC-BY-NC-SA-4.0",
    source=f"longvideobench/LongVideoBench lvb_val.json; {LMMS_EVAL}longvideobench",
)
