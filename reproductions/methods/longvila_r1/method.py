"""LongVILA-R1 carries plain GRPO to videos of an hour; its rewards, and DAPO's beside them.

Paper: LongVILA-R1, arXiv 2507.07966.
Catalog: longvila_r1
Baseline: grpo
Delta: rewards grade answers symbolically; shape_rewards weighs them 0.9 to 0.1, or as DAPO does
    where the preset asks for DAPO's loss.
Not reproduced: sequence parallelism (MR-SP) and the cache of video embeddings between steps; within
    a step the engine encodes each video once a group for every method. DAPO's answers are read from
    tags, not from a box.
"""

from reproductions.shared.method import Context, Group, Method
from reproductions.shared.rewards.length import soft_overlong
from reproductions.shared.rewards.rules import accuracy, format_reward

WEIGHTS = (0.9, 0.1)  # accuracy and format, official r1v.py @7381b00
BUFFER_SHARE = 0.2  # of the longest answer; DAPO, arXiv 2503.14476, Sec. 4.1: 4,096 of 20,480
PENALTY = 1.0  # factor of the overlong penalty, DAPO, arXiv 2503.14476, Sec. 3.4


def shape_rewards(group: Group, context: Context) -> list[float]:
    """0.9 accuracy + 0.1 format; with loss_type dapo: +1 or -1, less the penalty for length."""
    right, form = group.scores["accuracy"], group.scores["format"]
    if context.settings.get("loss_type") != "dapo":
        return [WEIGHTS[0] * a + WEIGHTS[1] * f for a, f in zip(right, form, strict=True)]
    longest = int(context.settings.get("max_completion_length") or max(group.lengths))
    buffer = round(BUFFER_SHARE * longest)
    return [
        (1.0 if a > 0.5 else -1.0) + PENALTY * soft_overlong(n, longest, buffer)
        for a, n in zip(right, group.lengths, strict=True)
    ]


METHOD = Method(
    id="longvila_r1",
    baseline="grpo",
    rewards=(accuracy("long_rl"), format_reward("video_r1")),
    shape_rewards=shape_rewards,
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
