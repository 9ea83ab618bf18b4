"""Vision-and-language navigation: error, success, oracle success and SPL (Anderson et al., 2018).

Distances are geodesic and in metres; whoever has the environment computes them.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["navigation_error", "navigation_success", "oracle_success", "spl"]

REACHED = 3.0
"""Metres within which a goal counts as reached (R2R, VLN-CE)."""


def navigation_error(final: Sequence[float]) -> float:
    """Mean distance between the last position and the goal, in metres."""
    return sum(final) / len(final) if final else 0.0


def navigation_success(final: Sequence[float], reached: float = REACHED) -> float:
    """Share of episodes that stop within `reached` metres of the goal."""
    return sum(d < reached for d in final) / len(final) if final else 0.0


def oracle_success(nearest: Sequence[float], reached: float = REACHED) -> float:
    """Share of episodes that come within `reached` metres of the goal at any time."""
    return navigation_success(nearest, reached)


def spl(
    final: Sequence[float],
    walked: Sequence[float],
    shortest: Sequence[float],
    reached: float = REACHED,
) -> float:
    """Success weighted by path length, in [0, 1]: mean of S l / max(p, l).

    Args:
        final: Distance to the goal at the end.
        walked: Length p of the path.
        shortest: Length l of the shortest path.
        reached: Metres within which a goal counts as reached.
    """
    rows = list(zip(final, walked, shortest, strict=True))
    total = sum((d < reached) * (s / max(p, s) if max(p, s) else 1.0) for d, p, s in rows)
    return total / len(rows) if rows else 0.0
