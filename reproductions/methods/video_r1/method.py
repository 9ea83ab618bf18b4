"""Video-R1 pays a bonus for right answers where the order of the frames did no harm.

Paper: Video-R1: Reinforcing Video Reasoning in MLLMs, arXiv 2503.21776, Sec. 3.
Catalog: video_r1
Baseline: grpo
Delta: build_group adds G/2 answers on shuffled frames; shape_rewards adds the temporal and length
    bonuses to right answers.
Not reproduced: the fixed stand-in video of the official code for files that cannot be read (they
    are quarantined here), its changed time positions in the loss pass (a fault), the bound of 10 on
    the log-ratio of its KL term, and the prompt's call for self-reflection.
"""

from statistics import fmean

from reproductions.shared.method import Context, Group, Method, Rollouts, Sample
from reproductions.shared.rewards import advantages
from reproductions.shared.rewards.length import length_window

TEMPORAL_BONUS = 0.3  # alpha, Sec. 3.2, Eq. 1
RIGHT = 0.5  # Sec. 3.2, the paper's example: accuracy above this counts as right
OFFICIAL_RIGHT = 0.1  # official code @59d65c3, grpo_trainer.py, likewise
OFFICIAL_MARGIN = 0.8  # official code @59d65c3: ordered >= 0.8 x shuffled passes
LENGTH_BONUS, SHORTEST, LONGEST = 0.2, 320, 512  # omega, l_min, l_max, Sec. 3.3, Eq. 5
OFFICIAL_FEWEST = 2  # official code @59d65c3: right answers a group needs for the length bonus


def build_group(sample: Sample, context: Context) -> list[Rollouts]:
    """G answers on the video as it is and G/2 untrained ones on shuffled frames (Sec. 3.2)."""
    n = context.num_generations
    if sample.video is None:
        return [Rollouts(n)]

    def shuffled(frames: int) -> list[int]:
        return context.rng.sample(range(frames), frames)

    return [Rollouts(n), Rollouts(n // 2, view="shuffled", frames=shuffled, trained=False)]


def order_helped(ordered: list[float], shuffled: list[float], context: Context) -> bool:
    """Whether answers on ordered frames are right as often (Eq. 1: shares of right answers).

    The official code compares mean accuracies, and asks for 0.8 of the other.
    """
    if context.variant == "official_code":
        return advantages.order_helped(ordered, shuffled, OFFICIAL_MARGIN)
    return fmean(a > RIGHT for a in ordered) >= fmean(a > RIGHT for a in shuffled)


def shape_rewards(group: Group, context: Context) -> list[float]:
    """Accuracy + format, plus the temporal and the length bonus for right answers."""
    official = context.variant == "official_code"
    right, fewest = (OFFICIAL_RIGHT, OFFICIAL_FEWEST) if official else (RIGHT, 1)
    rows = group.where("ordered")
    accuracy = [group.scores["accuracy"][i] for i in rows]
    total = [accuracy[k] + group.scores["format"][i] for k, i in enumerate(rows)]
    shuffled = [group.scores["accuracy"][i] for i in group.where("shuffled")]
    if shuffled and order_helped(accuracy, shuffled, context):
        total = [t + TEMPORAL_BONUS * (a > right) for t, a in zip(total, accuracy, strict=True)]
    lengths = [group.lengths[i] for i in rows]
    window = {"low": SHORTEST, "high": LONGEST, "floor": right, "min_correct": fewest}
    bonus = length_window(lengths, accuracy, bonus=LENGTH_BONUS, **window)
    return [t + b for t, b in zip(total, bonus, strict=True)]


METHOD = Method(
    id="video_r1", baseline="grpo", build_group=build_group, shape_rewards=shape_rewards
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
