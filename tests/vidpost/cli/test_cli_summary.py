"""The summary of a pull request, in a real git repository."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from vidpost.catalog.diagnostics import CatalogError
from vidpost.catalog.loader import find_root, load
from vidpost.cli import summary

ROOT = find_root(Path(__file__))
NASTY = '"@team <img src=x onerror=alert(1)> | a | [x](javascript:y)"'
ENTRY = f"""id: pebbles
name: Pebbles
added: 2026-11-22
status: listed
paper:
  title: {NASTY}
  arxiv_id: "2611.98765"
  authors: [Ada River]
  year: 2026
taxonomy: [rl_policy_t_grpo]
evaluated_on: [no_such_benchmark]
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("summary")
    for part in ("catalog", "reproductions"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))

    def git(*args: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", "-C", str(root), *identity, *args], check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    git("switch", "-q", "-c", "add/pebbles")
    (root / "catalog/methods/pebbles.yaml").write_text(ENTRY)
    path = root / "catalog/methods/video_r1.yaml"
    path.write_text(path.read_text().replace("added: 2026-11-2", "added: 2026-10-2"))
    (root / "catalog/methods/zip_r1.yaml").unlink(missing_ok=True)
    git("add", "-A")
    git("commit", "-q", "-m", "second")
    return root


def test_the_comment(repository: Path) -> None:
    files = summary.changed(repository, "main")
    assert files["catalog/methods/pebbles.yaml"] == "A"
    assert files["catalog/methods/video_r1.yaml"] == "M"
    text = summary.summarise(load(repository), files)
    assert text.startswith(summary.MARKER)
    assert "| `catalog/methods/pebbles.yaml` | new | listed | 1 | 0 |" in text
    needs = "a summary; an idea; pillars (sft, rl, tts); a baseline ("
    assert f"for the rung `described` it needs: {needs}" in text
    inside = [line for line in text.splitlines() if "onerror" in line]
    assert inside and all(line.startswith("    ") for line in inside)


def test_an_unknown_base(repository: Path) -> None:
    with pytest.raises(CatalogError, match="git cannot compare with 'nowhere'"):
        summary.changed(repository, "nowhere")


def test_the_workflow_gives_no_token_to_the_pull_requests_code() -> None:
    import yaml

    flow = yaml.safe_load((ROOT / ".github/workflows/summary.yml").read_text())
    assert flow["jobs"]["write"]["permissions"] == {"contents": "read"}
    assert not any("checkout" in str(step) for step in flow["jobs"]["post"]["steps"])
    for job in flow["jobs"].values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")
