"""MECD: which of the earlier events of a video cause the last one, a 0 or 1 for each.

The published accuracy is that of single relations, "step accuracy" here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import ORDER
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Iterator[Sample]:
    for name, entry in record.items():
        if not isinstance(entry, Mapping) or "relation" not in entry:
            continue
        found = [int(x) for x in entry["relation"][0]]
        yield Sample(
            name, ", ".join(f'"{s.strip()}"' for s in entry["sentences"]), json.dumps(found),
            "order", video=name, rationale="\n".join(entry.get("cot", ())),
            task=f"{len(found) + 1} events",
        )  # fmt: skip


def _prompt(sample: Sample) -> str:
    return (
        "Task: The video consists of n events, and the text description of each event has been "
        'given correspondingly (separated by " ",). You need to judge whether the former events in '
        "the video are the cause of the last event or not, the probability of the cause "
        "0(non-causal) or 1(causal) is expressed as the output.\n"
        f"{sample.question}\nThe probability output should be a list of n-1 numbers."
    )


BENCHMARK = Benchmark(
    id="mecd",
    metrics=("accuracy",),
    shape=ORDER,
    sample=_sample,
    prompt=_prompt,
    splits={"test": Split(("test.json", "captions/test.json"), 299)},
    videos=("{video}.mp4", "videos/{video}.mp4", "{video}.mkv", "{video}.webm"),
    rules={"paper": "order"},
    by={"events": lambda s: s.task},
    hub="tychen-sjtu/MECD",
    license="MIT",
    source="tychen-SJTU/MECD-Benchmark@eafa2c3 captions/test.json",
    prompt_source="task sentence of its README; the published few-shot examples are left out",
)
