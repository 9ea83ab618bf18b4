"""STI-Bench: sizes, distances, speeds and paths in a span of a video, five choices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, listed, mcq
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    facts = {str(k).lower(): v for k, v in record.items()}
    choices = facts["candidates"] if "candidates" in facts else facts["options"]
    options = (
        [choices[x] for x in sorted(choices)] if isinstance(choices, dict) else listed(choices)
    )
    span = f"From {facts['time_start']} seconds to {facts['time_end']} seconds. "
    return mcq(
        f"{facts['video']}|{facts['id']}|{facts['time_start']}|{facts['time_end']}",
        span + facts["question"], options, letter=facts["answer"], video=facts["video"],
        task=facts["task"], origin=facts.get("source"),
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="sti_bench",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: (
        "Answer the question below based on the frames provided, which are sampled at an "
        f"unspecified frame rate.\nQuestion: {s.question}\n{ask(s, option='{letter} {text}')}\n"
        "Please output only the option you choose!"
    ),
    splits={"test": Split(("qa.parquet", "STIBench.tsv"))},
    videos=("videos/{video}", "video/{video}", "{video}"),
    rules={"paper": "careful", "vlmevalkit": "vlmevalkit_spatial"},
    by={"task": lambda s: s.task, "source": lambda s: str(s.meta.get("origin", ""))},
    hub="MINT-SJTU/STI-Bench",
    license="MIT (code)",
    source="MINT-SJTU/STI-Bench@43ddebe openai_test.py",
    prompt_source="open-compass/VLMEvalKit@e8e78f0 stibench.py (the authors name the rate)",
)
