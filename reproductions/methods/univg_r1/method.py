"""UniVG-R1 lets hard groups count more: the advantages grow with one minus the group's mean IoU.

Paper: UniVG-R1, arXiv 2505.14231.
Catalog: univg_r1
Baseline: grpo
Delta: rewards pay the IoU of a region and its form; prompt asks for a box in the published grammar;
    advantages are GRPO's times exp(1 - mean IoU of the group).
Not reproduced: the official code's mean over all devices (here: over the groups of one), and the
    two other weights it offers. Spans and lists of boxes, which its data have not, are paid too.
"""

from statistics import fmean
from typing import Any

from reproductions.shared.method import Context, Group, Method, Sample
from reproductions.shared.prompts import question, think_then_answer
from reproductions.shared.rewards.advantages import difficulty_weight, group_relative
from reproductions.shared.rewards.boxes import parse_region, pixel_iou, track_iou
from reproductions.shared.rewards.intervals import parse_to, tiou
from reproductions.shared.rewards.rules import FORMATS, answer_of, is_official
from reproductions.shared.rewards.tags import is_sequence, text_of

WEIGHT = "exp"  # official scripts @44868ea: exp(1 - m); the code also offers -log and a power


def prompt(sample: Sample) -> str:
    """Where the gold is a box in the published grammar, (x0,y0),(x1,y1), it is asked for so."""
    if not sample.answer.startswith("("):
        return think_then_answer(sample)
    ask = "Think first, in <think> </think>. Then answer in <answer> </answer>: the box as"
    return f"{question(sample)}\n{ask} (x0,y0),(x1,y1)."


def region_iou(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """IoU of the region in the answer, in [0, 1]: boxes where the gold is boxes, else a span.

    The official code counts inclusive pixels, so that thin boxes never overlap.
    """
    exact = is_official(columns)
    return [
        _iou(answer_of(text_of(c)), str(gold), exact)
        for c, gold in zip(completions, columns["solution"], strict=True)
    ]


def _iou(answer: str, gold: str, exact: bool) -> float:
    boxes, wanted = parse_region(answer), parse_region(gold)
    if wanted:
        if exact and boxes and len(wanted) == len(boxes) == 1:
            return min(1.0, max(0.0, pixel_iou(boxes[0], wanted[0])))
        return min(1.0, max(0.0, track_iou(boxes, wanted))) if boxes else 0.0
    span, true = parse_to(answer), parse_to(gold)
    return tiou(span, true) if span and true else 0.0


def form(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """1 for thought and answer in tags, the answer a box where the gold is one; text may precede.

    For spans nothing may stand outside of the tags (Time-R1's rule).
    """
    return [
        _form(text_of(c), bool(parse_region(str(gold))))
        for c, gold in zip(completions, columns["solution"], strict=True)
    ]


def _form(text: str, box: bool) -> float:
    if not box:
        return FORMATS["time_r1"](text)
    return float(is_sequence(text, anchor="suffix") and bool(parse_region(answer_of(text))))


def advantages(group: Group, context: Context) -> list[float]:
    """GRPO's advantages times the weight; the KL term stays as it is.

    A weight on the rewards instead would cancel in (r - mean) / std. The mean IoU is the group's
    own, in the official code that of all groups of the batch.
    """
    groups = group.batch if context.variant == "official_code" else [group]
    mean = fmean(x for each in groups for x in each.scores["region_iou"])
    weight = difficulty_weight(mean, WEIGHT)
    return [weight * a for a in group_relative(group.totals)]


METHOD = Method(
    id="univg_r1",
    baseline="grpo",
    prompt=prompt,
    rewards=(region_iou, form),
    advantages=advantages,
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
