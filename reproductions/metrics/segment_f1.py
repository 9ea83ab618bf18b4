"""F1 of sets of time spans: by covered length, and by matched spans."""

from reproductions.shared.rewards.intervals import coverage_f1, f1_at, set_iou

__all__ = ["coverage_f1", "f1_at", "set_iou"]
