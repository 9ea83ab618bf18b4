"""Score prediction logs of real runs, ours or other people's, under a named rule.

A log is any file of records with an answer each (JSON lines, JSON, CSV, TSV, xlsx, gzip). Which
field holds the answer, the gold and the id is detected from the names that projects use; where that
is not certain the log is refused and the fields are named. Repeats, missing and unread answers are
counted and said, and a second rule shows which items it would change.
"""

from __future__ import annotations

import importlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from reproductions.shared.evaluation.interop import InteropError, explode, flatten, joined
from reproductions.shared.evaluation.statistics import score_interval
from reproductions.shared.method import Sample

# Loaded by name, as hub.py does with data sets: benchmarks lie beside the engine, not below it.
_base: Any = importlib.import_module("reproductions.benchmarks._base")
_files: Any = importlib.import_module("reproductions.benchmarks._files")

CANDIDATES: dict[str, tuple[str, ...]] = {
    "id": (
        *("id", "question_id", "problem_id", "qid", "uid", "sample_id", "quesid", "index"),
        *("question_idx", "doc_id", "item_id", "idx", "key", "query_id", "annotation_id"),
    ),
    "prediction": (
        *("model_output", "completion", "raw_output", "raw_response", "raw_prediction"),
        *("model_response", "response", "prediction", "pred", "predicted", "output", "generated"),
        *("generated_text", "model_answer", "model_prediction", "pred_answer", "predicted_answer"),
        *("video_llm_prediction", "pred_relevant_windows", "pred_timestamps", "pred_span"),
        *("pred_windows", "pred_events", "pred_boxes", "pred_tube", "pred_masks", "pred_caption"),
        *("model_pred", "ans", "answer_pred", "pred_text", "generated_cap", "caption_pred"),
        "value",  # of files that map ids to answers
    ),
    "gold": (
        *("ground_truth", "gold", "gt", "target", "solution", "gt_answer", "correct_answer"),
        *("correct_choice", "right_answer", "answer_key", "label", "reference", "references"),
        *("truth", "gt_option", "gold_answer", "relevant_windows", "gt_windows", "gt_timestamps"),
        *("timestamp", "timestamps", "gt_span", "span", "gt_events", "gt_boxes", "gt_tube"),
        *("gt_masks", "gt_caption", "captions", "groundtruth"),
    ),
    "options": ("options", "candidates", "choices", "option"),
    "task": ("task", "task_type", "question_type", "type", "category", "task_category", "dim"),
    "video": (
        *("video", "video_id", "videoid", "vid", "video_name", "video_path", "ori_video"),
        *("video_uid", "video_idx", "vname"),
    ),
    "question": ("question", "query", "problem", "prompt"),
    "span": (
        *("pred_relevant_windows", "pred_windows", "pred_span", "pred_timestamps"),
        *("pred_timestamp", "span_pred", "pred_location", "glue", "grounding"),
    ),
    "saliency": ("pred_saliency_scores", "saliency_scores", "pred_saliency"),
    "verdict": (
        *("verdict", "judge", "judgement", "judgment", "judge_response", "judge_output"),
        *("gpt_eval", "gpt_response", "chatgpt_response", "llm_judge", "judge_result", "review"),
        *("grade", "rating", "gpt_score", "judge_score", "is_correct", "correct"),
    ),
}  # fmt: skip
"""Role -> names under which projects log it, lower case, with "_" for every other mark."""
PARTS = ("span", "verdict", "saliency")
"""Roles that only some shapes have."""
SHARED = "answer"
"""The one name that some projects use for the gold and others for the model's answer."""
SHOWN = 10


class LogError(ValueError):
    """A log that cannot be scored: what is wrong, and what to do."""


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


def score_log(
    path: Path,
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
) -> Report:
    """Score a log.

    Args:
        path: The log.
        benchmark: The benchmark (`reproductions.benchmarks._base.Benchmark`).
        rule: "paper", "lmms_eval", "vlmevalkit" or a rule of the benchmark's shape.
        against: A second rule; None takes the shape's better one, "" none.
        gold: The benchmark's question file. Without it the gold comes from the log.
        fields: Role -> field, where detection shall not decide.
        repeats: What to do with two different answers to one item: "refuse", "first" or "last".
        join: Part of the answer ("span", "verdict") -> a second log that holds it, by item id.
        by: Fields of the log by which to break the scores down, besides the benchmark's own.
        published: Name or "group/name" -> number as printed, to be compared.

    Raises:
        LogError: The log does not fit; the message names the fields that were seen.
        KeyError: No such rule.
    """
    asked, (name, grade) = rule, benchmark.rule(rule)
    records = _records(path)
    golds = {s.id: s for s in _gold_samples(benchmark, gold)} if gold else None
    shape = benchmark.shape
    if shape.name == "dense":
        records = _by_video(records)
    chosen = detect(
        records,
        fields or {},
        need_gold=golds is None,
        gold_ids=golds,
        parts=shape.parts,
        judged=name in shape.judged,
    )
    counts: Counter[str] = Counter(records=len(records))
    kept, notes = _unique(
        records, chosen["id"], chosen["prediction"] or chosen.get("verdict", ""), repeats, counts
    )
    if not chosen["id"]:
        notes.append("The log has no id field; items are numbered by line.")

    for role, file in (join or {}).items():
        if role not in shape.parts:
            known = ", ".join(shape.parts) or "none"
            raise LogError(f"{benchmark.id}: answers have no part '{role}'. There are: {known}.")
        counts[f"without_{role}"] = _join(kept, file, role)
        chosen[role] = role
    items: list[tuple[Sample, Any, Mapping[str, Any]]] = []
    problems: list[str] = []
    for key, record in kept.items():
        answer = _parted(record, chosen, shape.parts)
        if golds is not None:
            if key not in golds:
                counts["extra"] += 1
                continue
            sample = golds[key]
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
    if problems:
        shown = "\n  ".join(problems[:3])
        raise LogError(
            f"{path}: the gold of {len(problems)} of {len(kept)} items is not as {benchmark.id} "
            f"has it:\n  {shown}\nName the field with --field gold=NAME (fields: "
            f"{_seen(records)}), or give the benchmark's question file with --gold."
        )
    if not items:
        hint = f"ids in the log: {list(kept)[:3]}; in the gold file: {list(golds or ())[:3]}."
        raise LogError(
            f"{path}: no item can be scored ({counts['extra']} are not in the gold file). {hint} "
            "Name the id field with --field id=NAME."
        )
    missing = [s for k, s in golds.items() if k not in kept] if golds is not None else []
    counts.update(scored=len(items), missing=len(missing))
    counts["no_answer"] = sum(a is None for _, a, _ in items)

    samples = [s for s, _, _ in items]
    graded = [grade(s, a) for s, a, _ in items]
    counts["unread"] = sum(
        g.read is None and a is not None for g, (_, a, _) in zip(graded, items, strict=True)
    )
    report = Report(
        benchmark=benchmark.id,
        log=path.name,
        asked=asked,
        rule=name,
        fields={k: v for k, v in chosen.items() if v},
        counts=dict(counts),
        numbers=benchmark.numbers(samples, graded),
        notes=notes,
        answers=[(s, a, g) for (s, a, _), g in zip(items, graded, strict=True)],
    )
    members = _groups(benchmark, items, by)
    report.groups = _grouped(benchmark, members, samples, graded)
    report.interval = _interval(samples, graded)
    _notes(report, benchmark, graded, gold is not None)
    if missing:
        absent = [grade(s, None) for s in missing]
        report.missing_wrong = benchmark.numbers([*samples, *missing], [*graded, *absent])
    if against is None:
        against = benchmark.shape.better
    other_name, other = benchmark.rule(against) if against else ("", None)
    if other is not None and other_name != name:
        second = [other(s, a) for s, a, _ in items]
        report.against = other_name
        report.other = benchmark.numbers(samples, second)
        report.other_groups = _grouped(benchmark, members, samples, second)
        report.other_unread = sum(
            g.read is None and a is not None for g, (_, a, _) in zip(second, items, strict=True)
        )
        report.differences = [
            Difference(s.id, s.answer[:200], _cut(a), g.read, g.values, h.read, h.values)
            for (s, a, _), g, h in zip(items, graded, second, strict=True)
            if dict(g.values) != dict(h.values)
        ]
    report.published = [_compared(report, label, text) for label, text in (published or {}).items()]
    return report


# -- records ---------------------------------------------------------------------------------------


def _records(path: Path) -> list[dict[str, Any]]:
    try:
        opened = joined(flatten(record) for record in _read(path))
        records = [single for record in opened for single in explode(record)]
    except (_files.FileProblem, InteropError) as error:
        raise LogError(str(error)) from None
    records = [r for r in records if set(r) != {"fingerprint"}]  # the head line of our own files
    if not records:
        raise LogError(f"{path}: holds no records.")
    return records


def _read(path: Path) -> list[dict[str, Any]]:
    if path.name.lower().endswith(".xlsx"):
        from reproductions.shared.evaluation.interop import read_xlsx

        return read_xlsx(path)
    return [record for _, record in _files.read_records(path)]


def _gold_samples(benchmark: Any, path: Path) -> list[Sample]:
    try:
        return list(benchmark.read(path))
    except _files.FileProblem as error:
        raise LogError(str(error)) from None


def _fold(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name.strip().lower())


def _seen(records: Sequence[Mapping[str, Any]]) -> str:
    names = Counter(k for r in records for k in r)
    return ", ".join(n if c == len(records) else f"{n} (in {c})" for n, c in names.most_common(30))


def detect(
    records: Sequence[Mapping[str, Any]],
    given: Mapping[str, str],
    *,
    need_gold: bool = True,
    gold_ids: Mapping[str, Any] | None = None,
    parts: Sequence[str] = (),
    judged: bool = False,
) -> dict[str, str]:
    """Role -> field of the log; "" where there is none and none is needed.

    A role with several candidates is settled if they all hold the same values; else it is refused.

    Args:
        records: The log.
        given: Role -> field as named by hand.
        need_gold: Whether the gold must be in the log.
        gold_ids: Ids of the gold file, to find the id field.
        parts: Further roles that belong to the answer.
        judged: Whether the verdict of a judge is all that is needed.

    Raises:
        LogError: A field named by hand is not there, or a role is missing or ambiguous.
    """
    columns: dict[str, str] = {}
    for record in records:
        for name in record:
            columns.setdefault(name, _fold(name))
    for role, name in given.items():
        if role not in CANDIDATES:
            raise LogError(f"no role '{role}'; there are: {', '.join(CANDIDATES)}.")
        if name not in columns:
            raise LogError(f"no field '{name}' for {role}. The log has: {_seen(records)}.")
    taken = set(given.values())
    roles = {r: known for r, known in CANDIDATES.items() if r not in PARTS or r in parts}
    for role in parts:  # what is a part of the answer is not the answer
        folded = {f: n for n, f in columns.items()}
        taken |= {folded[k] for k in CANDIDATES[role] if k in folded}
    found: dict[str, list[str]] = {}
    for role, known in roles.items():
        free = taken if role not in parts else set(given.values())
        by_name = {folded: n for n, folded in columns.items() if n not in free}
        found[role] = [given[role]] if role in given else [
            by_name[k] for k in known if k in by_name
        ]  # fmt: skip
    answer = next((n for n, folded in columns.items() if folded == SHARED and n not in taken), "")
    if answer and not found["gold"]:
        found["gold"] = [answer]
    elif answer and not found["prediction"]:
        found["prediction"] = [answer]
    chosen = {role: names[0] if names else "" for role, names in found.items()}
    if judged:
        if not chosen["verdict"]:
            raise LogError(
                "no field for the verdict of the judge was recognised. Name it with --field "
                f"verdict=NAME. The log has: {_seen(records)}."
            )
        need_gold = False
    for role in ("prediction", "gold"):
        if len(found[role]) > 1 and not _agree(records, found[role]):
            if (role == "gold" and not need_gold) or judged:
                chosen[role] = ""
                continue
            raise LogError(
                f"which field is the {role}? {' and '.join(found[role])} differ. Say it with "
                f"--field {role}={found[role][0]}. The log has: {_seen(records)}."
            )
    needed = () if judged else ("prediction", "gold") if need_gold else ("prediction",)
    for role in needed:
        if not chosen[role] and not (role == "prediction" and any(chosen[p] for p in parts)):
            gold = " Or give the benchmark's question file with --gold." if role == "gold" else ""
            raise LogError(
                f"no field for the {role} was recognised. Name it with --field {role}=NAME. The "
                f"log has: {_seen(records)}.{gold}"
            )
    if "id" not in given:
        chosen["id"] = _id_field(records, found["id"], chosen, gold_ids)
    return chosen


def _agree(records: Sequence[Mapping[str, Any]], names: Sequence[str]) -> bool:
    return all(
        len({json.dumps(r.get(n), sort_keys=True, default=str) for n in names}) == 1
        for r in records
    )


def _id_field(
    records: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    chosen: Mapping[str, str],
    gold_ids: Mapping[str, Any] | None,
) -> str:
    """The candidate that names most gold items; without gold the first one that tells items apart.

    Repeats of one and the same record do not speak against a field.
    """
    names = [n for n in names if n not in (chosen["prediction"], chosen["gold"])]
    pairs = [
        f"{v}+{q}"
        for v in (chosen["video"],)
        for q in ("qid", "question_id", "qns_id")
        if v and all(q in r for r in records)
    ]
    if gold_ids is not None:
        hits = {n: sum(_key(r, n) in gold_ids for r in records) for n in (*names, *pairs)}
        best = max(hits, key=lambda n: hits[n], default="")
        if not best or not hits[best]:
            raise LogError(
                f"no field of the log holds the ids of the gold file (such as "
                f"{', '.join(list(gold_ids)[:3])}). Name it with --field id=NAME. The log has: "
                f"{_seen(records)}."
            )
        return best
    whole = len({json.dumps(r, sort_keys=True, default=str) for r in records})
    for name in names:
        if len({_key(r, name) for r in records}) >= whole:
            return name
    return names[0] if names else ""


def _key(record: Mapping[str, Any], name: str) -> str:
    if "+" in name and name not in record:
        return "_".join(_text(record.get(part)) for part in name.split("+"))
    return _text(record.get(name))


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _unique(
    records: Sequence[dict[str, Any]], name: str, prediction: str, repeats: str,
    counts: Counter[str],
) -> tuple[dict[str, dict[str, Any]], list[str]]:  # fmt: skip
    """Item id -> record; the same answer twice counts once, two answers as `repeats` says."""
    kept: dict[str, dict[str, Any]] = {}
    conflicts: list[str] = []
    for line, record in enumerate(records, 1):
        key = _key(record, name) if name else str(line)
        if key not in kept:
            kept[key] = record
        elif kept[key].get(prediction) == record.get(prediction):
            counts["repeats"] += 1
        else:
            conflicts.append(key)
            if repeats == "last":
                kept[key] = record
    if conflicts and repeats == "refuse":
        raise LogError(
            f"{len(conflicts)} records answer an item ({name}) once more and differently, for "
            f"example {', '.join(conflicts[:3])}. Choose --repeats first or last; or the id is "
            f"another field: --field id=NAME. The log has: {_seen(records)}."
        )
    counts["conflicts"] = len(conflicts)
    notes = []
    if counts["repeats"]:
        notes.append(f"{counts['repeats']} repeated records were counted once.")
    if conflicts:
        notes.append(f"{len(conflicts)} items have several answers; the {repeats} one counts.")
    return kept, notes


def _answer(value: Any) -> Any:
    """The logged answer; lists around a single text are opened, an empty cell is no answer."""
    while isinstance(value, list) and len(value) == 1 and isinstance(value[0], str | list):
        if isinstance(value[0], list) and value[0] and not isinstance(value[0][0], str | list):
            break  # a list with one span or one box
        value = value[0]
    if isinstance(value, float) and value != value:
        return None
    return value


def _parted(record: Mapping[str, Any], chosen: Mapping[str, str], parts: Sequence[str]) -> Any:
    """The answer, or a mapping of the answer and its parts where the log has those."""
    value = _answer(record.get(chosen["prediction"])) if chosen["prediction"] else None
    own = {p: record.get(chosen[p]) for p in parts if chosen.get(p)}
    if not own:
        return value
    if value is None and all(v is None for v in own.values()):
        return None
    return {"prediction": value, **own}


def _join(kept: dict[str, dict[str, Any]], file: Path, role: str) -> int:
    """Put the answers of a second log into the records as a field; returns how many lack one."""
    records = _records(file)
    fields = detect(records, {}, need_gold=False)
    other = {_key(r, fields["id"]): r.get(fields["prediction"]) for r in records}
    for key, record in kept.items():
        record[role] = other.get(key)
    lacking = sum(key not in other for key in kept)
    if lacking == len(kept):
        raise LogError(f"{file}: no id is that of an item of the log ({list(kept)[:3]}).")
    return lacking


def _by_video(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records of single events as one record a video; others stay as they are."""
    single = {"sentence", "caption", "timestamp", "segment", "start", "end"}
    if not all(single & set(r) and "key" in r for r in records):
        return records
    videos: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        videos.setdefault(str(record["key"]), []).append(
            {k: v for k, v in record.items() if k != "key"}
        )
    return [{"key": k, "prediction": events} for k, events in videos.items()]


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
    return Sample(
        id=key,
        question=question,
        answer=benchmark.shape.gold(gold, options) if gold is not None else "",
        options=options,
        video=_text(record[chosen["video"]]) if record.get(chosen["video"]) is not None else None,
        task=_text(record.get(chosen["task"], "")) if chosen["task"] else "",
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
    for name in by:
        if not any(name in record or name in sample.meta for sample, _, record in items):
            raise LogError(f"no field '{name}' to break down by. Leave out --by {name}.")
        for i, (sample, _, record) in enumerate(items):
            label = _text(record.get(name, sample.meta.get(name, "")))
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


def _interval(samples: Sequence[Sample], graded: Sequence[Any]) -> tuple[float, float, str] | None:
    """Interval of the mean of the first value of the items, clustered by video where known."""
    name = next(iter(graded[0].values), "")
    if not name or any(name not in g.values for g in graded) or name in ("CIDEr",):
        return None
    values = [float(g.values[name]) for g in graded]
    videos = [s.video or "" for s in samples]
    clusters = videos if all(videos) and len(set(videos)) > 1 else None
    found = score_interval(values, clusters)
    return found.low, found.high, f"{found.method}, mean of {name}"


def _notes(report: Report, benchmark: Any, graded: Sequence[Any], has_gold: bool) -> None:
    """What a reader of the score must know."""
    counts = report.counts
    for note, n in Counter(g.note for g in graded if g.note and g.read is None).items():
        if note != "no answer":
            report.notes.append(f"{n} answers counted as wrong: {note}.")
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
    """A published number beside ours: equal as rounded, equal if cut, or different."""
    number = _find(report.numbers, report.groups, label)
    if number is None:
        known = [
            *report.numbers,
            *(f"{g}/{n}" for v in report.groups.values() for g, ns in v.items() for n in ns),
        ]
        raise LogError(f"no number '{label}' here. There are: {', '.join(known[:40])}.")
    rounded, cut = printed(number.printed, text)
    wanted = text.strip()
    half_even = f"{number.printed:.{len(wanted.partition('.')[2])}f}"  # what Python prints
    verdict = (
        "equal"
        if wanted in (rounded, half_even)
        else "equal if cut"
        if cut == wanted
        else "differs"
    )
    row = {"number": label, "published": text, "ours": number.printed, "verdict": verdict}
    better = _find(report.other, report.other_groups, label) if report.against else None
    if better is not None:
        row["against"] = better.printed
    return row


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
