"""VideoQA-SC learns to write evidence with places and times first, then to answer from it.

Paper: VideoEspresso, arXiv 2411.14794: framework VideoQA-SC and its two-stage fine-tuning.
Catalog: videoqa_sc
Baseline: sft
Delta: stages are evidence and answer; prepare_data asks the first for evidence alone;
    format_target writes the core frames' objects with time and box; loss_mask counts only the
    answer once there is one, so the second stage learns to answer from evidence.
Not reproduced: the frame selector (a captioner and a small language model that pick the core
    frames; the model sees all sampled frames here) and the second call at test time (evidence and
    answer are written in one go).
"""

from dataclasses import replace
from typing import Any

from reproductions.shared.method import Context, Method, Sample, Stage
from reproductions.shared.prompts import think_then_answer

TENTHS = 10  # our choice: boxes in tenths of the frame, short enough for a small model


def core_frames(event: dict[str, Any], alone: bool) -> list[list[float]]:
    """[t, x0, y0, x1, y1] where an event starts and, if it is the only one, where it ends."""
    boxes: list[list[float]] = event["boxes"]
    return [boxes[0], boxes[-1]] if alone and len(boxes) > 1 else boxes[:1]


def evidence(sample: Sample) -> str:
    """Time, object and box of each core frame, in order of time; else the given rationale."""
    if "events" not in sample.meta:
        return sample.rationale
    events = [e for e in sample.meta["events"] if not e.get("distractor")]
    seen = sorted(
        (time, event["object"], box)
        for event in events
        for time, *box in core_frames(event, alone=len(events) == 1)
    )
    lines = [
        " ".join([f"{time:.1f}s", name, *(str(round(TENTHS * edge)) for edge in box)])
        for time, name, box in seen
    ]
    return "; ".join(lines) or "none"


def prepare_data(samples: list[Sample], context: Context) -> list[Sample]:
    """In the first stage samples that ask for evidence alone, in the second as they are."""
    if context.stage != "evidence":
        return samples
    return [replace(s, meta={**s.meta, "evidence_only": True}) for s in samples]


def format_target(sample: Sample) -> str:
    """The evidence in think tags, and the answer unless the stage is about evidence alone."""
    thought = f"<think>{evidence(sample)}</think>"
    if sample.meta.get("evidence_only"):
        return thought
    return f"{thought}<answer>{sample.answer}</answer>"


def loss_mask(target: str) -> list[tuple[int, int]]:
    """All of the evidence in the first stage, the answer alone in the second."""
    return [(max(0, target.find("<answer>")), len(target))]


METHOD = Method(
    id="videoqa_sc",
    baseline="sft",
    stages=(Stage("evidence", "sft"), Stage("answer", "sft")),
    prepare_data=prepare_data,
    prompt=think_then_answer,
    format_target=format_target,
    loss_mask=loss_mask,
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
