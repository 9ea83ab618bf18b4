"""One self-contained HTML page about a run: verdict, numbers, curves, samples, settings.

`write_report` reads what a run left in its folder and needs none of the files: a killed run still
gets a page with what is there. The page loads nothing and runs no script (its own policy forbids
both); every text from outside is escaped, and control characters that could reorder or hide text
are written out. Samples are chosen by rule, failures first, never by hand.
"""

from __future__ import annotations

import json
import math
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reproductions.shared.evaluation.cards import ROOT
from reproductions.shared.evaluation.plots import (
    SHAPES,
    Dot,
    DotGroup,
    Line,
    dot_plot,
    line_chart,
    smooth,
)
from reproductions.shared.evaluation.report_words import (
    duration,
    p_text,
    percent,
    points,
    sentence,
    verdict,
    visible,
)
from reproductions.shared.evaluation.run_folder import NAMES, Run, after, cut, number, read_run
from reproductions.shared.evaluation.samples import (
    add_frames,
    choose_samples,
    outcome_counts,
    rollout_groups,
)
from reproductions.shared.evaluation.statistics import holm
from reproductions.shared.files import write_text
from vidpost.catalog.preset import leaves, load_preset

MAX_BYTES = 1_500_000
"""Largest page; one that would be larger is written without frames."""

METRICS = {
    "eval_accuracy": "accuracy on validation clips",
    "loss": "loss",
    "kl": "KL to the reference",
    "entropy": "policy entropy (nats)",
    "completion_length": "completion length (tokens)",
    "completions/clipped_ratio": "share of answers cut off",
    "frac_reward_zero_std": "share of groups without signal",
}
"""Key in the log -> title of its figure, beside the rewards."""


def write_report(run_folder: Path) -> Path:
    """Write `report.html` into a run folder and return its path.

    Args:
        run_folder: runs/<method>-<time>, see docs of the engine for the files in it.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    if not run_folder.is_dir():
        raise FileNotFoundError(f"{run_folder}: no such run. `runs/` lists them.")
    run = read_run(run_folder)
    page = render(run)
    path = run_folder / "report.html"
    write_text(path, page)
    return path


def render(run: Run) -> str:
    """The page as HTML text."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: visible(value) if isinstance(value, str) else value,
    )
    environment.filters.update(
        percent=percent,
        points=points,
        p_value=p_text,
        duration=duration,
        after=after,
        sentence=sentence,
        short=lambda name: NAMES.get(name, name),
        words=lambda name: name.replace("_", " "),
    )
    samples = choose_samples(run)
    add_frames(run, samples)
    template = environment.get_template("report.html.j2")
    card = run.card
    context = {
        "run": run,
        "card": card,
        "method": str(run.config.get("method") or (card.method if card else run.folder.name)),
        "miniature": run.miniature,
        "level": round(100 * run.level),
        "verdict": verdict(run),
        "metric": run.metric,
        "table": score_table(run),
        "figures": figures(run),
        "outcomes": outcome_counts(run),
        "samples": samples,
        "groups": rollout_groups(run.rollouts),
        "settings": _settings(run),
        "phases": _phases(run),
        "costs": costs(run),
        "command": _command(run),
        "colours": {name: i + 1 for i, name in enumerate(run.checkpoints[: len(SHAPES)])},
    }
    page = template.render(context)
    if len(page.encode()) > MAX_BYTES:
        for sample in samples:
            sample["frames"], sample["frames_note"] = [], "Left out to keep this page small."
        page = template.render(context)
    return page


def score_table(run: Run) -> dict[str, Any]:
    """Rows for "all" and each task; columns for checkpoints and for paired differences.

    p-values of single tasks are adjusted by Holm over the tasks of their column.
    """
    names, rows, tests = run.checkpoints, run.rows, run.comparisons
    tasks = list(dict.fromkeys(["all", *(row["task"] for row in rows)]))
    pairs = [
        pair
        for pair in dict.fromkeys((c["a"], c["b"]) for c in tests)
        if pair[0] in names and pair[1] in names
    ]
    by_pair: dict[tuple[str, str, str], dict[str, Any]] = {}
    for a, b in pairs:
        column = [c for c in tests if (c["a"], c["b"]) == (a, b)]
        single = [c for c in column if c["task"] != "all"]
        adjusted = holm([math.nan if c["p_value"] is None else c["p_value"] for c in single])
        for c in column:
            by_pair[a, b, c["task"]] = c
        for c, p in zip(single, adjusted, strict=True):
            by_pair[a, b, c["task"]] = {**c, "p_value": p}
    constant = _constant_answer(run)
    body = []
    for task in tasks:
        cells = {row["checkpoint"]: row for row in rows if row["task"] == task}
        if not cells:
            continue
        body.append(
            {
                "task": task,
                "n": max(row["n"] for row in cells.values()),
                "constant": constant.get(task),
                "scores": [cells.get(name) for name in names],
                "tests": [by_pair.get((a, b, task)) for a, b in pairs],
            }
        )
    shares = run.evaluation.get("unfinished")
    unfinished = shares if isinstance(shares, dict) else {}
    return {
        "names": names,
        "pairs": pairs,
        "body": body,
        "constant": any(row["constant"] is not None for row in body),
        "adjusted": len(body) > 2,
        "unfinished": [
            (after(name), share)
            for name in names
            if (share := number(unfinished.get(name))) is not None
        ],
        "test_names": sorted({str(c["test"]) for c in tests if c["test"]}),
    }


# --- figures --------------------------------------------------------------------------------


def figures(run: Run) -> list[dict[str, Any]]:
    """All plots in reading order: title, caption, svg, and the numbers as a small table."""
    names = run.checkpoints
    shown = [_score_figure(run)]
    for stage in dict.fromkeys(str(r.get("stage", "")) for r in run.log):
        records = [r for r in run.log if str(r.get("stage", "")) == stage]
        # The curves of a stage take the colour of the checkpoint that it leads to.
        colour = names.index(stage) if stage in names[: len(SHAPES)] else 0
        title = NAMES.get(stage, stage) or "Training"
        parts = sorted(
            {k for r in records for k in r if re.fullmatch(r"rewards/.+/mean", k)},
            key=lambda k: ("accura" not in k, k),
        )
        if len(parts) > 1 or not any("reward" in r for r in records):
            total = _curve_figure(f"{title}: total reward", records, {"reward": "total"}, colour)
        else:  # a single reward is the total
            total = None
        shown.append(total)
        for i in range(0, len(parts), len(SHAPES)):
            labels = {k: k.split("/", 1)[1].rsplit("/", 1)[0] for k in parts[i : i + len(SHAPES)]}
            name = f"reward {labels[parts[i]]}" if len(labels) == 1 else "rewards by part"
            shown.append(_curve_figure(f"{title}: {name}", records, labels, colour))
        if not parts:
            shown.append(_curve_figure(f"{title}: reward", records, {"reward": "reward"}, colour))
        for key, name in METRICS.items():
            shown.append(_curve_figure(f"{title}: {name}", records, {key: name}, colour))
    return [figure for figure in shown if figure]


def _score_figure(run: Run) -> dict[str, Any] | None:
    names, rows = run.checkpoints, run.rows
    if not rows or len(names) > len(SHAPES):
        return None
    constant = _constant_answer(run)
    groups = []
    for task in dict.fromkeys(["all", *(row["task"] for row in rows)]):
        cells = {row["checkpoint"]: row for row in rows if row["task"] == task}
        dots = [
            Dot(after(name), cells[name]["score"], *(cells[name]["interval"] or ()))
            for name in names
            if name in cells
        ]
        if dots:
            n = max(cell["n"] for cell in cells.values())
            label = f"{'All tasks' if task == 'all' else task.replace('_', ' ')} (n = {n:,})"
            groups.append(DotGroup(visible(label), dots, constant.get(task)))
    outside = any(not 0 <= d.value <= 1 for g in groups for d in g.dots)
    svg = dot_plot(
        f"{sentence(run.metric)} by checkpoint and task",
        groups,
        x_label=f"{run.metric} (%)",
        x_range=None if outside else (0.0, 1.0),
        reference_label="best constant answer",
    )
    return {
        "title": f"{sentence(run.metric)} by checkpoint and task",
        "caption": "Bars are the intervals of the table above.",
        "svg": Markup(svg),
        "header": [],
        "rows": [],
    }


def _curve_figure(
    title: str,
    records: Sequence[Mapping[str, Any]],
    labels: Mapping[str, str],
    colour: int,
) -> dict[str, Any] | None:
    """Curves of some log keys over the steps of one stage; None if there are no numbers."""
    lines, dropped, window = [], 0, 1
    for key, label in labels.items():
        logged = [(number(r.get("step")), number(r.get(key))) for r in records if key in r]
        curve = sorted((x, y) for x, y in logged if x is not None and y is not None)
        dropped += len(logged) - len(curve)
        if not curve:
            continue
        # A tenth of the run, odd; short curves are shown as they are.
        window = 2 * (len(curve) // 20) + 1 if len(curve) >= 30 else 1
        raw = curve if window > 1 and len(labels) == 1 else ()
        lines.append(Line(visible(label), smooth(curve, window), raw))
    if not lines:
        return None
    shares = all(0 <= y <= 1 for line in lines for _, y in (*line.points, *line.raw)) and any(
        word in title for word in ("accuracy", "reward")
    )
    caption = ""
    if window > 1:
        caption = f"Mean over {window} steps" + ("; thin: each step." if lines[0].raw else ".")
    if dropped:
        caption += f" Left out because not finite: {dropped}."
    y_range = (0.0, 1.0) if shares else None
    svg = line_chart(visible(title), lines, y_range=y_range, first_colour=colour)
    return {
        "title": visible(title),
        "caption": caption.strip(),
        "svg": Markup(svg),
        "header": ["step", *(line.label for line in lines)],
        "rows": _sampled_rows(lines),
    }


def _sampled_rows(lines: Sequence[Line], count: int = 9) -> list[list[str]]:
    """The curves' values at about `count` steps, ends included."""
    values = [dict(line.points) for line in lines]
    steps = sorted({x for line in lines for x, _ in line.points})
    last = len(steps) - 1
    chosen = sorted({round(i * last / max(1, count - 1)) for i in range(count)})
    return [
        [f"{steps[i]:g}", *(f"{v[steps[i]]:.4g}" if steps[i] in v else "" for v in values)]
        for i in chosen
    ]


def _constant_answer(run: Run) -> dict[str, float]:
    """Task -> score of always giving the task's most common gold answer, where that is defined.

    A model that learned only which answer is frequent reaches this; "all" is the mean over the
    questions. Left out for a task with graded answers.
    """
    if not run.predictions:
        return {}
    golds: dict[str, Counter[str]] = {}
    exact = {"multiple choice", "numerical"}
    for record in next(reversed(run.predictions.values())):
        task = str(record.get("task") or "")
        counter = golds.setdefault(task, Counter())
        if record.get("problem_type") in exact:
            counter[str(record.get("gold"))] += 1
        else:
            counter[""] -= 10**9  # marks the task as graded
    best = {t: max(c.values()) / c.total() for t, c in golds.items() if c.total() > 0}
    if len(best) == len(golds):
        total = sum(c.total() for c in golds.values())
        best["all"] = sum(max(c.values()) for c in golds.values()) / total
    return best


# --- settings -------------------------------------------------------------------------------


def _settings(run: Run) -> list[dict[str, str]]:
    """Key, value, source and whether it was overridden, for every setting that is set."""
    preset = run.preset
    sources = preset.get("sources")
    sources = sources if isinstance(sources, dict) else {}
    overrides = run.card.overrides if run.card else {}
    published = _published(str(preset.get("method")))
    rows = []
    for key, value in leaves({k: v for k, v in preset.items() if k != "sources"}):
        if value is None:
            continue
        parents = [".".join(key.split(".")[:i]) for i in range(key.count(".") + 1, 0, -1)]
        source = next((str(sources[p]) for p in parents if p in sources), "")
        if key in overrides:
            source = "set on the command line"
        elif published.get(key) != value:
            source = f"{run.config.get('preset_name', 'mini')}.yaml: not the paper's"
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        rows.append({"key": key, "value": cut(shown, 400), "source": cut(source, 400)})
    return rows


def _published(method: str) -> dict[str, Any]:
    """The settings of a method's paper.yaml, which the sources are about; {} without one."""
    if not method.isidentifier():
        return {}
    for kind in ("methods", "baselines"):
        path = ROOT / "reproductions" / kind / method / "paper.yaml"
        if path.is_file():
            return dict(leaves(load_preset(path).model_dump(mode="json", exclude={"sources"})))
    return {}


def _phases(run: Run) -> list[tuple[str, float]]:
    """Seconds of each phase, from evaluation.json, else of the training stages from the log."""
    seconds = run.evaluation.get("seconds")
    if isinstance(seconds, dict):
        return [(str(k), s) for k, v in seconds.items() if (s := number(v)) is not None]
    ends: dict[str, float] = {}
    for record in run.log:
        if (time := number(record.get("time"))) is not None:
            ends[str(record.get("stage"))] = time
    return [(f"{name} (until, since start)", end) for name, end in ends.items()]


COSTS = {
    "calls": "Model calls",
    "answers": "Answers",
    "tokens_in": "Tokens in",
    "tokens_out": "Tokens out",
    "frames": "Frames shown",
    "frames_decoded": "Frames decoded",
    "seconds": "Seconds",
}
"""What an evaluation costs, as evaluation.json names it -> heading."""


def costs(run: Run) -> dict[str, Any]:
    """Mean cost a question of every checkpoint and strategy, from evaluation.json.

    Returns:
        {"heads": headings, "rows": [(name, texts)]}; {} where there is nothing to show.
    """
    given = run.evaluation.get("cost")
    if not isinstance(given, dict):
        return {}
    heads = [k for k in COSTS if any(isinstance(c, dict) and k in c for c in given.values())]
    rows = []
    for name in run.checkpoints:
        cost, asked = given.get(name), len(run.predictions.get(name, ()))
        if isinstance(cost, dict) and asked:
            values = [number(cost.get(k)) for k in heads]
            texts = ["n/a" if v is None else _mean(v / asked) for v in values]
            rows.append((name, texts))
    return {"heads": [COSTS[k] for k in heads], "rows": rows} if heads and rows else {}


def _mean(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _command(run: Run) -> str:
    """The shell line that repeats the run, "" if the run does not say enough."""
    if isinstance(given := run.evaluation.get("command"), str):
        return given
    if run.card is None:
        return ""
    words = ["vidpost", "run", run.card.method, "--preset", run.card.preset]
    for key, value in run.card.overrides.items():
        text = value if isinstance(value, str) else json.dumps(value)
        words += ["--set", f"{key}={text}"]
    return shlex.join(words)
