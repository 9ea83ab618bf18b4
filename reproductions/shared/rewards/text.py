"""Similarity of short texts: word error rate, ROUGE, token F1, ANLS.

Long predictions are cheap: a bound decides before a quadratic comparison starts.
"""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Hashable, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from importlib import import_module
from typing import Any

_TOKEN = re.compile(r"[a-z0-9]+")


def edit_distance(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Levenshtein distance between two sequences (O(len(a) * len(b)))."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]


def word_accuracy(pred: str, gold: str) -> float:
    """1 - WER, in [0, 1]: WER is the word edit distance over max(1, words of the gold)."""
    p, g = pred.split(), gold.split()
    size = max(1, len(g))
    # The distance is at least the difference in length.
    if abs(len(p) - len(g)) >= size:
        return 0.0
    return max(0.0, 1.0 - edit_distance(g, p) / size)


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    try:
        return import_module("nltk.stem.porter").PorterStemmer()
    except ImportError:
        return None


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """The word's stem by Porter's rules as nltk has them; without nltk the word itself."""
    stemmer = _stemmer()
    return word if stemmer is None else str(stemmer.stem(word))


def _stem(token: str) -> str:
    return token if len(token) <= 3 else stem(token)


def rouge_tokens(text: str, *, stem: bool = True) -> list[str]:
    """Tokens as rouge_score makes them: lower case, [a-z0-9] runs, stems of words over 3 letters.

    Porter's stemmer comes from nltk; without nltk the words stay unstemmed.
    """
    tokens = _TOKEN.findall(text.lower())
    return [_stem(t) for t in tokens] if stem else tokens


def _f1(common: int, pred: int, gold: int) -> float:
    return 2 * common / (pred + gold) if common else 0.0


def lcs_length(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Length of the longest common subsequence, one big-integer step an element of `a`."""
    where: dict[Hashable, int] = {}
    for j, y in enumerate(b):
        where[y] = where.get(y, 0) | 1 << j
    full = (1 << len(b)) - 1
    row = full
    for x in a:
        hit = row & where.get(x, 0)
        row = (row + hit | row - hit) & full
    return len(b) - row.bit_count()


def rouge(pred: str, gold: str) -> dict[str, float]:
    """F-measures of ROUGE-1, ROUGE-2 and ROUGE-L, each in [0, 1], as rouge_score 0.1.2."""
    g, p = rouge_tokens(gold), rouge_tokens(pred, stem=False)
    # Stemming keeps the first letter, so words with another one cannot match.
    starts = {t[0] for t in g}
    head = [_stem(t) if t[0] in starts else t for t in p]
    scores = {}
    for n in (1, 2):
        common = Counter(zip(*(head[i:] for i in range(n)), strict=False)) & Counter(
            zip(*(g[i:] for i in range(n)), strict=False)
        )
        sizes = max(len(p) - n + 1, 0), max(len(g) - n + 1, 0)
        scores[f"rouge{n}"] = _f1(common.total(), *sizes)
    scores["rougeL"] = _f1(lcs_length(head, g), len(p), len(g))
    return scores


def rouge_mean(pred: str, gold: str) -> float:
    """Mean F of ROUGE-1, ROUGE-2 and ROUGE-L (the free-form reward of Video-R1), in [0, 1]."""
    return sum(rouge(pred, gold).values()) / 3


def normalize(text: str) -> str:
    """Lower case, without punctuation and articles, single blanks (SQuAD's rule)."""
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def exact_match(pred: str, gold: str) -> float:
    """1.0 if both texts are equal after `normalize`."""
    return float(normalize(pred) == normalize(gold))


def token_f1(pred: str, gold: str) -> float:
    """F1 of shared words after `normalize`, in [0, 1]; 1.0 if both are empty."""
    p, g = normalize(pred).split(), normalize(gold).split()
    if not p and not g:
        return 1.0
    return _f1((Counter(p) & Counter(g)).total(), len(p), len(g))


def anls(pred: str, golds: Sequence[str], threshold: float = 0.5) -> float:
    """Normalised Levenshtein similarity to the best gold, 0 below `threshold`, in [0, 1]."""
    best = 0.0
    p = pred.strip().lower()
    for gold in golds:
        g = gold.strip().lower()
        size = max(len(p), len(g))
        if size == 0:
            return 1.0
        if min(len(p), len(g)) / size < threshold:
            continue
        best = max(best, 1.0 - edit_distance(p, g) / size)
    return best if best >= threshold else 0.0


def bleu(pred: str, gold: str, order: int = 4) -> float:
    """Sentence BLEU-4 on blank-separated words, in [0, 1].

    Orders without a match count .1 / possible n-grams (smoothing method 1 of Chen and Cherry), and
    a prediction without any common word scores 0.0.
    """
    p, g = pred.split(), gold.split()
    if not p:
        return 0.0
    log_sum = 0.0
    for n in range(1, order + 1):
        common = Counter(zip(*(p[i:] for i in range(n)), strict=False)) & Counter(
            zip(*(g[i:] for i in range(n)), strict=False)
        )
        hits, size = common.total(), max(1, len(p) - n + 1)
        if n == 1 and not hits:
            return 0.0
        log_sum += math.log((hits or 0.1) / size)
    brevity = 1.0 if len(p) > len(g) else math.exp(1 - len(g) / len(p))
    return brevity * math.exp(log_sum / order)


_ENDS = re.compile(r"\.\s(?=[A-Z])|\n")
_KEYS = (
    *("could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result ", "are "),
    *("in total ", "total ", "identify ", "recognize ", "calculated as ", "counted as "),
    *("measured as ", "observed as ", "concluded as ", "found to be ", "equals "),
    *("determined to be ", "number of ", "value is ", "adds up to ", "have ", "has "),
)
_COMMAS = re.compile(r"-?\b\d{1,3}(?:,\d{3})+\b")
_SCIENTIFIC = re.compile(r"-?(?<!\d)\d++(?:\.\d++)?+[eE][+-]?\d++")
_SIMPLE = re.compile(r"-?(?:(?<!\d)\d++\.\d++|\.\d++|(?<!\d)\d++\b)(?![eE][+-]?\d)(?![,\d])")


def open_form(text: str) -> list[float | str]:
    """An open answer as MMMU compares it: a number rounded to 2 digits, else lower-case text.

    A single character becomes two candidates with a blank before or after.
    """
    text = text.strip()
    try:
        return [round(float(text.replace(",", "")), 2)]
    except (ValueError, OverflowError):
        text = text.lower()
        return [f" {text}", f"{text} "] if len(text) == 1 else [text]


def open_candidates(response: str) -> list[float | str]:
    """Answers that MMMU reads from an open response: key phrases and the numbers in them.

    Of each sentence the shortest rest after "is ", "so ", "answer " and the like (in the last also
    "=") is a key phrase; without any the whole response is. No order, no duplicates.
    """
    response = response.strip().strip(".").lower()
    sentences = _ENDS.split(response)
    keys: list[str] = []
    for i, sentence in enumerate(sentences):
        marks = (*_KEYS, "=") if i == len(sentences) - 1 else _KEYS
        shortest = ""
        for rest in (sentence.rsplit(m, 1)[1].strip() for m in marks if m in sentence):
            # An empty rest is the shortest only until the next one.
            shortest = rest if not shortest or len(rest) < len(shortest) else shortest
        if shortest and shortest not in set(":,.!?;'"):
            keys.append(shortest)
    keys = keys or [response]
    texts = list(keys)
    for key in keys:
        for pattern in (_COMMAS, _SCIENTIFIC, _SIMPLE):
            texts.extend(pattern.findall(key))
    return list(dict.fromkeys(form for t in texts for form in open_form(t)))


def open_match(gold: str, candidates: Sequence[float | str]) -> bool:
    """Whether any candidate holds the gold text, or is the gold number (MMMU's `eval_open`)."""
    wanted = open_form(gold)
    for candidate in candidates:
        if isinstance(candidate, str):
            if any(isinstance(w, str) and w in candidate for w in wanted):
                return True
        elif candidate in wanted:
            return True
    return False


def differing(
    a: Sequence[Any], b: Sequence[Any], shortest: int = 1, *, autojunk: bool = False
) -> tuple[list[int], list[int]]:
    """Phrase ids of two token lists: 0 where they agree, k > 0 in the k-th differing phrase (RRPO).

    Matching blocks shorter than `shortest` count as differing; pure insertions stay 0. With
    `autojunk`, as in the published code, difflib ignores tokens that make up more than 1 % of a `b`
    of at least 200.
    """
    signs: tuple[list[int], list[int]] = ([0] * len(a), [0] * len(b))
    blocks = [
        m
        for m in SequenceMatcher(None, a, b, autojunk=autojunk).get_matching_blocks()
        if m.size >= max(1, shortest)
    ]
    i = j = phrase = 0
    for start_a, start_b, size in [*((m.a, m.b, m.size) for m in blocks), (len(a), len(b), 0)]:
        if start_a > i and start_b > j:  # what only one side has is no phrase
            phrase += 1
            signs[0][i:start_a] = [phrase] * (start_a - i)
            signs[1][j:start_b] = [phrase] * (start_b - j)
        i, j = start_a + size, start_b + size
    return signs
