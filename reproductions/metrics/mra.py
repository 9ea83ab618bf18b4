"""Mean relative accuracy of numerical answers, in the two variants that papers use."""

from __future__ import annotations

from reproductions.shared.rewards.numbers import mra

__all__ = ["mra", "vsi_bench_mra"]


def vsi_bench_mra(pred: float, gold: float) -> float:
    """MRA of VSI-Bench: `<=`, float64, divided by the signed gold; 0.0 for gold 0."""
    return mra(pred, gold)
