"""One self-contained HTML page about a run: verdict, numbers, curves, samples, settings.

`write_report` reads what a run left in its folder and needs none of the files: a killed run still
gets a page with what is there. The page loads nothing and runs no script (its own policy forbids
both); every text from outside is escaped, and control characters that could reorder or hide text
are written out. Samples are chosen by rule, failures first, never by hand.
"""

from __future__ import annotations

import base64
import io
import json
import math
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reproductions.shared.evaluation.cards import CardError, read_card
from reproductions.shared.evaluation.plots import (
    MINUS,
    SHAPES,
    Dot,
    DotGroup,
    Line,
    dot_plot,
    line_chart,
    smooth,
)
from reproductions.shared.evaluation.statistics import holm
from vidpost.catalog.loader import CatalogError, load_mapping
from vidpost.catalog.models import ResultCard
from vidpost.catalog.preset import leaves

MAX_BYTES = 1_500_000
"""Size of the page. Frames are left out once `FRAME_BYTES` of them are in it."""
FRAME_BYTES = 900_000
MAX_FRAMES = 16
FRAME_PIXELS = 160 * 120
MAX_TEXT = 1_500
"""Characters of a model's answer that are shown."""

SAMPLES = {"broken": 4, "wrong": 4, "fixed": 3, "right": 1}
"""How many samples of each outcome are shown."""

NAMES = {"base": "base", "sft": "SFT", "rl": "RL", "grpo": "GRPO", "dpo": "DPO"}
"""Stages and checkpoints as they are written in the page."""
METRICS = {
    "eval_accuracy": "accuracy on validation clips",
    "loss": "loss",
    "kl": "KL to the reference",
    "entropy": "policy entropy (nats)",
    "completion_length": "completion length (tokens)",
    "completions/clipped_ratio": "share of answers cut off",
    "frac_reward_zero_std": "share of groups without signal",
}
OUTCOMES = {
    "broken": "right {before}, wrong {now}",
    "wrong": "wrong {now}",
    "fixed": "wrong {before}, right {now}",
    "right": "right {now}",
}

_HIDDEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


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
    partial = path.with_name(".report.html.partial")
    partial.write_text(page, encoding="utf-8")
    partial.replace(path)
    return path


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
    order = [c for c in _checkpoints(run) if c in files]
    for name in [*order, *(c for c in files if c not in order)]:
        records = _read_lines(files[name], run.problems)
        run.predictions[name] = [r for r in records if "id" in r]  # the first line is a header
    return run


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
    _add_frames(run, samples)
    template = environment.get_template("report.html.j2")
    card = run.card
    context = {
        "run": run,
        "card": card,
        "method": str(run.config.get("method") or (card.method if card else run.folder.name)),
        "miniature": card.kind == "miniature" if card else _is_tiny(_preset(run)),
        "level": round(100 * (card.level if card else 0.95)),
        "verdict": verdict(run),
        "metric": _metric(run),
        "table": score_table(run),
        "figures": figures(run),
        "outcomes": _outcome_counts(run),
        "samples": samples,
        "groups": _rollout_groups(run.rollouts),
        "settings": _settings(run),
        "phases": _phases(run),
        "command": _command(run),
        "colours": {name: i + 1 for i, name in enumerate(_checkpoints(run)[: len(SHAPES)])},
    }
    page = template.render(context)
    if len(page.encode()) > MAX_BYTES:
        for sample in samples:
            sample["frames"], sample["frames_note"] = [], "Left out to keep this page small."
        page = template.render(context)
    return page


# --- numbers and words ----------------------------------------------------------------------


def visible(text: str) -> str:
    """Write out characters that hide or reorder text, such as bidirectional marks: [U+202E]."""
    if isinstance(text, Markup):
        return text
    return _HIDDEN.sub(lambda match: f"[U+{ord(match[0]):04X}]", text)


def percent(value: Any) -> str:
    """A share as percent with one decimal, without the sign: 0.6 -> "60.0"."""
    number = _number(value)
    return "n/a" if number is None else f"{100 * number:.1f}".replace("-", MINUS)


def points(value: Any) -> str:
    """A difference of shares in percentage points, with its sign: 0.24 -> "+24.0"."""
    number = _number(value)
    return "n/a" if number is None else f"{100 * number:+.1f}".replace("-", MINUS)


def p_text(value: Any) -> str:
    """A p-value as it is printed in a table; with its relation: "= 0.012", "< 0.001"."""
    number = _number(value)
    if number is None:
        return "not tested"
    return "< 0.001" if number < 0.001 else f"= {number:.3f}"


def duration(seconds: Any) -> str:
    """Seconds in words: 75 -> "1 min 15 s"."""
    number = _number(seconds)
    if number is None:
        return "n/a"
    if number < 60:
        return f"{number:.1f} s"
    minutes, rest = divmod(round(number), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def after(checkpoint: str) -> str:
    """A checkpoint in words: "rl" -> "after RL"."""
    return (
        "before training" if checkpoint == "base" else f"after {NAMES.get(checkpoint, checkpoint)}"
    )


def sentence(text: str) -> str:
    """The text with a capital first letter; the rest stays, unlike with str.capitalize."""
    return text[:1].upper() + text[1:]


def verdict(run: Run) -> dict[str, str]:
    """The result in plain words: `word` (gain, loss, undecided, none), `head` and `text`.

    A gain or loss is stated only if the interval of the last step's difference excludes zero and
    the test agrees at the same level.
    """
    names = _checkpoints(run)
    rows = {row["checkpoint"]: row for row in _rows(run) if row["task"] == "all"}
    last = rows.get(names[-1]) if names else None
    if last is None:
        return {
            "word": "none",
            "head": "Not evaluated.",
            "text": "This run holds no scores, so nothing can be said about the method yet.",
        }
    what, now, n = _metric(run), after(names[-1]), f"{last['n']:,}"
    level = run.card.level if run.card else 0.95
    test = next(
        (
            c
            for a in reversed(names[:-1])
            for c in _comparisons(run)
            if (c["a"], c["b"], c["task"]) == (a, names[-1], "all") and a in rows
        ),
        None,
    )
    if test is None:
        text = f"{sentence(now)}, {what} is {percent(last['score'])} % on {n} questions"
        if last["interval"]:
            low, high = last["interval"]
            text += f" ({100 * level:g} % interval {percent(low)} to {percent(high)})"
        text += ". It was not tested against an earlier checkpoint."
        return {"word": "none", "head": "Measured, not compared.", "text": _no_break(text)}
    low, high = test["interval"] or (math.nan, math.nan)
    sure = test["p_value"] is not None and test["p_value"] < 1 - level
    stage = NAMES.get(names[-1], names[-1])
    if sure and low > 0:
        word, head, verb = "gain", f"{stage} helped.", "rose from {} to {}"
    elif sure and high < 0:
        word, head, verb = "loss", f"{stage} hurt.", "fell from {} to {}"
    else:
        word, head = "undecided", f"No difference shown by {stage}."
        verb = "was {} and {}"
    was = f"{percent(rows[test['a']]['score'])} % {after(test['a'])}"
    text = f"{sentence(what)} {verb.format(was, percent(last['score']) + ' % ' + now)}, "
    text += f"on the same {n} questions: {points(test['difference'])} points"
    if math.isfinite(low):
        text += f" ({100 * level:g} % interval {points(low)} to {points(high)}, "
        text += f"p {p_text(test['p_value'])})"
    text += "."
    if word == "undecided":
        text += " A difference of that size can be luck; this does not prove that there is none."
    return {"word": word, "head": head, "text": _no_break(text)}


def _no_break(text: str) -> str:
    """The text with numbers kept beside their signs and units."""
    return re.sub(r" (?=%|points|[<=] 0)|(?<=[<=]) (?=0)", "\N{NO-BREAK SPACE}", text)


def score_table(run: Run) -> dict[str, Any]:
    """Rows for "all" and each task; columns for checkpoints and for paired differences.

    p-values of single tasks are adjusted by Holm over the tasks of their column.
    """
    names, rows, tests = _checkpoints(run), _rows(run), _comparisons(run)
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
            if (share := _number(unfinished.get(name))) is not None
        ],
        "test_names": sorted({str(c["test"]) for c in tests if c["test"]}),
    }


# --- figures --------------------------------------------------------------------------------


def figures(run: Run) -> list[dict[str, Any]]:
    """All plots in reading order: title, caption, svg, and the numbers as a small table."""
    names = _checkpoints(run)
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
    names, rows = _checkpoints(run), _rows(run)
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
        f"{sentence(_metric(run))} by checkpoint and task",
        groups,
        x_label=f"{_metric(run)} (%)",
        x_range=None if outside else (0.0, 1.0),
        reference_label="best constant answer",
    )
    return {
        "title": f"{sentence(_metric(run))} by checkpoint and task",
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
        logged = [(_number(r.get("step")), _number(r.get(key))) for r in records if key in r]
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


# --- samples --------------------------------------------------------------------------------


def choose_samples(run: Run) -> list[dict[str, Any]]:
    """Questions to show: first what got worse, then what stayed wrong, then what was fixed.

    Within an outcome, tasks take turns and each task's questions come in file order.
    """
    if not run.predictions:
        return []
    by_id = {
        name: {str(r.get("id")): r for r in records} for name, records in run.predictions.items()
    }
    last = list(by_id)[-1]
    chosen = []
    for outcome, ids in _outcomes(run).items():
        turns = Counter[str]()
        ranked = []
        for position, identity in enumerate(ids):
            task = str(by_id[last][identity].get("task", ""))
            ranked.append((turns[task], position, identity))
            turns[task] += 1
        for _, _, identity in sorted(ranked)[: SAMPLES[outcome]]:
            record = by_id[last][identity]
            chosen.append(
                {
                    "outcome": outcome,
                    "id": identity,
                    "task": str(record.get("task") or ""),
                    "problem_type": str(record.get("problem_type") or ""),
                    "question": cut(str(record.get("question") or "")),
                    "prompt": cut(str(record.get("prompt") or ""), 2 * MAX_TEXT),
                    "options": [cut(str(o), 300) for o in record.get("options") or []][:26],
                    "gold": cut(str(record.get("gold", "")), 400),
                    "video": record.get("video"),
                    "times": record.get("times"),
                    "frames": [],
                    "frames_note": "",
                    "answers": [
                        {
                            "checkpoint": name,
                            "completion": cut(str(by_id[name][identity].get("completion") or "")),
                            "answer": cut(str(by_id[name][identity].get("answer") or ""), 400),
                            "score": _number(by_id[name][identity].get("score")),
                            "right": _is_right(by_id[name][identity]),
                            "tokens": by_id[name][identity].get("tokens_out"),
                        }
                        for name in by_id
                        if identity in by_id[name]
                    ],
                }
            )
    return chosen


def cut(text: str, limit: int = MAX_TEXT) -> str:
    """The text, shortened in the middle if it is too long: answers come at the end."""
    if len(text) <= limit:
        return text
    head = limit * 2 // 3
    tail = limit - head
    return f"{text[:head]}\n[{len(text) - limit:,} characters left out]\n{text[-tail:]}"


def _outcomes(run: Run) -> dict[str, list[str]]:
    """Outcome -> ids of questions, by the last two checkpoints that answered."""
    names = list(run.predictions)
    if not names:
        return {}
    now = {str(r.get("id")): _is_right(r) for r in run.predictions[names[-1]]}
    before = (
        {str(r.get("id")): _is_right(r) for r in run.predictions[names[-2]]}
        if len(names) > 1
        else {}
    )
    sorted_ids: dict[str, list[str]] = {outcome: [] for outcome in OUTCOMES}
    for identity, right in now.items():
        was = before.get(identity, right)
        outcome = ("right" if was else "fixed") if right else ("broken" if was else "wrong")
        sorted_ids[outcome].append(identity)
    return sorted_ids


def _outcome_counts(run: Run) -> dict[str, dict[str, Any]]:
    names = list(run.predictions)
    words = {
        "now": after(names[-1]) if names else "",
        "before": after(names[-2]) if len(names) > 1 else "",
    }
    counts = {}
    for outcome, ids in _outcomes(run).items():
        title = OUTCOMES[outcome].format(**words)
        if len(names) > 1 and outcome in ("wrong", "right"):
            title = f"{outcome} both {words['before']} and {words['now']}"
        counts[outcome] = {"title": title, "count": len(ids)}
    return counts


def _is_right(record: Mapping[str, Any]) -> bool:
    """Graded scores such as tIoU count as right from 0.5 on; the page says so."""
    return (_number(record.get("score")) or 0.0) >= 0.5


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


def _add_frames(run: Run, samples: Sequence[dict[str, Any]]) -> None:
    """Fill in the frame strips, as long as the page's budget lasts."""
    spent = 0
    for sample in samples:
        times = [t for t in map(_number, sample["times"] or []) if t is not None]
        if not sample["video"] or not times:
            sample["frames_note"] = "No video."
            continue
        if spent > FRAME_BYTES:
            sample["frames_note"] = "Left out to keep this page small."
            continue
        stride = math.ceil(len(times) / MAX_FRAMES)
        if stride > 1:
            sample["frames_note"] = f"Shown: 1 in {stride} of {len(times)} frames."
        try:
            sample["frames"] = frame_strip(_video(run, str(sample["video"])), times[::stride])
        except Exception as error:  # any decoder failure is worth a sentence, none a lost report
            sample["frames_note"] = f"The video could not be decoded: {cut(str(error), 200)}"
        spent += sum(len(frame["uri"]) for frame in sample["frames"])


def _video(run: Run, name: str) -> Path:
    """The file: paths are relative to the run folder, or to where the run was started."""
    inside = run.folder / name
    return inside if inside.exists() else Path(name)


def frame_strip(video: Path, times: Sequence[float]) -> list[dict[str, Any]]:
    """Decode frames and pack them for a page: `time` [s], `uri` (WebP), `width`, `height` [px].

    Decodes in the quarantine process, so a hostile file cannot stop the report.

    Args:
        video: The file.
        times: Seconds from the start of the file; the nearest frames are taken.

    Raises:
        ValueError: The file gives no frames; the message says why.
    """
    from PIL import Image  # decoding and pictures are needed only for runs with videos

    from reproductions.shared.video.quarantine import Quarantined, safe_probe, safe_read
    from reproductions.shared.video.spec import FrameSpec

    info = safe_probe(video)
    if isinstance(info, Quarantined):
        raise ValueError(info.reason)
    spec = FrameSpec(num_frames=2, size_factor=1, max_pixels=FRAME_PIXELS)
    clip = safe_read(video, spec.at(info, times))
    if isinstance(clip, Quarantined):
        raise ValueError(clip.reason)
    strip = []
    for frame, time in zip(clip.frames, clip.times, strict=True):
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "webp", quality=75)
        strip.append(
            {
                "time": time,
                "uri": "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode(),
                "width": frame.shape[1],
                "height": frame.shape[0],
            }
        )
    return strip


# --- settings -------------------------------------------------------------------------------


def _settings(run: Run) -> list[dict[str, str]]:
    """Key, value, source and whether it was overridden, for every setting that is set."""
    preset = _preset(run)
    sources = preset.get("sources")
    sources = sources if isinstance(sources, dict) else {}
    overrides = run.card.overrides if run.card else {}
    rows = []
    for key, value in leaves({k: v for k, v in preset.items() if k != "sources"}):
        if value is None:
            continue
        parents = [".".join(key.split(".")[:i]) for i in range(key.count(".") + 1, 0, -1)]
        source = next((str(sources[p]) for p in parents if p in sources), "")
        if key in overrides:
            source = "set on the command line"
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        rows.append({"key": key, "value": cut(shown, 400), "source": cut(source, 400)})
    return rows


def _phases(run: Run) -> list[tuple[str, float]]:
    """Seconds of each phase, from evaluation.json, else of the training stages from the log."""
    seconds = run.evaluation.get("seconds")
    if isinstance(seconds, dict):
        return [(str(k), s) for k, v in seconds.items() if (s := _number(v)) is not None]
    ends: dict[str, float] = {}
    for record in run.log:
        if (time := _number(record.get("time"))) is not None:
            ends[str(record.get("stage"))] = time
    return [(f"{name} (until, since start)", end) for name, end in ends.items()]


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


def _rollout_groups(rollouts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One group of answers from the first, the middle and the last recorded step of each stage.

    Of a step's groups, the first whose totals differ is taken: only such a group teaches anything.
    """
    stages: dict[str, dict[float, dict[str, list[dict[str, Any]]]]] = {}
    for record in rollouts:
        step = _number(record.get("step"))
        if step is None:
            continue
        scores = record.get("scores")
        steps = stages.setdefault(str(record.get("stage") or ""), {})
        steps.setdefault(step, {}).setdefault(str(record.get("group")), []).append(
            {
                "sample": str(record.get("sample") or ""),
                "completion": cut(str(record.get("completion") or ""), 600),
                "view": str(record.get("view") or ""),
                "scores": {str(k): _number(v) for k, v in scores.items()}
                if isinstance(scores, dict)
                else {},
                "total": _number(record.get("total")),
                "advantage": _number(record.get("advantage")),
            }
        )
    chosen = []
    for stage, steps in stages.items():
        order = sorted(steps)
        for i in sorted({0, len(order) // 2, len(order) - 1}):
            groups = list(steps[order[i]].values())
            answers = next(
                (g for g in groups if len({a["total"] for a in g} - {None}) > 1), groups[0]
            )
            chosen.append(
                {
                    "stage": NAMES.get(stage, stage),
                    "step": order[i],
                    "sample": answers[0]["sample"],
                    "names": list(dict.fromkeys(name for a in answers for name in a["scores"])),
                    "answers": answers[:16],
                }
            )
    return chosen


# --- reading --------------------------------------------------------------------------------


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


def _checkpoints(run: Run) -> list[str]:
    given = run.evaluation.get("checkpoints")
    return [str(name) for name in given] if isinstance(given, list) else []


def _rows(run: Run) -> list[dict[str, Any]]:
    """Rows of evaluation.json that hold a score, with checked types."""
    rows = []
    for row in _records(run.evaluation.get("rows")):
        score, n = _number(row.get("score")), _number(row.get("n"))
        if score is not None and n is not None and str(row.get("checkpoint")) in _checkpoints(run):
            rows.append(
                {
                    "checkpoint": str(row["checkpoint"]),
                    "task": str(row.get("task", "all")),
                    "n": int(n),
                    "score": score,
                    "interval": _interval(row.get("interval")),
                }
            )
    return rows


def _comparisons(run: Run) -> list[dict[str, Any]]:
    return [
        {
            "a": str(c.get("a")),
            "b": str(c.get("b")),
            "task": str(c.get("task", "all")),
            "difference": difference,
            "interval": _interval(c.get("interval")),
            "test": c.get("test"),
            "p_value": _number(c.get("p_value")),
        }
        for c in _records(run.evaluation.get("comparisons"))
        if (difference := _number(c.get("difference"))) is not None
    ]


def _records(value: Any) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _interval(value: Any) -> tuple[float, float] | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    low, high = _number(value[0]), _number(value[1])
    return None if low is None or high is None else (low, high)


def _number(value: Any) -> float | None:
    """The value if it is a finite real number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _metric(run: Run) -> str:
    given = run.evaluation.get("metric") or (run.card.metric if run.card else "accuracy")
    return str(given).replace("_", " ")


def _preset(run: Run) -> dict[str, Any]:
    settings = run.config.get("settings", run.config)
    return settings if isinstance(settings, dict) else {}


def _is_tiny(config: Mapping[str, Any]) -> bool:
    model = config.get("model")
    return isinstance(model, dict) and model.get("id") == "tiny"
