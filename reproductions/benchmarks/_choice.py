"""Multiple choice: options with letters, the rules by which a letter is read, and accuracy."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reproductions.benchmarks import _harness
from reproductions.benchmarks._base import Graded, Number, Rule, Shape
from reproductions.metrics.accuracy import accuracy, macro_accuracy
from reproductions.metrics.decisions import f1, precision, recall
from reproductions.shared.method import Sample
from reproductions.shared.rewards import choice, rules
from reproductions.shared.rewards.official import evaluation as official
from reproductions.shared.rewards.tags import extract_tag, find_tag

LETTERS = string.ascii_uppercase
_LETTERED = re.compile(r"\s*\(?([A-Z])[.):]\s*")

Reader = Callable[[str, Sequence[str], Mapping[str, str]], str]
"""(text, letters of the options, letter -> option text) -> letter, "" or `official.RANDOM`."""


# -- records ---------------------------------------------------------------------------------------


def lettered(options: Sequence[Any]) -> tuple[str, ...]:
    """Options as "A. text"; letters that are there already are kept."""
    texts = [str(o).strip() for o in options]
    marks = [m.group(1) if (m := _LETTERED.match(t)) else "" for t in texts]
    if texts and marks == list(LETTERS[: len(texts)]):
        return tuple(
            f"{x}. {t[m.end() :]}" if (m := _LETTERED.match(t)) else t
            for x, t in zip(marks, texts, strict=True)
        )
    return tuple(f"{x}. {t}" for x, t in zip(LETTERS, texts, strict=False))


def texts(options: Sequence[str]) -> list[str]:
    """Options without their letters."""
    return [o.partition(". ")[2] for o in options]


def listed(value: Any) -> list[Any]:
    """A list, or one that is written as JSON or as a Python literal in a text cell."""
    if isinstance(value, list | tuple):
        return list(value)
    from reproductions.shared.rewards.boxes import literal

    found = literal(str(value), longest=100_000)
    if isinstance(found, list | tuple):
        return list(found)
    raise ValueError(f"no list of options: {str(value)[:60]!r}")


def letter_of(value: Any, options: Sequence[str]) -> str:
    """The letter of a logged gold: a letter ("B", "(B)", "B. text"), an index from 0, or the text.

    Raises:
        ValueError: It is none of the options, or a number that is the index of one and the text of
            another.
    """
    count = len(options) or len(LETTERS)
    if isinstance(value, int) and not isinstance(value, bool):
        if _two_ways(value, options):
            raise ValueError(
                f"the gold answer {value!r} is the text of one option and the index of another; "
                "give the letter, or the text in quotes"
            )
        if 0 <= value < count:
            return LETTERS[value]
        raise ValueError(f"the gold answer {value!r} is no index of {count} options (from 0)")
    text = extract_tag(str(value), default=str(value)).strip()
    alone = re.fullmatch(r"\(?([A-Za-z])[.):]*", text)
    if alone and LETTERS.index(alone.group(1).upper()) < count:
        return alone.group(1).upper()
    bare = [_plain(t) for t in texts(options)]
    if bare.count(_plain(text)) == 1:
        return LETTERS[bare.index(_plain(text))]
    marked = _LETTERED.match(text)
    if marked and LETTERS.index(marked.group(1)) < count:
        return marked.group(1)
    if text.isdigit() and int(text) < count:
        return LETTERS[int(text)]
    raise ValueError(f"the gold answer {text[:60]!r} is none of the options {list(options)[:6]}")


def mcq(
    id: object,
    question: str,
    options: Sequence[Any],
    *,
    letter: Any = None,
    index: Any = None,
    text: Any = None,
    video: str | None = None,
    task: str = "",
    **meta: Any,
) -> Sample:
    """A multiple-choice sample; the gold is given as letter, as index from 0 or as option text.

    None of the three (a split whose answers are not public) gives the answer "".

    Raises:
        ValueError: The gold is no option, or there are fewer than two options.
    """
    marked = lettered(options)
    if len(marked) < 2:
        raise ValueError(f"{len(marked)} options in item {id}")
    letters = LETTERS[: len(marked)]
    answer = ""
    if letter is not None:
        answer = str(letter).strip().strip("()").rstrip(".):")[:1].upper()
    elif index is not None:
        answer = letters[int(index)] if 0 <= int(index) < len(letters) else "?"
    elif text is not None:
        bare = [_plain(t) for t in texts(marked)]
        answer = letters[bare.index(_plain(str(text)))] if _plain(str(text)) in bare else "?"
    if answer and answer not in letters:
        raise ValueError(f"item {id}: the gold {letter or index or text!r} is no option")
    facts = {k: v for k, v in meta.items() if v is not None}
    return Sample(
        id=str(id), question=str(question).strip(), answer=answer, options=marked,
        video=video, task=str(task), meta=facts,
    )  # fmt: skip


_INLINE = re.compile(r"\n\s*\(?([A-Z])[.):]\s*")


def split_options(text: str) -> tuple[str, list[str]]:
    """(question, options) of a question that holds its options, a line an option.

    Raises:
        ValueError: The lines are not lettered A, B, C and so on.
    """
    pieces = _INLINE.split("\n" + text.strip())
    question, marks, found = pieces[0].strip(), pieces[1::2], pieces[2::2]
    if not marks or marks != list(LETTERS[: len(marks)]):
        raise ValueError(f"no options A, B, .. in {text[:60]!r}")
    return question, [f.strip() for f in found]


def split_row(text: str) -> tuple[str, list[str]]:
    """(question, options) of a question that ends with its options in one line: "A. x, B. y".

    Raises:
        ValueError: There is no "A." followed by "B.".
    """
    marks: list[re.Match[str]] = []
    for letter in LETTERS:
        mark = re.compile(rf"(?:^|(?<=[\s?:]))\(?{letter}[.)]\s*")
        found = mark.search(text, marks[-1].end() if marks else 0)
        if found is None:
            break
        marks.append(found)
    if len(marks) < 2:
        raise ValueError(f"no options A, B, .. in {text[-60:]!r}")
    ends = [m.start() for m in marks[1:]] + [len(text)]
    options = [text[m.end() : e].strip().rstrip(",;") for m, e in zip(marks, ends, strict=True)]
    return text[: marks[0].start()].strip(), options


def _two_ways(index: int, options: Sequence[str]) -> bool:
    """Whether a number is the text of just one option, and the index (from 0) of another."""
    bare = [_plain(t) for t in texts(options)]
    return bare.count(str(index)) == 1 and bare.index(str(index)) != index


def _plain(text: str) -> str:
    return " ".join(text.strip().rstrip(".").lower().split())


def directly(sample: Sample) -> str:
    """The wording of LLaVA and its kin, published by many sets; ours for sets that publish none."""
    return (
        f"{sample.question}\n{ask(sample)}\n"
        "Answer with the option's letter from the given choices directly."
    )


def ask(sample: Sample, *, option: str = "{letter}. {text}", join: str = "\n") -> str:
    """The options as a prompt writes them."""
    return join.join(
        option.format(letter=o.partition(". ")[0], text=o.partition(". ")[2])
        for o in sample.options
    )


# -- rules -----------------------------------------------------------------------------------------

_PHRASE = re.compile(
    r"\b(?:answer|option|choice)\b(?:\s+is)?\s*[:=]?\s*(?:\\boxed\{|\\text\{|\*{1,2}|[(\[{\"']){0,3}\s*"
    r"([A-Z])(?![A-Za-z])",
    re.IGNORECASE,
)
_START = re.compile(
    r"[(\[\"']?([A-Za-z])(?:[\])\"'](?!\s*:)|[:)](?=\s|$|[^\s\d])|[.,](?![A-Za-z\d])|\s*\n|$)"
)
_ALSO = re.compile(
    r"[\])\"']?\s*(?:(?:[,/&+]|\b(?:and|or)\b)\s*[(\[\"']?([A-Z])(?![A-Za-z0-9'])"
    r"|\n\s*[(\[]?([A-Z])[\]).]?\s*(?:\n|$))"
)
_DENIED = re.compile(
    r"[\])\"']?\s+(?:(?:is|was)(?:\s+not\b|n't\b)|(?:is|was)\s+(?:incorrect|wrong)\b)"
)
_REFUSED = re.compile(r"(?:\bnot|n't)\s{1,3}(?:option\s)?\(?$", re.IGNORECASE)
_ALONE = re.compile(r"(?<![A-Za-z0-9'])([A-Z])(?![A-Za-z0-9'])")
_MARKUP = re.compile(r"\\boxed\{|\\text\{|[*_`${}]")
_AFTER_OPTION = {
    *("and", "or", "nor", "is", "are", "was", "but", "not", "because", "since", "as", "than"),
    *("then", "would", "seems", "while", "instead", "over", "matches", "fits"),
}
TAIL = 4000
"""The careful rule looks for an answer in so many last characters."""


def careful(text: str, letters: Sequence[str], contents: Mapping[str, str]) -> str:
    """Our rule: the tagged answer, else what follows the thought, else the text; no guessing.

    In that part: the text of one option, a letter alone or before a mark, the last "answer is X",
    the only option whose text occurs, the only capital that stands alone ("A" and "I" as words of a
    sentence do not count). "" where two options are left, or only a thought without its end.
    """
    part = find_tag(text, which="last")
    if part is None:
        part = text.rsplit("<answer>", 1)[-1] if "<answer>" in text else text
        part = part.rsplit("</think>", 1)[-1]
        if "<think>" in part:
            return ""
    part = _MARKUP.sub("", part[-TAIL:]).strip()
    whole = _plain(part)
    same = [x for x, t in contents.items() if t and whole in (_plain(t), _plain(f"{x}.{t}"))]
    if len(same) == 1 and len(whole) > 1:
        return same[0]
    told = [
        m for m in _PHRASE.finditer(part)
        if m.group(1) in letters
        and not _DENIED.match(part, m.end())
        and not (m.group(1) == "A" and _is_word(part, m.end()))
    ]  # fmt: skip
    start = _START.match(part)
    if start and start.group(1).upper() in letters:
        found = start.group(1).upper()
        later = start.group().endswith("\n") and told and told[-1].group(1) != found
        return "" if later or _others(part, start, letters) else found
    if len(same) == 1:
        return same[0]
    if told:
        return "" if _others(part, told[-1], letters) else str(told[-1].group(1))
    named = [x for x, t in contents.items() if len(_plain(t)) > 2 and _plain(t) in whole]
    # "left" lies within "left of the car": the longest named option stands for the ones inside it.
    named = [
        x for x in named
        if not any(y != x and _plain(contents[x]) in _plain(contents[y]) for y in named)
    ]  # fmt: skip
    if len(named) == 1:  # capitals of the option's own text name no other option
        part = re.sub(re.escape(contents[named[0]].strip()), " ", part, flags=re.IGNORECASE)
    lone = [
        m for m in _ALONE.finditer(part)
        if m.group(1) in letters
        and not _DENIED.match(part, m.end())
        and not _REFUSED.search(part[max(0, m.start() - 16) : m.start()])
    ]  # fmt: skip
    kept = {m.group(1) for m in lone if m.group(1) not in "AI" or not _is_word(part, m.end())}
    if len(named) == 1:
        return named[0] if kept <= set(named) else ""
    return kept.pop() if len(kept) == 1 else ""


def _others(text: str, found: re.Match[str], letters: Sequence[str]) -> bool:
    """Whether a second option is listed right behind the first: "A, B", "A or B"."""
    also = _ALSO.match(text, found.end(1))
    second = (also.group(1) or also.group(2)) if also else ""
    return bool(second) and second in letters and second != found.group(1).upper()


def _is_word(text: str, end: int) -> bool:
    """Whether "A" or "I" before `end` reads as a word: a lower-case word follows.

    "A and C" and "A is right" speak of options.
    """
    follows = re.match(r"\s+([a-z]+)", text[end : end + 40])
    return follows is not None and follows.group(1) not in _AFTER_OPTION


def _exact(text: str, letters: Sequence[str], contents: Mapping[str, str]) -> str:
    return text.strip() if text.strip() in letters else ""


def _tagged(text: str, letters: Sequence[str], contents: Mapping[str, str]) -> str:
    return _exact(extract_tag(text, default=text), letters, contents)


def _mvbench(text: str, letters: Sequence[str], contents: Mapping[str, str]) -> str:
    form = official.mvbench_form(text)
    return form if form in letters else ""


def _spatial(text: str, letters: Sequence[str], contents: Mapping[str, str]) -> str:
    found = official.spatial_option(text)
    return found if isinstance(found, str) else ""


def _without_thoughts(text: str) -> str:
    """The text without what stands from every <think> to its </think>."""
    kept, at = [], 0
    while (start := text.find("<think>", at)) >= 0 and (end := text.find("</think>", start)) >= 0:
        kept.append(text[at:start])
        at = end + len("</think>")
    return "".join([*kept, text[at:]])


def _first_capital(prefixes: Sequence[str], last: str = "") -> Reader:
    return lambda text, letters, contents: choice.first_capital(text, last or letters[-1], prefixes)


READERS: dict[str, Reader] = {
    "careful": careful,
    "exact": _exact,
    "first_letter": lambda t, x, c: t[:1].upper() if t[:1].upper() in x else "",
    "tagged": _tagged,
    # lmms-eval @75571cf; who uses which stands in the benchmarks' `rules`
    "lmms_eval_position": lambda t, x, c: choice.position_letter(t, x),
    "lmms_eval_mvbench": _mvbench,
    "lmms_eval_mmmu": lambda t, x, c: (
        choice.last_marked(t, x, c, forms=official.MMMU_FORMS) or official.RANDOM
    ),
    "lmms_eval_egoschema": lambda t, x, c: str(
        official.egoschema(t, x, {k: f"{k}. {v}" for k, v in c.items()})[0]
    ),
    "lmms_eval_capital_or_first": lambda t, x, c: official.capital_or_first(t, x, dict(c)),
    "lmms_eval_capital_or_random": lambda t, x, c: official.capital_or_random(t, x, dict(c)),
    "lmms_eval_minerva": lambda t, x, c: official.minerva(t) or official.RANDOM,
    "lmms_eval_perception_test": lambda t, x, c: choice.word_letter(t, "D", ignore_case=False),
    "lmms_eval_cg_bench": lambda t, x, c: choice.position_letter(t, _harness.CG_BENCH),
    "lmms_eval_lsdbench": lambda t, x, c: _harness.lsdbench(t),
    "lmms_eval_cinepile": lambda t, x, c: _harness.cinepile(t, c),
    "lmms_eval_cover": lambda t, x, c: _harness.cover(t),
    "lmms_eval_motionbench": lambda t, x, c: _harness.motionbench(t),
    "lmms_eval_neptune": lambda t, x, c: _harness.neptune(t, c),
    "lmms_eval_scivideobench": lambda t, x, c: _harness.scivideobench(t),
    "lmms_eval_threedsr_bench": lambda t, x, c: _harness.threedsr_bench(t),
    "lmms_eval_omni_bench": lambda t, x, c: _harness.omni_bench(t, x),
    "lmms_eval_video_tt": _first_capital(choice.PREFIXES, "E"),
    "lmms_eval_capital": _first_capital(choice.JOINED_PREFIXES),
    "lmms_eval_mme_v2": _first_capital(
        (*choice.PREFIXES[:6], "Final Answer:", *choice.PREFIXES[6:], "Answer:", "Option:")
    ),
    # VLMEvalKit @e8e78f0
    "vlmevalkit_capital": _first_capital(official.ANSWER_PREFIXES),
    "vlmevalkit_longvideobench": _first_capital(official.ANSWER_PREFIXES, "E"),
    "vlmevalkit_v2p": lambda t, x, c: choice.first_capital(
        _without_thoughts(t), "D", (*choice.PREFIXES, "Answer:", "Option:")
    ),
    "vlmevalkit_holmes": lambda t, x, c: official.holmes(t),
    "vlmevalkit_spatial": _spatial,
    "vlmevalkit_mmmu": lambda t, x, c: choice.last_marked(t, x, c),
    # BRZ911/ViTCoT @3f1d882 src/eval.py
    "vitcot": lambda t, x, c: _harness.vitcot(t),
    # SiLVR @0f3dcdd
    "silvr": lambda t, x, c: choice.last_marked(t, x),
}
"""Rules that read a letter. Those of training code are added from `rewards.rules.ACCURACY`."""


def _prediction(value: Any, options: Sequence[str] = ()) -> str | None:
    """A logged prediction as text; an index from 0 becomes its letter.

    A number that may be an index or the text of another option becomes "".
    """
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():  # columns with gaps hold floats
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        readable = 0 <= value < len(LETTERS) and not _two_ways(value, options)
        return LETTERS[value] if readable else ""
    return str(value)


def by_letter(reader: Reader) -> Rule:
    """A rule from a reader: 1.0 if the letter read is the gold."""

    def rule(sample: Sample, prediction: Any) -> Graded:
        text = _prediction(prediction, sample.options)
        if text is None:
            return Graded(None, {"accuracy": 0.0}, "no answer")
        count = len(sample.options) or max(5, LETTERS.find(sample.answer[:1]) + 1)
        letters = LETTERS[:count]
        contents = dict(zip(LETTERS, texts(sample.options), strict=False))
        found = reader(text, letters, contents)
        if found == official.RANDOM:
            return Graded(None, {"accuracy": 0.0}, "the published code guesses here at random")
        return Graded(found or None, {"accuracy": float(bool(found) and found == sample.answer)})

    return rule


def by_score(name: str) -> Rule:
    """A rule of training code: it gives a score without saying which letter it read."""

    def rule(sample: Sample, prediction: Any) -> Graded:
        text = _prediction(prediction, sample.options)
        if text is None:
            return Graded(None, {"accuracy": 0.0}, "no answer")
        value = rules.score(name, text, sample.answer, "multiple choice")
        return Graded(extract_tag(text, default=text.strip())[:80], {"accuracy": value})

    return rule


def mean_accuracy(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    """Share of right answers."""
    values = [g.values["accuracy"] for g in graded]
    return {"accuracy": Number(accuracy(values), len(values))}


def over_tasks(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    """Mean of the accuracies of the tasks; {} where a sample does not say its task."""
    tasks = [s.task for s in samples]
    if not tasks or not all(tasks):
        return {}
    value = macro_accuracy([g.values["accuracy"] for g in graded], tasks)
    return {"macro accuracy": Number(value, len(set(tasks)), unit="tasks")}


def over_classes(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    """Precision, recall and F1, each the mean over the classes of the gold (macro)."""
    said, true = [g.read for g in graded], [s.answer for s in samples]
    kinds = sorted(set(true))
    scores = {"macro F1": f1, "macro precision": precision, "macro recall": recall}
    return {
        name: Number(sum(score(said, true, k) for k in kinds) / len(kinds), len(true))
        for name, score in scores.items()
        if kinds
    }


def _tempcompass(sample: Sample, prediction: Any) -> Graded:
    """TempCompass' rules before its judge; the same in lmms-eval and VLMEvalKit."""
    text = _prediction(prediction, sample.options)
    if text is None:
        return Graded(None, {"accuracy": 0.0}, "no answer")
    gold = next((o for o in sample.options if o[0] == sample.answer), sample.answer)
    found = official.option_match(text, gold)
    if found == "fail":
        return Graded(None, {"accuracy": 0.0}, "the published code asks a judge here")
    return Graded(text[:80], {"accuracy": float(found)})


def _vlm_mvbench(sample: Sample, prediction: Any) -> Graded:
    """VLMEvalKit's MVBench without its judge: first word and gold option contain one another."""
    text = _prediction(prediction, sample.options)
    if text is None:
        return Graded(None, {"accuracy": 0.0}, "no answer")
    gold = next((o for o in sample.options if o[0] == sample.answer), sample.answer)
    right = official.vlm_mvbench(text, f"({gold[0]}) {gold.partition('. ')[2]}", advanced=False)
    return Graded(text.strip()[:80] or None, {"accuracy": float(right)})


def _lmms_tvbench(sample: Sample, prediction: Any) -> Graded:
    """lmms-eval's TVBench: a gold text that is a number is taken for the option's place.

    It counts from 0 if that is an option, else from 1, so that of "2", "3", "4" the gold 3 is the
    third option.
    """
    text = _prediction(prediction, sample.options)
    if text is None:
        return Graded(None, {"accuracy": 0.0}, "no answer")
    candidates, gold = texts(sample.options), sample.answer
    told = candidates[LETTERS.index(gold)] if gold else ""
    if told.isdecimal() and int(told) <= len(candidates):
        gold = LETTERS[int(told) - (int(told) == len(candidates))]
    found = official.tvbench(text, candidates)
    return Graded(found or None, {"accuracy": float(bool(found) and found == gold)})


def _vlm_cg_bench(sample: Sample, prediction: Any) -> Graded:
    """VLMEvalKit's CG-Bench: the fenced result is the gold letter, else any lone letter is."""
    text = _prediction(prediction, sample.options)
    if text is None:
        return Graded(None, {"accuracy": 0.0}, "no answer")
    found = official.cgbench_result(text, f"right_answer='{sample.answer}'")
    return Graded(text.strip()[:80] or None, {"accuracy": float(found == 1)})


CHOICE = Shape(
    name="choice",
    rules={
        "tempcompass": _tempcompass,
        "lmms_eval_tvbench": _lmms_tvbench,
        "vlmevalkit_mvbench": _vlm_mvbench,
        "vlmevalkit_cg_bench": _vlm_cg_bench,
        **{name: by_letter(reader) for name, reader in READERS.items()},
        **{name: by_score(name) for name in rules.ACCURACY},
    },
    better="careful",
    numbers=mean_accuracy,
    gold=letter_of,
    inline=split_options,
)


def _order(text: Any) -> list[int] | None:
    if isinstance(text, list):
        return [int(x) for x in text if isinstance(x, int | str) and str(x).isdigit()] or None
    found = [int(x) for x in re.findall(r"\d{1,4}", str(text))]
    return found or None


def order_gold(value: Any, options: Sequence[str]) -> str:
    """The right order as a JSON list of numbers; ValueError if it is none."""
    found = _order(value)
    if found is None:
        raise ValueError(f"the gold {str(value)[:60]!r} is no list of numbers")
    return json.dumps(found)


def in_order(sample: Sample, prediction: Any) -> Graded:
    """The whole order, and how many of its places are right; numbers are read from left to right.

    Source: output/random/response_N_result.json of pritamqu/VCRBench@5d616a3, whose three runs it
    gives to the printed digit. Numbers beyond the length of the gold do not count as places.
    """
    gold = json.loads(sample.answer)
    found = None if prediction is None else _order(prediction)
    places = sum(a == b for a, b in zip(found or [], gold, strict=False))
    values = {"accuracy": float(found == gold), "places": float(places), "steps": float(len(gold))}
    return Graded(found, values, "" if found else "no number")


def _order_numbers(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    steps = sum(int(g.values["steps"]) for g in graded)
    right = sum(g.values["places"] for g in graded)
    return {
        **mean_accuracy(samples, graded),
        "step accuracy": Number(right / steps if steps else 0.0, steps, unit="steps"),
    }


def over_goals(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    """Mean of the accuracies of the goals; {} where a sample does not say its goal."""
    goals = [s.task or str(s.meta.get("goal", "")) for s in samples]
    if not goals or not all(goals):
        return {}
    value = macro_accuracy([g.values["accuracy"] for g in graded], goals)
    return {"mean over goals": Number(value, len(set(goals)), unit="goals")}


ORDER = Shape("order", {"order": in_order}, "order", _order_numbers, order_gold)
