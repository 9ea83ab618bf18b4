"""Video-MME-v2: groups of four eight-way questions a video, scored together and not one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Graded, Number, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq, split_options
from reproductions.metrics.accuracy import CHAINS, nonlinear_group_score
from reproductions.shared.method import Sample


def _groups(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    """Mean score of the groups; {} where a log does not hold whole groups."""
    groups: dict[str, list[tuple[str, bool, str]]] = {}
    for sample, answer in zip(samples, graded, strict=True):
        name, _, turn = sample.id.rpartition("-")
        structure = str(sample.meta.get("structure", ""))
        right = answer.values["accuracy"] >= 1
        groups.setdefault(name, []).append((turn, right, structure))
    if not groups or any(len(g) != 4 or g[0][2] not in ("", *CHAINS) for g in groups.values()):
        return {}
    scores = [nonlinear_group_score([r for _, r, _ in sorted(g)], g[0][2]) for g in groups.values()]
    return {"group score": Number(sum(scores) / len(scores), len(scores), unit="groups")}


def _sample(record: Mapping[str, Any]) -> Sample:
    options = record["options"]
    options = split_options("?\n" + options)[1] if isinstance(options, str) else options
    structure = record["group_structure"] if record["group_type"] == "logic" else ""
    return mcq(
        record["question_id"], record["question"], options, letter=record["answer"],
        video=str(record["video_id"]), task=str(record.get("second_head") or ""),
        level=str(record.get("level", "")), structure=str(structure), kind=record["group_type"],
    )  # fmt: skip


def _prompt(sample: Sample) -> str:
    told = (
        f"This video's subtitles are listed below:\n{sample.meta['subtitle_text']}\n"
        if "subtitle_text" in sample.meta
        else ""
    )
    return (
        f"These are the frames of a video.\n{told}Select the best answer to the following "
        "multiple-choice question based on the video.\nRespond with only the letter (A, B, C, D, "
        f"E, F, G, or H) of the correct option.\nQuestion: {sample.question}\n{ask(sample)}"
    )


BENCHMARK = Benchmark(
    id="video_mme_v2",
    metrics=("nonlinear_group_score", "accuracy"),
    shape=CHOICE,
    sample=_sample,
    prompt=_prompt,
    splits={"test": Split(("test.parquet", "**/test-*.parquet"), 3200)},
    videos=("{video}.mp4", "videos/{video}.mp4"),
    rules={"paper": "lmms_eval_mme_v2", "lmms_eval": "lmms_eval_mme_v2"},
    by={
        "level": lambda s: str(s.meta.get("level", "")),
        "group": lambda s: str(s.meta.get("kind", "")),
        "task": lambda s: s.task,
    },
    totals=_groups,
    hub="MME-Benchmarks/Video-MME-v2",
    subtitles=("subtitle/{video}.jsonl", "subtitles/{video}.jsonl"),
    license="academic research only",
    source=f"MME-Benchmarks/Video-MME-v2@b24176a README; {LMMS_EVAL}videomme_v2",
)
