"""VidText: text in videos - read it, find when it shows, and reason about it.

The choice part holds reasoning and tracking; the variants read all text ("ocr"), find text in time
("when") and pick the three right statements ("three").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Graded, Rule, Shape, Split, item_means
from reproductions.benchmarks._choice import CHOICE, ask, mcq
from reproductions.benchmarks._open import final, text_gold
from reproductions.benchmarks._spans import SPAN, moment
from reproductions.shared.method import Sample

_TOKEN = re.compile(r"\d+/[a-z0-9]+|[\u4e00-\u9fff]+|[a-z0-9/]+|[^\u4e00-\u9fffa-z0-9\s]")


def _name(record: Mapping[str, Any]) -> str:
    return f"{record['_file']}-{record['_place']}"


def _choice(record: Mapping[str, Any]) -> Sample:
    if "correct_label" in record:  # TextTracking: the options are outlines at the start and the end
        options = [
            f"start_points={c['start_points']}, end_points={c['end_points']}"
            for c in record["choices"]
        ]
        gold = record["correct_label"]
    elif "choices" in record:  # the order in which texts appear
        options = [
            ", ".join(t.strip() for t in record["choices"][x]) for x in sorted(record["choices"])
        ]
        gold = record["answer"]
    else:
        options = [o["text"] for o in record["options"]]
        gold = record["answer"]
        gold = gold["option_id"] if isinstance(gold, Mapping) else gold
    return mcq(
        _name(record), record["question"], options, letter=gold, video=str(record["video_id"]),
        task=record["_file"],
    )  # fmt: skip


def _prompt(sample: Sample) -> str:
    options = ask(sample, option="Option {letter}: {text}")
    if sample.task == "TextTracking":
        return (
            f"{sample.question} We have four possible bounding boxes:\n{options}\n"
            "Which option (A/B/C/D) is correct?"
        )
    return (
        "Watch the video and answer the following multiple-choice question based on its content."
        f"\n\nQuestion: {sample.question}\n\nOptions:\n{options}\n\nOnly output the correct option."
    )


def _ocr(record: Mapping[str, Any]) -> Sample:
    gold = record["answer"]
    gold = " ".join(gold) if isinstance(gold, list) else gold
    return Sample(
        _name(record), record["question"], gold, "OCR", video=str(record["video_id"]),
        task=record["_file"],
    )  # fmt: skip


def _when(record: Mapping[str, Any]) -> Sample:
    numbers = [float(x) for x in re.findall(r"\d+(?:\.\d+)?", record["answer"])]
    return moment(_name(record), record["question"], [numbers], video=str(record["video_id"]))


def _three(record: Mapping[str, Any]) -> Sample:
    options = record["option"]
    gold = ", ".join(sorted(re.findall(r"[A-Z]", record["answer"])))
    question = record["question"].removeprefix("**Question:**").strip()
    return Sample(
        _name(record), question, gold, "several choices",
        tuple(f"{x}. {options[x]}" for x in sorted(options)), str(record["video_id"]),
    )  # fmt: skip


def _read(sample: Sample, prediction: Any) -> Graded:
    """Precision, recall and F1 of tokens, as Evaluation.py counts them."""
    said = final(prediction)
    if said is None:
        return Graded(None, {"F1": 0.0, "precision": 0.0, "recall": 0.0}, "no answer")
    found, gold = _TOKEN.findall(said.lower()), _TOKEN.findall(sample.answer.lower())
    same = sum(min(found.count(t), gold.count(t)) for t in set(found) & set(gold))
    precision, recall = same / max(1, len(found)), same / max(1, len(gold))
    f1 = 2 * precision * recall / (precision + recall) if same else 0.0
    return Graded(said[:200], {"F1": f1, "precision": precision, "recall": recall})


def _all_three(sample: Sample, prediction: Any) -> Graded:
    """Right if the letters named are the three right ones."""
    said = final(prediction)
    if said is None:
        return Graded(None, {"accuracy": 0.0}, "no answer")
    found = sorted(set(re.findall(r"(?<![A-Za-z])[A-Z](?![A-Za-z])", said)))
    return Graded(", ".join(found) or None, {"accuracy": float(", ".join(found) == sample.answer)})


def _shape(name: str, rule: Rule) -> Shape:
    return Shape(name, {name: rule}, name, item_means, text_gold)


def _benchmark(
    files: Mapping[str, int], sample: Callable[[Mapping[str, Any]], Sample], **rest: Any
) -> Benchmark:
    return Benchmark(
        id="vidtext",
        splits={n: Split((f"{n}.json", f"data/{n}.json"), size) for n, size in files.items()},
        sample=sample,
        videos=("{video}.mp4", "videos/{video}.mp4", "{task}/{video}.mp4"),
        by={"task": lambda s: s.task},
        hub="sy1998/VidText",
        license="CC-BY-NC-SA-4.0",
        source="shuyansy/VidText@6f5c110 data/*.json, Evaluation/",
        **rest,
    )


BENCHMARK = _benchmark(
    {"LocalReasoning": 405, "spatialReasoning": 88, "tempCausalReasoning": 99, "TextTracking": 472},
    _choice,
    metrics=("accuracy",),
    shape=CHOICE,
    prompt=_prompt,
    rules={"paper": "careful"},
    variants={
        "ocr": _benchmark(
            {"holisticOCRTest1": 511, "LocalOCRtest": 546},
            _ocr,
            metrics=("f1", "precision", "recall"),
            shape=_shape("tokens", _read),
            prompt=lambda s: (
                "Watch the video and answer the following question based on its content."
                f"Question: {s.question}"
            ),
            rules={"paper": "tokens"},
        ),
        "when": _benchmark(
            {"TextLocalization": 554},
            _when,
            metrics=("miou",),
            shape=SPAN,
            prompt=lambda s: (
                "Watch the video and answer the following question based on its content."
                f"Question: {s.question}"
                "Output your answer in JSON format with keys 'start' and 'end'. For example: "
                '{"start": 0.0, "end": 30.0}. '
            ),
            rules={"paper": "spans"},
        ),
        "three": _benchmark(
            {"holisticReasoning": 203},
            _three,
            metrics=("accuracy",),
            shape=_shape("letters", _all_three),
            prompt=lambda s: (
                "Watch the video carefully and select the correct three answers.\n\nQuestion: "
                f"{s.question}\n\nOptions:\n{ask(s, option='{letter}: {text}')}\n\nPlease output "
                "your answer in the format: `Correct Answers: A, B, C`\nDo not provide any "
                "additional explanations."
            ),
            rules={"paper": "letters"},
        ),
    },
)
