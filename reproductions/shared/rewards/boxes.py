"""Boxes [x0, y0, x1, y1], tracks (a box a frame), points on a map, and matching between them."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

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


_CORNERS = re.compile(r"\((-?\d{1,9}+), *+(-?\d{1,9}+)\), *+\((-?\d{1,9}+), *+(-?\d{1,9}+)\)")


def parse_region(text: str) -> list[list[float]] | None:
    """One or more boxes as lists, or one in UniVG-R1's grammar "(x0,y0),(x1,y1)", else None.

    A single box need not be a list in a list.
    """
    text = text.strip()
    corners = _CORNERS.fullmatch(text)
    if corners:
        return [[float(x) for x in corners.groups()]]
    single = text.count("[") == 1 and "(" not in text
    return parse_boxes(f"[{text}]" if single else text) or None


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
    gold: Sequence[Box],
    pred: Sequence[Box],
    iou: Callable[[Box, Box], float],
    *,
    shared: bool = False,
) -> float:
    """WCS of one cluster (CG-AV-Counting), in [0, 1]: sqrt(localisation x count penalty).

    Localisation is the mean IoU over the gold under the best assignment; the penalty is
    1 - min(1, |difference of the counts| / gold count).

    Args:
        gold: True spans or boxes.
        pred: Predicted ones.
        iou: Overlap of two of them.
        shared: Whether one prediction may serve several golds, as in the published code for spans.
    """
    if not gold or not pred:
        return 0.0
    scores = [[iou(g, p) for p in pred] for g in gold]
    if shared:
        total = sum(max(row) for row in scores)
    else:
        total = sum(scores[i][j] for i, j in assign(scores))
    penalty = 1 - min(1.0, abs(len(gold) - len(pred)) / len(gold))
    return math.sqrt(total / len(gold) * penalty)


_NUMBER = re.compile(r"-?\d++(?:\.\d++)?+")
Points = dict[str, list[list[int]]]


def parse_map(text: str, names: Iterable[str], *, safe: bool = True) -> Points:
    """Object positions from a cognitive map (SpaceR): {"chair": [[1, 2]]} or free text.

    Args:
        text: A dictionary of lists of points in braces; anything else is read as free text, where
            the numbers between an object's name and the next one are points two by two.
        names: Objects that count; case is ignored.
        safe: Whether a point beyond all floats is dropped. Officially a dictionary with one is
            read as free text, and there it raises.

    Returns:
        lower-case name -> points on the grid, fractions cut; unknown objects and malformed points
        are dropped.

    Raises:
        OverflowError: For such a point, unless `safe`.
    """
    known = {name.lower() for name in names if name}
    text = text.strip()
    value = literal(text) if text.startswith("{") and text.endswith("}") else None
    if not isinstance(value, dict):
        return _told_points(text.lower(), known, safe=safe)
    found: Points = {}
    try:
        for key, listed in value.items():
            # Marks around the name do not count.
            word = re.search(r"\w(?:.*\w)?+", str(key).lower(), re.DOTALL)
            if word and word.group() in known:
                entries = listed if isinstance(listed, list) else [listed]
                points = [p for p in (_point(e, safe=safe) for e in entries) if p]
                found.setdefault(word.group(), []).extend(points)
    except OverflowError:
        return _told_points(text.lower(), known, safe=safe)
    return {name: points for name, points in found.items() if points}


def _point(entry: object, *, safe: bool) -> list[int] | None:
    """[x, y] from a pair, a pair in another list, or the first two numbers of a text."""
    if isinstance(entry, str):
        entry = _NUMBER.findall(entry)[:2]
    if isinstance(entry, list | tuple) and len(entry) == 1 and isinstance(entry[0], list | tuple):
        entry = entry[0]
    if not isinstance(entry, list | tuple) or len(entry) != 2:
        return None
    try:
        point = [int(float(x)) if isinstance(x, str) else int(x) for x in entry]
    except (TypeError, ValueError):
        return None
    except OverflowError:
        if safe:
            return None
        raise
    return None if safe and max(map(abs, point)) > LARGEST else point


def _told_points(text: str, names: Iterable[str], *, safe: bool) -> Points:
    """Points from text that names objects as whole words; a name inside a longer one is none."""
    spans = sorted(
        (m.start(), m.end(), name)
        for name in names
        for m in re.finditer(rf"(?<![a-z]){re.escape(name)}(?![a-z])", text, re.IGNORECASE)
    )
    places: list[tuple[int, int, str]] = []
    for start, end, name in sorted(spans, key=lambda span: (span[0], -span[1])):
        if not places or end > places[-1][1]:
            places.append((start, end, name))
    found: Points = {}
    stops = [start for start, _, _ in places[1:]]
    for (_, at, name), stop in zip(places, [*stops, len(text)], strict=False):
        numbers = _NUMBER.findall(text, at, max(at, stop))
        pairs = zip(numbers[::2], numbers[1::2], strict=False)
        points = [p for p in (_point(list(pair), safe=safe) for pair in pairs) if p]
        if points:
            found.setdefault(name, []).extend(points)
    return found


def map_score(
    pred: Mapping[str, Sequence[Box]], gold: Mapping[str, Sequence[Box]], grid: float = 10
) -> float:
    """Agreement of two maps (SpaceR), in [0, 1]; 1.0 if both are empty.

    Points of an object are matched one to one, the nearest pair first; a pair scores
    max(0, 1 - distance / (grid x sqrt 2)), divided by the larger of both counts. Objects weigh as
    much as they have gold points.
    """
    total = sum(len(points) for points in gold.values())
    if not total:
        return float(not pred)
    score = 0.0
    for name, points in gold.items():
        found = pred.get(name, ())
        near = sorted(
            (math.dist(p, g), i, j) for i, p in enumerate(found) for j, g in enumerate(points)
        )
        used: tuple[set[int], set[int]] = (set(), set())
        hits = 0.0
        for distance, i, j in near:
            if i not in used[0] and j not in used[1]:
                used[0].add(i)
                used[1].add(j)
                hits += max(0.0, 1 - distance / (grid * math.sqrt(2)))
        score += hits / max(len(found), len(points), 1) * len(points)
    return score / total
