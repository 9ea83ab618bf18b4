"""Numerical answers: equality after rounding, within a share, and graded by relative error."""

from reproductions.shared.rewards.numbers import relative_score, same_number, within

__all__ = ["relative_score", "same_number", "within"]
