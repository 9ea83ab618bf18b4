"""Readers of odd question files, and scores that single benchmarks define, by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reproductions.benchmarks import _base, _choice, _files, video_mme_v2
from reproductions.benchmarks._base import Benchmark, Graded
from reproductions.shared.method import Sample

DATA = Path(__file__).parents[2] / "data" / "benchmarks"


def graded(benchmark: Benchmark, samples: list[Sample], answers: list[Any]) -> list[Graded]:
    rule = benchmark.shape.rules[benchmark.rules["paper"]]
    return [rule(s, a) for s, a in zip(samples, answers, strict=True)]


def of_fixture(form: str, folder: Path) -> list[Sample]:
    benchmark = _base.get(form)
    data = json.loads((DATA / f"{benchmark.id}.json").read_text(encoding="utf-8"))
    for name, records in data["files"].items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(records), encoding="utf-8")
    split, facts = next(iter(benchmark.splits.items()))
    found = (file for pattern in facts.files for file in sorted(folder.glob(pattern)))
    return list(benchmark.read(next(found), split))


# -- files ---------------------------------------------------------------------------------------


def test_a_csv_with_tabs_is_read_as_such(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("name\tquestion\nx\twhat, then?\n")
    assert list(_files.read_records(tmp_path / "a.csv")) == [
        (2, {"name": "x", "question": "what, then?"})
    ]


def test_json_lines_that_are_an_array_are_read_as_one(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('\n[{"a": 1},\n {"a": 2}]\n')
    (tmp_path / "b.jsonl").write_text('{"a": 1}\n{"a": 2}\n')
    for name in ("a.jsonl", "b.jsonl"):
        assert [r for _, r in _files.read_records(tmp_path / name)] == [{"a": 1}, {"a": 2}]


def test_columns_are_read_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\nx.mp4  Abuse 1 2\n")
    assert list(_files.read_columns(tmp_path / "a.txt")) == [
        (2, {"columns": ["x.mp4", "Abuse", "1", "2"]})
    ]
    (tmp_path / "a.txt").write_text(" \n")
    with pytest.raises(_files.FileProblem, match="is empty"):
        list(_files.read_columns(tmp_path / "a.txt"))
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(_files.FileProblem, match="not readable"):
        list(_files.read_columns(tmp_path / "a.txt"))


def test_subtitles_with_a_word_a_line_become_one_line(tmp_path: Path) -> None:
    words = [{"text": "Hello", "start": 0.1}, {"text": "there", "start": 0.4}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(w) + "\n" for w in words))
    assert _files.read_subtitles(tmp_path / "a.jsonl") == "Hello there"


@pytest.mark.parametrize(
    ("text", "question", "options"),
    [
        ("What? A. Ties a knot. B. Cuts it.", "What?", ["Ties a knot.", "Cuts it."]),
        ("What?\nA) x, B) y; C) z", "What?", ["x", "y", "z"]),
        ("What? (A) x (B) y", "What?", ["x", "y"]),
        # A mark counts in its turn only, and needs a blank before it.
        ("Is U.S.A. big? A. yes B. no", "Is U.S.A. big?", ["yes", "no"]),
        ("Which? A. B. Goode B. Berry", "Which?", ["", "Goode B. Berry"]),
    ],
)
def test_options_in_one_line_are_split(text: str, question: str, options: list[str]) -> None:
    assert _choice.split_row(text) == (question, options)


def test_a_row_without_options_is_refused() -> None:
    with pytest.raises(ValueError, match="no options A, B"):
        _choice.split_row("What is in box A. then?")


# -- groups and orders ---------------------------------------------------------------------------

T, F = True, False


@pytest.mark.parametrize(
    ("right", "structure", "score"),
    [
        ([T, T, F, F], "", 1 / 4),
        ([T, T, T, T], "", 1),
        ([F, F, F, F], "", 0),
        ([T, F, T, T], "[1, 2, 3, 4]", 1 / 16),
        ([T, T, T, F], "[1, 2, 3, 4]", 9 / 16),
        ([F, T, T, T], "[1, 2, 3, 4]", 0),
        ([T, F, T, F], "[1, [2, 3], 4]", 4 / 12),
        ([T, T, F, T], "[1, [2, 3], 4]", 4 / 12),
        ([F, T, F, T], "[[1, 2], 3, 4]", 1 / 10),
        ([T, T, T, F], "[[1, 2], 3, 4]", 5 / 10),
        ([T, T, T, T], "[[1, 2], 3, 4]", 1),
    ],
)
def test_a_group_is_worth_its_unbroken_chain(
    right: list[bool], structure: str, score: float
) -> None:
    assert video_mme_v2.group_score(right, structure) == pytest.approx(score)


def test_half_a_group_has_no_group_score() -> None:
    benchmark = _base.get("video_mme_v2")
    samples = [
        Sample(f"001-{i}", "what?", "A", "multiple choice", ("A. x", "B. y")) for i in range(1, 5)
    ]
    answers = graded(benchmark, samples, ["A", "A", "A", "B"])
    score = benchmark.numbers(samples, answers)["group score"]
    assert (score.value, score.n) == (9 / 16, 1)
    assert "group score" not in benchmark.numbers(samples[:3], answers[:3])


@pytest.mark.parametrize(
    ("said", "value"),
    [("B, A, C", 1.0), ("C, A, B", 0.0), ("B, C", 0.0), ("", 0.0), ("A, B, C", 0.6309)],
)
def test_vidhal_rates_orders_of_captions(said: str, value: float, tmp_path: Path) -> None:
    """Gains 3, 2, 1 over log2(2), log2(3), log2(4), from the worst order (0) to the best (1)."""
    (sample,) = of_fixture("vidhal:order", tmp_path)
    assert sample.answer == "B, A, C"
    (answer,) = graded(_base.get("vidhal:order"), [sample], [said])
    assert answer.values["NDCG"] == pytest.approx(value, abs=1e-3)


def test_rtv_bench_counts_advanced_answers_on_right_basic_ones(tmp_path: Path) -> None:
    benchmark = _base.get("rtv_bench")
    samples = of_fixture("rtv_bench", tmp_path)
    # The record with a single option is left out.
    assert [s.id for s in samples] == ["q-group-abc1-0-option1", "q-group-abc1-2-option0"]
    for answers, value in ((["A", "B"], 1.0), (["B", "B"], 0.0), (["A", "A"], 0.0)):
        numbers = benchmark.numbers(samples, graded(benchmark, samples, answers))
        assert (numbers["consistency score"].value, numbers["consistency score"].n) == (value, 1)


def test_causal_vidqa_needs_answer_and_reason(tmp_path: Path) -> None:
    benchmark = _base.get("causal_vidqa")
    samples = of_fixture("causal_vidqa", tmp_path)
    assert [s.answer for s in samples] == ["A", "E", "B", "C", "D", "D"]
    numbers = benchmark.numbers(samples, graded(benchmark, samples, ["A", "E", "B", "A", "D", "D"]))
    assert (numbers["whole questions"].value, numbers["whole questions"].n) == (3 / 4, 4)
    assert numbers["whole predictive questions"].value == 0.0
    assert numbers["whole counterfactual questions"].value == 1.0


# -- answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("<answer>a3. She gets a call.</answer>", 1.0),
        ("a3", 1.0),
        ("<answer>a2. A hat</answer>", 0.0),
        ("<answer>D</answer>", 1.0),
        ("", 0.0),
    ],
)
def test_longtvqa_reads_numbered_options(said: str, right: float, tmp_path: Path) -> None:
    (sample,) = of_fixture_lines("longtvqa", "LongTVQA_val.jsonl", tmp_path)
    (answer,) = graded(_base.get("longtvqa"), [sample], [said])
    assert answer.values["accuracy"] == right


def of_fixture_lines(form: str, name: str, folder: Path) -> list[Sample]:
    records = json.loads((DATA / f"{form}.json").read_text(encoding="utf-8"))["files"][name]
    (folder / name).write_text("".join(json.dumps(r) + "\n" for r in records))
    benchmark = _base.get(form)
    return list(benchmark.read(folder / name, next(iter(benchmark.splits))))


def test_spookybench_accepts_any_label_in_the_answer() -> None:
    benchmark = _base.get("spookybench")
    sample = Sample("b", "", '["car", "automobile"]', "free-form", task="images")
    answers = graded(benchmark, [sample] * 4, ["An Automobile.", "a car", "a cat", None])
    assert [a.values["accuracy"] for a in answers] == [1.0, 1.0, 0.0, 0.0]


def test_vidtext_counts_tokens_and_needs_all_three_letters() -> None:
    read = _base.get("vidtext:ocr")
    sample = Sample("1", "Read it.", "SALE 3/4 now", "OCR")
    (answer,) = graded(read, [sample], ["sale now today now"])
    # Tokens: sale, now, today, now against sale, 3/4, now: two in common.
    assert answer.values["precision"] == pytest.approx(2 / 4)
    assert answer.values["recall"] == pytest.approx(2 / 3)
    assert answer.values["F1"] == pytest.approx(4 / 7)
    three = _base.get("vidtext:three")
    sample = Sample("1", "Which?", "A, C, D", "several choices", ("A. p", "B. q", "C. r", "D. s"))
    answers = graded(three, [sample] * 3, ["Correct Answers: D, A, C", "A, C", "A, B, C, D"])
    assert [a.values["accuracy"] for a in answers] == [1.0, 0.0, 0.0]


def test_openeqa_maps_marks_to_a_share() -> None:
    benchmark = _base.get("openeqa")
    samples = [Sample(str(i), "where?", "there", "free-form") for i in range(3)]
    logs = [{"prediction": "here", "verdict": {"pred": "yes", "score": m}} for m in (1, 3, 5)]
    numbers = benchmark.numbers(samples, graded(benchmark, samples, logs))
    assert numbers["LLM-Match"].value == pytest.approx(0.5)


def test_vidstg_takes_boxes_from_vidor(tmp_path: Path) -> None:
    """Frames 2 to 4 of the target; without the file beside it a tube has no gold."""
    tubes = of_fixture("vidstg", tmp_path)
    gold = json.loads(tubes[0].answer)
    assert set(gold) <= {"2", "3", "4"}
    assert gold["2"] == [2, 5, 22, 45]
    (tmp_path / "vidor" / "101.json").write_text("[]")
    with pytest.raises(_files.FileProblem, match=r"101.json: no VidOR annotation"):
        of_read("vidstg", tmp_path)
    (tmp_path / "vidor" / "101.json").unlink()
    assert [s.answer for s in of_read("vidstg", tmp_path)] == ["", ""]
    (moment, _) = of_read("vidstg:when", tmp_path)
    assert moment.answer == "0.2 to 0.5"


def of_read(form: str, folder: Path) -> list[Sample]:
    return list(_base.get(form).read(folder / "test_annotations.json", "test"))


def test_haven_leaves_golds_that_are_no_option_to_the_judge(tmp_path: Path) -> None:
    samples = {s.id: s for s in of_fixture("haven", tmp_path)}
    assert samples["1"].options == ("A. Yes", "B. No")
    assert (samples["2"].answer, len(samples["2"].options)) == ("C", 3)
    assert samples["4"].options == ()
    assert samples["4"].answer == "No or I don't know or No answer"
