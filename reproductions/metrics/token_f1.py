"""Similarity of short open answers to a reference, without a model."""

from __future__ import annotations

from reproductions.shared.rewards.text import (
    anls,
    bleu,
    edit_distance,
    exact_match,
    token_f1,
    word_accuracy,
)

__all__ = ["anls", "bleu", "edit_similarity", "exact_match", "token_f1", "word_accuracy"]


def edit_similarity(pred: str, gold: str) -> float:
    """1 - Levenshtein distance / longer length, in [0, 1]; 1.0 for two empty texts."""
    size = max(len(pred), len(gold))
    return 1.0 - edit_distance(pred, gold) / size if size else 1.0
