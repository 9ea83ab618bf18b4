"""DeepVideo-R1 lets the policy's log-ratios regress on the advantages instead of clipping them.

Paper: DeepVideo-R1, arXiv 2506.07464, Sec. 3.2.
Catalog: deepvideo_r1
Baseline: grpo
Delta: loss is the squared distance between the advantages and the log-ratios of the same answers,
    normalised within the group, plus the KL term; no ratio, no clip, no minimum.
Not reproduced: the difficulty-aware augmentation (Sec. 3.3). It changes a question after its answers
    have been scored, for which there is no hook, and the scales of noise and hints are unpublished.
"""

from typing import Any

from reproductions.shared.method import Method

EPS = 1e-4  # our choice, as in GRPO's advantages: Eq. 7 has none, and starts from a deviation of 0


def predicted_advantages(log_ratios: Any) -> Any:
    """Log-ratios of one group's answers, float [G], normalised to advantages (Eq. 7)."""
    return (log_ratios - log_ratios.mean()) / (log_ratios.std() + EPS)


def loss(tokens: Any) -> Any:
    """Reg-GRPO (Eq. 8): the mean of (A - predicted A)^2 over answers, plus beta times the KL.

    The log-ratio of an answer is that of the whole answer, so a sum over its tokens.
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


METHOD = Method(id="deepvideo_r1", baseline="grpo", loss=loss)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
