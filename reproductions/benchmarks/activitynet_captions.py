"""ActivityNet Captions: grounding of sentences, and dense captions of whole videos."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._events import DENSE
from reproductions.benchmarks._spans import SPAN, moment, when
from reproductions.shared.method import Sample

DENSE_PROMPT = (
    "Localize a series of activity events in the video, output the start and end timestamp "
    "for each "
    "event, and describe each event with sentences. The output format of each predicted "
    "event should "
    "be like: 'start - end seconds, event description'."
)


def _sentences(record: Mapping[str, Any]) -> Iterator[Sample]:
    for i, (span, text) in enumerate(zip(record["timestamps"], record["sentences"], strict=True)):
        # A few published spans are reversed.
        yield moment(
            f"{record['key']}-{i}", text.strip(), [sorted(span)], video=record["key"],
            duration=record["duration"],
        )  # fmt: skip


def _whole(record: Mapping[str, Any]) -> Sample:
    """All events of a video; the second annotator's stand in val_2.json beside val_1.json."""
    references = []
    for one in (record, record["_extra"].get(record["key"])):
        if one:
            pairs = zip(one["timestamps"], one["sentences"], strict=True)
            references.append([[*sorted(span), text.strip()] for span, text in pairs])
    return Sample(
        record["key"], "", json.dumps(references), "dense captioning", video=record["key"],
        meta={"duration": record["duration"]},
    )  # fmt: skip


VIDEOS = ("{video}.mp4", "videos/{video}.mp4", "{video}.mkv", "{video}.webm")
SOURCE = "ranjaykrishna/densevid_eval@9d4045a evaluate.py (references val_1.json, val_2.json)"

DENSE_BENCHMARK = Benchmark(
    id="activitynet_captions",
    metrics=("soda_c", "cider", "meteor", "dense_caption_score", "f1"),
    shape=DENSE,
    sample=_whole,
    prompt=lambda s: DENSE_PROMPT,
    splits={"val_1": Split(("val_1.json",), 4917), "val_2": Split(("val_2.json",), 4885)},
    videos=VIDEOS,
    rules={"paper": "dense"},
    hub="friedrichor/ActivityNet_Captions",
    source=SOURCE,
    prompt_source="RenShuhuai-Andy/TimeChat@c60b332 prompts/dvc_description.txt, less its example",
    extra="val_2.json",
)
BENCHMARK = Benchmark(
    id="activitynet_captions",
    metrics=("recall_at_iou", "miou", "soda_c", "cider", "meteor"),
    shape=SPAN,
    sample=_sentences,
    prompt=when,
    splits={"val_2": Split(("val_2.json",), 17031), "val_1": Split(("val_1.json",), 17505)},
    videos=VIDEOS,
    rules={"paper": "spans", "lmms_eval": "lmms_eval_charades"},
    hub="friedrichor/ActivityNet_Captions",
    source=SOURCE,
    prompt_source="ours",
    variants={"dense": DENSE_BENCHMARK},
)
