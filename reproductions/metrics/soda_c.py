"""Dense captioning: SODA_c, caption scores at tIoU thresholds, and localisation F1.

An event is (start, end, caption) in seconds. SODA_c follows fujiso/SODA@9cb3e2c (Fujita et al.,
ECCV 2020) and the scores at thresholds the ActivityNet Captions evaluator, except for the text
similarity: METEOR is ours (see `captions`), since the published one needs Java.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reproductions.metrics.captions import cider, meteor

__all__ = [
    "THRESHOLDS",
    "Event",
    "dense_caption_score",
    "event_iou",
    "localisation",
    "matched",
    "ordered_matching",
    "soda_c",
    "soda_video",
]

Event = tuple[float, float, str]
Similarity = Callable[[str, Sequence[str]], float]
THRESHOLDS = (0.3, 0.5, 0.7, 0.9)


def event_iou(a: Event, b: Event) -> float:
    """Temporal IoU of two events, in [0, 1).

    The published evaluators add 1e-8 to the union, so that an overlap of exactly a half does not
    reach the threshold 0.5. Reversed events are put right, as those of Vid2Seq and TimeChat do.
    """
    (a0, a1), (b0, b1) = sorted(a[:2]), sorted(b[:2])
    common = max(0.0, min(a1, b1) - max(a0, b0))
    hull = max(a1, b1) - min(a0, b0)
    return common / (min(hull, a1 - a0 + b1 - b0) + 1e-8)


def ordered_matching(scores: Sequence[Sequence[float]]) -> float:
    """Largest sum of a one-to-one matching whose pairs keep the order of rows and columns."""
    width = len(scores[0]) if scores else 0
    row = [0.0] * (width + 1)
    for line in scores:
        above = row
        row = [0.0] * (width + 1)
        for j, value in enumerate(line):
            row[j + 1] = max(above[j + 1], row[j], above[j] + value)
    return row[width]


def soda_video(
    pred: Sequence[Event], gold: Sequence[Event], similarity: Similarity = meteor
) -> tuple[float, float, float]:
    """(precision, recall, F) of one video; zeros if either side has no event.

    The matching keeps the order in which the events stand, as the published code does. A pair
    scores tIoU times similarity, where the published code (SODA's own and TimeChat's) hands the
    true caption over as the candidate and the predicted one as its reference.
    """
    if not pred or not gold:
        return 0.0, 0.0, 0.0
    scores = []
    for a in pred:
        line = []
        for b in gold:
            iou = event_iou(a, b)
            line.append(iou * similarity(b[2], [a[2]]) if iou else 0.0)
        scores.append(line)
    best = ordered_matching(scores)
    precision, recall = best / len(pred), best / len(gold)
    both = precision + recall
    return precision, recall, 2 * precision * recall / both if both else 0.0


def soda_c(
    preds: Sequence[Sequence[Event]],
    golds: Sequence[Sequence[Sequence[Event]]],
    similarity: Similarity = meteor,
) -> float:
    """Mean F over videos, in [0, 1].

    Args:
        preds: Predicted events of each video.
        golds: For each video, one or more reference annotations; the best one counts (v1.1).
        similarity: (caption, [reference]) -> similarity in [0, 1].
    """
    best = [
        max((soda_video(p, g, similarity)[2] for g in references), default=0.0)
        for p, references in zip(preds, golds, strict=True)
    ]
    return sum(best) / len(best) if best else 0.0


def dense_caption_score(
    pred: Sequence[Event],
    golds: Sequence[Sequence[Event]],
    metric: str = "meteor",
    thresholds: Sequence[float] = THRESHOLDS,
) -> float:
    """Caption score of one video over pairs whose tIoU reaches a threshold, mean over thresholds.

    Each prediction is paired with every true event that it reaches, in any reference annotation; a
    prediction without a pair counts 0. Means over videos are the corpus score.

    Args:
        pred: Predicted events.
        golds: Reference annotations.
        metric: "meteor", or "cider" (whose weights come from this video's pairs).
        thresholds: tIoU thresholds.
    """
    total = 0.0
    for threshold in thresholds:
        pairs, lost = matched(pred, golds, threshold)
        if not pairs:
            continue
        if metric == "cider":
            # A lost prediction is paired with a text that shares nothing with it.
            texts = [p for p, _ in pairs] + [""] * len(lost)
            values = cider(texts, [[g] for _, g in pairs] + [["\u2205"]] * len(lost))
        else:
            values = [meteor(p, [g]) for p, g in pairs] + [0.0] * len(lost)
        total += sum(values) / len(values)
    return total / len(thresholds)


def matched(
    pred: Sequence[Event], golds: Sequence[Sequence[Event]], threshold: float
) -> tuple[list[tuple[str, str]], list[str]]:
    """(captions paired with all true ones they reach, captions that reach none)."""
    events = [e for reference in golds for e in reference]
    pairs: list[tuple[str, str]] = []
    lost: list[str] = []
    for p in pred:
        near = [g for g in events if event_iou(p, g) >= threshold]
        pairs += [(p[2], g[2]) for g in near]
        lost += [] if near else [p[2]]
    return pairs, lost


def localisation(
    pred: Sequence[Event],
    golds: Sequence[Sequence[Event]],
    thresholds: Sequence[float] = THRESHOLDS,
) -> tuple[float, float, float]:
    """(precision, recall, F1) of the spans of one video, means over thresholds.

    Precision: share of predictions whose tIoU with any true event is above the threshold; recall:
    share of true events so reached. Each is that of the best reference annotation (the evaluator
    of ActivityNet Captions, ranjaykrishna/densevid_eval).
    """
    precision = recall = 0.0
    references = [ref for ref in golds if ref]
    for threshold in thresholds:
        shares = [(0.0, 0.0)]
        for ref in references:
            hits = [[event_iou(p, g) > threshold for g in ref] for p in pred]
            found = sum(map(any, zip(*hits, strict=True)))
            shares.append((sum(map(any, hits)) / max(1, len(pred)), found / len(ref)))
        precision += max(p for p, _ in shares)
        recall += max(r for _, r in shares)
    precision, recall = precision / len(thresholds), recall / len(thresholds)
    both = precision + recall
    return precision, recall, 2 * precision * recall / both if both else 0.0
