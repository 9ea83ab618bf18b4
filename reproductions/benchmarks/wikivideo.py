"""WikiVideo: write an article from several videos of one event.

Claims of the reference count where a picture, a text in it or a sound of the videos supports them.
The videos are asked about as one file: join them as joined/<id>.mp4 first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._points import POINTS
from reproductions.shared.method import Sample

_SUPPORT = ("audio_lists", "video_lists", "ocr_lists")


def _claims(record: Mapping[str, Any]) -> list[str]:
    """The claims that some modality supports, in the order of the original article."""
    kept = []
    for i, claims in enumerate(record["claims"]):
        for j, claim in enumerate(claims):
            if any(record[name][i][j] for name in _SUPPORT):
                kept.append(str(claim))
    return kept


def _sample(record: Mapping[str, Any]) -> Sample:
    name = str(record["query_id"])
    return Sample(
        name, record["key"], record["article"], "article", video=f"joined/{name}.mp4",
        meta={"claims": _claims(record), "videos": list(record["videos"])},
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="wikivideo",
    metrics=("f1", "precision", "recall"),
    shape=POINTS,
    sample=_sample,
    prompt=lambda s: (
        f"The videos show this event: {s.question}\nWrite the lead of an encyclopaedia article "
        "about it that says only what the videos support."
    ),
    splits={"test": Split(("final_data.json", "**/final_data*.json"), 57)},
    videos=("{video}",),
    rules={"paper": "points"},
    hub="hltcoe/wikivideo",
    license="MIT (code)",
    source=(
        "alexmartin1722/wikivideo README (dataset format); scores: alexmartin1722/mirage@9d6f943"
    ),
    prompt_source="ours",
)
