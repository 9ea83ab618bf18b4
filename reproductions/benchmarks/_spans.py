"""When: moments as spans in seconds, and questions whose answer needs its moment.

A gold is written "12.3 to 15.0", several spans with ", " between them (`spans_text`).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reproductions.benchmarks._base import Graded, Number, Rule, Shape, means
from reproductions.benchmarks._choice import CHOICE, READERS, ask, letter_of
from reproductions.metrics.highlight_map import CLIP, highlight_map, hit_at_1, positives
from reproductions.metrics.iop import iop
from reproductions.metrics.map_at_iou import THRESHOLDS, moment_ap
from reproductions.metrics.tiou import union_iou
from reproductions.shared.method import Sample
from reproductions.shared.rewards import rules
from reproductions.shared.rewards.boxes import literal
from reproductions.shared.rewards.intervals import Span, clock, parse_to
from reproductions.shared.rewards.official import evaluation as official
from reproductions.shared.rewards.tags import find_tag

RECALLS = (0.3, 0.5, 0.7)
Parse = Callable[[str], list[list[float]]]
MAX_SPANS = 200
LONGEST = 20_000


def spans_text(spans: Sequence[Sequence[float]]) -> str:
    """Gold spans as text."""
    return ", ".join(f"{float(s[0])!r} to {float(s[1])!r}" for s in spans)


_GOLD = re.compile(r"(-?\d+(?:\.\d+)?(?:e-?\d+)?) to (-?\d+(?:\.\d+)?(?:e-?\d+)?)")


def gold_spans(sample: Sample) -> list[Span]:
    """The gold spans of a sample."""
    return [(float(a), float(b)) for a, b in _GOLD.findall(sample.meta.get("spans", sample.answer))]


def moment(
    id: object,
    query: str,
    spans: Sequence[Sequence[float]],
    *,
    video: str,
    task: str = "",
    rationale: str = "",
    **meta: Any,
) -> Sample:
    """A grounding sample: a query and its true spans in seconds.

    Ends in the wrong order are exchanged: published files may hold a few such slips, for which a
    whole benchmark is not to be refused.

    Raises:
        ValueError: A span is not finite.
    """
    spans = [sorted((float(span[0]), float(span[1]))) for span in spans]
    for start, end in spans:
        if not (math.isfinite(start) and math.isfinite(end)):
            raise ValueError(f"the span {start:g} to {end:g} of {id} is not finite")
    facts = {k: v for k, v in meta.items() if v is not None}
    return Sample(
        str(id), str(query).strip(), spans_text(spans), "temporal grounding", video=str(video),
        rationale=rationale, task=task, meta=facts,
    )  # fmt: skip


def when(sample: Sample) -> str:
    """Our own wording for sets that publish none."""
    return (
        f"When does this happen in the video: {sample.question}\nAnswer with the start and the end "
        'in seconds, in the form "12.54 to 17.83".'
    )


def which_and_when(sample: Sample) -> str:
    """The same for sets that want an option and the moment that shows it."""
    return (
        f"{sample.question}\n{ask(sample)}\nAnswer with the option's letter, and with the start "
        'and end in seconds of the moment that shows it, in the form "B, 12.5 to 17.0".'
    )


def spans_gold(value: Any, options: Sequence[str] = ()) -> str:
    """A logged gold as text: [s, e], [[s, e], ..], "s to e", "s - e".

    Raises:
        ValueError: It holds no span, or one that ends before it starts.
    """
    found = structured(value)
    if found is None and isinstance(value, str):
        found = all_spans(value)
    if not found:
        raise ValueError(f"the gold {str(value)[:60]!r} is no span [start, end]")
    if any(s[0] > s[1] for s in found):
        raise ValueError(f"the gold {str(value)[:60]!r} ends before it starts")
    return spans_text(found)


def structured(value: Any) -> list[list[float]] | None:
    """Spans that are data: [s, e], [[s, e, confidence], ..], {"start": s, "end": e}; else None."""
    if isinstance(value, Mapping):
        folded = {str(k).lower(): v for k, v in value.items()}
        for a, b in (("start", "end"), ("start_time", "end_time"), ("begin", "end"), ("s", "e")):
            if a in folded and b in folded:
                return structured([folded[a], folded[b]])
        for name in ("spans", "windows", "segments", "timestamps", "timestamp", "span", "time"):
            if name in folded:
                return structured(folded[name])
        return None
    if not isinstance(value, list | tuple) or not value:
        return None
    if len(value) in (2, 3) and all(seconds(v) is not None for v in value):
        return [[t for v in value if (t := seconds(v)) is not None]]
    rows = []
    for entry in list(value)[:MAX_SPANS]:
        inner = structured(entry)
        if inner is None or len(inner) != 1:
            return None
        rows.append(inner[0])
    return rows


def seconds(value: Any) -> float | None:
    """A time that is data: 12.5, "12.5", "12.5 s", "00:12"; None if it is anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if value == value and abs(value) < 1e9 else None
    if isinstance(value, str) and (found := _TIME.fullmatch(value)):
        try:
            return clock(found.group(1))
        except ValueError:
            return None
    return None


_TIME = re.compile(r"\s{0,3}([\d:.]{1,20})\s{0,3}(?:s|secs?|seconds?)?\s{0,3}", re.IGNORECASE)
_AMOUNT = r"(\d{1,6}(?::\d{2}){1,2}(?:\.\d{1,6})?|\d{1,7}(?:\.\d{1,9})?)"
_UNIT = r"(?:\s{0,3}(?:s|secs?|seconds?)\b)"
_PAIR = re.compile(
    rf"(?P<cue>\b(?:from|between)\s{{1,3}})?(?<![\d.:])(?P<minus>(?<!\w)-)?{_AMOUNT}(?P<left>{_UNIT})?\b\s{{0,3}}"
    r"(?:-|\u2013|\u2014|~|,|to|until|(?:and\s{1,3})?(?:ends|ending|end)\s{1,3}at|and)\s{0,3}"
    rf"{_AMOUNT}(?P<right>{_UNIT})?(?!\s{{1,3}}(?:people|persons|men|women|children|times)\b)",
    re.IGNORECASE,
)
_WORD = re.compile(r"\s{1,3}(?!(?:and|or|then)\b)[a-z]", re.IGNORECASE)
TAIL = 4000


def all_spans(text: str) -> list[list[float]]:
    """Our rule: all spans of the answer, in order; reversed ones are put right.

    Where some are marked as times (a unit, a clock, "from", "between"), another one before a word
    is none: "2 to 3 balls appear from 10 to 20 seconds".

    Looks into the last answer tag (or <glue>, <time>), else behind the thought; reads JSON, "12.5
    to 17", "12.5s - 17s", "00:12 - 00:17", "from 3 to 5".
    """
    part = None
    for tag in ("glue", "timestep", "time", "answer"):
        part = find_tag(text, tag, which="last")
        if part is not None and re.search(r"\d", part):
            break
    if part is None or not re.search(r"\d", part):
        part = text.rsplit("<answer>", 1)[-1].rsplit("</think>", 1)[-1]
    part = part[-TAIL:]
    for opening, closing in (("[", "]"), ("{", "}")):
        if opening in part:
            inner = part[part.index(opening) : part.rfind(closing) + 1]
            found = structured(_json(inner))
            if found:
                return in_order(found)
    pairs = [m for m in _PAIR.finditer(part) if not m["minus"]]
    marked = [m for m in pairs if m["cue"] or m["left"] or m["right"] or ":" in m.group()]
    kept = [m for m in pairs if m in marked or not (marked and _WORD.match(part, m.end()))]
    return in_order([[clock(m[3]), clock(m[5])] for m in kept[:MAX_SPANS]])


def in_order(spans: Sequence[Sequence[float]]) -> list[list[float]]:
    """Spans whose start is not behind their end."""
    return [[min(s[:2]), max(s[:2]), *s[2:]] for s in spans]


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return literal(text)


def _one(parse: Callable[[str], Sequence[float] | None]) -> Parse:
    def read(text: str) -> list[list[float]]:
        found = parse(text)
        return [list(found)] if found is not None else []

    return read


def _two_numbers(text: str) -> list[list[float]]:
    """V-STaR @1894682 inference_demo.py: the two numbers of a text that has no other."""
    found = re.findall(r"\b\d{1,9}(?:\.\d{1,9})?\b", text[-TAIL:])
    return [[float(found[0]), float(found[1])]] if len(found) == 2 else []


_NUMBER = r"(\d{1,9}(?:\.\d{0,9})?)"
_CUES = ("start", "end", "happen")


def _et_bench(text: str) -> list[list[float]]:
    """E.T. Bench's compute_metrics.py: all "x - y", else all "x to y", else single times in pairs.

    Single times are the first numbers of sentences that speak of a start, an end or a happening.
    """
    text = text[-LONGEST:].lower()
    pairs = re.findall(rf"{_NUMBER}\s{{0,9}}-\s{{0,9}}{_NUMBER}", text) or re.findall(
        rf"{_NUMBER}\s{{1,9}}to\s{{1,9}}{_NUMBER}", text
    )
    if not pairs:
        told = [s for s in re.split(r"[!?\n]", text) if any(cue in s for cue in _CUES)]
        found = [m.group(1) for s in told if (m := re.search(rf"\b{_NUMBER}\b", s))]
        pairs = list(zip(found[::2], found[1::2], strict=False))
    return [sorted(map(float, pair)) for pair in pairs[:MAX_SPANS]]


PARSERS: dict[str, tuple[Parse, bool]] = {
    "spans": (all_spans, False),
    # lmms-eval @75571cf: Charades-STA, and TimeLens-Bench
    "lmms_eval_charades": (official.charades_span, False),
    "lmms_eval_timelens": (official.timelens_span, False),
    # www-Ye/Time-R1: the last "x to y" anywhere; recall counts IoU > m
    "time_r1": (_one(parse_to), True),
    "et_bench": (_et_bench, False),
    "v_star": (_two_numbers, False),
}
"""Rule -> (parser of text, whether recall counts only IoU above the threshold)."""


def by_span(parse: Parse, strict: bool = False) -> Rule:
    """A rule from a parser: tIoU of the first span with the nearest gold, and its AP.

    Spans that are logged as data are taken as they are; ours puts reversed ones right, as in text.
    """

    def rule(sample: Sample, prediction: Any) -> Graded:
        golds = gold_spans(sample)
        data = structured(prediction) if not isinstance(prediction, str) else None
        found = data if data is not None else parse(str(prediction or ""))
        if parse is all_spans:
            found = in_order(found)
        if prediction is None or (isinstance(prediction, list) and not prediction):
            found = []
        ranked = found
        if len(found) > 1 and all(len(s) > 2 for s in found):
            ranked = sorted(found, key=lambda s: -s[2])
        ious = [max((union_iou(s, g) for g in golds), default=0.0) for s in ranked]
        best = ious[0] if ious else 0.0
        values = {"mIoU": best}
        for m in RECALLS:
            values[f"R@1 IoU={m}"] = float(best > m if strict else best >= m)
        top = max(ious[:5], default=0.0)
        for m in RECALLS:
            values[f"R@5 IoU={m}"] = float(top > m if strict else top >= m)
        for m, ap in zip(THRESHOLDS, moment_ap(ranked, golds), strict=True):
            values[f"mAP@{m}"] = ap
        values["spans"] = float(max(len(found), len(golds)))
        return Graded(found or None, values, "" if found else "no span")

    return rule


def span_numbers(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    """R@1 and mIoU; with several spans a query also R@5 and mAP."""
    n = len(graded)
    found = means(graded, "queries", [*(f"R@1 IoU={m}" for m in RECALLS), "mIoU"])
    if any(g.values["spans"] > 1 for g in graded):
        names = [*(f"R@5 IoU={m}" for m in RECALLS), "mAP@0.5", "mAP@0.75"]
        found |= means(graded, "queries", names)
        total = sum(g.values[f"mAP@{m}"] for g in graded for m in THRESHOLDS)
        found["mAP"] = Number(total / n / len(THRESHOLDS), n, unit="queries")
    return found


SPAN = Shape(
    name="span",
    rules={name: by_span(parse, strict) for name, (parse, strict) in PARSERS.items()},
    better="spans",
    numbers=span_numbers,
    gold=spans_gold,
)


def part(prediction: Any, name: str) -> Any:
    """A part of a logged answer with several fields; the answer itself is "prediction"."""
    if isinstance(prediction, Mapping) and "prediction" in prediction:
        return prediction.get(name)
    return prediction if name == "prediction" else None


def _moments(name: str) -> Rule:
    """Moments with saliency: adds HD mAP and HIT@1 where log and gold rate the clips."""
    rule = SPAN.rules[name]

    def both(sample: Sample, prediction: Any) -> Graded:
        graded = rule(sample, part(prediction, "prediction"))
        told, ratings = part(prediction, "saliency"), sample.meta.get("ratings")
        if told is None or not ratings:
            return graded
        scores = [
            float(v) if isinstance(v, int | float) else math.nan
            for v in (told if isinstance(told, list | tuple) else ())
        ]
        count = int(float(sample.meta["duration"]) / CLIP)
        values = dict(graded.values)
        for label, least in (("fair", 2), ("good", 3), ("very good", 4)):
            truth = positives(sample.meta["clips"], ratings, count, least)
            values[f"HD mAP {label}"] = highlight_map(scores, truth)
            values[f"HIT@1 {label}"] = hit_at_1(scores, truth)
        if not any(map(math.isfinite, scores)):
            note = f"{graded.note}; no saliency that can be read".removeprefix("; ")
            return Graded(None, values, note)
        return Graded(graded.read, values, graded.note)

    return both


def _moment_numbers(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    """Those of spans, and the highlight scores over the queries with rated clips.

    A log rates all of them or none: without its rating a query earns nothing.
    """
    found = span_numbers(samples, graded)
    rated = [g for s, g in zip(samples, graded, strict=True) if s.meta.get("ratings")]
    for name in dict.fromkeys(n for g in rated for n in g.values if n.startswith(("HD", "HIT"))):
        total = sum(g.values.get(name, 0.0) for g in rated)
        found[name] = Number(total / len(rated), len(rated), unit="queries")
    return found


MOMENTS = Shape(
    name="moments",
    rules={name: _moments(name) for name in PARSERS},
    better="spans",
    numbers=_moment_numbers,
    gold=spans_gold,
    parts=("saliency",),
)


# -- questions with their moment -------------------------------------------------------------------


Measure = Callable[[Sequence[float], Span], Sequence[float]]


def _measure(span: Sequence[float], gold: Span) -> tuple[float, float]:
    return union_iou(span, gold), iop(span, gold)


def _next_gqa(span: Sequence[float], gold: Span) -> list[float]:
    """[IoU, IoP] as doc-doc/NExT-GQA@63772e0 does: times to 0.1 s, and a point can be right."""
    return official.next_gqa_tiou(gold, [round(x, 1) for x in span[:2]])


def grounded(letter: str, spans: str = "spans", measure: Measure = _measure) -> Rule:
    """A rule of a letter and a rule of spans: accuracy, IoU, IoP, Acc@GQA and Acc@IoU.

    The span is logged in a field of its own, or stands in the text. Acc@GQA: right, with IoP of at
    least 0.5 to some gold span; Acc@IoU: right, with IoU of at least 0.5 (ReXTime, CG-Bench).
    """
    read_letter, parse = CHOICE.rules[letter], PARSERS[spans][0]

    def rule(sample: Sample, prediction: Any) -> Graded:
        text, own = part(prediction, "prediction"), part(prediction, "span")
        if own is None and structured(text) is not None:
            text, own = None, text  # a log of spans alone
        answer = read_letter(sample, text)
        right = answer.values["accuracy"]
        golds = gold_spans(sample)
        data = structured(own) if own is not None and not isinstance(own, str) else None
        source = own if isinstance(own, str) else text if isinstance(text, str) else ""
        found = data if data is not None else parse(source)
        if parse is all_spans:
            found = in_order(found)
        first = found[0] if found else None
        pairs = [measure(first, g) for g in golds] if first else []
        iou = max((p[0] for p in pairs), default=0.0)
        over = max((p[1] for p in pairs), default=0.0)
        iou, over = max(0.0, iou), max(0.0, over)
        values = {"accuracy": right, "mIoU": iou, "mIoP": over}
        for m in (0.3, 0.5):
            values |= {f"IoU@{m}": float(iou >= m), f"IoP@{m}": float(over >= m)}
        values["Acc@GQA"] = float(right >= 1 and over >= 0.5)
        values["Acc@IoU"] = float(right >= 1 and iou >= 0.5)
        values["spans"] = float(first is not None)
        read = None if answer.read is None and first is None else [answer.read, first]
        return Graded(read, values, answer.note)

    return rule


def grounded_numbers(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    """Means of all values; those of spans only if any answer has one."""
    names = [k for k in (graded[0].values if graded else ()) if k != "spans"]
    if not any(g.values.get("spans") for g in graded):
        names = ["accuracy"]
    return means(graded, names=names)


GROUNDED = Shape(
    name="grounded",
    rules={
        "next_gqa": grounded("exact", measure=_next_gqa),
        **{name: grounded(name) for name in (*READERS, "vlmevalkit_cg_bench")},
        **{name: rule for name, rule in CHOICE.rules.items() if name in rules.ACCURACY},
    },
    better="careful",
    numbers=grounded_numbers,
    gold=letter_of,
    parts=("span",),
)
