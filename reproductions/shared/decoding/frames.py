"""Choosing what to look at: parts of a video, moments, budgets. Times in seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reproductions.shared.decoding.ask import YES_NO, greedy, request, yes
from reproductions.shared.inference.engine import Generator, Shown
from reproductions.shared.method import Context, Sample
from reproductions.shared.prompts import relevant

Span = tuple[float, float]


def segments(duration: float, n: int, start: float = 0.0) -> list[Span]:
    """N equal parts of `duration` seconds from `start` on."""
    return [
        (round(start + duration * i / n, 3), round(start + duration * (i + 1) / n, 3))
        for i in range(n)
    ]


def moments(span: Span, n: int) -> list[float]:
    """The middles of n equal parts of a span: moments that stay off its borders."""
    low, high = span
    return [round(low + (high - low) * (i + 0.5) / n, 3) for i in range(n)]


def best(scores: Sequence[float], k: int) -> list[int]:
    """Indices of the k greatest scores, ascending; a tie keeps the earlier one."""
    return sorted(sorted(range(len(scores)), key=lambda i: -scores[i])[:k])


def joined(spans: Sequence[Span]) -> list[Span]:
    """Spans in order, with those that touch or overlap made one."""
    result: list[Span] = []
    for low, high in sorted(spans):
        if result and low <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], high))
        else:
            result.append((low, high))
    return result


def shared_out(spans: Sequence[Span], budget: int) -> list[float]:
    """At most `budget` moments in the spans, as many in each as its length is worth, at least one.

    Of more spans than moments, the first ones are served.
    """
    spans = joined(spans)[:budget]
    total = sum(b - a for a, b in spans)
    counts = [1] * len(spans)
    for _ in range(budget - len(spans)):
        # The span whose moments are farthest apart gets the next one.
        gaps = [(b - a) / (n + 1) for (a, b), n in zip(spans, counts, strict=True)]
        counts[gaps.index(max(gaps))] += 1
    times = [t for span, n in zip(spans, counts, strict=True) for t in moments(span, n)]
    return sorted(times) if total else [a for a, _ in spans]


def coarse_to_fine(
    score: Callable[[Sequence[Span]], Sequence[float]], duration: float, parts: int, rounds: int
) -> list[tuple[Span, float]]:
    """Cut into parts, keep the best one, cut it again.

    Args:
        score: Spans -> one score each.
        duration: Of the video.
        parts: Parts a round.
        rounds: Cuts.

    Returns:
        The span kept in each round with its score.
    """
    kept: list[tuple[Span, float]] = []
    span: Span = (0.0, duration)
    for _ in range(rounds):
        cut = segments(span[1] - span[0], parts, span[0])
        scores = list(score(cut))
        top = max(range(parts), key=lambda i: scores[i])
        span = cut[top]
        kept.append((span, scores[top]))
    return kept


def relevance(
    sample: Sample, generator: Generator, context: Context, spans: Sequence[Span], frames: int
) -> list[float]:
    """The model's own probability that each span helps to answer; one call for all.

    Args:
        sample: The question.
        generator: The model.
        context: Of the run.
        spans: Parts of the video.
        frames: Frames shown of each.
    """
    asked = [
        request(sample, relevant(sample, span), Shown(frames=frames, span=span)) for span in spans
    ]
    answers = generator.generate(asked, greedy(context, 8, choices=YES_NO))
    return [yes(a[0]) for a in answers]
