"""TinyLLaVA-Video-R1 adds the format reward to right answers and takes it from wrong ones.

Paper: TinyLLaVA-Video-R1, arXiv 2504.09641.
Catalog: tinyllava_video_r1
Baseline: grpo
Delta: rewards grow with the length of the thought; shape_rewards signs them by the answer;
    advantages carry a little noise, so that groups of equal rewards still move.
Not reproduced: its own architecture (Qwen2.5-3B with SigLIP and a group resampler), math_verify.
"""

from reproductions.shared.method import Context, Group, Method
from reproductions.shared.rewards.advantages import group_relative, signed_format
from reproductions.shared.rewards.rules import accuracy, format_reward

NOISE = 0.02  # standard deviation, Sec. 3.2
WORST = -2.0  # -(r0 + r1 + r2), Sec. 3.4, Eq. 4: malformed; official train.py @efe76a1: and wrong


def shape_rewards(group: Group, context: Context) -> list[float]:
    """Right: 1 + format; wrong: -format, so that a long wrong thought costs most; malformed: -2.

    The format reward lies in [0.5, 1] and is 1 from 1,200 characters of thought (train.py). In the
    official code a right answer in a wrong form keeps its 1.
    """
    pairs = zip(group.scores["accuracy"], group.scores["format"], strict=True)
    official = context.variant == "official_code"
    return [signed_format(a, f, empty=WORST) if f or official else WORST for a, f in pairs]


def advantages(group: Group, context: Context) -> list[float]:
    """GRPO's advantages plus Gaussian noise, drawn anew for each answer."""
    return [a + context.rng.gauss(0.0, NOISE) for a in group_relative(group.totals)]


METHOD = Method(
    id="tinyllava_video_r1",
    baseline="grpo",
    rewards=(accuracy("tinyllava_video_r1"), format_reward("tinyllava_video_r1")),
    shape_rewards=shape_rewards,
    advantages=advantages,
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
