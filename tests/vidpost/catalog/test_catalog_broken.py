"""Every code has a broken example under tests/data/broken; its messages are compared in full."""

from __future__ import annotations

from pathlib import Path

import pytest
from broken_fixtures import BASE, FOLDER, problems, unpack

from vidpost.catalog import examples
from vidpost.catalog.diagnostics import CODES

FIXTURES = sorted(path.stem for path in FOLDER.glob("[!_]*.txt"))
NOT_AS_TEXT = {"too-large"}  # a fixture of a megabyte; see test_catalog_yaml.py


def test_every_code_has_a_fixture_and_every_fixture_a_code() -> None:
    assert set(FIXTURES) | NOT_AS_TEXT == set(CODES)
    assert not set(FIXTURES) & NOT_AS_TEXT


def test_the_base_of_all_fixtures_is_clean(tmp_path: Path) -> None:
    unpack(BASE, tmp_path)
    assert problems(tmp_path) == []


@pytest.mark.parametrize("code", FIXTURES)
def test_messages(code: str, tmp_path: Path) -> None:
    unpack(BASE, tmp_path)
    expected = unpack((FOLDER / f"{code}.txt").read_text(encoding="utf-8"), tmp_path)
    found = problems(tmp_path)
    assert found == expected
    assert any(f"[{code}] " in line for line in found)


@pytest.mark.parametrize("code", FIXTURES)
def test_messages_say_what_to_do(code: str) -> None:
    for line in examples.parse((FOLDER / f"{code}.txt").read_text(encoding="utf-8")).expected:
        message = line.partition("] ")[2]
        assert message.count(". ") + message.count("? ") + message.endswith((".", "?")) >= 1, line
        assert not message.startswith("Input"), line


NOT_ON_A_LINE = {"no-card", "unreadable"}  # mended by a file: `vidpost card promote`, a permission


@pytest.mark.parametrize("code", sorted(set(FIXTURES) - NOT_ON_A_LINE))
def test_the_good_example_is_good(code: str, tmp_path: Path) -> None:
    """What the page of codes shows as right brings no message of this code about that file."""
    fixture = examples.parse((FOLDER / f"{code}.txt").read_text(encoding="utf-8"))
    assert fixture.changes
    unpack(BASE, tmp_path)
    for name, text in {**fixture.files, **fixture.mended()}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    about = {change.file for change in fixture.changes} | {
        line.partition(":")[0] for line in fixture.expected if len(fixture.files) == 1
    }
    left = [line for line in problems(tmp_path) if line.partition(":")[0] in about]
    assert [line for line in left if f"[{code}] " in line] == []


def test_every_code_on_a_line_has_an_example() -> None:
    shown = examples.read(FOLDER.parents[2])
    assert set(shown) == set(FIXTURES) - NOT_ON_A_LINE
    for code, example in shown.items():
        assert f"[{code}] " in example.message
        assert example.bad != example.good
