"""Voting over sampled answers. An answer that says nothing ("") has no vote."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from reproductions.shared.decoding.ask import answer_of
from reproductions.shared.decoding.text import similarity
from reproductions.shared.inference.engine import Completion, Generator, Prediction, Request
from reproductions.shared.inference.engine import Sampling as How
from reproductions.shared.method import Sample


def tally(votes: Sequence[str], weights: Sequence[float] | None = None) -> dict[str, float]:
    """Answer -> sum of its weights, in the order in which answers were first given."""
    counts: dict[str, float] = {}
    for vote, weight in zip(votes, weights or [1.0] * len(votes), strict=True):
        if vote:
            counts[vote] = counts.get(vote, 0.0) + weight
    return counts


def majority(votes: Sequence[str]) -> str:
    """The most frequent answer, in a tie the one given first; "" if nobody votes."""
    return weighted(votes, [1.0] * len(votes))


def weighted(votes: Sequence[str], weights: Sequence[float]) -> str:
    """The answer with the greatest sum of weights, in a tie the one given first."""
    counts = tally(votes, weights)
    return max(counts, key=lambda vote: counts[vote]) if counts else ""


def unanimous(votes: Sequence[str]) -> bool:
    """Whether all answers are the same and say something."""
    return len(set(votes)) == 1 and bool(votes[0])


def agreement(votes: Sequence[str]) -> float:
    """Share of the most frequent answer, 0 to 1."""
    return max(tally(votes).values(), default=0.0) / len(votes) if votes else 0.0


def path_weights(texts: Sequence[str]) -> list[float]:
    """For each reasoning path its mean similarity to the others, 0 to 1; 1 for a single one."""
    if len(texts) == 1:
        return [1.0]
    return [
        fmean(similarity(a, b) for j, b in enumerate(texts) if j != i) for i, a in enumerate(texts)
    ]


def winner(answers: Sequence[Completion], weights: Sequence[float] | None = None) -> Completion:
    """The first of the answers that agree with the vote's result; the first of all without one."""
    votes = [answer_of(a.text) for a in answers]
    result = weighted(votes, weights or [1.0] * len(votes))
    return next(a for a, vote in zip(answers, votes, strict=True) if vote == result or not result)


def self_consistency(sample: Sample, generator: Generator, n: int, how: How) -> Prediction:
    """N answers to the run's prompt, one vote each (Wang et al., arXiv 2203.11171, Sec. 2)."""
    answers = generator.generate([Request(sample, n)], how)[0]
    votes = tally([answer_of(a.text) for a in answers])
    return Prediction(winner(answers).text, trace=({"step": "vote", "votes": votes},))
