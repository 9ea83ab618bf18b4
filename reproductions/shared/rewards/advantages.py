"""Group rewards, advantages and losses in plain floats: the reference for the tensor code.

Lists of token values have shape [G][T]; `mask` is 1 for tokens that count.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from reproductions.shared.rewards.numbers import float32

Rows = Sequence[Sequence[float]]


def group_relative(rewards: Sequence[float], eps: float = 1e-4) -> list[float]:
    """GRPO's advantages (r - mean) / (std + eps), with the unbiased standard deviation."""
    n = len(rewards)
    if n < 2:
        return [0.0] * n
    mean = math.fsum(rewards) / n
    std = math.sqrt(math.fsum((r - mean) ** 2 for r in rewards) / (n - 1))
    return [(r - mean) / (std + eps) for r in rewards]


def order_helped(
    accuracies: Sequence[float], reference: Sequence[float], ratio: float = 0.8
) -> bool:
    """Whether mean(accuracies) >= ratio * mean(reference), in float32 as the trainer compares."""
    mean, other = (
        float32(float32(math.fsum(map(float32, x))) / len(x)) for x in (accuracies, reference)
    )
    return mean >= float32(float32(ratio) * other)


def comparison_bonus(
    accuracies: Sequence[float],
    reference: Sequence[float],
    *,
    ratio: float = 0.8,
    floor: float = 0.1,
    bonus: float = 0.3,
) -> list[float]:
    """T-GRPO's bonus (Video-R1 code @59d65c3): for right answers, if the right order did no harm.

    Args:
        accuracies: Of the answers over the ordered frames.
        reference: Of the answers over the shuffled frames.
        ratio: The right order did no harm if mean(accuracies) >= ratio * mean(reference).
        floor: Accuracy above which an answer is right.
        bonus: What a right answer gains.
    """
    if not accuracies or not reference:
        return [0.0] * len(accuracies)
    if not order_helped(accuracies, reference, ratio):
        return [0.0] * len(accuracies)
    return [bonus if a > floor else 0.0 for a in accuracies]


def signed_format(accuracy: float, form: float, empty: float = -2.0) -> float:
    """TinyLLaVA-Video-R1's total: a + (2a - 1) f, and `empty` where that is 0."""
    return accuracy + (2 * accuracy - 1) * form or empty


def curiosity(calls: int, rate: float, *, video: bool, target: float = 0.3) -> tuple[float, float]:
    """Pixel Reasoner's bonus and penalty for a rollout with `calls` tool calls.

    Args:
        calls: Tool calls of the rollout; without any both terms are 0.
        rate: Share of the group's rollouts with at least one call.
        video: Videos divide the bonus by 1.5, images by 2.0.
        target: Rate from which there is no bonus.

    Returns:
        (bonus, penalty); added to the reward whether or not the answer is right.
    """
    if calls == 0:
        return 0.0, 0.0
    bonus = max(target - rate, 0.0) / (1.5 if video else 2.0) / rate * 0.25 if rate > 0 else 0.0
    return bonus, -0.05 * (calls - 1)


def difficulty_weight(miou: float, form: str = "exp", power: float = 2.0) -> float:
    """UniVG-R1's weight of the policy loss from the mean IoU of a batch: harder counts more."""
    if form == "exp":
        return math.exp(1 - miou)
    if form == "log":
        return -math.log(0.02 + miou)
    return float((1.05 - miou) ** power)


def k3(logp: float, reference: float, clamp: float | None = None) -> float:
    """Schulman's k3 estimate exp(d) - d - 1 of KL(policy || reference), d = reference - logp.

    Args:
        logp: Log-probability under the policy.
        reference: Under the reference.
        clamp: d is cut to [-clamp, clamp] (Video-R1: 10); None leaves it.
    """
    d = reference - logp
    if clamp is not None:
        d = max(-clamp, min(clamp, d))
    return math.exp(min(d, 700.0)) - d - 1


def k3_gradient(logp: float, reference: float, clamp: float | None = None) -> float:
    """Derivative of `k3` by `logp`: 1 - exp(d), 0 where d is cut."""
    d = reference - logp
    if clamp is not None and abs(d) > clamp:
        return 0.0
    return 1 - math.exp(min(d, 700.0))


def reduce_tokens(per_token: Rows, mask: Rows, *, token_mean: bool = False) -> float:
    """One loss from token losses: mean over sequences of their token means, or over all tokens."""
    sums = [
        math.fsum(x * m for x, m in zip(row, ms, strict=True))
        for row, ms in zip(per_token, mask, strict=True)
    ]
    lengths = [math.fsum(ms) for ms in mask]
    if token_mean:
        return math.fsum(sums) / (math.fsum(lengths) or 1.0)
    return math.fsum(s / (n or 1.0) for s, n in zip(sums, lengths, strict=True)) / len(sums)


def token_shares(mask: Rows, *, token_mean: bool = False) -> list[list[float]]:
    """Weight of each token in `reduce_tokens`: its partial derivative."""
    lengths = [math.fsum(ms) for ms in mask]
    total = math.fsum(lengths)
    scales = [total if token_mean else n * len(lengths) for n in lengths]
    return [[m / (s or 1.0) for m in ms] for ms, s in zip(mask, scales, strict=True)]


def on_policy_loss(
    advantages: Sequence[float],
    kl: Rows,
    mask: Rows,
    *,
    beta: float,
    token_mean: bool = False,
    policy_weight: float = 1.0,
) -> float:
    """GRPO's loss at ratio 1 (one update a batch): mean of -A * weight + beta * kl."""
    per_token = [
        [-a * policy_weight + beta * x for x in row] for a, row in zip(advantages, kl, strict=True)
    ]
    return reduce_tokens(per_token, mask, token_mean=token_mean)


def on_policy_gradient(
    advantages: Sequence[float],
    kl_gradient: Rows | None,
    mask: Rows,
    *,
    beta: float,
    token_mean: bool = False,
    policy_weight: float = 1.0,
) -> list[list[float]]:
    """Derivative of `on_policy_loss` by the policy's log-probabilities, shape [G][T].

    Clipping is inactive at ratio 1. Without `kl_gradient` the KL term is a constant.
    """
    shares = token_shares(mask, token_mean=token_mean)
    return [
        [
            s * (-a * policy_weight + (beta * kl_gradient[i][t] if kl_gradient else 0.0))
            for t, s in enumerate(row)
        ]
        for i, (a, row) in enumerate(zip(advantages, shares, strict=True))
    ]


def log_softmax(logits: Sequence[float]) -> list[float]:
    """Log-probabilities of one position."""
    top = max(logits)
    norm = top + math.log(math.fsum(math.exp(x - top) for x in logits))
    return [x - norm for x in logits]


def up_to_first(ids: Sequence[int], end: int) -> list[int]:
    """Completion mask: 1 up to and including the first `end` token, then 0."""
    stop = ids.index(end) if end in ids else len(ids)
    return [int(t <= stop) for t in range(len(ids))]


def token_importance(
    logps: Sequence[Rows], mask: Rows, group: int, largest: float
) -> list[list[float]]:
    """TW-GRPO's token weights in [1, largest], 0 where masked.

    At each position the rollouts' distributions are compared with the mean of their log-
    probabilities by k3 (difference cut to [-11, 11], finished rollouts count as uniform), averaged
    over the group and min-max normalised over the sequence.

    Args:
        logps: Log-probabilities over the vocabulary, [B][T][V].
        mask: [B][T].
        group: Rollouts a prompt; B is a multiple.
        largest: Weight of the most divisive position.
    """
    weights: list[list[float]] = []
    for first in range(0, len(logps), group):
        rows, masks = logps[first : first + group], mask[first : first + group]
        scores = []
        for t in range(len(rows[0])):
            size = len(rows[0][t])
            uniform = [-math.log(size)] * size
            at = [r[t] if m[t] else uniform for r, m in zip(rows, masks, strict=True)]
            mean = [math.fsum(column) / len(at) for column in zip(*at, strict=True)]
            scores.append(
                math.fsum(k3(x, y, 11.0) for row in at for x, y in zip(row, mean, strict=True))
                / len(at)
            )
        low, high = min(scores), max(scores)
        weight = [1 + (largest - 1) * (s - low) / (high - low + 1e-8) for s in scores]
        weights += [[w * m for w, m in zip(weight, row, strict=True)] for row in masks]
    return weights


def rrpo(
    chosen: Sequence[float],
    rejected: Sequence[float],
    kl: float,
    *,
    beta: float,
    alpha: float,
) -> float:
    """RRPO's loss of one pair: -log sigmoid(beta * sum(u+ - u-)) + alpha * KL.

    Args:
        chosen: Phrase margins u+ of the preferred response (sums of log policy / reference).
        rejected: Phrase margins u- of the other one.
        kl: Token-wise KL(reference || policy) summed over the preferred response.
        beta: Scale of the margins.
        alpha: Weight of the KL.
    """
    margin = beta * (math.fsum(chosen) - math.fsum(rejected))
    softplus = max(-margin, 0.0) + math.log1p(math.exp(-abs(margin)))
    return softplus + alpha * kl


def phrase_margins(
    margins: Sequence[float], signs: Sequence[int], phrases: Sequence[int]
) -> list[float]:
    """Sums of token margins for each phrase id."""
    return [math.fsum(m for m, s in zip(margins, signs, strict=True) if s == k) for k in phrases]


def numeric_gradient(
    loss: Callable[[list[float]], float], at: Sequence[float], step: float = 1e-5
) -> list[float]:
    """Central differences of `loss`; for checking, never for training."""
    gradient = []
    for i in range(len(at)):
        high, low = list(at), list(at)
        high[i] += step
        low[i] -= step
        gradient.append((loss(high) - loss(low)) / (2 * step))
    return gradient
