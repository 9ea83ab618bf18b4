"""Published rewards for time spans, boxes and tracks: Time-R1, VideoChat-R1, MUSEG and others."""

from __future__ import annotations

import json
import math
import re
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
    iter_tags,
    text_of,
)

# -- Time-R1, VideoChat-R1: grounding --------------------------------------------------------------


def answered_span(completion: str) -> Span | None:
    """The last "x to y" of the last answer tag."""
    return intervals.parse_to(extract_tag(completion, which="last"))


def leaking_iou(arguments: Arguments, *, boundary: bool = False) -> list[float] | Failed:
    """Time-R1's batch reward: an empty hull repeats the last IoU, or raises if there is none."""
    scores: list[float] = []
    last: float | None = None
    n = len(arguments["completions"])
    rows = zip(
        arguments["completions"],
        arguments["solution"],
        arguments.get("durations") or [1.0] * n,
        strict=False,
    )
    for completion, gold, duration in rows:
        pred = answered_span(text_of(completion))
        if pred is None:
            scores.append(0.0)
            continue
        if max(pred[1], gold[1]) - min(pred[0], gold[0]) > 0:
            last = intervals.tiou(pred, gold)
        if last is None:
            return Failed("UnboundLocalError")
        factor = 1.0
        if boundary:
            if duration == 0:
                return Failed("ZeroDivisionError")
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


def last_bracketed(output: str) -> str:
    """The last "(X)" of the text, else its first character."""
    found = re.findall(r"\(([A-Z])\)", output)
    return found[-1] if found else output.strip()[:1]


def time_r1_extract(output: str, datatype: str) -> Any:
    """Time-R1's evaluation: the last "x to y" anywhere, or the option's index."""
    if datatype == "tg":
        return list(intervals.parse_to(output, ignore_case=False) or (None, None))
    letter = last_bracketed(output)
    return "ABCDEFGHIJ".index(letter) if letter and letter in "ABCDEFGHIJ" else None


def last_thought(completion: str) -> str:
    """Content of the last think tag, as it stands."""
    return extract_tag(completion, "think", which="last", strip=False)


KEYWORDS = words(
    "analyze analyse compare deduce however first wait specifically therefore because "
    "identify observe step next finally then consider verify check"
)


def thought_length(completion: str) -> float:
    """.001 for each character of the thought, up to 500."""
    return min(len(last_thought(completion)), 500) * 0.001


def keyword_usage(completion: str) -> float:
    """.1 for each reasoning word in the thought, up to two (word list: our guess)."""
    lower = last_thought(completion).lower()
    return 0.1 * min(2, sum(word in lower for word in KEYWORDS))


def paragraph_structure(completion: str) -> float:
    """.05 for each line of the thought that is not empty, up to two."""
    lines = last_thought(completion).split("\n")
    return 0.05 * min(2, sum(bool(line.strip()) for line in lines))


def timestep_pair(completion: str) -> float:
    """.2 if a timestep tag holds "x to y"."""
    return 0.2 * any(map(intervals.parse_to, iter_tags(completion, "timestep")))


def diversity(arguments: Arguments) -> list[float]:
    """1 - mean ROUGE-L to the other rollouts of the group."""
    texts, n = [text_of(c) for c in arguments["completions"]], arguments["num_generations"]
    scores = []
    for i, one in enumerate(texts):
        first = i - i % n
        others = [t for j, t in enumerate(texts[first : first + n], first) if j != i]
        same = [text.rouge(one, other, stem=False)["rougeL"] for other in others]
        scores.append(1 - sum(same) / len(same) if same else 0.0)
    return scores


# -- VideoChat-R1, VAU-R1: glue intervals, tracking ------------------------------------------------

_NUMBER = r"[0-9]++(?:\.[0-9]++)?+"
_TUPLE = rf"\({_NUMBER},\s*+{_NUMBER}\)"
_TUPLES = re.compile(rf"\[(?:{_TUPLE}(?:,\s*+{_TUPLE})*+,?+)?+\]\n?\Z")
_SINGLE = re.compile(rf"\[\s*+-?({_NUMBER})\s*+,\s*+-?({_NUMBER})\s*+\]\n?\Z")
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
    """VAU-R1's `[s, e]`; [-1, -1] marks a normal video; None if invalid."""
    found = _SINGLE.match(glue)
    if not found or not all(map(_python_number, found.groups())):
        return None
    start, end = (float(x) for x in glue.strip()[1:-1].split(","))
    if (start, end) == (-1.0, -1.0) or 0 <= start <= end:
        return start, end
    return None


def _nested(gold: Any) -> list[Pair]:
    return [gold] if gold and not isinstance(gold[0], list | tuple) else list(gold)


def glue_iou(completion: str, solution: Arguments) -> float:
    """VideoChat-R1 `iou_glue_reward`: IoU of the first valid glue's spans; 1 if both are empty."""
    pred = tuple_spans(extract_tag(completion, "glue", strip=False))
    if pred is None:
        return 0.0
    return intervals.set_iou(pred, _nested(solution["glue"]), empty=1.0)


def vau_iou(completion: str, solution: Arguments) -> float:
    """VAU-R1 `iou_glue_reward`: "normal" must match; reversed golds have no length."""
    pred, golds = single_span(extract_tag(completion, "glue")), _nested(solution["glue"])
    if pred is None:
        return 0.0
    normal = [tuple(map(float, g)) == (-1.0, -1.0) for g in golds]
    if pred == (-1.0, -1.0) or any(normal):
        return float(pred == (-1.0, -1.0) and any(normal))
    common = sum(intervals.overlap(pred, sorted(g)) for g in golds)
    union = pred[1] - pred[0] + sum(max(0.0, g[1] - g[0]) for g in golds) - common
    return common / union if union > 0 else 1.0


def glue_format(completion: str, *, single: bool) -> float:
    """Think, answer and a valid glue, in this order."""
    ok = is_sequence(completion.strip(), ("think", "answer", "glue"))
    glue = extract_tag(completion, "glue", strip=False)
    valid = single_span(glue.strip()) if single else tuple_spans(glue)
    return float(ok and valid is not None)


def equal_class(completion: str, gold: Any) -> float:
    """Equality of the class after stripping, case ignored."""
    want = gold["answer"] if isinstance(gold, dict) else gold
    pred = extract_tag(completion)
    return float(pred.lower() == str(want).strip().lower())


def tracking_iou(completion: str, solution: Arguments) -> float:
    """Mean IoU of exactly eight boxes, 0 on any mismatch."""
    pred = boxes.parse_boxes(extract_tag(completion), 8)
    return boxes.track_iou(pred, solution["answer"]) if pred else 0.0


def tracking_format(completion: str) -> float:
    """Think, answer, and eight boxes in the answer."""
    valid = boxes.parse_boxes(extract_tag(completion), 8) is not None
    return float(valid and is_sequence(completion.strip()))


def vau_span(response: str) -> Arguments:
    """VAU-R1's evaluation: the glue or first [..] with seconds or clock times, else 0, 0."""
    bracket = re.search(r"\[([^\]]{0,1000})\]", response)
    inner = find_tag(response, "glue") or (bracket.group(1) if bracket else "")
    fields = inner.strip().strip("[]()").split(",")
    try:
        start, end = (intervals.clock(x) for x in fields)
    except ValueError:
        start = end = 0.0
    return {"start time": start, "end time": end}


VAU_CLASSES = words(
    "Abuse Arrest Arson Assault Burglary Explosion Fighting Fire Normal Object_falling "
    "People_falling Pursuit Robbery Shooting Shoplifting Stealing Traffic_accident Vandalism "
    "Water_incident"
)


def vau_classes(response: str) -> list[str]:
    """Names of anomaly classes that occur in the text, case ignored."""
    lower = response.lower()
    return [c for c in VAU_CLASSES if re.search(rf"\b{c.lower()}\b", lower)]


# -- MUSEG -----------------------------------------------------------------------------------------


def _segments(completion: str) -> list[Span] | None:
    found = re.findall(r"<answer>", completion)
    return intervals.parse_dashes(extract_tag(completion)) if len(found) == 1 else None


def museg_global(completion: str, gold: list[Any]) -> float:
    """Coverage F1; any span that is not 0 <= s < e makes it 0."""
    pred = _segments(completion)
    golds = [gold] if gold and isinstance(gold[0], int) else gold
    if not pred or not all(0 <= s < e for s, e in pred) or not isinstance(golds[0], list):
        return 0.0
    return intervals.coverage_f1(pred, golds)


def museg_local(completion: str, gold: list[Any]) -> float:
    """Mean (1 + GIoU) / 2 of spans paired in order, the shorter list padded far away."""
    pred = _segments(completion)
    golds = [gold] if gold and isinstance(gold[0], int) else gold
    if not pred or not all(0 <= s < e for s, e in pred) or not isinstance(golds[0], list):
        return 0.0
    n = max(len(pred), len(golds))
    far = (1e9, 1e9 + 1)
    total = 0.0
    for i in range(n):
        a = pred[i] if i < len(pred) else far
        b = golds[i] if i < len(golds) else far
        if math.isinf(a[1]):
            return math.nan
        total += (1 + intervals.giou(a, b)) / 2
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
            if not 1 <= len(re.findall(pattern, thought)) <= 10:
                return 0.6
    return 1.0


def museg_eval(arguments: Arguments) -> Arguments | Failed:
    """Single-span evaluation: mean union IoU of the first spans and recall at four thresholds."""
    if arguments["eval_type"] != "tvg":
        return Failed("NotImplementedError")
    thresholds = (0.1, 0.3, 0.5, 0.7)
    ious = []
    for golds, answer in arguments["data_raw"]:
        pred = intervals.parse_dashes(answer)
        valid = bool(pred) and pred is not None and pred[0][0] < pred[0][1]
        ious.append(intervals.union_iou(pred[0], golds[0]) if valid and pred else 0.0)
    n = len(ious) or 1
    hits = {f"f1_single_{t}": sum(x >= t for x in ious) / n for t in thresholds}
    return {
        "tot": len(ious),
        "m_iou": sum(ious) / n,
        **hits,
        "mean_f1_single": sum(hits.values()) / len(thresholds),
    }


_DENSE = re.compile(rf"({numbers.RUN}\.?+\d*+)\s*+(?:to|-)\s*+(\d++\.?+\d*+)")


def dense_captions(caption: str) -> list[Any]:
    """E.T. Bench's dense captions: spans "a - b" and the text after each, [None, None] if none."""
    spans, captions = [], []
    for line in caption.split("\n"):
        found = _DENSE.search(line)
        if found:
            a, b = float(found.group(1)), float(found.group(2))
            spans.append([min(a, b), max(a, b)])
            captions.append(line[found.end() :].strip())
    return [spans, captions] if spans else [None, None]


# -- Temporal-R1 ----------------------------------------------------------------------------------

_SPAN_JSON = re.compile(
    r"</think>\s*+<answer>\s*+\{\s*+\"start_time\":\s*+\"[\d.]++\"\s*+,\s*+\"end_time\":\s*+"
    r"\"[\d.]++\"\s*+\}\s*+</answer>\Z"
)


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
