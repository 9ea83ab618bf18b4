"""DeepVideo-R1 lets the policy's log-ratios regress on the advantages instead of clipping them.

Paper: DeepVideo-R1, arXiv 2506.07464, Sec. 3.2 and 3.3.
Catalog: deepvideo_r1
Baseline: grpo
Delta: loss is the squared distance between the advantages and the log-ratios of the answers,
    normalised within the group, plus the KL term; no clip, no minimum. Of samples with a measured
    reward, prepare_data gives hints to hard ones and build_group hides frames of easy ones.
Not reproduced: measuring while training (no hook changes a question after its answers are scored,
    so the mean reward is read from the record), hints sampled from the model (the reference
    reasoning here), Gaussian noise (frames are hidden, the paper's other example), and the current
    observation as an image of its own.
"""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from reproductions.shared.method import Context, Method, Rollouts, Sample

HISTORY = 100  # W, App. C.1: samples whose mean reward is the reference
EPS = 1e-4  # our choice, as in GRPO's advantages: Eq. 7 has none, and starts from a deviation of 0


def difficulty(rewards: Sequence[float]) -> list[float]:
    """For samples in order: the last W mean rewards less the sample's own (Eq. 9), > 0 is hard."""
    before = [rewards[max(0, i - HISTORY) : i] for i in range(len(rewards))]
    return [fmean(b) - r if b else 0.0 for b, r in zip(before, rewards, strict=True)]


def prepare_data(samples: list[Sample], context: Context) -> list[Sample]:
    """Adapts samples that carry `mean_reward`, in [0, 1]; without it, and in SFT, nothing changes.

    A hard one is shown the first part of the reference reasoning; of an easy one `hidden` says what
    share of the frames it loses. Both shares are the difficulty: the paper names no scales.
    """
    measured = [s for s in samples if "mean_reward" in s.meta]
    if context.stage == "sft" or not measured:
        return samples
    gaps = difficulty([float(s.meta["mean_reward"]) for s in measured])
    known = {s.id: gap for s, gap in zip(measured, gaps, strict=True)}
    return [_adapted(s, known.get(s.id, 0.0)) for s in samples]


def _adapted(sample: Sample, gap: float) -> Sample:
    words = sample.rationale.split()
    shown = " ".join(words[: round(gap * len(words))]) if gap > 0 else ""
    if shown:
        return replace(sample, question=f"{sample.question}\nHint: {shown}")
    return replace(sample, meta={**sample.meta, "hidden": min(-gap, 1.0)}) if gap < 0 else sample


def build_group(sample: Sample, context: Context) -> list[Rollouts]:
    """G answers; an easy sample loses frames, at random places."""
    share = float(sample.meta.get("hidden", 0.0))
    if not share or sample.video is None:
        return [Rollouts(context.num_generations)]

    def kept(frames: int) -> list[int]:
        return sorted(context.rng.sample(range(frames), max(1, round((1 - share) * frames))))

    return [Rollouts(context.num_generations, frames=kept)]


def predicted_advantages(log_ratios: Any) -> Any:
    """Log-ratios of one group's answers, float [G], normalised to advantages (Eq. 7)."""
    return (log_ratios - log_ratios.mean()) / (log_ratios.std() + EPS)


def loss(tokens: Any) -> Any:
    """Reg-GRPO (Eq. 8): the mean of (A - predicted A)^2 over answers, plus beta times the KL.

    Eq. 8 prints a minus, which would reward distance from the reference (the entry says more). The
    log-ratio of an answer is that of the whole answer, so a sum over its tokens.
    """
    import torch

    mask = tokens.mask.to(tokens.logps.dtype)
    log_ratios = ((tokens.logps - tokens.old_logps) * mask).sum(1)
    gaps = [
        tokens.advantages[start:stop] - predicted_advantages(log_ratios[start:stop])
        for start, stop in tokens.groups
    ]
    total = torch.cat(gaps).square().mean()
    beta = float(tokens.context.settings.get("beta", 0.0))
    if beta and tokens.ref_logps is not None:
        # The paper names no estimator: k3 with the mean over tokens, then answers, as in GRPO.
        difference = tokens.ref_logps - tokens.logps
        kl = (torch.exp(difference) - difference - 1) * mask
        total = total + beta * (kl.sum(1) / mask.sum(1).clamp(min=1)).mean()
    return total


METHOD = Method(
    id="deepvideo_r1",
    baseline="grpo",
    prepare_data=prepare_data,
    build_group=build_group,
    loss=loss,
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
