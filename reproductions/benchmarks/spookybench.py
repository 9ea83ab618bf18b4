"""SpookyBench: words and shapes that only the change of noise over time shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Graded, Shape, Split
from reproductions.benchmarks._choice import listed
from reproductions.benchmarks._open import final, open_numbers, references, text_gold
from reproductions.shared.method import Sample

_PROMPTS = {
    "words": "This video contains text encoded through temporal patterns. What specific word or "
    "phrase do you see? The text is only visible through the temporal changes. Please respond with "
    "just the text you identify.",
    "shapes": "This video contains a geometric shape encoded through temporal patterns. What shape "
    "emerges from the temporal changes? Please respond with just the shape name (e.g., circle, "
    "square, triangle).",
    "images": "This video contains a common object encoded through temporal patterns. Individual "
    "frames may appear as noise, but an object is visible through the temporal changes. What "
    "object do you see? Please respond with just the object name.",
    "videos": "This video contains movement or action encoded through temporal patterns. The "
    "content is only visible through temporal changes, not in individual frames. What is being "
    "shown? Please respond with just 1-3 words describing what you see.",
}
_PROMPTS |= {"objects": _PROMPTS["images"], "dynamics": _PROMPTS["videos"]}


def _sample(record: Mapping[str, Any]) -> Sample:
    kind = record["Category"].strip().lower()
    labels = record["Label"].strip()
    known = [str(x) for x in listed(labels)] if labels.startswith("[") else [labels]
    return Sample(
        record["Path"].strip(), "", text_gold(known), "free-form", video=record["Path"].strip(),
        task=kind,
    )  # fmt: skip


def _holds(sample: Sample, prediction: Any) -> Graded:
    """As the published analysis: right if any label stands in the answer, case aside."""
    said = final(prediction)
    if not said:
        return Graded(None, {"accuracy": 0.0}, "no answer")
    right = any(label.lower() in said.lower() for label in references(sample))
    return Graded(said[:80], {"accuracy": float(right)})


BENCHMARK = Benchmark(
    id="spookybench",
    metrics=("accuracy",),
    shape=Shape("labels", {"holds": _holds}, "holds", open_numbers, text_gold),
    sample=_sample,
    prompt=lambda s: _PROMPTS.get(s.task, "What is going on in this video?"),
    splits={"test": Split(("*metadata.csv",), 451)},
    videos=("{video}", "videos/{video}"),
    rules={"paper": "holds"},
    by={"category": lambda s: s.task},
    hub="timeblindness/spooky-bench",
    license="MIT",
    source="TimeBlindness/time-blindness@3b080d3 finetune/csv_to_conversations.py, eval/qwen",
)
