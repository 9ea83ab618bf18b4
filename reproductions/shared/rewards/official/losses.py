"""Statements inside published trainers: rewards to advantages to losses, in plain floats."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

from reproductions.shared.rewards import advantages as adv
from reproductions.shared.rewards.length import length_window
from reproductions.shared.rewards.numbers import float32
from reproductions.shared.rewards.official.base import Adapter, Arguments, plain
from reproductions.shared.rewards.text import differing

Matrix = list[list[float]]


def _mask(lengths: Sequence[int], width: int) -> Matrix:
    return [[float(t < n) for t in range(width)] for n in lengths]


def _totals(rows: Sequence[Sequence[float]]) -> list[float]:
    return [float32(math.fsum(map(float32, row))) for row in rows]


def _advantages(totals: Sequence[float], group: int = 0) -> list[float]:
    """`group_relative` of each group in float32: almost equal rewards show its rounding."""
    size, values = group or len(totals), []
    for first in range(0, len(totals), size):
        rewards = [float32(x) for x in totals[first : first + size]]
        mean, std = float32(math.fsum(rewards) / size), statistics.stdev(rewards)
        values += [(r - mean) / (std + 1e-4) for r in rewards]
    return values


def video_r1(a: Arguments) -> Arguments:
    """T-GRPO: comparison bonus, length bonus, advantages, loss at ratio 1 with clamped KL."""
    right = [row[0] for row in a["rewards_per_func"]]
    total = _totals(a["rewards_per_func"])
    temporal = [0.5]
    if a["temporal"] and a["has_video"]:
        shuffled = [row[0] for row in a["shuffled_rewards_per_func"]]
        # The logged value is 1 whenever the inequality holds, even if nobody was right.
        temporal = [float(adv.order_helped(right, shuffled))]
        bonus = adv.comparison_bonus(right, shuffled)
        total = [t + b for t, b in zip(total, bonus, strict=True)]
    if a["len_control"]:
        extra = length_window(a["completion_lengths"], right)
        total = [t + b for t, b in zip(total, extra, strict=True)]
    given, reference = a["per_token_logps"], a["ref_per_token_logps"]
    columns = len(given[0])
    width = max(*a["completion_lengths"], columns)
    padding = [0.0] * (width - columns)
    logps = [[*row, *padding] for row in given]
    references = [[*row, *padding] for row in reference]
    kl = [
        [adv.k3(x, y, 10.0) for x, y in zip(*r, strict=True)]
        for r in zip(logps, references, strict=True)
    ]
    slope = [
        [adv.k3_gradient(x, y, 10.0) for x, y in zip(*r, strict=True)]
        for r in zip(logps, references, strict=True)
    ]
    mask = _mask(a["completion_lengths"], width)
    values = _advantages(total)
    gradient = adv.on_policy_gradient(values, slope, mask, beta=a["beta"])
    return {
        "rewards": total,
        "temporal_rewards": temporal,
        "advantages": values,
        "per_token_kl": [row[:columns] for row in kl],
        "loss": adv.on_policy_loss(values, kl, mask, beta=a["beta"]),
        "grad_logps": [row[:columns] for row in gradient],
    }


def videorft(a: Arguments) -> Arguments:
    """VideoRFT: the semantic reward counts only with a positive accuracy; length bonus."""
    gated = [[acc, form, sem if acc > 0 else 0.0] for acc, form, sem in a["rewards_per_func"]]
    total = _totals(gated)
    if a["len_control"]:
        extra = length_window(a["completion_lengths"], [row[0] for row in gated])
        total = [t + b for t, b in zip(total, extra, strict=True)]
    return {"gated": gated, "rewards": total, "advantages": _advantages(total)}


def time_r1(a: Arguments) -> Arguments:
    """Time-R1: token mean over the batch, or the mean over sequences with `use_grpo`."""
    values = _advantages(_totals(a["rewards_per_func"]))
    mask = _mask(a["completion_lengths"], len(a["per_token_logps"][0]))
    token_mean = not a["use_grpo"]
    return {
        "advantages": values,
        "loss": adv.on_policy_loss(
            values, a["per_token_kl"], mask, beta=a["beta"], token_mean=token_mean
        ),
        "grad": adv.on_policy_gradient(values, None, mask, beta=a["beta"], token_mean=token_mean),
    }


def tinyllava(a: Arguments) -> Arguments:
    """TinyLLaVA-Video-R1: signed format reward; the advantage noise is left out."""
    total = [adv.signed_format(*row) for row in a["rewards_per_func"]]
    values = _advantages(total)
    mask = _mask(a["completion_lengths"], len(a["per_token_logps"][0]))
    return {
        "rewards": total,
        "advantages": values,
        "loss": adv.on_policy_loss(values, a["per_token_kl"], mask, beta=a["beta"]),
        "grad": adv.on_policy_gradient(values, None, mask, beta=a["beta"]),
    }


def univg(a: Arguments) -> Arguments:
    """UniVG-R1: the policy term times a difficulty weight, then the KL term."""
    weight = (
        adv.difficulty_weight(a["miou"], a["miou_adjust_math"], a["miou_weight"])
        if a["miou_adjust"] and a["miou_adjust_math"] in ("exp", "log", "power")
        else 1.0
    )
    pairs = list(zip(a["per_token_logps"], a["ref_per_token_logps"], strict=True))
    kl = [[adv.k3(x, y) for x, y in zip(*pair, strict=True)] for pair in pairs]
    slope = [[adv.k3_gradient(x, y) for x, y in zip(*pair, strict=True)] for pair in pairs]
    mask, beta = a["completion_mask"], a["beta"]
    values = a["advantages"]
    return {
        "loss": adv.on_policy_loss(values, kl, mask, beta=beta, policy_weight=weight),
        "grad": adv.on_policy_gradient(values, slope, mask, beta=beta, policy_weight=weight),
    }


def tw_grpo(a: Arguments) -> Arguments:
    """TW-GRPO at ratio 1 from logits: weights, loss and its gradient by the logits."""
    ids, logits, beta = a["completion_ids"], a["logits"], a["beta"]
    values = _advantages(_totals(a["rewards_per_func"]), a["G"])
    mask = [[float(m) for m in adv.up_to_first(row, a["eos"])] for row in ids]
    old = [
        [adv.log_softmax(x)[i] for x, i in zip(row, own, strict=True)]
        for row, own in zip(logits, ids, strict=True)
    ]
    weighted = a["loss_type"] == "tw_grpo"

    def weights(points: Sequence[Sequence[Sequence[float]]]) -> Matrix | None:
        if not weighted:
            return None
        logps = [[adv.log_softmax(x) for x in row] for row in points]
        return adv.token_importance(logps, mask, a["G"], a["alpha"])

    def loss(flat: Sequence[float]) -> float:
        it = iter(flat)
        points = [[[next(it) for _ in x] for x in row] for row in logits]
        scale = weights(points)
        per_token = []
        for g, (row, own) in enumerate(zip(points, ids, strict=True)):
            line = []
            for t, (x, i) in enumerate(zip(row, own, strict=True)):
                logp = adv.log_softmax(x)[i]
                ratio = math.exp(logp - old[g][t])
                clipped = min(max(ratio, 0.8), 1.28)
                value = -min(ratio * values[g], clipped * values[g])
                if beta:
                    value += beta * adv.k3(logp, a["ref_per_token_logps"][g][t], 11.0)
                line.append(value * (scale[g][t] if scale else 1.0))
            per_token.append(line)
        return adv.reduce_tokens(per_token, mask, token_mean=weighted)

    flat = [v for row in logits for x in row for v in x]
    slopes = iter(adv.numeric_gradient(loss, flat, 1e-6))
    return {
        "advantages": values,
        "completion_mask": [[int(m) for m in row] for row in mask],
        "loss": loss(flat),
        "grad_logits": [[[next(slopes) for _ in x] for x in row] for row in logits],
        "token_weights": weights(logits),
    }


def rrpo_loss(a: Arguments) -> list[list[float]]:
    """RRPO from phrase margins: losses, and the rewards of both responses."""
    beta, alpha = a["beta"], a["alpha"]
    pairs = list(zip(a["chosen_logps_margin"], a["rejected_logps_margin"], strict=True))
    losses = [
        adv.rrpo(c, r, kl, beta=beta, alpha=alpha)
        for (c, r), kl in zip(pairs, a["chosen_position_kl"], strict=True)
    ]
    return [losses, *([beta * math.fsum(pair[k]) for pair in pairs] for k in (0, 1))]


def rrpo_call(a: Arguments) -> Arguments:
    """RRPO from logits: rows 0..B-1 are preferred, the rest not; labels are shifted by one."""
    beta, alpha, pairs = a["beta"], a["alpha"], len(a["logits"]) // 2
    signs = [[max(s, 0) for s in row[1:]] for row in a["signs"]]
    # The smallest sign of the batch is taken for "unmarked": without unmarked tokens the first
    # phrase is dropped.
    phrases = sorted({s for row in signs for s in row})[1:]

    def parts(logits: Any) -> tuple[Matrix, list[float], list[float]]:
        margins, kls, sums = [], [], []
        for row, reference, targets, marks in zip(
            logits, a["ref_logits"], a["targets"], signs, strict=True
        ):
            tokens, kl, total = [], 0.0, 0.0
            for x, y, label in zip(row, reference, targets[1:], strict=False):
                p, q = adv.log_softmax(x), adv.log_softmax(y)
                # A marked token without label counts in its phrase as token 0.
                tokens.append(p[max(label, 0)] - q[max(label, 0)])
                if label == -100:
                    continue
                kl += math.fsum(math.exp(b) * (b - c) for b, c in zip(q, p, strict=True))
                total += p[label]
            margins.append(adv.phrase_margins(tokens, marks, phrases))
            kls.append(kl)
            sums.append(total)
        return margins, kls, sums

    def losses(logits: Any) -> list[float]:
        margins, kls, _ = parts(logits)
        return [
            adv.rrpo(margins[i], margins[i + pairs], kls[i], beta=beta, alpha=alpha)
            for i in range(pairs)
        ]

    def loss(logits: Any) -> float:
        return math.fsum(losses(logits)) / pairs

    margins, kls, sums = parts(a["logits"])
    chosen = [beta * math.fsum(m) for m in margins[:pairs]]
    rejected = [beta * math.fsum(m) for m in margins[pairs:]]
    shape = a["logits"]

    def flat_loss(flat: Sequence[float]) -> float:
        it = iter(flat)
        return loss([[[next(it) for _ in x] for x in row] for row in shape])

    slopes = iter(
        adv.numeric_gradient(flat_loss, [v for row in shape for x in row for v in x], 1e-4)
    )
    return {
        "loss": loss(shape),
        "metrics": {
            "rewards_train/chosen": chosen,
            "rewards_train/rejected": rejected,
            "rewards_train/accuracies": [
                float(c > r) for c, r in zip(chosen, rejected, strict=True)
            ],
            "rewards_train/margins": [c - r for c, r in zip(chosen, rejected, strict=True)],
            "kl_train/chosen": kls[:pairs],
            "kl_train/rejected": kls[pairs:],
            "kl_train/margin": [c - r for c, r in zip(kls[:pairs], kls[pairs:], strict=True)],
            "logps_train/rejected": sums[pairs:],
            "logps_train/chosen": sums[:pairs],
            "loss/train": losses(shape),
        },
        "grad_logits": [[[next(slopes) for _ in x] for x in row] for row in shape],
    }


def pixel_reasoner(a: Arguments) -> Arguments:
    """Curiosity bonus, call penalty and labels for each group of `nsample` rollouts."""
    n = a["nsample"]
    out: dict[str, list[float]] = {
        name: []
        for name in (
            "shaped_rewards",
            "curiosity_bonus",
            "penalty_bonus",
            "difficulty_labels",
            "efficiency_labels",
            "uniformity",
        )
    }
    for first in range(0, len(a["correctness"]), n):
        group = range(first, min(first + n, len(a["correctness"])))
        right = [a["correctness"][i] > 0.5 for i in group]
        mean = math.fsum(a["correctness"][i] for i in group) / len(group)
        label = sum(mean >= bound for bound in (1 / 8, 3 / 8, 6 / 8, 1.0))
        rate = sum(a["num_toolcalls"][i] > 0 for i in group) / len(group)
        lean = any(ok and a["num_toolcalls"][i] == 0 for i, ok in zip(group, right, strict=True))
        shaped = []
        for i, ok in zip(group, right, strict=True):
            # A failed last operation voids a right answer; all groups read the flags of the first.
            base = 0.0 if ok and a["final_error"][i - first] else a["correctness"][i]
            bonus, penalty = adv.curiosity(a["num_toolcalls"][i], rate, video=a["is_video"][i])
            shaped.append(base + bonus + penalty)
            out["curiosity_bonus"].append(bonus)
            out["penalty_bonus"].append(penalty)
        centre = math.fsum(shaped) / len(shaped)
        spread = math.fsum(abs(x - centre) for x in shaped) / len(shaped)
        out["shaped_rewards"] += shaped
        # Labels are written `nsample` times even for a short last group.
        out["difficulty_labels"] += [label] * n
        out["efficiency_labels"] += [float(lean)] * n
        out["uniformity"] += [float(spread < 0.01)] * n
    return out


LOSSES: dict[tuple[str, str], Adapter] = {
    (
        "tulerfeng/Video-R1",
        "compute_loss[T-GRPO reward, length reward, advantage, loss]",
    ): video_r1,
    ("QiWang98/VideoRFT", "compute_loss[semantic gate, length reward, advantage]"): videorft,
    ("xiaomi-research/time-r1", "compute_loss[advantage, loss]"): time_r1,
    (
        "ZhangXJ199/TinyLLaVA-Video-R1",
        "compute_loss[reward composition, advantage, loss]",
    ): tinyllava,
    ("AMAP-ML/UniVG-R1", "compute_loss[difficulty-aware weight]"): univg,
    ("longmalongma/TW-GRPO", "compute_loss[advantage, clip, mask, tw weights]"): tw_grpo,
    ("longmalongma/TW-GRPO", "compute_token_importance_kl_logs_uniform"): plain(
        adv.token_importance
    ),
    ("pritamqu/RRPO", "RRPO.loss"): rrpo_loss,
    ("pritamqu/RRPO", "RRPO.__call__"): rrpo_call,
    ("pritamqu/RRPO", "get_diff_signs"): plain(
        lambda a, b, n: list(differing(a, b, n, autojunk=True))
    ),
    ("TIGER-AI-Lab/Pixel-Reasoner", "curiosity reward shaping loop"): pixel_reasoner,
}
"""(repository, function) -> adapter."""
