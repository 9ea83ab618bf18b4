"""Every code has a broken example under tests/data/broken; its messages are compared in full."""

from __future__ import annotations

from pathlib import Path

import pytest
from broken_fixtures import BASE, FOLDER, problems, unpack

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
    text = (FOLDER / f"{code}.txt").read_text(encoding="utf-8")
    for line in text.partition("--- expected\n")[2].splitlines():
        message = line.partition("] ")[2]
        assert message.count(". ") + message.count("? ") + message.endswith((".", "?")) >= 1, line
        assert not message.startswith("Input"), line
