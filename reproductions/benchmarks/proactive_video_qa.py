"""ProactiveVideoQA: when and what to say of one's own accord while a video plays.

The reference is a list of remarks with the spans in which each should come. The published score,
PAUC, rates what was said over time by a judge; logs give it as the judge's verdict from 0 to 1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._open import OPEN
from reproductions.shared.method import Sample


def _sample(record: Mapping[str, Any]) -> Sample:
    asked = record["conversation"][0]["content"]
    spoken = [t["content"] for t in record["conversation"][1:] if t["role"] == "user"]
    replies = [[*r["reply_timespan"], r["content"]] for r in record["answer"]]
    return Sample(
        str(record["question_id"]), asked, json.dumps([r[2] for r in replies]), "free-form",
        video=record["video"], task=record["_folder"],
        meta={"replies": replies, "speech": spoken, "duration": record.get("duration")},
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="proactive_video_qa",
    metrics=("judge_accuracy",),
    shape=OPEN,
    sample=_sample,
    prompt=lambda s: (
        f"{s.question}\nWhile the video goes on, say at each moment at which there is something "
        "new to answer what it is, with its time in seconds."
    ),
    splits={name: Split((f"{name}/anno.json",)) for name in ("WEB", "EGO", "TV", "VAD")},
    videos=("{task}/videos/{video}", "videos/{video}", "{video}"),
    rules={"paper": "judge_1"},
    source="jxb1st/proactivevideoqa-viewer@76de1d1 */anno.json",
    prompt_source="ours",
)
