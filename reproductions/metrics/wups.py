"""WUPS: soft match of short answers by the distance of their words in a taxonomy.

Malinowski and Fritz, NeurIPS 2014; NExT-QA reports WUPS@0 on its open questions, after dropping
stop words. Without a taxonomy a word matches only itself, which is a lower bound.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module

from reproductions.metrics.captions import tokens

__all__ = ["wordnet_similarity", "wups"]

Similarity = Callable[[str, str], float]
SCALED = 0.1
"""Factor of similarities below the threshold."""


def _same(a: str, b: str) -> float:
    return float(a == b)


@cache
def wordnet_similarity() -> Similarity | None:
    """Wu-Palmer similarity of nouns and verbs by nltk's WordNet; None if it is not installed."""
    try:
        wordnet = import_module("nltk.corpus").wordnet
        wordnet.ensure_loaded()
    except (ImportError, LookupError):
        return None

    def similarity(a: str, b: str) -> float:
        if a == b:
            return 1.0
        return max(
            (x.wup_similarity(y) or 0.0 for x in wordnet.synsets(a) for y in wordnet.synsets(b)),
            default=0.0,
        )

    return similarity


def wups(
    pred: str,
    golds: Sequence[str],
    threshold: float = 0.0,
    *,
    similarity: Similarity = _same,
    stopwords: Sequence[str] = (),
) -> float:
    """WUPS of one answer to its best reference, in [0, 1].

    Args:
        pred: The answer.
        golds: Reference answers.
        threshold: Similarities below it count a tenth (0.9 is the strict form).
        similarity: (word, word) -> similarity in [0, 1]; `wordnet_similarity()` where installed.
        stopwords: Words that do not count.
    """

    def words(text: str) -> list[str]:
        found = tokens(text)
        return [w for w in found if w not in stopwords] or found

    def scaled(a: str, b: str) -> float:
        value = similarity(a, b)
        return value if value >= threshold else SCALED * value

    def product(left: Sequence[str], right: Sequence[str]) -> float:
        value = 1.0
        for a in left:
            value *= max((scaled(a, b) for b in right), default=0.0)
        return value if left else 0.0

    p, best = words(pred), 0.0
    for gold in golds:
        g = words(gold)
        best = max(best, min(product(p, g), product(g, p)))
    return best
