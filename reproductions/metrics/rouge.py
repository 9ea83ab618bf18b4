"""ROUGE F-measures of short free-form answers."""

from reproductions.shared.rewards.text import rouge, rouge_mean

__all__ = ["rouge", "rouge_mean"]
