"""FakeVV: whether a news video and its title were put together to mislead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, urlsplit

from reproductions.benchmarks._base import Benchmark, Graded, Number, Split
from reproductions.benchmarks._open import YES_NO, yes_no_gold
from reproductions.metrics.decisions import f1, precision, recall
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    asked, told = (m["content"] for m in record["messages"])
    first = str(record["images"][0])
    # Frames lie in a folder a video; the other published file has the address of the video instead.
    video = parse_qs(urlsplit(first).query).get("v", [PurePosixPath(first).parent.name])[0]
    return Sample(
        str(record["_place"]), asked.replace("<image>", "").strip(), yes_no_gold(told), "yes or no",
        video=video, meta={"frames": len(record["images"])},
    )  # fmt: skip


def _numbers(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    """Precision, recall and F1 of the manipulated ones."""
    said, true = [g.read for g in graded], [s.answer for s in samples]
    found = {"precision": precision, "recall": recall, "F1": f1}
    return {name: Number(score(said, true, "yes"), len(true)) for name, score in found.items()}


BENCHMARK = Benchmark(
    id="fakevv",
    metrics=("accuracy", "precision", "recall", "f1"),
    shape=YES_NO,
    sample=_sample,
    prompt=lambda s: s.question,
    splits={
        "test": Split(("**/fakevv_test_data.json", "**/fakevv_test_data_with_urls.json"), 2000)
    },
    videos=("test_video/{video}.mp4", "videos/{video}.mp4", "{video}.mp4"),
    rules={"paper": "yes_no"},
    totals=_numbers,
    hub="fanrui00/FakeVV_testset_video",
    source="zfr00/Fact-R1@7354074 data_config/fakevv_test_data*.json, README",
)
