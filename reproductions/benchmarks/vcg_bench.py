"""VCGBench (Video-ChatGPT): five axes of open answers, scored 0 to 5 by a judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._open import OPEN
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Iterator[Sample]:
    if "question_1" in record or "Q1" in record:
        for i in (1, 2):
            yield Sample(
                f"{record.get('question_id', record['_place'])}-{i}",
                record.get(f"question_{i}") or record[f"Q{i}"], record.get("answer") or record["A"],
                "free-form", video=record["video_name"], task="consistency",
            )  # fmt: skip
        return
    yield Sample(
        str(record.get("question_id", f"{record['_file']}-{record['_place']}")),
        record.get("question") or record["Q"], record.get("answer") or record["A"], "free-form",
        video=record["video_name"],
        task="temporal" if "emporal" in record["_file"] + record["_folder"] else "generic",
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="vcg_bench",
    metrics=("judge_score_5",),
    shape=OPEN,
    sample=_sample,
    prompt=lambda s: s.question,
    splits={
        "generic": Split(("generic_qa.json", "Generic/*.parquet"), 1996),
        "temporal": Split(("temporal_qa.json", "Temporal/*.parquet"), 499),
        "consistency": Split(("consistency_qa.json", "Consistency/*.parquet"), 998),
    },
    videos=(
        "{video}.mp4",
        "videos/{video}.mp4",
        "Test_Videos/{video}.mp4",
        "{video}.mkv",
        "{video}.webm",
    ),
    rules={"paper": "judge", "lmms_eval": "judge"},
    by={"part": lambda s: s.task},
    hub="lmms-eval/VideoChatGPT",
    license="CC-BY-SA-4.0",
    source=f"{LMMS_EVAL}videochatgpt; mbzuai-oryx/Video-ChatGPT@659e04b quantitative_evaluation",
)
