"""Rewards with TRL's signature. The rule by which an answer counts as right is a parameter.

`accuracy(rule="video_r1")` and `accuracy(rule="time_r1")` are two values of one function. Rules
are named after the project whose published code scores that way (repository and commit in
`official`). `safe=True`, our default, closes what a model could exploit or a run could die of:

- an empty answer is never right, nor is any answer to an empty gold (in several projects "" == ""
  is);
- "nan" and "inf" are no numbers;
- no call of math_verify, whose result depends on its version and on signals;
- every sample is scored by its own problem type, and the score is finite.

`safe=False` is the published behaviour.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from reproductions.shared.method import RewardFunction
from reproductions.shared.rewards import choice, length, maths, numbers
from reproductions.shared.rewards.boxes import parse_region, track_score
from reproductions.shared.rewards.intervals import (
    boundary_iou,
    parse_all,
    parse_spans,
    parse_to,
    set_iou,
    tiou,
)
from reproductions.shared.rewards.tags import (
    count_tags,
    extract_tag,
    find_tag,
    is_sequence,
    text_of,
    unclosed_tag,
)
from reproductions.shared.rewards.text import rouge_mean, word_accuracy

Rule = Callable[[str, str, str, bool], float]
"""(completion, gold, problem_type, safe) -> score. The gold comes with or without answer tags."""

ANSWER_LIMIT = 2000
"""Safe rules read so many characters of an answer, which bounds their cost (`answer_of`)."""
BLANKS = "".join(c for c in map(chr, range(sys.maxunicode + 1)) if c.isspace())


def answer_of(
    completion: str, tag: str = "answer", *, which: Literal["first", "last"] = "first"
) -> str:
    """Content of a tag, at most `ANSWER_LIMIT` characters of it, stripped; "" without the tag.

    The tag is looked for in the whole completion, so that no thought is too long for an answer.
    """
    return extract_tag(completion, tag, which=which)[:ANSWER_LIMIT]


def bounded(completion: str, tag: str = "answer", limit: int = ANSWER_LIMIT) -> str:
    """The completion with the content of its first `tag` cut to `limit`; all else stays."""
    start = completion.find(f"<{tag}>") + len(tag) + 2
    end = completion.find(f"</{tag}>", start)
    whole = start < len(tag) + 2 or end <= start + limit
    return completion if whole else completion[: start + limit] + completion[end:]


def gold_of(gold: str) -> str:
    """The gold without answer tags, stripped."""
    return extract_tag(gold, default=gold.strip())


def _math(completion: str, gold: str, safe: bool) -> bool:
    return not safe and maths.math_verify(completion, gold)


def typed_score(pred: str, gold: str, problem_type: str, safe: bool) -> float:
    """Video-R1's score of an extracted answer: letter, rounded number, 1 - WER, ROUGE, error.

    Officially the answer "nan" earns the full regression reward. Safe adds "temporal grounding",
    scored by tIoU (several spans: of their union), and "tracking", scored by the mean box IoU.
    """
    if safe:
        pred = pred[:ANSWER_LIMIT]
    if problem_type == "multiple choice":
        return float(pred == gold)
    if problem_type == "numerical":
        if safe and numbers.finite(pred) is None:
            return 0.0
        return float(numbers.same_number(pred, gold))
    if problem_type == "OCR":
        return word_accuracy(pred, gold)
    if problem_type == "free-form":
        return rouge_mean(pred, gold)
    if problem_type == "regression":
        p, g = numbers.to_float(pred), numbers.to_float(gold)
        if p is None or g is None:
            return 0.0
        if not math.isfinite(p - g):
            # max(0.0, nan) is 0.0, so that officially "nan" is a perfect answer.
            return float(not safe and math.isnan(abs(p - g) / (abs(g) + 1e-9)))
        return numbers.relative_score(p, g)
    if safe and problem_type == "temporal grounding":
        several = parse_spans(gold)
        if len(several) > 1:
            return set_iou(parse_all(pred), several)
        a, b = parse_to(pred), parse_to(gold)
        return tiou(a, b) if a and b else 0.0
    if safe and problem_type == "tracking":
        boxes, true = parse_region(pred), parse_region(gold)
        return track_score(boxes, true) if boxes and true else 0.0
    return 0.0


def video_r1(completion: str, gold: str, problem_type: str, safe: bool) -> float:
    """Video-R1 by problem type (`typed_score`) of the first answer tag.

    Officially untagged golds and missing answers are both "" and so equal.
    """
    want = gold_of(gold) if safe else extract_tag(gold)
    return typed_score(extract_tag(completion), want, problem_type, safe)


def viarl(completion: str, gold: str, problem_type: str, safe: bool) -> float:
    """ViaRL: equal after removing points (the official reward is twice this)."""
    pred = extract_tag(completion).replace(".", "").strip()
    return float(pred == (gold_of(gold) if safe else extract_tag(gold)).replace(".", "").strip())


def tw_grpo(completion: str, gold: str, problem_type: str, safe: bool) -> float:
    """TW-GRPO: the share of a multi-answer gold that was named, 0 with any wrong letter."""
    if _math(completion, gold, safe):
        return 1.0
    pred = extract_tag(completion, default=completion.strip())
    return choice.subset_score(choice.letter_set(pred), choice.letter_set(gold_of(gold)))


def seed_bench_r1(completion: str, gold: str, problem_type: str, safe: bool) -> float:
    """SEED-Bench-R1: first character of the answer equals the gold's ("Because" is B)."""
    pred = extract_tag(completion)
    return float(_math(completion, gold, safe) or (bool(pred) and pred[0] == gold_of(gold)[:1]))


def tinyllava_video_r1(completion: str, gold: str, problem_type: str, safe: bool) -> float:
    """TinyLLaVA-Video-R1: equal, or the answer's first character is the gold; one-line answers."""
    if _math(completion, gold, safe):
        return 1.0
    pred = extract_tag(completion, dotall=False, default=completion.strip())
    want = extract_tag(gold, dotall=False, default=gold.strip())
    return float(bool(pred) and want in (pred, pred[0]))


_TOLD = re.compile(r":\s*+([A-Za-z])")
_PHRASES = tuple(
    (part, re.compile(phrase, re.IGNORECASE))
    for part, phrase in (("al an", "final answer"), ("ect an", "correct answer"))
)
"""Phrases, each with a part that is quick to look for: its letters have no second lower case."""


def video_rts_student(text: str) -> str:
    """The answer as Video-RTS reads it: the tag, "final answer: X", "correct answer: X", letter.

    On the line of the phrase the first colon before a letter counts.
    """
    found = find_tag(text)
    if found is not None:
        return found
    lower = text.lower()
    for part, phrase in _PHRASES:
        end, told = -1, None
        for at in phrase.finditer(text) if part in lower else ():
            if at.start() < end:
                continue  # a later place on the line finds no more
            if told is None or told.start() < at.end():
                told = _TOLD.search(text, at.end())
            if told is None:
                break
            end = text.find("\n", at.end())
            end = len(text) if end < 0 else end
            if told.start() < end:
                return told.group(1)
    return choice.leading_letter(text)


def video_rts(completion: str, gold: str, problem_type: str, safe: bool) -> float:
    """Video-RTS: the leading letter in any case, also without any tag ("b", "B. red", "Bob")."""
    pred, want = choice.leading_letter(video_rts_student(completion)), gold_of(gold)
    return float(_math(completion, gold, safe) or pred == choice.leading_letter(want))


def _capital_after_prefixes(text: str) -> str:
    return choice.first_capital(text, "G", choice.JOINED_PREFIXES)


def videochat_r1(completion: str, gold: str, problem_type: str, safe: bool) -> float:
    """VideoChat-R1, VAU-R1 and Time-R1's questions: the first capital A..G in the answer tag."""
    answer = find_tag(completion)
    if answer is None:
        return 0.0
    pred = _capital_after_prefixes(answer)
    return float(pred == _capital_after_prefixes(gold_of(gold)) and not (safe and not pred))


def next_event(completion: str, gold: str, problem_type: str, safe: bool) -> float:
    """Next-Event Prediction: the first capital A..D in the answer, case ignored in the gold."""
    pred, want = choice.first_capital(extract_tag(completion)), gold_of(gold) if safe else gold
    return float(pred.lower() == want.lower() and not (safe and not pred))


def ego_r1(completion: str, gold: str, problem_type: str, safe: bool) -> float:
    """Ego-R1: the first capital A..D in the last answer tag, which must be on one line."""
    pred = choice.first_capital(extract_tag(completion, which="last", dotall=False))
    return float(bool(pred) and pred == gold_of(gold).upper())


def long_rl(completion: str, gold: str, problem_type: str, safe: bool) -> float:
    """Long-RL: mathematical equality of the tag's content without blanks and line feeds.

    Officially the gold has no tags and is not searched for them.
    """
    text = completion.replace("\n", "").replace(" ", "")
    want = gold_of(gold) if safe else gold.strip()
    return float(maths.grade_answer(extract_tag(text, default=completion.strip()), want))


def temporal_r1(completion: str, gold: str, problem_type: str, safe: bool) -> float:
    """Temporal-R1: mathematical equality of the answer, which must be on one line."""
    pred = extract_tag(completion, dotall=False, default=completion.strip())
    return float(maths.grade_answer(pred, gold_of(gold)))


def av_reasoner(completion: str, gold: str, problem_type: str, safe: bool) -> float:
    """AV-Reasoner's multiple choice: exact text (the official reward is ten times this)."""
    return float(find_tag(completion) == (gold_of(gold) if safe else gold))


def veripo_answer(text: str) -> str:
    """The first closed answer without the marks of nested tags."""
    return extract_tag(text).replace("<answer>", "").strip()


def veripo(completion: str, gold: str, problem_type: str, safe: bool) -> float:
    """VerIPO's evaluation: the answer holds the gold letter and no other letter a..j."""
    return float(choice.only_letter(veripo_answer(completion), gold_of(gold)))


_BRIDGE_FORMS = ("*.|{*}",)


def vidbridge_answer(text: str) -> str:
    r"""VidBridge-R1's letter: "A." or "{A}" for A, B, .. G, then "a. ", else the text itself."""
    return (
        choice.ladder(text, "ABCDEFG", _BRIDGE_FORMS)
        or choice.ladder(text, "abcdefg", ("*. ",)).upper()
        or text
    )


def vidbridge_r1(completion: str, gold: str, problem_type: str, safe: bool) -> float:
    """VidBridge-R1's multiple choice times its format: the first option in A..G that is marked.

    It is compared with the first character of the gold.
    """
    if not FORMATS["vidbridge_r1"](completion):
        return 0.0
    pred, want = vidbridge_answer(unclosed_tag(completion) or ""), gold_of(gold)
    return float(_math(completion, gold, safe) or (bool(pred) and pred == want[:1]))


def untagged(completion: str, safe: bool) -> str:
    """What a harness reads: officially the whole output, safe the first answer tag, if any."""
    return extract_tag(completion, default=completion) if safe else completion


def lmms_eval_videomme(completion: str, gold: str, problem_type: str, safe: bool) -> float:
    """lmms-eval since August 2026 (Video-MME, LVBench, MLVU): letter by place, then by marks."""
    pred = choice.position_letter(untagged(completion, safe))
    return float(bool(pred) and pred == gold_of(gold))


def lmms_eval_2025(completion: str, gold: str, problem_type: str, safe: bool) -> float:
    """lmms-eval and VLMEvalKit as most 2025 papers used them: the first capital A..D anywhere."""
    pred = choice.first_capital(untagged(completion, safe), "D", choice.JOINED_PREFIXES)
    return float(bool(pred) and pred == gold_of(gold))


def vsi_bench(completion: str, gold: str, problem_type: str, safe: bool) -> float:
    """VSI-Bench: text before the first blank equals the letter; MRA of numbers."""
    text, want = untagged(completion, safe), gold_of(gold)
    if problem_type in ("numerical", "regression"):
        pred, number = numbers.first_token_number(text), numbers.to_float(want)
        if pred is None or number is None or (safe and not math.isfinite(pred)):
            return 0.0
        return min(1.0, max(0.0, numbers.mra(pred, number)))
    return float(text.split(" ")[0].rstrip(".").strip().lower() == want.lower())


ACCURACY: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        video_r1,
        viarl,
        tw_grpo,
        seed_bench_r1,
        tinyllava_video_r1,
        video_rts,
        videochat_r1,
        next_event,
        ego_r1,
        long_rl,
        temporal_r1,
        av_reasoner,
        veripo,
        vidbridge_r1,
        lmms_eval_videomme,
        lmms_eval_2025,
        vsi_bench,
    )
}
ACCURACY["time_r1"] = videochat_r1
"""Rule name -> scoring function; the names of `accuracy(rule=...)`."""
BARE_GOLDS = frozenset({"av_reasoner", "long_rl", "next_event"})
"""Rules whose published data has golds without tags and whose code takes them as they are."""


def published_gold(rule: str, gold: str) -> str:
    """A gold as a rule's published data writes it: in answer tags, or bare."""
    bare = gold_of(gold)
    return bare if rule in BARE_GOLDS else f"<answer>{bare}</answer>"


def score(rule: str, completion: str, gold: str, problem_type: str, *, safe: bool = True) -> float:
    """One completion under one rule of `ACCURACY`: the value that `accuracy(rule)` gives it."""
    value = ACCURACY[rule](completion, gold, problem_type, safe)
    if not safe:
        return value
    empty = not gold_of(gold) or not completion.strip() or find_tag(completion) == ""
    if empty or not math.isfinite(value):
        return 0.0
    return min(1.0, max(0.0, value))


def column(columns: Mapping[str, Any], name: str, n: int, default: Any) -> list[Any]:
    """The column as a list of `n`: missing becomes `default`, a single value is repeated."""
    value = columns.get(name)
    if value is None:
        return [default] * n
    if isinstance(value, str) or not isinstance(value, Sequence):
        return [value] * n
    return list(value)


def is_official(columns: Mapping[str, Any]) -> bool:
    """Whether a reward's columns ask for the official code, where it differs from the paper."""
    known = columns.get("context") or ()
    return bool(known) and known[0].variant == "official_code"


def named(reward: Callable[..., list[float]], name: str, rule: str) -> RewardFunction:
    """The reward under the name by which TRL logs it."""
    reward.__name__ = name
    reward.__qualname__ = f"{name}[{rule}]"
    return reward


def _known(rule: str, rules: Mapping[str, Any], what: str) -> None:
    if rule not in rules:
        raise KeyError(f"unknown {what} rule {rule!r}; use one of: {', '.join(sorted(rules))}")


def accuracy(
    rule: str = "video_r1", *, safe: bool = True, name: str = "accuracy"
) -> RewardFunction:
    """The accuracy reward under a named rule.

    Args:
        rule: A key of `ACCURACY`.
        safe: Our repaired variant; False gives exactly what the official function gives.
        name: `__name__` of the reward, under which its scores are logged.

    Returns:
        `(prompts, completions, **columns) -> list[float]`; reads the columns `solution` (gold,
        with or without tags) and `problem_type` (default "multiple choice").

    Raises:
        KeyError: For an unknown rule.
    """
    _known(rule, ACCURACY, "accuracy")

    def reward(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
        n = len(completions)
        golds = [str(g) for g in column(columns, "solution", n, "")]
        if rule in BARE_GOLDS:
            golds = [gold_of(g) for g in golds]
        kinds = column(columns, "problem_type", n, "multiple choice")
        if not safe:
            kinds = kinds[:1] * n  # the published code reads the type of the first sample only
        return [
            score(rule, text_of(c), g, str(k), safe=safe)
            for c, g, k in zip(completions, golds, kinds, strict=True)
        ]

    return named(reward, name, rule)


def _tinyllava_format(text: str) -> float:
    if not is_sequence(text) or any(n != 1 for n in count_tags(text, "think", "answer").values()):
        return 0.0
    return length.longer_is_better(len(extract_tag(text, "think")), 1200, 0.5, 1.0)


def _tw_format(text: str) -> float:
    if text.count("<think>") > 1 or text.count("<answer>") > 1:
        return 0.0
    return float(is_sequence(text.rstrip(BLANKS + "!"), anchor="suffix"))


FORMATS: dict[str, Callable[[str], float]] = {
    "video_r1": lambda text: float(is_sequence(text)),
    "time_r1": lambda text: float(is_sequence(text.strip())),
    "video_rts": lambda text: float(is_sequence(text, anchor="prefix")),
    "tw_grpo": _tw_format,
    "tinyllava_video_r1": _tinyllava_format,
    "vidbridge_r1": lambda text: float(is_sequence(text, anchor="prefix")),
    "viarl": lambda text: float(is_sequence(text, ("think", "index", "answer"), gaps=(r"\s*", ""))),
}
"""Format rules: "video_r1" rejects any blank before or after, "time_r1" strips first, "video_rts"
lets text follow, "tw_grpo" lets it precede, "tinyllava_video_r1" pays for longer thoughts."""


def format_reward(rule: str = "video_r1", *, name: str = "format") -> RewardFunction:
    """The format reward under a named rule: does the completion keep to think and answer tags?

    Args:
        rule: A key of `FORMATS`.
        name: `__name__` of the reward, under which its scores are logged.

    Returns:
        `(prompts, completions, **columns) -> list[float]`.

    Raises:
        KeyError: For an unknown rule.
    """
    _known(rule, FORMATS, "format")
    check = FORMATS[rule]

    def reward(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
        return [check(text_of(c)) for c in completions]

    return named(reward, name, rule)


def _span(gold: Any) -> tuple[float, float] | None:
    if isinstance(gold, str):
        return parse_to(gold_of(gold))
    try:
        return float(gold[0]), float(gold[1])
    except (TypeError, ValueError, IndexError):
        return None


def temporal_iou(
    *, boundary: bool = False, least: float = 0.0, name: str = "temporal_iou"
) -> RewardFunction:
    """Time-R1's grounding reward: tIoU of the last "x to y" in the last answer tag, in [0, 1].

    Args:
        boundary: Multiply by (1 - |ds|/D)(1 - |de|/D); needs the column `durations` [s].
        least: Least value of these two factors; below 0 the score may be negative.
        name: `__name__` of the reward.

    Returns:
        `(prompts, completions, **columns) -> list[float]`; the column `solution` holds
        "12.3 to 15.0" or (start, end) in seconds.
    """

    def reward(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
        n = len(completions)
        golds, durations = column(columns, "solution", n, ""), column(columns, "durations", n, 0.0)
        scores = []
        for completion, gold, duration in zip(completions, golds, durations, strict=True):
            pred = parse_to(answer_of(text_of(completion), which="last"))
            want = _span(gold)
            if not pred or not want:
                scores.append(0.0)
            elif boundary:
                scores.append(boundary_iou(pred, want, float(duration), least=least))
            else:
                scores.append(tiou(pred, want))
        return scores

    return named(reward, name, "boundary" if boundary else "plain")
