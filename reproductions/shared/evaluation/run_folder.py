"""What a run left in its folder, read with bounds: the input of the report.

Every file is optional and none is trusted: a broken one becomes a sentence for the reader, a value
of another type counts as missing.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from reproductions.shared.evaluation.cards import CardError, read_card
from vidpost.catalog.loader import CatalogError, load_mapping
from vidpost.catalog.models import ResultCard

NAMES = {"base": "base", "sft": "SFT", "rl": "RL", "grpo": "GRPO", "dpo": "DPO"}
"""Stages and checkpoints as they are written in the page."""
MAX_TEXT = 1_500
"""Characters of a model's answer that are shown."""


@dataclass
class Run:
    """What a run folder holds. Missing files leave the defaults; `problems` says what was unusable.

    Attributes:
        folder: The run folder.
        config: config.yaml; the resolved preset is under `settings`.
        log: Log records in file order.
        evaluation: evaluation.json.
        predictions: Checkpoint -> its records in file order.
        rollouts: Sampled groups from training.
        card: The result card.
        problems: Sentences for the reader.
    """

    folder: Path
    config: dict[str, Any] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)
    evaluation: dict[str, Any] = field(default_factory=dict)
    predictions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    rollouts: list[dict[str, Any]] = field(default_factory=list)
    card: ResultCard | None = None
    problems: list[str] = field(default_factory=list)

    @cached_property
    def checkpoints(self) -> list[str]:
        """Names of the evaluated checkpoints, in the order of training."""
        given = self.evaluation.get("checkpoints")
        return [str(name) for name in given] if isinstance(given, list) else []

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """Rows of evaluation.json that hold a score: checkpoint, task, n, score, interval."""
        return [
            {
                "checkpoint": str(row["checkpoint"]),
                "task": str(row.get("task", "all")),
                "n": int(n),
                "score": score,
                "interval": _interval(row.get("interval")),
            }
            for row in _records(self.evaluation.get("rows"))
            if (score := number(row.get("score"))) is not None
            and (n := number(row.get("n"))) is not None
            and str(row.get("checkpoint")) in self.checkpoints
        ]

    @cached_property
    def comparisons(self) -> list[dict[str, Any]]:
        """Paired tests of evaluation.json: a, b, task, difference, interval, test, p_value."""
        return [
            {
                "a": str(c.get("a")),
                "b": str(c.get("b")),
                "task": str(c.get("task", "all")),
                "difference": difference,
                "interval": _interval(c.get("interval")),
                "test": c.get("test"),
                "p_value": number(c.get("p_value")),
            }
            for c in _records(self.evaluation.get("comparisons"))
            if (difference := number(c.get("difference"))) is not None
        ]

    @property
    def metric(self) -> str:
        """Name of the metric in words."""
        given = self.evaluation.get("metric") or (self.card.metric if self.card else "accuracy")
        return str(given).replace("_", " ")

    @property
    def preset(self) -> dict[str, Any]:
        """The resolved preset."""
        settings = self.config.get("settings", self.config)
        return settings if isinstance(settings, dict) else {}

    @property
    def level(self) -> float:
        """Confidence level of all intervals."""
        return self.card.level if self.card else 0.95

    @property
    def miniature(self) -> bool:
        """Whether the result is of a small model on synthetic clips."""
        if self.card:
            return self.card.kind == "miniature"
        model = self.preset.get("model")
        return isinstance(model, dict) and model.get("id") == "tiny"


def read_run(folder: Path) -> Run:
    """Read what a run left behind; a broken file becomes a sentence in `problems`."""
    run = Run(folder)
    if (path := folder / "config.yaml").is_file():
        try:
            run.config = load_mapping(path)
        except CatalogError as error:
            run.problems.append(f"The settings could not be read: {error}")
    if (path := folder / "card.yaml").is_file():
        try:
            run.card = read_card(path)
        except CardError as error:
            run.problems.append(f"The result card is not valid: {error}")
    if (path := folder / "evaluation.json").is_file():
        try:
            loaded = json.loads(path.read_text(encoding="utf-8"))
            run.evaluation = loaded if isinstance(loaded, dict) else {}
        except ValueError as error:
            run.problems.append(f"evaluation.json could not be read: {error}.")
    run.log = _read_lines(folder / "log.jsonl", run.problems)
    run.rollouts = _read_lines(folder / "rollouts.jsonl", run.problems)
    files = {path.stem: path for path in sorted((folder / "predictions").glob("*.jsonl"))}
    order = [c for c in run.checkpoints if c in files]
    for name in [*order, *(c for c in files if c not in order)]:
        records = _read_lines(files[name], run.problems)
        run.predictions[name] = [r for r in records if "id" in r]  # the first line is a header
    return run


def number(value: Any) -> float | None:
    """The value if it is a finite real number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def after(checkpoint: str) -> str:
    """A checkpoint in words: "rl" -> "after RL"; "sft+tcot" -> "after SFT, with tcot"."""
    name, plus, strategy = checkpoint.partition("+")
    words = "before training" if name == "base" else f"after {NAMES.get(name, name)}"
    if not plus:
        return words
    decoded = f"with {strategy.replace('_', '-')}"
    return decoded if name == "base" else f"{words}, {decoded}"


def cut(text: str, limit: int = MAX_TEXT) -> str:
    """The text, shortened in the middle if it is too long: answers come at the end."""
    if len(text) <= limit:
        return text
    head = limit * 2 // 3
    tail = limit - head
    return f"{text[:head]}\n[{len(text) - limit:,} characters left out]\n{text[-tail:]}"


def _read_lines(path: Path, problems: list[str]) -> list[dict[str, Any]]:
    """Records of a JSON-lines file; lines that are no object are counted, not fatal."""
    if not path.is_file():
        return []
    records, bad = [], 0
    with path.open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                record = None
            if isinstance(record, dict):
                records.append(record)
            else:
                bad += 1
    if bad:
        what = "1 unreadable line" if bad == 1 else f"{bad} unreadable lines"
        problems.append(f"{path.name}: {what} left out.")
    return records


def _records(value: Any) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _interval(value: Any) -> tuple[float, float] | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    low, high = number(value[0]), number(value[1])
    return None if low is None or high is None else (low, high)
