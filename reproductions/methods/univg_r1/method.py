"""UniVG-R1 lets hard groups count more: the advantages grow with one minus the group's mean IoU.

Paper: UniVG-R1, arXiv 2505.14231.
Catalog: univg_r1
Baseline: grpo
Delta: rewards pay the IoU of a region; shape_rewards normalises a group and multiplies it by
    exp(1 - mean IoU); advantages takes that as it is.
Not reproduced: the mean over all devices of the official code (here: of the group), its boxes on
    inclusive pixels, and the two other weights it offers.
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


def shape_rewards(group: Group, context: Context) -> list[float]:
    """The weighted advantages themselves: the normalisation must come before the weight.

    A weight on the rewards would cancel in (r - mean) / std, and the `advantages` hook does not see
    the IoU. The weight acts on the policy term alone: the KL term is TRL's and stays as it is.
    """
    overlap, form = group.scores["region_iou"], group.scores["format"]
    weight = difficulty_weight(fmean(overlap), WEIGHT)
    totals = [i + f for i, f in zip(overlap, form, strict=True)]
    return [weight * a for a in group_relative(totals)]


def advantages(rewards: list[float], context: Context) -> list[float]:
    """What `shape_rewards` made, unchanged."""
    return list(rewards)


METHOD = Method(
    id="univg_r1",
    baseline="grpo",
    rewards=(region_iou, format_reward("time_r1")),
    shape_rewards=shape_rewards,
    advantages=advantages,
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
