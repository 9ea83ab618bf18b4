"""Open answers: text against references, verdicts of judges, and yes/no questions in groups.

A gold with several references is a JSON list of texts.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reproductions.benchmarks._base import Graded, Number, Rule, Shape
from reproductions.benchmarks._choice import CHOICE
from reproductions.benchmarks._spans import part
from reproductions.metrics import captions
from reproductions.metrics.judge import parse_grade, parse_verdict
from reproductions.metrics.wups import wordnet_similarity, wups
from reproductions.shared.method import Sample
from reproductions.shared.rewards import text as texts
from reproductions.shared.rewards.official import evaluation as official
from reproductions.shared.rewards.tags import extract_tag, find_tag

LONGEST = 20_000


def references(sample: Sample) -> list[str]:
    """The reference answers of a sample."""
    if sample.answer.startswith("["):
        try:
            found = json.loads(sample.answer)
        except ValueError:
            return [sample.answer]
        if isinstance(found, list) and all(isinstance(r, str) for r in found):
            return found
    return [sample.answer]


def about_clip(prefix: str) -> Callable[[Mapping[str, Any]], Sample]:
    """Reads MSRVTT-QA's and MSVD-QA's records: videos are called `prefix` and their number."""

    def sample(record: Mapping[str, Any]) -> Sample:
        video = record.get("video") or f"{prefix}{record['video_id']}"
        return Sample(
            str(record["id"]), record["question"], str(record["answer"]), "free-form",
            video=str(video), task=record.get("answer_type", record["question"].split(" ")[0]),
        )  # fmt: skip

    return sample


def text_gold(value: Any, options: Sequence[str] = ()) -> str:
    """A logged gold as text; several references become a JSON list.

    Raises:
        ValueError: It is empty, or neither text nor a list of texts.
    """
    if isinstance(value, list | tuple) and value and all(isinstance(v, str) for v in value):
        return json.dumps(list(value), ensure_ascii=False)
    if isinstance(value, bool) or not isinstance(value, str | int | float) or str(value) == "":
        raise ValueError(f"the gold {str(value)[:60]!r} is neither text nor a list of texts")
    return extract_tag(str(value), default=str(value)).strip()


def final(prediction: Any) -> str | None:
    """The answer in a logged prediction: the tagged one, what follows the thought, or all of it."""
    value = part(prediction, "prediction")
    if value is None:
        return None
    text = str(value)[-LONGEST:]
    tagged = find_tag(text, which="last")
    return tagged if tagged is not None else text.rsplit("</think>", 1)[-1].strip()


def by_text(name: str, score: Callable[[str, Sequence[str]], float]) -> Rule:
    """A rule from a similarity of (answer, references)."""

    def rule(sample: Sample, prediction: Any) -> Graded:
        answer = final(prediction)
        if not answer:
            return Graded(None, {name: 0.0}, "no answer")
        return Graded(answer[:200], {name: score(answer, references(sample))})

    return rule


def _wups(sample: Sample, prediction: Any) -> Graded:
    """WUPS over WordNet; without it words must be equal, and the number says so."""
    similar = wordnet_similarity()
    if similar is not None:
        return by_text("WUPS", lambda a, golds: wups(a, golds, similarity=similar))(
            sample, prediction
        )
    return by_text("WUPS (equal words alone)", wups)(sample, prediction)


def _best(function: Callable[[str, str], float]) -> Callable[[str, Sequence[str]], float]:
    return lambda answer, golds: max((function(answer, g) for g in golds), default=0.0)


def _mmmu_open(answer: str, golds: Sequence[str]) -> float:
    return float(any(texts.open_match(g, texts.open_candidates(answer)) for g in golds))


def judged(scale: float = 5.0, *, grades: bool = False, right_from: float | None = None) -> Rule:
    """The verdict of a judge: accuracy, and its score if it gave one.

    Args:
        scale: Highest score.
        right_from: Lowest score of a right answer, where the judge gives a score alone (V-STaR).
        grades: Read A, B, C and CORRECT, INCORRECT, NOT_ATTEMPTED (VideoEval-Pro).
    """

    def rule(sample: Sample, prediction: Any) -> Graded:
        said = part(prediction, "verdict")
        if said is None:
            return Graded(None, {"accuracy": 0.0}, "there is no verdict of a judge")
        if grades:
            right = parse_grade(said)
            return Graded(
                right,
                {"accuracy": float(right is True)},
                "" if right is not None else "the judge's text holds no verdict",
            )
        right, score = parse_verdict(said, scale)
        note = ""
        if score is not None and math.isnan(score):
            note = f"the judge's score is no number from 0 to {scale:g} and counts 0"
            score = None
        values: dict[str, float] = {}
        if right is None and score in (0.0, 1.0) and scale == 1:
            right = bool(score)
        if right_from is not None and score is not None:
            right = score >= right_from
        if right is not None or (score is None and not note):
            values["accuracy"] = float(right is True)
        if score is not None or note:
            values["score"] = score or 0.0
        read = None if note or (right is None and score is None) else [right, score]
        if not (note or read):
            note = "the judge's text holds no verdict"
        return Graded(read, values, note)

    return rule


def open_numbers(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    """Mean of each value over the answers that have it; an unread verdict counts as wrong."""
    names = list(dict.fromkeys(n for g in graded for n in g.values))
    found = {}
    for name in names:
        values = [g.values[name] for g in graded if name in g.values]
        unread = sum(g.read is None for g in graded if name not in g.values)
        n = len(values) + unread
        found[name] = Number(sum(values) / n if n else 0.0, n, percent=name not in _RAW)
    return found


_RAW = ("score", "CIDEr", "MAE", "RMSE")
"""Values that tables do not print times 100."""

OPEN = Shape(
    name="open",
    rules={
        "exact_match": by_text("accuracy", _best(texts.exact_match)),
        "token_f1": by_text("F1", _best(texts.token_f1)),
        "anls": by_text("ANLS", lambda answer, golds: texts.anls(answer, golds)),
        "wups": _wups,
        "rouge": by_text("ROUGE", _best(texts.rouge_mean)),
        "mmmu_open": by_text("accuracy", _mmmu_open),
        "judge": judged(),
        "judge_3": judged(3.0),
        "judge_3_right_from_2": judged(3.0, right_from=2.0),
        "judge_1": judged(1.0),
        "judge_10": judged(10.0),
        "grade": judged(grades=True),
    },
    better="token_f1",
    numbers=open_numbers,
    gold=text_gold,
    parts=("verdict",),
    judged=("judge", "judge_3", "judge_3_right_from_2", "judge_1", "judge_10", "grade"),
)


# -- captions --------------------------------------------------------------------------------------


def _caption(sample: Sample, prediction: Any) -> Graded:
    answer = final(prediction)
    golds = references(sample)
    values = {
        "METEOR": captions.meteor(answer or "", golds),
        "ROUGE-L": captions.rouge_l(answer or "", golds),
    }
    return Graded(answer or None, values, "" if answer else "no answer")


def caption_numbers(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    """CIDEr-D and BLEU over the whole set, means of METEOR and ROUGE-L."""
    texts_, golds = [str(g.read or "") for g in graded], [references(s) for s in samples]
    n = len(graded)
    scores = captions.cider(texts_, golds)
    found = {"CIDEr": Number(sum(scores) / n if n else 0.0, n)}
    for name in ("METEOR", "ROUGE-L"):
        found[name] = Number(sum(g.values[name] for g in graded) / n if n else 0.0, n)
    for i, value in enumerate(captions.bleu(texts_, golds), 1):
        found[f"BLEU-{i}"] = Number(value, n)
    return found


CAPTION = Shape("caption", {"coco": _caption}, "coco", caption_numbers, text_gold)


# -- yes or no -------------------------------------------------------------------------------------


def yes_no_gold(value: Any, options: Sequence[str] = ()) -> str:
    """A logged gold as "yes" or "no"; ValueError if it is neither."""
    text = extract_tag(str(value), default=str(value)).strip().lower().rstrip(".")
    found = {"yes": "yes", "true": "yes", "1": "yes", "no": "no", "false": "no", "0": "no"}.get(
        text
    )
    if found is None:
        raise ValueError(f"the gold {text[:40]!r} is neither yes nor no")
    return found


def _starts(text: str) -> str:
    lower = text.lower()
    return "yes" if lower.startswith("yes") else "no" if lower.startswith("no") else ""


def _word(text: str) -> str:
    found = {w.lower() for w in re.findall(r"(?i)\b(?:yes|no)\b", text)}
    return found.pop() if len(found) == 1 else _starts(text.strip())


def _by_word(read: Callable[[str], str], *, whole: bool = False) -> Rule:
    def rule(sample: Sample, prediction: Any) -> Graded:
        value = part(prediction, "prediction")
        answer = None if value is None else str(value) if whole else final(prediction)
        if answer is None:
            return Graded(None, {"accuracy": 0.0}, "no answer")
        found = read(answer)
        return Graded(found or None, {"accuracy": float(bool(found) and found == sample.answer)})

    return rule


def all_right_numbers(
    group: Callable[[Sample], str], name: str, unit: str = "groups"
) -> Callable[[Sequence[Sample], Sequence[Graded]], dict[str, Number]]:
    """Totals: share of groups (pairs, rotations, parts of a question) that are all right."""
    from reproductions.metrics.accuracy import all_right

    def totals(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
        try:
            groups = [group(s) for s in samples]
        except (KeyError, IndexError):
            return {}  # the log does not say which items belong together
        if not groups or not all(groups):
            return {}
        value = all_right([g.values["accuracy"] for g in graded], groups)
        return {name: Number(value, len(set(groups)), unit=unit)}

    return totals


YES_NO = Shape(
    name="yes_no",
    rules={
        "yes_no": _by_word(_word),
        "starts": _by_word(_starts, whole=True),
        "exact": _by_word(lambda t: t.strip().lower(), whole=True),
    },
    better="yes_no",
    numbers=CHOICE.numbers,
    gold=yes_no_gold,
)


# -- choices and open questions in one set ---------------------------------------------------------


def mixed(choice_rule: str, open_rule: str) -> Rule:
    """One rule for multiple choice and one for the rest, by the type of the question."""
    left, right = CHOICE.rules[choice_rule], OPEN.rules[open_rule]

    def rule(sample: Sample, prediction: Any) -> Graded:
        if sample.problem_type == "multiple choice" and sample.options:
            return left(sample, part(prediction, "prediction"))
        graded = right(sample, prediction)
        return Graded(graded.read, {"accuracy": next(iter(graded.values.values()))}, graded.note)

    return rule


def _mixed_gold(value: Any, options: Sequence[str]) -> str:
    return CHOICE.gold(value, options) if options else text_gold(value)


def _mmvu(sample: Sample, prediction: Any) -> Graded:
    """lmms-eval's MMVU: letter or option anywhere; open answers by substrings, "" is right."""
    value = part(prediction, "prediction")
    if value is None:
        return Graded(None, {"accuracy": 0.0}, "no answer")
    choices = {o[0]: o.partition(". ")[2] for o in sample.options}
    kind = "multiple-choice" if choices else "open-ended"
    doc = {"answer": sample.answer, "choices": choices, "question_type": kind}
    right = official.mmvu_rule(doc, str(value))
    return Graded(str(value).strip()[:80] or None, {"accuracy": float(right)})


MIXED = Shape(
    name="mixed",
    rules={
        **{f"{c}": mixed(c, "exact_match") for c in ("careful", "exact", "tagged", "tw_grpo",
           "video_r1", "videochat_r1", "video_rts", "time_r1", "lmms_eval_2025")},
        "judge": mixed("careful", "judge_1"),
        "lmms_eval_mmvu": _mmvu,
        "lmms_eval_videommmu": mixed("lmms_eval_position", "mmmu_open"),
        "vlmevalkit_videommmu": mixed("vlmevalkit_mmmu", "mmmu_open"),
        "silvr": mixed("silvr", "mmmu_open"),
    },
    better="careful",
    numbers=CHOICE.numbers,
    gold=_mixed_gold,
    parts=("verdict",),
)  # fmt: skip
