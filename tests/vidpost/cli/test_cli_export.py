from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from vidpost.catalog.loader import find_root, load
from vidpost.catalog.models import Work
from vidpost.cli.main import main
from vidpost.cli.selection import Selection
from vidpost.export.bibtex import bibliography

ROOT = find_root(Path(__file__))
CATALOG = load(ROOT)


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def export(*args: str) -> Result:
    return CliRunner().invoke(main, ["export", *args], prog_name="vidpost")


def ids(*args: str) -> list[str]:
    result = export("csv", *args)
    assert result.exit_code == 0, result.output
    return [row["id"] for row in csv.DictReader(io.StringIO(result.stdout))]


def test_the_same_selection_as_list() -> None:
    for args, what in (
        (["--pillar", "rl", "--status", "linked"], "methods"),
        (["--word", "rl_reward_temporal"], "methods"),
        (["--year", "2025"], "benchmarks"),
        ([], "metrics"),
    ):
        shown = CliRunner().invoke(main, ["list", what, *args, "--json"])
        wanted = [row["id"] for row in json.loads(shown.stdout)]
        assert wanted and ids("--kind", what[:-1], *args) == wanted
    years = {e.paper.year for _, e in Selection(year=2024).of(CATALOG) if e.paper}  # type: ignore[attr-defined]
    assert years == {2024}
    assert ids("Video-R1", "2503.13377", "mmvu") == ["time_r1", "video_r1", "mmvu"]


def test_the_site_and_the_command_make_the_same_bibtex() -> None:
    works = [entry for _, entry in load(ROOT).entries() if isinstance(entry, Work)]
    assert export("bibtex").stdout == bibliography(works)
    data = (ROOT / "tools/vidpost/site/data.py").read_text(encoding="utf-8")
    assert 'yield "catalog.bib", bibliography(works)' in data


def test_what_came_with_a_work_is_cited_by_its_paper() -> None:
    result = export("bibtex", "video_r1_260k", "video_r1_cot_165k", "decode")
    assert re.findall(r"^@\w+\{(.+),", result.stdout, re.M) == ["video_r1"]
    assert "left out, since no paper stands behind them: decode" in result.stderr
    items = json.loads(export("csl-json", "video_r1_260k").stdout)
    assert [item["id"] for item in items] == ["video_r1"]


def test_csv_tables_and_json() -> None:
    rows = json.loads(export("csv", "video_r1", "--table", "numbers", "--json").stdout)
    assert rows[0]["method"] == "video_r1" and isinstance(rows[0]["value"], float)
    (entry,) = json.loads(export("csv", "video_r1", "--json").stdout)
    assert entry["pillars"] == ["sft", "rl"] and entry["added"] == "2026-11-22"
    links = list(csv.DictReader(io.StringIO(export("csv", "video_r1", "--table", "links").stdout)))
    assert {row["role"] for row in links} == {"paper", "code", "weights", "data"}


def test_out(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "tables"
    assert export("csv", "--pillar", "tts", "--out", str(folder)).exit_code == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "datapackage.json", "entries.csv", "links.csv", "numbers.csv",
    ]  # fmt: skip
    package = json.loads((folder / "datapackage.json").read_text())
    read = list(csv.reader((folder / "entries.csv").open(newline="")))
    assert len(read) - 1 == package["resources"][0]["rows"] > 50
    file = tmp_path / "a.bib"
    file.write_text("old")
    assert export("bibtex", "video_r1", "--out", str(file)).exit_code == 0
    assert file.read_text().startswith("% video_r1\n@inproceedings{video_r1,")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["bibtex", "videoo_r1"], "Did you mean 'video_r1'?"),
        (["bibtex", "--word", "rl_polici"], "Did you mean 'rl_policy'?"),
        (["bibtex", "--json"], "bibtex is not JSON"),
        (["readme", "--table", "links"], "--table is for csv"),
        (["bibtex", "--status", "listed", "--pillar", "rl", "--kind", "survey"], "no entry passes"),
        (["bibtex", "accuracy"], "no paper stands behind the selected entries: accuracy."),
        (["docx"], "docx"),
    ],
)
def test_mistakes_are_one_message(args: list[str], message: str) -> None:
    result = export(*args)
    assert result.exit_code == 2 and message in result.output
    assert "Traceback" not in result.output and not result.stdout


def test_nothing_is_half_written(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    (folder / "links.csv").mkdir(parents=True)  # the third file cannot be written
    (folder / "entries.csv").write_text("old")
    result = export("csv", "--pillar", "tts", "--out", str(folder))
    assert result.exit_code == 2 and "links.csv: is a folder. Nothing was written" in result.output
    assert (folder / "entries.csv").read_text() == "old"
    assert sorted(path.name for path in folder.iterdir()) == ["entries.csv", "links.csv"]
    result = export("bibtex", "video_r1", "--out", str(folder))
    assert result.exit_code == 2 and "is a folder. Name a file." in result.output
    (tmp_path / "file").write_text("x")
    result = export("csv", "--out", str(tmp_path / "file"))
    assert result.exit_code == 2 and "Nothing was written" in result.output


def test_a_closed_pipe_is_no_error() -> None:
    script = f"{ROOT / '.venv/bin/vidpost'} export bibtex | head -c 10"
    if not (ROOT / ".venv/bin/vidpost").exists():
        pytest.skip("no .venv in this checkout")
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.startswith("% ") and "Traceback" not in done.stderr
