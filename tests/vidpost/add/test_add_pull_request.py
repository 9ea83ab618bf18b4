"""`vidpost add --open-pr` in a real git repository, with and without a `gh`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from vidpost.add import pull_request
from vidpost.catalog.diagnostics import CatalogError


def git(folder: Path, *args: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *args], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in (("NAME", "a"), ("EMAIL", "a@example.org")):
        monkeypatch.setenv(f"GIT_AUTHOR_{name}", value)
        monkeypatch.setenv(f"GIT_COMMITTER_{name}", value)
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    (root / "kept.txt").write_text("1")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    (root / "kept.txt").write_text("2")  # a change of the user's, which must stay uncommitted
    return root


def written(root: Path) -> list[Path]:
    path = root / "catalog" / "x.yaml"
    path.parent.mkdir()
    path.write_text("id: x\n")
    return [path]


def test_without_gh_it_says_the_commands(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pull_request.shutil, "which", lambda _: None)
    branch = pull_request.prepare(repository, "x")
    said = pull_request.open_pull_request(repository, branch, written(repository), "Add method x")
    assert git(repository, "branch", "--show-current") == "add/x"
    assert git(repository, "show", "--name-only", "--format=%s") == "Add method x\n\ncatalog/x.yaml"
    assert git(repository, "status", "--porcelain") == "M kept.txt"
    assert "git push --set-upstream origin add/x" in said[2]
    assert said[3].strip().startswith("gh pr create --title 'Add method x'")


def test_with_gh_it_pushes_and_opens(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "-q", "--bare", "origin.git")
    git(repository, "remote", "add", "origin", str(tmp_path / "origin.git"))
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "gh").write_text('#!/bin/sh\nprintf "%s\\n" "$@" > "$(dirname "$0")/said"\necho url\n')
    (tools / "gh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    branch = pull_request.prepare(repository, "x")
    said = pull_request.open_pull_request(repository, branch, written(repository), "Add method x")
    assert said[-1] == "url"
    assert git(tmp_path / "origin.git", "log", "-1", "--format=%s", "add/x") == "Add method x"
    assert (tools / "said").read_text().splitlines()[:4] == [
        "pr",
        "create",
        "--title",
        "Add method x",
    ]


def test_what_is_refused(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="needs git and a repository"):
        pull_request.prepare(tmp_path, "x")
    git(repository, "branch", "add/x")
    with pytest.raises(CatalogError, match="branch add/x exists"):
        pull_request.prepare(repository, "x")
    git(repository, "add", "kept.txt")
    with pytest.raises(CatalogError, match="changes are staged"):
        pull_request.prepare(repository, "y")
