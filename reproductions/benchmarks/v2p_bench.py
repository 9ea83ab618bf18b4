"""V2P-Bench: questions about what is marked in one frame of the video.

The marked frame is published apart (frames/): without it in the video a question cannot be
understood, so the videos looked for are marked/<video>, with that frame put in front.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq, split_options
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    question, options = split_options(record["question"])
    return mcq(
        f"{record.get('index', record['_place'])}", question, options, letter=record["answer"],
        video=f"{record['_place']}-{record['video_path'].replace('/', '-')}",
        task=str(record["dimension"]), frame=record["frame_path"], origin=record.get("source"),
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="v2p_bench",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: (
        f"{s.question}\n{ask(s, option='{letter}: {text}')}\nGive only your option letter that "
        "accurately addresses the question, no other words."
    ),
    splits={"test": Split(("V2P-Bench.tsv", "*.jsonl"), 1172)},
    videos=("marked/{video}",),
    rules={"paper": "careful", "vlmevalkit": "vlmevalkit_v2p"},
    by={"dimension": lambda s: s.task, "source": lambda s: str(s.meta.get("origin", ""))},
    hub="gaotiexinqu/V2P-Bench",
    license="CC-BY-NC-4.0",
    source="gaotiexinqu/V2P-Bench@7542f62 data/*.jsonl, README",
    prompt_source="open-compass/VLMEvalKit@e8e78f0 vlmeval/dataset/v2pbench.py",
)
