"""Letters and numbers as single tasks of lmms-eval @75571cf read them.

Each task has a parser of its own; here are those that no golden file records. "" means that no
letter was read. The parsers with recorded cases are in `rewards.official.evaluation`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from reproductions.shared.rewards import choice, numbers
from reproductions.shared.rewards.official import evaluation as official

CG_BENCH = "ABCDEFGHIJKLMN"


def cover(text: str) -> str:
    """COVER: a leading A..F, in under 50 characters a lone A..D, else the first character."""
    text = text.strip()
    found = re.match(r"[(\s]*+([A-Fa-f])[).:\s]", text) or re.match(r"([A-Fa-f])\b", text)
    if not found and len(text) < 50:
        found = re.search(r"\b([A-Da-d])\b", text)
    return (found.group(1) if found else text[:1]).upper()


def lsdbench(text: str) -> str:
    """LSDBench: the last capital A..D that no letter touches."""
    found = re.findall(r"(?<![a-zA-Z])[ABCD](?![a-zA-Z])", text)
    return str(found[-1]) if found else ""


def cinepile(text: str, contents: Mapping[str, str]) -> str:
    """CinePile: the letter alone, or behind "Answer:" with nothing or its option, or the option."""
    text = text.replace("*", "").strip()
    if re.fullmatch("[A-E]", text, re.IGNORECASE):
        return text.upper()
    found = re.search(r"Answer:\s*+([A-E])\)?\.?\s*(.*)", text, re.IGNORECASE)
    said = (found.group(2) if found else text).strip().lower()
    if found and not said:
        return found.group(1).upper()
    same = [x for x, t in contents.items() if t.strip().lower() == said]
    if found:
        same = [x for x in same if x == found.group(1).upper()]
    return same[0] if same else ""


def motionbench(text: str) -> str:
    """MotionBench: behind the thought a lone A..F in any case, one before a mark, then any."""
    text = text.rsplit("</think>", 1)[-1].upper()
    for phrase in (*(f"THE {x}ANSWER IS" for x in ("BEST ", "CORRECT ", "")), "BEST ANSWER:"):
        text = text.replace(phrase, "")
    text = text.replace("ANSWER:", "")
    for pattern in (r"\b([A-F])\b", r"([A-F])[.):]", r"([A-F])"):
        found = re.search(pattern, text)
        if found:
            return found.group(1)
    return ""


def _bare(text: str) -> str:
    return " ".join(re.sub(r"[^a-z0-9\s]", " ", text.lower()).split())


_NEPTUNE = (
    r"ANSWER\s*+(?:IS|:)?\s*+[(\[]?\s*+([A-E])\s*+[)\]]?",
    r"OPTION\s*+([A-E])",
    r"\(([A-E])\)",
    r"\b([A-E])[).]",
)


def neptune(text: str, contents: Mapping[str, str]) -> str:
    """Neptune: the letter alone, the last one told, in brackets or before a mark, an option's text.

    Of up to three words the first lone letter counts, of several options in the text the first.
    """
    upper = text.strip().upper()
    found = re.findall(r"\A[(\[]?\s*+([A-E])\s*+[)\].:-]?\s*+\Z", upper)
    for pattern in _NEPTUNE:
        found = found or re.findall(pattern, upper)
    if not found and len(upper.split()) <= 3:
        found = re.findall(r"\b([A-E])\b", upper)[:1]
    if found:
        return str(found[-1])
    said = _bare(text)
    return next((x for x, t in contents.items() if _bare(t) and _bare(t) in said), "")


def scivideobench(text: str) -> str:
    """SciVideoBench: the first capital A..L, else a random option."""
    phrases = ("The answer is", "The correct answer is", "The best answer is", "Answer:", "Option:")
    more = ("### Final Answer:\n$$\\boxed", "the final answer is")
    return choice.first_capital(text, "L", (*phrases, *more)) or official.RANDOM


_THREEDSR = (
    r"\A([A-D])[.\s)]",
    r"\A([A-D])\Z",
    r"[Aa]nswer[:\s]++([A-D])",
    r"[Tt]he answer is[:\s]++([A-D])",
    r"[Mm]y answer is[:\s]++([A-D])",
    r"\(([A-D])\)",
    r"([A-D])\.",
    r"\b([A-D])\b",
)


def threedsr_bench(text: str) -> str:
    """3DSRBench: a leading capital, one behind "answer", in brackets, before a point, alone."""
    text = text.strip()
    found = next(filter(None, (re.search(p, text) for p in _THREEDSR)), None)
    return found.group(1) if found else ""


def omni_bench(text: str, letters: Sequence[str]) -> str:
    """OmniBench: MMMU's forms without stripping marks."""
    text = f" {text.strip()} "
    for form in ("(*)", "* ", "*."):
        found = [x for x in letters if form.replace("*", x) in text]
        if found:
            told = form if form == "(*)" else " * "
            return max(found, key=lambda x: text.rfind(told.replace("*", x)))
    return ""


def vitcot(text: str) -> str:
    """ViTIB's own script: the first capital behind "Answer:", line breaks aside."""
    found = re.search(r"Answer:\s*+([A-Z])", text.replace("\n", ""))
    return found.group(1) if found else ""


def count(text: str) -> float:
    """CG-AV-Counting: the first number behind the thought, else the sum of number words, else 0."""
    text = text.lower().rsplit("</think>", 1)[-1].replace(",", "")
    found = re.search(r"[-+]?\d++(?:\.\d++)?+", text)
    if found:
        return float(found.group())
    return float(sum(numbers.WORDS.get(w, 0) for w in re.findall("[a-z]+", text)))
