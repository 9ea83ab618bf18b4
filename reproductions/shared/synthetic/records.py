"""Published record formats, written from synthetic samples, so that real readers can be tested.

Each function takes samples of `dataset.build` and returns JSON-ready data. Video paths are relative
to `root`, the folder that was built. Fields were seen in the named source unless a docstring says
"assumed"; what the world has no counterpart for (subjects, domains) holds a valid stand-in.

Asking for a format that cannot hold a sample (an interval in a multiple-choice benchmark) raises
`ValueError`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from reproductions.shared.method import Sample

Record = dict[str, Any]


def video_r1(sample: Sample, root: str | Path) -> Record:
    """Video-R1-260k / Video-R1-COT-165k record, plus our keys `task`, `meta` and `subtitles`.

    Fields as Video-R1's code reads them (tulerfeng/Video-R1 @ 59d65c3, src/r1-v): `problem_id`,
    `problem`, `data_type`, `problem_type`, `options`, `solution` in answer tags, `path` starting
    with "./", and for the SFT set `process` in think tags.
    """
    meta = dict(sample.meta)
    subtitles = meta.pop("subtitles", None)
    record: Record = {
        "problem_id": sample.id,
        "problem": sample.question,
        "data_type": "video",
        "problem_type": sample.problem_type,
        "options": list(sample.options),
        "solution": f"<answer>{sample.answer}</answer>",
        "path": f"./{_relative(sample, root)}",
        "task": sample.task,
        "meta": meta,
    }
    if sample.rationale:
        record["process"] = f"<think>{sample.rationale}</think>"
    if subtitles:
        record["subtitles"] = f"./{Path(subtitles).relative_to(root).as_posix()}"
    return record


def from_video_r1(record: Mapping[str, Any], root: str | Path) -> Sample:
    """The inverse of `video_r1`, for records we wrote; others go through reproductions.datasets."""
    meta = dict(record["meta"])
    if "subtitles" in record:
        meta["subtitles"] = str(Path(root) / record["subtitles"])
    return Sample(
        id=record["problem_id"],
        question=record["problem"],
        answer=record["solution"].removeprefix("<answer>").removesuffix("</answer>"),
        problem_type=record["problem_type"],
        options=tuple(record["options"]),
        video=str(Path(root) / record["path"]),
        rationale=record.get("process", "").removeprefix("<think>").removesuffix("</think>"),
        task=record["task"],
        meta=meta,
    )


def time_r1(sample: Sample, root: str | Path) -> Record:
    """Time-R1 record of temporal grounding (train_2k5.json of xiaomi-research/time-r1 @ 6e92470).

    `difficulty` and `pred` are left out: there they hold a base model's result.
    """
    start, end = _interval(sample)
    return {
        "video": f"./{_relative(sample, root)}",
        "duration": sample.meta["seconds"],
        "timestamp": [start, end],
        "sentence": _sentence(sample),
        "qid": f"my|synthetic|{sample.id}|{_sentence(sample)}",
        "video_start": None,
        "video_end": None,
    }


def charades_sta(sample: Sample) -> str:
    """A line of charades_sta_train.txt: "ID start end##sentence." (assumed form)."""
    start, end = _interval(sample)
    return f"{sample.id} {start} {end}##{_sentence(sample)}."


def videochat_r1(sample: Sample, root: str | Path) -> Record:
    """VideoChat-R1 example of temporal grounding, tracking or grounded QA.

    The form in which OpenGVLab/VideoChat-R1 @ 9041732, src/open_r1/grpo_tasks.py hands examples to
    its trainer. Tracking there lists GOT-10k image files under `video_path`; ours names the mp4.
    Its gold has eight boxes [x0, y0, x1, y1] as fractions of the frame (GOT-10k style), evenly
    spaced over the frames.
    """
    video = _relative(sample, root)
    if sample.problem_type == "tracking":
        (track,) = (e["boxes"] for e in sample.meta["events"] if not e["distractor"])
        boxes = [track[round(i * (len(track) - 1) / 7)][1:] for i in range(8)]
        return {
            "problem": {"object": sample.meta["object"], "start": boxes[0]},
            "solution": {"answer": boxes},
            "video_path": video,
            "durations": 0,
            "data_type": "tracking",
        }
    interval = list(_interval(sample))
    record = {"video_path": video, "durations": sample.meta["seconds"]}
    if sample.problem_type == "temporal grounding":
        problem, solution = _sentence(sample), interval
        return {"problem": problem, "solution": solution, **record, "data_type": "tg"}
    texts = _texts(sample)
    options = [f"({letter}) {text}" for letter, text in texts.items()]
    return {
        "problem": {"question": sample.question, "options": options},
        "solution": {"answer": f"({sample.answer}) {texts[sample.answer]}", "glue": [interval]},
        **record,
        "data_type": "gqa",
    }


def vsi_bench(sample: Sample, root: str | Path) -> Record:
    """VSI-Bench row; the video is {dataset}/{scene_name}.mp4 below the root.

    Columns as in a re-upload of nyu-visionx/VSI-Bench (dataset card Kevius/VSI-Bench-modified) and
    in lmms-eval's vsibench/utils.py. `options` being None for numbers is assumed.
    """
    kinds = {
        "counting_objects": "object_counting",
        "order": "obj_appearance_order",
        "spatial_relation": "object_rel_direction_easy",
    }
    path = PurePosixPath(_relative(sample, root))
    return {
        "id": _number(sample),
        "dataset": str(path.parent),
        "scene_name": path.stem,
        "question_type": _mapped(sample, kinds, "VSI-Bench"),
        "question": sample.question,
        "ground_truth": sample.answer,
        "options": list(sample.options) or None,
    }


MVBENCH_SUBTASKS = {
    "direction": "moving_direction",
    "order": "action_sequence",
    "counting": "action_count",
    "counting_objects": "object_existence",
    "temporal_grounding": "action_localization",
    "reversal": "state_change",
}
"""Task -> the MVBench sub-task (the name of its JSON file) that asks for something alike."""


def mvbench(sample: Sample, root: str | Path) -> Record:
    """MVBench record: `candidates` without letters, `answer` as text (lmms-eval mvbench/utils.py).

    `video` is relative to the sub-task's folder there, to `root` here.
    """
    texts = _texts(sample)
    return {
        "video": _relative(sample, root),
        "question": sample.question,
        "candidates": list(texts.values()),
        "answer": texts[sample.answer],
    }


def video_mme(sample: Sample, root: str | Path) -> Record:
    """Video-MME row; the video is {videoID}.mp4, subtitles {videoID}.srt beside it.

    Columns as lmms-eval's videomme/utils.py reads them; `video_id` and `url` are assumed.
    """
    kinds = {
        "direction": "Action Recognition",
        "order": "Temporal Reasoning",
        "counting": "Counting Problem",
        "counting_objects": "Counting Problem",
        "speed": "Action Reasoning",
        "temporal_grounding": "Temporal Perception",
        "spatial_relation": "Spatial Perception",
        "needle": "Attribute Perception",
        "subtitle_evidence": "Information Synopsis",
        "sound_evidence": "Temporal Perception",
        "reversal": "Action Recognition",
    }
    _texts(sample)
    seconds = sample.meta["seconds"]
    return {
        "video_id": f"{_number(sample):03}",
        "duration": "short" if seconds < 120 else "medium" if seconds < 1800 else "long",
        "domain": "Knowledge",
        "sub_category": "Technology",
        "url": "",
        "videoID": PurePosixPath(_relative(sample, root)).stem,
        "question_id": f"{_number(sample):03}-1",
        "task_type": _mapped(sample, kinds, "Video-MME"),
        "question": sample.question,
        "options": list(sample.options),
        "answer": sample.answer,
    }


def tempcompass(samples: Iterable[Sample], root: str | Path) -> dict[str, Any]:
    """TempCompass multi-choice.json: {video id: {aspect: [{question, answer}]}}.

    Form of llyx97/TempCompass @ 87d5cf3, questions/multi-choice.json: the options stand in the
    question, the answer is the whole option.
    """
    aspects = {
        "direction": "direction",
        "speed": "speed",
        "order": "order",
        "reversal": "attribute_change",
        "counting": "action",
    }
    file: dict[str, Any] = {}
    for sample in samples:
        gold = f"{sample.answer}. {_texts(sample)[sample.answer]}"
        video = PurePosixPath(_relative(sample, root)).stem
        question = "\n".join([sample.question, *sample.options])
        aspect = _mapped(sample, aspects, "TempCompass")
        questions = file.setdefault(video, {}).setdefault(aspect, [])
        questions.append({"question": question, "answer": gold})
    return file


def mmvu(sample: Sample, root: str | Path) -> Record:
    """MMVU record (yale-nlp/MMVU @ 4d54223, data/validation.json); `video` is a path, not a URL."""
    mcq = sample.problem_type == "multiple choice"
    texts = _texts(sample) if mcq else {}
    return {
        "id": sample.id,
        "video": _relative(sample, root),
        "youtube_url": "",
        "question_type": "multiple-choice" if mcq else "open-ended",
        "metadata": {
            "subject": "Computer Science",
            "textbook": "",
            "knowledge": [],
            "rationale": sample.rationale,
        },
        "question": sample.question,
        "choices": {letter: texts.get(letter, "") for letter in "ABCDE"},
        "answer": sample.answer,
    }


def video_mmmu(sample: Sample, root: str | Path) -> Record:
    """Video-MMMU row as lmms-eval's videommmu/utils.py reads it; the video is {id}.mp4.

    Real ids read "validation_<Subject>_<number>"; ours are the file's stem. `question_type` "open"
    is assumed (that code knows "multiple-choice", "perception" and anything else as open).
    """
    mcq = sample.problem_type == "multiple choice"
    return {
        "id": PurePosixPath(_relative(sample, root)).stem,
        "question": sample.question,
        "options": list(_texts(sample).values()) if mcq else [],
        "answer": sample.answer,
        "question_type": "multiple-choice" if mcq else "open",
    }


def write_jsonl(path: str | Path, records: Iterable[Record]) -> Path:
    """Write records as JSON lines; returns the path."""
    path = Path(path)
    lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in records]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def _relative(sample: Sample, root: str | Path) -> str:
    if sample.video is None:
        raise ValueError(f"{sample.id}: has no video. Build it with dataset.build first.")
    return PurePosixPath(Path(sample.video).relative_to(root)).as_posix()


def _texts(sample: Sample) -> dict[str, str]:
    """Letter -> option text of a multiple-choice sample."""
    if sample.problem_type != "multiple choice":
        raise ValueError(
            f"{sample.id}: is {sample.problem_type!r}, this format takes multiple choice alone. "
            "Build with Knobs(question_type='mcq')."
        )
    return dict(option.split(". ", 1) for option in sample.options)


def _interval(sample: Sample) -> tuple[float, float]:
    interval = sample.meta.get("interval")
    if interval is None:
        raise ValueError(f"{sample.id}: has no interval. Use the task temporal_grounding.")
    return interval[0], interval[1]


def _sentence(sample: Sample) -> str:
    """The event as a statement in lower case, as grounding sets have it."""
    (event,) = (e for e in sample.meta["events"] if not e["distractor"])
    return f"{event['object']} appears"


def _mapped(sample: Sample, names: Mapping[str, str], form: str) -> str:
    if sample.task not in names:
        raise ValueError(
            f"{sample.id}: {form} has nothing like {sample.task!r}. "
            f"Choose one of {', '.join(names)}."
        )
    return names[sample.task]


def _number(sample: Sample) -> int:
    return int(sample.id.rsplit("-", 1)[1])
