"""The number that stands for a benchmark: which one, of what metric, and its interval."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from reproductions.shared.evaluation.cards import finite_interval
from reproductions.shared.evaluation.statistics import score_interval
from reproductions.shared.method import Sample

RESAMPLES = 400
"""Draws of the bootstrap over videos, for scores that are no mean of the items' values."""
CORPUS = ("CIDEr", *(f"BLEU-{n}" for n in range(1, 5)))
"""Scores of a set as a whole: each draw of a bootstrap would take as long as the scoring."""
METRICS: dict[str, tuple[str, ...]] = {
    "acc_at_gqa": ("Acc@GQA",),
    "acc_at_iou": ("Acc@IoU",),
    "accuracy": ("accuracy",),
    "average_overlap": ("AO",),
    "bleu": ("BLEU-4",),
    "cider": ("CIDEr",),
    "circular_accuracy": ("circular accuracy",),
    "f1": ("F1",),
    "group_score": ("group score",),
    "j_and_f": ("J&F",),
    "macro_accuracy": ("macro accuracy", "mean over modes", "overall"),
    "map_at_iou": ("mAP",),
    "meteor": ("METEOR",),
    "miou": ("mIoU",),
    "multi_binary_accuracy": ("multi-binary accuracy",),
    "ndcg": ("NDCG",),
    "nonlinear_group_score": ("group score",),
    "pair_accuracy": ("pair accuracy",),
    "pauc": ("PAUC",),
    "recall_at_iou": ("R@1 IoU=0.3",),
    "rouge": ("ROUGE-L",),
    "soda_c": ("SODA_c",),
    "token_f1": ("F1",),
    "v_iou": ("m_vIoU",),
}
"""Metric id -> names of the numbers that are this metric, the preferred one first."""


class BenchmarkError(Exception):
    """A benchmark cannot be asked or scored as wanted."""


def headline_of(benchmark: Any, numbers: Mapping[str, Any]) -> tuple[str, str]:
    """(metric id, name of the number) of the score that stands for a benchmark.

    The first of the benchmark's metrics that was computed; where none was, what the first number
    is: a published metric may need a judge, or fields that the questions lack.

    Raises:
        BenchmarkError: Nothing here says what metric the first number is.
    """
    for metric in benchmark.metrics:
        for name in METRICS.get(metric, ()):
            if name in numbers:
                return metric, name
    first = next(iter(numbers), "")
    for metric, names in METRICS.items():
        if first in names and metric != "f1":  # of texts without a judge: F1 of their words
            return metric, first
    raise BenchmarkError(f"{benchmark.id}: no metric is known for the number '{first}'.")


def interval_of(
    benchmark: Any, samples: Sequence[Sample], graded: Sequence[Any], name: str
) -> tuple[tuple[float, float] | None, str]:
    """95 % interval of the number `name`, and how it was computed.

    A mean of the items' values takes the interval of a mean; any other score is computed again on
    resampled videos.
    """
    if name in CORPUS:
        return None, "none: a score of the whole set"
    number = benchmark.numbers(samples, graded)[name]
    clusters = [s.video or s.id for s in samples]
    values = [g.values.get(name) for g in graded]
    if all(v is not None for v in values) and abs(fmean(values) - number.value) < 1e-9:
        found = score_interval(values, clusters)
        return finite_interval(found.low, found.high), found.method
    videos: dict[str, list[int]] = {}
    for i, video in enumerate(clusters):
        videos.setdefault(video, []).append(i)
    if len(videos) < 2:
        return None, "none: one video"
    rng, drawn = random.Random(0), []
    groups = list(videos.values())
    for _ in range(RESAMPLES):
        chosen = [i for group in rng.choices(groups, k=len(groups)) for i in group]
        some = benchmark.numbers([samples[i] for i in chosen], [graded[i] for i in chosen])
        if name in some:
            drawn.append(some[name].value)
    drawn.sort()
    if not drawn:
        return None, "none"
    ends = drawn[int(0.025 * len(drawn))], drawn[min(len(drawn) - 1, int(0.975 * len(drawn)))]
    return finite_interval(*ends), f"bootstrap over {len(videos)} videos, {len(drawn)} draws"
