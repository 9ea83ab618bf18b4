from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidpost.catalog import strict_yaml
from vidpost.catalog.strict_yaml import Positions, parse

SAFE_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=12)
JSON_DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | SAFE_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(SAFE_TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(JSON_DATA)
def test_json_means_the_same_as_yaml(data: Any) -> None:
    text = json.dumps(data, ensure_ascii=False)
    found, problems = parse(text)
    problems = [p for p in problems if p.code != "anchor"]  # a "<<" key is refused
    assert found == data
    assert problems == []


@given(st.text(max_size=80))
def test_any_text_gives_data_or_a_problem_and_never_raises(text: str) -> None:
    data, problems = parse(text, Positions())
    for problem in problems:
        assert problem.code in {
            *("yaml", "alias", "anchor", "tag", "duplicate-key", "key", "ambiguous-word"),
            "several-documents",
        }
        assert problem.line >= 1
        assert problem.col >= 1
    if any(p.code == "yaml" for p in problems):
        assert data is None


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("12", 12),
        ("-3", -3),
        ("0.5", 0.5),
        ("1e-6", 1e-6),
        ("2503.21770", 2503.2177),
        ("'2503.21770'", "2503.21770"),
        ("007", "007"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("0x10", "0x10"),
        ("2026-11-22", "2026-11-22"),
        ("true", True),
        ("'no'", "no"),
        ("", None),
        ("null", None),
        ("nan", "nan"),
        (".inf", ".inf"),
        ("9" * 30, "9" * 30),
    ],
)
def test_scalars(written: str, read: object) -> None:
    data, problems = parse(f"a: {written}")
    assert problems == []
    assert data == {"a": read}
    assert type(data["a"]) is type(read)


@pytest.mark.parametrize("word", ["yes", "No", "ON", "off", "True", "FALSE", "Null"])
def test_words_that_are_booleans_to_some_readers(word: str) -> None:
    _, problems = parse(f"a: {word}")
    assert [p.code for p in problems] == ["ambiguous-word"]
    assert f'"{word}"' in problems[0].message


def test_too_large() -> None:
    _, problems = parse("a: " + "x" * strict_yaml.MAX_BYTES)
    assert [p.code for p in problems] == ["too-large"]


def test_too_deep() -> None:
    limit = strict_yaml.MAX_DEPTH
    assert parse("[" * limit + "]" * limit)[1] == []
    data, problems = parse("[" * (limit + 1) + "]" * (limit + 1))
    assert data is None
    assert "deeper" in problems[0].message
    assert parse("[" * 100_000)[1][0].code == "yaml"


def test_positions() -> None:
    positions = Positions()
    parse("a:\n  - {b: 1}\n  - c\n", positions)
    assert positions.of(("a", 0, "b")) == (2, 9)
    assert positions.of(("a", 0, "b"), key=True) == (2, 6)
    assert positions.of(("a", 1)) == (3, 5)
    assert positions.of(("a", 0, "nothing")) == (2, 5)
    assert positions.of(("nothing",)) == (1, 1)


def test_the_python_parser_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: [1, 'x', no]\nb: &y {c: *y}\nb: 2\n"
    fast = parse(text)
    monkeypatch.setattr(strict_yaml, "_Parser", strict_yaml.yaml.Loader)
    assert parse(text) == fast
