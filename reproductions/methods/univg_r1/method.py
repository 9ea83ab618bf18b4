"""UniVG-R1 lets hard groups count more: the advantages grow with one minus the group's mean IoU.

Paper: UniVG-R1, arXiv 2505.14231.
Catalog: univg_r1
Baseline: grpo
Delta: rewards pay the IoU of a region; advantages are GRPO's times exp(1 - mean IoU of the group).
Not reproduced: the official code's mean over all devices (here: over the groups of one), its boxes
    on inclusive pixels, and the two other weights it offers.
"""

from statistics import fmean
from typing import Any

from reproductions.shared.method import Context, Group, Method
from reproductions.shared.rewards.advantages import difficulty_weight, group_relative
from reproductions.shared.rewards.boxes import parse_boxes, track_iou
from reproductions.shared.rewards.intervals import parse_to, tiou
from reproductions.shared.rewards.rules import format_reward
from reproductions.shared.rewards.tags import extract_tag, text_of

WEIGHT = "exp"  # official scripts @44868ea: exp(1 - m); the code also offers -log and a power


def region_iou(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """IoU of the region in the answer, in [0, 1]: boxes where the gold is boxes, else a span."""
    return [
        _iou(extract_tag(text_of(c)), str(gold))
        for c, gold in zip(completions, columns["solution"], strict=True)
    ]


def _iou(answer: str, gold: str) -> float:
    if gold.lstrip().startswith("["):
        boxes, wanted = parse_boxes(answer), parse_boxes(gold)
        return min(1.0, max(0.0, track_iou(boxes, wanted))) if boxes and wanted else 0.0
    span, true = parse_to(answer[:2000]), parse_to(gold)
    return tiou(span, true) if span and true else 0.0


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
    rewards=(region_iou, format_reward("time_r1")),
    advantages=advantages,
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
