"""CinePile: five-way questions on movie scenes, with their subtitles in the prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq
from reproductions.shared.method import Sample

_LEAD = (
    "You will be provided with subtitles from a specific scene of a movie and all the video frames "
    "from that scene. After going through the movie scene and seeing the frames, please answer the "
    "question that follows. The question will have five possible answers labeled A, B, C, D, "
    "and E, "
    "please try to provide the most probable answer in your opinion. Your output should be "
    "just one "
    "of A,B,C,D,E and nothing else.\n**Output Format:**\n\t**Answer:** <Option_key>"
)


def _prompt(sample: Sample) -> str:
    options = ask(sample, option="- {letter}) {text}")
    return (
        f"{_LEAD}\n\n**Subtitles:**\n{sample.meta.get('subtitle_text', '')}\n\n"
        f"Question: {sample.question}\n\n{options}\nNote: Follow the output format strictly. Only "
        "answer with the option key (A, B, C, D, E) and nothing else."
    )


def _sample(record: Mapping[str, Any]) -> Sample:
    return mcq(
        record.get("question_id", f"{record['videoID']}-{record['_place']}"), record["question"],
        record["choices"], index=record["answer_key_position"], video=record["videoID"],
        task=record["question_category"], subtitle_text=record.get("subtitles"),
        hard=str(record.get("hard_split", "")),
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="cinepile",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=_prompt,
    splits={"test": Split(("**/test-*.parquet",))},
    videos=("{video}.mp4", "yt_videos/{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "careful", "lmms_eval": "lmms_eval_cinepile"},
    by={"category": lambda s: s.task, "hard": lambda s: str(s.meta.get("hard", ""))},
    hub="tomg-group-umd/cinepile",
    source=f"{LMMS_EVAL}cinepile",
)
