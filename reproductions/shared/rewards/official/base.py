"""What all adapters share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from reproductions.shared.rewards import rules
from reproductions.shared.rewards.tags import text_of

Arguments = dict[str, Any]
Adapter = Callable[[Arguments], Any]


class Failed(float):
    """Score 0.0 in place of an exception of the published code, with the exception's name."""

    error: str

    def __new__(cls, error: str) -> Failed:
        """A zero that remembers `error`."""
        zero = super().__new__(cls, 0.0)
        zero.error = error
        return zero


def each(
    function: Callable[..., Any], *columns: str, errors: tuple[type[Exception], ...] = ()
) -> Adapter:
    """An adapter for a batch: `function(text, *columns of that sample)` for each completion.

    Args:
        function: Scores one sample.
        columns: Names of its further arguments.
        errors: What it raises where the published code raises the same; fails the whole batch.
    """

    def adapter(arguments: Arguments) -> Any:
        texts = [text_of(c) for c in arguments["completions"]]
        rows = zip(texts, *(arguments[c] for c in columns), strict=False)
        try:
            return [function(*row) for row in rows]
        except errors as error:
            return Failed(type(error).__name__)

    return adapter


def plain(function: Callable[..., Any], *names: str) -> Adapter:
    """An adapter that passes the named arguments, or all in the recorded order."""

    def adapter(arguments: Arguments) -> Any:
        values = [arguments[n] for n in names] if names else arguments.values()
        return function(*values)

    return adapter


def scored(rule: str, scale: float = 1.0, *, wrap: bool = True, field: str = "") -> Adapter:
    """An adapter for an accuracy rule: a batch, or one `completion` with its `ground_truth`.

    Args:
        rule: A key of `rules.ACCURACY`.
        scale: Factor of the published reward in a batch.
        wrap: Whether a lone ground truth belongs into answer tags.
        field: Key under which a sample's solution holds the gold.
    """

    def adapter(arguments: Arguments) -> Any:
        if "completion" in arguments:
            gold = arguments["ground_truth"]
            gold = f"<answer>{gold}</answer>" if wrap else gold
            return rules.score(rule, arguments["completion"], gold, CHOICE, safe=False)
        kinds: Sequence[str] = arguments.get("problem_type") or [CHOICE]
        golds = [g[field] if field else g for g in arguments["solution"]]
        return [
            scale * rules.score(rule, text_of(c), str(g), kinds[0], safe=False)
            for c, g in zip(arguments["completions"], golds, strict=False)
        ]

    return adapter


def formatted(rule: str) -> Adapter:
    """An adapter for a format rule: a batch, or one `completion`."""
    check = rules.FORMATS[rule]

    def adapter(arguments: Arguments) -> Any:
        if "completion" in arguments:
            return check(arguments["completion"])
        return [check(text_of(c)) for c in arguments["completions"]]

    return adapter


CHOICE = "multiple choice"
