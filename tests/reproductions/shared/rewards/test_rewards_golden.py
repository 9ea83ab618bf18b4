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


BAD_FIELDS = ({"repo": ["a"]}, {"function": {"a": 1}}, {"input": 5}, {"note": 3}, {"error": []})


@pytest.mark.parametrize("change", BAD_FIELDS, ids=lambda c: next(iter(c)))
def test_a_field_of_the_wrong_kind_is_named(tmp_path: Path, change: dict[str, object]) -> None:
    result = CliRunner().invoke(rewards, ["verify", str(_file(tmp_path, **change))])
    assert result.exit_code == 2
    assert f"cases.jsonl:1: {next(iter(change))} is " in result.output


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b"\n{}\xff\n")
    result = CliRunner().invoke(rewards, ["verify", str(path)])
    assert result.exit_code == 2
    assert "bad.jsonl:2: byte 3 is no UTF-8; save the file as UTF-8" in result.output


@pytest.mark.parametrize(
    ("change", "agreed"),
    [
        ({"interval": 0.0}, True),  # the published code died of it too
        ({"end": 1e300}, False),
        ({"end": 1e300, "interval": 1e-300}, False),
    ],
)
def test_thresholds_without_number_end_at_once(
    tmp_path: Path, change: dict[str, float], agreed: bool
) -> None:
    asked = {"pred": 9.5, "target": 10.0, "start": 0.5, "end": 0.95, "interval": 0.05} | change
    path = _file(
        tmp_path,
        repo="vision-x-nyu/thinking-in-space",
        function="mean_relative_accuracy",
        input=asked,
        output=None,
        error="ZeroDivisionError",
    )
    (result,) = verify(path)
    assert result.agreed == agreed


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


def _table(completion: str, gold: str, kind: str, *more: str) -> dict[tuple[str, str], list[float]]:
    arguments = ["compare", completion, "--gold", gold, "--type", kind, "--json", *more]
    result = CliRunner().invoke(rewards, arguments)
    assert result.exit_code == 0, result.output
    rows = map(json.loads, result.output.splitlines())
    return {(r["rule"], r["reward"]): [r["safe"], r["published"]] for r in rows}


def test_spans_are_compared_by_the_rules_for_spans() -> None:
    far = _table("<answer>100 to 200</answer>", "4 to 6", "temporal grounding")
    assert far["time_r1", "iou"] == far["videochat_r1", "iou"] == [0.0, 0.0]
    assert not {("time_r1", "accuracy"), ("videochat_r1", "accuracy")} & set(far)
    near = _table(
        "<think>5.0 6.0</think><answer>5 to 6</answer>",
        "4 to 6",
        *("temporal grounding", "--duration", "10"),
    )
    assert near["time_r1", "iou"] == near["videochat_r1", "iou"] == [0.5, 0.5]
    assert near["time_r1", "iou_v2"] == pytest.approx([0.45, 0.45])
    assert near["museg", "segments"][1] == 0.0  # it reads 5-6
    dashes = _table("<think>5.0 6.0</think><answer>5-6</answer>", "4 to 6", "temporal grounding")
    assert dashes["museg", "segments"] == pytest.approx([2 / 3 + 0.75] * 2, abs=1e-5)
    assert dashes["museg", "format, times cited"] == [1.0, 1.0]
    json_ = '<think>r</think><answer>{"start_time": "4", "end_time": "6"}</answer>'
    form = _table(json_, "4 to 6", "temporal grounding", "--duration", "10")
    assert form["temporal_r1", "iou and format"] == pytest.approx([1.0, 1.0])


def test_numbers_are_compared_by_the_rules_for_numbers() -> None:
    table = _table("<answer>7</answer>", "42", "numerical")
    assert not {("time_r1", "accuracy"), ("videochat_r1", "accuracy")} & set(table)
    assert {key for key, row in table.items() if any(row)} == {("av_reasoner", "count")}
    near = _table("<answer>37</answer>", "40", "numerical")  # an error of 7.5 %
    assert near["av_reasoner", "count"] == pytest.approx([0.925, 0.925])
    assert near["spacer", "mra"] == pytest.approx([0.9, 0.9])
    assert near["video_r1", "evaluation mra"] == pytest.approx([0.9, 0.9])


def test_tracks_are_compared_by_the_rules_for_boxes() -> None:
    eight = [[0, 0, 10, 10]] * 8
    table = _table(f"<think>r</think><answer>{eight}</answer>", str(eight), "tracking")
    assert table["video_r1", "accuracy"] == [1.0, 0.0]
    assert table["videochat_r1", "iou"] == table["videochat_r1", "track format"] == [1.0, 1.0]
    box = _table("<think>r</think><answer>(0,0),(10,10)</answer>", "(0,0),(10,10)", "tracking")
    assert box["univg_r1", "iou"] == box["univg_r1", "box format"] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("kind", "gold", "message"),
    [
        ("temporal grounding", "soon", "'soon' is no span"),
        ("numerical", "many", "'many' is no finite number"),
        ("tracking", "there", "'there' is no list of boxes"),
        ("essay", "B", "'essay' is unknown. Use multiple choice,"),
    ],
)
def test_a_gold_that_does_not_fit_is_refused(kind: str, gold: str, message: str) -> None:
    arguments = ["compare", "x", "--gold", gold, "--type", kind]
    result = CliRunner().invoke(rewards, arguments)
    assert result.exit_code == 2 and message in result.output
