"""The score of a log under one rule, what another gives, and published numbers beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Any

from reproductions.shared.evaluation.log_fields import LogError
from reproductions.shared.method import Sample


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


def compared(report: Report, label: str, text: str) -> dict[str, Any]:
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


def printed(value: float, like: str) -> tuple[str, str]:
    """(rounded, cut) to the digits of `like`, for example "63.3"; a half is rounded up."""
    digits = len(like.partition(".")[2])
    step = Decimal(1).scaleb(-digits)
    exact = Decimal(repr(round(value, 9)))  # sums of fractions carry noise beyond the ninth digit
    return (
        str(exact.quantize(step, ROUND_HALF_UP)),
        str(exact.quantize(step, ROUND_DOWN)),
    )


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
