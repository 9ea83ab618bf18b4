"""The end of a run: evaluate every checkpoint, test the differences, write card and report."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

from reproductions.shared import processes
from reproductions.shared.evaluation.cards import (
    card_cost,
    finite_interval,
    paired_facts,
    run_facts,
    weights_sha256,
    write_card,
)
from reproductions.shared.evaluation.protocol import build_protocol
from reproductions.shared.evaluation.report import write_report
from reproductions.shared.evaluation.runner import EXTRACTOR, cost_of
from reproductions.shared.evaluation.statistics import compare, score_interval
from reproductions.shared.evaluation.strategies import ask, engine_of, strategies
from reproductions.shared.files import write_json
from reproductions.shared.inference.lazy import LazyGenerator
from reproductions.shared.method import Method, Sample
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
    preset_name: str,
    overrides: Mapping[str, Any],
    command: str,
    examples: Sequence[Sample] = (),
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
        seconds: Seconds of each phase so far, all processes of the run; shown in the report.
        preset_name: Name of the preset.
        overrides: Overrides of it.
        command: The shell line that repeats the run.
        examples: Solved training questions, for test-time methods that show some.
    """
    begin = time.perf_counter()
    protocol = protocol_of(method, preset, samples, spec)
    records: dict[str, list[dict[str, Any]]] = {}
    weights = {name: identity(source) for name, source in checkpoints.items()}
    last = list(checkpoints)[-1]
    before = list(checkpoints.values())[-2:][0]
    for name, source in checkpoints.items():
        records |= answers(
            name, source, weights[name], method, preset, samples, folder, read, device, protocol,
            before=before if name == last else None, examples=examples,
        )  # fmt: skip
    if processes.rank():  # each has asked its share; the first writes
        return
    asked = list(records)[-1]
    evaluation = summarise(records, [(last, asked)] if asked != last else [])
    evaluation |= {"seconds": seconds, "command": command}
    write_json(folder / "evaluation.json", evaluation)
    everything = evaluation["rows"]
    costs = {name: card_cost(spent) for name, spent in evaluation["cost"].items()}
    final = next(r for r in everything if r["checkpoint"] == asked and r["task"] == "all")
    mini = preset.model.id == "tiny" or benchmark == "synthetic"
    spent = sum(seconds.values()) + time.perf_counter() - begin
    facts = run_facts(hours=round(spent / 3600, 4))
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
            "sha256": weights[last] if Path(checkpoints[last]).is_dir() else None,
        },
        "model": preset.model.id,
        "engine": "hf",
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
            {"name": r["checkpoint"]}
            | {k: r[k] for k in ("task", "n", "score", "interval")}
            | ({"cost": costs[r["checkpoint"]]} if r["task"] == "all" else {})
            for r in everything
        ],
        "comparisons": [
            {k: c[k] for k in ("difference", "interval", "test", "p_value")} | {"against": c["a"]}
            for c in evaluation["comparisons"]
            if c["b"] == asked and c["task"] == "all"
        ],
        "cost": costs[asked],
        "protocol": protocol,
        "notes": [
            *_notes(preset, mini, benchmark),
            *_shared_prefix(folder),
            *_strategy_notes(preset, records),
        ],
    }
    write_card(folder / "card.yaml", card)
    write_report(folder)


def _notes(preset: Preset, mini: bool, benchmark: str) -> list[str]:
    """What a reader of the card must know before quoting it."""
    if not mini or preset.synthetic is None:
        return []
    if benchmark != "synthetic":
        return ["A small model from random weights; not the paper's numbers."]
    notes = ["A small model from random weights on synthetic clips; not the paper's numbers."]
    if preset.synthetic.teacher_error:
        share = round(100 * preset.synthetic.teacher_error)
        notes.append(f"{share} % of the cold start's rationales end in a wrong answer, by design.")
    return notes


def _shared_prefix(folder: Path) -> list[str]:
    """Whether GRPO's loss computed each prompt once a group, as the log of the run has it."""
    path = folder / "log.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    found = [r["shared_prefix"] for r in map(json.loads, lines) if "shared_prefix" in r]
    if not found:
        return []
    return [f"GRPO's loss computed a prompt once {'a group' if min(found) else 'an answer'}."]


def _strategy_notes(
    preset: Preset, records: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[str]:
    """What was decoded how, and what failed: a reader must not take a failure for an answer."""
    notes = []
    _, plus, strategy = list(records)[-1].partition("+")
    if plus and preset.decode is not None:
        spent = preset.decode.model_dump(exclude_none=True, exclude={"workers"})
        notes.append(f"Decoded by {strategy}: {', '.join(f'{k} {v}' for k, v in spent.items())}.")
    for name, part in records.items():
        failed = [str(r["failure"]) for r in part if "failure" in r]
        if failed:
            first = " ".join(failed[0].split())[:160]
            notes.append(
                f"{name}: {len(failed)} of {len(part)} questions failed and count as wrong; "
                f"first: {first}"
            )
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


def identity(source: str | Path) -> str:
    """What tells one checkpoint from another: a hash of a folder's weights, or the hub id."""
    return weights_sha256(Path(source)) if Path(source).is_dir() else str(source)


def answers(
    name: str,
    source: str | Path,
    weights: str,
    method: Method,
    preset: Preset,
    samples: Sequence[Sample],
    folder: Path,
    read: Callable[[str], Any],
    device: str,
    protocol: Protocol,
    *,
    before: str | Path | None = None,
    examples: Sequence[Sample] = (),
) -> dict[str, list[dict[str, Any]]]:
    """Prediction records of one checkpoint, written to predictions/<name>.jsonl of `folder`.

    Records of a file that is there are kept if `weights`, the checkpoint's `identity`, is the same.

    Args:
        name: Of the checkpoint.
        source: Where it is.
        weights: Its `identity`.
        method: The method over its baseline.
        preset: Settings of the run.
        samples: The questions.
        folder: Takes the predictions.
        read: Reads the frames of a video.
        device: "cpu" or "cuda".
        protocol: Of the evaluation.
        before: What the checkpoint's stage started from; with it a test-time method answers, too.
        examples: Solved questions that the method may show.

    Returns:
        The checkpoint, and each strategy on it -> the records.
    """
    generator = engine_of(source, method, preset, read, device)
    key = f"{protocol.fingerprint()}/{weights}"
    records = {name: ask(name, generator, preset, samples, SCORE, folder, key)}
    if before is not None and method.decode is not None:
        frozen = LazyGenerator(lambda: engine_of(before, method, preset, read, device))
        records |= strategies(
            name, generator, method, preset, samples, SCORE, folder, key, records[name], examples,
            frozen,
        )  # fmt: skip
    return records


def summarise(
    records: Mapping[str, Sequence[Mapping[str, Any]]], more: Sequence[tuple[str, str]] = ()
) -> dict[str, Any]:
    """Scores with intervals and paired tests of consecutive checkpoints, overall and per task.

    Args:
        records: Checkpoint -> prediction records, all over the same questions in the same order.
        more: Further pairs to test.

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
        pairs += [p for p in more if p not in pairs]
        for a, b in pairs:
            test = compare(scores[a, task], scores[b, task], clusters[task])
            comparisons.append({"a": a, "b": b, "task": task} | paired_facts(test))
    return {
        "metric": "accuracy",
        "checkpoints": names,
        "rows": rows,
        "comparisons": comparisons,
        "unfinished": {n: fmean(not r["finished"] for r in records[n]) for n in names},
        "failed": {n: sum("failure" in r for r in records[n]) for n in names},
        "cost": {n: cost_of(records[n]) for n in names},
    }
