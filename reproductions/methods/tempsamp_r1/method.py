"""TempSamp-R1 puts the annotated span into the group as an answer, and tempers its reward.

Paper: TempSamp-R1, arXiv 2509.18056, Sec. 3.2.
Catalog: tempsamp_r1
Baseline: grpo
Delta: build_group samples G - 1 answers and adds the annotation; rewards grade spans; shape_rewards
    compresses high overlaps and spreads low ones before the advantages are formed.
Not reproduced: the epoch without reasoning before the one with it (so one model for both modes),
    the highlight task, and the two alternatives to shaping (downscaling, anchoring).
"""

import math

from reproductions.shared.method import Context, Group, Method, Rollouts, Sample
from reproductions.shared.rewards.rules import format_reward, temporal_iou

THRESHOLD = 0.8  # tau, Eq. 4
COMPRESSION = 0.01  # alpha_1, Eq. 4
EXPANSION = 1.0  # alpha_2, Eq. 4


def annotation(sample: Sample) -> str:
    """The annotated span as an answer, after the reference reasoning where there is one.

    The paper does not print the off-policy text; reasoning keeps it in the form that is rewarded.
    """
    answer = f"<answer>{sample.answer}</answer>"
    return f"<think>{sample.rationale}</think>{answer}" if sample.rationale else answer


def build_group(sample: Sample, context: Context) -> list[Rollouts]:
    """G - 1 sampled answers and the annotation (Sec. 3.2, mix-policy sampling)."""
    return [Rollouts(context.num_generations - 1, given=(annotation(sample),))]


def shaped(reward: float) -> float:
    """Eq. 4: logarithm above the threshold, exponential below it; continuous at the threshold."""
    if reward >= THRESHOLD:
        return THRESHOLD + COMPRESSION * math.log(reward - THRESHOLD + 1)
    return THRESHOLD - math.expm1(EXPANSION * (THRESHOLD - reward)) / math.expm1(EXPANSION)


def shape_rewards(group: Group, context: Context) -> list[float]:
    """Shaped overlap plus format; Eq. 2's normalisation over all G answers follows.

    Only the overlap is shaped: the threshold is one of an IoU, and the format reward is 0 or 1.
    """
    overlap, form = group.scores["temporal_iou"], group.scores["format"]
    return [shaped(r) + f for r, f in zip(overlap, form, strict=True)]


METHOD = Method(
    id="tempsamp_r1",
    baseline="grpo",
    build_group=build_group,
    rewards=(temporal_iou(), format_reward("time_r1")),
    shape_rewards=shape_rewards,
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
