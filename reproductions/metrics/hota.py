"""HOTA: detection and association of several tracks in one number."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from reproductions.shared.rewards.boxes import assign

__all__ = ["THRESHOLDS", "hota"]

THRESHOLDS = tuple(round(0.05 * i, 2) for i in range(1, 20))
Frame = tuple[Sequence[int], Sequence[int], Sequence[Sequence[float]]]
"""(true ids, predicted ids, similarity of each true one to each predicted one) of a frame."""


def hota(frames: Sequence[Frame], thresholds: Sequence[float] = THRESHOLDS) -> Mapping[str, float]:
    """HOTA, DetA and AssA of one sequence, means over the localisation thresholds, in [0, 1].

    Each frame is matched once, so that the sum of global alignment times similarity is largest; a
    match counts at the thresholds that its similarity reaches. That is TrackEval's rule
    (JonathonLuiten/TrackEval@12c8791 trackeval/metrics/hota.py). The paper matches anew for each
    threshold, among the pairs that reach it (Luiten et al., IJCV 2021, Sec. 5).
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
    matches: list[tuple[int, int, float]] = []
    for golds, preds, similarity in frames:
        scores = [
            [alignment.get((g, p), 0.0) * similarity[i][j] for j, p in enumerate(preds)]
            for i, g in enumerate(golds)
        ]
        if golds and preds:
            matches += [(golds[i], preds[j], similarity[i][j]) for i, j in assign(scores)]
    sums = {"HOTA": 0.0, "DetA": 0.0, "AssA": 0.0}
    for threshold in thresholds:
        matched = Counter((g, p) for g, p, value in matches if value >= threshold - 1e-12)
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
