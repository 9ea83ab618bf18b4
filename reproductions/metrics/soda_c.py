"""Dense captioning: SODA_c, caption scores at tIoU thresholds, and localisation F1.

An event is (start, end, caption) in seconds. SODA_c follows fujiso/SODA@9cb3e2c (Fujita et al.,
ECCV 2020) and the scores at thresholds the ActivityNet Captions evaluator, except for the text
similarity: METEOR is ours (see `captions`), since the published one needs Java.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reproductions.metrics.captions import cider, meteor
from reproductions.shared.rewards.intervals import union_iou

__all__ = [
    "THRESHOLDS",
    "Event",
    "dense_caption_score",
    "localisation",
    "ordered_matching",
    "soda_c",
    "soda_video",
]

Event = tuple[float, float, str]
Similarity = Callable[[str, Sequence[str]], float]
THRESHOLDS = (0.3, 0.5, 0.7, 0.9)


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

    Events are put in order of their start (the published code takes them as they stand; both
    files are sorted). A pair scores tIoU times similarity.
    """
    p, g = sorted(pred), sorted(gold)
    if not p or not g:
        return 0.0, 0.0, 0.0
    scores = []
    for a in p:
        line = []
        for b in g:
            iou = union_iou(a[:2], b[:2])
            line.append(iou * similarity(a[2], [b[2]]) if iou else 0.0)
        scores.append(line)
    best = ordered_matching(scores)
    precision, recall = best / len(p), best / len(g)
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
    events = [e for reference in golds for e in reference]
    total = 0.0
    for threshold in thresholds:
        pairs, lost = [], 0
        for p in pred:
            near = [g for g in events if union_iou(p[:2], g[:2]) >= threshold]
            pairs += [(p[2], g[2]) for g in near]
            lost += not near
        if not pairs:
            continue
        if metric == "cider":
            # A lost prediction is paired with a text that shares nothing with it.
            texts = [p for p, _ in pairs] + [""] * lost
            values = cider(texts, [[g] for _, g in pairs] + [["\u2205"]] * lost)
        else:
            values = [meteor(p, [g]) for p, g in pairs] + [0.0] * lost
        total += sum(values) / len(values)
    return total / len(thresholds)


def localisation(
    pred: Sequence[Event],
    golds: Sequence[Sequence[Event]],
    thresholds: Sequence[float] = THRESHOLDS,
) -> tuple[float, float, float]:
    """(precision, recall, F1) of the spans of one video, means over thresholds.

    Precision: share of predictions that reach any true event; recall: share of true events that
    are reached, of the best reference annotation.
    """
    precision = recall = 0.0
    for threshold in thresholds:
        events = [e for reference in golds for e in reference]
        reached = [any(union_iou(p[:2], g[:2]) >= threshold for g in events) for p in pred]
        precision += sum(reached) / len(pred) if pred else 0.0
        recall += max(
            (
                sum(any(union_iou(p[:2], g[:2]) >= threshold for p in pred) for g in ref) / len(ref)
                for ref in golds
                if ref
            ),
            default=0.0,
        )
    precision, recall = precision / len(thresholds), recall / len(thresholds)
    both = precision + recall
    return precision, recall, 2 * precision * recall / both if both else 0.0
