"""Logs for other harnesses (lmms-eval, VLMEvalKit), and result blocks for the hub.

Formats as of EvolvingLMMs-Lab/lmms-eval@75571cf and open-compass/VLMEvalKit@e8e78f0.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from reproductions.shared.evaluation.log_forms import InteropError
from reproductions.shared.method import Sample
from vidpost.catalog.models import BenchmarkEntry, MetricEntry, ResultCard


def to_lmms_eval(
    answers: Iterable[tuple[Sample, Any]], path: Path, docs: Mapping[str, Mapping[str, Any]]
) -> int:
    """Write answers as lmms-eval's sample log; returns how many.

    Args:
        answers: (sample, answer); an answer that is no text is written as JSON.
        path: The file.
        docs: Sample id -> the benchmark's own record; ids without one get the sample's fields.
    """
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for i, (sample, answer) in enumerate(answers):
            text = "" if answer is None else answer if isinstance(answer, str) else _dump(answer)
            doc = docs.get(sample.id) or _doc(sample)
            record = {
                "doc_id": i,
                "doc": doc,
                "target": sample.answer,
                "arguments": {},
                "resps": [[text]],
                "filtered_resps": [text],
            }
            file.write(_dump(record) + "\n")
            count += 1
    return count


def _doc(sample: Sample) -> dict[str, Any]:
    return {
        "id": sample.id,
        "question": sample.question,
        "options": list(sample.options),
        "answer": sample.answer,
        "video": sample.video,
        "task": sample.task,
    }


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def to_vlmevalkit(answers: Iterable[tuple[Sample, Any]], path: Path) -> int:
    """Write answers as VLMEvalKit's table (.tsv, read with PRED_FORMAT=tsv); returns how many.

    Raises:
        InteropError: The name does not end in .tsv.
    """
    if path.suffix != ".tsv":
        raise InteropError(f"{path}: VLMEvalKit's table is written as .tsv. Name it so.")
    rows = list(answers)
    most = max((len(s.options) for s, _ in rows), default=0)
    letters = [chr(65 + i) for i in range(most)]
    buffer = io.StringIO()
    names = ["index", "id", "video", "task_type", "question", *letters, "answer", "prediction"]
    table = csv.DictWriter(buffer, names, delimiter="\t", lineterminator="\n")
    table.writeheader()
    for i, (sample, answer) in enumerate(rows):
        own = {o[0]: o.partition(". ")[2] for o in sample.options}
        table.writerow(
            {
                "index": i,
                "id": sample.id,
                "video": sample.video or "",
                "task_type": sample.task,
                "question": sample.question,
                **{x: own.get(x, "") for x in letters},
                "answer": sample.answer,
                "prediction": "" if answer is None else answer
                if isinstance(answer, str) else _dump(answer),
            }
        )  # fmt: skip
    path.write_text(buffer.getvalue(), encoding="utf-8")
    return len(rows)


def model_index(
    card: ResultCard, model: str, benchmark: BenchmarkEntry | None, metric: MetricEntry | None
) -> str:
    """The `model-index` block of a hub model card, as YAML to stand between its `---` lines.

    The hub shows percentages; a metric whose unit is a fraction is multiplied by 100. Protocol and
    interval are in the metric's arguments, so that nobody compares across protocols unawares.

    Args:
        card: The result.
        model: Name of the model on the hub.
        benchmark: The benchmark's entry, None for "synthetic".
        metric: The metric's entry.
    """
    percent = metric is not None and metric.unit == "fraction"
    scale = 100.0 if percent else 1.0
    value = round(scale * card.score, 4)
    dataset: dict[str, Any] = {
        "name": benchmark.name if benchmark else card.benchmark,
        "type": (benchmark.hf_ids or (card.benchmark,))[0] if benchmark else card.benchmark,
        "revision": card.benchmark_revision,
    }
    if card.task != "all":
        dataset["config"] = card.task
    frames = (
        f"{card.protocol.frames} frames"
        if card.protocol.frames
        else f"{card.protocol.fps:g} fps"
        if card.protocol.fps
        else "see protocol"
    )
    block = {
        "model-index": [
            {
                "name": model,
                "results": [
                    {
                        "task": {"type": "video-text-to-text"},
                        "dataset": dataset,
                        "metrics": [
                            {
                                "name": f"{metric.name if metric else card.metric} ({frames}"
                                f"{', subtitles' if card.protocol.subtitles else ''})",
                                "type": card.metric,
                                "value": value,
                                "verified": False,
                                "args": {
                                    "n": card.n,
                                    "interval": [round(scale * x, 4) for x in card.interval],
                                    "level": card.level,
                                    "protocol": card.fingerprint,
                                    "extractor": card.protocol.extractor,
                                    "kind": card.kind,
                                },
                            }
                        ],
                    }
                ],
            }
        ]
    }
    return yaml.safe_dump(block, sort_keys=False, allow_unicode=True)


def eval_result(card: ResultCard, benchmark: BenchmarkEntry | None) -> str:
    """The entry of `.eval_results/*.yaml` in a hub model repository (community evals), as YAML.

    Raises:
        InteropError: The benchmark has no data set on the hub to refer to, or the card is a
            miniature, which is no result of the benchmark.
    """
    if card.kind == "miniature":
        raise InteropError("a miniature is no result of the benchmark; it is not published.")
    if benchmark is None or not benchmark.hf_ids:
        raise InteropError(f"{card.benchmark} names no hub data set (hf_ids) to report to.")
    entry: dict[str, Any] = {
        "dataset": {
            "id": benchmark.hf_ids[0],
            "task_id": card.task if card.task != "all" else card.metric,
            "revision": card.benchmark_revision,
        },
        "value": card.score,
        "date": card.date.isoformat(),
        "notes": f"{card.metric}, n {card.n}, protocol {card.fingerprint}, "
        f"{card.protocol.extractor}, commit {card.commit}",
    }
    return yaml.safe_dump([entry], sort_keys=False, allow_unicode=True)
