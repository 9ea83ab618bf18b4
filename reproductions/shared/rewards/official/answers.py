"""Published rewards for answers: letters, numbers, texts, counts, maps, tool use."""

from __future__ import annotations

import json
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
from reproductions.shared.rewards.intervals import Span
from reproductions.shared.rewards.numbers import words
from reproductions.shared.rewards.official.base import (
    CHOICE,
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
    golds = _golds(arguments["ground_truth"])
    return max(rules.score("next_event", completion, g, CHOICE, safe=False) for g in golds)


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
