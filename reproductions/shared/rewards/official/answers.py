"""Published rewards for answers: letters, numbers, texts, counts, maps, tool use."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
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
from reproductions.shared.rewards.intervals import Span
from reproductions.shared.rewards.numbers import words
from reproductions.shared.rewards.official.base import (
    CHOICE,
    Adapter,
    Arguments,
    Failed,
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
    """`eval_bench.reward_fn`: letters, numbers and MRA; an untagged or empty answer is the output.

    The other types score 0.
    """
    pred = extract_tag(model_output) or model_output.strip()
    gold = extract_tag(sample["solution"])
    if question_type == "regression":
        p, g = numbers.to_float(pred), numbers.to_float(gold)
        return 0.0 if p is None or g is None else numbers.mra_float32(p, g)
    if question_type not in (CHOICE, "numerical"):
        return 0.0
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
    frames, scale = arguments["similarities_per_frame"], arguments["w_scale"]
    if arguments["data_type"] not in ("image", "video") or not frames:
        return {"rewards": [0.0] * len(texts), "texts_sent_to_siglip": None}
    scores = [
        sum(min(1.0, scale * max(frame[i], 0.0)) for frame in frames) / len(frames)
        for i in range(len(texts))
    ]
    return {"rewards": scores, "texts_sent_to_siglip": texts}


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


def spacer_numerical(pred: str, gold: str) -> float:
    """MRA of SpaceR's reading of a number; 0 where either side cannot be read."""
    p, g = spacer_number(pred), None if "," in gold else numbers.to_float(gold)
    return 0.0 if p is None or g is None else numbers.mra(p, g)


def _map_bonus(completion: str, path: str, maps: Arguments) -> float | None:
    drawn = find_tag(completion, "map")
    if drawn is None:
        return None
    scene = maps.get(path.rsplit("/", 1)[-1].rsplit(".", 1)[0])
    if scene is None:
        return 0.0
    gold = scene["cognitive_map"]
    try:
        return boxes.map_score(boxes.parse_map(drawn, gold, safe=False), gold)
    except OverflowError:
        return 0.0


def spacer_map(map_string: str, object_list: Sequence[str]) -> Any:
    """SpaceR's reading of a map."""
    try:
        return boxes.parse_map(map_string, object_list, safe=False)
    except OverflowError:
        return Failed("OverflowError")


def spacer_map_score(response: Arguments, solution: Arguments, grid: float) -> float | Failed:
    """SpaceR's map score; anything drawn against an empty map raises."""
    if grid <= 0:
        return Failed("ValueError")
    if response and not any(solution.values()):
        return Failed("TypeError")
    return boxes.map_score(response, solution, grid)


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
            value = spacer_numerical(extract_tag(completion), extract_tag(gold))
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
        answer = maths.boxed(row["response"])  # without one the answer is the word "None"
        right = maths.grade_answer(
            "None" if answer is None else answer.strip(), row["ground_truth"]
        )
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

_AV_COUNT, _AV_TIME, _AV_BOX = {"dvd_count", "RepCount"}, {"llp", "ave", "unav"}, {"avss_det"}
_AV_CHOICE = {"avqa", "music_avqa"}
_AV_BAD = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)


def _items(rows: Any, read: Callable[[Any], Any], *, strict: bool) -> list[Any]:
    """What `read` makes of each item; unreadable ones are left out.

    Args:
        rows: Parsed JSON.
        read: Raises for an item it cannot read.
        strict: Whether anything but an object among the items voids them all.
    """
    if strict and not all(isinstance(row, dict) for row in rows):
        raise ValueError("an item is no object")
    found = []
    for row in rows:
        try:
            found.append(read(row))
        except (*_AV_BAD, OverflowError):
            continue
    return found


def _event(row: Arguments) -> tuple[tuple[str, str], Span]:
    """((type, event), span); times are texts whose first word is the number of seconds."""
    start, end = (float(row[key].split(" ")[0]) for key in ("start", "end"))
    return (row["type"].lower(), row["event"].lower()), (start, end)


def _object(row: Arguments) -> tuple[Any, boxes.Box]:
    """(name, box in whole pixels)."""
    (x0, y0), (x1, y1) = (point[:2] for point in row["coordinates"][:2])
    return row["name"], [int(x0), int(y0), int(x1), int(y1)]


def _grouped(pairs: Iterable[Sequence[Any]]) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = {}
    for name, value in pairs:
        groups.setdefault(name, []).append(value)
    return groups


def _upright_iou(a: boxes.Box, b: boxes.Box) -> float:
    return boxes.box_iou(a, b) if a[0] < a[2] and a[1] < a[3] else 0.0


def _event_score(pred: list[Any], gold: list[Any]) -> float:
    found = _grouped(pred)
    ious = [intervals.set_iou(found.get(n, ()), spans) for n, spans in _grouped(gold).items()]
    return sum(ious) / len(ious) if ious else 0.0


def _box_score(pred: list[Any], gold: list[Any]) -> float:
    if not gold:
        return float(not pred)
    found, means = _grouped(pred), []
    for name, wanted in _grouped(gold).items():
        best = [max((_upright_iou(p, g) for p in found.get(name, ())), default=0) for g in wanted]
        means.append(sum(best) / len(best))
    return sum(means) / len(means)


def av_accuracy(completion: Any, solution: Any, task: str) -> float:
    """AV-Reasoner's accuracy by task, times ten: counting, events, sounding objects, letters.

    Counts and letters need the answer tag and a gold `[{"answer": ..}]`; without the tag a whole
    completion that is JSON counts for events and objects. Message lists score 0.
    """
    if not isinstance(completion, str):
        return 0.0
    try:
        if task in _AV_TIME or task in _AV_BOX:
            rows = json.loads(extract_tag(completion, default=completion))
            read, score = (_event, _event_score) if task in _AV_TIME else (_object, _box_score)
            return 10 * score(_items(rows, read, strict=True), _items(solution, read, strict=False))
        answer, gold = find_tag(completion), solution[0]["answer"]
        if answer is None:
            return 0.0
        if task in _AV_COUNT:
            return 10 * numbers.count_score(int(answer), int(gold))
    except (*_AV_BAD, OverflowError):
        return 0.0
    return 10 * float(answer == gold)


def av_format(completion: str, solution: Any, task: str) -> float:
    """Think and answer first; for JSON tasks times the share of items with the needed keys.

    No items are right for objects and wrong for events.
    """
    if not is_sequence(completion, anchor="prefix"):
        return 0.0
    if task in _AV_COUNT or task in _AV_CHOICE:
        return 1.0
    keys = {"name", "coordinates"} if task in _AV_BOX else {"start", "end", "event", "type"}
    try:
        rows = json.loads(extract_tag(completion))
        if not all(isinstance(row, dict) for row in rows):
            return 0.0
        good = [keys <= set(row) for row in rows]
    except (ValueError, TypeError, RecursionError):
        return 0.0
    return sum(good) / len(good) if good else float(task in _AV_BOX)


def av_batch(function: Callable[[Any, Any, str], float], *, strings: bool) -> Adapter:
    """AV-Reasoner's dispatch: the task of the first sample is that of the batch.

    Args:
        function: Scores (completion, solution, task).
        strings: Whether completions that are no strings raise.
    """

    def adapt(arguments: Arguments) -> Any:
        tasks, texts = arguments["task"], arguments["completions"]
        if not tasks:
            return Failed("IndexError")
        if tasks[0] not in _AV_COUNT | _AV_TIME | _AV_BOX | _AV_CHOICE:
            return None
        if strings and not all(isinstance(text, str) for text in texts):
            return Failed("TypeError")
        rows = zip(texts, arguments["solution"], strict=False)
        return [function(text, gold, tasks[0]) for text, gold in rows]

    return adapt


def av_time(time_str: str) -> float | Failed:
    """mm:ss or hh:mm:ss in seconds; digits behind the last point are added as they stand."""
    fields = time_str.strip().split(":")
    last, point, digits = fields[-1].partition(".")
    try:
        if not 2 <= len(fields) <= 3:
            return Failed("ValueError")
        whole = [int(x) for x in (*fields[:-1], last)]
        rest = float(f"0.{digits}") if point else 0.0
        return rest + sum(60.0**i * x for i, x in enumerate(reversed(whole)))
    except ValueError:
        return Failed("ValueError")


def av_wcs(gt: Sequence[Any], pred: Sequence[Any], iou_type: str) -> float | Failed:
    """WCS of a cluster: of spans, or of (frame, box) as the mean over all frames."""
    if iou_type == "tIoU":
        return boxes.weighted_clue_score(gt, pred, intervals.union_iou, shared=True)
    if iou_type != "sIoU" or any(len(row) != 2 for row in (*gt, *pred)):
        return Failed("ValueError")
    golds, found = _grouped(gt), _grouped(pred)
    frames = golds.keys() | found.keys()
    scores = [
        boxes.weighted_clue_score(golds.get(f, ()), found.get(f, ()), _sorted_iou) for f in frames
    ]
    return sum(scores) / len(scores) if scores else 0.0


def _sorted_iou(a: boxes.Box, b: boxes.Box) -> float:
    return boxes.box_iou(boxes.sorted_box(a), boxes.sorted_box(b))


# -- Pixel Reasoner, Ego-R1, Video-RTS, VidBridge-R1, ViaRL, VerIPO --------------------------------


_PIXEL_FORMS = ("dfrac", "frac"), ("\\text", ""), ("\\varnothing", "\\emptyset")
_PIXEL_UNITS = ("minutes", ""), ("cm", "")


def pixel_rule(
    sol: str, gt: list[str] | str, eostoken: str, format_type: str, requires_box: bool
) -> Any:
    """Pixel Reasoner's (valid, None, format, problem, score), everything in lower case.

    A score of -1 means that math_verify reads nothing; an invalid completion is scored all the
    same. A gold with commas is also met by a text behind "boxed" that holds each of its parts.
    """
    lower, problem = sol.lower(), None
    if eostoken not in sol and "<|endoftext|>" not in sol:
        problem = "No eos."
    elif requires_box and "boxed" not in sol:
        problem = "No valid boxed."
    elif lower.count("wait") > 5:
        problem = "too many waits"
    golds = [g.lower() for g in gt] if isinstance(gt, list) else [str(gt).lower()]
    bare = next((g.replace("%", "") for g in golds if "%" in g), None)
    if isinstance(gt, list) and bare is not None and bare not in golds:
        golds.insert(0, bare)
    score = 0.0
    for gold in golds:
        read = maths.parsed(_pixel_form(gold if "\\boxed" in gold else f"\\boxed{{{gold}}}"))
        if read and requires_box and "boxed" not in lower:
            return Failed("ValueError")
        score = _pixel_score(lower, read, requires_box=requires_box) if read else -1.0
        if score > 0.5:
            break
        box = lower.rfind("boxed")
        parts = [part.strip() for part in gold[len("\\boxed{") : -1].split(",")]
        if "," in gold and box >= 0 and all(part in f"\\{lower[box:]}" for part in parts):
            score = 1.0
            break
    return [problem is None, None, _pixel_format(lower, format_type), problem, score]


def _pixel_form(text: str) -> str:
    for old, new in (*_PIXEL_FORMS, *_PIXEL_UNITS):
        text = text.replace(old, new)
    return text


def _pixel_format(lower: str, format_type: str) -> bool | None:
    if format_type == "confidence":
        return 1 <= lower.count("<confidence>") <= 5 and "</confidence>" in lower
    return "wait" in lower or "alternatively" in lower if format_type == "wait" else None


def _pixel_score(lower: str, gold: list[Any], *, requires_box: bool) -> float:
    """math_verify of the last box; without `requires_box` also of the tag, then of all."""

    def verdict(text: str) -> float:
        text = _pixel_form(text)
        found = maths.parsed(text)
        if found is not None and gold[1:] and str(gold[1]) in "ABCDEFGHIJK":
            return float(text[len("\\boxed{") :].startswith(str(gold[1])))
        same = maths.verified(found, gold) if found else None
        return -1.0 if same is None else float(same)

    if requires_box:
        return verdict(f"\\{lower[lower.rindex('boxed') :]}")
    answers = [lower[lower.rindex("\\boxed") :].strip()] if "\\boxed" in lower else []
    tagged = find_tag(lower, dotall=False, strip=False)
    answers += [] if tagged is None else [f"\\boxed{{{tagged}}}"]
    value = -1.0
    for answer in (*answers, lower):
        value = verdict(answer)
        if value == 1:
            break
    return value


_MARK = re.compile(r"</?(?:think|tool|answer)>")
_TOOL_NAME = re.compile(r"[\"']name[\"']\s*+:\s*+[\"'][^\"']++[\"']")
_TOOL_ARGUMENTS = re.compile(r"[\"']arguments[\"']\s*+:\s*+\{[^{}]*+\}")


def ego_grammar(solution: str) -> bool:
    """Ego-R1's turns: thought, then a tool call (and information) or the final answer.

    No tag of these may lie inside another. A call needs a quoted name and flat arguments in
    braces; it need not be JSON. Any text but such a tag may follow the answer.
    """
    marks = list(_MARK.finditer(solution))
    at = i = 0
    while i < len(marks):
        four = [m.group() for m in marks[i : i + 4]]
        act = four[2][1:-1] if len(four) == 4 else ""
        if act not in ("tool", "answer") or four != [
            "<think>",
            "</think>",
            f"<{act}>",
            f"</{act}>",
        ]:
            return False
        thought, end_of_thought, start, end = marks[i : i + 4]
        i += 4
        if solution[at : thought.start()].strip() or (
            solution[end_of_thought.end() : start.start()].strip()
        ):
            return False
        if act == "answer":
            return i == len(marks)
        call = solution[start.end() : end.start()]
        if not _TOOL_NAME.search(call) or not _TOOL_ARGUMENTS.search(call):
            return False
        at = end.end()
        told = re.compile(r"\s*+<information>").match(solution, at)
        if told:
            close = solution.find("</information>", told.end())
            if close < 0:
                return False
            at = close + len("</information>")
            if i < len(marks) and marks[i].start() < close:
                return False
    return not solution[at:].strip()


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


def _golds(golds: str | Sequence[str]) -> Sequence[str]:
    return [golds] if isinstance(golds, str) else golds


def exact_match(prediction: str, golds: str | Sequence[str]) -> int:
    """Ego-R1's `em_check`: 1 if the prediction equals a gold after normalisation."""
    return int(any(text.exact_match(prediction, g) for g in _golds(golds)))


def contains_match(prediction: str, golds: str | Sequence[str]) -> int:
    """Ego-R1's `subem_check`: 1 if the prediction contains a gold after normalisation."""
    return int(any(text.normalize(g) in text.normalize(prediction) for g in _golds(golds)))


def next_event(arguments: Arguments) -> Any:
    """Next-Event Prediction: the best score over the listed golds."""
    if "completion" in arguments:
        return scored("next_event", wrap=False)(arguments)
    completion = arguments["predict_str"]
    scores = [
        rules.score("next_event", completion, gold, CHOICE, safe=False)
        for gold in arguments["ground_truth"]  # of a text each character
    ]
    return max(scores, default=0.0)


NO_ANSWER = "No answer found"
"""What Video-RTS's evaluation reads from a text without tag, prediction and gold alike."""


def votes(outputs: Sequence[str]) -> dict[str, int]:
    """Number of each answer among samples."""
    return dict(Counter(extract_tag(o, default=NO_ANSWER) for o in outputs))


def video_rts_eval(sample: Arguments, output: str, problem_type: str) -> float:
    """Letter in any case, number within 1 %, text by (BLEU + ROUGE-1) / 2, else equality."""
    pred = extract_tag(output, default=NO_ANSWER)
    gold = extract_tag(sample["solution"], default=NO_ANSWER)
    if problem_type in ("numerical", "regression"):
        p, g = numbers.plain_float(pred), numbers.plain_float(gold)
        return float(p is not None and g is not None and numbers.within(p, g))
    if problem_type in ("free-form", "OCR"):
        overlap = text.rouge(pred, gold)["rouge1"]
        return (text.bleu(pred, gold) + overlap) / 2
    if problem_type == CHOICE:
        return float(pred.strip().upper() == gold.strip().upper())
    return float(pred == gold)


def vote_accuracies(data: Arguments) -> list[float]:
    """Share of tagged golds that the first prediction, and that the majority vote equals.

    Golds are taken as they stand, blanks included, and must be on one line.
    """
    golds = (
        (find_tag(r["solution"], dotall=False, strip=False), r) for r in data.get("results", ())
    )
    rows = [(g, r["prediction"], r["majority_vote"]) for g, r in golds if g is not None]
    n = len(rows) or 1
    return [sum(g == p for g, p, _ in rows) / n, sum(g == v for g, _, v in rows) / n]


_CONNECTIVES = (
    *words("then next after following subsequently thereafter later initially first second"),
    *words("third finally lastly once when whenever meanwhile simultaneously"),
    *("start with", "starts with", "begin with", "begins with", "begin to", "begins to"),
    *("to begin with", "as a starting point", "in the beginning", "at the outset", "followed by"),
)
_HEDGES = (
    *words("possibly suggesting likely appearing might may could potentially presumably"),
    *words("probably perhaps allegedly reportedly supposedly apparently arguably tentatively"),
    *words("hypothetically theoretically occasionally sometimes rarely unclear ambiguous"),
    *words("vague speculative implying inferring"),
    *("appears to", "designed to", "seems to", "in theory", "in some cases", "indicative of"),
    *("hinting at", "open to interpretation", "subject to change", "not necessarily"),
)


def keywords(content: str) -> float:
    """VidBridge-R1's captions: .2 for each temporal phrase up to .4; with hedges only -.2 each.

    Phrases count once each, also inside longer words ("whenever" holds two).
    """
    answer = unclosed_tag(content)
    if answer is None:
        return 0.0
    lower = answer.lower()
    hedges = sum(phrase in lower for phrase in _HEDGES)
    if hedges:
        return -0.2 * hedges
    return min(0.4, 0.2 * sum(phrase in lower for phrase in _CONNECTIVES))


def vidbridge(arguments: Arguments) -> Any:
    """Multiple choice; the other tasks need a judge."""
    return scored("vidbridge_r1")(arguments)


def viarl_accuracy(arguments: Arguments) -> list[float | None]:
    """2 for the right option; open answers go to a judge (None here); other types score 0."""
    if "completion" in arguments:
        return scored("viarl")(arguments)  # type: ignore[no-any-return]
    scores = scored("viarl", 2.0)(arguments)
    return [
        None if kind == "open_ended" else score * (kind == "multi_choice")
        for score, kind in zip(scores, arguments["problem_type"], strict=False)
    ]


def viarl_index(completion: str, chosen: int = 8, candidates: int = 128) -> float:
    """1 for exactly `chosen` different numbers below `candidates`; signs are not read."""
    inner = find_tag(completion, "index")
    found = [float(x) for x in re.findall(rf"{numbers.RUN}(?:\.\d++)?+", inner or "")]
    fits = len(found) == chosen == len(set(found))
    return float(fits and all(0 <= x < candidates for x in found))


def veripo(arguments: Arguments) -> Any:
    """The evaluation loop: letters, MRA for VSI-Bench, math_verify elsewhere."""
    if "completion" in arguments:
        output, gold = arguments["completion"], arguments["ground_truth"]
        return veripo({"model_output": output, "ground_truth": gold, "pred_path": ""})["acc"]
    output, gold = arguments["model_output"], str(arguments["ground_truth"])
    if gold.isalpha() and gold.isupper():
        answer = rules.veripo_answer(output)
        return {"acc": int(choice.only_letter(answer, gold)), "extracted_answer": answer}
    if "vsi_bench" in arguments["pred_path"]:
        p = numbers.first_token_number(rules.veripo_answer(output).strip("$"))
        g = numbers.plain_float(gold.strip("$").strip())
        acc = 0.0 if p is None or g is None else numbers.mra(p, g)
        return {"acc": acc, "extracted_answer": extract_tag(output)}
    gold = "24/7" if gold == "['24/7', '3.429', '3.43']" else gold  # one sample of MMVU
    right = maths.math_verify(output, f"${gold}$", letters=True)
    return {"acc": float(right), "extracted_answer": None}


def tw_origin(completion: str, gold: str) -> float:
    """TW-GRPO's hard variant: partial scores become 0."""
    return float(rules.score("tw_grpo", completion, gold, CHOICE, safe=False) == 1)


def repeats(content: str) -> bool:
    """Whether a part between the marks ".,!?" occurs twice, word for word."""
    sentences = [s.strip() for s in re.split("[.,!?]", content) if s.strip()]
    return len(sentences) != len(set(sentences))
