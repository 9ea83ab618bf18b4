"""The end of a run: evaluate every checkpoint, test the differences, write card and report."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

from reproductions.shared.evaluation.cards import (
    finite_interval,
    run_facts,
    weights_sha256,
    write_card,
)
from reproductions.shared.evaluation.protocol import build_protocol
from reproductions.shared.evaluation.report import write_report
from reproductions.shared.evaluation.runner import EXTRACTOR, evaluate
from reproductions.shared.evaluation.statistics import compare, score_interval
from reproductions.shared.inference.engine import Sampling
from reproductions.shared.inference.hf import HFGenerator
from reproductions.shared.method import Method, Sample
from reproductions.shared.models.encode import Encoder
from reproductions.shared.models.load import load_model, load_processor
from reproductions.shared.progress import bar
from reproductions.shared.rewards.rules import accuracy
from reproductions.shared.video.spec import FrameSpec
from vidpost.catalog.models import Protocol
from vidpost.catalog.preset import Preset

SCORE = accuracy("video_r1")
"""The score of an answer, whatever the method was rewarded for; named in the protocol."""


def conclude(
    method: Method,
    preset: Preset,
    samples: Sequence[Sample],
    checkpoints: Mapping[str, str | Path],
    folder: Path,
    *,
    benchmark: str,
    revision: str,
    spec: FrameSpec,
    read: Callable[[str], Any],
    device: str,
    seconds: dict[str, float],
    started: float,
    preset_name: str,
    overrides: Mapping[str, Any],
    command: str,
) -> None:
    """Evaluate all checkpoints on the held-out samples and write what was seen.

    Args:
        method: The method over its baseline.
        preset: Settings of the run.
        samples: Held-out questions.
        checkpoints: Name ("base", "sft", "rl") -> folder or hub id, in order.
        folder: Run folder.
        benchmark: Name of the questions' data set.
        revision: Its revision.
        spec: Which frames of a video are shown.
        read: Reads the frames of a video.
        device: "cpu" or "cuda".
        seconds: Seconds of each phase so far; shown in the report.
        started: When this process started the run (time.time()).
        preset_name: Name of the preset.
        overrides: Overrides of it.
        command: The shell line that repeats the run.
    """
    protocol = protocol_of(method, preset, samples, spec)
    records: dict[str, list[dict[str, Any]]] = {}
    for name, source in checkpoints.items():
        records[name] = answers(
            name, source, method, preset, samples, folder, read, device, protocol
        )
    evaluation = summarise(records)
    evaluation |= {"seconds": seconds, "command": command}
    _write_json(folder / "evaluation.json", evaluation)
    last = list(checkpoints)[-1]
    everything = evaluation["rows"]
    final = next(r for r in everything if r["checkpoint"] == last and r["task"] == "all")
    mini = preset.model.id == "tiny" or benchmark == "synthetic"
    facts = run_facts(hours=round((time.time() - started) / 3600, 4))
    source = checkpoints[last]
    card = {
        "kind": "miniature" if mini else "reproduction",
        "method": method.id,
        "preset": preset_name,
        "variant": preset.variant,
        "overrides": dict(overrides),
        **facts,
        "seeds": [preset.seed],
        "checkpoint": {
            "stage": last,
            "sha256": weights_sha256(Path(source)) if Path(source).is_dir() else None,
        },
        "benchmark": benchmark,
        "benchmark_revision": revision,
        "metric": "accuracy",
        "task": "all",
        "n": final["n"],
        "score": final["score"],
        "interval": final["interval"],
        "level": 0.95,
        "interval_method": final["interval_method"],
        "scores": [
            {k: r[k] for k in ("task", "n", "score", "interval")} | {"name": r["checkpoint"]}
            for r in everything
        ],
        "comparisons": [
            {k: c[k] for k in ("difference", "interval", "test", "p_value")} | {"against": c["a"]}
            for c in evaluation["comparisons"]
            if c["b"] == last and c["task"] == "all"
        ],
        "cost": _cost(records[last]),
        "protocol": protocol,
        "notes": _notes(preset, mini),
    }
    write_card(folder / "card.yaml", card)
    write_report(folder)


def _notes(preset: Preset, mini: bool) -> list[str]:
    """What a reader of the card must know before quoting it."""
    if not mini or preset.synthetic is None:
        return []
    notes = ["A small model from random weights on synthetic clips; not the paper's numbers."]
    if preset.synthetic.teacher_error:
        share = round(100 * preset.synthetic.teacher_error)
        notes.append(f"{share} % of the cold start's rationales end in a wrong answer, by design.")
    return notes


def protocol_of(
    method: Method, preset: Preset, samples: Sequence[Sample], spec: FrameSpec
) -> Protocol:
    """The protocol under which this preset evaluates this method."""
    assert method.prompt is not None
    kinds = {s.problem_type: s for s in samples}
    # The template is the prompt around an empty question: the same for all questions of a type.
    templates = {
        kind: method.prompt(Sample(id="", question="{question}", answer="", problem_type=kind))
        for kind in sorted(kinds)
    }
    evaluate_ = preset.evaluate
    return build_protocol(
        spec.to_dict(),
        prompt_template=templates,
        extractor=EXTRACTOR[0],
        extractor_version=EXTRACTOR[1],
        sampling={
            "temperature": evaluate_.temperature,
            "top_p": evaluate_.top_p,
            "max_new_tokens": evaluate_.max_new_tokens,
            "n": 1,
        },
    )


def answers(
    name: str,
    source: str | Path,
    method: Method,
    preset: Preset,
    samples: Sequence[Sample],
    folder: Path,
    read: Callable[[str], Any],
    device: str,
    protocol: Protocol,
) -> list[dict[str, Any]]:
    """Prediction records of one checkpoint, written to predictions/<name>.jsonl of `folder`."""
    settings = preset.evaluate
    model = load_model(source, preset.model, device=device)
    processor = load_processor(source, None if Path(source).is_dir() else preset.model.revision)
    assert method.prompt is not None
    encoder = Encoder(processor, model, read, method.prompt)
    weights = weights_sha256(Path(source)) if Path(source).is_dir() else str(source)
    sampling = Sampling(
        settings.temperature, settings.top_p, 0, settings.max_new_tokens, preset.seed
    )
    with bar(f"evaluating {name}", len(samples)) as shown:
        return evaluate(
            HFGenerator(model, encoder, rows=settings.batch_size),
            samples,
            SCORE,
            folder / "predictions" / f"{name}.jsonl",
            sampling,
            fingerprint=f"{protocol.fingerprint()}/{weights}",
            batch=settings.batch_size,
            prompt=encoder.text,
            times=lambda s: encoder(s).times,
            progress=shown.add,
        )


def summarise(records: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Scores with intervals and paired tests of consecutive checkpoints, overall and per task.

    Args:
        records: Checkpoint -> prediction records, all over the same questions in the same order.

    Returns:
        {"metric", "checkpoints", "rows", "comparisons"} as the report reads them. Questions about
        one video are one cluster.
    """
    names = list(records)
    tasks = sorted({str(r["task"]) for r in records[names[0]]} - {""})
    chosen = ["all", *tasks] if len(tasks) > 1 else ["all"]
    rows, comparisons = [], []
    scores: dict[tuple[str, str], list[float]] = {}
    clusters: dict[str, list[str]] = {}
    for task in chosen:
        for name in names:
            part = [r for r in records[name] if task in ("all", r["task"])]
            scores[name, task] = [float(r["score"]) for r in part]
            clusters[task] = [str(r["video"] or r["id"]) for r in part]
            interval = score_interval(scores[name, task], clusters[task])
            rows.append(
                {
                    "checkpoint": name,
                    "task": task,
                    "n": len(part),
                    "score": interval.estimate,
                    "interval": finite_interval(interval.low, interval.high),
                    "interval_method": interval.method,
                }
            )
        pairs = list(pairwise(names))
        if len(names) > 2:
            pairs.append((names[0], names[-1]))
        for a, b in pairs:
            test = compare(scores[a, task], scores[b, task], clusters[task])
            comparisons.append(
                {
                    "a": a,
                    "b": b,
                    "task": task,
                    "difference": test.difference,
                    "interval": finite_interval(test.low, test.high),
                    "test": test.test,
                    "p_value": test.p_value if math.isfinite(test.p_value) else None,
                }
            )
    return {
        "metric": "accuracy",
        "checkpoints": names,
        "rows": rows,
        "comparisons": comparisons,
        "unfinished": {n: fmean(not r["finished"] for r in records[n]) for n in names},
    }


def _cost(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "tokens_in": sum(int(r["tokens_in"]) for r in records),
        "tokens_out": sum(int(r["tokens_out"]) for r in records),
        "frames": sum(int(r["frames"]) for r in records),
        "seconds": round(sum(float(r["seconds"]) for r in records), 2),
    }


def _write_json(path: Path, value: Any) -> None:
    part = path.with_name(f".{path.name}.partial")
    part.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(path)
