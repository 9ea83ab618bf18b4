"""Score prediction logs of real runs, ours or other people's, under a named rule.

`logs` reads the files. Repeats, missing and unread answers are counted and said, and a second rule
shows which items it would change.
"""

from __future__ import annotations

import importlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from reproductions.metrics import soda_c
from reproductions.shared.evaluation import interop
from reproductions.shared.evaluation.benchmark import grade_all
from reproductions.shared.evaluation.interop import InteropError, fold
from reproductions.shared.evaluation.logs import (
    CANDIDATES,
    FILE,
    LogError,
    answer_of,
    by_video,
    detect,
    key_of,
    marks_of,
    named,
    other_answers,
    read_logs,
    seen,
    text_of,
    unique,
    values_of,
)
from reproductions.shared.evaluation.meteor_java import JavaMeteor, MeteorMissing
from reproductions.shared.evaluation.statistics import score_interval
from reproductions.shared.method import Sample

# Loaded by name, as hub.py does with data sets: benchmarks lie beside the engine, not below it.
_base: Any = importlib.import_module("reproductions.benchmarks._base")
_files: Any = importlib.import_module("reproductions.benchmarks._files")


__all__ = ["Difference", "LogError", "Report", "bare", "printed", "score_log"]


@dataclass(frozen=True)
class Difference:
    """An item on which two rules disagree."""

    id: str
    gold: str
    prediction: str
    read: Any
    values: Mapping[str, float]
    other_read: Any
    other_values: Mapping[str, float]


@dataclass
class Report:
    """Scores of a log under one rule, and what another rule would give.

    Attributes:
        benchmark: Benchmark id.
        rule: Name of the rule; `asked` is what was asked for, for example "paper".
        fields: Role -> field of the log.
        counts: records, repeats, conflicts, scored, no_answer, unread, missing, extra, ...
        numbers: Name -> `Number`.
        groups: Breakdown -> group -> name -> `Number`.
        missing_wrong: The numbers with the missing items as wrong answers.
        marks: Field with the log's own marks -> their mean, and on how many items the rule differs.
        values: Metric that the log itself gives for its answers -> the mean.
        repeats_counted: The numbers if records that stand twice counted twice.
        interval: Confidence interval of the headline and its method, None without items.
        against: Name of the other rule, "" if there is none.
        other: Its numbers.
        differences: Items on which the rules disagree.
        notes: Sentences a reader must know.
        answers: Sample, prediction and graded answer of every scored item.
    """

    benchmark: str
    log: str
    asked: str
    rule: str
    fields: dict[str, str]
    counts: dict[str, int]
    numbers: dict[str, Any]
    groups: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    interval: tuple[float, float, str] | None = None
    against: str = ""
    other: dict[str, Any] = field(default_factory=dict)
    other_groups: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    other_unread: int = 0
    missing_wrong: dict[str, Any] = field(default_factory=dict)
    repeats_counted: dict[str, Any] = field(default_factory=dict)
    marks: dict[str, tuple[Any, int]] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    published: list[dict[str, Any]] = field(default_factory=list)
    answers: list[tuple[Sample, Any, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Everything but the answers, as JSON."""
        return {
            "benchmark": self.benchmark,
            "log": self.log,
            "asked": self.asked,
            "rule": self.rule,
            "fields": self.fields,
            "counts": self.counts,
            "numbers": _plain(self.numbers),
            "groups": {b: {g: _plain(n) for g, n in v.items()} for b, v in self.groups.items()},
            "interval": self.interval and list(self.interval),
            "missing_counted_as_wrong": _plain(self.missing_wrong),
            "repeats_counted": _plain(self.repeats_counted),
            "own_values": _plain(self.values),
            "own_marks": {
                name: {"value": number.printed, "n": number.n, "differs": differs}
                for name, (number, differs) in self.marks.items()
            },
            "against": {
                "rule": self.against,
                "numbers": _plain(self.other),
                "groups": {
                    b: {g: _plain(n) for g, n in v.items()} for b, v in self.other_groups.items()
                },
                "unread": self.other_unread,
            }
            if self.against
            else None,
            "differences": [vars(d) for d in self.differences],
            "published": self.published,
            "notes": self.notes,
        }


def _plain(numbers: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {"value": number.printed, "n": number.n, "unit": number.unit}
        for name, number in numbers.items()
    }


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
    golds, said = _golds(benchmark, gold, records) if gold else (None, "")
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
        report.published = [_compared(report, n, text) for n, text in (published or {}).items()]
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
            if chosen["gold"] and not _same_gold(benchmark, record[chosen["gold"]], sample):
                counts["other_gold"] += 1
        else:
            try:
                sample = _sample(benchmark, key, record, chosen)
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
    report.published = [_compared(report, label, text) for label, text in (published or {}).items()]
    return report


OWN = {
    "span": (("iou", "tiou", "temporal_iou"), "mIoU", "R@1 IoU={}", (0.3, 0.5, 0.7), False),
    "moments": (("iou", "tiou", "temporal_iou"), "mIoU", "R@1 IoU={}", (0.3, 0.5, 0.7), False),
    "tube": (("viou",), "m_vIoU", "vIoU@{}", (0.3, 0.5), True),
}
"""Kind of answer -> fields with an overlap, its mean, shares above thresholds, whether strictly."""


def _own_values(
    paths: Sequence[Path], records: Sequence[Mapping[str, Any]], benchmark: Any, asked: str
) -> Report | None:
    """Scores of a log that gives the overlap of every answer but no answer (VTimeLLM, TubeDETR)."""
    known, title, share, thresholds, strict = OWN.get(benchmark.shape.name, ((), "", "", (), False))
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


NOISE = 1e-3
"""So far above 1 an overlap may lie that was computed with rounded numbers."""


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


KINDS = ("multiple choice", "numerical", "yes or no", "free-form", "regression")
"""Kinds of question as a log may name them (`problem_type`)."""
_HIGHLIGHTS = ("HD mAP", "HIT@1")


def _highlights(graded: Any) -> Any:
    """An answer of clip scores alone."""
    values = {k: v for k, v in graded.values.items() if k.startswith(_HIGHLIGHTS)}
    return replace(graded, values=values, read="clips" if values else None, note="")


# -- golds and samples -----------------------------------------------------------------------------


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


def _golds(
    benchmark: Any, path: Path, records: list[dict[str, Any]]
) -> tuple[dict[str, Sample], str]:  # fmt: skip
    """The gold samples by id, and a note.

    The file is read as the benchmark publishes it; if it is none, or if its ids are not those of
    the log, as any file of records with an id and a gold.
    """
    if benchmark.shape.name == "track" and path.is_dir():
        return _track_samples(path, records), ""
    files = [path]
    if path.is_dir():
        patterns = [p for split in benchmark.splits.values() for p in split.files]
        files = next((f for p in patterns if (f := sorted(path.glob(p)))), [])
        if not files:
            raise LogError(f"{path}: holds no question file ({', '.join(patterns[:6])}).")
    try:
        seen_ids: dict[str, str] = {}
        samples = {s.id: s for file in files for s in benchmark.read(file, "", seen_ids)}
        problem = ""
    except _files.FileProblem as error:
        samples, problem = {}, str(error)
    ids = {text_of(r[n]) for r in records for n in r if isinstance(r[n], str | int | float)}
    video_ids = any("qid" in r or "question_id" in r or "qns_id" in r for r in records)
    if samples and (not ids.isdisjoint(samples) or video_ids):
        return samples, ""
    try:
        other = _plain_golds(benchmark, path, ids)
    except LogError as error:
        if not samples:
            raise LogError(f"{problem}\nAs a plain file of records: {error}") from None
        other = {}
    if not other:
        return samples, ""
    fields = next(iter(benchmark.splits.values())).files[0]
    return other, (
        f"{path.name} is not as {benchmark.id} is published ({fields}); its records were joined "
        "to the log by id."
    )


def _plain_golds(benchmark: Any, path: Path, ids: set[str]) -> dict[str, Sample]:
    """Samples from any file of records whose ids are those of the log."""
    found, _ = read_logs([path])
    dense = benchmark.shape.name == "dense"
    records = [_events(r) for r in found] if dense else found
    names = {n for r in records for n in r if isinstance(r[n], str | int | float)}
    values = {n: [text_of(r.get(n)) for r in records] for n in names}
    hits = {n: len(ids.intersection(values[n])) for n in names}
    order = (*CANDIDATES["id"], *CANDIDATES["video"])
    known = [n for n in names if fold(n) in order and hits[n]]
    best = max(
        known,
        key=lambda n: (len(set(values[n])) == len(records), hits[n], -order.index(fold(n))),
        default="",
    )
    if not best:
        raise LogError(f"no field holds ids of the log. The file has: {seen(records)}.")
    given = {"id": best, **({"gold": "gold"} if dense else {})}
    chosen = detect(records, given, need_prediction=False)
    samples: dict[str, Sample] = {}
    for record in records:
        key = key_of(record, best)
        try:
            samples[key] = _sample(benchmark, key, record, chosen)
        except (ValueError, KeyError, TypeError) as error:
            raise LogError(f"{path}: item {key}: {error}") from None
    return samples


def _events(record: Mapping[str, Any]) -> dict[str, Any]:
    """The true events of a video under "gold": ActivityNet Captions', or TimeIT's in one text."""
    spans = record.get("timestamps", record.get("segments"))
    texts = record.get("sentences", record.get("captions"))
    if isinstance(spans, list) and not isinstance(texts, list):
        whole = record.get("pure_cap")
        pieces = str(whole if whole is not None else record.get("caption", ""))
        texts = [
            f"{t.strip()}." for t in pieces.split(". " if whole is not None else ".")
            if whole is not None or len(t) > 5
        ]  # fmt: skip
    if not isinstance(spans, list) or len(spans) != len(texts):
        return dict(record)
    return {**record, "gold": {"timestamps": spans, "sentences": texts}}


def _track_samples(folder: Path, records: list[dict[str, Any]]) -> dict[str, Sample]:
    """Samples of a folder of true tracks; predicted boxes are cut at the picture where it is known.

    Frames whose target is not visible do not count, and further runs of a sequence count too, as in
    the GOT-10k toolkit.
    """
    try:
        golds = interop.track_golds(folder)
    except InteropError as error:
        raise LogError(str(error)) from None
    if not golds:
        raise LogError(f"{folder}: holds no groundtruth.txt. Name the folder of the sequences.")
    runs: dict[str, list[str]] = {}
    for record in records:
        name = text_of(record.get("id"))
        runs.setdefault(name.partition("#")[0], []).append(name)
        size = golds.get(name.partition("#")[0], {}).get("size")
        if isinstance(record.get("prediction"), Mapping) and size:
            boxes = record["prediction"].items()
            record["prediction"] = {t: interop.within(b, size) for t, b in boxes}
    samples = {}
    for name, gold in golds.items():
        cover = gold["cover"] or []
        boxes = {
            str(t): _corners(interop.within(box, gold["size"]))
            for t, box in enumerate(gold["boxes"])
            if box and (not t or t >= len(cover) or cover[t] > 0)
        }
        for key in runs.get(name, [name]):
            samples[key] = Sample(
                key, "", json.dumps(boxes), "tracking", video=name, meta={"boxes": "corners"}
            )
    return samples


def _corners(box: Sequence[float]) -> list[float]:
    return [box[0], box[1], box[0] + box[2], box[1] + box[3]]


def _options(value: Any) -> tuple[str, ...]:
    choice: Any = importlib.import_module("reproductions.benchmarks._choice")
    if value in (None, "", [], {}):
        return ()
    if isinstance(value, Mapping):
        return tuple(choice.lettered([v for v in value.values() if v not in (None, "")]))
    return tuple(choice.lettered(choice.listed(value)))


def _sample(
    benchmark: Any, key: str, record: Mapping[str, Any], chosen: Mapping[str, str]
) -> Sample:
    """A sample from the log alone."""
    if "doc" in record and isinstance(record["doc"], Mapping):
        try:  # lmms-eval logs the whole question record
            made = benchmark.sample(record["doc"])
            if isinstance(made, Sample):
                return replace(made, id=key)
        except (KeyError, ValueError, TypeError, IndexError, AttributeError):
            pass  # a copy of the data set with other fields: the target counts
    options = _options(record.get(chosen["options"])) if chosen["options"] else ()
    if not options:  # VLMEvalKit: a column an option
        columns = [record.get(x) for x in "ABCDEFGHIJ"]
        options = _options([c for c in columns if c not in (None, "")])
    question = str(record.get(chosen["question"], "")) if chosen["question"] else ""
    if not options and benchmark.shape.inline is not None and question:
        try:
            question, found = benchmark.shape.inline(question)
            options = tuple(found) if found and ": " in found[0] else _options(list(found))
        except ValueError:
            pass  # a question without its options; letters are read all the same
    gold = record.get(chosen["gold"]) if chosen["gold"] else None
    if gold is None and chosen["gold"]:
        raise ValueError(f"the field {chosen['gold']} is empty")
    plain = {k: v for k, v in record.items() if isinstance(v, str | int | float)}
    kind = record.get("problem_type")
    return Sample(
        id=key,
        question=question,
        answer=benchmark.shape.gold(gold, options) if gold is not None else "",
        problem_type=kind if kind in KINDS else "multiple choice",
        options=options,
        video=text_of(record[chosen["video"]]) if record.get(chosen["video"]) is not None else None,
        task=text_of(record.get(chosen["task"], "")) if chosen["task"] else "",
        meta=plain,
    )


def _same_gold(benchmark: Any, value: Any, sample: Sample) -> bool:
    try:
        return bool(benchmark.shape.gold(value, sample.options) == sample.answer)
    except (ValueError, TypeError):
        return False


# -- report ----------------------------------------------------------------------------------------


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


def _unread(graded: Any) -> bool:
    """Whether a rule read nothing; an answer that earns something was read, at least in part."""
    return graded.read is None and not next(iter(graded.values.values()), 0.0) > 0


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


def _cut(value: Any, size: int = 300) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= size else f"{text[: size // 2]} ... {text[-size // 2 :]}"


def printed(value: float, like: str) -> tuple[str, str]:
    """(rounded, cut) to the digits of `like`, for example "63.3"; a half is rounded up."""
    digits = len(like.partition(".")[2])
    step = Decimal(1).scaleb(-digits)
    exact = Decimal(repr(round(value, 9)))  # sums of fractions carry noise beyond the ninth digit
    return (
        str(exact.quantize(step, ROUND_HALF_UP)),
        str(exact.quantize(step, ROUND_DOWN)),
    )


def _compared(report: Report, label: str, text: str) -> dict[str, Any]:
    """A published number beside ours: equal as rounded, equal if cut, or different.

    Where it differs, what its authors may have counted is tried: missing items as wrong, repeats,
    the marks in the log.
    """
    number = _find(report.numbers, report.groups, label)
    if number is None:
        known = [
            *report.numbers,
            *(f"{g}/{n}" for v in report.groups.values() for g, ns in v.items() for n in ns),
        ]
        raise LogError(f"no number '{label}' here. There are: {', '.join(known[:40])}.")
    verdict = _equal(number, text)
    if not verdict:  # what else its authors may have counted
        ways = {
            "with missing items as wrong": report.missing_wrong.get(label),
            "with repeats counted": report.repeats_counted.get(label),
            **{f"by the log's own marks ({m})": v for m, (v, _) in report.marks.items()},
        }
        found = {way: _equal(n, text) for way, n in ways.items() if n is not None}
        verdict = next((f"{v} {way}" for way, v in found.items() if v), "differs")
    row = {"number": label, "published": text, "ours": number.printed, "verdict": verdict}
    better = _find(report.other, report.other_groups, label) if report.against else None
    if better is not None:
        row["against"] = better.printed
    return row


def _equal(number: Any, text: str) -> str:
    """How a number equals a printed one: "equal", "equal if cut", as a fraction; "" if not."""
    wanted = text.strip()
    for value, how in ((number.printed, ""), (number.value, " as a fraction")):
        rounded, cut = printed(value, wanted)
        half_even = f"{value:.{len(wanted.partition('.')[2])}f}"  # what Python prints
        if wanted in (rounded, half_even):
            return f"equal{how}"
        if cut == wanted:
            return f"equal if cut{how}"
    return ""


def _find(
    numbers: Mapping[str, Any], groups: Mapping[str, Mapping[str, Mapping[str, Any]]], label: str
) -> Any:
    if label in numbers:
        return numbers[label]
    group, _, name = label.rpartition("/")
    for found in groups.values():
        if group in found:
            return found[group].get(name)
    return None
