"""What changes when a question is asked again, or asked in parts."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["consistency_score", "correction_rate", "misleading_rate", "pair_scores"]


def misleading_rate(before: Sequence[float], after: Sequence[float]) -> float:
    """Share of right answers that are given up under a misleading prompt; 0.0 if none was right."""
    kept = [a < 1 for b, a in zip(before, after, strict=True) if b >= 1]
    return sum(kept) / len(kept) if kept else 0.0


def correction_rate(before: Sequence[float], after: Sequence[float]) -> float:
    """Share of wrong answers that become right after a correction; 0.0 if none was wrong."""
    kept = [a >= 1 for b, a in zip(before, after, strict=True) if b < 1]
    return sum(kept) / len(kept) if kept else 0.0


def consistency_score(scores: Sequence[float], basics: Sequence[Sequence[float]]) -> float:
    """Mean of scores that count only if the basic questions below them are right (RTV-Bench)."""
    kept = [s if all(b >= 1 for b in bs) else 0.0 for s, bs in zip(scores, basics, strict=True)]
    return sum(kept) / len(kept) if kept else 0.0


def pair_scores(
    text: Sequence[tuple[float, float]], video: Sequence[tuple[float, float]]
) -> tuple[float, float, float]:
    """(text score, video score, group score) of counterfactual pairs (Vinoground), in [0, 1].

    Args:
        text: For each pair, whether the right caption was chosen for either video.
        video: For each pair, whether the right video was chosen for either caption.
    """
    rows = [(min(t) >= 1, min(v) >= 1) for t, v in zip(text, video, strict=True)]
    n = len(rows) or 1
    return (
        sum(t for t, _ in rows) / n,
        sum(v for _, v in rows) / n,
        sum(t and v for t, v in rows) / n,
    )
