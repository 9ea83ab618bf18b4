"""Multiple choice: from what a model wrote to the option letter it means.

Projects read letters in very different ways, and the same completion is right for one and wrong
for the next. These are the ways; `rules.py` and `official` say who uses which. "" means that no
letter was read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

JOINED_PREFIXES = (
    "The best answer is",
    "The correct answer is",
    "The answer is",
    "The answer",
    "The best option isThe correct option is",
    "Best answer:Best option:",
)
"""Phrases deleted before reading a letter. Two missing commas join four of them into two, so that
"Best option: D" is read as B; kept because published numbers depend on it."""
PREFIXES = (
    *JOINED_PREFIXES[:4],
    "The best option is",
    "The correct option is",
    "Best answer:",
    "Best option:",
)
MARKS = ",.!?;:'"
"""Punctuation that the MMMU family strips from both ends, one character after the other."""
_TOLD = ("answer", "correct answer", "best answer", "correct option", "best option", "choice")
TOLD_PHRASES = (
    *(f"{the}{what} is" for what in (*_TOLD, "correct choice") for the in ("the ", "")),
    *("i choose", "i select", "i pick", "my answer is", "my choice is"),
    *("옵션", "정답은", "답은", "답:", "答案是", "答案为", "选", "答えは"),
)
"""Phrases behind which lmms-eval's `mcq_extract` looks for the letter."""


def without(text: str, phrases: Sequence[str]) -> str:
    """The text without any occurrence of the phrases, deleted one after the other."""
    for phrase in phrases:
        text = text.replace(phrase, "")
    return text


def first_capital(text: str, last: str = "D", prefixes: Sequence[str] = ()) -> str:
    """The first capital A..`last` anywhere ("Because" gives B), after deleting `prefixes`."""
    found = re.search(f"[A-{last}]", without(text, prefixes))
    return found.group() if found else ""


def word_letter(text: str, last: str = "E", *, ignore_case: bool = True, which: int = 0) -> str:
    """A letter A..`last` that stands alone as a word; `which` 0 is the first, -1 the last."""
    found = re.findall(rf"\b[A-{last}]\b", text, re.IGNORECASE if ignore_case else 0)
    return str(found[which]).upper() if found else ""


def leading_letter(text: str) -> str:
    """The first letter if the text starts with one, else the whole text; upper case (Video-RTS)."""
    text = text.strip()
    found = re.match("[A-Za-z]", text)
    return (found.group() if found else text).upper()


def bracket_letter(text: str) -> str:
    """The character before the first ")", else the stripped text (MLVU)."""
    at = text.find(")")
    return text[at - 1 : at] if at >= 0 else text.strip()


def ladder(text: str, letters: str, forms: Sequence[str]) -> str:
    """The first letter for which a form occurs as a substring, form group by form group.

    Args:
        text: The answer.
        letters: Option letters in the order in which they are tried.
        forms: Templates with `*` for the letter; "|" separates the forms of one group.
    """
    for group in forms:
        for letter in letters:
            if any(form.replace("*", letter) in text for form in group.split("|")):
                return letter
    return ""


def last_marked(
    text: str,
    letters: Sequence[str],
    contents: Mapping[str, str] | None = None,
    *,
    forms: Sequence[str] = ("*.|*:", "(*)", "* "),
) -> str:
    """The MMMU family: the option written in the strongest form, the last one if several are.

    Args:
        text: The answer; `MARKS` are stripped from its ends and a blank is put on both sides.
        letters: Option letters.
        contents: Option texts; looked for in answers of more than five words without a letter.
        forms: Form groups, strongest first, as in `ladder`. Video-MMMU, EgoSchema and SiLVR:
            "X." or "X:", "(X)", "X ". MMMU, NExT-QA: "(X)", "X ", "X.".
    """
    for mark in MARKS:
        text = text.strip(mark)
    text = f" {text} "
    for group in forms:
        kinds = group.split("|")
        found = [x for kind in kinds for x in letters if kind.replace("*", x) in text]
        if found:
            # Ties are broken by the last place of the first form that occurs at all; a bare "X "
            # is searched as " X ", and nothing found anywhere leaves the first candidate.
            kind = next(k for k in kinds if any(k.replace("*", x) in text for x in letters))
            kind = "* " if kind == "*." and group == "*." else kind
            kind = " * " if kind == "* " else kind
            return max(found, key=lambda x: text.rfind(kind.replace("*", x)))
    if contents and len(text.split()) > 5:
        lower = text.lower()
        named = [x for x, content in contents.items() if content.lower() in lower]
        if named:
            return max(named, key=lambda x: lower.rfind(contents[x].lower()))
    return ""


def position_letter(text: str, letters: Sequence[str] = "ABCD") -> str:
    """lmms-eval since August 2026 (`mcq_extract`): the place of a letter decides before its marks.

    After stripping marks from both ends: the first character unless it starts a word, then the last
    one unless it ends a word. Then every phrase of `TOLD_PHRASES` counts with its first occurrence
    and every letter with its first place behind it; the latest place wins. Then the last "(X)",
    "X.", "X:", "X)", "X "; at last the last capital anywhere.
    """
    text = text.strip()
    for mark in (*MARKS, '"'):
        text = text.strip(mark)
    bare = text.strip()
    if bare and bare[0] in letters and not bare[1:2].isalpha():
        return bare[0]
    if bare and bare[-1] in letters and not bare[-2:-1].isalpha():
        return bare[-1]
    lower = text.lower()
    # Most phrases end in one of three; a search through 100 kB for each of them would take 5 ms.
    ends = tuple(end for end in ("answer is", "option is", "choice is") if end in lower)
    phrases = [p for p in TOLD_PHRASES if not p.endswith(" is") or p.endswith(ends)]
    starts = [at + len(p) for p in phrases if (at := lower.find(p)) >= 0]
    told = {x: max((text.find(x, at) for at in starts), default=-1) for x in letters}
    ranks = [told]
    for form in ("(*)", "*.", "*:", "*)", "* ", "*"):
        ranks.append({x: f"{text} ".rfind(form.replace("*", x)) for x in letters})
    for places in ranks:
        best = max(places, key=lambda x: places[x], default="")
        if best and places[best] >= 0:
            return best
    return ""


def only_letter(text: str, gold: str, last: str = "j") -> bool:
    """Whether the lower-cased text holds the gold letter and no other a..`last` (VerIPO).

    "B. a red car" fails because of a, c, d and e.
    """
    lower = text.lower()
    letters = {chr(c) for c in range(ord("a"), ord(last) + 1)}
    return bool(gold) and gold.lower() in lower and letters.intersection(lower) <= {gold.lower()}


def letter_set(text: str) -> set[str]:
    """Letters separated by commas, blanks removed: "A, B" -> {"A", "B"} (TW-GRPO)."""
    return {letter.strip() for letter in text.replace(" ", "").split(",")}


def subset_score(pred: set[str], gold: set[str]) -> float:
    """|pred| / |gold| if all predicted options are right, else 0.0 (TW-GRPO's soft reward)."""
    return len(pred) / len(gold) if pred <= gold else 0.0
