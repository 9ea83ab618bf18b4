"""Score prediction logs of real runs, ours or other people's, under a named rule.

`logs` reads the files, `golds` the true answers. Repeats, missing and unread answers are counted
and said, and a second rule shows which items it would change.
"""

from __future__ import annotations

import importlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from reproductions.metrics import soda_c
from reproductions.shared.evaluation.benchmark import grade_all
from reproductions.shared.evaluation.golds import read_golds, same_gold, sample_of
from reproductions.shared.evaluation.log_fields import (
    FILE,
    LogError,
    answer_of,
    detect,
    key_of,
    marks_of,
    named,
    other_answers,
    seen,
    text_of,
    values_of,
)
from reproductions.shared.evaluation.log_forms import fold
from reproductions.shared.evaluation.logs import by_video, read_logs, unique
from reproductions.shared.evaluation.meteor_java import JavaMeteor, MeteorMissing
from reproductions.shared.evaluation.score_report import Difference, Report, compared
from reproductions.shared.evaluation.statistics import score_interval
from reproductions.shared.method import Sample

# Loaded by name, as hub.py does with data sets: benchmarks lie beside the engine, not below it.
_base: Any = importlib.import_module("reproductions.benchmarks._base")
_HIGHLIGHTS = ("HD mAP", "HIT@1")


def bare(kind: str) -> Any:
    """A benchmark of nothing but a kind of answer, for logs of benchmarks without a module.

    Raises:
        KeyError: No benchmark here has answers of that kind; the message lists the kinds.
    """
    found: dict[str, Any] = {}
    for name in _base.names():
        whole = _base.get(name)
        for one in (whole, *whole.variants.values()):
            found.setdefault(one.shape.name, one)
    if kind not in found:
        raise KeyError(f"no kind of answer '{kind}'. There are: {', '.join(sorted(found))}.")
    shape = found[kind].shape
    rules = {"paper": shape.better or next(iter(shape.rules))}
    split = _base.Split(("no published file",))
    return replace(
        found[kind], id=kind, splits={"": split}, rules=rules, by={}, totals=None, variants={}
    )


def score_log(
    path: Path | Sequence[Path],
    benchmark: Any,
    rule: str = "paper",
    *,
    against: str | None = None,
    gold: Path | None = None,
    fields: Mapping[str, str] | None = None,
    repeats: str = "refuse",
    join: Mapping[str, Path] | None = None,
    by: Sequence[str] = (),
    published: Mapping[str, str] | None = None,
    meteor_java: bool = False,
) -> Report:
    """Score a log.

    Args:
        path: The log: a file, a folder, or several of them.
        benchmark: The benchmark (`reproductions.benchmarks._base.Benchmark`).
        rule: "paper", "lmms_eval", "vlmevalkit" or a rule of the benchmark's shape.
        against: A second rule; None takes the shape's better one, "" none.
        gold: The benchmark's question file, a folder with it, or any file of records with ids and
            golds. Without it the gold comes from the log.
        fields: Role -> field, where detection shall not decide.
        repeats: What to do with two different answers to one item: "refuse", "first" or "last";
            "all" counts every record, as some published scripts do.
        join: Part of the answer ("span", "verdict") -> a second log that holds it, by item id.
        by: Fields of the log by which to break the scores down, besides the benchmark's own.
        published: Name or "group/name" -> number as printed, to be compared.
        meteor_java: For dense captions, add METEOR 1.5 and SODA_c with it (slow; needs Java).

    Raises:
        LogError: The log does not fit; the message names the fields that were seen.
        KeyError: No such rule.
    """
    asked, (name, grade) = rule, benchmark.rule(rule)
    shape = benchmark.shape
    paths = [path] if isinstance(path, Path) else list(path)
    records, notes = read_logs(paths, tracks=shape.name == "track")
    if shape.name == "dense":
        records = by_video(records)
    golds, said = read_golds(benchmark, gold, records) if gold else (None, "")
    notes += [said] if said else []
    fields = {**named(records, shape.name), **(fields or {})}
    try:
        chosen = detect(
            records,
            fields,
            need_gold=golds is None,
            gold_ids=golds,
            parts=shape.parts,
            judged=name in shape.judged,
        )
    except LogError as error:
        report = None if golds else _own_values(paths, records, benchmark, rule)
        if report is None:
            raise LogError(f"{error}{_advice(str(error), records, shape, name)}") from None
        report.notes = [*notes, *report.notes]
        report.published = [compared(report, n, text) for n, text in (published or {}).items()]
        return report
    counts: Counter[str] = Counter(records=len(records))
    kept, more, times = unique(records, chosen, repeats, counts, fixed=golds is not None)
    notes += more
    if not chosen["id"]:
        notes.append("The log has no id field; items are numbered by line.")
    if name not in shape.judged and "prediction" not in fields:
        notes += other_answers(records, chosen["prediction"])

    for role, file in (join or {}).items():
        if role not in shape.parts:
            known = ", ".join(shape.parts) or "none"
            raise LogError(f"{benchmark.id}: answers have no part '{role}'. There are: {known}.")
        counts[f"without_{role}"] = _join(kept, file, role)
        chosen[role] = role
    items: list[tuple[Sample, Any, Mapping[str, Any]]] = []
    keys: list[str] = []
    problems: list[str] = []
    for key, record in kept.items():
        answer = answer_of(record, chosen, shape.parts)
        if golds is not None:
            own = key if key in golds else re.sub(r"~\d+again$", "", key)  # of `unique`
            if own not in golds:
                counts["extra"] += 1
                continue
            sample = golds[own]
            if chosen["gold"] and not same_gold(benchmark, record[chosen["gold"]], sample):
                counts["other_gold"] += 1
        else:
            try:
                sample = sample_of(benchmark, key, record, chosen)
            except (ValueError, KeyError, TypeError) as error:
                counts["bad_gold"] += 1
                problems.append(f"item {key}: {error}")
                continue
        items.append((sample, answer, record))
        keys.append(key)
    if problems:
        shown = "\n  ".join(problems[:3])
        raise LogError(
            f"{paths[0]}: the gold of {len(problems)} of {len(kept)} items is not as "
            f"{benchmark.id} has it:\n  {shown}\nName the field with --field gold=NAME (fields: "
            f"{seen(records)}), or give the benchmark's question file with --gold."
        )
    if not items:
        hint = f"ids in the log: {list(kept)[:3]}; in the gold file: {list(golds or ())[:3]}."
        raise LogError(
            f"{paths[0]}: no item can be scored ({counts['extra']} are not in the gold file). "
            f"{hint} Name the id field with --field id=NAME."
        )
    missing = [s for k, s in golds.items() if k not in kept] if golds is not None else []
    counts.update(scored=len(items), missing=len(missing))
    counts["no_answer"] = sum(a is None for _, a, _ in items)

    samples = [s for s, _, _ in items]
    graded = grade_all(grade, samples, [a for _, a, _ in items])
    lone = "saliency" in shape.parts and not chosen["prediction"] and bool(chosen["saliency"])
    numbers = benchmark.numbers(samples, graded)
    if lone:  # a log of highlights alone says nothing of moments
        numbers = {k: v for k, v in numbers.items() if k.startswith(_HIGHLIGHTS)}
        graded = [_highlights(g) for g in graded]
        against = ""
    if shape.name == "dense" and meteor_java:
        numbers = {**numbers, **_java_numbers([(s, a) for s, a, _ in items])}
    elif shape.name == "dense":
        notes.append(
            "METEOR and SODA_c are made with nltk's METEOR. Papers use METEOR 1.5, whose values "
            "are lower: --meteor-java adds it where Java and pycocoevalcap are installed."
        )
    counts["unread"] = sum(
        _unread(g) and a is not None for g, (_, a, _) in zip(graded, items, strict=True)
    )
    report = Report(
        benchmark=benchmark.id,
        log=paths[0].name if len(paths) == 1 else f"{paths[0].name} and {len(paths) - 1} more",
        asked=asked,
        rule=name,
        fields={k: v for k, v in chosen.items() if v},
        counts=dict(counts),
        numbers=numbers,
        notes=notes,
        answers=[(s, a, g) for (s, a, _), g in zip(items, graded, strict=True)],
    )
    members = _groups(benchmark, items, by)
    report.groups = {} if lone else _grouped(benchmark, members, samples, graded)
    headline = next(iter(graded[0].values), "")
    for mark, values in marks_of([record for _, _, record in items]).items():
        if name in shape.judged or headline not in ("accuracy", "score"):
            break
        differs = sum(v != g.values.get(headline) for v, g in zip(values, graded, strict=True))
        number = _base.Number(sum(values) / len(values), len(values))
        report.marks[mark] = (number, differs)
    report.values = {
        n: _base.Number(sum(v) / len(v), len(v), percent=False)
        for n, v in values_of([record for _, _, record in items]).items()
    }
    if files := report.groups.get("file", {}):
        first = next(iter(numbers))
        means = [n[first].value for n in files.values() if first in n]
        whole = replace(numbers[first], value=sum(means) / len(means), n=len(means), unit="files")
        report.numbers = {**numbers, f"{first}, mean over files": whole}
    videos = _videos(samples)
    report.interval = _interval(videos, graded)
    if report.interval and not videos and len(samples) > 1:
        report.notes.append(
            "No video is known, so the interval takes questions as independent; with several a "
            "video it is too narrow. Name the field with --field video=NAME, or give --gold."
        )
    _notes(report, benchmark, graded, gold is not None)
    if times and not lone:
        again = [i for i, key in enumerate(keys) for _ in range(times[key])]
        report.repeats_counted = benchmark.numbers(
            samples + [samples[i] for i in again], graded + [graded[i] for i in again]
        )
    if missing and not lone:
        absent = [grade(s, None) for s in missing]
        report.missing_wrong = benchmark.numbers([*samples, *missing], [*graded, *absent])
    if against is None:  # a verdict has no second reading
        against = "" if name in shape.judged else shape.better
    other_name, other = benchmark.rule(against) if against else ("", None)
    second = (
        grade_all(other, samples, [a for _, a, _ in items]) if other and other_name != name else []
    )
    if second and {k for g in graded for k in g.values} & {k for g in second for k in g.values}:
        report.against = other_name
        report.other = benchmark.numbers(samples, second)
        report.other_groups = _grouped(benchmark, members, samples, second)
        report.other_unread = sum(
            _unread(g) and a is not None for g, (_, a, _) in zip(second, items, strict=True)
        )
        report.differences = [
            Difference(s.id, s.answer[:200], _cut(a), g.read, g.values, h.read, h.values)
            for (s, a, _), g, h in zip(items, graded, second, strict=True)
            if dict(g.values) != dict(h.values)
        ]
    report.published = [compared(report, label, text) for label, text in (published or {}).items()]
    return report


def _join(kept: dict[str, dict[str, Any]], file: Path, role: str) -> int:
    """Put the answers of a second log into the records as a field; returns how many lack one."""
    records, _ = read_logs([file])
    fields = detect(records, {}, need_gold=False)
    other = {key_of(r, fields["id"]): r.get(fields["prediction"]) for r in records}
    for key, record in kept.items():
        record[role] = other.get(key)
    lacking = sum(key not in other for key in kept)
    if lacking == len(kept):
        raise LogError(f"{file}: no id is that of an item of the log ({list(kept)[:3]}).")
    return lacking


def _highlights(graded: Any) -> Any:
    """An answer of clip scores alone."""
    values = {k: v for k, v in graded.values.items() if k.startswith(_HIGHLIGHTS)}
    return replace(graded, values=values, read="clips" if values else None, note="")


def _java_numbers(items: Sequence[tuple[Sample, Any]]) -> dict[str, Any]:
    """METEOR at tIoU thresholds and SODA_c of dense captions with the published METEOR."""
    events: Any = importlib.import_module("reproductions.benchmarks._events")
    meteor = soda = 0.0
    try:
        with JavaMeteor() as java:
            for sample, answer in items:
                pred, golds = events.events_of(answer) if answer else [], events.golds_of(sample)
                for threshold in soda_c.THRESHOLDS:
                    pairs, lost = soda_c.matched(pred, golds, threshold)
                    # The evaluators pair a lost caption with a word that nobody says.
                    rows = [(p, [g]) for p, g in [*pairs, *((p, "zqvxkjwhpf") for p in lost)]]
                    if rows:
                        meteor += java.scores(rows)[0] / len(soda_c.THRESHOLDS)
                soda += max(
                    (soda_c.soda_video(pred, g, java.similarity)[2] for g in golds), default=0
                )
    except MeteorMissing as error:
        raise LogError(str(error)) from None
    n = len(items)
    return {
        "METEOR 1.5": _base.Number(meteor / n, n, unit="videos"),
        "SODA_c with METEOR 1.5": _base.Number(soda / n, n, unit="videos"),
    }


def _advice(problem: str, records: Sequence[Mapping[str, Any]], shape: Any, rule: str) -> str:
    """What else can be done with a log whose fields were not recognised."""
    text = ""
    others = [r for r in shape.rules if r not in shape.judged]
    if "verdict" in problem and rule in shape.judged and others:
        text += f" Without a judge the answers can be scored: --rules {', --rules '.join(others)}."
    means = [f"{n} {sum(v) / len(v):.4f} (n {len(v)})" for n, v in values_of(records).items()]
    if means:
        text += f" By its own values the log has the means {', '.join(means)}."
    return text


def _unread(graded: Any) -> bool:
    """Whether a rule read nothing; an answer that earns something was read, at least in part."""
    return graded.read is None and not next(iter(graded.values.values()), 0.0) > 0


def _cut(value: Any, size: int = 300) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= size else f"{text[: size // 2]} ... {text[-size // 2 :]}"


# -- logs that give overlaps and no answers --------------------------------------------------------


OVERLAPS = {
    "span": (("iou", "tiou", "temporal_iou"), "mIoU", "R@1 IoU={}", (0.3, 0.5, 0.7), False),
    "moments": (("iou", "tiou", "temporal_iou"), "mIoU", "R@1 IoU={}", (0.3, 0.5, 0.7), False),
    "tube": (("viou",), "m_vIoU", "vIoU@{}", (0.3, 0.5), True),
}
"""Kind of answer -> fields with an overlap, its mean, shares above thresholds, whether strictly."""
NOISE = 1e-3
"""So far above 1 an overlap may lie that was computed with rounded numbers."""


def _own_values(
    paths: Sequence[Path], records: Sequence[Mapping[str, Any]], benchmark: Any, asked: str
) -> Report | None:
    """Scores of a log that gives the overlap of every answer but no answer (VTimeLLM, TubeDETR)."""
    known, title, share, thresholds, strict = OVERLAPS.get(
        benchmark.shape.name, ((), "", "", (), False)
    )
    found = {fold(n): v for n, v in values_of(records).items()}
    name = next((n for n in known if n in found), "")
    if not name:
        return None
    notes = [f"No answers are in the log; the numbers are made of its own {name}."]
    overlaps = _fractions(paths[0], name, found[name], notes)
    graded = []
    for v in overlaps:
        hits = {share.format(m): float(v > m if strict else v >= m) for m in thresholds}
        graded.append(_base.Graded(v, {title: v, **hits}))
    numbers = {
        n: _base.Number(sum(g.values[n] for g in graded) / len(graded), len(graded))
        for n in graded[0].values
    }
    if benchmark.shape.name == "tube" and len(found.get("tiou", ())) == len(graded):
        times = _fractions(paths[0], "tiou", found["tiou"], notes)
        numbers["m_tIoU"] = _base.Number(sum(times) / len(graded), len(graded))
    counts = {"records": len(records), "scored": len(graded), "unread": 0}
    if len(graded) < len(records):
        notes.append(f"{len(records) - len(graded)} records without {name} were left out.")
    return Report(
        benchmark=benchmark.id, log=paths[0].name, asked=asked, rule="own values",
        fields={name: name}, counts=counts, numbers=numbers, notes=notes,
        interval=_interval([], graded),
    )  # fmt: skip


def _fractions(path: Path, name: str, values: Sequence[float], notes: list[str]) -> list[float]:
    """Overlaps as fractions, from fractions or per cents.

    Raises:
        LogError: They are neither.
    """
    low, high = min(values), max(values)
    if low >= -NOISE and high <= 1 + NOISE:
        return [min(1.0, max(0.0, v)) for v in values]
    # A few per cent at most, or one overlap that is wrong: no guess is safe.
    if low < 0 or not 2 < high <= 100 + 100 * NOISE or not math.isfinite(low + high):
        raise LogError(
            f"{path}: the overlaps in {name} are neither fractions nor per cents (from {low:g} to "
            f"{high:g}). Mend the log, or give the answers themselves: --field prediction=NAME."
        )
    notes.append(f"The values of {name} are read as per cents.")
    return [min(1.0, v / 100) for v in values]


# -- breakdowns, intervals, notes ------------------------------------------------------------------


def _groups(
    benchmark: Any, items: Sequence[tuple[Sample, Any, Mapping[str, Any]]], by: Sequence[str]
) -> dict[str, dict[str, list[int]]]:
    """Breakdown -> group -> indices of items."""
    members: dict[str, dict[str, list[int]]] = {}
    for name, group in benchmark.by.items():
        for i, (sample, _, _) in enumerate(items):
            try:
                label = group(sample)
            except (KeyError, IndexError, TypeError):
                label = ""  # the log does not say
            if label:
                members.setdefault(name, {}).setdefault(str(label), []).append(i)
    if any(FILE in record for _, _, record in items):
        for i, (_, _, record) in enumerate(items):
            members.setdefault("file", {}).setdefault(str(record.get(FILE)), []).append(i)
    for name in by:
        if not any(name in record or name in sample.meta for sample, _, record in items):
            raise LogError(f"no field '{name}' to break down by. Leave out --by {name}.")
        for i, (sample, _, record) in enumerate(items):
            label = text_of(record.get(name, sample.meta.get(name, "")))
            members.setdefault(name, {}).setdefault(label, []).append(i)
    return members


def _grouped(
    benchmark: Any,
    members: Mapping[str, Mapping[str, Sequence[int]]],
    samples: Sequence[Sample],
    graded: Sequence[Any],
) -> dict[str, dict[str, dict[str, Any]]]:
    return {
        name: {
            label: benchmark.shape.numbers([samples[i] for i in part], [graded[i] for i in part])
            for label, part in groups.items()
        }
        for name, groups in members.items()
    }


_VIDEO_ID = re.compile(r"(\d{6,}|[\w-]{11})_\d+")
"""An item id made of a video's (a long number, or YouTube's eleven characters) and a number."""


def _videos(samples: Sequence[Sample]) -> list[str]:
    """The video of every item, [] if it is not known of all."""
    videos = [s.video or "" for s in samples]
    if not any(videos):
        videos = [m[1] if (m := _VIDEO_ID.fullmatch(s.id)) else "" for s in samples]
    return videos if all(videos) else []


def _interval(videos: Sequence[str], graded: Sequence[Any]) -> tuple[float, float, str] | None:
    """Interval of the mean of the first value of the items, clustered by video where known."""
    name = next(iter(graded[0].values), "")
    if not name or any(name not in g.values for g in graded) or name in ("CIDEr",):
        return None
    if len(graded) < 2:  # one item says nothing of others
        return None
    values = [float(g.values[name]) for g in graded]
    clusters = videos if len(set(videos)) > 1 else None
    found = score_interval(values, clusters)
    return found.low, found.high, f"{found.method}, mean of {name}"


def _notes(report: Report, benchmark: Any, graded: Sequence[Any], has_gold: bool) -> None:
    """What a reader of the score must know."""
    counts = report.counts
    said = Counter((g.note, _unread(g)) for g in graded if g.note and g.read is None)
    for (note, wrong), n in said.items():
        if note != "no answer":
            report.notes.append(f"{n} answers{' counted as wrong' if wrong else ''}: {note}.")
    if counts.get("other_gold"):
        report.notes.append(
            f"For {counts['other_gold']} items the log has another gold than the gold file; the "
            "file counts."
        )
    for name, n in counts.items():
        if name.startswith("without_") and n:
            report.notes.append(f"{n} items have no {name.removeprefix('without_')} in its log.")
    if counts.get("extra"):
        report.notes.append(f"{counts['extra']} items are not in the gold file; not scored.")
    sizes = {name: split.size for name, split in benchmark.splits.items() if split.size}
    if not has_gold and sizes and counts["scored"] not in sizes.values():
        known = ", ".join(f"{name} {size}" for name, size in sizes.items())
        report.notes.append(
            f"{counts['scored']} items are no whole split as published ({known}); whether some "
            "are missing can be told with --gold."
        )
