"""TW-GRPO weights tokens by how much the answers of a group disagree there, and pays for parts.

Paper: TW-GRPO, arXiv 2505.24718.
Catalog: tw_grpo
Baseline: grpo
Delta: prepare_data turns every second single-choice question into one with several answers;
    rewards pay the share of right options; token_weights lie between 1 and alpha.
Not reproduced: math_verify.
"""

import math
from dataclasses import replace
from typing import Any

from reproductions.shared.method import Context, Method, Sample
from reproductions.shared.prompts import question, think_then_answer
from reproductions.shared.rewards.rules import accuracy, format_reward

ALPHA = 1.7  # largest weight, official scripts @aa529ff (the code's default is 1.4)
CLAMP = 11.0  # bound of the log-ratio, official trainer @aa529ff
EPS = 1e-8  # official trainer @aa529ff, min-max normalisation
PLACES = 64  # our choice: computed at a time; 8 answers over 152,000 words then take 0.3 GB


def invert(sample: Sample) -> Sample:
    """The question for the wrong options, which are several (question-answer inversion)."""
    letters = [option[0] for option in sample.options]

    def rest(answer: str) -> str:
        return ",".join(x for x in letters if x not in answer.split(","))

    meta = dict(sample.meta)
    if "teacher_answer" in meta:
        meta["teacher_answer"] = rest(str(meta["teacher_answer"]))
    text = f"Which options are wrong? {sample.question}"
    return replace(sample, question=text, answer=rest(sample.answer), meta=meta)


def prepare_data(samples: list[Sample], context: Context) -> list[Sample]:
    """Every second single-choice question inverted (the share is our choice: none is published)."""
    return [
        invert(s) if i % 2 and s.options and "," not in s.answer else s
        for i, s in enumerate(samples)
    ]


def prompt(sample: Sample) -> str:
    """The prompt that allows several letters, as in the official code @aa529ff."""
    if not sample.options:
        return think_then_answer(sample)
    return (
        f"{question(sample)}\nThink first, in <think> </think>. Then answer in <answer> </answer>: "
        "the letters of all options that fit, separated by commas."
    )


def token_weights(tokens: Any) -> Any:
    """Weights [G, T] in [1, alpha], equal for all answers at one place, 0 after an answer's end.

    The disagreement (`divergence`) is scaled to [0, 1] over the places.
    """
    import torch

    longest = tokens.mask.shape[1]
    # The paper's weights scale the loss; in the official code the gradient flows through them too.
    with torch.set_grad_enabled(tokens.context.variant == "official_code"):
        parts = [slice(t, min(t + PLACES, longest)) for t in range(0, longest, PLACES)]
        score = torch.cat(
            [divergence(tokens.vocabulary(p.start, p.stop), tokens.mask[:, p]) for p in parts]
        )
        scaled = (score - score.min()) / (score.max() - score.min() + EPS)
        return (1 + (ALPHA - 1) * scaled) * tokens.mask


def divergence(logps: Any, mask: Any) -> Any:
    """How far answers are from the group's mean log-probabilities: k3 over the vocabulary, [T].

    Args:
        logps: Log-probabilities of all tokens, float [G, T, V].
        mask: 1 where an answer is still being written, [G, T]; elsewhere it counts as uniform.
    """
    logps = logps.where(mask.bool().unsqueeze(-1), -math.log(logps.shape[-1]))
    difference = (logps.mean(0) - logps).clamp(-CLAMP, CLAMP)
    return (difference.exp() - difference - 1).sum(-1).mean(0)


METHOD = Method(
    id="tw_grpo",
    baseline="grpo",
    prepare_data=prepare_data,
    prompt=prompt,
    rewards=(accuracy("tw_grpo"), format_reward("tw_grpo")),
    token_weights=token_weights,
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
