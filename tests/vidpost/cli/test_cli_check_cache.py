"""`vidpost check` remembers its result until something that it reads changes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from vidpost.catalog import loader
from vidpost.catalog.places import fingerprint
from vidpost.cli.main import main

GOOD = """id: a
name: A
status: listed
taxonomy: []
added: 2026-01-01
paper: {title: About a, doi: 10.1234/a}
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "catalog/methods").mkdir(parents=True)
    (tmp_path / "catalog/methods/a.yaml").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["check", *args])
    return result.exit_code, result.output


def test_a_result_is_kept(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "catalog/methods/a.yaml").write_text(GOOD.replace("2026", "2999"))
    first = check()
    assert first[0] == 1 and "error[future-date]" in first[1]

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("the catalogue was read again")

    monkeypatch.setattr(loader, "load", refuse)
    assert check() == first
    assert check("--format", "json")[0] == 1
    with pytest.raises(AssertionError, match="read again"):
        CliRunner().invoke(main, ["check", "--no-cache"], catch_exceptions=False)


@pytest.mark.parametrize("how", ["edit", "add", "remove", "touch back"])
def test_every_change_counts(root: Path, how: str) -> None:
    assert check()[0] == 0
    path = root / "catalog/methods/a.yaml"
    if how == "edit":
        path.write_text(GOOD.replace("2026", "2999"))
    elif how == "add":
        (root / "catalog/methods/b.yaml").write_text("id: c\n")
    elif how == "remove":
        path.write_text("id: b\n")
        path.unlink()
        assert "0 entries" in check()[1]
        return
    else:  # the same size and the same time of change as before
        import os

        status = path.stat()
        path.write_text(GOOD.replace("2026-01", "2999-01"))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert check()[0] == 1


def test_a_damaged_cache_is_none(root: Path) -> None:
    first = check()
    for text in ("", "{}", "[1]", '{"key": 1, "diagnostics": 3}'):
        (root / ".cache/check.json").write_text(text)
        assert check() == first


def test_contracts_are_another_result(root: Path) -> None:
    (root / "reproductions/metrics").mkdir(parents=True)
    (root / "reproductions/metrics/nobody.py").write_text('"""N."""\n')
    assert check("--no-contracts")[0] == 0
    assert check()[0] == 1


def test_the_fingerprint(tmp_path: Path) -> None:
    first = fingerprint([tmp_path], "a")
    assert first == fingerprint([tmp_path], "a") != fingerprint([tmp_path], "b")
    assert fingerprint([tmp_path / "none"]) == fingerprint([tmp_path / "none"])
    (tmp_path / "x").write_text("1")
    second = fingerprint([tmp_path], "a")
    assert second != first
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__/x.pyc").write_text("1")
    assert fingerprint([tmp_path], "a") == second
    assert sys.version
