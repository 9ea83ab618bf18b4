"""Several samples a question: pass@k, majority, best-of-n, agreement."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence


def pass_at_k(n: int, right: int, k: int) -> float:
    """Chance that at least one of k samples drawn from n, of which `right` are, is right.

    Raises:
        ValueError: k is not between 1 and n, or `right` not between 0 and n.
    """
    if not 1 <= k <= n or not 0 <= right <= n:
        raise ValueError(f"pass@{k} of {n} samples, {right} right: k and right are at most n")
    if n - right < k:
        return 1.0
    return 1.0 - math.comb(n - right, k) / math.comb(n, k)


def majority(answers: Sequence[Hashable]) -> Hashable | None:
    """The most frequent answer; the earlier one on ties; None for none."""
    return Counter(answers).most_common(1)[0][0] if answers else None


def majority_at_k(samples: Sequence[Sequence[Hashable]], golds: Sequence[Hashable]) -> float:
    """Accuracy of the majority vote."""
    hits = [majority(s) == g for s, g in zip(samples, golds, strict=True)]
    return sum(hits) / len(hits) if hits else 0.0


def agreement_rate(answers: Sequence[Hashable]) -> float:
    """Share of samples with the modal answer."""
    return max(Counter(answers).values()) / len(answers) if answers else 0.0


def best_of_n(scores: Sequence[Sequence[float]], right: Sequence[Sequence[float]]) -> float:
    """Accuracy of the samples that a verifier scores highest."""
    picked = [
        r[max(range(len(s)), key=s.__getitem__)] for s, r in zip(scores, right, strict=True) if s
    ]
    return sum(picked) / len(picked) if picked else 0.0
