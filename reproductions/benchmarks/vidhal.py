"""VidHal: pick the true one of three captions, or order them from true to most hallucinated.

The options stand in the order of the published options.json beside the annotations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from reproductions.benchmarks._base import Benchmark, Graded, Number, Shape, Split
from reproductions.benchmarks._choice import CHOICE, LETTERS, ask, mcq
from reproductions.benchmarks._open import final
from reproductions.metrics.order_consistency import ndcg
from reproductions.shared.method import Sample


def _ranks(record: Mapping[str, Any]) -> list[str]:
    """Rank ("1" is the true caption) of the options A, B, C."""
    shown = record["_extra"].get(record["video"]) or {}
    return [shown[x] for x in sorted(shown)] or list(record["captions"])


def _sample(record: Mapping[str, Any]) -> Sample:
    ranks = _ranks(record)
    return mcq(
        record["video"], "", [record["captions"][r] for r in ranks], index=ranks.index("1"),
        video=record["video"], task=record["aspect"],
    )  # fmt: skip


def _ordered(record: Mapping[str, Any]) -> Sample:
    ranks = _ranks(record)
    sample = _sample(record)
    order = sorted(LETTERS[: len(ranks)], key=lambda x: int(ranks[LETTERS.index(x)]))
    return Sample(
        sample.id, "", ", ".join(order), "order", sample.options, sample.video, task=sample.task
    )


def _ndcg(sample: Sample, prediction: Any) -> Graded:
    """NDCG, 1.0 for the true order and 0.0 for its reverse, or for letters that are no order."""
    gold = sample.answer.split(", ")
    text = final(prediction) or ""
    found = re.findall(rf"(?<![A-Za-z])[{''.join(sorted(gold))}](?![A-Za-z])", text)
    if sorted(found) != sorted(gold):
        return Graded(None, {"NDCG": 0.0}, "no order of the options")
    return Graded(", ".join(found), {"NDCG": ndcg(found, gold)})


def _numbers(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    n = len(graded)
    return {"NDCG": Number(sum(g.values["NDCG"] for g in graded) / n if n else 0.0, n)}


def _gold(value: Any, options: Sequence[str] = ()) -> str:
    found = value if isinstance(value, list) else re.findall(r"[A-Z]", str(value))
    if not found:
        raise ValueError(f"the gold {str(value)[:40]!r} is no order of letters")
    return ", ".join(str(x) for x in found)


def _benchmark(**rest: Any) -> Benchmark:
    return Benchmark(
        id="vidhal",
        splits={"test": Split(("annotations.json", "vidhal/annotations.json"), 1000)},
        videos=("{video}.mp4", "videos/{video}.mp4"),
        by={"aspect": lambda s: s.task},
        extra="options.json",
        source="Lookuz/VidHal@e394ae3 vidhal/*.json, pipelines/",
        **rest,
    )


BENCHMARK = _benchmark(
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: (
        "You are provided with a video and a set of several captions. Your task is to watch the "
        "video provided carefully, and select the caption that best describes the video. Provide "
        "your answer only as a single letter representing the option whose caption that best "
        "describes the video, without any explanation.\nWatch the video provided, and choose the "
        f"option whose caption describes the video most accurately.\n{ask(s)}"
    ),
    rules={"paper": "careful"},
    variants={
        "order": _benchmark(
            metrics=("ndcg",),
            shape=Shape("ranking", {"ndcg": _ndcg}, "ndcg", _numbers, _gold),
            sample=_ordered,
            prompt=lambda s: (
                "Watch the video, and order the captions from the most accurate to the least "
                f"accurate. Answer with the letters only, for example A, C, B.\n{ask(s)}"
            ),
            rules={"paper": "ndcg"},
            prompt_source="ours",
        )
    },
)
