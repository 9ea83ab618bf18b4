"""Readers of odd question files, and scores that single benchmarks define, by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reproductions.benchmarks import _base, _choice, _files, _points
from reproductions.benchmarks._base import Benchmark, Graded
from reproductions.metrics.accuracy import nonlinear_group_score
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
    assert nonlinear_group_score(right, structure) == pytest.approx(score)


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
    benchmark = _base.get("haven")
    # The published scoring asks the judge about choices too, whatever their letters say.
    verdict = {"prediction": "C", "verdict": "0"}
    (choice,) = graded(benchmark, [samples["2"]], [verdict])
    assert choice.values["accuracy"] == 0.0
    assert benchmark.shape.rules["judge"](samples["2"], verdict).values["accuracy"] == 1.0
    assert benchmark.prompt(samples["2"]).endswith("A. Ties a knot. B. Cuts it. C. Coils it.")


# -- replies in time -----------------------------------------------------------------------------


def proactive(folder: Path) -> Sample:
    """Two remarks, due from 0 to 4 s (shown until 3 s) and from 5 to 9 s (shown until 8 s)."""
    data = json.loads((DATA / "proactive_video_qa.json").read_text(encoding="utf-8"))
    (folder / "WEB").mkdir()
    (folder / "WEB" / "anno.json").write_text(json.dumps(data["files"]["WEB/anno.json"]))
    return next(iter(_base.get("proactive_video_qa").read(folder / "WEB" / "anno.json", "WEB")))


def test_replies_are_worth_their_area(tmp_path: Path) -> None:
    benchmark, sample = _base.get("proactive_video_qa"), proactive(tmp_path)
    # First: 0.5 until 2 / 2 s, then 2 until 4 s of 4 s * 2; second: silence.
    (one,) = graded(benchmark, [sample], [{"prediction": "", "verdict": [{"2.0": 2}, {}]}])
    first = (0.5 * 1 + 2 * 3) / 8
    assert one.values["PAUC"] == pytest.approx((first + 0.25) / 2)
    assert one.values["PAUC at omega 0"] == pytest.approx(((0.5 * 2 + 2 * 2) / 8 + 0.25) / 2)
    assert one.values["PAUC at omega 1"] == pytest.approx((1.0 + 0.25) / 2)
    # The authors' judged record says the same; the worse reply at 3.5 s is about the next remark.
    turns = [{"judge_scores": {"2.0": 2, "3.5": 0, "4.5": 2}}, {"judge_scores": {"12": 2}}]
    (two,) = graded(benchmark, [sample], [{"prediction": "", "verdict": turns}])
    assert two.values["PAUC"] == one.values["PAUC"]


def test_remarks_count_alike_whatever_their_question(tmp_path: Path) -> None:
    benchmark, sample = _base.get("proactive_video_qa"), proactive(tmp_path)
    short = Sample("b", "", "[]", "free-form", meta={"replies": sample.meta["replies"][:1]})
    logs = [{"prediction": "", "verdict": v} for v in ([{}, {}], [{"0": 2}])]
    answers = graded(benchmark, [sample, short], logs)
    number = benchmark.numbers([sample, short], answers)["PAUC"]
    assert (number.value, number.n) == (pytest.approx((0.25 + 0.25 + 1.0) / 3), 3)


@pytest.mark.parametrize("verdict", [None, [], [{}], "no", {"a": 1}, 7, [[1], [2]]])
def test_a_broken_verdict_is_unread_or_silent(verdict: Any, tmp_path: Path) -> None:
    benchmark, sample = _base.get("proactive_video_qa"), proactive(tmp_path)
    (answer,) = graded(benchmark, [sample], [{"prediction": "", "verdict": verdict}])
    assert answer.values["PAUC"] in (0.0, 0.25)
    assert (answer.read is None) == (answer.values["PAUC"] == 0.0)


# -- V-STaR, OVO-Bench, 3DSRBench ----------------------------------------------------------------


def test_v_star_counts_marks_from_two_on() -> None:
    benchmark = _base.get("v_star:what")
    samples = [Sample(str(i), "what?", "a dog", "free-form") for i in range(6)]
    verdicts = ["3", 2, "1", 0, "The mark is hard to give.", None]
    answers = graded(benchmark, samples, [{"prediction": "x", "verdict": v} for v in verdicts])
    assert [a.values["accuracy"] for a in answers] == [1, 1, 0, 0, 0, 0]
    numbers = benchmark.numbers(samples, answers)
    assert numbers["accuracy"].value == pytest.approx(2 / 6)
    assert numbers["score"].value == pytest.approx((3 + 2 + 1 + 0) / 6)


def test_of_several_boxes_in_a_frame_the_best_counts(tmp_path: Path) -> None:
    (sample,) = of_fixture("v_star:where", tmp_path)  # [1, 2, 11, 12] at 3 s, [2, 2, 12, 12] at 4 s
    said = {"3": [[50, 50, 60, 60], [1, 2, 11, 12]], "4": [7, 2, 17, 12], "5": [[1, 1, 2, 2]]}
    for answer in (said, json.dumps(said), f"```json\n{json.dumps(said)}\n```"):
        (graded_,) = graded(_base.get("v_star:where"), [sample], [answer])
        # Half of each box of 10 x 10 in common: 50 / 150.
        assert graded_.values["m_vIoU"] == pytest.approx((1 + 1 / 3) / 2)
        assert graded_.values["AP@vIoU=0.5"] == 0.5
        assert graded_.read == "4 boxes"


def test_v_star_takes_two_numbers_or_none(tmp_path: Path) -> None:
    (sample,) = of_fixture("v_star", tmp_path)  # 3 to 7 s
    said = ["From 3 to 7 seconds.", "3.0s - 5.0s", "At 3, 5 and 7.", "At 3.", ""]
    answers = graded(_base.get("v_star"), [sample] * 5, said)
    assert [a.values["mIoU"] for a in answers] == pytest.approx([1, 0.5, 0, 0, 0])


@pytest.mark.parametrize(
    ("right", "n", "unequal", "printed"), [(160, 297, 4, 52.53), (108, 186, 1, 57.53)]
)
def test_two_printed_numbers_of_ovo_bench_compare_lists(
    right: int, n: int, unequal: int, printed: float
) -> None:
    """Qwen2-VL-72B's EPM and HLD (JoeLeelyf/OVO-Bench@c34093f results/QWen2VL_72B).

    Five of its answers are "A." or "B.", in lists of one; as lists they do not hold "A" or "B".
    """
    (answer,) = graded(
        _base.get("ovo_bench"),
        [Sample("436", "?", "A", options=("A. x", "B. y"))],
        ["A."],
    )
    assert answer.values["accuracy"] == 1.0
    assert round(100 * (right - unequal) / n, 2) == printed < round(100 * right / n, 2)


def test_rotations_and_mirrored_forms_must_all_be_right() -> None:
    benchmark = _base.get("threedsr_bench")
    names = ["VIN6MS3J", "VIN6MS3J-1", "VIN6MS3J-flip", "VIN6MS3J-flip-1"]
    samples = [
        Sample(str(i), "?", "A", options=("A. x", "B. y"), meta={"qid": q})
        for i, q in enumerate(names)
    ]
    numbers = benchmark.numbers(samples, graded(benchmark, samples, ["A", "A", "A", "B"]))
    shown = {k: (v.value, v.n) for k, v in numbers.items() if "accuracy" in k and " " in k}
    assert shown == {
        "circular accuracy": (0.5, 2),
        "flip accuracy": (0.5, 2),
        "flip and circular accuracy": (0.0, 1),
    }


def test_worldsense_asks_with_subtitles_where_there_are_any() -> None:
    benchmark = _base.get("worldsense")
    options = ("A. a horn", "B. a bell")
    plain = Sample("0", "Which sound?", "A", options=options)
    told = Sample("0", "Which sound?", "A", options=options, meta={"subtitle_text": "Listen!"})
    assert "frames of a video. Select" in benchmark.prompt(plain)
    assert "listed below:\nListen!\nSelect" in benchmark.prompt(told)
    assert "audio" not in benchmark.prompt(told)
    assert benchmark.prompt(plain).endswith(
        "Question: Which sound?\nA. a horn\nB. a bell\nAnswer: "
    )


# -- sets of the second look ----------------------------------------------------------------------


def test_fakevv_counts_the_manipulated(tmp_path: Path) -> None:
    benchmark, samples = _base.get("fakevv"), of_fixture("fakevv", tmp_path)
    assert [s.answer for s in samples] == ["yes", "no", "no"]
    assert [s.video for s in samples] == ["0123456789abcdef" * 2] * 2 + ["a" * 11]
    said = [
        "<answer>Yes.</answer>",
        "<answer>yes</answer>",
        "<think>yes</think><answer>No</answer>",
    ]
    numbers = benchmark.numbers(samples, graded(benchmark, samples, said))
    # One found of one, one raised in vain: 1 / 2, 1 / 1 and their harmonic mean.
    assert numbers["accuracy"].value == pytest.approx(2 / 3)
    assert numbers["precision"].value == pytest.approx(1 / 2)
    assert numbers["recall"].value == pytest.approx(1.0)
    assert numbers["F1"].value == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("index", "said", "read"),
    [
        (0, "b", "B"),
        (0, "The answer is B", None),  # T is no letter
        (0, "Because of B", "B"),
        (0, "", None),
        (2, "Answer: yes", "Yes"),
        (2, "yes.", None),  # no word of its own
        (2, "no or yes", "Yes"),
        (2, "I don't know.", None),
    ],
)
def test_hlv_1k_reads_the_first_letter_or_a_word(
    index: int, said: str, read: str | None, tmp_path: Path
) -> None:
    samples = of_fixture("hlv_1k", tmp_path)
    (one,) = graded(_base.get("hlv_1k"), [samples[index]], [said])
    assert one.read == read
    assert one.values["accuracy"] == float(read == samples[index].answer)


def test_svbench_opens_the_chains_of_listed_videos_alone(tmp_path: Path) -> None:
    data = json.loads((DATA / "svbench.json").read_text(encoding="utf-8"))["files"]
    listing = tmp_path / "Meta" / "Meta_EN" / "meta_test.csv"
    chains = tmp_path / "Dialogue" / "Dialogue_EN" / "--v1.json"
    for path in (listing, chains):
        path.parent.mkdir(parents=True)

    def listed(name: str) -> list[Sample]:
        listing.write_text(f"Video_Name,Path_of_Video\n{name},SVBench/Video/{name}.mp4\n")
        return list(_base.get("svbench").read(listing, "test"))

    with pytest.raises(_files.FileProblem, match=r"--v1\.json: cannot be read"):
        listed("--v1")
    chains.write_text(json.dumps(data["Dialogue/Dialogue_EN/--v1.json"]))
    assert [(s.id, s.answer) for s in listed("--v1")] == [
        ("--v1-1-0", "A dog."), ("--v1-1-1", "It lies down."), ("--v1-2-0", "A child."),
    ]  # fmt: skip
    with pytest.raises(_files.FileProblem, match="is no name of a file"):
        listed("../--v1")


@pytest.mark.parametrize(
    ("verdict", "right"),
    [
        ("Reasoning: Verdict: False at first sight.\nVerdict: True", 1.0),
        ("Reasoning: both say soup.\nVerdict: False\n", 0.0),
        (True, 1.0),
        ("I cannot say", 0.0),
    ],
)
def test_sage_bench_takes_the_last_verdict(verdict: Any, right: float) -> None:
    sample = Sample("0", "What is cooked?", "rice", "free-form")
    answers = [{"prediction": "rice", "verdict": verdict}]
    (one,) = graded(_base.get("sage_bench"), [sample], answers)
    assert one.values.get("accuracy", 0.0) == right


def test_points_are_averaged_or_pooled() -> None:
    """Text 1 covers 1 of 1 and holds 1 of 2; text 2 covers 1 of 3 and holds nothing of 1."""
    samples = [Sample(str(i), "", "text", "article") for i in range(2)]
    answers = [
        {"prediction": "", "verdict": {"covered": [1], "supported": ["entailment", "neutral"]}},
        {"prediction": "", "verdict": {"covered": [True, False, 0], "supported": ["no"]}},
    ]
    mean = _base.get("wikivideo").numbers(samples, graded(_base.get("wikivideo"), samples, answers))
    assert {k: pytest.approx(v.value) for k, v in mean.items()} == {
        "precision": (1 / 2 + 0) / 2,
        "recall": (1 + 1 / 3) / 2,
        "F1": (2 / 3 + 0) / 2,
    }
    pooled = _points.POOLED
    found = pooled.numbers(
        samples, [pooled.rules["points"](s, a) for s, a in zip(samples, answers, strict=True)]
    )
    assert {k: (pytest.approx(v.value), v.n) for k, v in found.items()} == {
        "precision": (1 / 3, 3),
        "recall": (2 / 4, 4),
        "F1": (2 / 5, 2),
    }


def test_wikivideo_keeps_claims_that_a_modality_supports(tmp_path: Path) -> None:
    data = json.loads((DATA / "wikivideo.json").read_text(encoding="utf-8"))
    file = tmp_path / "final_data.json"
    file.write_text(json.dumps(data["files"]["annotations/final_data.json"]))
    flood, storm = _base.get("wikivideo").read(file, "test")
    assert flood.meta["claims"] == ["A river flooded a town.", "It rained."]
    assert storm.meta["claims"] == ["A storm came."]


def test_classes_weigh_alike_whatever_their_size() -> None:
    """Gold A A A B, read A A B nothing: A 2 of 2 and 2 of 3, B 0 of 1 and 0 of 1."""
    samples = [Sample(str(i), "?", gold) for i, gold in enumerate("AAAB")]
    said = [Graded(read, {"accuracy": 0.0}) for read in ("A", "A", "B", None)]
    found = {k: v.value for k, v in _choice.over_classes(samples, said).items()}
    assert found["macro precision"] == pytest.approx(1 / 2)
    assert found["macro recall"] == pytest.approx(1 / 3)
    assert found["macro F1"] == pytest.approx((4 / 5) / 2)
    assert _choice.over_classes([], []) == {}


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("So.\nAnswer: \nB", "B"),  # line breaks do not count
        ("Answer: A or rather Answer: B", "A"),
        ("Answer: (B)", None),
        ("answer: B", None),
        ("B", None),
    ],
)
def test_vitib_reads_the_capital_behind_the_word(said: str, read: str | None) -> None:
    sample = Sample("0", "?", "B", options=("A. x", "B. y", "C. z", "D. w"))
    (one,) = graded(_base.get("vitib_bench"), [sample], [said])
    assert one.read == read
    assert one.values["accuracy"] == float(read == "B")


# -- E.T. Bench: a score for each task ------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "said", "score"),
    [
        ("tvg", "The event happens in 5.0 - 8.0 seconds.", 3 / 4),  # tIoU 0.5
        ("tvg", "from 5 to 11", 1.0),
        ("tvg", "It starts at 11\nIt ends at 5", 1.0),  # single times, put right
        ("tvg", "I cannot tell", 0.0),
        ("vhd", "Look at 21.5, not at 3", 1.0),
        ("vhd", "at 3.0 or 6.0", 0.0),
        # One of two spans reached at all thresholds: precision 1 / 2, recall 1 / 2; the other has
        # tIoU 2 / 10, which counts at 0.1 only.
        ("tal", "5.0 - 11.0 and 20.0 - 22.0", (1 + 3 / 2) / 4),
        ("tal", "nothing", 0.0),
        # Seconds 0 to 3, 10, 11 are true; 2 to 9 are said: 2 in common of 6 and 8.
        ("evs", "2.2 - 9.8", 2 * 2 / (6 + 8)),
        ("tem", "40 - 50", 1.0),  # any gold counts
        ("tem", "10.0 - 25.0, 40 - 50", 1 / 4),  # the first span alone: 5 / 20
    ],
)
def test_et_bench_scores_each_task_in_its_way(
    task: str, said: str, score: float, tmp_path: Path
) -> None:
    benchmark = _base.get("et_bench")
    samples = {s.task: s for s in of_fixture("et_bench", tmp_path)}
    (one,) = graded(benchmark, [samples[task]], [said])
    assert one.values["mRec" if task == "tem" else "F1"] == pytest.approx(score)


def test_et_bench_averages_over_tasks_and_sources(tmp_path: Path) -> None:
    benchmark = _base.get("et_bench")
    samples = {s.task: s for s in of_fixture("et_bench", tmp_path)}
    asked = [samples[t] for t in ("tvg", "tvg", "tvg", "vhd", "evs", "tem")]
    said = ["5 - 11", "nothing", "nothing", "6", "no summary", "20 - 30"]
    numbers = benchmark.numbers(asked, graded(benchmark, asked, said))
    # The unread summary (evs) does not count, as in the script.
    assert (numbers["F1"].value, numbers["F1"].n) == (pytest.approx((1 / 3 + 1) / 2), 4)
    assert (numbers["mRec"].value, numbers["mRec"].n) == (1.0, 1)
