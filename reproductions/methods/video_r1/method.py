"""Video-R1 pays a bonus for right answers only where the order of the frames helped.

Paper: Video-R1: Reinforcing Video Reasoning in MLLMs, arXiv 2503.21776, Sec. 3.
Catalog: video_r1
Baseline: grpo
Delta: build_group adds G/2 answers on shuffled frames; shape_rewards adds the temporal and length
    bonuses to right answers.
Not reproduced: the fixed stand-in video of the official code for files that cannot be read (they
    are quarantined here) and its changed time positions in the loss pass (a fault).
"""

from statistics import fmean

from reproductions.shared.method import Context, Group, Method, Rollouts, Sample
from reproductions.shared.rewards.length import length_window

TEMPORAL_BONUS = 0.3  # alpha, Sec. 3.2, Eq. 1
RIGHT = 0.1  # official code @59d65c3, grpo_trainer.py: accuracy above this counts as right
OFFICIAL_MARGIN = 0.8  # official code @59d65c3: ordered >= 0.8 x shuffled passes
LENGTH_BONUS, SHORTEST, LONGEST = 0.2, 320, 512  # omega, l_min, l_max, Sec. 3.3


def build_group(sample: Sample, context: Context) -> list[Rollouts]:
    """G answers on the video as it is and G/2 untrained ones on shuffled frames (Sec. 3.2)."""
    n = context.num_generations
    if sample.video is None:
        return [Rollouts(n)]

    def shuffled(frames: int) -> list[int]:
        return context.rng.sample(range(frames), frames)

    return [Rollouts(n), Rollouts(n // 2, view="shuffled", frames=shuffled, trained=False)]


def order_helped(ordered: list[float], shuffled: list[float], context: Context) -> bool:
    """Whether answers on ordered frames are right more often (Eq. 1, or the official rule)."""
    if context.variant == "official_code":
        return fmean(ordered) >= OFFICIAL_MARGIN * fmean(shuffled)
    return fmean(ordered) > fmean(shuffled)


def shape_rewards(group: Group, context: Context) -> list[float]:
    """Accuracy + format, plus the temporal and the length bonus for right answers."""
    rows = group.where("ordered")
    accuracy = [group.scores["accuracy"][i] for i in rows]
    total = [accuracy[k] + group.scores["format"][i] for k, i in enumerate(rows)]
    shuffled = [group.scores["accuracy"][i] for i in group.where("shuffled")]
    if shuffled and order_helped(accuracy, shuffled, context):
        total = [t + TEMPORAL_BONUS * (a > RIGHT) for t, a in zip(total, accuracy, strict=True)]
    lengths = [group.lengths[i] for i in rows]
    bonus = length_window(
        lengths, accuracy, low=SHORTEST, high=LONGEST, bonus=LENGTH_BONUS, floor=RIGHT
    )
    return [t + b for t, b in zip(total, bonus, strict=True)]


METHOD = Method(
    id="video_r1", baseline="grpo", build_group=build_group, shape_rewards=shape_rewards
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
