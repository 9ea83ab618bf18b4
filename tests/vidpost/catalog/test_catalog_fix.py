"""`vidpost check --fix`: form is mended, facts and comments stay."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from broken_fixtures import BASE, unpack
from click.testing import CliRunner

from vidpost.catalog.loader import find_root, load
from vidpost.cli.main import main

MESSY = """# at the top
id: a
name: A
# why listed
status: listed
paper:
  title: A study of alpha
  arxiv_id: 2501.00010   # as a number
evaluated_on: [bench_b, bench_a, bench_b]
taxonomy: [leaf_a]
# of the day
added: 2026-01-01
# at the end
"""
TIDY = """# at the top
id: a
name: A
# of the day
added: 2026-01-01
# why listed
status: listed
paper:
  title: A study of alpha
  arxiv_id: "2501.00010"   # as a number
taxonomy: [leaf_a]
evaluated_on: [bench_a, bench_b]
# at the end
"""
BENCH = "id: bench_b\nname: Bench B\nstatus: listed\ntaxonomy: [leaf_a]\nadded: 2026-01-01\n"
BENCH += "paper: {title: Another measure, doi: 10.1234/b}\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    unpack(BASE, tmp_path)
    (tmp_path / "catalog/benchmarks/bench_b.yaml").write_text(BENCH)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["check", *args])
    return result.exit_code, result.output


def test_form_is_mended_and_comments_stay(root: Path) -> None:
    path = root / "catalog/methods/a.yaml"
    path.write_text(MESSY)
    code, said = check("--fix", "catalog/methods/a.yaml")
    assert (code, path.read_text()) == (0, TIDY), said
    assert "mended catalog/methods/a.yaml" in said
    assert "mended" not in check("--fix", "catalog/methods/a.yaml")[1]


def test_words_are_only_taken_when_asked(root: Path) -> None:
    path = root / "catalog/methods/a.yaml"
    text = TIDY.replace("bench_a", "bench_aa").replace("title: A", "titel: A")
    path.write_text(text)
    assert check("--fix")[0] == 1
    assert path.read_text() == text
    assert check("--fix-closest")[0] == 1  # the wrong key hid what its absence means
    check("--fix-closest")
    assert path.read_text() == TIDY


def test_other_files_are_left_alone(root: Path) -> None:
    path = root / "catalog/methods/a.yaml"
    path.write_text(MESSY)
    before = {p: p.read_bytes() for p in root.rglob("*.yaml")}
    check("--fix", "catalog/benchmarks")
    check("--fix", "catalog/taxonomy")
    assert {p: p.read_bytes() for p in root.rglob("*.yaml") if p.name == "a.yaml"} == {
        path: before[path]
    }


@pytest.mark.parametrize("text", ["- a\n- b\n", "id: [a\n", "id: a\nid: b\n", "\ttab: 1\n", ""])
def test_what_cannot_be_read_stays(root: Path, text: str) -> None:
    path = root / "catalog/methods/a.yaml"
    path.write_text(text)
    check("--fix-closest")
    assert path.read_text().strip() == text.strip()


def test_the_catalogue_means_the_same_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every entry of the real catalogue, put into form, says what it said."""
    shutil.copytree(find_root(Path(__file__)) / "catalog", tmp_path / "catalog")
    monkeypatch.chdir(tmp_path)
    before = load(tmp_path, cache=False)
    check("--fix", "--no-contracts", "catalog")
    after = load(tmp_path, cache=False)
    assert not [d for d in after.diagnostics if d.severity == "error"]
    for kind, entry in before.entries():
        other = after.of_kind(kind)[entry.id]
        for name in type(entry).model_fields:
            one, two = getattr(entry, name), getattr(other, name)
            assert one == two or set(one) == set(two), (entry.id, name)


def commit(folder: Path) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "all"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True)


def test_what_cannot_be_mended_and_was_not_named_stays(root: Path) -> None:
    path = root / "catalog/methods/a.yaml"
    text = MESSY.replace("arxiv_id: 2501.00010 ", 'arxiv_id: "2501.00010" ')
    path.write_text(text.replace("[leaf_a]", "[leaf_unknown]"))
    before = path.read_text()
    code, said = check("--fix")
    assert (code, path.read_text()) == (1, before)
    assert "unknown-word" in said and "mended" not in said


def test_a_committed_entry_keeps_its_order(root: Path) -> None:
    """Only what is complained about is mended in it, also if it is named."""
    path = root / "catalog/methods/a.yaml"
    path.write_text(MESSY)
    commit(root)
    assert "mended catalog/methods/a.yaml" in check("--fix", "catalog/methods/a.yaml")[1]
    quoted = MESSY.replace("2501.00010 ", '"2501.00010" ')
    assert path.read_text() == quoted
    check("--fix", "catalog")
    assert path.read_text() == quoted


def test_the_catalogue_needs_no_mending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(find_root(Path(__file__)) / "catalog", tmp_path / "catalog")
    commit(tmp_path)
    monkeypatch.chdir(tmp_path)
    said = check("--fix", "--no-contracts")[1] + check("--fix", "--no-contracts", "catalog")[1]
    assert "mended" not in said
