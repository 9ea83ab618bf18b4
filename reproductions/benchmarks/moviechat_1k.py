"""MovieChat-1K: open questions on whole films and on single moments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._open import OPEN
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Iterator[Sample]:
    if "info" in record or "global" in record:  # a file a film
        name = Path(str(record.get("info", {}).get("video_path") or record["_file"])).stem
        for mode in ("global", "breakpoint"):
            for i, entry in enumerate(record.get(mode) or ()):
                yield Sample(
                    f"{name}-{mode}-{i}", entry["question"], str(entry["answer"]), "free-form",
                    video=name, task=mode, meta={"frame": str(entry.get("time", ""))},
                )  # fmt: skip
        return
    yield Sample(
        f"{record['video_name']}-{record['_place']}", record["question"], str(record["answer"]),
        "free-form", video=Path(record["video_name"]).stem,
        task="breakpoint" if record.get("time") not in (None, "") else "global",
        meta={"frame": str(record.get("time", ""))},
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="moviechat_1k",
    metrics=("judge_accuracy", "judge_score_5"),
    shape=OPEN,
    sample=_sample,
    prompt=lambda s: (
        "You are able to understand the visual content that the user provides.Follow the "
        f"instructions carefully and explain your answers in detail.{s.question}"
    ),
    splits={"test": Split(("**/test-*.parquet", "annotations/*.json", "*.json"))},
    videos=("{video}.mp4", "videos/{video}.mp4", "{video}.mkv"),
    rules={"paper": "judge", "lmms_eval": "judge"},
    by={"mode": lambda s: s.task},
    hub="Enxin/lmms_MovieChat_test",
    source=f"{LMMS_EVAL}moviechat; rese1f/MovieChat@ba9bb80 eval_code/result_prepare",
)
