"""Answer parsers and metrics of evaluation code: lmms-eval, VLMEvalKit, SiLVR and benchmarks."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Sequence
from typing import Any

from reproductions.shared.rewards import boxes, choice, intervals, numbers, text
from reproductions.shared.rewards.intervals import Pair
from reproductions.shared.rewards.official.base import Adapter, Arguments, Failed, plain
from reproductions.shared.rewards.tags import find_tag

RANDOM = "__RANDOM__"
"""Stands for the published code's random guess where it reads no letter."""
MMMU_FORMS = ("(*)", "* ", "*.")
ANSWER_PREFIXES = (*choice.JOINED_PREFIXES, "Answer:", "Option:")
LETTERS = "ABCDEFGHIJ"

# -- temporal grounding ----------------------------------------------------------------------------


def next_gqa_tiou(loc: Pair, span: Pair) -> list[float]:
    """[IoU, IoP] of NExT-GQA: hull IoU, intersections may be negative, a point inside has IoP 1."""
    if span[0] == span[1]:
        return [0, int(loc[0] <= span[0] <= loc[1])]
    common = min(loc[1], span[1]) - max(loc[0], span[0])
    hull = max(loc[1], span[1]) - min(loc[0], span[0])
    length = span[1] - span[0]
    return [common / hull if hull > 0 else 0.0, common / length if length > 0 else 0.0]


def next_gqa_report(
    gt_ground: Arguments, pred_ground: Arguments, pred_qa: Arguments | None, gs: bool
) -> str | Failed:
    """NExT-GQA's printed table; questions without a predicted span are not counted.

    With `gs` the predictions are shares of the duration, rounded to .1 s as numpy rounds. A missing
    answer to a question with IoP >= .5 raises, and so does a table without rows.
    """
    scores: list[tuple[float, float, bool]] = []
    for video, gold in gt_ground.items():
        for question, spans in gold["location"].items():
            name = f"{video}_{question}"
            if name not in pred_ground:
                continue
            span = pred_ground[name]
            if gs:
                span = [round(x * gold["duration"] * 10) / 10 for x in span]
            pairs = [next_gqa_tiou(loc, span) for loc in spans]
            iou, iop = (max(0.0, *(pair[k] for pair in pairs)) for k in (0, 1))
            right = False
            if pred_qa and iop >= 0.5:
                if name not in pred_qa:
                    return Failed("KeyError")
                right = pred_qa[name]["answer"] == pred_qa[name]["prediction"]
            scores.append((iou, iop, right))
    if not scores:
        return Failed("ZeroDivisionError")
    n = len(scores)
    mean = [sum(s[k] for s in scores) / n * 100 for k in (0, 1)]
    share = {(k, t): 100 * sum(s[k] >= t for s in scores) / n for k in (0, 1) for t in (0.3, 0.5)}
    both = 100 * sum(s[2] for s in scores) / n
    return (
        "Acc&GQA mIoP TIoP@0.3 TIoP@0.5 mIoU TIoU@0.3 TIoU@0.5 \n"
        f"{both:.1f} \t {mean[1]:.1f}\t {share[1, 0.3]:.1f}\t {share[1, 0.5]:.1f} \t "
        f"{mean[0]:.1f} \t {share[0, 0.3]:.1f} \t {share[0, 0.5]:.1f}\n"
    )


def pairwise_iou(a: Sequence[Pair], b: Sequence[Pair]) -> list[list[float]]:
    """Union IoU of every pair (nncore); two empty spans give nan."""
    nan = float("nan")
    rows = []
    for p in a:
        row = []
        for q in b:
            common = intervals.overlap(p, q)
            union = (p[1] - p[0]) + (q[1] - q[0]) - common
            row.append(common / union if union else nan)
        rows.append(row)
    return rows


def videomind_iou(
    pred: Sequence[Pair], span: Sequence[Pair], conf: Sequence[float], cgbench: bool, least: float
) -> Any:
    """VideoMind: IoU of every pair, or of the confident spans together in CG-Bench.

    There the first span counts and, for a positive `least`, those with more confidence than that;
    lengths and intersections are summed as they are, so that overlapping golds give more than 1.
    """
    if not cgbench:
        return [[x if x == x else 0.0 for x in row] for row in pairwise_iou(pred, span)]
    kept = [p for i, (p, c) in enumerate(zip(pred, conf, strict=False)) if i == 0 or c > least > 0]
    common = sum(intervals.overlap(p, q) for p in kept for q in span)
    union = intervals.covered(kept) + intervals.covered(span) - common
    return [common / union if union else 0.0]


def clamped_span(span: Pair, duration: float, min_len: float = -1) -> list[float]:
    """VideoMind's `parse_span`: inside the video, sorted, at least `min_len` long."""
    start, end = (min(max(0, x), duration) for x in span)
    start, end = min(start, end), max(start, end)
    if min_len > 0 and end - start < min_len:
        middle = (start + end) / 2
        middle = max(min_len / 2, min(middle, duration - min_len / 2))
        start, end = middle - min_len / 2, middle + min_len / 2
        start, end = max(0, start), min(duration, end)
    return [start, end]


_SENTENCE = re.compile(r"[!?\n]")
_GROUNDING_WORDS = ("start", "end", "happen")
_TIME = r"\d{1,2}:\d{2}(?::\d{2})?"
_CLOCK = re.compile(rf"\b{_TIME}\b")
_CLOCKS = re.compile(rf"\b({_TIME})\s*+[-\u2013]\s*+({_TIME})\b")
_AMOUNT = rf"{numbers.RUN}(?:\.\d++)?+"
_DASH = re.compile(rf"({_AMOUNT})\s*+[-\u2013]\s*+({_AMOUNT})")
_DASH_SECONDS = re.compile(rf"({_AMOUNT})\s*+s?+\s*+[-\u2013]\s*+({_AMOUNT})")
_NUMERAL = re.compile(rf"\b(?:{_AMOUNT}|\d++)\b")


def _sentences(paragraph: str) -> tuple[list[str], list[str]]:
    """All sentences in lower case with "to" as "-"; those with a start, an end or a happening."""
    every = _SENTENCE.split(paragraph.lower().replace("to", "-"))
    return every, [s for s in every if any(w in s for w in _GROUNDING_WORDS)]


def _first_span(sentences: Sequence[str], *patterns: re.Pattern[str]) -> list[list[float]]:
    """The first match in any sentence of the first pattern that has one, sorted."""
    for pattern in patterns:
        found = next(filter(None, map(pattern.search, sentences)), None)
        if found:
            return [sorted(intervals.clock(x) for x in found.groups())]
    return []


def _first_two(found: Sequence[str]) -> list[list[float]]:
    """The first two times, sorted; [] with fewer."""
    return [sorted(intervals.clock(x) for x in found[:2])] if len(found) > 1 else []


def _first_numbers(sentences: Sequence[str]) -> list[list[float]]:
    """The first numbers of the first two sentences that hold one."""
    return _first_two([m.group() for m in map(_NUMERAL.search, sentences) if m])


def charades_span(paragraph: str) -> list[list[float]]:
    """lmms-eval's Charades-STA: at most one span, sorted; every "to" counts as "-".

    Read from the sentences with start, end or happen, if there are any: "mm:ss - mm:ss", "a - b",
    the first two clock times, the first numbers of two sentences, "5s - 10s".
    """
    every, told = _sentences(paragraph)
    sentences = told or every
    clocks = [x for s in sentences for x in _CLOCK.findall(s)]
    return (
        _first_span(sentences, _CLOCKS, _DASH)
        or _first_two(clocks)
        or _first_numbers(sentences)
        or _first_span(sentences, _DASH_SECONDS)
    )


def charades_tvg_span(paragraph: str) -> list[list[float]]:
    """lmms-eval's `eval_tvg`: as `charades_span`, but only in sentences with start, end, happen."""
    _, told = _sentences(paragraph)
    return _first_span(told, _DASH) or _first_numbers(told) or _first_span(told, _DASH_SECONDS)


_STAMP = re.compile(rf"\b{_TIME}(?:\.\d++)?\b")
_HYPHEN = re.compile(r"((?<!\d)\d++\.?+\d*+)\s*+-\s*+(\d++\.?+\d*+)")
_WORD_TO = re.compile(r"((?<!\d)\d++\.?+\d*+)\s++to\s++(\d++\.?+\d*+)", re.IGNORECASE)
_LOOSE = re.compile(r"\b\d++(?:\.\d*+)?\b")


def timelens_span(paragraph: str) -> list[list[float]]:
    """lmms-eval's TimeLens: clock times in pairs, else every a-b, every "a to b", number pairs."""
    stamps = _STAMP.findall(paragraph)
    if len(stamps) < 2:
        for pattern in (_HYPHEN, _WORD_TO):
            found = pattern.findall(paragraph)
            if found:
                return [[float(a), float(b)] for a, b in found]
        stamps = _LOOSE.findall(paragraph)
    times = [intervals.clock(x) for x in stamps]
    return [list(pair) for pair in zip(times[::2], times[1::2], strict=False)]


def recall_table(ious: Sequence[float]) -> dict[str, float]:
    """Shares of IoUs >= .3, .5, .7 and their mean, in percent."""
    n = len(ious)
    table = {f"IOU@{t}": 100 * sum(x >= t / 10 for x in ious) / n if n else 0 for t in (3, 5, 7)}
    return {**table, "mIOU": 100 * sum(ious) / n if n else 0}


def _pair(values: Any) -> list[float] | None:
    """The first two values of a list as floats, None if they are none."""
    if not isinstance(values, list | tuple):
        return None
    try:
        start, end = values[:2]
        return [float(start), float(end)]
    except (TypeError, ValueError, OverflowError):
        return None


def charades_gold(text: str) -> list[float] | None:
    """The gold of lmms-eval's Charades-STA: a flat Python pair."""
    value = boxes.literal(text)
    return _pair(value)


def timelens_gold(text: str) -> list[float] | None:
    """The gold of lmms-eval's TimeLens: the first of the pairs in a JSON list."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    first = value[0] if isinstance(value, list) and value else None
    return _pair(first)


def _grounding(results: Sequence[dict[str, str]], parse: Any, gold_of: Any) -> dict[str, float]:
    """Rows {"video>>>query>>>gold": output}; only TimeLens leaves out rows without a gold."""
    ious = []
    for row in results:
        for name, output in row.items():
            gold, pred = gold_of(name.split(">>>")[-1]), parse(output)
            if gold is not None or gold_of is charades_gold:
                ious.append(intervals.tiou(pred[0], gold) if pred and gold else 0.0)
    return recall_table(ious)


# -- numbers ---------------------------------------------------------------------------------------


def official_mra(
    pred: float, target: float, start: float = 0.5, end: float = 0.95, interval: float = 0.05
) -> float | Failed:
    """MRA with its thresholds, divided by the signed gold; gold 0 raises."""
    if target == 0:
        return Failed("ZeroDivisionError")
    return numbers.mra(pred, target, thresholds=numbers.mra_thresholds(start, end, interval))


def absolute_mra(pred: float, target: float, start: float, end: float, interval: float) -> float:
    """MRA divided by |gold|, by 1 for the gold 0 (VLMEvalKit's spatial_bench)."""
    thresholds = numbers.mra_thresholds(start, end, interval)
    error = abs(pred - target) / (abs(target) or 1.0)
    return sum(error <= 1 - t for t in thresholds) / len(thresholds)


def vsi_bench(prediction: str, ground_truth: str, kind: str, *, composed: bool) -> Any:
    """VSI-Bench: letters by the first token, numbers by MRA (0 if unreadable)."""
    if kind == "MCA":
        token = prediction.split(" ")[0].rstrip(".").strip()
        return float(token.lower() == ground_truth.lower())
    number = numbers.composed_number if composed else numbers.first_token_number
    pred = number(prediction)
    try:
        gold = float(ground_truth)
    except ValueError:
        return 0.0
    if pred is None:
        return 0.0
    return Failed("ZeroDivisionError") if gold == 0 else numbers.mra(pred, gold)


_CARDINALS = (
    "one hundred",
    *(f"{ten}-{unit}" for ten in numbers.TENS for unit in numbers.UNITS[1:10]),
    *numbers.TENS,
    *numbers.UNITS[1:],
)
_CARDINAL_VALUES = {
    word: sum(numbers.WORDS.get(part, 0) for part in word.split("-")) or 100 for word in _CARDINALS
}


def _cof_line(response: str) -> str:
    """The rest of the line behind the first "answer:", else the last line that is not empty."""
    if "answer:" in response:
        return response.split("answer:")[1].split("\n")[0]
    return [line for line in response.split("\n") if line][-1] if response else ""


def cof_number(response: str) -> str | Failed | None:
    """CoF: the largest number word up to "one hundred", also inside words ("none" is 1)."""
    try:
        line = _cof_line(response)
    except IndexError:
        return Failed("IndexError")
    values = [value for word, value in _CARDINAL_VALUES.items() if word in line]
    return str(max(values)) if values else None


def cof_last_number(response: str) -> str | Failed | None:
    """CoF: the last number of the line as Python prints it: "3.0.2" -> "2", "007" -> "7"."""
    try:
        found = re.findall(rf"-?{numbers.RUN}(?:\.\d++)?+", _cof_line(response))
    except IndexError:
        return Failed("IndexError")
    if not found:
        return None
    return str(float(found[-1]) if "." in found[-1] else int(found[-1]))


# -- letters ---------------------------------------------------------------------------------------


def _mmmu(forms: Sequence[str], missing: str) -> Any:
    return lambda response, letters, contents: (
        choice.last_marked(response, letters, contents, forms=forms) or missing
    )


def egoschema(response: str, letters: Sequence[str], contents: dict[str, str]) -> list[Any]:
    """lmms-eval's EgoSchema: (letter or random, whether one was read).

    Of the last "(X)", "X " and "X." of every letter the one that comes first; in answers of more
    than five words without any, the option text whose last place comes first.
    """
    for mark in choice.MARKS:
        response = response.strip(mark)
    response = f" {response} "
    places = [(response.rfind(f), x) for x in letters for f in (f"({x})", f"{x} ", f"{x}.")]
    found = [place for place in places if place[0] >= 0]
    if not found and len(response.split()) > 5:
        lower = response.lower()
        places = [(lower.rfind(content.lower()), x) for x, content in contents.items()]
        found = [place for place in places if place[0] >= 0]
    return [min(found, key=lambda place: place[0])[1], True] if found else [RANDOM, False]


def capital_or_first(response: str, letters: Sequence[str], contents: dict[str, str]) -> str:
    """TOMATO and WorldSense in lmms-eval: the last "(X)", else the first option letter that occurs.

    "First" is by the alphabet, so that "Answer: B" is A. Answers of more than five words without a
    letter are searched for option texts; what is left is the first option.
    """
    for mark in choice.MARKS:
        response = response.strip(mark)
    response = f" {response} "
    marked = {x: response.rfind(f"({x})") for x in letters}
    if max(marked.values(), default=-1) >= 0:
        return max(letters, key=lambda x: marked[x])
    named = [x for x in letters if x in response]
    if named:
        return named[0]
    if len(response.split()) > 5:
        lower = response.lower()
        places = {x: lower.rfind(content.lower()) for x, content in contents.items()}
        best = max(places, key=lambda x: places[x], default="")
        if best and places[best] >= 0:
            return best
    return str(letters[0])


def capital_or_random(response: str, letters: Sequence[str], contents: dict[str, str]) -> str:
    """LongVideoBench in lmms-eval: the first capital A..E, else a random option."""
    return choice.first_capital(response, "E", choice.PREFIXES) or RANDOM


_SAID = re.compile(r"(?:answer|option)\s*(?:is|:)\s*([a-e])", re.IGNORECASE)


def tvbench(prediction: str, candidates: Sequence[Any]) -> str:
    """lmms-eval's TVBench: the first lone letter in any case, the first character, the option text.

    Each counts only if it is the letter of an option, A or B at least, and a text only if it is the
    only one that the prediction holds.
    """
    letters = string.ascii_uppercase[: max(2, len(candidates))]
    upper = prediction.upper()
    for pattern in (r"\b([A-Z])\b", r"\A\s*[(\[]?([A-Z])"):
        found = re.search(pattern, upper)
        if found and found.group(1) in letters:
            return found.group(1)
    said = " ".join(prediction.lower().split())
    wanted = [" ".join(str(c).lower().split()) for c in candidates]
    named = [x for x, text in zip(letters, wanted, strict=False) if text and text in said]
    return named[0] if len(named) == 1 else ""


def minerva(response: str) -> str:
    """lmms-eval's MINERVA: the last "answer is X" or "answer: X", else the last capital.

    "Answer:" itself holds no A.
    """
    told = _SAID.findall(response)
    if told:
        return str(told[-1]).upper()
    found = re.findall("[A-E]", response.replace("Answer:", ""))
    return str(found[-1]) if found else ""


_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_COMMA = re.compile(r"\d,\d")


def mvbench_form(answer: str) -> str:
    """lmms-eval's MVBench: "B. text" is B; else the first lone letter after VQA's cleaning."""
    option = re.fullmatch(r"([A-Ea-e])\.\s*+[^\n]++", answer.strip())
    if option:
        return option.group(1).upper()
    cleaned = answer.replace("\n", " ").replace("\t", " ").strip()
    source, comma = cleaned, bool(_COMMA.search(cleaned))
    for mark in _PUNCTUATION:
        near_blank = f"{mark} " in source or f" {mark}" in source
        cleaned = cleaned.replace(mark, "" if near_blank or comma else " ")
    cleaned = re.sub(r"\.(?!\d)", "", cleaned, count=32)
    cleaned = cleaned.strip("'").strip('"').strip(")").strip("(").strip().lower()
    return choice.word_letter(cleaned) or cleaned


def vlm_mvbench(pred: str, gt: str, *, advanced: bool) -> bool:
    """VLMEvalKit's MVBench: the first word and the gold's option contain one another.

    The empty answer and "(" are right. `advanced` also accepts the option's text.
    """
    lower = pred.lower().strip()
    option, _, content = gt.lower().partition(" ")
    content = content.strip(". \n")
    if advanced and content.isdigit() and int(content) < 10:
        content = numbers.UNITS[int(content)]
    first = lower.split(" ")[0]
    if first.replace(".", "") in option or option in first:
        return True
    return advanced and content in lower.strip(". \n")


def videomind_check(options: Sequence[str], ans: str, response: str) -> bool | Failed | None:
    """VideoMind: the first token without brackets and points, cut to one letter."""
    token = response.split(" ")[0].lower()
    for mark in "().":
        token = token.replace(mark, "")
    if not token:
        return Failed("IndexError")
    index = ord(token[0]) - ord("a")
    return token[0] == ans.lower() if 0 <= index < len(options) else None


def holmes(pred: str) -> str:
    """VLMEvalKit's Video-Holmes: marks first, then any letter A..F in order of the alphabet."""
    answer = find_tag(pred, which="last")
    return choice.ladder(answer or "", "ABCDEF", ("* |*:|[*", "*")) or "WRONG"


_NUMBER = re.compile(r"\d{1,300}(?:\.\d{1,300})?")
_INVISIBLE = re.compile("[\u200b\u200c\u200d\ufeff]")
_TAG_GAP = r"\s{0,20}"
_THOUGHT = re.compile(rf"<{_TAG_GAP}think{_TAG_GAP}>", re.IGNORECASE)
_THOUGHT_END = re.compile(rf"</{_TAG_GAP}think{_TAG_GAP}>", re.IGNORECASE)


def after_thought(text: str) -> str:
    """What follows the last </think>, else the last <think>, else the whole text; stripped."""
    for mark in (_THOUGHT_END, _THOUGHT):
        if mark.search(text):
            return mark.split(text)[-1].strip()
    return text.strip()


_ENDING = r".,:;!?)\]\u3011\u300b\u300d\u300f\uff0c\u3002\uff1b\u3001\uff1a\uff09"
_MARKUP = r"*_`\uff08\uff09\[\]\u3010\u3011()"
_TAGGED_LETTER = re.compile(rf"<{_TAG_GAP}answer\b[^>]{{0,200}}>\s*+([A-J])", re.IGNORECASE)
_ANSWER_END = re.compile(rf"<{_TAG_GAP}/{_TAG_GAP}answer{_TAG_GAP}>", re.IGNORECASE)
_LISTED = re.compile(r"[*_>\-\s]*+(?:option|\u9009\u9879)\s++[A-J]\s*+[:\uff1a]", re.IGNORECASE)
_LONE = re.compile(rf"\s*+[>{_MARKUP}]*+\s*+([A-Fa-f])\s*+[{_MARKUP}]*+\s*+")
_LABEL = re.compile(r"\s*+([A-F])\s*+[.\uff0e:\uff1a)\]\u3011\u3001-]\s", re.IGNORECASE)
_INLINE = re.compile(rf"(?<![A-Za-z])([A-F])(?=[*_`\uff09\]}})]*(?:$|[\s{_ENDING}]))")
_CONCLUDED = (
    r"(?i:final\s*+answer|the\s*+answer\s*+is|answer(?:\s*+is)?+|correct\s*+answer|\u7b54\u6848"
    r"|\u6700\u7ec8\u7b54\u6848|\u7ed3\u8bba|\u6240\u4ee5|\u56e0\u6b64|\u6211\u9009(?:\u62e9)?"
    r"|\u9009\u62e9|\u9009)\s*+[:\uff1a>\uff1d=]?+\s*+[(\[{\uff08\u3010]?+\s*+"
)
TAIL_LINES, TAIL_CHARACTERS = 6, 800


def _letter_of_lines(text: str) -> str:
    """The letter of the last of the last lines that is one, starts with "X. " or holds only one."""
    for line in map(str.strip, reversed(text.splitlines()[-TAIL_LINES:])):
        if _LISTED.match(line):
            continue
        found = _LONE.fullmatch(line) or _LABEL.match(line)
        if found:
            return found.group(1).upper()
        inline = set(_INLINE.findall(line))
        if len(inline) == 1:
            return str(inline.pop())
    return ""


def spatial_option(answer_text: str, choices: Sequence[str] | None = None) -> str | bool:
    """VLMEvalKit's spatial_bench: the tagged letter, else one from the end; False if unclear.

    First the letter that opens the answer tag, then one right before </answer> or </think> in the
    last 800 characters, then the last lines behind the thought and of those characters, the first
    "answer: X", and at last the only option letter of the text.
    """
    said = _INVISIBLE.sub("", answer_text).strip()
    starts = {str(c).strip()[:1].upper() for c in choices or () if c}
    letters = "".join(sorted(starts.intersection(LETTERS))) or "ABCDEF"
    tagged = _TAGGED_LETTER.search(said)
    if tagged and _ANSWER_END.search(said, tagged.end()):
        return tagged.group(1).upper()
    tail = said[-TAIL_CHARACTERS:]
    one = rf"([{letters}])"
    closed = r"\s*+[)\]}\uff09\u3011]?+\s*+"
    for name in ("answer", "think"):
        end = rf"</{_TAG_GAP}{name}{_TAG_GAP}>"
        closing = re.search(rf"(?<![A-Za-z]){one}{closed}{end}", tail, re.IGNORECASE)
        if closing:
            return closing.group(1).upper()
    for part in (after_thought(said), tail):
        found = _letter_of_lines(part)
        if found:
            return found
    told = re.search(rf"{_CONCLUDED}{one}\b", said, re.IGNORECASE)
    if told:
        return told.group(1).upper()
    rest = "\n".join(line for line in said.splitlines() if not _LISTED.match(line))
    only = set(re.findall(rf"(?<![A-Za-z]){one}(?![A-Za-z])", rest))
    return only.pop() if len(only) == 1 else False


_AMOUNT_E = r"[-+]?(?:(?<!\d)\d++\.\d++|\.\d++|(?<!\d)\d++)(?:[eE][-+]?\d++)?+"
_NUMBERS = re.compile(_AMOUNT_E)
_TAGGED_NUMBER = re.compile(
    rf"<{_TAG_GAP}answer\b[^>]{{0,200}}>\s*+({_AMOUNT_E})(?:[^\d<][^<]{{0,2000}})?"
    rf"<{_TAG_GAP}/{_TAG_GAP}answer{_TAG_GAP}>",
    re.IGNORECASE,
)
_SMALL = re.compile(rf"\b(?:{'|'.join((*numbers.UNITS, 'twenty'))})\b", re.IGNORECASE)


def spatial_number(pred: Any) -> float | None:
    """VLMEvalKit's spatial_bench: the number in the first answer tag, else the last one.

    The last one behind the thought counts before the last one anywhere; "zero" .. "twenty" are
    numbers, so that "twenty-one" is -1, and of a list the first item counts.
    """
    if isinstance(pred, list):
        return spatial_number(pred[0]) if pred else None
    if pred is None:
        return None
    said = _INVISIBLE.sub("", str(pred)).strip()
    if said.startswith("[") and said.endswith("]"):
        items = boxes.literal(said)
        return spatial_number(items) if isinstance(items, list) else None
    said = _SMALL.sub(lambda m: str(numbers.WORDS[m.group().lower()]), said)
    tagged = _TAGGED_NUMBER.search(said)
    if tagged:
        return float(tagged.group(1))
    found = _NUMBERS.findall(after_thought(said)) or _NUMBERS.findall(said)
    return float(found[-1]) if found else None


_UNQUOTED = re.compile(r"(?<=:\s)([A-Za-z_]\w*)")


def cgbench_result(response: str, rest: str) -> int:
    """VLMEvalKit's CG-Bench: the "result" of a fenced JSON block is the gold letter.

    Without such a block, whether any lone letter A..H is; -1 if there is none.
    """
    gold = re.search(r"right_answer='(\w)'", rest)
    want = gold.group(1) if gold else ""
    block, closed, _ = response.partition("```json")[2].partition("```")
    try:
        value = json.loads(_UNQUOTED.sub(r'"\1"', block if closed else ""))
        return int(value["result"] == want)
    except (ValueError, RecursionError, KeyError, TypeError):
        letters = re.findall(r"\b[A-H]\b", response)
        return int(want in letters) if letters else -1


# -- TempCompass, MMVU -----------------------------------------------------------------------------

_LABELS = re.compile("Sentence |Option |Caption ")


def _yes_no(output: str) -> str | bool:
    lower = output.lower()
    return "yes" if lower.startswith("yes") else "no" if lower.startswith("no") else False


def caption_match(output: str, options: Sequence[str], answer: str) -> int | str | Failed:
    """TempCompass: the option in full, its sentence, or its name; "fail" asks the judge.

    A name or sentence ends at the next ": "; an option without one stops the published code, and so
    does a gold without one or with a name of one word, unless it is met before.
    """
    pairs = [o.split(": ") for o in options]
    if any(len(p) < 2 for p in pairs):
        return Failed("IndexError")
    names = [p[0] for p in pairs] + [_LABELS.sub("", p[0]) for p in pairs]
    bare, after = output.replace(".", ""), output.split(") ")[1:2]
    chosen = output if output in options else None
    chosen = next((p[1] for p in pairs if p[1] in (output, *after)), chosen)
    chosen = next((n for n in names if n in (output, bare)), chosen)
    if chosen is None:
        return "fail"
    name, *sentence = answer.split(": ")
    if chosen in (answer, answer.split(":")[0], *sentence[:1]):
        return 1
    words = name.split()
    if not sentence or len(words) < 2:
        return Failed("IndexError")
    return int(chosen == words[1])


def _literal_texts(candidates: str) -> list[str]:
    value = boxes.literal(candidates)
    return [str(c) for c in value] if isinstance(value, list) else []


def option_match(output: str, answer: str) -> int | str | Failed:
    """TempCompass' multiple choice: equal, a bare letter, "A." or "A)"; else "fail"."""
    if output == answer:
        return 1
    found = re.match(r"([ABCD])(?:\Z|[.)])", output)
    if found and not answer:
        return Failed("IndexError")
    return int(found.group(1) == answer[0]) if found else "fail"


def tempcompass_multi_choice(doc: Arguments, result: list[str]) -> Arguments | Failed:
    """lmms-eval's record of a TempCompass question; unmatched ones carry the judge's rating."""
    rating = option_match(result[0], doc["answer"])
    if isinstance(rating, Failed):
        return rating
    row = {
        "video_id": doc["video_id"],
        "question": doc["question"],
        "gt-answer": doc["answer"],
        "video-llm-prediction": result[0],
        "match_success": rating != "fail",
        "rating": -99 if rating == "fail" else rating,
        "dim": doc["dim"],
    }
    if rating == "fail":
        row["chatgpt_response"] = "JUDGE"
    return {"avg_accuracy": row, f"{doc['dim']}_accuracy": row}


def rated(output: str, *, asserts: bool) -> int | Failed:
    """1 if the judge's verdict starts with "Correct", or holds it and no "Incorrect".

    lmms-eval asserts that it holds one of them.
    """
    if asserts and "Correct" not in output and "Incorrect" not in output:
        return Failed("AssertionError")
    alone = "Correct" in output and "Incorrect" not in output
    return int(output.startswith("Correct") or alone)


_SUPERSCRIPTS = str.maketrans({c: f"^{i}" for i, c in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")})
_ORDER = re.compile(r"o\s*+\((?=[^)])")


def _order(text: str) -> str:
    """The first "o(...)" of a text in lower case (an order of growth), "" without any."""
    found = _ORDER.search(text)
    end = text.find(")", found.end()) if found else -1
    return text[found.start() : end] if found and end >= 0 else ""


def mmvu_rule(doc: Arguments, prediction: str) -> bool:
    """MMVU: does the output hold the letter as a word, or the option's text?

    It also counts if it holds the letter inside any word and one longer word of the option. Open
    answers: either text lies in the other (so the empty answer is right), the first numbers differ
    by less than .01, signs left out, the first O(...) are equal, or, for golds of two to five
    words, the output holds each word of more than two letters (so "a b" is answered by anything).
    """
    answer = doc["answer"].strip()
    pred, gold = prediction.strip().lower(), answer.lower()
    if doc["question_type"] == "multiple-choice":
        option = str(doc["choices"][answer]).strip().lower() if answer in doc["choices"] else None
        if re.search(rf"\b{re.escape(gold)}\b", pred) or (option is not None and option in pred):
            return True
        return gold in pred and any(w in pred for w in (option or "").split() if len(w) > 2)
    pred, gold = (" ".join(t.translate(_SUPERSCRIPTS).split()) for t in (pred, gold))
    if gold in pred or pred in gold:
        return True
    first = [_NUMBER.search(t) for t in (pred, gold)]
    if first[0] and first[1] and abs(float(first[0].group()) - float(first[1].group())) < 0.01:
        return True
    if _order(gold) and _order(gold) == _order(pred):
        return True
    words, said = ([w.strip(string.punctuation) for w in t.split()] for t in (gold, pred))
    return 2 <= len(words) <= 5 and all(w in said for w in words if len(w) > 2)


# -- records of lmms-eval --------------------------------------------------------------------------


def videomme_record(doc: Arguments, results: list[str]) -> Arguments:
    """lmms-eval's Video-MME record."""
    pred = choice.position_letter(results[0])
    return {
        "videomme_perception_score": {
            "question_id": doc["question_id"],
            "duration": doc["duration"],
            "category": doc["domain"],
            "sub_category": doc["sub_category"],
            "task_category": doc["task_type"],
            "pred_answer": pred,
            "answer": doc["answer"],
            "score": float(pred == doc["answer"]),
            "videoID": doc["videoID"],
        }
    }


def mlvu_record(doc: Arguments, results: list[str]) -> Arguments:
    """lmms-eval's MLVU record."""
    return {
        "mlvu_percetion_score": {
            "question_id": doc["question"],
            "task_type": doc["task_type"],
            "pred_answer": choice.position_letter(results[0]),
            "answer": doc["answer"],
        }
    }


def open_answers(response: str) -> list[float | str] | str:
    """Video-MMMU's candidates of an open answer; an empty response is an "API Error"."""
    failed = "API Error"
    return failed if response in ("", failed) else text.open_candidates(response)


def percent_right(results: Sequence[Arguments]) -> float:
    """Share of equal predictions in percent."""
    right = sum(r["pred_answer"] == r["answer"] for r in results)
    return 100 * right / len(results) if results else 0


def _longvideobench(samples: Sequence[Arguments]) -> dict[str, float]:
    right = sum(s.get("parsed_pred") == s.get("answer") for s in samples)
    return {"acc": right / len(samples) if samples else 0}


def _capital(last: str, prefixes: Sequence[str] = ANSWER_PREFIXES) -> Adapter:
    return plain(lambda s: choice.first_capital(s, last, prefixes))


def _silvr(letters: str, feed: str = "", missing: Any = "") -> Any:
    """SiLVR's reading of letters, line feeds replaced by `feed`; `missing` for the empty answer."""

    def read(response: str) -> Any:
        if response in ("", "API Error"):
            return missing
        return choice.last_marked(response.replace("\n", feed), letters)

    return read


def listed_iou(a: Sequence[Pair], b: Sequence[Pair]) -> float:
    """IoU of two interval lists as CG-Bench adds it up, pair by pair, for reversed ones too."""
    p, q = intervals.merge(a), intervals.merge(b)
    common = sum(intervals.overlap(x, y) for x in p for y in q)
    union = intervals.covered(p) + intervals.covered(q) - common
    return common / union if union > 0 else 0.0


_BY_REPOSITORY: dict[str, dict[str, Adapter]] = {
    "EvolvingLMMs-Lab/lmms-eval": {
        "_task_utils.extract_mcq_answer": plain(
            lambda response, choices: choice.position_letter(response, choices or "ABCDEFGH")
        ),
        "videomme_process_results": plain(videomme_record),
        "lvbench_process_results": plain(
            lambda doc, results: {
                "lvbench_score": choice.position_letter(results[0]) == doc["answer"]
            }
        ),
        "mlvu_process_results": plain(mlvu_record),
        "videomme_aggregate_results": plain(percent_right),
        "mcq_acc": plain(lambda answer, pred: int(mvbench_form(pred) == mvbench_form(answer))),
        "tempcompass.eval_rule": plain(
            lambda output, question, answer: caption_match(output, question.split("\n")[1:], answer)
        ),
        "tempcompass.extract_pred": plain(_yes_no),
        "tempcompass.llm_output_to_rating": plain(lambda s: rated(s, asserts=True)),
        "tempcompass_process_results_multi_choice": plain(tempcompass_multi_choice),
        "charades_sta.extract_time": plain(charades_span),
        "charades_sta.iou": plain(intervals.tiou),
        "charades_sta.eval_tvg.extract_time": plain(charades_tvg_span),
        "_temporal_grounding_compute_metrics": plain(
            lambda rows: _grounding(rows, charades_span, charades_gold)
        ),
        "timelens.extract_time": plain(timelens_span),
        "_timelens_compute_metrics": plain(
            lambda rows: _grounding(rows, timelens_span, timelens_gold)
        ),
        "longvideobench.parse_multi_choice_response": plain(capital_or_random),
        "evaluate_longvideobench": plain(_longvideobench),
        "mmvu.evaluate_with_rule_based": plain(mmvu_rule),
        "videommmu.parse_multi_choice_response": plain(
            lambda s, letters, contents: choice.position_letter(s, letters) or "No Answer Found."
        ),
        "videommmu.eval_open(parse_open_response)": plain(
            lambda s, gold: text.open_match(gold, text.open_candidates(s))
        ),
        "videommmu.parse_open_response": plain(open_answers),
        "videommmu.normalize_str": plain(text.open_form),
        "nextqa.parse_multi_choice_response": plain(_mmmu(MMMU_FORMS, RANDOM)),
        "egoschema.parse_multi_choice_response": plain(egoschema),
        "tomato.parse_multi_choice_response": plain(capital_or_first),
        "video_holmes.parse_multi_choice_response": plain(_mmmu(MMMU_FORMS, RANDOM)),
        "worldsense.parse_multi_choice_response": plain(capital_or_first),
        "tvbench._extract_choice_letter": plain(tvbench),
        "minerva._extract_choice_letter": plain(minerva),
        "cgbench.extract_characters_regex": plain(
            lambda s: choice.position_letter(s, "ABCDEFGHIJKLMN")
        ),
        "videomathqa.extract_characters_regex": _capital("E", choice.JOINED_PREFIXES),
        "vsibench.extract_number": plain(numbers.composed_number),
        "vsibench_process_results[NA]": plain(
            lambda p, g, kind: vsi_bench(p, g, "NA", composed=True)
        ),
        "vsibench_process_results[MCA]": plain(
            lambda p, g, kind: vsi_bench(p, g, "MCA", composed=True)
        ),
        "vsibench.mean_relative_accuracy": plain(official_mra),
        "temporal_iou:lmms-eval/charades": plain(intervals.tiou, "pred", "gold"),
    },
    "open-compass/VLMEvalKit": {
        "videomme.extract_characters_regex": _capital("D"),
        "videomme.extract_characters_regex_v2": _capital(
            "H", ("Final Answer:", *choice.PREFIXES, "Answer:", "Option:")
        ),
        "longvideobench.extract_characters_regex": _capital("E"),
        "worldsense.extract_characters_regex": _capital("D"),
        "videott.extract_characters_regex": _capital("D"),
        "mvbench.check_ans": plain(lambda p, g: vlm_mvbench(p, g, advanced=False)),
        "mvbench.check_ans_advanced": plain(lambda p, g: vlm_mvbench(p, g, advanced=True)),
        "tempcompass.eval_rule_caption_matching": plain(
            lambda line: caption_match(
                line["prediction"],
                _literal_texts(line["candidates"]),
                line["answer"],
            )
        ),
        "tempcompass.eval_rule_multi_choice": plain(
            lambda line: option_match(line["prediction"], line["answer"])
        ),
        "tempcompass.eval_rule_YorN": plain(_yes_no),
        "tempcompass.llm_output_to_rating": plain(lambda s: rated(s, asserts=False)),
        "videoholmes.extract_option": plain(holmes),
        "videommmu.parse_multi_choice_response": plain(
            lambda s, letters, contents: (
                "API Error"
                if s in ("", "API Error")
                else choice.last_marked(s, letters, contents) or "No Answere Found"
            )
        ),
        "videommmu.parse_open_response": plain(open_answers),
        "cgbench.calculate_intervals_iou": plain(intervals.set_iou),
        "cgbench.post_process": plain(cgbench_result),
        "spatial_bench.mean_relative_accuracy": plain(absolute_mra),
        "spatial_bench.can_match_option": plain(spatial_option),
        "spatial_bench.can_match_na": plain(spatial_number),
        "revsi._mean_relative_accuracy": plain(official_mra),
        "vcrbench.calculate_time_iou": plain(intervals.tiou),
    },
    "CeeZh/SILVR": {
        "videomme.extract_characters_regex": plain(_silvr("ABCD")),
        "cgbench.extract_characters_regex": plain(_silvr("ABCDEFGH")),
        "egolife.extract_characters_regex": plain(_silvr("ABCD")),
        "minerva.extract_characters_regex": plain(_silvr("ABCDE", " ")),
        "mlvu.extract_characters_regex": plain(choice.bracket_letter),
        "mmworld.extract_characters_regex": _capital("D", choice.JOINED_PREFIXES),
        "cinepile.extract_characters_regex": plain(
            lambda s: [_silvr("ABCDE", missing=None)(s), ""]
        ),
        "calculate_intervals_iou": plain(listed_iou),
        "parse_open_response": plain(open_answers),
    },
    "vision-x-nyu/thinking-in-space": {
        "vsibench_process_results[NA]": plain(
            lambda p, g, kind: vsi_bench(p, g, "NA", composed=False)
        ),
        "vsibench_process_results[MCA]": plain(
            lambda p, g, kind: vsi_bench(p, g, "MCA", composed=False)
        ),
        "mean_relative_accuracy": plain(official_mra),
        "mra:vsi-bench MRA": plain(lambda p, g: official_mra(p, g, 0.5, 0.95, 0.05)),
    },
    "SaraGhazanfari/CoF": {
        "extract_count_from_response": plain(cof_number, "response"),
        "extract_num_from_response": plain(cof_last_number, "response"),
        "mean_relative_accuracy": plain(official_mra),
        "mra:cof MRA": plain(official_mra),
    },
    "doc-doc/NExT-GQA": {
        "get_tIoU": plain(next_gqa_tiou),
        "eval_ground": plain(next_gqa_report),
        "temporal_iou:next-gqa/IoU": lambda a: next_gqa_tiou(a["gold"], a["pred"])[0],
        "temporal_iou:next-gqa/IoP": lambda a: next_gqa_tiou(a["gold"], a["pred"])[1],
    },
    "yeliudev/VideoMind": {
        "check_ans": plain(videomind_check),
        "compute_iou": plain(videomind_iou),
        "parse_span": plain(clamped_span),
        "parse_question": plain(lambda q: " ".join(q.split()).strip()),
        "nncore.ops.temporal_iou": plain(pairwise_iou),
        "temporal_iou:nncore/iou (videomind, museg eval)": lambda a: pairwise_iou(
            [a["pred"]], [a["gold"]]
        )[0][0],
    },
    "hshjerry/VideoEspresso": {
        "extract_option": plain(
            lambda s: choice.first_capital(s) or None if isinstance(s, str) else None
        )
    },
}

_WITHOUT_TEXT: dict[str, dict[str, Any]] = {
    "EvolvingLMMs-Lab/lmms-eval": {
        "_task_utils.extract_mcq_answer": "",
        "mmvu.evaluate_with_rule_based": False,
        "videommmu.parse_multi_choice_response": "No Answer Found.",
        "tvbench._extract_choice_letter": "",
        "minerva._extract_choice_letter": "",
        "cgbench.extract_characters_regex": "",
        "vsibench.extract_number": None,
        "vsibench_process_results[NA]": 0.0,
    },
    "open-compass/VLMEvalKit": {
        "videoholmes.extract_option": "WRONG",
        "cgbench.post_process": -1,
        "spatial_bench.can_match_option": False,
    },
}
"""What the published code returns for an output that is missing (None); others raise."""


def _or_without(adapter: Adapter, value: Any) -> Adapter:
    return lambda arguments: value if None in _outputs(arguments) else adapter(arguments)


def _outputs(arguments: Arguments) -> list[Any]:
    return [v for k, v in arguments.items() if k not in ("choices", "doc", "candidates")]


EVALUATION: dict[tuple[str, str], Adapter] = {
    (repository, function): _or_without(adapter, _WITHOUT_TEXT[repository][function])
    if function in _WITHOUT_TEXT.get(repository, {})
    else adapter
    for repository, functions in _BY_REPOSITORY.items()
    for function, adapter in functions.items()
}
"""(repository, function) -> adapter."""
