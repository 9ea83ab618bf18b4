from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from vidpost.catalog.loader import find_root
from vidpost.cli.main import COMMANDS, Command, main

ROOT = find_root(Path(__file__))


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def vidpost(*args: str) -> Result:
    return CliRunner().invoke(main, list(args), prog_name="vidpost")


def parsed(*args: str) -> Any:
    result = vidpost(*args, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_command_that_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    where = Command("vidpost.cli.nothing", "nothing", "Browse", "Nothing.")
    monkeypatch.setitem(COMMANDS, "nothing", where)
    result = vidpost("nothing", "--help")
    assert result.exit_code == 2
    assert "'nothing' is not part of this installation." in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    result = vidpost(name, "--help")
    assert result.exit_code == 0, result.output
    assert f"vidpost {name}" in result.output.split("Usage", 1)[1]


def test_list_filters_and_sorts() -> None:
    rows = parsed("list", "methods", "--pillar", "rl", "--status", "described", "--sort", "year")
    assert [row["id"] for row in rows][:2] == ["dpo", "grpo"]
    below = parsed("list", "all", "--word", "rl_policy")
    assert "video_r1" in [row["id"] for row in below]
    assert all(row["kind"] == "dataset" for row in parsed("list", "datasets"))
    assert {"rl", "counting"} <= {word["id"] for word in parsed("list", "words")}
    assert "video_r1 " in vidpost("list").output


def test_list_of_an_unknown_word() -> None:
    result = vidpost("list", "--word", "rl_polcy")
    assert result.exit_code == 2
    assert "Did you mean 'rl_policy'?" in result.output


def test_show() -> None:
    data = parsed("show", "video-r1")
    assert data["kind"] == "method"
    assert data["paper"]["arxiv_id"] == "2503.21776"
    assert data["backlinks"]["released"] == ["video_r1_260k", "video_r1_cot_165k"]
    text = vidpost("show", "Video-R1").output
    assert text.startswith("Video-R1 (method video_r1, ")
    assert "35.8 %" in text


def test_a_users_mistake_is_one_message_and_exit_code_2() -> None:
    for args, hint in (
        (["show", "vidoe_r1"], "Did you mean 'video_r1'?"),
        (["chekc"], "Did you mean 'check'?"),
        (["card", "nothing/mini"], "no card 'nothing/mini'"),
        (["check", "no/such/file.yaml"], "no file or folder"),
        (["diff", "mmvu"], "no method is called 'mmvu'"),
        (["list", "methodz"], "methodz"),
    ):
        result = vidpost(*args)
        assert result.exit_code == 2, args
        assert hint in result.output
        assert "Traceback" not in result.output


def test_schema(tmp_path: Path) -> None:
    schema = json.loads(vidpost("schema", "method").output)
    assert schema["properties"]["differs_in"]["description"]
    assert vidpost("schema", "--out", str(tmp_path)).exit_code == 0
    for path in tmp_path.iterdir():
        kept = ROOT / "catalog" / "schema" / path.name
        # If a model was changed on purpose: vidpost schema --out catalog/schema
        assert kept.read_text(encoding="utf-8") == path.read_text(encoding="utf-8"), kept
    assert len(list((ROOT / "catalog/schema").iterdir())) == len(list(tmp_path.iterdir()))


CARD = (ROOT / "tests/data/broken/card-place.txt").read_text(encoding="utf-8")
CARD = CARD.split("--- catalog/results/grpo/mini.yaml\n")[1].split("--- expected")[0]


def test_card(tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    path.write_text(CARD)
    assert parsed("card", str(path))["score"] == 0.5
    text = vidpost("card", str(tmp_path)).output  # a run folder
    assert "a (mini, paper), miniature" in text
    assert "[0.400, 0.600]" in text
    path.write_text(CARD.replace("frames: 8", "frames: 16"))
    result = vidpost("card", str(path))
    assert result.exit_code == 2
    assert "error[fingerprint]" in result.output


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    methods = tmp_path / "catalog" / "methods"
    methods.mkdir(parents=True)
    (methods / "a.yaml").write_text("id: a\n")
    (methods / "b.yaml").write_text(
        "id: b\nname: B\nstatus: listed\ntaxonomy: []\nadded: 2026-01-01\npaper: {title: T}\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_check_says_what_the_next_rung_needs(broken: Path) -> None:
    (broken / "catalog" / "methods" / "a.yaml").unlink()
    result = vidpost("check", "catalog/methods/b.yaml")
    assert result.exit_code == 0
    assert "b is listed; described needs: a summary; an idea; pillars (sft, rl" in result.output
    assert "described" not in vidpost("check").output  # everything: no list of six hundred


def test_check_fails_with_exit_code_1(broken: Path) -> None:
    result = vidpost("check")
    assert result.exit_code == 1
    assert (
        "catalog/methods/a.yaml:1:1: error[missing-field] name: missing. Add it." in result.output
    )
    assert "2 warnings" not in result.output
    assert "1 entry, 0 words, 0 cards: 4 errors, 1 warning, 0 excused" in result.stderr


def test_check_of_one_file(broken: Path) -> None:
    assert vidpost("check", "catalog/methods/b.yaml").exit_code == 0
    assert vidpost("check", "catalog/methods/b.yaml", "--strict").exit_code == 1
    assert vidpost("check", "catalog/methods/a.yaml").exit_code == 1
    assert vidpost("check", "catalog").exit_code == 1


def test_check_formats(broken: Path) -> None:
    found = json.loads(vidpost("check", "--format", "json").stdout)
    assert {item["code"] for item in found} == {"missing-field", "no-link"}
    assert set(found[0]) == {"file", "line", "col", "code", "where", "message", "severity"}
    lines = vidpost("check", "--format", "github", "--errors-only").stdout.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("::error file=catalog/methods/a.yaml,line=1,") for line in lines)


def test_check_changed_shows_what_git_sees(broken: Path) -> None:
    git = ["git", "-C", str(broken), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    assert vidpost("check", "--changed").exit_code == 1
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "x"], check=True)
    assert vidpost("check", "--changed").exit_code == 0
    (broken / "catalog/methods/a.yaml").write_text("id: a\nname: A\n")
    assert vidpost("check", "--changed").exit_code == 1


def test_check_lists_its_codes() -> None:
    output = vidpost("check", "--codes").output
    assert "duplicate-key" in output
    assert "status-unmet" in output


def test_the_real_catalogue_passes() -> None:
    result = vidpost("check", "--errors-only")
    assert result.exit_code == 0, result.output


def test_result_cards_are_filtered_by_the_entry_of_their_method() -> None:
    everything = parsed("list", "results")
    chosen = parsed("list", "results", "--pillar", "tts")
    methods = {row["id"] for row in parsed("list", "methods", "--pillar", "tts")}
    assert {key for key, card in everything.items() if card["method"] in methods} == set(chosen)
    assert 0 < len(chosen) < len(everything)
    assert parsed("list", "results", "--status", "listed") == {}
    years = [row["year"] for row in parsed("list", "methods", "--sort", "year")]
    assert years == sorted(years)
    by_year = [card["method"] for card in parsed("list", "results", "--sort", "year").values()]
    order = [row["id"] for row in parsed("list", "methods", "--sort", "year")]
    assert by_year == sorted(by_year, key=order.index) != sorted(by_year)


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (("list", "--pillar", "foo"), "no pillar 'foo'. There are sft, rl, tts."),
        (("list", "words", "--pillar", "rl"), "list words takes no filter"),
        (("show", "nope"), "no entry is called 'nope'. `vidpost list` shows all ids."),
        (("show", "2503.99999"), "no entry has arXiv id 2503.99999. vidpost add 2503.99999"),
        (("search", "x"), "no command 'search'. Did you mean 'list'?"),
    ],
)
def test_hints_lead_somewhere(args: tuple[str, ...], hint: str) -> None:
    result = vidpost(*args)
    assert (result.exit_code, hint in result.stderr) == (2, True), result.output
    assert result.stderr.startswith("error: ")


@pytest.mark.parametrize(
    ("command", "where", "hint"),
    [
        (["check"], "vidpost.cli.check._outcome", "The same command starts again."),
        (["links"], "vidpost.cli.links.load", "The same command goes on where it stopped."),
    ],
)
def test_ctrl_c_ends_with_130(
    command: list[str], where: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(where, lambda *_, **__: signal.raise_signal(signal.SIGINT))
    result = vidpost(*command)
    assert (result.exit_code, result.stderr) == (130, f"\nstopped. {hint}\n")


def test_a_question_without_anybody_to_answer_names_the_option() -> None:
    result = CliRunner().invoke(main, ["add", "2611.01234", "--offline"], input="")
    assert result.exit_code == 2
    assert "standard input is closed. Give options, or --no-input." in result.stderr


def test_an_unfinished_run_has_no_card_yet(tmp_path: Path) -> None:
    for args in (("card",), ("card", "promote")):
        result = vidpost(*args, str(tmp_path))
        assert result.exit_code == 2
        assert f"Finish the run: vidpost run --resume {tmp_path}" in result.stderr


def test_a_card_shows_its_headline_once(tmp_path: Path) -> None:
    row = "scores: [{name: rl, task: all, n: 10, score: 0.5, interval: [0.4, 0.6]}]\n"
    (tmp_path / "card.yaml").write_text(CARD + row)
    lines = vidpost("card", str(tmp_path)).output.splitlines()
    assert sum(line.startswith("rl ") for line in lines) == 1


def test_narrow_terminals_fold_and_pipes_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = (("list",), ("list", "results"), ("show", "video_r1"), ("diff", "video_r1"))
    wide = [vidpost(*args).output for args in commands]
    assert max(len(line) for line in wide[0].splitlines()) > 100
    monkeypatch.setenv("COLUMNS", "60")
    for args, before in zip(commands, wide, strict=True):
        text = vidpost(*args).output
        long = [line for line in text.splitlines() if len(line) > 60 and " " in line.strip(" -")]
        assert [line for line in long if max(map(len, line.split())) < 40] == [], args
        assert sorted("".join(text.split())) == sorted("".join(before.split())), args


def test_no_color_marks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[1m" in vidpost("stats").output
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in vidpost("stats").output


def test_what_a_missing_field_means_is_said(broken: Path) -> None:
    (broken / "catalog/methods/b.yaml").write_text(
        "id: b\nname: B\nstatus: listed\ntaxonomy: []\nadded: 2026-01-01\npaper: {title: T}\n"
        "claims: [{id: x, statement: S., compare: b, metric: accuracy, expect: greater}]\n"
    )
    said = vidpost("check").output
    assert "claims[0].compare: Input should be a list. Correct it. Two method ids: [a, b]" in said
    assert "claims[0].source: missing. Add it. Where it was read" in said


def test_a_title_that_is_left_open_is_warned_about(broken: Path) -> None:
    (broken / "catalog/methods/a.yaml").unlink()
    path = broken / "catalog/methods/b.yaml"
    path.write_text(path.read_text().replace("title: T", '"title": "TODO: title of arXiv 1"'))
    result = vidpost("check", "catalog/methods/b.yaml")
    assert result.exit_code == 0
    assert "warning[todo] paper.title: TODO is left. Write the paper's title." in result.output
