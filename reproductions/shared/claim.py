"""Test a method's claim in miniature: the method against its baseline, over seeds.

For each seed both methods run the same preset and stages from the same cold start, on the same
clips; the differences on the claim's questions are tested over seeds. What comes out is published
whichever way it falls: supported, not supported, or undecided. In the same way the rules of a
method's official code are compared with those of its paper.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from reproductions.shared.evaluation.cards import card_cost, finite_interval, read_card, write_card
from reproductions.shared.evaluation.runner import cost_of
from reproductions.shared.evaluation.statistics import mean_interval_over_seeds, paired_seed_test
from reproductions.shared.evaluation.strategies import SELF_CONSISTENCY
from reproductions.shared.files import write_json
from reproductions.shared.method import Method
from reproductions.shared.run import run
from reproductions.shared.settings import (
    Options,
    RunError,
    complete,
    find_method,
    preset_path,
    read_config,
    settings_of,
)
from vidpost.catalog.models import Claim

LEVEL = 0.95
OFFICIAL = "official_code"
VOTES = f"{SELF_CONSISTENCY} for as many tokens"
"""Name of a claim card's rows with votes at the cost of the method."""


@dataclass(frozen=True)
class Verdict:
    """What a claim's test found.

    Attributes:
        claim: Id of the claim.
        statement: The claim in one sentence.
        compare: The two methods, or the two variants of one.
        metric: What the mean score of these questions is.
        tasks: Tasks that were counted; () for all.
        seeds: Seeds of the runs.
        scores: Method or variant -> one score a seed.
        differences: First minus second, one a seed.
        mean: Mean difference.
        interval: Its interval over seeds (t distribution); None with one seed.
        p_value: Two-sided p-value of the paired t test over seeds; None with one seed.
        verdict: "supported", "not supported" or "undecided".
    """

    claim: str
    statement: str
    compare: tuple[str, str]
    metric: str
    tasks: tuple[str, ...]
    seeds: tuple[int, ...]
    scores: dict[str, list[float]]
    differences: list[float]
    mean: float
    interval: tuple[float, float] | None
    p_value: float | None
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True)
class _Side:
    """One of the two that are compared; `name` is its folder's, too."""

    name: str
    method: Method
    overrides: Mapping[str, Any] = field(default_factory=dict)


def test_claim(
    claim: Claim, folder: Path, options: Options, seeds: tuple[int, ...] | None = None
) -> Verdict:
    """Run both methods for every seed and judge the claim.

    Args:
        claim: From the method's entry.
        folder: Holds one run a method and seed; runs that are there already are resumed.
        options: Preset and overrides of all runs.
        seeds: Instead of the claim's own.

    Raises:
        RunError: A method of the claim has no reproduction, or a run that is there already has
            other settings.
    """
    method, baseline = (find_method(m) for m in claim.compare)
    sides = [_Side(method.id, method), _Side(baseline.id, _as_long(baseline, method))]
    return _test(claim, sides, folder, options, seeds or claim.seeds)


def _as_long(baseline: Method, method: Method) -> Method:
    """The baseline in the stages of the method: those of a kind that it trains.

    A stage that the baseline does not know by name would be left out, and it would train less.
    """
    known = {stage.kind for stage in complete(baseline).stages or ()}
    stages = [stage for stage in complete(method).stages or () if stage.kind in known]
    return replace(baseline, stages=tuple(stages))


def test_variants(
    claim: Claim, folder: Path, options: Options, seeds: tuple[int, ...] | None = None
) -> Verdict:
    """Run a method by the rules of its official code and by those of its paper, for every seed.

    Args:
        claim: A claim of the method's, for its questions and their metric.
        folder: As for `test_claim`; its runs of the method are used if they are there.
        options: Preset and overrides of all runs.
        seeds: Instead of the claim's own.

    Raises:
        RunError: As `test_claim`.
    """
    method = find_method(claim.compare[0])
    sides = [_Side(f"{method.id}-{OFFICIAL}", method, {"variant": OFFICIAL})]
    sides += [_Side(method.id, method)]
    same = {
        "id": OFFICIAL,
        "statement": "The rules of the official code give the same score as those of the paper.",
        "expect": "equal",
    }
    return _test(claim.model_copy(update=same), sides, folder, options, seeds or claim.seeds)


def _test(
    claim: Claim, sides: list[_Side], folder: Path, options: Options, seeds: tuple[int, ...]
) -> Verdict:
    # Both run the first side's preset: the same world, the same model, the same number of steps.
    preset = preset_path(sides[0].method, options.preset)
    options = replace(options, preset=str(preset))
    scores: dict[str, list[float]] = {side.name: [] for side in sides}
    for seed in seeds:
        first: tuple[Method, Options] | None = None
        for side in sides:
            chosen = replace(
                options,
                overrides={**options.overrides, **side.overrides, "seed": seed},
                out=folder / f"seed-{seed}" / side.name,
            )
            assert chosen.out is not None
            if first is not None:
                _share_cold_start(*first, side.method, chosen)
            if not (chosen.out / "report.html").exists():
                run(side.method, chosen)
            elif read_config(chosen.out)["settings"] != settings_of(side.method, chosen).model_dump(
                mode="json"
            ):
                raise RunError(
                    f"{chosen.out} holds a run with other settings. Choose another --out, or "
                    "remove it."
                )
            first = first or (side.method, chosen)
            scores[side.name].append(_score(chosen.out, claim.tasks))
    a, b = (side.name for side in sides)
    differences = [x - y for x, y in zip(scores[a], scores[b], strict=True)]
    found = _compared(b, differences)
    verdict = Verdict(
        claim=claim.id,
        statement=claim.statement,
        compare=(a, b),
        metric=claim.metric,
        tasks=claim.tasks,
        seeds=tuple(seeds),
        scores=scores,
        differences=differences,
        mean=found["difference"],
        interval=found["interval"],
        p_value=found["p_value"],
        verdict=claim.verdict(found["interval"]),
    )
    _write(verdict, folder, options)
    return verdict


def _share_cold_start(one: Method, given: Options, other: Method, options: Options) -> None:
    """Give the second side the cold start of the first one, if it would train the same.

    Both would get bit-identical weights; copying them only saves the time. Of the hooks of a cold
    start `prepare_data` alone can see the variant.
    """
    a, b = complete(one), complete(other)
    left = settings_of(one, replace(given, out=None))
    right = settings_of(other, replace(options, out=None))
    same = (
        a.prompt is b.prompt
        and a.format_target is b.format_target
        and a.loss_mask is b.loss_mask
        and a.prepare_data is b.prepare_data
        and (left.variant == right.variant or a.prepare_data is None)
        and left.model == right.model
        and left.synthetic == right.synthetic
        and left.frames == right.frames
        and left.stages.get("sft") == right.stages.get("sft")
    )
    assert options.out is not None and given.out is not None
    final = given.out / "stages" / "sft" / "final"
    target = options.out / "stages" / "sft" / "final"
    if same and final.exists() and not target.exists():
        shutil.copytree(final, target)
        for name in ("base", "sft"):
            source = given.out / "predictions" / f"{name}.jsonl"
            (options.out / "predictions").mkdir(parents=True, exist_ok=True)
            shutil.copy(source, options.out / "predictions")
        _copy_log(given.out / "log.jsonl", options.out / "log.jsonl")


def _copy_log(source: Path, target: Path) -> None:
    lines = source.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["stage"] == "sft"]
    target.write_text("".join(kept), encoding="utf-8")


def _checkpoints(folder: Path) -> list[str]:
    """What a run evaluated, in order: checkpoints, and strategies on the last one."""
    evaluation = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    found: list[str] = evaluation["checkpoints"]
    return found


def _records(folder: Path, name: str, tasks: tuple[str, ...]) -> list[Mapping[str, Any]]:
    """Prediction records of a checkpoint or strategy on the questions of these tasks.

    Raises:
        RunError: There are none.
    """
    lines = (folder / "predictions" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()[1:]
    records: list[Mapping[str, Any]] = [json.loads(line) for line in lines]
    chosen = [r for r in records if not tasks or r["task"] in tasks]
    if not chosen:
        raise RunError(f"{folder}: no question of the tasks {', '.join(tasks)} was asked.")
    return chosen


def _score(folder: Path, tasks: tuple[str, ...]) -> float:
    """Mean score of the last checkpoint on the questions of these tasks."""
    records = _records(folder, _checkpoints(folder)[-1], tasks)
    return fmean(float(r["score"]) for r in records)


def _rows(verdict: Verdict, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Method -> a score for each seed with what its answers cost, as cards have it.

    The run of a test-time method has measured votes for as many tokens, too; they come last.
    """
    a, b = verdict.compare
    rows: dict[str, list[dict[str, Any]]] = {a: [], b: [], VOTES: []}
    for seed in verdict.seeds:
        for method in (a, b):
            run_folder = folder / f"seed-{seed}" / method
            *before, last = _checkpoints(run_folder)
            votes = [(VOTES, n) for n in before if n.endswith(f"+{SELF_CONSISTENCY}")]
            for name, asked in [(method, last), *(votes if method == a else [])]:
                records = _records(run_folder, asked, verdict.tasks)
                rows[name].append(
                    {
                        "name": f"{name}, seed {seed}",
                        "task": ", ".join(verdict.tasks) or "all",
                        "n": len(records),
                        "score": fmean(float(r["score"]) for r in records),
                        "cost": card_cost(cost_of(records)),
                    }
                )
    return rows


def _total(costs: Iterable[Mapping[str, int | float]]) -> dict[str, int | float]:
    """Costs added up."""
    each = list(costs)
    return {name: round(sum(c[name] for c in each), 2) for name in each[0]}


def card_path(folder: Path, verdict: Verdict) -> Path:
    """Where the card of a claim, or of the variants, is."""
    return folder / ("variants.yaml" if verdict.claim == OFFICIAL else "card.yaml")


def _write(verdict: Verdict, folder: Path, options: Options) -> None:
    """The verdict and a result card over all seeds, with the facts of the runs."""
    name = "variants.json" if verdict.claim == OFFICIAL else "claim.json"
    write_json(folder / name, verdict.to_dict())
    a, b = verdict.compare
    cards = [
        read_card(folder / f"seed-{seed}" / method / "card.yaml")
        for seed in verdict.seeds
        for method in (a, b)
    ]
    one = cards[0]
    hours = sum(card.hardware.hours or 0.0 for card in cards)
    commits = list(dict.fromkeys(card.commit for card in cards))
    mixed = [f"Runs of several commits: {', '.join(commits)}."] if len(commits) > 1 else []
    rows = _rows(verdict, folder)
    mean = mean_interval_over_seeds(verdict.scores[a], LEVEL, (0.0, 1.0))
    ends = finite_interval(mean.low, mean.high) or (mean.estimate, mean.estimate)
    against = {b: verdict.differences}
    if rows[VOTES]:
        against[VOTES] = [
            x["score"] - y["score"] for x, y in zip(rows[a], rows[VOTES], strict=True)
        ]
    write_card(
        card_path(folder, verdict),
        one.model_dump(exclude={"fingerprint"})
        | {
            "protocol": one.protocol,
            "overrides": dict(options.overrides),
            "hardware": one.hardware.model_copy(update={"hours": round(hours, 3)}),
            "seeds": list(verdict.seeds),
            "checkpoint": {"stage": one.checkpoint.stage, "sha256": None},
            "metric": verdict.metric,
            "task": ", ".join(verdict.tasks) or "all",
            "n": sum(row["n"] for row in rows[a]),
            "score": mean.estimate,
            "interval": ends,
            "interval_method": mean.method,
            "cost": _total(row["cost"] for row in rows[a]),
            "scores": [row for part in rows.values() for row in part],
            "comparisons": [_compared(name, values) for name, values in against.items()],
            "notes": [
                f"Claim {verdict.claim}: {verdict.verdict}. {verdict.statement}",
                *mixed,
                *one.notes,
            ],
        },
    )


def _compared(against: str, differences: list[float]) -> dict[str, Any]:
    """A comparison over seeds, as cards have it."""
    test = paired_seed_test(differences, LEVEL)
    return {
        "against": against,
        "difference": fmean(differences),
        "interval": finite_interval(test.low, test.high),
        "test": "paired t over seeds",
        "p_value": test.p_t if test.p_t == test.p_t else None,
    }
