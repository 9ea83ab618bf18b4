from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from small_site import SPARSE, make_root, write_entry

from vidpost.cli.site import site


def test_build_says_what_is_wrong_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_root(tmp_path / "root")
    write_entry(root, "methods", {**SPARSE, "taxonomy": ["no_such_word"]})
    monkeypatch.chdir(root)
    result = CliRunner().invoke(site, ["build"])
    assert result.exit_code == 1
    assert "catalog/methods/sparse.yaml:" in result.output and "no_such_word" in result.output
    assert "Traceback" not in result.output and not (root / "site").exists()


def test_help_needs_no_mkdocs() -> None:
    result = CliRunner().invoke(site, ["--help"])
    assert result.exit_code == 0 and "build" in result.output and "serve" in result.output
