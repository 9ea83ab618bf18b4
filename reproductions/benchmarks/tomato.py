"""TOMATO: six temporal tasks on short clips, made so that single frames do not help."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, listed, mcq
from reproductions.shared.method import Sample

_LEAD = (
    "You will be provided with frames uniformly sampled from a video, the frames are provided in "
    "chronological order of the video. Analyze these frames and provide the answer to the question "
    "about the video content. Answer the multiple-choice question about the video content.\n\n"
    "You must use these frames to answer the multiple-choice question; do not rely on any externel "
    "knowledge or commonsense. "
)
_END = (
    "Even if the information in these separate frames is not enough to answer the question, PLEASE "
    "TRY YOUR BEST TO GUESS AN ANSWER WHICH YOU THINK WOULD BE THE MOST POSSIBLE ONE BASED ON THE "
    "QUESTION. \n\nDO NOT GENERATE ANSWER SUCH AS 'NOT POSSIBLE TO DETERMINE.' \n"
)


def _prompt(sample: Sample) -> str:
    options = {o[0]: o.partition(". ")[2] for o in sample.options}
    return (
        f"{_LEAD}\n\n<question> \n{sample.question} \n</question>\n\n<options> \n{options} \n"
        f"</options>\n\n{_END}"
    )


def _sample(record: Mapping[str, Any]) -> Sample:
    name = record.get("id", record.get("key"))
    task = record.get("reason_type") or record["_file"]
    place = record.get("demonstration_type", "")
    video = record.get("video_path") or f"{place}/{record['key']}.mp4"
    return mcq(
        f"{task}-{name}-{record['_place']}" if "video_path" not in record else name,
        record["question"], listed(record["options"]), index=record["answer"], video=str(video),
        task=task, demonstration=place,
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="tomato",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=_prompt,
    splits={"test": Split(("data/*.json", "**/test-*.parquet"), 1484)},
    videos=("videos/{video}", "{video}"),
    rules={"paper": "careful", "lmms_eval": "lmms_eval_capital_or_first"},
    by={"task": lambda s: s.task},
    hub="yale-nlp/TOMATO",
    source="yale-nlp/TOMATO@fe2025f data/*.json",
    prompt_source=f"{LMMS_EVAL}tomato",
)
