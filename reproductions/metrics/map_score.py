"""Agreement of two cognitive maps: where objects lie on a grid (SpaceR)."""

from reproductions.shared.rewards.boxes import map_score

__all__ = ["map_score"]
