"""Boxes [x0, y0, x1, y1], tracks (a box a frame), points on a map, and matching between them."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping, Sequence

Box = Sequence[float]

LARGEST = 1e150


def box_area(box: Box) -> float:
    """Signed area: negative if exactly one side is reversed."""
    return (box[2] - box[0]) * (box[3] - box[1])


def box_iou(a: Box, b: Box) -> float:
    """IoU of two boxes; areas are signed, and an empty union scores 0.0."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = box_area(a) + box_area(b) - width * height
    return width * height / union if union else 0.0


def sorted_box(box: Box) -> list[float]:
    """The box with its corners in order."""
    return [min(box[0], box[2]), min(box[1], box[3]), max(box[0], box[2]), max(box[1], box[3])]


def pixel_iou(a: Box, b: Box) -> float:
    """IoU on inclusive pixels of VLM-R1 (`iou_reward`): boxes thinner than 2 pixels never overlap.

    The intersection counts pixels from max(x0) to min(x1) - 1; the union does not.
    """
    x0, y0 = max(a[0], b[0]), max(a[1], b[1])
    x1, y1 = min(a[2] - 1, b[2] - 1), min(a[3] - 1, b[3] - 1)
    inter = (x1 - x0 + 1) * (y1 - y0 + 1) if x0 < x1 and y0 < y1 else 0
    union = box_area(a) + box_area(b) - inter
    return inter / union if union else 0.0


def parse_boxes(text: str, count: int | None = None) -> list[list[float]] | None:
    """A list of boxes written as nested lists, None if it is anything else.

    Args:
        text: For example "[[0.1, 0.1, 0.5, 0.5], ..]"; line feeds are ignored.
        count: The number of boxes required.
    """
    value = literal(text.replace("\n", ""))
    if not isinstance(value, list | tuple) or (count is not None and len(value) != count):
        return None
    for box in value:
        if not isinstance(box, list | tuple) or len(box) != 4 or not all(map(_is_number, box)):
            return None
    return [list(box) for box in value]


def _is_number(value: object) -> bool:
    """Whether it is a number whose square is a finite float, so that nothing later overflows."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and -LARGEST < value < LARGEST
    )


def literal(text: str, longest: int = 20_000) -> object:
    """The Python literal in the text as data, None if there is none or it is too long or deep."""
    if len(text) > longest or max(text.count(c) for c in "[({-") > longest // 20:
        return None
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def track_iou(pred: Sequence[Box], gold: Sequence[Box]) -> float:
    """Mean box IoU over frames, 0.0 if the lengths differ."""
    if len(pred) != len(gold) or not gold:
        return 0.0
    return sum(box_iou(p, g) for p, g in zip(pred, gold, strict=True)) / len(gold)


def track_score(pred: Sequence[Box], gold: Sequence[Box]) -> float:
    """`track_iou` in [0, 1], the corners put in order."""
    if len(pred) != len(gold) or not gold:
        return 0.0
    pairs = [box_iou(sorted_box(p), sorted_box(g)) for p, g in zip(pred, gold, strict=True)]
    return min(1.0, max(0.0, math.fsum(pairs) / len(gold)))


def assign(scores: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """The one-to-one assignment of rows to columns with the largest sum (Hungarian method)."""
    rows, columns = len(scores), len(scores[0]) if scores else 0
    if rows == 0 or columns == 0:
        return []
    if rows > columns:
        flipped = [[scores[i][j] for i in range(rows)] for j in range(columns)]
        return sorted((i, j) for j, i in assign(flipped))
    u, v = [0.0] * (rows + 1), [0.0] * (columns + 1)
    match, way = [0] * (columns + 1), [0] * (columns + 1)
    for i in range(1, rows + 1):
        match[0], j = i, 0
        least, done = [math.inf] * (columns + 1), [False] * (columns + 1)
        while match[j]:
            done[j] = True
            row, delta, nearest = match[j], math.inf, 0
            for k in range(1, columns + 1):
                if not done[k]:
                    cost = -scores[row - 1][k - 1] - u[row] - v[k]
                    if cost < least[k]:
                        least[k], way[k] = cost, j
                    if least[k] < delta:
                        delta, nearest = least[k], k
            for k in range(columns + 1):
                if done[k]:
                    u[match[k]] += delta
                    v[k] -= delta
                else:
                    least[k] -= delta
            j = nearest
        while j:
            match[j], j = match[way[j]], way[j]
    return sorted((match[j] - 1, j - 1) for j in range(1, columns + 1) if match[j])


def weighted_clue_score(
    gold: Sequence[Box], pred: Sequence[Box], iou: Callable[[Box, Box], float]
) -> float:
    """WCS of one cluster (CG-AV-Counting), in [0, 1]: sqrt(localisation x count penalty).

    Localisation is the mean IoU over the gold under the best assignment; the penalty is
    1 - min(1, |difference of the counts| / gold count).
    """
    if not gold or not pred:
        return 0.0
    scores = [[iou(g, p) for p in pred] for g in gold]
    located = sum(scores[i][j] for i, j in assign(scores)) / len(gold)
    return math.sqrt(located * (1 - min(1.0, abs(len(gold) - len(pred)) / len(gold))))


_POINT = re.compile(r"[\[(]\s*+(\d++)\s*+,\s*+(\d++)\s*+[\])]")
Points = dict[str, list[list[int]]]


def parse_map(text: str, names: Sequence[str]) -> Points:
    """Object positions from a cognitive map (SpaceR): {"chair": [[1, 2]]} or free text.

    Args:
        text: A dictionary of lists of points; where that fails, "chair [1,2] [3,4]; tv (7, 8)".
        names: Objects that count, lower case.

    Returns:
        name -> points on the grid; unknown objects and malformed points are dropped.
    """
    found: Points = {}
    value = literal(text)
    if isinstance(value, dict):
        for key, points in value.items():
            name = str(key).lower()
            if name not in names:
                continue
            if isinstance(points, str):
                pairs = [[int(x), int(y)] for x, y in re.findall(r"(\d{1,9}),\s?(\d{1,9})", points)]
            elif isinstance(points, list | tuple):
                pairs = [
                    [int(p[0]), int(p[1])]
                    for p in points
                    if isinstance(p, list | tuple) and len(p) == 2 and all(map(_is_number, p))
                ]
            else:
                pairs = []
            if pairs:
                found[name] = pairs
        return found
    lower = text.lower()
    places = sorted((lower.find(n), n) for n in names if n in lower)
    for i, (start, name) in enumerate(places):
        end = places[i + 1][0] if i + 1 < len(places) else len(lower)
        points = _POINT.findall(lower, start, end)
        if points:
            found[name] = [[int(x), int(y)] for x, y in points if len(x) < 10 and len(y) < 10]
    return found


def map_score(
    pred: Mapping[str, Sequence[Box]], gold: Mapping[str, Sequence[Box]], grid: int = 10
) -> float:
    """Agreement of two maps (SpaceR), in [0, 1].

    Each predicted point is matched to the nearest free gold point of its object; a pair scores
    max(0, 1 - distance / (grid x sqrt 2)), divided by the larger of both counts. Objects weigh as
    much as they have gold points.
    """
    total = sum(len(points) for points in gold.values())
    score = 0.0
    for name, points in gold.items():
        found = pred.get(name, ())
        free = [list(p) for p in points]
        size = max(len(found), len(points))
        hits = 0.0
        for point in found:
            if not free:
                break
            distances = [math.dist(point, p) for p in free]
            nearest = min(range(len(free)), key=distances.__getitem__)
            hits += max(0.0, 1 - distances[nearest] / (grid * math.sqrt(2)))
            free.pop(nearest)
        score += hits / size * len(points) if size else 0.0
    return score / total if total else 0.0
