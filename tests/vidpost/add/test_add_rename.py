"""`vidpost rename` and `vidpost card promote` in a copy of the catalogue."""

from __future__ import annotations

from pathlib import Path

import pytest
from add_fixtures import copy_repository, errors, link_repository
from click.testing import CliRunner

from vidpost.add import rename
from vidpost.catalog.diagnostics import CatalogError
from vidpost.catalog.loader import load
from vidpost.cli.main import main


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_repository(tmp_path_factory.mktemp("original"))


@pytest.fixture
def copy(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    link_repository(original, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, args)
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("old", "kind"),
    [("time_r1", "method"), ("video_mme", "benchmark"), ("video_r1_260k", "dataset")],
)
def test_everything_follows(copy: Path, old: str, kind: str) -> None:
    before = load(copy)
    referrers = sum(old in Path(file).read_text() for file in before.files.values())
    assert referrers > 1
    code, said = run("rename", old, "another_name")
    assert code == 0, said
    after = load(copy)
    assert "another_name" in after.of_kind(kind)
    assert old not in after.of_kind(kind)
    assert after.find(old) == (kind, after.of_kind(kind)["another_name"])
    assert errors(copy) == []


def test_a_dry_run_changes_nothing(copy: Path) -> None:
    before = {p: p.read_bytes() for p in copy.rglob("*.yaml")}
    code, said = run("rename", "time-r1", "another_name", "--dry-run")
    assert code == 0
    assert "would move  catalog/methods/time_r1.yaml -> catalog/methods/another_name.yaml" in said
    assert {p: p.read_bytes() for p in copy.rglob("*.yaml")} == before


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("no_such_thing_here", "x"), "no entry is called"),
        (("time_r1", "video_r1"), "means catalog/methods/video_r1.yaml already"),
        (("time_r1", "../x"), "is no id"),
    ],
)
def test_what_is_refused(copy: Path, args: tuple[str, str], message: str) -> None:
    code, said = run("rename", *args)
    assert (code, message in said) == (2, True), said


def test_a_file_in_the_way_undoes_all(copy: Path) -> None:
    done = rename.plan(load(copy), "time_r1", "another_name")
    before = {p: p.read_bytes() for p in copy.rglob("*.yaml")}
    done.moves[copy / "does not exist"] = copy / "x"
    with pytest.raises(CatalogError, match="Everything was put back"):
        rename.carry_out(done)
    assert {p: p.read_bytes() for p in copy.rglob("*.yaml")} == before


def test_promote(copy: Path) -> None:
    card = next((copy / "catalog/results/video_r1").glob("mini_seed_1.yaml")).read_text()
    for seed in (11, 12):
        folder = copy / f"runs/{seed}"
        folder.mkdir(parents=True)
        (folder / "card.yaml").write_text(card.replace("seeds:\n- 1", f"seeds:\n- {seed}"))
    code, said = run("card", "promote", "runs/11", "runs/12")
    assert code == 0, said
    assert "wrote     catalog/results/video_r1/mini_seed_11.yaml" in said
    assert errors(copy) == []
    assert run("card", "video_r1/mini_seed_12")[0] == 0
    assert run("card", "promote", "runs/11")[0] == 2
    (copy / "runs/bad").mkdir()
    assert "no card" in run("card", "promote", "runs/bad")[1]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("preset: mini\n", "preset: mini (smoke)\n", "was cut (smoke)"),
        ("overrides:\n", "overrides:\n  stages.rl.max_steps: 2\n", "was cut (stages.rl.max_steps)"),
        ("overrides:\n", "overrides:\n  synthetic.test: 8\n", "was cut (synthetic.test)"),
        ("benchmark: synthetic", "benchmark: own_ok", "stays in the run's folder"),
        ("metric: accuracy", "metric: no_such", "metric 'no_such' is unknown"),
        ("method: video_r1", "method: video_r0", "Add it: vidpost add --id video_r0"),
    ],
)
def test_cards_that_are_no_result_of_the_preset(
    copy: Path, old: str, new: str, message: str
) -> None:
    """They are refused before anything is written, so the catalogue stays whole."""
    card = (copy / "catalog/results/video_r1/mini_seed_1.yaml").read_text()
    assert old in card
    (copy / "card.yaml").write_text(card.replace(old, new))
    before = sorted(copy.rglob("catalog/results/*/*"))
    code, said = run("card", "promote", "card.yaml")
    assert (code, message in said) == (2, True), said
    assert sorted(copy.rglob("catalog/results/*/*")) == before
    assert errors(copy) == []


def test_promote_says_when_the_entry_has_errors(copy: Path) -> None:
    card = (copy / "catalog/results/video_r1/mini_seed_1.yaml").read_text()
    (copy / "card.yaml").write_text(card.replace("- 1\n", "- 21\n"))
    entry = copy / "catalog/methods/video_r1.yaml"
    text = entry.read_text()
    entry.unlink()  # a link to the original
    entry.write_text(text.replace("status: runnable", "status: runable"))
    code, said = run("card", "promote", "card.yaml")
    assert code == 2
    assert "has errors. Mend them: vidpost check catalog/methods/video_r1.yaml" in said


def test_a_refused_id_names_no_option_of_another_command(copy: Path) -> None:
    for new in ("video_r1", "Bad Name"):
        assert "--id" not in run("rename", "time_r1", new)[1]
    said = run("add", "--offline", "--no-input", "--id", "video_r1")[1]
    assert "means catalog/methods/video_r1.yaml already. Choose another --id." in said
