"""A run's result in words, and its numbers as the report prints them."""

from __future__ import annotations

import math
import re
from typing import Any

from markupsafe import Markup

from reproductions.shared.evaluation.plots import MINUS
from reproductions.shared.evaluation.run_folder import NAMES, Run, after, number

_HIDDEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def visible(text: str) -> str:
    """Write out characters that hide or reorder text, such as bidirectional marks: [U+202E]."""
    if isinstance(text, Markup):
        return text
    return _HIDDEN.sub(lambda match: f"[U+{ord(match[0]):04X}]", text)


def percent(value: Any) -> str:
    """A share as percent with one decimal, without the sign: 0.6 -> "60.0"."""
    share = number(value)
    return "n/a" if share is None else f"{100 * share:.1f}".replace("-", MINUS)


def points(value: Any) -> str:
    """A difference of shares in percentage points, with its sign: 0.24 -> "+24.0"."""
    share = number(value)
    return "n/a" if share is None else f"{100 * share:+.1f}".replace("-", MINUS)


def p_text(value: Any) -> str:
    """A p-value as it is printed in a table; with its relation: "= 0.012", "< 0.001"."""
    share = number(value)
    if share is None:
        return "not tested"
    return "< 0.001" if share < 0.001 else f"= {share:.3f}"


def duration(seconds: Any) -> str:
    """Seconds in words: 75 -> "1 min 15 s"."""
    total = number(seconds)
    if total is None:
        return "n/a"
    if total < 60:
        return f"{total:.1f} s"
    minutes, rest = divmod(round(total), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def sentence(text: str) -> str:
    """The text with a capital first letter; the rest stays, unlike with str.capitalize."""
    return text[:1].upper() + text[1:]


def verdict(run: Run) -> dict[str, str]:
    """The result in plain words: `word` (gain, loss, undecided, none), `head` and `text`.

    A gain or loss is stated only if the interval of the last step's difference excludes zero and
    the test agrees at the same level.
    """
    names = run.checkpoints
    rows = {row["checkpoint"]: row for row in run.rows if row["task"] == "all"}
    last = rows.get(names[-1]) if names else None
    if last is None:
        return {
            "word": "none",
            "head": "Not evaluated.",
            "text": "This run holds no scores, so nothing can be said about the method yet.",
        }
    what, now, n = run.metric, after(names[-1]), f"{last['n']:,}"
    level = run.level
    test = next(
        (
            c
            for a in reversed(names[:-1])
            for c in run.comparisons
            if (c["a"], c["b"], c["task"]) == (a, names[-1], "all") and a in rows
        ),
        None,
    )
    if test is None:
        text = f"{sentence(now)}, {what} is {percent(last['score'])} % on {n} questions"
        if last["interval"]:
            low, high = last["interval"]
            text += f" ({100 * level:g} % interval {percent(low)} to {percent(high)})"
        text += ". It was not tested against an earlier checkpoint."
        return {"word": "none", "head": "Measured, not compared.", "text": _no_break(text)}
    low, high = test["interval"] or (math.nan, math.nan)
    sure = test["p_value"] is not None and test["p_value"] < 1 - level
    stage = NAMES.get(names[-1], names[-1])
    if sure and low > 0:
        word, head, verb = "gain", f"{stage} helped.", "rose from {} to {}"
    elif sure and high < 0:
        word, head, verb = "loss", f"{stage} hurt.", "fell from {} to {}"
    else:
        word, head = "undecided", f"No difference shown by {stage}."
        verb = "was {} and {}"
    was = f"{percent(rows[test['a']]['score'])} % {after(test['a'])}"
    text = f"{sentence(what)} {verb.format(was, percent(last['score']) + ' % ' + now)}, "
    text += f"on the same {n} questions: {points(test['difference'])} points"
    if math.isfinite(low):
        text += f" ({100 * level:g} % interval {points(low)} to {points(high)}, "
        text += f"p {p_text(test['p_value'])})"
    text += "."
    if word == "undecided":
        text += " A difference of that size can be luck; this does not prove that there is none."
    return {"word": word, "head": head, "text": _no_break(text)}


def _no_break(text: str) -> str:
    """The text with numbers kept beside their signs and units."""
    return re.sub(r" (?=%|points|[<=] 0)|(?<=[<=]) (?=0)", "\N{NO-BREAK SPACE}", text)
