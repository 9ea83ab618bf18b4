"""HOTA: detection and association of several tracks in one number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from reproductions.shared.rewards.boxes import assign

__all__ = ["THRESHOLDS", "hota"]

THRESHOLDS = tuple(round(0.05 * i, 2) for i in range(1, 20))
Frame = tuple[Sequence[int], Sequence[int], Sequence[Sequence[float]]]
"""(true ids, predicted ids, similarity of each true one to each predicted one) of a frame."""


def hota(frames: Sequence[Frame], thresholds: Sequence[float] = THRESHOLDS) -> Mapping[str, float]:
    """HOTA, DetA and AssA of one sequence, means over the localisation thresholds, in [0, 1].

    Frame by frame, detections are matched so that first the number of matches and then the global
    alignment of the tracks weighted by similarity is largest (Luiten et al., IJCV 2021, Sec. 5;
    the order of JonathonLuiten/TrackEval).
    """
    gold_count: dict[int, int] = {}
    pred_count: dict[int, int] = {}
    potential: dict[tuple[int, int], float] = {}
    for golds, preds, similarity in frames:
        for g in golds:
            gold_count[g] = gold_count.get(g, 0) + 1
        for p in preds:
            pred_count[p] = pred_count.get(p, 0) + 1
        rows = [sum(row) for row in similarity]
        columns = [sum(row[j] for row in similarity) for j in range(len(preds))]
        for i, g in enumerate(golds):
            for j, p in enumerate(preds):
                value = similarity[i][j]
                union = rows[i] + columns[j] - value
                if union > 1e-12:
                    potential[g, p] = potential.get((g, p), 0.0) + value / union
    alignment = {(g, p): v / (gold_count[g] + pred_count[p] - v) for (g, p), v in potential.items()}
    total_gold, total_pred = sum(gold_count.values()), sum(pred_count.values())
    sums = {"HOTA": 0.0, "DetA": 0.0, "AssA": 0.0}
    for threshold in thresholds:
        matched: dict[tuple[int, int], int] = {}
        for golds, preds, similarity in frames:
            if not golds or not preds:
                continue
            # One match outweighs any alignment, as the lexicographic choice wants.
            scores = [
                [
                    (1000.0 + alignment.get((g, p), 0.0) * similarity[i][j])
                    if similarity[i][j] >= threshold - 1e-12
                    else 0.0
                    for j, p in enumerate(preds)
                ]
                for i, g in enumerate(golds)
            ]
            for i, j in assign(scores):
                if scores[i][j] > 0:
                    pair = golds[i], preds[j]
                    matched[pair] = matched.get(pair, 0) + 1
        hits = sum(matched.values())
        union = total_gold + total_pred - hits
        detection = hits / union if union else 0.0
        association = (
            sum(n * n / (gold_count[g] + pred_count[p] - n) for (g, p), n in matched.items()) / hits
            if hits
            else 0.0
        )
        sums["DetA"] += detection
        sums["AssA"] += association
        sums["HOTA"] += math.sqrt(detection * association)
    return {name: value / len(thresholds) for name, value in sums.items()}
