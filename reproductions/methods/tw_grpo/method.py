"""TW-GRPO weights tokens by how much the answers of a group disagree there, and pays for parts.

Paper: TW-GRPO, arXiv 2505.24718.
Catalog: tw_grpo
Baseline: grpo
Delta: prepare_data turns every second single-choice question into one with several answers;
    rewards pay the share of right options; token_weights lie between 1 and alpha.
Not reproduced: the divergence over the whole vocabulary (the engine hands over the log-probability
    of the sampled token alone, so the same formula is taken of that one), and math_verify.
"""

from dataclasses import replace
from typing import Any

from reproductions.shared.method import Context, Method, Sample
from reproductions.shared.prompts import question, think_then_answer
from reproductions.shared.rewards.rules import accuracy, format_reward

ALPHA = 1.7  # largest weight, official scripts @aa529ff (the code's default is 1.4)
CLAMP = 11.0  # bound of the log-ratio, official trainer @aa529ff
EPS = 1e-8  # official trainer @aa529ff, min-max normalisation


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

    Disagreement at a place: k3 of each answer's log-probability against the group's mean, averaged
    over the answers that are still being written; then scaled to [0, 1] over the places.
    """
    import torch

    # The paper's weights scale the loss; in the official code the gradient flows through them too.
    official = tokens.context.variant == "official_code"
    logps = tokens.logps if official else tokens.logps.detach()
    mask = tokens.mask.to(logps.dtype)
    writing = mask.sum(0).clamp(min=1)
    mean = (logps * mask).sum(0) / writing
    difference = (mean - logps).clamp(-CLAMP, CLAMP)
    score = ((torch.exp(difference) - difference - 1) * mask).sum(0) / writing
    scaled = (score - score.min()) / (score.max() - score.min() + EPS)
    return (1 + (ALPHA - 1) * scaled) * mask


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
