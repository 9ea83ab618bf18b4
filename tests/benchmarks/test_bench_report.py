"""The performance page follows from its JSON file, and says by itself what is not flattering."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

pytest.importorskip("av")  # the workload decodes with it

from benchmarks import report, update
from benchmarks.__main__ import MEASURES, main


def test_the_page_is_the_json_files():
    parts = json.loads((report.DOCS / "performance.json").read_text(encoding="utf-8"))
    assert list(parts) == [name for name in report.PARTS if name in parts]
    assert (report.DOCS / "performance.md").read_text(encoding="utf-8") == report.page(parts)


def test_every_part_can_be_measured_and_is_measured():
    assert set(report.PARTS) == {*MEASURES, "update_cuda"}
    parts = json.loads((report.DOCS / "performance.json").read_text(encoding="utf-8"))
    assert set(parts) | {"update_cuda"} == {*MEASURES, "update_cuda"}


def test_the_page_says_whether_a_gpu_was_used():
    parts = json.loads((report.DOCS / "performance.json").read_text(encoding="utf-8"))
    assert ("Nothing here was measured on a GPU" in report.page(parts)) != ("update_cuda" in parts)
    measured = parts | {"update_cuda": parts["update"]}
    assert "Nothing here was measured on a GPU" not in report.page(measured)


def test_a_gpu_measures_the_update_only():
    result = CliRunner().invoke(main, ["--device", "cuda", "--only", "decode"])
    assert result.exit_code == 2 and "only `update`" in result.output


def test_tables_leave_out_columns_without_values_and_align_numbers():
    records = [{"name": "a", "seconds": 0.5}, {"name": "b", "seconds": 1234.5}]
    assert report.tables("rewards", records).splitlines() == [
        "| rewards | s |",
        "|---|--:|",
        "| a | 0.50 |",
        "| b | 1,234 |",
    ]


@pytest.mark.parametrize(
    ("part", "record", "said"),
    [
        ("step", {"variant": "stock TRL", "work": "text", "ratio": 0.9}, "stock TRL is faster"),
        (
            "step",
            {"grid_p": 1, "r": 2, "g": 3, "step_ratio": 0.9},
            "TRL is faster than ours at P=1",
        ),
        ("update", {"p": 1, "r": 2, "g": 3, "rows_ratio": 0.8}, "Packing is slower"),
        (
            "rollout",
            {"work": "text", "g": 1, "ratio": 0.9},
            "Copied keys are faster than shared ones: text",
        ),
        ("questions", {"engine": "hf", "ratio": 0.9}, "faster than ours on hf"),
        ("cli", {"command": "x", "seconds": 0.6, "target": 0.5}, "misses its target"),
        ("decode", {"reader": "decord", "gop_30_ratio": 0.7}, "decord is faster than ours"),
        ("decode", {"reader": "decord", "not_run": "ImportError"}, "Not measured: decord"),
    ],
)
def test_what_is_slower_is_said(part, record, said):
    (remark,) = report.remarks(part, [record])
    assert said in remark


@pytest.mark.parametrize(
    ("part", "record"),
    [
        ("step", {"variant": "stock TRL", "work": "text", "ratio": 1.2}),
        ("decode", {"reader": "ours, resized", "gop_30_ratio": 0.7}),
        ("cli", {"command": "x", "seconds": 0.4, "target": 0.5}),
    ],
)
def test_what_is_not_slower_is_not_said(part, record):
    assert report.remarks(part, [record]) == []


def test_writing_a_part_keeps_the_others(tmp_path):
    rows = [{"name": "stack", "completions": 10, "seconds": 1.0, "per_second": 10.0}]
    report.write({"rewards": report.part("c1", rows, 0.0)}, tmp_path)
    report.write({"cli": report.part("c2", [{"command": "x", "seconds": 0.1}], 0.0)}, tmp_path)
    kept = json.loads((tmp_path / "performance.json").read_text(encoding="utf-8"))
    assert [kept[name]["command"] for name in ("rewards", "cli")] == ["c1", "c2"]
    page = (tmp_path / "performance.md").read_text(encoding="utf-8")
    assert page.index("## Rewards") < page.index("## The command line")


def test_the_token_limit_is_that_of_the_issue():
    # 8 x (553 + 64) / (553 + 8 x 64), shared/STACK.md
    assert update.token_limit(553, 64, 8) == pytest.approx(4.63, abs=0.01)
    assert update.token_limit(1977, 128, 8) == pytest.approx(5.61, abs=0.01)


def test_an_unknown_part_is_refused():
    result = CliRunner().invoke(main, ["--only", "speed"])
    assert result.exit_code == 2
    assert "'speed' is not one of" in result.output


@pytest.mark.parametrize("full", [False, True])
def test_sizes_are_those_of_the_table(full):
    sizes = update.FULL if full else update.SUBSET
    assert (4096, 128, 8) in sizes
    assert {p for p, _, _ in sizes} == set(update.CLIPS)
    assert len(set(sizes)) == len(sizes) == (27 if full else 4)


def test_columns_of_the_tables_are_in_the_records():
    parts = json.loads((report.DOCS / "performance.json").read_text(encoding="utf-8"))
    for name, part in parts.items():
        rows = [r for r in part["records"] if "not_run" not in r]
        for header in report.PARTS[name].headers:
            own = [r for r in rows if next(iter(header)) in r]
            assert own and all(set(header) <= set(row) for row in own), name
