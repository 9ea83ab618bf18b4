"""Scoring of prediction logs: published numbers, fields, repeats, missing items, differences."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from reproductions.benchmarks import _base
from reproductions.shared.evaluation.log_fields import LogError
from reproductions.shared.evaluation.score import bare, score_log
from reproductions.shared.evaluation.score_report import printed
from reproductions.shared.method import Sample
from vidpost.cli.main import main

LOGS = Path(__file__).parents[5] / "shared" / "predlogs"
real = pytest.mark.skipif(
    not LOGS.is_dir(), reason="real prediction logs (../shared/predlogs) are not on this machine"
)


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    return path


# -- real logs -------------------------------------------------------------------------------------

TW = "twgrpo_logs/"
RUNS = [
    (f"{TW}twgrpo_mmvu.jsonl", "mmvu", "tw_grpo", {"accuracy": "65.8"}, 65.76),
    (f"{TW}twgrpo_mmvu.jsonl", "mmvu", "tw_grpo", {"accuracy": "65.7600"}, 65.76),
    (f"{TW}videochatr1_mmvu.jsonl", "mmvu", "tw_grpo", {"accuracy": "64.2"}, 64.16),
    (f"{TW}videochatr1_mmvu.jsonl", "mmvu", "tw_grpo", {"accuracy": "64.1600"}, 64.16),
    (f"{TW}qwen25vl7b_zeroshot_mmvu.jsonl", "mmvu", "exact", {"accuracy": "65.4"}, 65.76),
    (f"{TW}qwen25vl7b_zeroshot_mmvu.jsonl", "mmvu", "exact", {"accuracy": "65.4400"}, 65.76),
    (
        f"{TW}qwen25vl7b_zeroshot_mvbench.jsonl.gz",
        "mvbench",
        "exact",
        {"accuracy": "63.3750"},
        63.4,
    ),
    (
        f"{TW}qwen25vl7b_zeroshot_nextgqa.jsonl.gz",
        "next_gqa",
        "exact",
        {"accuracy": "75.9049"},
        75.9049,
    ),
    (
        f"{TW}qwen25vl7b_zeroshot_nextgqa.jsonl.gz",
        "next_gqa",
        "exact",
        {"accuracy": "75.9"},
        75.9049,
    ),
    (
        f"{TW}qwen25vl7b_zeroshot_videomme.jsonl.gz",
        "video_mme",
        "exact",
        {"accuracy": "56.4815"},
        56.4815,
    ),
    (
        f"{TW}qwen25vl7b_zeroshot_videomme.jsonl.gz",
        "video_mme",
        "exact",
        {"accuracy": "56.5"},
        56.4815,
    ),
]


@real
@pytest.mark.parametrize(
    ("log", "benchmark", "rule", "published", "better"),
    RUNS,
    ids=[f"{r[0].split('/')[1].split('.')[0]}-{next(iter(r[3].values()))}" for r in RUNS],
)
def test_tw_grpo_logs_give_the_published_numbers(
    log: str, benchmark: str, rule: str, published: dict[str, str], better: float
) -> None:
    report = score_log(LOGS / log, _base.get(benchmark), rule, published=published)
    assert [row["verdict"] for row in report.published] == ["equal"]
    assert report.other["accuracy"].printed == pytest.approx(better, abs=5e-5)


@real
def test_a_published_number_that_was_cut_is_called_so() -> None:
    report = score_log(
        LOGS / f"{TW}qwen25vl7b_zeroshot_mvbench.jsonl.gz",
        _base.get("mvbench"),
        "exact",
        published={"accuracy": "63.3"},
    )
    assert report.published[0]["verdict"] == "equal if cut"
    assert [d.id for d in report.differences]  # the one answer in tags
    assert len(report.differences) == 1


@real
def test_differences_name_the_items_and_why() -> None:
    report = score_log(LOGS / f"{TW}qwen25vl7b_zeroshot_mmvu.jsonl", _base.get("mmvu"), "exact")
    assert [(d.id, d.gold, d.read, d.other_read) for d in report.differences] == [
        ("101", "C", None, "C"),
        ("344", "B", None, "B"),
    ]
    assert report.differences[0].prediction == "<answer>C</answer>"
    assert report.counts["unread"] == 3


@real
def test_repeated_lines_count_once() -> None:
    report = score_log(
        LOGS / f"{TW}qwen25vl7b_zeroshot_videomme.jsonl.gz", _base.get("video_mme"), "exact"
    )
    counts = report.counts
    assert (counts["records"], counts["repeats"], counts["scored"]) == (2748, 48, 2700)
    assert "48 repeated records were counted once." in report.notes


@real
def test_next_qa_by_family() -> None:
    report = score_log(
        LOGS / "nextqa/HGA-bert-ft-h256-val-example.json",
        _base.get("next_qa"),
        "paper",
        gold=LOGS / "nextqa/val.csv",
        published={
            "accuracy": "49.74",
            "C/accuracy": "46.26",
            "T/accuracy": "50.74",
            "D/accuracy": "59.33",
        },
    )
    assert {row["verdict"] for row in report.published} == {"equal"}
    assert {g: n["accuracy"].n for g, n in report.groups["family"].items()} == {
        **{"C": 2607, "T": 1612, "D": 777}
    }
    assert report.counts["missing"] == 0


@real
@pytest.mark.parametrize("run", [1, 2, 3])
def test_vcrbench_runs_give_every_published_number(run: int) -> None:
    """Also each goal's and each length's accuracy, 20 numbers a run."""
    facts = json.loads((LOGS / f"vcrbench/random_{run}_published.json").read_text())
    published = {
        "accuracy": f"{facts['avg_accuracy']:.2f}",
        "step accuracy": f"{facts['avg_step_accuracy']:.2f}",
        "mean over goals": f"{facts['weighted_avg_accuracy']:.2f}",
        **{f"{k}/accuracy": f"{v:.2f}" for k, v in facts["scores_per_class"].items()},
        **{f"{k}/accuracy": f"{v:.2f}" for k, v in facts["scores_per_step"].items()},
    }
    report = score_log(
        LOGS / f"vcrbench/random_{run}.jsonl", _base.get("vcrbench"), published=published
    )
    assert len(report.published) == 20
    assert {row["verdict"] for row in report.published} == {"equal"}


@real
def test_the_command_prints_and_judges(tmp_path: Path) -> None:
    log = str(LOGS / f"{TW}qwen25vl7b_zeroshot_mmvu.jsonl")
    good = CliRunner().invoke(
        main,
        ["score", log, "--benchmark", "mmvu", "--rules", "exact", "--published", "accuracy=65.44"],
    )
    assert good.exit_code == 0, good.output
    assert "fields  id=problem_id  prediction=model_output  gold=ground_truth" in good.output
    assert "65.4400 %" in good.output and "65.7600 %" in good.output
    assert "2 items change from exact to careful" in good.output
    bad = CliRunner().invoke(
        main,
        ["score", log, "--benchmark", "mmvu", "--rules", "exact", "--published", "accuracy=66.00"],
    )
    assert bad.exit_code == 1 and "differs" in bad.output
    data = CliRunner().invoke(
        main, ["score", log, "--benchmark", "mmvu", "--rules", "exact", "--json"]
    )
    found = json.loads(data.output)
    assert found["numbers"]["accuracy"]["value"] == pytest.approx(65.44)
    assert [d["id"] for d in found["differences"]] == ["101", "344"]


# -- fields, repeats, missing ----------------------------------------------------------------------

CHOICE = [
    {"question_id": "a", "options": ["A. x", "B. y"], "answer": "B", "response": "B"},
    {"question_id": "b", "options": ["A. x", "B. y"], "answer": "A", "response": "It is (A)."},
    {"question_id": "c", "options": ["A. x", "B. y"], "answer": "A", "response": ""},
    {"question_id": "d", "options": ["A. x", "B. y"], "answer": "A", "response": None},
]


@pytest.mark.parametrize(
    ("renamed", "prediction", "gold"),
    [
        ({}, "response", "answer"),
        ({"response": "pred"}, "pred", "answer"),
        ({"response": "Model Output", "answer": "Ground-Truth"}, "Model Output", "Ground-Truth"),
        ({"response": "answer", "answer": "gt"}, "answer", "gt"),
        ({"response": "completion", "answer": "gold"}, "completion", "gold"),
        ({"response": "filtered", "answer": "target"}, None, None),
    ],
)
def test_fields_are_detected_or_refused(
    tmp_path: Path, renamed: dict[str, str], prediction: str | None, gold: str | None
) -> None:
    log = write(
        tmp_path / "log.jsonl", [{renamed.get(k, k): v for k, v in r.items()} for r in CHOICE]
    )
    if prediction is None:
        with pytest.raises(
            LogError, match=r"prediction was not|no field for the prediction.*filtered"
        ):
            score_log(log, _base.get("video_mme"), "careful")
        score_log(log, _base.get("video_mme"), "careful", fields={"prediction": "filtered"})
        return
    report = score_log(log, _base.get("video_mme"), "careful", against="exact")
    assert report.fields["prediction"] == prediction
    assert report.fields["gold"] == gold
    assert report.numbers["accuracy"].value == 0.5
    assert report.other["accuracy"].value == 0.25
    assert report.counts["no_answer"] == 1
    assert report.counts["unread"] == 1


def test_two_answers_are_ambiguous_unless_they_agree(tmp_path: Path) -> None:
    both = [{**r, "prediction": "A"} for r in CHOICE]
    log = write(tmp_path / "log.jsonl", both)
    with pytest.raises(
        LogError, match=r"response and prediction differ.*--field prediction=response"
    ):
        score_log(log, _base.get("video_mme"), "careful")
    report = score_log(log, _base.get("video_mme"), "careful", fields={"prediction": "prediction"})
    assert report.numbers["accuracy"].value == 0.75
    same = write(tmp_path / "same.jsonl", [{**r, "prediction": r["response"]} for r in CHOICE])
    assert score_log(same, _base.get("video_mme"), "careful").numbers["accuracy"].value == 0.5


def test_two_answers_to_one_item_are_refused(tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", [*CHOICE, {**CHOICE[0], "response": "A"}])
    with pytest.raises(
        LogError, match=r"1 records answer an item .question_id. once more.*--repeats"
    ):
        score_log(log, _base.get("video_mme"), "careful")
    first = score_log(log, _base.get("video_mme"), "careful", repeats="first")
    last = score_log(log, _base.get("video_mme"), "careful", repeats="last")
    assert (first.numbers["accuracy"].value, last.numbers["accuracy"].value) == (0.5, 0.25)
    assert "1 items have several answers; the last one counts." in last.notes


def gold_file(tmp_path: Path, n: int = 4) -> Path:
    lines = ["video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4"]
    lines += [f"v,1,1,1,what,{i % 5},{i},CW,a,b,c,d,e" for i in range(n)]
    path = tmp_path / "val.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_missing_items_are_counted_and_said(tmp_path: Path) -> None:
    log = write(
        tmp_path / "log.jsonl",
        [{"id": "v_0", "pred": "A"}, {"id": "v_1", "pred": "C"}, {"id": "v_99", "pred": "A"}],
    )
    report = score_log(log, _base.get("next_qa"), "exact", gold=gold_file(tmp_path))
    assert report.counts["missing"] == 2
    assert report.counts["extra"] == 1
    assert report.numbers["accuracy"].value == 0.5
    assert report.missing_wrong["accuracy"].value == 0.25
    assert "1 items are not in the gold file; not scored." in report.notes


def test_another_gold_in_the_log_is_said(tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", [{"id": "v_0", "prediction": 0, "answer": 1}])
    report = score_log(log, _base.get("next_qa"), "exact", gold=gold_file(tmp_path))
    assert report.numbers["accuracy"].value == 1.0
    assert any("another gold than the gold file" in n for n in report.notes)


def test_a_log_of_another_benchmark_is_refused(tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", [{"id": "x", "pred": "A", "gold": [1, 2]}])
    with pytest.raises(LogError, match=r"gold of 1 of 1 items is not as video_mme has it"):
        score_log(log, _base.get("video_mme"), "careful")
    with pytest.raises(LogError, match=r"no field of the log holds the ids of the gold file"):
        score_log(log, _base.get("next_qa"), "exact", gold=gold_file(tmp_path))
    with pytest.raises(KeyError, match=r"no rule of vlmevalkit is known here"):
        score_log(log, _base.get("star"), "vlmevalkit")
    with pytest.raises(KeyError, match=r"no rule 'best'.*careful"):
        score_log(log, _base.get("star"), "best")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ('{"id": 1}\n{"id": 2', "log.jsonl:2: not JSON"),
        ("[1, 2]", "no object"),
        ('{"id": 1, "colour": "red"}', "no field for the prediction was recognised.*colour"),
    ],
)
def test_broken_logs_are_refused_with_their_place(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(content)
    with pytest.raises(LogError, match=message):
        score_log(path, _base.get("video_mme"), "careful")
    shown = CliRunner().invoke(main, ["score", str(path), "--benchmark", "video_mme"])
    assert shown.exit_code == 2
    assert "Traceback" not in shown.output


def test_breakdown_by_any_field(tmp_path: Path) -> None:
    log = write(
        tmp_path / "log.jsonl", [{**r, "length": "ls"[i % 2]} for i, r in enumerate(CHOICE)]
    )
    report = score_log(log, _base.get("video_mme"), "careful", by=["length"])
    assert {k: n["accuracy"].value for k, n in report.groups["length"].items()} == {
        **{"l": 0.5, "s": 0.5}
    }
    with pytest.raises(LogError, match=r"no field 'size'"):
        score_log(log, _base.get("video_mme"), "careful", by=["size"])


@pytest.mark.parametrize(
    ("value", "like", "rounded", "cut"),
    [
        (63.375, "63.3", "63.4", "63.3"),
        (65.76, "65.7600", "65.7600", "65.7600"),
        (49.739792, "49.74", "49.74", "49.73"),
        (100 * 0.29, "29", "29", "29"),
    ],
)
def test_printed_digits(value: float, like: str, rounded: str, cut: str) -> None:
    assert printed(value, like) == (rounded, cut)


# -- other kinds of logs ---------------------------------------------------------------------------


def numbers(log: Path, benchmark: str, rule: str = "paper", **rest: Any) -> dict[str, float]:
    report = score_log(log, _base.get(benchmark), rule, **rest)
    return {name: number.printed for name, number in report.numbers.items()}


def test_moment_retrieval_from_text_and_from_windows(tmp_path: Path) -> None:
    texts = [
        {"qid": 1, "timestamp": [10, 20], "pred": "The event happens in the 10.0 - 15.0 seconds"},
        {"qid": 2, "timestamp": [0, 4], "pred": "<think>9 to 12?</think><answer>0 to 4</answer>"},
        {"qid": 3, "timestamp": [0, 4], "pred": "I cannot tell."},
    ]
    found = numbers(write(tmp_path / "text.jsonl", texts), "charades_sta")
    assert found["mIoU"] == pytest.approx(50)
    assert found["R@1 IoU=0.5"] == pytest.approx(200 / 3)
    # Time-R1 counts IoU > m, so that an IoU of exactly 0.5 is not counted.
    strict = numbers(write(tmp_path / "text.jsonl", texts), "charades_sta", "time_r1")
    assert strict["R@1 IoU=0.5"] == pytest.approx(100 / 3)
    windows = [
        {
            "qid": 1,
            "relevant_windows": [[0, 10], [20, 30]],
            "pred_relevant_windows": [[0, 10, 0.9], [50, 60, 0.8], [20, 30, 0.7]],
        }
    ]
    ranked = numbers(write(tmp_path / "windows.jsonl", windows), "qvhighlights")
    assert ranked["mAP@0.5"] == pytest.approx(100 * (1 + 2 / 3) / 2)
    assert ranked["R@1 IoU=0.7"] == 100


def grounded_gold(folder: Path, second: list[list[int]]) -> Path:
    """NExT-GQA's two gold files, of two questions on one video; `second` are the other's spans."""
    gold = folder / "test.csv"
    gold.write_text(
        "video_id,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4\n"
        "v,1,1,1,why,b,0,CW,a,b,c,d,e\nv,1,1,1,why,c,1,CW,a,b,c,d,e\n"
    )
    (folder / "gsub_test.json").write_text(
        json.dumps({"v": {"duration": 30, "location": {"0": [[10, 20]], "1": second}}})
    )
    return gold


def test_grounded_answers(tmp_path: Path) -> None:
    gold = grounded_gold(tmp_path, [[5, 6], [8, 9]])
    log = write(
        tmp_path / "log.jsonl",
        [
            {"id": "v_0", "ans": "B", "pred_span": [12, 16]},
            {"id": "v_1", "ans": "C", "pred_span": [0, 8.5]},
        ],
    )
    found = numbers(log, "next_gqa", gold=gold)
    assert found["accuracy"] == 100
    assert found["Acc@GQA"] == 50
    assert found["mIoP"] == pytest.approx(100 * (1 + 1 / 8.5) / 2)
    written = write(
        tmp_path / "text.jsonl",
        [
            {"id": "v_0", "pred": "<answer>B</answer><glue>[[12, 16]]</glue>"},
            {"id": "v_1", "pred": "<answer>C</answer><glue>[[0, 8.5]]</glue>"},
        ],
    )
    assert numbers(written, "next_gqa", "careful", gold=gold) == pytest.approx(found)


def test_dense_captions_in_the_challenge_form(tmp_path: Path) -> None:
    gold = tmp_path / "val_1.json"
    gold.write_text(
        json.dumps(
            {"v_a": {"duration": 30, "timestamps": [[0, 10]], "sentences": ["a man runs away"]}}
        )
    )
    log = tmp_path / "results.json"
    events = [{"sentence": "a man runs away", "timestamp": [0, 10]}]
    log.write_text(json.dumps({"version": "VERSION 1.0", "results": {"v_a": events}}))
    found = numbers(log, "activitynet_captions:dense", gold=gold)
    assert found["SODA_c"] > 98 and found["F1"] == 100
    text = write(
        tmp_path / "text.jsonl",
        [{"id": "v_a", "prediction": "0 - 10 seconds, a man runs away\n20 - 25 seconds, noise."}],
    )
    half = numbers(text, "activitynet_captions:dense", gold=gold)
    assert half["SODA_c"] == pytest.approx(found["SODA_c"] * 2 / 3)


def test_tubes_and_tracks(tmp_path: Path) -> None:
    box, moved = [0, 0, 10, 10], [5, 0, 15, 10]
    tube = [
        {"id": 1, "gt_tube": {"1": box, "2": box}, "pred": {"2": box, "3": box}},
        {"id": 2, "gt_tube": {"1": box}, "pred": '{"1": [5, 0, 15, 10]}'},
    ]
    found = numbers(write(tmp_path / "tube.jsonl", tube), "hc_stvg")
    assert found["m_vIoU"] == pytest.approx(100 / 3)
    assert found["m_tIoU"] == pytest.approx(100 * (1 / 3 + 1) / 2)
    assert found["vIoU@0.3"] == 100 and found["vIoU@0.5"] == 0
    track = [{"id": "s", "groundtruth": [box, box, box], "prediction": [box, box, moved]}]
    log = write(tmp_path / "track.jsonl", track)
    assert numbers(log, "got_10k", "corners")["AO"] == pytest.approx(100 * (1 + 1 / 3) / 2)
    assert numbers(log, "got_10k", "all_frames")["AO"] == pytest.approx(100 * (2 + 1 / 3) / 3)
    # As [x, y, width, height], the boxes are 15 wide where they are moved: 5 to 20 over 0 to 10.
    wide = numbers(log, "got_10k", "xywh")["AO"]
    assert wide == pytest.approx(100 * (1 + 50 / (100 + 150 - 50)) / 2)


def test_boxes_in_the_wrong_form_are_not_silent(tmp_path: Path) -> None:
    log = write(
        tmp_path / "t.jsonl",
        [{"id": 1, "gt_boxes": [[50, 60, 10, 10]], "pred": [[50, 60, 10, 10]]}],
    )
    report = score_log(log, _base.get("got_10k"), "all_frames")
    assert any("boxes without area" in n and "--rules xywh" in n for n in report.notes)


def test_an_answer_on_which_a_rule_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    benchmark = _base.get("video_mme")
    careful = benchmark.shape.rules["careful"]

    def breaks(sample: Sample, answer: Any) -> Any:
        return careful(sample, answer) if answer != "B" else float(answer)

    shape = replace(benchmark.shape, rules={"careful": careful, "breaks": breaks})
    log = write(tmp_path / "log.jsonl", CHOICE)
    for rule, against in (("breaks", "careful"), ("careful", "breaks")):
        report = score_log(log, replace(benchmark, shape=shape), rule, against=against)
        assert report.counts["scored"] == len(CHOICE)
    said = score_log(log, replace(benchmark, shape=shape), "breaks", against="").notes
    assert any("counted as wrong: the rule cannot read it (ValueError)" in n for n in said)


def test_an_answer_that_earns_something_is_not_called_wrong(tmp_path: Path) -> None:
    benchmark = _base.get("video_mme")

    def half(sample: Sample, answer: Any) -> Any:
        return _base.Graded(None, {"accuracy": 0.5 if answer else 0.0}, "one box has no area")

    shape = replace(benchmark.shape, rules={"half": half})
    log = write(tmp_path / "log.jsonl", CHOICE)
    report = score_log(log, replace(benchmark, shape=shape), "half", against="")
    assert report.numbers["accuracy"].value == 0.25 and report.counts["unread"] == 1
    assert "2 answers: one box has no area." in report.notes
    assert "2 answers counted as wrong: one box has no area." in report.notes


@pytest.mark.parametrize(
    ("values", "mean", "said"),
    [
        ([1.0000000000000002, 0.5, 0.8], 100 * 2.3 / 3, False),  # an overlap with itself
        ([100.00000000000001, 50, 80], 100 * 2.3 / 3, True),
        ([1, 0, 1], 200 / 3, False),
        ([1.2, 0.5, 0.8], None, False),
        ([500.0, 50, 80], None, False),
        ([-3.0, 50, 80], None, False),
    ],
)
def test_own_overlaps_are_fractions_or_per_cents(
    values: list[float], mean: float | None, said: bool, tmp_path: Path
) -> None:
    for kind, name, number in (("span", "iou", "mIoU"), ("tube", "viou", "m_vIoU")):
        log = write(tmp_path / f"{kind}.jsonl", [{"id": i, name: v} for i, v in enumerate(values)])
        if mean is None:
            with pytest.raises(LogError, match="neither fractions nor per cents"):
                score_log(log, bare(kind))
            continue
        report = score_log(log, bare(kind))
        assert report.numbers[number].printed == pytest.approx(mean)
        assert any("read as per cents" in n for n in report.notes) is said


def test_an_id_that_only_begins_like_a_gold_one_is_another(tmp_path: Path) -> None:
    gold = write(tmp_path / "gold.jsonl", [{"id": x, "gold": [0, 10]} for x in "ab"])
    log = write(
        tmp_path / "log.jsonl",
        [{"id": "a", "prediction": [0, 10]}, {"id": "a~x", "prediction": [50, 60]}],
    )
    report = score_log(log, bare("span"), gold=gold)
    assert (report.counts["scored"], report.counts["extra"], report.counts["missing"]) == (1, 1, 1)
    twice = write(tmp_path / "twice.jsonl", [{"id": "a", "prediction": [0, 10]}] * 2)
    assert score_log(twice, bare("span"), gold=gold, repeats="all").counts["scored"] == 2


@pytest.mark.parametrize(
    ("name", "clustered"),
    [("{v:010}_{q}", True), ("abcdefgh-{v:02}_{q}", True), ("q_{v}{q}", False)],
)
def test_the_interval_is_clustered_by_video_or_says_that_it_is_not(
    name: str, clustered: bool, tmp_path: Path
) -> None:
    """Ten videos; all five questions about a video are right, or all are wrong."""
    log = write(
        tmp_path / "log.jsonl",
        [
            {"id": name.format(v=v, q=q), "prediction": [0, 10 if v % 2 else 1], "gold": [0, 10]}
            for v in range(10)
            for q in range(5)
        ],
    )
    report = score_log(log, bare("span"), against="")
    assert report.interval is not None
    low, high, _ = report.interval
    assert (high - low > 0.4) is clustered  # 50 items as 10
    assert any("takes questions as independent" in n for n in report.notes) is not clustered


def test_masks(tmp_path: Path) -> None:
    rows = [[1, 1, 0, 0]] * 4
    log = write(
        tmp_path / "m.jsonl",
        [{"id": 1, "gt_masks": [rows, rows], "pred_masks": [rows, [[0, 0, 0, 0]] * 4]}],
    )
    found = numbers(log, "mevis")
    assert found == {"J&F": 50.0, "J": 50.0, "F": 50.0}


def test_verdicts_of_judges(tmp_path: Path) -> None:
    log = write(
        tmp_path / "j.jsonl",
        [
            {"id": 1, "answer": "dog", "pred": "a dog", "judge": "{'pred': 'yes', 'score': 4}"},
            {"id": 2, "answer": "cat", "pred": "a dog", "judge": "{'pred': 'no', 'score': 1}"},
            {"id": 3, "answer": "cat", "pred": "a dog", "judge": "I am not sure."},
        ],
    )
    report = score_log(log, _base.get("activitynet_qa"))
    assert report.numbers["accuracy"].printed == pytest.approx(100 / 3)
    assert report.numbers["score"].printed == pytest.approx(5 / 3)
    pairs = tmp_path / "combined.json"
    pairs.write_text(
        json.dumps({"v_1": [{"pred": "yes", "score": 5}, {"q": "who?", "a": "he", "pred": "him"}]})
    )
    assert numbers(pairs, "activitynet_qa")["score"] == 5.0
    with pytest.raises(LogError, match="no field for the verdict"):
        score_log(write(tmp_path / "n.jsonl", [{"id": 1, "pred": "x", "answer": "y"}]),
                  _base.get("activitynet_qa"))  # fmt: skip


def test_free_form_answers_to_choices(tmp_path: Path) -> None:
    options = ["He walks to the left.", "He walks to the left of the car.", "He sits down."]
    answers = [
        ("B", "The man walks along, so he walks to the left of the car."),
        ("A", "<think>B or A?</think> he walks to the left"),
        ("C", "**Final answer:** $\\boxed{C}$"),
        ("C", "I am torn between A and C."),
    ]
    log = write(
        tmp_path / "f.jsonl",
        [{"id": i, "options": options, "gt": g, "pred": p} for i, (g, p) in enumerate(answers)],
    )
    report = score_log(log, _base.get("lvbench"), "careful")
    assert [g.read for _, _, g in report.answers] == ["B", "A", "C", None]


def test_numbers_and_counts(tmp_path: Path) -> None:
    log = write(
        tmp_path / "v.jsonl",
        [
            {"id": 1, "question_type": "object_counting", "ground_truth": "4", "pred": "about 5"},
            {"id": 2, "question_type": "room_size_estimation", "ground_truth": "10", "pred": "10"},
            {
                "id": 3,
                "question_type": "route_planning",
                "options": ["A. left", "B. right"],
                "ground_truth": "B",
                "pred": "B",
            },
        ],
    )
    official = numbers(log, "vsi_bench")
    better = score_log(log, _base.get("vsi_bench")).other
    assert official["overall"] == pytest.approx(200 / 3)  # "about" is no number
    assert better["overall"].printed == pytest.approx(
        100 * (0.6 + 1 + 1) / 3
    )  # 5 for 4 is 25 % off
    counts = write(
        tmp_path / "c.jsonl",
        [
            {"id": i, "answer": g, "pred": p}
            for i, (g, p) in enumerate([(3, "3"), (5, "6"), (9, "?")])
        ],
    )
    found = score_log(counts, _base.get("cg_av_counting"))
    assert found.numbers["accuracy"].value == pytest.approx(1 / 3)
    assert found.numbers["OBO"].value == pytest.approx(2 / 3)
    assert (found.numbers["MAE"].value, found.numbers["MAE"].n) == (0.5, 2)
    assert found.counts["unread"] == 1


def test_pairs_count_only_whole(tmp_path: Path) -> None:
    gold = tmp_path / "temporal.json"
    question = {"video": "a.mp4", "question": "Is it?", "answer": "yes"}
    other = {"video": "a.mp4", "question": "Is it not?", "answer": "no"}
    gold.write_text(json.dumps([{"basic": question, "hallucination": other}] * 2))
    log = write(
        tmp_path / "h.jsonl",
        [
            {"id": "temporal-1-basic", "pred": "Yes."},
            {"id": "temporal-1-hallucination", "pred": "No, it is."},
            {"id": "temporal-2-basic", "pred": "yes"},
            {"id": "temporal-2-hallucination", "pred": "Yes"},
        ],
    )
    found = numbers(log, "videohallucer", gold=gold)
    assert found == {"accuracy": 75.0, "pair accuracy": 50.0}


def test_the_random_guess_of_a_harness_is_said(tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", CHOICE)
    report = score_log(log, _base.get("next_qa"), "lmms_eval")
    assert any("guesses here at random" in n for n in report.notes)


def test_a_second_log_joins_by_id(tmp_path: Path) -> None:
    """NExT-GQA's authors keep answers and spans in two files."""
    gold = grounded_gold(tmp_path, [[5, 9]])
    answers, spans = tmp_path / "qa.json", tmp_path / "ground.json"
    answers.write_text(
        json.dumps({"v_0": {"prediction": 1, "answer": 1}, "v_1": {"prediction": 0, "answer": 2}})
    )
    spans.write_text(json.dumps({"v_0": [12.0, 16.0]}))
    report = score_log(answers, _base.get("next_gqa"), gold=gold, join={"span": spans})
    assert report.numbers["Acc@GQA"].value == 0.5
    assert report.numbers["mIoP"].value == 0.5
    assert "1 items have no span in its log." in report.notes
    with pytest.raises(LogError, match=r"answers have no part 'verdict'.*span"):
        score_log(answers, _base.get("next_gqa"), gold=gold, join={"verdict": spans})


def test_moments_with_saliency(tmp_path: Path) -> None:
    gold = tmp_path / "val.jsonl"
    gold.write_text(
        json.dumps(
            {
                "qid": 1,
                "query": "q",
                "duration": 8,
                "vid": "v",
                "relevant_clip_ids": [1, 2],
                "saliency_scores": [[4, 4, 4], [2, 2, 4]],
                "relevant_windows": [[2, 6]],
            }
        )
        + "\n"
    )
    log = write(
        tmp_path / "log.jsonl",
        [
            {
                "qid": 1, "vid": "v", "query": "q",
                "pred_relevant_windows": [[2.0, 6.0, 0.9], [0.0, 2.0, 0.1]],
                "pred_saliency_scores": [0.1, 0.9, 0.5, 0.0],
            }
        ],
    )  # fmt: skip
    found = numbers(log, "qvhighlights", gold=gold)
    assert found["HIT@1 very good"] == 100
    assert found["HD mAP very good"] == 100
    assert found["mAP short"] == 100 and "mAP long" not in found


def test_tubes_of_detectors_count_from_start_to_end(tmp_path: Path) -> None:
    box = [0, 0, 10, 10]
    log = write(
        tmp_path / "tube.jsonl",
        [
            {
                "id": 1,
                "gt_tube": {"1": box, "2": box},
                "pred": {"sted": [1, 3], "boxes": {str(i): [box] for i in range(6)}},
            }
        ],
    )
    assert numbers(log, "hc_stvg")["m_vIoU"] == 100


def test_forward_questions_are_opened(tmp_path: Path) -> None:
    """OVO-Bench's runs: three lists, one of them with several answers a question."""
    log = tmp_path / "run.json"
    forward = {"id": 7, "task": "CRR", "video": "a.mp4", "question": "Is it?", "test_info": [
        {"realtime": 1, "type": 0, "response": "No"}, {"realtime": 9, "type": 1, "response": "No"},
    ]}  # fmt: skip
    backward = {"id": 1, "task": "EPM", "video": "a.mp4", "response": "B", "ground_truth": "B"}
    log.write_text(json.dumps({"backward": [backward], "realtime": [], "forward": [forward]}))
    gold = tmp_path / "ovo.json"
    options = {"options": ["x", "y"], "gt": 1, "question": "Who?", "realtime": 3}
    gold.write_text(json.dumps([{"id": 1, "task": "EPM", "video": "a.mp4", **options}, forward]))
    report = score_log(log, _base.get("ovo_bench"), gold=gold)
    assert report.numbers["accuracy"].value == pytest.approx(2 / 3)
    assert report.numbers["mean over modes"].value == pytest.approx((1 + 0.5) / 2)
    assert report.counts["missing"] == 0
