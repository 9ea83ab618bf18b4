from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from reproductions.shared.rewards.official import TABLE
from reproductions.shared.rewards.verify import close, decode, rows, verify
from vidpost.cli.rewards import rewards

GOLDEN = Path(__file__).parents[3] / "data" / "golden"
FILES = sorted(GOLDEN.glob("*.jsonl"))
NEEDS = {"pixel-reasoner": "math_verify", "spacer": "nltk", "veripo": "math_verify"}
"""Files with cases whose published score rests on another library."""


def test_every_recorded_case_is_here() -> None:
    assert len(FILES) == 32
    assert sum(1 for f in FILES for _ in rows(f)) == 3082


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_our_functions_agree_with_the_published_ones(path: Path) -> None:
    if path.stem in NEEDS:
        pytest.importorskip(NEEDS[path.stem])
    differing = [r for r in verify(path) if r.agreed < r.cases]
    assert not differing


def test_no_adapter_is_left_without_a_case() -> None:
    recorded = {(r["repo"], r["function"]) for f in FILES for r in rows(f)}
    assert set(TABLE) == recorded


def _file(tmp_path: Path, **change: object) -> Path:
    row = {
        "repo": "tulerfeng/Video-R1",
        "function": "format_reward",
        "input": {"completions": ["<think>r</think><answer>B</answer>"]},
        "output": [1.0],
    }
    path = tmp_path / "cases.jsonl"
    path.write_text(json.dumps(row | change) + "\n", encoding="utf-8")
    return path


def test_verify_exits_0_only_with_full_agreement(tmp_path: Path) -> None:
    run = CliRunner().invoke
    assert run(rewards, ["verify", str(_file(tmp_path))]).exit_code == 0
    wrong = run(rewards, ["verify", str(_file(tmp_path, output=[0.5]))])
    assert wrong.exit_code == 1
    assert "published [0.5], ours [1.0]" in wrong.output


def test_verify_counts_unknown_functions_as_failures(tmp_path: Path) -> None:
    path = _file(tmp_path, function="secret_reward")
    result = CliRunner().invoke(rewards, ["verify", "--json", str(path)])
    assert result.exit_code == 1
    line = json.loads(result.output.splitlines()[0])
    assert (line["covered"], line["cases"], line["agreed"]) == (False, 1, 0)


def test_verify_survives_arguments_that_make_an_adapter_fail(tmp_path: Path) -> None:
    result = CliRunner().invoke(rewards, ["verify", str(_file(tmp_path, input={"completions": 5}))])
    assert result.exit_code == 1
    assert "TypeError" in result.output


@pytest.mark.parametrize("line", ["{", "[]", '{"repo": "a/b"}'])
def test_verify_names_file_and_line_of_a_bad_case(tmp_path: Path, line: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(line + "\n", encoding="utf-8")
    result = CliRunner().invoke(rewards, ["verify", str(path)])
    assert result.exit_code == 2
    assert "bad.jsonl:1: " in result.output


def test_a_wrong_result_is_not_close() -> None:
    assert not close([0.1], [0.10001])
    assert not close([1.0, 0.0], [1.0])
    assert not close(None, 0.0)
    assert not close("B", "A")
    assert not close(float("nan"), 0.0)
    assert close(float("nan"), decode({"__float__": "nan"}))
    assert not close({"advantages": [0.9]}, {"advantages": [0.91]})


def test_compare_prints_every_rule() -> None:
    arguments = ["compare", "<think>r</think><answer>B. red</answer>", "--gold", "B", "--json"]
    result = CliRunner().invoke(rewards, arguments)
    table = {
        (row["rule"], row["reward"]): row["published"]
        for row in map(json.loads, result.output.splitlines())
    }
    assert result.exit_code == 0
    assert table["video_r1", "accuracy"] == 0.0
    assert table["time_r1", "accuracy"] == 1.0
    assert table["video_r1", "format"] == 1.0


def test_compare_reads_standard_input() -> None:
    result = CliRunner().invoke(
        rewards, ["compare", "-", "--gold", "B"], input="<answer>B</answer>"
    )
    assert result.exit_code == 0
    assert "video_r1" in result.output
