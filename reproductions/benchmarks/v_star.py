"""V-STaR: what, when and where, each asked alone so that the three can be joined.

The published chains are what-when-where and what-where-when: the second shows the boxes without
their times ("when_2") and does not tell the moment ("where_2").
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._boxes import TUBE
from reproductions.benchmarks._open import OPEN
from reproductions.benchmarks._spans import SPAN, moment
from reproductions.shared.method import Sample


def _facts(record: Mapping[str, Any]) -> dict[str, Any]:
    corners = [[b["xmin"], b["ymin"], b["xmax"], b["ymax"]] for b in record["bboxes"]]
    return {
        "seconds": round(record["frame_count"] / record["fps"], 2), "shown": corners,
        "size": f"{record['width']}x{record['height']}",
    }  # fmt: skip


def _when(record: Mapping[str, Any]) -> Sample:
    return moment(
        record["vid"], record["temporal_question"], [record["timestamps"]], video=record["vid"],
        task=record["domain"], **_facts(record),
    )  # fmt: skip


def _what(record: Mapping[str, Any]) -> Sample:
    return Sample(
        str(record["vid"]), record["question"], record["answer"], "free-form",
        video=str(record["vid"]), task=record["domain"],
    )  # fmt: skip


def _where(question: str) -> Callable[[Mapping[str, Any]], Sample]:
    def sample(record: Mapping[str, Any]) -> Sample:
        boxes = {
            # Keys as `tube_of` makes them from times.
            str(int(t) if float(t).is_integer() else round(float(t), 2)): [
                b["xmin"], b["ymin"], b["xmax"], b["ymax"]
            ]
            for b in record["bboxes"]
            for t in [b["timestamp"]]
        }  # fmt: skip
        start, end = record["timestamps"]
        return Sample(
            str(record["vid"]), record[question], json.dumps(boxes), "boxes",
            video=str(record["vid"]), task=record["domain"],
            meta={
                "boxes": "corners", "times": list(range(math.ceil(start), math.floor(end) + 1)),
                **_facts(record),
            },
        )  # fmt: skip

    return sample


# The published texts without the blanks that indent them in the source.
_AS_BOXES = (
    "Please answer the question about the video: {} with a series of bounding boxes in "
    "[x1, y1, x2, y2] format. \n\n"
)


def _ask_where(sample: Sample) -> str:
    times = sample.meta["times"]
    first = times[0] if times else 0
    return (
        _AS_BOXES.format(sample.question)
        + f"For each whole second within the time range {times} provided (inclusive of the "
        "boundaries), output a series of bounding boxes of the object in JSON format. The keys "
        "should be the whole seconds (as strings), and the values should be the box in "
        f'[x1, y1, x2, y2] format.\nExample output: {{"{first}": [x1, y1, x2, y2],...}}\n'
    )


def _ask_where_2(sample: Sample) -> str:
    n = len(sample.meta["shown"])
    return (
        _AS_BOXES.format(sample.question)
        + "For each whole second that may related to the question, output a series of bounding "
        f"boxes of the object in JSON format. You only need to output {n} bbox(es). You need to "
        "determine which frame is related to the question, and you don't need to output the bbox "
        "for the frames not related to the question.\nThe keys should be the whole seconds (as "
        "strings), and the values should be the bounding box in [x0,y0,x1,y1] format. \n\n "
        f'Example output:\n{{"0": [x0,y0,x1,y1], "1":..., ..., "{n}":...}} (if the frames at '
        f"0~{n} second are related to the questions)\n"
    )


def _benchmark(**rest: Any) -> Benchmark:
    return Benchmark(
        id="v_star",
        splits={"test": Split(("V_STaR_test.json", "data/V_STaR_test.json"), 2094)},
        videos=("{video}.mp4", "videos/{video}.mp4", "{video}"),
        by={"domain": lambda s: s.task},
        hub="V-STaR-Bench/V-STaR",
        source="V-STaR-Bench/V-STaR@1894682 data/README.md and eval.py",
        prompt_source="V-STaR-Bench/V-STaR@1894682 inference_demo.py",
        **rest,
    )


_WHEN: dict[str, Any] = {
    "metrics": ("miou", "recall_at_iou", "v_iou", "ap_v_iou", "v_star_am", "v_star_lgm"),
    "shape": SPAN,
    "sample": _when,
    "rules": {"paper": "v_star"},
}
_WHERE: dict[str, Any] = {
    "metrics": ("v_iou", "ap_v_iou"),
    "shape": TUBE,
    "rules": {"paper": "v_star"},
}
BENCHMARK = _benchmark(
    prompt=lambda s: (
        f"This video is {s.meta['seconds']} seconds long. Answer the question about the video: "
        f"{s.question} \n Output the start and end moment timestamps."
    ),
    variants={
        "what": _benchmark(
            metrics=("judge_accuracy", "judge_score_3"),
            shape=OPEN,
            sample=_what,
            prompt=lambda s: (
                f"Answer the question about the video: {s.question} \n (If the answer is a person, "
                "you don't need to identify the person.)"
            ),
            rules={"paper": "judge_3_right_from_2"},
        ),
        "where": _benchmark(sample=_where("spatial_question"), prompt=_ask_where, **_WHERE),
        "when_2": _benchmark(
            prompt=lambda s: (
                f"This video is {s.meta['seconds']} seconds long with a resolution of "
                f"{s.meta['size']} (width x height). Answer the question about the video: "
                f"{s.question} \n There are {len(s.meta['shown'])} bounding boxes of the key "
                "object related to the question in the video without knowing the time, which are:"
                f"{s.meta['shown']}. Output the start and end moment timestamps."
            ),
            **_WHEN,
        ),
        "where_2": _benchmark(sample=_where("spatial_question_2"), prompt=_ask_where_2, **_WHERE),
    },
    **_WHEN,
)
