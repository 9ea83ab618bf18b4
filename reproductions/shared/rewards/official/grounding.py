"""Published rewards for time spans, boxes and tracks: Time-R1, VideoChat-R1, MUSEG and others."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from itertools import islice
from typing import Any

from reproductions.shared.rewards import (
    boxes,
    intervals,
    numbers,
    text,
)
from reproductions.shared.rewards.intervals import Pair, Span
from reproductions.shared.rewards.numbers import words
from reproductions.shared.rewards.official.base import (
    Arguments,
    Failed,
)
from reproductions.shared.rewards.tags import (
    extract_tag,
    find_tag,
    is_sequence,
    text_of,
    unclosed_tag,
)

# -- Time-R1, VideoChat-R1: grounding --------------------------------------------------------------


def answered_span(completion: str) -> Span | None:
    """The last "x to y" of the last answer tag."""
    return intervals.parse_to(extract_tag(completion, which="last"))


def leaking_iou(arguments: Arguments, *, boundary: bool = False) -> list[float] | Failed:
    """Time-R1's batch reward: an empty hull repeats the last IoU, or raises if there is none."""
    scores: list[float] = []
    last: float | None = None
    columns = [arguments["completions"], arguments["solution"]]
    columns.append(arguments.get("durations", [1.0] * len(columns[0])))
    for completion, gold, duration in zip(*columns, strict=False):
        pred = answered_span(text_of(completion))
        if pred is None:
            scores.append(0.0)
            continue
        if max(pred[1], gold[1]) - min(pred[0], gold[0]) > 0:
            last = intervals.tiou(pred, gold)
        if boundary and duration == 0:
            return Failed("ZeroDivisionError")
        if last is None:
            return Failed("UnboundLocalError")
        factor = 1.0
        if boundary:
            for p, g in zip(pred, gold, strict=True):
                factor *= 1 - abs(g - p) / duration
        scores.append(last * factor)
    return scores


def ordered_iou(completion: str, gold: Pair) -> float:
    """VideoChat-R1 `grpo_tg`: reversed spans score 0, an empty hull 1."""
    pred = answered_span(completion)
    if pred is None or pred[0] > pred[1]:
        return 0.0
    return intervals.tiou(pred, gold, empty=1.0)


def forced_span(output: str) -> list[float | None]:
    """Time-R1's difficulty filter: the first two numbers anywhere."""
    found = re.findall(rf"{numbers.RUN}(?:\.\d++)?+", output)
    return [float(found[0]), float(found[1])] if len(found) > 1 else [None, None]


def last_bracketed(output: str) -> str | None:
    """The letter of the last "(X)" in the text."""
    found = re.findall(r"\(([A-Z])\)", output)
    return found[-1] if found else None


def time_r1_choice(pred: str, gt: int) -> int | Failed:
    """Time-R1's evaluation of options: the last "(X)", else the first character as it stands."""
    letter = last_bracketed(pred) or pred[:1]
    return int(ord(letter) - ord("A") == gt) if letter else Failed("IndexError")


def time_r1_extract(output: str, datatype: str) -> Any:
    """Time-R1's evaluation: the last "x to y" anywhere, or the index of the last "(X)"."""
    if datatype == "tg":
        return list(intervals.parse_to(output, ignore_case=False) or (None, None))
    letter = last_bracketed(output)
    return ord(letter) - ord("A") if letter else None


def last_thought(completion: str) -> str:
    """Stripped content of the last think tag."""
    return extract_tag(completion, "think", which="last")


KEYWORDS = words(
    "analyze compare deduce however therefore because step observe notice identify wait"
)
_TIMESTEP = re.compile(
    r"<timestep>\s*+\d++\.?+\d*+\s++to\s++\d++\.?+\d*+\s*+</timestep>", re.IGNORECASE
)


def thought_length(completion: str) -> float:
    """.001 for each character of the thought, up to 500."""
    return min(len(last_thought(completion)), 500) * 0.001


def keyword_usage(completion: str) -> float:
    """.1 for each reasoning word in the thought, also inside longer words, up to two."""
    lower = last_thought(completion).lower()
    return 0.1 * min(2, sum(word in lower for word in KEYWORDS))


def paragraph_structure(completion: str) -> float:
    """.05 for each line of the thought that is not empty, up to two."""
    lines = last_thought(completion).split("\n")
    return 0.05 * min(2, sum(bool(line.strip()) for line in lines))


def timestep_pair(completion: str) -> float:
    """.2 if a timestep tag of the thought holds "x to y" and nothing else."""
    return 0.2 * bool(_TIMESTEP.search(last_thought(completion)))


def diversity(arguments: Arguments) -> list[float]:
    """1 - mean ROUGE-L to the other rollouts of the group; an incomplete last group is dropped."""
    texts, n = [text_of(c) for c in arguments["completions"]], arguments["num_generations"]
    scores = []
    for i, one in enumerate(texts[: len(texts) // n * n]):
        first = i - i % n
        others = [t for j, t in enumerate(texts[first : first + n], first) if j != i]
        same = [text.rouge(one, other)["rougeL"] for other in others]
        scores.append(1 - sum(same) / len(same) if same else 0.0)
    return scores


# -- VideoChat-R1, VAU-R1: glue intervals, tracking ------------------------------------------------

_NUMBER = r"[0-9]++(?:\.[0-9]++)?+"
_TUPLE = rf"\({_NUMBER},\s*+{_NUMBER}\)"
_TUPLES = re.compile(rf"\[(?:{_TUPLE}(?:,\s*+{_TUPLE})*+,?+)?+\]\n?\Z")
_GAP = r"[ \t\n\r\f]*+"
_SINGLE = re.compile(rf"\[{_GAP}-?({_NUMBER}){_GAP},{_GAP}-?({_NUMBER}){_GAP}\]\n?\Z")
_PAIR = re.compile(rf"\(({_NUMBER}),\s*+({_NUMBER})\)")


def _python_number(field: str) -> bool:
    """Whether Python takes the digits as a literal ("007" is none, "00" and "007.5" are)."""
    return "." in field or field == "0" or not field.startswith("0") or not field.strip("0")


def tuple_spans(glue: str) -> list[Span] | None:
    """VideoChat-R1's `[(s, e), ..]`: plain decimals, s <= e, no outer blanks; None if invalid."""
    if not _TUPLES.match(glue):
        return None
    fields = _PAIR.findall(glue)
    if not all(_python_number(x) for pair in fields for x in pair):
        return None
    spans = [(float(s), float(e)) for s, e in fields]
    return spans if all(s <= e for s, e in spans) else None


def single_span(glue: str) -> Span | None:
    """VAU-R1's `[s, e]` with s <= e; [-1, -1] marks a normal video; None if invalid."""
    found = _SINGLE.match(glue)
    if not found or not all(map(_python_number, found.groups())):
        return None
    start, end = (float(x) for x in glue.strip()[1:-1].split(","))
    return (start, end) if start <= end else None


def glue_iou(completion: str, solution: Arguments) -> float:
    """VideoChat-R1 `iou_glue_reward`: IoU of the first valid glue's spans; 1 for an empty union.

    Reversed golds may make the union negative.

    Raises:
        TypeError: Where the gold is no list of spans.
    """
    pred, golds = tuple_spans(extract_tag(completion, "glue", strip=False)), solution["glue"]
    if pred is None:
        return 0.0
    p, g = intervals.merge(pred), intervals.merge(golds)
    common = intervals.common_length(p, g)
    union = intervals.covered(p) + intervals.covered(g) - common
    return common / union if union else 1.0


def vau_iou(completion: str, solution: Arguments) -> float:
    """VAU-R1 `iou_glue_reward`: "normal" must match; reversed golds have no length.

    Raises:
        IndexError: For an empty gold.
        ValueError: For a gold span that is no pair.
    """
    pred, gold = single_span(extract_tag(completion, "glue", strip=False)), solution["glue"]
    if pred is None:
        return 0.0
    golds = [(start, end) for start, end in (gold if isinstance(gold[0], list) else [gold])]
    normal = (-1, -1)
    if pred == normal or golds == [normal]:
        return float([pred] == golds)
    merged = intervals.merge(golds)
    common = sum(intervals.overlap(pred, sorted(g)) for g in merged)
    union = pred[1] - pred[0] + sum(max(0.0, g[1] - g[0]) for g in merged) - common
    return common / union if union > 0 else 1.0


def glue_format(completion: str, *, single: bool) -> float:
    """Think, answer and a valid glue, in this order."""
    ok = is_sequence(completion.strip(), ("think", "answer", "glue"))
    glue = extract_tag(completion, "glue", strip=False)
    valid = single_span(glue) if single else tuple_spans(glue)
    return float(ok and valid is not None)


def equal_class(completion: str, gold: str) -> float:
    """Equality of the class in the answer tag after stripping, case ignored."""
    pred = find_tag(completion)
    return float(pred is not None and pred.lower() == gold.strip().lower())


def tracked(answer: str) -> list[Any] | None:
    """Eight lists of four items written as a list; line feeds are ignored, items not looked at."""
    value = boxes.literal(answer.replace("\n", ""))
    if not isinstance(value, list) or len(value) != 8:
        return None
    return value if all(isinstance(box, list) and len(box) == 4 for box in value) else None


def tracking_iou(completion: str, solution: Arguments) -> float:
    """Mean IoU of exactly eight boxes, 0 on any mismatch."""
    try:
        return boxes.track_iou(tracked(extract_tag(completion)) or [], solution["answer"])
    except (TypeError, ValueError, OverflowError):
        return 0.0


def tracking_format(completion: str) -> float:
    """Think, answer, and eight boxes in the answer."""
    return float(tracked(extract_tag(completion)) is not None and is_sequence(completion.strip()))


_TIME = re.compile(r"(?:(\d\d?):)?([0-5]?\d):([0-5]?\d(?:\.\d{1,6})?)", re.ASCII)


def vau_span(response: str) -> Arguments | Failed:
    """VAU-R1's evaluation: the glue, else the first [..], both on one line.

    Without two fields 0, 0.
    With a colon in both they must be times of day, else numbers; everything but digits and ":.-"
    is deleted first.
    """
    inner = find_tag(response, "glue", dotall=False, strip=False)
    if inner is None:
        brackets = (line.partition("[")[2].partition("]") for line in response.split("\n"))
        inner = next((text for text, closed, _ in brackets if closed), "")
    fields, found = [re.sub(r"[^0-9:.-]", "", x) for x in inner.split(",")], []
    if len(fields) != 2:
        return {"start time": 0.0, "end time": 0.0}
    for field in fields:
        time = _TIME.fullmatch(field)
        if not all(":" in x for x in fields):
            try:
                found.append(float(field))
            except ValueError:
                return Failed("ValueError")
        elif time and int(time.group(1) or 0) < 24:
            found.append(intervals.clock(field))
        else:
            return Failed("UnboundLocalError" if field.count(":") > 2 else "ValueError")
    return {"start time": found[0], "end time": found[1]}


VAU_CLASSES = (
    *words("Abuse Agriculture Arrest Arson Assault Explosion Fighting Fire"),
    *("Food Safety", "Medical Abnormality", "Natural Hazard", "Normal"),
    *words("Object_falling People_falling Robbery Shooting Stealing Traffic_accident"),
    *words("Vandalism Water_incident"),
)
_BLANK = re.compile(r"[\s_]+")
_BY_KEY = {_BLANK.sub("", name).lower(): name for name in VAU_CLASSES}
_SPACED = "|".join(_BLANK.sub(r"[\\s_]++", name) for name in VAU_CLASSES)
_ANY_CLASS = re.compile(rf"\b(?:{_SPACED})\b", re.IGNORECASE)


def vau_classes(response: str) -> list[str]:
    """Anomaly classes in the order in which they occur; blanks may stand for "_", case ignored.

    They are looked for in the first answer, closed or not and without tags in it, else in the whole
    text.
    """
    area = unclosed_tag(response)
    text = response if area is None else re.sub(r"<[^<>]*+>", "", area)
    found = (_BY_KEY.get(_BLANK.sub("", name).lower()) for name in _ANY_CLASS.findall(text))
    return list(dict.fromkeys(name for name in found if name))


# -- MUSEG -----------------------------------------------------------------------------------------


def _segments(completion: str) -> list[Span] | None:
    """The answer's spans, None unless there is one answer tag and each span is 0 <= s < e."""
    if completion.count("<answer>") != 1 or completion.count("</answer>") != 1:
        return None
    spans = intervals.parse_dashes(extract_tag(completion))
    return spans if spans and all(0 <= s < e for s, e in spans) else None


def museg_global(completion: str, gold: Any) -> float:
    """Coverage F1; any span that is not 0 <= s < e, or an unreadable gold, makes it 0."""
    pred = _segments(completion)
    try:
        golds = [gold] if isinstance(gold[0], int) else gold
        return intervals.coverage_f1(pred, golds) if pred else 0.0
    except (TypeError, IndexError):
        return 0.0


def museg_local(completion: str, gold: Any) -> float:
    """Mean (1 + GIoU) / 2 of spans paired in order, the shorter list padded far away."""
    pred = _segments(completion)
    if not pred:
        return 0.0
    total, far = 0.0, (1e9, 1e9 + 1)
    try:
        n = max(len(pred), len(gold))
        for i in range(n):
            a = pred[i] if i < len(pred) else far
            b = gold[i] if i < len(gold) else far
            score = intervals.giou(a, b)
            if not a[1] - a[0] + b[1] - b[0] - intervals.overlap(a, b):
                return 0.0  # the published code divides by the union
            total += math.nan if math.isinf(a[1]) else (1 + score) / 2
    except (TypeError, IndexError):
        return 0.0
    return total / n


def museg_format(completion: str, *, cited: bool) -> float:
    """1.0, .6 if a timestamp is not cited 1 to 10 times in the thought, .2 for bad items, 0."""
    marks = ("<think>", "</think>", "<answer>", "</answer>")
    if any(completion.count(m) != 1 for m in marks) or not is_sequence(completion.strip()):
        return 0.0
    spans = intervals.parse_dashes(extract_tag(completion))
    if spans is None:
        return 0.2
    thought = extract_tag(completion, "think")
    if cited:
        for stamp in (str(x) for span in spans for x in span):
            # The point of the number is a wildcard in the published pattern.
            pattern = ".".join(re.escape(part) for part in stamp.split("."))
            if not 1 <= sum(1 for _ in islice(re.finditer(pattern, thought), 11)) <= 10:
                return 0.6
    return 1.0


# A number of E.T. Bench: points in any count, so that "5..3" is found and then no float.
_ET = rf"{numbers.RUN}\.*+\d*+"
_ET_END = r"\d++\.*+\d*+"
_ET_NUMBER = re.compile(_ET)
_ET_DASH = re.compile(rf"({_ET})\s*+-\s*+({_ET_END})")
_ET_TO = re.compile(rf"({_ET})\s*+(?<=\s)to \s*+({_ET_END})")


def _single(pred: Pair, gold: Pair) -> float:
    """IoU in float32 as nncore computes it, nan where the union is 0."""
    f = numbers.float32
    (s, e), (u, v) = ([f(x) for x in pair] for pair in (pred, gold))
    common = f(max(0.0, f(min(e, v) - max(s, u))))
    union = f(f(f(e - s) + f(v - u)) - common)
    return f(common / union) if union else math.nan


def _answered(text: str) -> list[Pair]:
    """All numbers of the text in pairs; none if one is left over or a pair does not rise."""
    try:
        found = [float(x) for x in _ET_NUMBER.findall(text)]
    except ValueError:
        return []
    spans = list(zip(found[::2], found[1::2], strict=False))
    return [] if len(found) % 2 or not all(s < e for s, e in spans) else list(spans)


def _share(rows: Sequence[Sequence[float]], least: float) -> float:
    """Share of rows whose largest value reaches `least`; a nan voids its row."""
    reached = [all(x == x for x in row) and max(row) >= least for row in rows]
    return sum(reached) / len(reached)


def museg_eval(arguments: Arguments) -> Arguments | Failed:
    """MUSEG's evaluation: "tvg" by the first spans, "tal" by F1 of all spans, four thresholds."""
    kind, rows = arguments["eval_type"], arguments["data_raw"]
    if kind not in ("tvg", "tal"):
        return Failed("NotImplementedError")
    if not rows:
        return Failed("ZeroDivisionError")
    thresholds, n = (0.1, 0.3, 0.5, 0.7), len(rows)
    total, single, multi = 0.0, [0.0] * 4, [0.0] * 4
    for golds, answer in rows:
        pred = _answered(answer)
        if not pred:
            continue
        if not golds:
            return Failed("IndexError")
        first = _single(pred[0], golds[0])
        total += first
        ious = [[_single(p, g) for p in pred] for g in golds]
        for k, least in enumerate(thresholds):
            single[k] += first >= least
            limit = numbers.float32(least)
            recall = _share(ious, limit)
            precision = _share(list(zip(*ious, strict=True)), limit)
            if recall and precision:
                multi[k] += 2 * precision * recall / (precision + recall)
    name, sums = ("single", single) if kind == "tvg" else ("multi", multi)
    hits = {f"f1_{name}_{t}": x / n for t, x in zip(thresholds, sums, strict=True)}
    means = {"m_iou": total / n} if kind == "tvg" else {}
    return {"tot": n, **means, **hits, f"mean_f1_{name}": sum(sums) / n / 4}


_TOLD = re.compile("start|end|happen")
_NUMERAL = re.compile(r"\b(?:\d++\.\d++|\d++)\b")


def told_spans(answer: str) -> list[list[float]] | Failed | None:
    """E.T. Bench's `tvg_format`: all "a - b", else all "a to b", else told starts and ends, sorted.

    The last reads the first number of each sentence with start, end or happen and takes two at a
    time.
    """
    lower = answer.lower()
    pairs = _ET_DASH.findall(lower) or _ET_TO.findall(lower)
    if not pairs:
        found = [_NUMERAL.search(x) for x in re.split(r"[!?\n]", lower) if _TOLD.search(x)]
        times = [m.group() for m in found if m]
        pairs = list(zip(times[::2], times[1::2], strict=False))
    try:
        return [sorted(float(x) for x in pair) for pair in pairs] or None
    except ValueError:
        return Failed("ValueError")


_START = re.compile(r"start(?:ing)? time: (\d++\.*+\d*+)")
_END = re.compile(r"end(?:ing)? time: (\d++\.*+\d*+)")
_BOTH = re.compile(r"start time \d++\.*+\d*+, end time \d")
_CLOCKS = re.compile(rf"{_ET}:{_ET_END}")
_LOOSE = re.compile(r"\d+\.*\d*(?!\.)")
_RADIUS = 20
"""Seconds around a single time."""


def _paragraph(caption: str) -> tuple[list[list[float]], list[str]]:
    """Spans and the texts between them; ValueError where the published parser gives up."""
    lower = caption.lower()
    spans = [[float(a), float(b)] for a, b in _ET_DASH.findall(lower)]
    texts: list[str] = []
    if spans:
        rest = lower
        for found in _ET_DASH.finditer(lower):
            rest = rest.replace(found.group(), "\n")
        texts = rest.replace("seconds", "").split("\n")
    else:
        starts, ends = _START.findall(lower), _END.findall(lower)
        spans = [[float(a), float(b)] for a, b in zip(starts, ends, strict=False)]
        if spans:
            texts = re.findall(r"description: (.*)", lower) or re.findall(r"\*\s*(.*)", lower)
        elif _BOTH.search(lower):
            raise ValueError("start time a, end time b")
    texts = [text.strip().strip(", ").rstrip() for text in texts if len(text) > 5]
    n = min(len(spans), len(texts))
    return spans[:n], texts[:n]


def _around(time: float) -> list[float]:
    return [time - _RADIUS, time + _RADIUS] if time > _RADIUS else [time, time + 2 * _RADIUS]


def _loose_span(text: str) -> list[float]:
    """One span from "a - b", one or two clock times, or one or two numbers; else ValueError."""
    dash = _ET_DASH.search(text)
    if dash:
        return [float(x) for x in dash.groups()]
    if text.count(":") in (1, 2):
        fields = [x.split(":") for x in _CLOCKS.findall(text)]
        times = [int(m) * 60 + int(s) for m, s in fields]
        if text.count(":") == 1 and times:
            return _around(times[0])
        start, end = times
        return [start, end]
    found = _LOOSE.findall(text)
    if len(found) == 1:
        return _around(float(found[0]))
    start, end = (float(x) for x in found)
    return [start, end]


def dense_captions(caption: str) -> list[Any]:
    """E.T. Bench's dense captions: spans "a - b" with the texts between them, in lower case.

    Where that gives nothing, the first line (or sentence) of at least 8 characters with a span is
    the only caption; a single time counts 20 s around it. [None, None] if there is none.
    """
    try:
        spans, texts = _paragraph(caption)
    except ValueError:
        return [None, None]
    if not spans:
        lines = caption.split("\n") if "\n" in caption else caption.split(".")
        for line in lines:
            if len(line) <= 7:
                continue
            parts = [
                p.strip(",") for p in (line if "\n" in caption else f"{line}.").split("seconds")
            ]
            try:
                spans = [[round(x, 2) for x in _loose_span(parts[0])]]
            except ValueError:
                continue
            texts = [parts[-1].strip()]
            break
    return [[sorted(span) for span in spans], texts] if spans else [None, None]


# -- Temporal-R1 ----------------------------------------------------------------------------------

_SPAN_JSON = re.compile(
    r"</think>\s*+<answer>\s*+\{\s*+\"start_time\"\s*+:\s*+\"[\d.]++\"\s*+,\s*+\"end_time\"\s*+:\s*+"
    r"\"[\d.]++\"\s*+\}\s*+</answer>\Z"
)


def hull_iou(a: Pair, b: Pair) -> float | Failed:
    """IoU over the hull; two spans without any hull raise."""
    hull = max(a[1], b[1]) - min(a[0], b[0])
    return intervals.tiou(a, b) if hull else Failed("ZeroDivisionError")


def tvg_iou(answer: str, gold: Pair, duration: float) -> float:
    """IoU of {"start_time": .., "end_time": ..} in shares of the video; 0 for anything else."""
    try:
        value = json.loads(answer)
        pred = float(value["start_time"]) / duration, float(value["end_time"]) / duration
    except (ValueError, TypeError, KeyError, ZeroDivisionError, RecursionError, OverflowError):
        return 0.0
    if any(x != x for x in pred):
        return 0.0
    return intervals.tiou(pred, gold)


def tvg_score(predict_str: str, ground_truth: Pair, video_length: float) -> float:
    """Temporal-R1: half IoU, half the strict JSON format with quoted plain numbers."""
    fits = predict_str.startswith("<think>") and bool(_SPAN_JSON.search(predict_str, 7))
    iou = tvg_iou(extract_tag(predict_str), ground_truth, video_length)
    return 0.5 * iou + 0.5 * fits


# -- UniVG-R1 --------------------------------------------------------------------------------------

_BOX = re.compile(rf"\(({numbers.RUN}),\s*+(\d++)\),\s*+\((\d++),\s*+(\d++)\)")
_BOX_ANSWER = re.compile(r"<answer>\(\d++,\s*+\d++\),\s*+\(\d++,\s*+\d++\)</answer>\n?\Z")


def _without_thought(arguments: Arguments) -> bool:
    path = arguments["image_path"][0]
    single = isinstance(path, str) or len(path) == 1
    name = path if isinstance(path, str) else path[0]
    return single and "coco" in name and not arguments["single_img_with_cot"]


def univg_iou(arguments: Arguments) -> list[float]:
    """Pixel IoU of the first box in the answer (anywhere for COCO images without thoughts)."""
    scores = []
    for message, gold in zip(arguments["completions"], arguments["solution"], strict=True):
        completion = text_of(message)
        area = completion if _without_thought(arguments) else find_tag(completion)
        found = _BOX.search(area or "")
        scores.append(boxes.pixel_iou([int(x) for x in found.groups()], gold) if found else 0.0)
    return scores


def univg_format(arguments: Arguments) -> list[float]:
    """A thought and a box as the whole answer; a text may precede. COCO: a box anywhere."""
    scores = []
    for message in arguments["completions"]:
        completion = text_of(message)
        if _without_thought(arguments):
            scores.append(float(bool(_BOX.search(completion))))
            continue
        box = _BOX_ANSWER.search(completion)
        before = completion[: box.start()].rstrip() if box else ""
        thought = before.endswith("</think>") and "<think>" in before[:-8]
        scores.append(float(thought))
    return scores
