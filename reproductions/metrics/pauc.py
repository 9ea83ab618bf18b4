"""PAUC: how right the replies to a video that plays are, and how early."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

HIGHEST, SILENCE = 2.0, 0.5
"""The judge's best score (it says 1 to 3, counted from 0), and what silence is worth."""
OMEGAS = (0.0, 0.5, 1.0)
"""Published weights: 0 counts earliness in full, at 1 only the last reply in the span counts."""


def pauc(
    scores: Mapping[float, float],
    span: Sequence[float],
    *,
    omega: float = 0.5,
    highest: float = HIGHEST,
    silence: float = SILENCE,
) -> float:
    """Area under the steps of a judge's scores over the span of one reference reply, in [0, 1].

    The curve starts at `silence` and takes each score from the time of its reply on; times count
    from the start of the span and shrink by 1 - omega, so that a late reply keeps some worth.

    Args:
        scores: Time of a reply [s] -> the judge's score of all that was said until then, in
            [0, highest]; replies outside the span do not count.
        span: Start and end [s] of the span in which the reply should come.
        omega: Weight of being right against being early.
        highest: The best score.
        silence: Score before the first reply.

    Source: the authors' pauc/judge_llm_scores_openai.py, as copied by
    zyuhan1999/VLMEvalKit@d327649
    vlmeval/dataset/proactive_videoqa.py.
    """
    start, end = float(span[0]), float(span[1])
    steps = [(t - start, s) for t, s in sorted(scores.items()) if start <= t <= end]
    steps = [(t, min(highest, max(0.0, s))) for t, s in steps if math.isfinite(s)]
    level = silence
    if end <= start:  # nothing to be early in
        return (steps[-1][1] if steps else level) / highest
    at = area = 0.0
    for time, score in steps:
        then = time * (1 - omega)
        area += (then - at) * level
        at, level = then, score
    return (area + (end - start - at) * level) / (end - start) / highest


def without_next(scores: Mapping[float, float], related: Sequence[float]) -> dict[float, float]:
    """The scores without late replies that are worse than the last one within `related`.

    A reply after the shown moment (`related`, in seconds) that fits worse is probably about the
    next one; of a single reply nothing is left out.
    """
    if len(scores) < 2:
        return dict(scores)
    shown = [s for t, s in sorted(scores.items()) if t <= related[1]]
    least = shown[-1] if shown else 0.0
    return {t: s for t, s in scores.items() if t <= related[1] or s >= least}
