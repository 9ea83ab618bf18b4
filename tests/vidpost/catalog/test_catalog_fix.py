"""`vidpost check --fix`: form is mended, facts and comments stay."""

from __future__ import annotations

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
    import shutil

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
