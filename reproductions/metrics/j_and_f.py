"""Video object segmentation: region similarity J, boundary accuracy F and their mean.

Masks are rows of bits (a Python integer a row, bit c is column c), so that overlaps and dilations
are a few operations on big integers and need no array library.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Mask", "boundary_f", "decode_rle", "encode_rle", "from_rows", "j_and_f", "region_j"]

TOLERANCE = 0.008
"""Boundary tolerance as a share of the image diagonal (DAVIS 2017)."""
MAX_PIXELS = 2**26


@dataclass(frozen=True)
class Mask:
    """A binary mask: `rows[y] >> x & 1` is the pixel at (x, y)."""

    rows: tuple[int, ...]
    width: int

    @property
    def area(self) -> int:
        """Number of pixels that are set."""
        return sum(row.bit_count() for row in self.rows)


def from_rows(rows: Iterable[Sequence[object]]) -> Mask:
    """A mask from nested lists of truth values, row by row.

    Raises:
        ValueError: The rows differ in length.
    """
    table = [list(row) for row in rows]
    width = len(table[0]) if table else 0
    if any(len(row) != width for row in table):
        raise ValueError("a mask needs rows of one length")
    return Mask(tuple(sum(1 << x for x, v in enumerate(row) if v) for row in table), width)


def decode_rle(size: Sequence[int], counts: str | Sequence[int]) -> Mask:
    """A mask from COCO's run-length code: column by column, runs of 0 and 1 in turn.

    Args:
        size: (height, width).
        counts: Lengths of the runs, or COCO's compressed text of them.

    Raises:
        ValueError: The runs do not fill the image.
    """
    height, width = int(size[0]), int(size[1])
    if height < 0 or width < 0 or height * width > MAX_PIXELS:
        raise ValueError(f"a mask of {height} x {width} is refused")
    runs = _uncompressed(counts) if isinstance(counts, str) else [int(n) for n in counts]
    if any(n < 0 for n in runs) or sum(runs) != height * width:
        raise ValueError(f"runs of {sum(runs)} pixels do not fill {height} x {width}")
    rows = [0] * height
    at = 0
    for i, run in enumerate(runs):
        if i % 2:
            for pixel in range(at, at + run):
                rows[pixel % height] |= 1 << pixel // height
        at += run
    return Mask(tuple(rows), width)


def _uncompressed(text: str) -> list[int]:
    """COCO's text of runs: 5 bits a character, the third run on relative to the one two before."""
    runs: list[int] = []
    at = 0
    while at < len(text):
        value = shift = 0
        more = True
        while more:
            if at >= len(text):
                raise ValueError("the run-length text ends in the middle of a number")
            code = ord(text[at]) - 48
            if not 0 <= code < 64:
                raise ValueError(f"{text[at]!r} is no character of a run-length text")
            value |= (code & 31) << 5 * shift
            more = bool(code & 32)
            at += 1
            shift += 1
            if not more and code & 16:
                value |= -1 << 5 * shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
    return runs


def encode_rle(mask: Mask) -> list[int]:
    """COCO's uncompressed runs of a mask, column by column."""
    runs, last, length = [], 0, 0
    for x in range(mask.width):
        for row in mask.rows:
            bit = row >> x & 1
            if bit != last:
                runs.append(length)
                last, length = bit, 0
            length += 1
    return [*runs, length]


def region_j(pred: Mask, gold: Mask) -> float:
    """J: IoU of two masks, 1.0 if both are empty."""
    common = sum((p & g).bit_count() for p, g in zip(pred.rows, gold.rows, strict=True))
    union = sum((p | g).bit_count() for p, g in zip(pred.rows, gold.rows, strict=True))
    return common / union if union else 1.0


def _boundary(mask: Mask) -> Mask:
    """Pixels that differ from the neighbour to the right, below, or below right."""
    height, last = len(mask.rows), mask.width - 1
    inner = (1 << max(last, 0)) - 1
    rows = []
    for y, row in enumerate(mask.rows):
        if y == height - 1:
            rows.append((row ^ row >> 1) & inner)
            continue
        below = mask.rows[y + 1]
        found = (row ^ row >> 1) | (row ^ below) | (row ^ below >> 1)
        rows.append(found & inner | (row ^ below) & ~inner & (1 << mask.width) - 1)
    return Mask(tuple(rows), mask.width)


def _dilated(mask: Mask, radius: int) -> Mask:
    """The mask grown by a disk."""
    full = (1 << mask.width) - 1
    height = len(mask.rows)
    wide: dict[int, list[int]] = {}
    for dy in range(radius + 1):
        half = math.isqrt(radius * radius - dy * dy)
        if half not in wide:
            grown = []
            for row in mask.rows:
                value = row
                for dx in range(1, half + 1):
                    value |= row << dx | row >> dx
                grown.append(value & full)
            wide[half] = grown
    rows = [0] * height
    for dy in range(-radius, radius + 1):
        part = wide[math.isqrt(radius * radius - dy * dy)]
        for y in range(max(0, -dy), min(height, height - dy)):
            rows[y + dy] |= part[y]
    return Mask(tuple(rows), mask.width)


def boundary_f(pred: Mask, gold: Mask, tolerance: float = TOLERANCE) -> float:
    """F: F-measure of the outlines within a distance, in [0, 1]; 1.0 if neither has an outline.

    Args:
        pred: Predicted mask.
        gold: True mask of the same size.
        tolerance: Distance, as a share of the diagonal (rounded up) or, from 1 on, in pixels.
    """
    height = len(gold.rows)
    radius = int(
        tolerance if tolerance >= 1 else math.ceil(tolerance * math.hypot(height, gold.width))
    )
    p, g = _boundary(pred), _boundary(gold)
    p_area, g_area = p.area, g.area
    if not p_area and not g_area:
        return 1.0
    if not p_area or not g_area:
        return 0.0
    near_g, near_p = _dilated(g, radius), _dilated(p, radius)
    precision = sum((a & b).bit_count() for a, b in zip(p.rows, near_g.rows, strict=True)) / p_area
    recall = sum((a & b).bit_count() for a, b in zip(g.rows, near_p.rows, strict=True)) / g_area
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def j_and_f(pred: Sequence[Mask], gold: Sequence[Mask]) -> tuple[float, float, float]:
    """(J&F, J, F) of one object: means over the frames; (0, 0, 0) without frames."""
    pairs = list(zip(pred, gold, strict=True))
    if not pairs:
        return 0.0, 0.0, 0.0
    j = sum(region_j(p, g) for p, g in pairs) / len(pairs)
    f = sum(boundary_f(p, g) for p, g in pairs) / len(pairs)
    return (j + f) / 2, j, f
