"""ProactiveVideoQA: when and what to say of one's own accord while a video plays.

The reference is a list of remarks with the spans in which each should come. A judge reads, at each
reply, all that was said in the span so far; PAUC is the area under its scores.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from reproductions.benchmarks._base import Benchmark, Graded, Number, Shape, Split
from reproductions.benchmarks._boxes import data_of
from reproductions.benchmarks._open import text_gold
from reproductions.benchmarks._spans import part
from reproductions.metrics.pauc import OMEGAS, pauc, without_next
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    asked = record["conversation"][0]["content"]
    spoken = [t["content"] for t in record["conversation"][1:] if t["role"] == "user"]
    replies = [
        {"reply": r["reply_timespan"], "related": r.get("related_timespan"), "text": r["content"]}
        for r in record["answer"]
    ]
    return Sample(
        str(record["question_id"]), asked, json.dumps([r["text"] for r in replies]), "free-form",
        video=record["video"], task=record["_folder"],
        meta={"replies": replies, "speech": spoken, "duration": record.get("duration")},
    )  # fmt: skip


def _times(value: Any) -> dict[float, float]:
    """Time -> score of one span, from {"12.0": 2} or a record with "judge_scores"."""
    if isinstance(value, Mapping) and "judge_scores" in value:
        value = value["judge_scores"]
    if not isinstance(value, Mapping):
        return {}
    found = {}
    for time, score in value.items():
        try:
            found[float(time)] = float(score)
        except (TypeError, ValueError):
            continue
    return found


def _pauc(sample: Sample, prediction: Any) -> Graded:
    """PAUC of the judge's scores: a list with {time: score from 0 to 2} for each reference reply.

    The verdict may also be the authors' judged record itself (its "answer"), or one number, PAUC
    from 0 to 1.
    """
    said = part(prediction, "verdict")
    empty = {"PAUC": 0.0, "replies": 1.0}
    if isinstance(said, int | float) and 0 <= said <= 1:
        return Graded(float(said), {"PAUC": float(said), "replies": 1.0})
    replies, turns = sample.meta.get("replies") or [], data_of(said)
    if not isinstance(turns, list) or len(turns) != len(replies):
        note = "there is no verdict of a judge" if said is None else "not one verdict a reply"
        return Graded(None, empty, note)
    values = dict.fromkeys(("PAUC", *_OTHERS), 0.0)
    for turn, reply in zip(turns, replies, strict=True):
        scores = _times(turn)
        if reply["related"]:
            inside = {
                t: s for t, s in scores.items() if reply["reply"][0] <= t <= reply["reply"][1]
            }
            scores = without_next(inside, reply["related"])
        for name, omega in zip(_OTHERS, OMEGAS, strict=True):
            values[name] += pauc(scores, reply["reply"], omega=omega) / len(replies)
    values["PAUC"] = values["PAUC at omega 0.5"]
    heard = sum(len(_times(turn)) for turn in turns)
    return Graded(f"{heard} replies", {**values, "replies": float(len(replies))})


_OTHERS = tuple(f"PAUC at omega {omega:g}" for omega in OMEGAS)


def _numbers(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    """Means over the reference replies, as published, so that long dialogues count for more."""
    found = {}
    for name in ("PAUC", *_OTHERS):
        kept = [g for g in graded if name in g.values]
        n = sum(g.values["replies"] for g in kept)
        total = sum(g.values[name] * g.values["replies"] for g in kept)
        if kept or name == "PAUC":
            found[name] = Number(total / n if n else 0.0, int(n), unit="replies")
    return found


BENCHMARK = Benchmark(
    id="proactive_video_qa",
    metrics=("pauc",),
    shape=Shape(
        "open", {"pauc": _pauc}, "pauc", _numbers, text_gold, parts=("verdict",), judged=("pauc",)
    ),
    sample=_sample,
    prompt=lambda s: (
        f"{s.question}\nWhile the video goes on, say at each moment at which there is something "
        "new to answer what it is, with its time in seconds."
    ),
    splits={name: Split((f"{name}/anno.json",)) for name in ("WEB", "EGO", "TV", "VAD")},
    videos=("{task}/videos/{video}", "videos/{video}", "{video}"),
    rules={"paper": "pauc"},
    source=(
        "jxb1st/proactivevideoqa-viewer@76de1d1 */anno.json; scores: "
        "zyuhan1999/VLMEvalKit@d327649 vlmeval/dataset/proactive_videoqa.py"
    ),
    prompt_source="ours",
)
