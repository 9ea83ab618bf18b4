"""MVBench: twenty short temporal tasks, each with 200 questions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq, over_tasks
from reproductions.shared.method import Sample

FOLDERS = {
    "action_sequence": "star/Charades_v1_480",
    "action_prediction": "star/Charades_v1_480",
    "action_antonym": "ssv2_video",
    "fine_grained_action": "Moments_in_Time_Raw/videos",
    "unexpected_action": "FunQA_test/test",
    "object_existence": "clevrer/video_validation",
    "object_interaction": "star/Charades_v1_480",
    "object_shuffle": "perception/videos",
    "moving_direction": "clevrer/video_validation",
    "action_localization": "sta/sta_video",
    "scene_transition": "scene_qa/video",
    "action_count": "perception/videos",
    "moving_count": "clevrer/video_validation",
    "moving_attribute": "clevrer/video_validation",
    "state_change": "perception/videos",
    "fine_grained_pose": "nturgbd",
    "character_order": "perception/videos",
    "egocentric_navigation": "vlnqa",
    "episodic_reasoning": "tvqa/frames_fps3_hq",
    "counterfactual_inference": "clevrer/video_validation",
}


def _sample(record: Mapping[str, Any]) -> Sample:
    task = record["_file"]
    return mcq(
        f"{task}-{record['_place']}",
        record["question"],
        record["candidates"],
        text=record["answer"],
        video=f"{FOLDERS.get(task, task)}/{record['video']}",
        task=task,
        start=record.get("start"),
        end=record.get("end"),
    )


def _prompt(sample: Sample) -> str:
    options = ask(sample, option="({letter}) {text}\n", join="")
    return f"Question:{sample.question}\nOption:\n{options}Only give the best option.\n"


BENCHMARK = Benchmark(
    id="mvbench",
    metrics=("macro_accuracy", "accuracy"),
    shape=CHOICE,
    sample=_sample,
    prompt=_prompt,
    splits={"test": Split(("json/*.json", *(f"{name}.json" for name in FOLDERS)), 4000)},
    videos=("video/{video}", "{video}"),
    rules={
        "paper": "lmms_eval_2025",
        "lmms_eval": "lmms_eval_mvbench",
        "vlmevalkit": "vlmevalkit_mvbench",
    },
    by={"task": lambda s: s.task},
    totals=over_tasks,
    hub="OpenGVLab/MVBench",
    license="MIT",
    source=f"OpenGVLab/MVBench json/*.json (hub card); {LMMS_EVAL}mvbench",
)
