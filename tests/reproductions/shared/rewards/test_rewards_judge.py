"""The scripted judges: what shares of words and of events are worth, by hand."""

from __future__ import annotations

import pytest

from reproductions.shared.rewards.judge import by_words, events_named


@pytest.mark.parametrize(
    ("answer", "strict", "lenient"),
    [
        ("moves left", 1.0, 1.0),
        ("Left moves", 1.0, 1.0),
        ("moves", 0.5, 0.5),
        ("moves up", 0.0, 0.5),
        ("red moves left", 0.0, 1.0),
        ("stays", 0.0, 0.0),
        ("", 0.0, 0.0),
    ],
)
def test_words(answer, strict, lenient):
    assert by_words("?", answer, "moves left") == strict
    assert by_words("?", answer, "moves left", lenient=True) == lenient


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("1.0s red; 3.0s Blue", (1.0, 1.0)),
        ("3.0s blue", (0.5, 1.0)),
        ("3.0s blue; 4.0s blue; 5.0s blue; 1.0s red", (1.0, 0.5)),
        ("", (0.0, 0.0)),
    ],
)
def test_events(answer, expected):
    assert events_named(answer, "1.0s red; 3.0s blue") == expected
