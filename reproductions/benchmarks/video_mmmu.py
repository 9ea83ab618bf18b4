"""Video-MMMU: three questions on each lecture, on perception, comprehension and transfer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import ask, listed, mcq
from reproductions.benchmarks._open import MIXED
from reproductions.shared.method import Sample

LEAD = "You should watch and learn the video content. Then apply what you learned to "


def _prompt(sample: Sample) -> str:
    if sample.task == "Adaptation":
        end = "The image for this question is at the end of the video.\n"
        if sample.options:
            return (
                f"{LEAD}answer the following multi-choice question. {end}{sample.question}\n"
                f"{ask(sample)}"
            )
        return f"{LEAD}answer the following open-ended question. {end}{sample.question}"
    return (
        f"{sample.question}\n{ask(sample)}\nPlease ignore the Quiz question in last frame of the "
        "video."
    )


def _sample(record: Mapping[str, Any]) -> Sample:
    task = str(record.get("track") or record["_folder"]).capitalize()
    subject = "_".join(str(record["id"]).split("_")[1:-1])
    facts: dict[str, Any] = {"video": str(record["id"]), "task": task}
    if record.get("question_type") in (None, "multiple-choice", "perception", "comprehension") and (
        record.get("options")
    ):
        name = f"{task.lower()}-{record['id']}"
        return mcq(
            name, record["question"], listed(record["options"]), letter=record["answer"],
            subject=subject, **facts,
        )  # fmt: skip
    return Sample(
        f"{task.lower()}-{record['id']}", record["question"], str(record["answer"]), "free-form",
        meta={"subject": subject}, **facts,
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="video_mmmu",
    metrics=("accuracy", "knowledge_gain"),
    shape=MIXED,
    sample=_sample,
    prompt=_prompt,
    splits={
        "all": Split(("*/test-*.parquet",), 900),
        **{
            name: Split((f"{name.capitalize()}/test-*.parquet",), 300)
            for name in ("perception", "comprehension", "adaptation")
        },
    },
    videos=(
        "{video}.mp4",
        "videos/{video}.mp4",
        "Art/{video}.mp4",
        "Business/{video}.mp4",
        "Humanities/{video}.mp4",
        "Medicine/{video}.mp4",
        "Science/{video}.mp4",
        "Engineering/{video}.mp4",
    ),
    rules={
        "paper": "lmms_eval_videommmu",
        "lmms_eval": "lmms_eval_videommmu",
        "vlmevalkit": "vlmevalkit_videommmu",
    },
    by={"track": lambda s: s.task},
    hub="lmms-lab/VideoMMMU",
    source=f"{LMMS_EVAL}videommmu",
)
