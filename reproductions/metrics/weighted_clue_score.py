"""Weighted clue score of CG-AV-Counting: does a count rest on the right clues?"""

from reproductions.shared.rewards.boxes import weighted_clue_score

__all__ = ["weighted_clue_score"]
