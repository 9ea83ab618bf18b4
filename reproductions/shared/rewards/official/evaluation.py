"""Answer parsers and metrics of evaluation code: lmms-eval, VLMEvalKit, SiLVR and benchmarks."""

from __future__ import annotations

import json
import re
import string
import unicodedata
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
    return [common / hull if hull else 0.0, common / length if length > 0 else 0.0]


def next_gqa_report(
    gt_ground: Arguments, pred_ground: Arguments, pred_qa: Arguments | None, gs: bool
) -> str:
    """NExT-GQA's printed table; questions without a prediction are not counted."""
    scores: list[tuple[float, float, bool]] = []
    for video, gold in gt_ground.items():
        for question, spans in gold["location"].items():
            name = f"{video}_{question}"
            if name not in pred_ground:
                continue
            scale = gold["duration"] if gs else 1
            span = [round(x * scale, 1) for x in pred_ground[name]]
            pairs = [next_gqa_tiou(loc, span) for loc in spans]
            right = (
                bool(pred_qa)
                and pred_qa is not None
                and (
                    pred_qa.get(name, {}).get("answer", 0)
                    == pred_qa.get(name, {}).get("prediction", 1)
                )
            )
            scores.append(
                (max(0.0, *(p[0] for p in pairs)), max(0.0, *(p[1] for p in pairs)), right)
            )
    n = len(scores) or 1
    mean = [100 * sum(s[k] for s in scores) / n for k in (0, 1)]
    share = {(k, t): 100 * sum(s[k] >= t for s in scores) / n for k in (0, 1) for t in (0.3, 0.5)}
    both = 100 * sum(s[2] and s[1] >= 0.5 for s in scores) / n
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
    """VideoMind: IoU of each span with the first gold, or of all confident spans together."""
    if cgbench:
        kept = [p for p, c in zip(pred, conf, strict=False) if c >= least] or list(pred[:1])
        return [intervals.set_iou(kept[:1] if len(kept) == 1 else kept, span)]
    rows = pairwise_iou(pred, span)
    return [[x if x == x else 0.0 for x in row] for row in rows]


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
_CLOCK = re.compile(r"(?<![\d:])\d{1,2}:\d{2}(?::\d{2})?(?![\d:])")
_DASH = re.compile(rf"({numbers.RUN}(?:\.\d++)?+)s?+\s*+[-\u2013\u2014]\s*+(\d++(?:\.\d++)?+)")
_GROUNDING_WORDS = ("start", "end", "happen")
_NUMERAL = re.compile(r"\b(?:\d++\.\d++|\d++)\b")


def _told(paragraph: str) -> list[str]:
    """Sentences that speak of a start, an end or a happening."""
    return [s for s in _SENTENCE.split(paragraph) if any(w in s for w in _GROUNDING_WORDS)]


def _first_numbers(sentences: Sequence[str]) -> list[list[float]]:
    """The first numbers of the first two sentences that hold one, sorted; [] with fewer."""
    found = [m for m in map(_NUMERAL.search, sentences) if m]
    return [sorted(float(m.group()) for m in found[:2])] if len(found) > 1 else []


def charades_span(paragraph: str) -> list[list[float]]:
    """lmms-eval's Charades-STA: the first "a - b" after writing every "to" as "-", sorted.

    Clock times become seconds first; without a dash, the first numbers of two sentences with
    start, end or happen count. At most one span.
    """
    lower = paragraph.lower().replace("to", "-")
    lower = _CLOCK.sub(lambda m: f"{intervals.clock(m.group()):g}", lower)
    found = _DASH.search(lower)
    if found:
        return [sorted(float(x) for x in found.groups())]
    return _first_numbers(_told(lower))


def charades_tvg_span(paragraph: str) -> list[list[float]]:
    """lmms-eval's `eval_tvg`: as `charades_span`, but only in sentences with start, end, happen."""
    told = _told(paragraph.lower())
    found = _DASH.search("\n".join(told))
    return [sorted(float(x) for x in found.groups())] if found else _first_numbers(told)


def timelens_span(paragraph: str) -> list[list[float]]:
    """lmms-eval's TimeLens: mm:ss first, then a-b, then the first two numbers; [] if none."""
    clocks = _CLOCK.findall(paragraph)
    if len(clocks) >= 2:
        return [[intervals.clock(x) for x in clocks[:2]]]
    found = re.search(
        rf"({numbers.RUN}(?:\.\d++)?+)\s*+(?:-|\u2013|to|and)\s*+(\d++(?:\.\d++)?+)", paragraph
    )
    if found:
        return [[float(x) for x in found.groups()]]
    numerals = _NUMERAL.findall(paragraph)
    return [[float(x) for x in numerals[:2]]] if len(numerals) >= 2 else []


def recall_table(ious: Sequence[float]) -> dict[str, float]:
    """Shares of IoUs >= .3, .5, .7 and their mean, in percent."""
    n = len(ious)
    table = {f"IOU@{t}": 100 * sum(x >= t / 10 for x in ious) / n if n else 0 for t in (3, 5, 7)}
    return {**table, "mIOU": 100 * sum(ious) / n if n else 0}


def _grounding(results: Sequence[dict[str, str]], parse: Any, *, skip: bool) -> dict[str, float]:
    """Rows {"video>>>query>>>gold": output}; `skip` leaves out rows with an unreadable gold."""
    ious = []
    for row in results:
        for name, output in row.items():
            gold = boxes.literal(name.split(">>>")[-1])
            spans = gold if isinstance(gold, list) and gold else None
            span = spans[0] if spans and isinstance(spans[0], list) else spans
            if span is None or len(span) != 2:
                if not skip:
                    ious.append(0.0)
                continue
            pred = parse(output)
            ious.append(intervals.tiou(pred[0], span) if pred else 0.0)
    return recall_table(ious)


# -- numbers ---------------------------------------------------------------------------------------


def official_mra(
    pred: float, target: float, start: float, end: float, interval: float
) -> float | Failed:
    """MRA with its thresholds, divided by the signed gold; gold 0 raises."""
    if target == 0:
        return Failed("ZeroDivisionError")
    return numbers.mra(pred, target, thresholds=numbers.mra_thresholds(start, end, interval))


def absolute_mra(pred: float, target: float, start: float, end: float, interval: float) -> float:
    """MRA divided by |gold| (VLMEvalKit's spatial_bench)."""
    thresholds = numbers.mra_thresholds(start, end, interval)
    return numbers.mra(pred, target, signed=False, thresholds=thresholds)


def vsi_bench(prediction: str, ground_truth: str, kind: str, *, composed: bool) -> Any:
    """VSI-Bench: letters by the first token, numbers by MRA (0 if unreadable)."""
    if kind == "MCA":
        token = prediction.split(" ")[0].rstrip(".").strip()
        return float(token.lower() == ground_truth.lower())
    number = numbers.composed_number if composed else numbers.first_token_number
    pred, gold = number(prediction), numbers.to_float(ground_truth)
    if pred is None or gold is None:
        return 0.0
    return Failed("ZeroDivisionError") if gold == 0 else numbers.mra(pred, gold)


_CARDINALS = sorted(numbers.WORDS, key=lambda w: -len(w))


def cof_number(response: str) -> str | None:
    """CoF: digits or number words (also inside words: "none" is 1) after "answer:"."""
    lower = response.lower()
    found = lower.split("answer:")[1] if "answer:" in lower else lower.strip().rsplit("\n", 1)[-1]
    compound = re.search(rf"({'|'.join(numbers.TENS)})[- ]({'|'.join(numbers.UNITS[1:10])})", found)
    if compound:
        return str(numbers.WORDS[compound.group(1)] + numbers.WORDS[compound.group(2)])
    digits = re.findall(rf"{numbers.RUN}(?:\.\d++)?+", found)
    if digits:
        return str(digits[-1])
    return next((str(numbers.WORDS[w]) for w in _CARDINALS if w in found), None)


def cof_last_number(response: str) -> str | None:
    """CoF: the last number of the answer, "3.0.2" -> "2"."""
    lower = response.lower()
    found = lower.split("answer:")[1] if "answer:" in lower else lower.strip().rsplit("\n", 1)[-1]
    digits = re.findall(rf"{numbers.RUN}(?:\.\d++)?+", found)
    return digits[-1] if digits else None


# -- letters ---------------------------------------------------------------------------------------

_ENDS = (*choice.MARKS, '"')
_TOLD = re.compile(
    r"answer is|(?:correct|best) option is|choice is|i (?:would |will )?(?:choose|select|pick)",
    re.IGNORECASE,
)


def position_letter(text: str, letters: Sequence[str] = "ABCD") -> str:
    """lmms-eval's `extract_mcq_answer`: the place of a letter decides before its marks do.

    After stripping marks from both ends: the first character unless it starts a word, then the last
    one unless it ends a word, then the letter that comes up last behind "answer is", "choice is"
    and their like, then the last "(X)", "X.", "X:", "X)", "X ", at last the last capital anywhere.
    """
    text = text.strip()
    for mark in _ENDS:
        text = text.strip(mark)
    text = text.strip()
    if text[:1] in letters and text and not text[1:2].isalpha():
        return text[0]
    if text[-1:] in letters and text and not text[-2:-1].isalpha():
        return text[-1]
    told = _TOLD.search(text)
    if told:
        behind = text[told.end() :]
        first = {x: behind.find(x) for x in letters}
        best = max(first, key=lambda x: first[x])
        if first[best] >= 0:
            return best
    for form in ("(*)", "*.", "*:", "*)", "* "):
        places = {x: text.rfind(form.replace("*", x)) for x in letters}
        best = max(places, key=lambda x: places[x])
        if places[best] >= 0:
            return best
    last = {x: text.rfind(x) for x in letters}
    best = max(last, key=lambda x: last[x])
    return best if last[best] >= 0 else ""


def _mmmu(forms: Sequence[str], missing: str) -> Any:
    return lambda response, letters, contents: (
        choice.last_marked(response, letters, contents, forms=forms) or missing
    )


def egoschema(response: str, letters: Sequence[str], contents: dict[str, str]) -> list[Any]:
    """lmms-eval's EgoSchema: (letter or random, whether one was read).

    The letter whose last "(X)", "X " or "X." comes first; in answers of more than five words
    without any, the option text that comes first.
    """
    for mark in choice.MARKS:
        response = response.strip(mark)
    response = f" {response} "
    places = {
        x: max(response.rfind(form) for form in (f"({x})", f"{x} ", f"{x}.")) for x in letters
    }
    found = [x for x in letters if places[x] >= 0]
    if not found and len(response.split()) > 5:
        lower = response.lower()
        places = {x: lower.find(content.lower()) for x, content in contents.items()}
        found = [x for x in letters if places.get(x, -1) >= 0]
    if not found:
        return [RANDOM, False]
    return [min(found, key=lambda x: places[x]), True]


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
    option = re.match(r"([A-Ea-e])\.\s*+[^\n]", answer.strip())
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
_LONE = re.compile(r"[^A-Za-z]*([A-F])[^A-Za-z]*|[\s(\[*`_]*([a-f])[\s)\]*`_]*")
_STANDING = re.compile(r"(?<![A-Za-z])([A-F])(?=[\s.,;:!?)]|$|[^\w\s]+(?:\s|$))")
_SAYS = re.compile(r"\banswer\b\s*(?:is|:)?\s*:?\s*\(?([A-F])\b", re.IGNORECASE)
_LEADS = re.compile(r"\s*([A-F])\s?(?:[.):]|-)\s")
TAIL_LINES, TAIL_CHARACTERS = 6, 800


def spatial_option(answer_text: str, choices: Sequence[str] | None = None) -> str | bool:
    """VLMEvalKit's spatial_bench: the tagged letter, else from the last line up; False if unclear.

    A line counts if it is a lone letter, says "answer is X", starts with "X.", "X)" or "X:", or has
    one capital option letter alone; a line with two of them is passed over.
    """
    plain_text = answer_text.strip()
    tagged = re.search(r"(?:^<answer>|<answer>(?=[^<]*</answer>))\s*+\(?([A-Fa-f])", plain_text)
    if tagged:
        return tagged.group(1).upper()
    closing = re.findall(r"\b([A-F])\b[^A-Za-z]{0,20}</answer>", plain_text)
    if closing:
        return str(closing[-1])
    letters = [c for c in choices or () if re.fullmatch("[A-F]", c)] or list("ABCDEF")
    lines = [line.strip() for line in plain_text.splitlines() if line.strip()]
    for line in reversed(lines[-TAIL_LINES:]):
        alone = _LONE.fullmatch(line)
        if alone:
            return str(alone.group(1) or alone.group(2)).upper()
        leads = _LEADS.match(line)
        if leads and leads.group(1) in letters:
            return leads.group(1)
        told = _SAYS.search(line)
        if told:
            return told.group(1).upper()
    told = _SAYS.search(plain_text)
    if told:
        return told.group(1).upper()
    for line in reversed(lines):
        found = set(_STANDING.findall(line))
        found = found.intersection(letters) or found
        if len(found) == 1:
            return str(found.pop())
    return False


def cgbench_result(response: str, rest: str) -> int:
    """VLMEvalKit's CG-Bench: the JSON result or first lone letter; -1 if there is none."""
    gold = re.search(r"right_answer='(\w)'", rest)
    try:
        value = json.loads(response)
        answer = value.get("result", response) if isinstance(value, dict) else response
    except (ValueError, RecursionError):
        answer = response
    letter = choice.word_letter(str(answer), "H", ignore_case=False)
    return -1 if not letter or gold is None else int(letter == gold.group(1))


# -- TempCompass, MMVU -----------------------------------------------------------------------------


def _yes_no(output: str) -> str | bool:
    lower = output.lower()
    return "yes" if lower.startswith("yes") else "no" if lower.startswith("no") else False


def caption_match(output: str, options: Sequence[str], answer: str) -> int | str:
    """TempCompass: the option in full, its sentence, or its name; "fail" asks the judge."""
    pairs = [tuple(o.split(": ", 1)) for o in options if ": " in o]
    names = [p[0] for p in pairs]
    names += [re.sub("Sentence |Option |Caption ", "", n) for n in names]
    bare, after = output.replace(".", ""), output.split(") ", 1)[-1]
    chosen = output if output in options else None
    chosen = next((p[1] for p in pairs if p[1] in (output, after)), chosen)
    chosen = next((n for n in names if n in (output, bare)), chosen)
    if chosen is None:
        return "fail"
    name, _, sentence = answer.partition(": ")
    return int(chosen in (answer, name, sentence, name.split()[-1]))


def _literal_texts(candidates: str) -> list[str]:
    value = boxes.literal(candidates)
    return [str(c) for c in value] if isinstance(value, list) else []


def option_match(output: str, answer: str) -> int | str:
    """TempCompass' multiple choice: equal, a bare letter, "A." or "A)"; else "fail"."""
    if output == answer:
        return 1
    found = re.match(r"([ABCD])(?:\Z|[.)])", output)
    return int(found.group(1) == answer[:1]) if found else "fail"


def tempcompass_multi_choice(doc: Arguments, result: list[str]) -> Arguments:
    """lmms-eval's record of a TempCompass question; unmatched ones carry the judge's rating."""
    rating = option_match(result[0], doc["answer"])
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
    """1 if the judge wrote "Correct"; lmms-eval asserts that it wrote something."""
    if asserts and "Correct" not in output and "Incorrect" not in output:
        return Failed("AssertionError")
    return int("Correct" in output)


def mmvu_rule(doc: Arguments, prediction: str) -> bool:
    """MMVU: does the output hold the letter as a word, or the option's text?

    It also counts if it holds the letter inside any word and one longer word of the option. Open
    answers: either text lies in the other (so the empty answer is right), the first numbers are
    equal without their signs, or, for golds of two to five words, the output holds each word of
    more than two letters (so "a b" is answered by anything).
    """
    pred, gold = (" ".join(t.lower().split()) for t in (prediction, doc["answer"]))
    if doc["question_type"] == "multiple-choice":
        option = str(doc["choices"].get(gold.upper(), "")).lower()
        if re.search(rf"\b{re.escape(gold)}\b", pred) or (option and option in pred):
            return True
        return gold in pred and any(w in pred for w in option.split() if len(w) > 2)
    first = [_NUMBER.search(unicodedata.normalize("NFKC", t)) for t in (pred, gold)]
    if gold in pred or pred in gold:
        return True
    if first[0] and first[1] and float(first[0].group()) == float(first[1].group()):
        return True
    words, said = ([w.strip(string.punctuation) for w in t.split()] for t in (gold, pred))
    return 2 <= len(words) <= 5 and all(w in said for w in words if len(w) > 2)


# -- records of lmms-eval --------------------------------------------------------------------------


def videomme_record(doc: Arguments, results: list[str]) -> Arguments:
    """lmms-eval's Video-MME record."""
    pred = position_letter(results[0])
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
            "pred_answer": position_letter(results[0]),
            "answer": doc["answer"],
        }
    }


def percent_right(results: Sequence[Arguments]) -> float:
    """Share of equal predictions in percent."""
    right = sum(r["pred_answer"] == r["answer"] for r in results)
    return 100 * right / len(results) if results else 0


def _longvideobench(samples: Sequence[Arguments]) -> dict[str, float]:
    right = sum(s.get("parsed_pred") == s.get("answer") for s in samples)
    return {"acc": right / len(samples) if samples else 0}


def _capital(last: str, prefixes: Sequence[str] = ANSWER_PREFIXES) -> Adapter:
    return plain(lambda s: choice.first_capital(s, last, prefixes))


def _silvr(letters: str) -> Adapter:
    return plain(lambda s: choice.last_marked(s, letters))


_BY_REPOSITORY: dict[str, dict[str, Adapter]] = {
    "EvolvingLMMs-Lab/lmms-eval": {
        "_task_utils.extract_mcq_answer": plain(
            lambda response, choices: position_letter(response, choices or "ABCD")
        ),
        "videomme_process_results": plain(videomme_record),
        "lvbench_process_results": plain(
            lambda doc, results: {"lvbench_score": position_letter(results[0]) == doc["answer"]}
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
            lambda rows: _grounding(rows, charades_span, skip=False)
        ),
        "timelens.extract_time": plain(timelens_span),
        "_timelens_compute_metrics": plain(lambda rows: _grounding(rows, timelens_span, skip=True)),
        "longvideobench.parse_multi_choice_response": plain(capital_or_random),
        "evaluate_longvideobench": plain(_longvideobench),
        "mmvu.evaluate_with_rule_based": plain(mmvu_rule),
        "videommmu.parse_multi_choice_response": plain(
            lambda s, letters, contents: position_letter(s, letters) or "No Answer Found."
        ),
        "videommmu.eval_open(parse_open_response)": plain(
            lambda s, gold: text.open_match(gold, text.open_candidates(s))
        ),
        "videommmu.parse_open_response": plain(text.open_candidates),
        "videommmu.normalize_str": plain(text.open_form),
        "nextqa.parse_multi_choice_response": plain(_mmmu(MMMU_FORMS, RANDOM)),
        "egoschema.parse_multi_choice_response": plain(egoschema),
        "tomato.parse_multi_choice_response": plain(capital_or_first),
        "video_holmes.parse_multi_choice_response": plain(_mmmu(MMMU_FORMS, RANDOM)),
        "worldsense.parse_multi_choice_response": plain(capital_or_first),
        "tvbench._extract_choice_letter": plain(
            lambda s, letters: choice.word_letter(s, letters[-1])
        ),
        "minerva._extract_choice_letter": plain(minerva),
        "cgbench.extract_characters_regex": _capital("H", choice.JOINED_PREFIXES),
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
            "H", (*choice.PREFIXES, "Answer:", "Option:")
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
            _mmmu(("*.|*:", "(*)", "* "), "No Answere Found")
        ),
        "videommmu.parse_open_response": plain(text.open_candidates),
        "cgbench.calculate_intervals_iou": plain(intervals.set_iou),
        "cgbench.post_process": plain(cgbench_result),
        "spatial_bench.mean_relative_accuracy": plain(absolute_mra),
        "spatial_bench.can_match_option": plain(spatial_option),
        "spatial_bench.can_match_na": plain(numbers.last_number),
        "revsi._mean_relative_accuracy": plain(official_mra),
        "vcrbench.calculate_time_iou": plain(intervals.tiou),
    },
    "CeeZh/SILVR": {
        "videomme.extract_characters_regex": _silvr("ABCD"),
        "cgbench.extract_characters_regex": _silvr("ABCDEFGH"),
        "egolife.extract_characters_regex": _silvr("ABCD"),
        "minerva.extract_characters_regex": _silvr("ABCDE"),
        "mlvu.extract_characters_regex": plain(choice.bracket_letter),
        "mmworld.extract_characters_regex": _capital("D", choice.JOINED_PREFIXES),
        "cinepile.extract_characters_regex": plain(lambda s: [choice.last_marked(s, "ABCDE"), ""]),
        "calculate_intervals_iou": plain(intervals.set_iou),
        "parse_open_response": plain(text.open_candidates),
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
        "mean_relative_accuracy": plain(lambda p, g: numbers.mra(abs(p), g)),
        "mra:cof MRA": plain(lambda p, g: numbers.mra(abs(p), g)),
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

EVALUATION: dict[tuple[str, str], Adapter] = {
    (repository, function): adapter
    for repository, functions in _BY_REPOSITORY.items()
    for function, adapter in functions.items()
}
"""(repository, function) -> adapter."""
