"""GRPO: compare an answer with the other answers to the same question.

Paper: DeepSeekMath, arXiv 2402.03300, Sec. 4.1; chain-of-thought cold start as in Video-R1.
Catalog: grpo
Baseline: none; this is a baseline.
Delta: none.
Not reproduced: nothing; the clipped loss and the KL term are TRL's.
"""

from reproductions.shared.method import Method, Stage
from reproductions.shared.prompts import rationale_target, think_then_answer
from reproductions.shared.rewards.rules import accuracy, format_reward

METHOD = Method(
    id="grpo",
    stages=(Stage("sft", "sft"), Stage("rl", "grpo")),
    prompt=think_then_answer,
    format_target=rationale_target,
    rewards=(accuracy("video_r1"), format_reward("video_r1")),
)
