"""DPO: learn from pairs of a better and a worse answer, without a reward model.

Paper: Direct Preference Optimization, arXiv 2305.18290, Sec. 4; on video as in LLaVA-Hound-DPO,
    arXiv 2404.01258, with a cold start before it.
Catalog: dpo
Baseline: none; this is a baseline.
Delta: none.
Not reproduced: nothing; the loss is TRL's.
"""

from reproductions.shared.method import Method, Stage
from reproductions.shared.prompts import rationale_target, think_then_answer
from reproductions.shared.rewards.rules import accuracy, format_reward

METHOD = Method(
    id="dpo",
    stages=(Stage("sft", "sft"), Stage("preference", "preference")),
    prompt=think_then_answer,
    format_target=rationale_target,
    rewards=(accuracy("video_r1"), format_reward("video_r1")),
)
