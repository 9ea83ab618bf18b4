"""VRBench: multi-step questions on long narrative videos, asked with a summary of the video."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq
from reproductions.benchmarks._open import OPEN
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Iterator[Sample]:
    for name, entry in record["mcq"].items():
        options = entry["options"]
        sample = mcq(
            f"{record['video_id']}-{name}", entry["question"],
            [options[x] for x in sorted(options)], letter=entry["answer"],
            video=record["video_path"], task=entry["reasoning_type"],
            summary=record.get("video_summary"),
        )  # fmt: skip
        steps = entry.get("reasoning_process") or {}
        yield replace(sample, rationale="\n".join(str(steps[k]) for k in steps))


def _open(record: Mapping[str, Any]) -> Iterator[Sample]:
    for name, entry in record["mcq"].items():
        yield Sample(
            f"{record['video_id']}-{name}", entry["original_question"], entry["original_answer"],
            "free-form", video=record["video_path"], task=entry["reasoning_type"],
        )  # fmt: skip


def _prompt(sample: Sample) -> str:
    return (
        "\nYou are a helpful video understanding assistant that answers multi-choice questions "
        "through step-by-step reasoning based on the video and its summary.\n\n# Instructions:\n"
        "1. Break down the reasoning process into clear, specific events.\n"
        "2. Conclude with the best option letter(A/B/C/D) at last.\n\n# Output Format:\n"
        "<Step 1> Description of event/observation \n<Step 2> Description of event/observation \n"
        "...  \n<Answer> [Option letter]\n\n# Multiple Choice Question\n"
        f"Question: {sample.question}\nOptions:\n{ask(sample, option='{letter}: {text}')}\n\n"
        f"# Video Summary\n{sample.meta.get('summary', '')}\n"
    )


def _benchmark(**rest: Any) -> Benchmark:
    return Benchmark(
        id="vrbench",
        splits={"test": Split(("VRBench_eval.jsonl", "VRBench*.jsonl"))},
        videos=("{video}", "videos/{video}"),
        by={"task": lambda s: s.task},
        hub="OpenGVLab/VRBench",
        license="Apache-2.0 (code, with two debugging records)",
        source="OpenGVLab/VRBench@47a22db inference/data/VRBench_debug.jsonl, inference/utils",
        **rest,
    )


BENCHMARK = _benchmark(
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=_prompt,
    rules={"paper": "careful"},
    variants={
        "open": _benchmark(
            metrics=("judge_score_5",),
            shape=OPEN,
            sample=_open,
            prompt=lambda s: s.question,
            rules={"paper": "judge"},
            prompt_source="ours",
        )
    },
)
