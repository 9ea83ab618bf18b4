"""Mean relative accuracy of numerical answers, in the two variants that papers use."""

from __future__ import annotations

from reproductions.shared.rewards.numbers import mra, mra_float32

__all__ = ["mra", "video_r1_mra", "vsi_bench_mra"]


def vsi_bench_mra(pred: float, gold: float) -> float:
    """MRA of VSI-Bench: `<=`, float64, divided by the signed gold; 0.0 for gold 0."""
    return mra(pred, gold)


def video_r1_mra(pred: float, gold: float) -> float:
    """MRA of Video-R1's evaluation: `<`, float32, divided by |gold| + 1e-8."""
    return mra_float32(pred, gold)
