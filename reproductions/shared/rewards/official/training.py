"""Reward functions of the repositories that train (commits: `golden` rows and catalogue)."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from reproductions.shared.rewards import (
    boxes,
    choice,
    intervals,
    length,
    maths,
    numbers,
    rules,
    text,
)
from reproductions.shared.rewards.intervals import Pair, Span
from reproductions.shared.rewards.numbers import words
from reproductions.shared.rewards.official.base import (
    CHOICE,
    Adapter,
    Arguments,
    Failed,
    each,
    formatted,
    plain,
    scored,
)
from reproductions.shared.rewards.tags import (
    extract_tag,
    find_tag,
    is_sequence,
    iter_tags,
    text_of,
    unclosed_tag,
)

# -- Video-R1, VideoRFT ----------------------------------------------------------------------------


def video_r1_eval(sample: Arguments, model_output: str, question_type: str) -> float:
    """`eval_bench.reward_fn`: as the reward, but untagged output counts and regression is MRA."""
    pred = extract_tag(model_output, default=model_output.strip())
    gold = extract_tag(sample["solution"])
    if question_type == "regression":
        p, g = numbers.to_float(pred), numbers.to_float(gold)
        return 0.0 if p is None or g is None else numbers.mra_float32(p, g)
    return rules.typed_score(pred, gold, question_type, safe=False)


def videorft_text(completion: str) -> str:
    """The text VideoRFT compares with the frames: the thought after its first full stop."""
    thought = find_tag(completion, "think", strip=False)
    if thought is None:
        return completion
    return thought.split(".", 1)[1].lstrip() if "." in thought else thought


def videorft_semantic(arguments: Arguments) -> Arguments:
    """`semantic_reward` with given similarities: mean over frames of min(1, w * max(cos, 0))."""
    texts = [videorft_text(text_of(c)) for c in arguments["completions"]]
    if arguments["data_type"] not in ("image", "video"):
        return {"rewards": [0.0] * len(texts), "texts_sent_to_siglip": None}
    frames, scale = arguments["similarities_per_frame"], arguments["w_scale"]
    scores = [
        sum(min(1.0, scale * max(frame[i], 0.0)) for frame in frames) / len(frames)
        for i in range(len(texts))
    ]
    return {"rewards": scores, "texts_sent_to_siglip": texts}


# -- Time-R1, VideoChat-R1: grounding --------------------------------------------------------------


def _answered_span(completion: str) -> Span | None:
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
        pred = _answered_span(text_of(completion))
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
    pred = _answered_span(completion)
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


def _last_thought(completion: str) -> str:
    return extract_tag(completion, "think", which="last", strip=False)


_KEYWORDS = words(
    "analyze analyse compare deduce however first wait specifically therefore because "
    "identify observe step next finally then consider verify check"
)


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


# -- SpaceR ----------------------------------------------------------------------------------------

_SPACER_WORDS = (
    *numbers.UNITS[1:],
    *numbers.TENS,
    "zero",
    "a",
    "an",
)
_SPACER_VALUES = numbers.WORDS | {"a": 1, "an": 1}


def spacer_number(answer: str) -> float | None:
    """The first number word of a fixed list ("a" is 1), else the first unsigned number."""
    lower = answer.lower().strip()
    word = numbers.number_word(lower, _SPACER_WORDS)
    if word is not None:
        return float(_SPACER_VALUES[word])
    found = re.search(rf"{numbers.RUN}(?:\.\d++)?+", lower)
    return float(found.group()) if found else None


def _spacer_numerical(pred: str, gold: str) -> float:
    p, g = spacer_number(pred), numbers.to_float(gold)
    return 0.0 if p is None or g is None else numbers.mra(p, g)


def _map_bonus(completion: str, path: str, maps: Arguments) -> float | None:
    drawn = find_tag(completion, "map")
    if drawn is None:
        return None
    scene = maps.get(path.rsplit("/", 1)[-1].rsplit(".", 1)[0])
    if scene is None:
        return 0.0
    return boxes.map_score(boxes.parse_map(drawn, scene["object_list"]), scene["cognitive_map"])


def spacer_accuracy(arguments: Arguments) -> list[float]:
    """Accuracy plus map score; a right answer with a worthless map scores 0."""
    maps = arguments.get("maps", {})
    kind = arguments["problem_type"][0]
    scores = []
    for message, gold, path in zip(
        arguments["completions"], arguments["solution"], arguments["path"], strict=True
    ):
        completion = text_of(message)
        if kind == "numerical":
            value = _spacer_numerical(extract_tag(completion), extract_tag(gold))
        else:
            value = rules.score("video_r1", completion, gold, kind, safe=False)
        good = value > 0.5 if kind == "numerical" else value > 0
        if kind in ("numerical", CHOICE) and good:
            bonus = _map_bonus(completion, path, maps)
            if bonus is not None:
                value = value + bonus if bonus > 0 else 0.0
        scores.append(value)
    return scores


# -- Temporal-R1, Long-RL --------------------------------------------------------------------------

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


def half_format(arguments: Arguments) -> float:
    """Temporal-R1's questions: half accuracy, half format."""
    answer, gold = arguments["predict_str"], arguments["ground_truth"]
    right = rules.score("temporal_r1", answer, gold, CHOICE, safe=False)
    return 0.5 * right + 0.5 * rules.FORMATS["video_r1"](answer)


def long_rl(arguments: Arguments) -> Arguments:
    """Long-RL: .9 accuracy + .1 format."""
    row = arguments["reward_input"]
    right = rules.score("long_rl", row["response"], row["ground_truth"], CHOICE, safe=False)
    form = rules.FORMATS["video_r1"](row["response"])
    return {"overall": 0.9 * right + 0.1 * form, "format": form, "accuracy": right}


def dapo(arguments: Arguments) -> list[Arguments]:
    """Long-RL's DAPO: +1 or -1 for the boxed answer, and the soft overlong penalty."""
    rows = []
    for row in arguments["reward_inputs"]:
        answer = maths.boxed(row["response"])
        right = answer is not None and maths.grade_answer(answer, row["ground_truth"])
        accuracy = 1.0 if right else -1.0
        over = length.soft_overlong(
            row["response_length"],
            arguments["max_response_length"],
            arguments["overlong_buffer_length"],
        )
        rows.append(
            {
                "overall": accuracy + over * arguments["overlong_penalty_factor"],
                "accuracy": accuracy,
                "overlong": over,
                "accuracy_normalized": 0.5 * (accuracy + 1),
            }
        )
    return rows


# -- AV-Reasoner -----------------------------------------------------------------------------------

_AV_COUNT, _AV_TIME = {"dvd_count", "RepCount"}, {"llp", "ave", "unav"}


def _seconds(value: Any) -> float:
    return float(str(value).replace("s", "").strip())


def _grouped(rows: list[Arguments]) -> dict[tuple[str, str], list[Span]]:
    groups: dict[tuple[str, str], list[Span]] = {}
    for row in rows:
        name = str(row["type"]).lower(), str(row["event"]).lower()
        groups.setdefault(name, []).append((_seconds(row["start"]), _seconds(row["end"])))
    return groups


def _corners(row: Arguments) -> list[float]:
    (x0, y0), (x1, y1) = row["coordinates"]
    return [x0, y0, x1, y1]


def _upright_iou(a: boxes.Box, b: boxes.Box) -> float:
    return boxes.box_iou(a, b) if a[0] < a[2] and a[1] < a[3] else 0.0


def av_accuracy(completion: str, solution: Any, task: str) -> float:
    """AV-Reasoner's accuracy by task, times ten: counting, events, sounding objects, letters."""
    answer = extract_tag(completion)
    gold = solution[0]["answer"] if solution and "answer" in solution[0] else solution
    try:
        if task in _AV_COUNT:
            return 10 * numbers.count_score(int(answer), int(gold))
        if task in _AV_TIME:
            pred, wanted = _grouped(json.loads(answer)), _grouped(gold)
            ious = [intervals.set_iou(pred.get(name, ()), spans) for name, spans in wanted.items()]
            return 10 * sum(ious) / len(ious) if ious else 0.0
        if task == "avss_det":
            found = json.loads(answer)
            if not found and not gold:
                return 10.0
            names: dict[str, list[float]] = {}
            for row in gold:
                same = [
                    _upright_iou(_corners(f), _corners(row))
                    for f in found
                    if f["name"] == row["name"]
                ]
                names.setdefault(row["name"], []).append(max(same, default=0.0))
            means = [sum(v) / len(v) for v in names.values()]
            return 10 * sum(means) / len(means) if means else 0.0
    except (ValueError, TypeError, KeyError, RecursionError, AttributeError):
        return 0.0
    return 10 * float(answer == gold)


def av_format(completion: str, solution: Any, task: str) -> float:
    """Think and answer; for JSON tasks times the share of items with the needed keys."""
    if not is_sequence(completion.strip()):
        return 0.0
    if task not in _AV_TIME and task != "avss_det":
        return 1.0
    keys = {"name", "coordinates"} if task == "avss_det" else {"start", "end", "event", "type"}
    try:
        rows = json.loads(extract_tag(completion))
        good = [isinstance(row, dict) and keys <= set(row) for row in rows]
    except (ValueError, TypeError, RecursionError):
        return 0.0
    return sum(good) / len(good) if good else 1.0


def av_time(time_str: str) -> float | Failed:
    """mm:ss or hh:mm:ss in seconds."""
    try:
        return intervals.clock(time_str) if ":" in time_str else Failed("ValueError")
    except ValueError:
        return Failed("ValueError")


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


# -- Pixel Reasoner, Ego-R1, Video-RTS, VidBridge-R1, ViaRL, VerIPO --------------------------------


def pixel_rule(sol: str, gt: list[str] | str, eostoken: str, requires_box: bool) -> Any:
    """(valid, None, None, problem, score): 1, 0, or -1 where no boxed answer is found."""
    if not (eostoken in sol or "<|endoftext|>" in sol):
        return [False, None, None, "No eos.", 0.0]
    lower = sol.lower()
    if lower.count("wait") > 5:
        return [False, None, None, "too many waits", 0.0]
    if requires_box and "boxed" not in lower:
        return Failed("ValueError")
    golds = [g.lower() for g in ([gt] if isinstance(gt, str) else gt)]
    pred = maths.boxed(lower)
    if pred is None or not pred.strip():
        return [True, None, None, None, -1.0]
    return [True, None, None, None, float(any(_boxed_equal(pred, g) for g in golds))]


def _boxed_equal(pred: str, gold: str) -> bool:
    want = maths.boxed(gold)
    want = gold if want is None else want
    if "," in want:
        return all(part.strip() in pred for part in want.split(","))
    return maths.math_verify(f"\\boxed{{{pred}}}", f"\\boxed{{{want}}}") or maths.grade_answer(
        pred, want
    )


_TURN = re.compile(r"\s*+<think>")
_AFTER = re.compile(r"\s*+<(tool|answer)>")


def ego_grammar(solution: str) -> bool:
    """Ego-R1's turns: thought, then a JSON tool call (and information) or the final answer."""
    at = 0
    while at < len(solution.rstrip()):
        turn = _TURN.match(solution, at)
        end = solution.find("</think>", at) if turn else -1
        act = _AFTER.match(solution, end + 8) if end >= 0 else None
        if act is None:
            return False
        close = solution.find(f"</{act.group(1)}>", act.end())
        if close < 0:
            return False
        at = close + len(act.group(1)) + 3
        if act.group(1) == "answer":
            return not re.search(r"<(?:think|tool|answer)>", solution[at:])
        try:
            call = json.loads(solution[act.end() : close])
        except (ValueError, RecursionError):
            return False
        if not isinstance(call, dict) or not {"name", "arguments"} <= set(call):
            return False
        told = re.compile(r"\s*+<information>").match(solution, at)
        if told:
            end = solution.find("</information>", told.end())
            if end < 0:
                return False
            at = end + len("</information>")
    return True


def ego_score(arguments: Arguments) -> float:
    """1 for the right letter, else the format score if an answer follows the grammar."""
    if "completion" in arguments:
        answer, gold, credit = arguments["completion"], arguments["ground_truth"], 0.0
    else:
        answer, gold = arguments["solution_str"], arguments["ground_truth"]["target"]
        credit = arguments["format_score"]
    if find_tag(answer, which="last", dotall=False) is None:
        return 0.0
    if rules.score("ego_r1", answer, gold, CHOICE, safe=False):
        return 1.0
    return credit if ego_grammar(answer) else 0.0


def ego_last_answer(solution: str) -> str | None:
    """The last answer, if there are at least two (the prompt holds one)."""
    found = list(iter_tags(solution, "answer"))
    return found[-1].strip() if len(found) > 1 else None


def _texts(golds: str | Sequence[str]) -> Sequence[str]:
    return [golds] if isinstance(golds, str) else golds


def votes(outputs: Sequence[str]) -> dict[str, int]:
    """Number of each answer among samples, "No answer found" without tag."""
    return dict(Counter(extract_tag(o, default="No answer found") for o in outputs))


def video_rts_eval(sample: Arguments, output: str, problem_type: str) -> float:
    """Letter in any case, number within 1 %, text by (BLEU + ROUGE-1) / 2, else equality."""
    pred = extract_tag(output, default=output.strip())
    gold = rules.gold_of(sample["solution"])
    if problem_type in ("numerical", "regression"):
        p, g = numbers.to_float(pred), numbers.to_float(gold)
        return float(p is not None and g is not None and numbers.within(p, g))
    if problem_type in ("free-form", "OCR"):
        overlap = text.rouge(pred, gold)["rouge1"]
        return (text.bleu(pred, gold) + overlap) / 2
    if problem_type == CHOICE:
        return float(pred.strip().upper() == gold.strip().upper())
    return float(pred == gold)


def vote_accuracies(data: Arguments) -> list[float]:
    """Share of tagged golds that the first prediction, and that the majority vote equals."""
    rows = [
        (extract_tag(r["solution"]), r["prediction"], r["majority_vote"])
        for r in data.get("results", ())
        if find_tag(r["solution"]) is not None
    ]
    n = len(rows) or 1
    return [sum(g == p for g, p, _ in rows) / n, sum(g == v for g, _, v in rows) / n]


_CONNECTIVES = words(
    "first second third then next after before while when once meanwhile finally later "
    "subsequently eventually during afterwards"
)
_HEDGES = words("maybe possibly perhaps might could probably likely seems appears suggests")


def keywords(content: str) -> float:
    """VidBridge-R1's captions: .2 for each temporal word up to .4; hedges cost .2 each."""
    answer = unclosed_tag(content)
    if answer is None:
        return 0.0
    lower = answer.lower()
    score = min(0.4, 0.2 * sum(word in lower for word in _CONNECTIVES))
    hedges = sum(word in lower for word in _HEDGES)
    return min(score, 0.0) - 0.2 * hedges if hedges else score


def vidbridge(arguments: Arguments) -> Any:
    """Multiple choice; the other tasks need a judge."""
    return scored("vidbridge_r1")(arguments)


def viarl_accuracy(arguments: Arguments) -> list[float | None]:
    """2 for the right option; open answers go to a judge (None here); other types score 0."""
    if "completion" in arguments:
        return scored("viarl")(arguments)  # type: ignore[no-any-return]
    kind = arguments["problem_type"][0]
    if kind == "open_ended":
        return [None] * len(arguments["completions"])
    scores: list[float | None] = scored("viarl", 2.0)(arguments)
    return scores if kind == "multi_choice" else [0.0] * len(scores)


def viarl_index(completion: str, chosen: int = 8, candidates: int = 128) -> float:
    """1 for exactly `chosen` different numbers below `candidates`; signs are not read."""
    inner = find_tag(completion, "index")
    found = [float(x) for x in re.findall(rf"{numbers.RUN}(?:\.\d++)?+", inner or "")]
    fits = len(found) == chosen == len(set(found))
    return float(fits and all(0 <= x < candidates for x in found))


def veripo(arguments: Arguments) -> Any:
    """The evaluation loop: letters, MRA for VSI-Bench, math_verify elsewhere."""
    if "completion" in arguments:
        gold = arguments["ground_truth"]
        return rules.score("veripo", arguments["completion"], gold, CHOICE, safe=False)
    output, gold = arguments["model_output"], arguments["ground_truth"].strip()
    answer = rules.innermost(output)
    if re.fullmatch("[A-J]", gold):
        return {"acc": int(choice.only_letter(answer, gold)), "extracted_answer": answer}
    if "vsi_bench" in arguments["pred_path"]:
        p, g = numbers.to_float(answer), numbers.to_float(gold)
        acc = 0.0 if p is None or g is None else numbers.mra(p, g)
        return {"acc": acc, "extracted_answer": answer}
    return {"acc": float(maths.math_verify(output, gold)), "extracted_answer": None}


def tw_origin(completion: str, gold: str) -> float:
    """TW-GRPO's hard variant: partial scores become 0."""
    return float(rules.score("tw_grpo", completion, gold, CHOICE, safe=False) == 1)


def repeats(content: str) -> bool:
    """Whether a sentence occurs twice, word for word."""
    sentences = [s.strip() for s in content.split(".") if s.strip()]
    return len(sentences) != len(set(sentences))


def _cross(pick: dict[str, Any]) -> dict[str, Adapter]:
    """Adapters for the golden file that compares temporal IoUs: (pred, gold, duration)."""

    def adapt(function: Any) -> Adapter:
        return lambda a: function(a["pred"], a["gold"], a["duration"])

    return {f"temporal_iou:{name}": adapt(function) for name, function in pick.items()}


def _to(pred: Pair) -> list[str]:
    return [f"<answer>{pred[0]} to {pred[1]}</answer>"]


def _leaking(pred: Pair, gold: Pair, duration: float, *, boundary: bool = False) -> Any:
    batch = {"completions": _to(pred), "solution": [gold], "durations": [duration]}
    out = leaking_iou(batch, boundary=boundary)
    return out if isinstance(out, Failed) else out[0]


def _dashed(pred: Pair) -> str:
    return f"<answer>{pred[0]}-{pred[1]}</answer>"


TIME_R1, VIDEOCHAT, VAU = "xiaomi-research/time-r1", "OpenGVLab/VideoChat-R1", "GVCLab/VAU-R1"
MUSEG, SPACER, TEMPORAL = "THUNLP-MT/MUSEG", "OuyangKun10/SpaceR", "appletea233/Temporal-R1"
AV, PIXEL, EGO = "AV-Reasoner/AV-Reasoner", "TIGER-AI-Lab/Pixel-Reasoner", "egolife-ai/Ego-R1"
VIDEO_RTS, LONG_RL, TINY = (
    "Ziyang412/Video-RTS",
    "zcccccz/Long-RL",
    "ZhangXJ199/TinyLLaVA-Video-R1",
)

_BY_REPOSITORY: dict[str, dict[str, Adapter]] = {
    "tulerfeng/Video-R1": {
        "accuracy_reward": scored("video_r1"),
        "format_reward": formatted("video_r1"),
        "eval_bench.reward_fn": plain(video_r1_eval),
        "eval_bench.mean_relative_accuracy": plain(numbers.mra_float32),
        "mra:video-r1 eval MRA": plain(numbers.mra_float32),
        "mra:video-r1 regression reward": plain(numbers.relative_score),
    },
    "QiWang98/VideoRFT": {
        "accuracy_reward": scored("video_r1"),
        "format_reward": formatted("video_r1"),
        "semantic_reward": videorft_semantic,
    },
    "longmalongma/TW-GRPO": {
        "accuracy_reward": scored("tw_grpo"),
        "origin_accuracy_reward": each(tw_origin, "solution"),
        "format_reward": formatted("tw_grpo"),
    },
    TIME_R1: {
        "iou_timestamp_reward": leaking_iou,
        "iou_timestamp_reward_v2": lambda a: leaking_iou(a, boundary=True),
        "parse_timestamp_output": plain(_answered_span),
        "format_reward": formatted("time_r1"),
        "reward_think_length": each(lambda c: min(len(_last_thought(c)), 500) * 0.001),
        "reward_keyword_usage": each(
            lambda c: 0.1 * min(2, sum(k in _last_thought(c).lower() for k in _KEYWORDS))
        ),
        "reward_paragraph_structure": each(
            lambda c: 0.05 * min(2, sum(bool(x.strip()) for x in _last_thought(c).split("\n")))
        ),
        "reward_timestep_pair": each(
            lambda c: (
                0.2 * min(1, sum(map(bool, map(intervals.parse_to, iter_tags(c, "timestep")))))
            )
        ),
        "diversity_reward_func": diversity,
        "mqa_answer_reward": scored("time_r1", wrap=False),
        "compute_IoU": plain(lambda p, g: intervals.tiou(p, g, empty=math.nan)),
        "mcq_is_correct": plain(lambda p, g: int(last_bracketed(p) == "ABCDEFGHIJ"[g])),
        "evaluate.extract_answer": plain(time_r1_extract),
        "extract_answer_force": plain(forced_span),
        **_cross(
            {
                "time-r1/iou": _leaking,
                "time-r1/iou_v2": lambda p, g, d: _leaking(p, g, d, boundary=True),
                "time-r1/eval compute_IoU": lambda p, g, d: intervals.tiou(p, g, empty=math.nan),
            }
        ),
    },
    VIDEOCHAT: {
        "answer_reward": scored("videochat_r1", wrap=False, field="answer"),
        "format_reward_gqa": each(lambda c: glue_format(c, single=False)),
        "is_valid_two_d_list_format": plain(lambda s: tuple_spans(s) is not None),
        "iou_glue_reward": each(glue_iou, "solution"),
        "iou_timestamp_reward": leaking_iou,
        "grpo_tg.iou_timestamp_reward": each(ordered_iou, "solution"),
        "tracking_format_reward": each(tracking_format),
        "tracking_iou_reward": each(tracking_iou, "solution"),
        "grpo_cls.answer_reward": each(equal_class, "solution"),
        "eval.parse_timestamp_output": plain(lambda s: time_r1_extract(s, "tg")),
        **_cross(
            {
                "videochat-r1/tg": lambda p, g, d: ordered_iou(_to(p)[0], g),
                "videochat-r1/glue": lambda p, g, d: glue_iou(
                    f"<glue>[({p[0]}, {p[1]})]</glue>", {"glue": [g]}
                ),
            }
        ),
    },
    VAU: {
        "is_valid_single_interval_format": plain(lambda s: single_span(s) is not None),
        "iou_glue_reward": each(vau_iou, "solution"),
        "format_reward": each(lambda c: glue_format(c, single=True)),
        "grpo_cls.answer_reward": each(equal_class, "solution"),
        "parse_html": plain(vau_span),
        "extract_options": plain(vau_classes),
        **_cross(
            {"vau-r1/glue": lambda p, g, d: vau_iou(f"<glue>[{p[0]}, {p[1]}]</glue>", {"glue": g})}
        ),
    },
    MUSEG: {
        "reward_local_matching": each(museg_local, "solution"),
        "reward_global_matching": each(museg_global, "solution"),
        "reward_segment_matching": each(
            lambda c, g: museg_global(c, g) + museg_local(c, g), "solution"
        ),
        "reward_format": each(lambda c: museg_format(c, cited=True)),
        "reward_format_n_timestamp": each(lambda c: museg_format(c, cited=False)),
        "eval_grounding.eval": museg_eval,
        "tvg_format": plain(lambda s: [span] if (span := intervals.parse_first(s)) else None),
        "dvc_format": plain(dense_captions),
        **_cross(
            {
                "museg/global": lambda p, g, d: museg_global(_dashed(p), [g]),
                "museg/local": lambda p, g, d: museg_local(_dashed(p), [g]),
            }
        ),
    },
    SPACER: {
        "accuracy_reward": spacer_accuracy,
        "extract_map_data": plain(boxes.parse_map),
        "calculate_prediction_score": plain(boxes.map_score),
        "mra:spacer grpo.py numerical reward": plain(
            lambda p, g: _spacer_numerical(str(p), str(g))
        ),
    },
    TEMPORAL: {
        "tvg_compute_score": plain(tvg_score),
        "temporal_iou": plain(intervals.tiou),
        "r1v_compute_score": half_format,
        "r1v_accuracy_reward": scored("temporal_r1", wrap=False),
        **_cross({"temporal-r1/tvg": lambda p, g, d: intervals.tiou(p, g)}),
    },
    LONG_RL: {
        "compute_score": long_rl,
        "accuracy_reward": scored("long_rl", wrap=False),
        "format_reward": formatted("video_r1"),
        "soft_overlong_punishment": plain(length.soft_overlong),
        "dapo.compute_score": dapo,
    },
    AV: {
        "accuracy_reward": each(av_accuracy, "solution", "task"),
        "accuracy_reward_qa_mcq / 10": scored("av_reasoner", wrap=False),
        "format_reward": each(av_format, "solution", "task"),
        "time_str_to_seconds": plain(av_time),
        "compute_tiou": plain(intervals.union_iou),
        "compute_sIoU": plain(lambda a, b: boxes.box_iou(boxes.sorted_box(a), boxes.sorted_box(b))),
        "compute_cluster_pair_wcs": plain(
            lambda g, p, kind: boxes.weighted_clue_score(
                g, p, intervals.union_iou if kind == "tIoU" else boxes.box_iou
            )
        ),
        **_cross({"av-reasoner/tiou": lambda p, g, d: intervals.set_iou([p], [g])}),
    },
    "AMAP-ML/UniVG-R1": {"format_reward_rec": univg_format, "iou_reward": univg_iou},
    PIXEL: {"rule_reward": plain(pixel_rule, "sol", "gt", "eostoken", "requires_box")},
    EGO: {
        "compute_score": ego_score,
        "compute_score(format_score=0)": ego_score,
        "compute_format_score": plain(lambda s: 0.5 if ego_grammar(s) else 0.0),
        "em_check": plain(lambda p, gs: int(any(text.exact_match(p, g) for g in _texts(gs)))),
        "subem_check": plain(
            lambda p, gs: int(any(text.normalize(g) in text.normalize(p) for g in _texts(gs)))
        ),
        "extract_solution": plain(ego_last_answer),
    },
    VIDEO_RTS: {
        "accuracy_reward": scored("video_rts"),
        "format_reward": formatted("video_rts"),
        "extract_student_answer": plain(rules.video_rts_student),
        "extract_answer_letter": plain(choice.leading_letter),
        "get_vote_counts": plain(votes),
        "reward_fn": plain(video_rts_eval),
        "compute_accuracies": plain(vote_accuracies),
    },
    "TencentARC/SEED-Bench-R1": {
        "accuracy_reward": scored("seed_bench_r1"),
        "format_reward": formatted("video_rts"),
    },
    TINY: {
        "accuracy_reward": scored("tinyllava_video_r1"),
        "format_reward": formatted("tinyllava_video_r1"),
        "has_repeated_content": plain(repeats),
    },
    "sail-sg/Video-Next-Event-Prediction": {
        "v1_compute_score": lambda a: (
            scored("next_event", wrap=False)(a)
            if "completion" in a
            else max(
                rules.score("next_event", a["predict_str"], g, CHOICE, safe=False)
                for g in _texts(a["ground_truth"])
            )
        ),
    },
    "VidBridge-R1/VidBridge-R1": {
        "accuracy_reward": vidbridge,
        "accuracy_reward (x format)": vidbridge,
        "format_reward": formatted("vidbridge_r1"),
        "keywords_reward": plain(keywords),
    },
    "xuzq23/ViaRL": {
        "accuracy_reward": viarl_accuracy,
        "accuracy_reward / 2": viarl_accuracy,
        "index_reward": each(viarl_index),
        "format_reward": formatted("viarl"),
    },
    "HITsz-TMG/VerIPO": {"scoring loop": veripo, "scoring loop (one line)": veripo},
}

TRAINING: dict[tuple[str, str], Adapter] = {
    (repository, function): adapter
    for repository, functions in _BY_REPOSITORY.items()
    for function, adapter in functions.items()
}
"""(repository, function) -> adapter."""
