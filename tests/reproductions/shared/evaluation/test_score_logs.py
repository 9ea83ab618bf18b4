"""Logs of many kinds against the numbers of their authors' own scripts.

Each file of data/predlogs holds a log and its gold in a published schema, made up for the test, and
the numbers that the official function (named under "source") gave for them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from reproductions.benchmarks import _base
from reproductions.metrics import captions, soda_c
from reproductions.shared.evaluation import log_forms
from reproductions.shared.evaluation.log_fields import LogError
from reproductions.shared.evaluation.meteor_java import JavaMeteor
from reproductions.shared.evaluation.score import bare, score_log
from reproductions.shared.evaluation.score_report import Report
from vidpost.cli.main import main

DATA = Path(__file__).parents[3] / "data" / "predlogs"
KINDS = sorted(p.stem for p in DATA.glob("*.json"))


def lay(folder: Path, files: dict[str, list[str]]) -> Path:
    """Write files; a single one is returned itself, several as their folder."""
    for name, lines in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / next(iter(files)) if len(files) == 1 else folder


def benchmark(name: str) -> Any:
    kind = name.partition(":")
    return bare(kind[2]) if kind[0] == "kind" else _base.get(name)


def run(case: dict[str, Any], folder: Path, **rest: Any) -> Report:
    gold = lay(folder / "gold", case["gold"]) if "gold" in case else None
    return score_log(
        lay(folder / "log", case["log"]), benchmark(case["benchmark"]),
        case.get("rule", "paper"), gold=gold, repeats=case.get("repeats", "refuse"), **rest,
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_the_official_numbers_to_the_printed_digit(kind: str, tmp_path: Path) -> None:
    case = json.loads((DATA / f"{kind}.json").read_text(encoding="utf-8"))
    report = run(case, tmp_path, published=case["official"])
    wanted = f"equal{' with missing items as wrong' if case.get('missing') == 'wrong' else ''}"
    assert {r["number"]: (r["ours"], r["verdict"]) for r in report.published} == {
        r["number"]: (r["ours"], wanted) for r in report.published
    }
    assert len(report.published) == len(case["official"])


def test_every_kind_is_there() -> None:
    assert {
        *("moments", "highlights", "grounding", "dense", "tracks", "boxes", "when"),
        *("judge_pairs", "streaming", "free_form", "own_values", "yes_no"),
    } <= set(KINDS)


def test_a_wrong_number_is_not_called_equal(tmp_path: Path) -> None:
    case = json.loads((DATA / "grounding.json").read_text(encoding="utf-8"))
    report = run(case, tmp_path, published={"R@1 IoU=0.5": "77.79", "mIoU": "0.99"})
    assert {r["verdict"] for r in report.published} == {"differs"}
    # 77.78 is printed as a fraction, too.
    again = run(case, tmp_path, published={"R@1 IoU=0.5": "0.778"})
    assert again.published[0]["verdict"] == "equal as a fraction"


def test_golds_of_another_project_are_joined_by_id(tmp_path: Path) -> None:
    case = json.loads((DATA / "grounding.json").read_text(encoding="utf-8"))
    report = run(case, tmp_path)
    assert report.counts["missing"] == 3 and report.counts["unread"] == 1
    assert report.fields["prediction"] == "timestamp" and report.fields["id"] == "key"
    assert any("joined to the log by id" in n for n in report.notes)
    strange = tmp_path / "strange.json"
    strange.write_text(json.dumps([{"id": "x9", "timestamp": [0, 1]}]))
    with pytest.raises(LogError, match=r"no field 'video'.*\n.*no field holds ids of the log"):
        score_log(tmp_path / "log" / "fmt_charades.json", _base.get("charades_sta"), gold=strange)


def test_repeats_count_once_and_the_other_number_is_said(tmp_path: Path) -> None:
    case = json.loads((DATA / "streaming.json").read_text(encoding="utf-8")) | {"repeats": "first"}
    report = run(case, tmp_path, published={"EPM/accuracy": case["official"]["EPM/accuracy"]})
    assert report.counts["repeats"] == 1 and report.counts["scored"] == 45
    assert report.numbers["accuracy"].n == 45 and report.repeats_counted["accuracy"].n == 46
    assert report.published[0]["verdict"] == "differs"  # 62.50 counts the repeat
    whole = run({**case, "repeats": "all"}, tmp_path)
    assert whole.numbers["accuracy"].value == pytest.approx(
        report.repeats_counted["accuracy"].value
    )


def test_several_files_are_one_log(tmp_path: Path) -> None:
    case = json.loads((DATA / "judge_pairs.json").read_text(encoding="utf-8"))
    folder = lay(tmp_path, case["log"])
    report = score_log(folder, _base.get("cvrr_es"))
    one = report.groups["file"]["partial_actions"]["accuracy"]
    two = report.groups["file"]["time_order_understanding"]["accuracy"]
    assert (one.n, two.n, report.numbers["accuracy"].n) == (9, 6, 15)
    mean = report.numbers["accuracy, mean over files"]
    assert mean.value == pytest.approx((one.value + two.value) / 2)
    files = sorted((folder / "GPT4o").iterdir())
    assert score_log(files, _base.get("cvrr_es")).numbers == report.numbers
    shown = CliRunner().invoke(main, ["score", *map(str, files), "--benchmark", "cvrr_es"])
    assert shown.exit_code == 0 and "2 files were read as one log" in shown.output


def test_the_scores_of_a_run_are_no_part_of_its_log(tmp_path: Path) -> None:
    """lmms-eval lays results.json beside the samples; NExT-QA's mappings have two levels."""
    (tmp_path / "run").mkdir()
    log_of(tmp_path / "run" / "results.json", {"results": {"mvbench": {"acc": 50}}, "seed": 1})
    rows = [{"id": i, "answer": "A", "pred": p} for i, p in enumerate("AB")]
    log_of(tmp_path / "run" / "samples.json", rows)
    report = score_log(tmp_path / "run", _base.get("mvbench"), "careful")
    assert (report.numbers["accuracy"].value, report.counts["records"]) == (0.5, 2)
    assert "results.json holds no answers and was left out." in report.notes
    answers = log_of(tmp_path / "oe.json", {"v1": {"0": "a dog", "1": "red"}, "v2": {"0": "two"}})
    gold = log_of(
        tmp_path / "gold.json",
        [{"id": i, "answer": a} for i, a in (("v1_0", "a cat"), ("v1_1", "red"), ("v2_0", "two"))],
    )
    nested = score_log(answers, bare("open"), "exact_match", gold=gold)
    assert nested.numbers["accuracy"].value == pytest.approx(2 / 3)


def test_runs_of_a_tracker_and_hidden_targets(tmp_path: Path) -> None:
    case = json.loads((DATA / "tracks.json").read_text(encoding="utf-8"))
    report = run(case, tmp_path)
    assert report.counts["scored"] == 4  # three sequences, one of them tracked twice
    assert report.numbers["AO over frames"].n < 4 * 13  # frames without a visible target are out
    (tmp_path / "log" / "bad").mkdir()
    (tmp_path / "log" / "bad" / "bad_001.txt").write_text("1,2,3,4\n1,2,3\n")
    with pytest.raises(LogError, match=r'bad_001.txt:2: not "x,y,width,height"'):
        score_log(tmp_path / "log", _base.get("got_10k"), gold=tmp_path / "gold")


def test_a_box_that_sticks_out_moves_as_in_the_toolkit() -> None:
    assert log_forms.within([-10, 5, 30, 30], (100, 20)) == [0, 5, 30, 15]
    assert log_forms.within([-10, 5, 30, 30], None) == [-10, 5, 30, 30]


# -- fields ----------------------------------------------------------------------------------------


def log_of(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


OPTIONS = ["A. left", "B. right"]


@pytest.mark.parametrize(
    ("value", "accuracy", "field"),
    [
        # Video-R1: raw text, extracted letter and its reward
        (
            {
                "results": [
                    {
                        "problem_id": i, "problem": f"q{i}", "options": OPTIONS, "prediction": p,
                        "solution": "<answer>A</answer>", "reward": float(p == "A"),
                        "output": f"<think>{'hm ' * 9}</think><answer>{p}</answer>",
                    }
                    for i, p in enumerate("AAB")
                ],
                "final_acc": [{"mean_acc": 2 / 3}],
            },
            2 / 3,
            "output",
        ),
        # PLLaVA, MVBench: a summary beside the answers
        (
            {
                "acc_dict": {"Action": [2, 3]},
                "result_list": [
                    {"pred": p, "gt": "A", "question": f"q{i}", "task_type": "Action"}
                    for i, p in enumerate("AAB")
                ],
            },
            2 / 3,
            "pred",
        ),
        # Video-MME: questions within videos
        (
            [
                {
                    "video_id": "v1",
                    "duration": "short",
                    "questions": [
                        {"question_id": f"v1-{i}", "options": OPTIONS, "answer": "A", "response": p}
                        for i, p in enumerate(["A", "A. left", "B"])
                    ],
                }
            ],
            2 / 3,
            "response",
        ),
        # An id that is no id: the number of the question within its video
        (
            [
                {"question_id": i % 2, "question": f"q{i}", "answer": "A", "pred": p}
                for i, p in enumerate("AAB")
            ],
            2 / 3,
            "pred",
        ),
        # Marks of the end of a text
        ([{"id": 1, "answer": "A", "pred": " A</s> "}, {"id": 2, "answer": "A", "pred": "B"}],
         1 / 2, "pred"),
    ],
    ids=["video_r1", "pllava", "video_mme", "no_id", "end_marks"],
)  # fmt: skip
def test_shapes_of_choice_logs(
    value: Any, accuracy: float, field: str, tmp_path: Path
) -> None:  # fmt: skip
    report = score_log(log_of(tmp_path / "log.json", value), _base.get("mvbench"), "careful")
    assert report.numbers["accuracy"].value == pytest.approx(accuracy)
    assert report.fields["prediction"] == field


def test_marks_of_the_log_stand_beside_the_rule(tmp_path: Path) -> None:
    rows = [
        {"id": i, "answer": "A", "prediction": p, "rating": r}
        for i, (p, r) in enumerate([("A", 1), ("I would say it is the first", 1), ("B", 0)])
    ]
    log = log_of(tmp_path / "log.json", rows)
    report = score_log(log, _base.get("tempcompass"), published={"accuracy": "66.7"})
    number, differs = report.marks["rating"]
    assert (number.value, differs) == (pytest.approx(2 / 3), 1)
    assert report.numbers["accuracy"].value == pytest.approx(1 / 3)
    assert report.published[0]["verdict"] == "equal by the log's own marks (rating)"
    shown = CliRunner().invoke(main, ["score", str(log), "--benchmark", "tempcompass"])
    assert "the log's own marks (rating): 66.6667 %; 1 items differ" in shown.output


@pytest.mark.parametrize(
    ("fields", "accuracy", "score"),
    [
        (lambda ok, n: {"YN": "yes" if ok else "no", "score": n}, 0.5, 3.0),
        (lambda ok, n: {"is_correct": ok, "score": n}, 0.5, 3.0),
        (lambda ok, n: {"judge": {"pred": "yes" if ok else "no", "score": n}}, 0.5, 3.0),
        (lambda ok, n: {"score": n}, None, 3.0),
    ],
)
def test_verdicts_in_one_field_or_two(
    fields: Any, accuracy: float | None, score: float, tmp_path: Path
) -> None:
    rows = [
        {"id": i, "question": "q", "answer": "dog", "pred": "a dog", **fields(i % 2 == 0, 4 - i)}
        for i in range(3 + 1)
    ]
    rows = [{**r, **fields(i % 2 == 0, 4 if i < 2 else 2)} for i, r in enumerate(rows)]
    report = score_log(log_of(tmp_path / "log.json", rows), _base.get("activitynet_qa"))
    assert report.numbers["score"].value == score
    if accuracy is not None:
        assert report.numbers["accuracy"].value == accuracy


def test_without_a_verdict_the_other_rules_are_named(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log.json", [{"id": 1, "pred": "dog", "answer": "dog"}])
    with pytest.raises(LogError, match=r"verdict.*--rules exact_match"):
        score_log(log, _base.get("activitynet_qa"))


def test_kinds_without_a_benchmark(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log.json", [{"id": 1, "pred": "(A)", "answer": "A"}])
    shown = CliRunner().invoke(main, ["score", str(log), "--benchmark", "kind:choice"])
    assert shown.exit_code == 0 and "100.0000 %" in shown.output
    wrong = CliRunner().invoke(main, ["score", str(log), "--benchmark", "kind:nothing"])
    assert wrong.exit_code == 2 and "There are: " in wrong.output and "choice" in wrong.output


# -- the published tokens --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The man's dog doesn't bark; he can't (really) stop -- 3.5 times, U.S. style!",
         "the man 's dog does n't bark he ca n't -lrb- really -rrb- stop 3.5 times u.s. style"),
        ("He cannot go,then Dr. Who's 50% gonna [try] 1/2 of it.",
         "he can not go then dr. who 's 50 % gon na -lsb- try -rsb- 1/2 of it"),
    ],
)  # fmt: skip
def test_tokens_are_those_of_the_published_tokenizer(text: str, tokens: str) -> None:
    """What pycocoevalcap 1.2 (PTBTokenizer, stanford-corenlp 3.4.1) gives for the same text."""
    assert " ".join(captions.tokens(text)) == tokens


def test_events_that_overlap_by_just_a_half_do_not_reach_a_half() -> None:
    """The published evaluators add 1e-8 to the union (densevid_eval, SODA, TimeChat)."""
    assert soda_c.event_iou((0, 10, ""), (0, 5, "")) < 0.5
    assert soda_c.event_iou((0, 10, ""), (20, 25, "")) == 0
    assert soda_c.event_iou((10, 0, ""), (0, 10, "")) == pytest.approx(1, abs=1e-8)


# -- METEOR 1.5 ------------------------------------------------------------------------------------


def test_the_java_program_is_spoken_to_as_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in that speaks the program's protocol: its score is the share of equal words.

    With the real program (pycocoevalcap 1.2) this log has METEOR 4.73 and SODA_c 7.49, as the
    official script prints (tested by hand: neither Java nor the package is a dependency).
    """
    home = tmp_path / "pycocoevalcap"
    (home / "meteor").mkdir(parents=True)
    (home / "__init__.py").touch()
    (home / "meteor" / "meteor-1.5.jar").touch()
    program = tmp_path / "java"
    program.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        "assert sys.argv[1:] == '-Xmx2G -jar meteor-1.5.jar - - -stdio -l en -norm'.split()\n"
        "for line in sys.stdin:\n"
        "    kind, *rest = line.strip().split(' ||| ')\n"
        "    if kind == 'SCORE':\n"
        "        *refs, text = rest\n"
        "        print(max(len(set(r.split()) & set(text.split())) for r in refs) / "
        "len(text.split()), flush=True)\n"
        "    else:\n"
        "        print('\\n'.join([*rest, str(sum(map(float, rest)) / len(rest))]), flush=True)\n"
    )
    program.chmod(0o755)
    case = json.loads((DATA / "dense.json").read_text(encoding="utf-8"))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(LogError, match=r"METEOR 1.5 needs Java.*pycocoevalcap"):
        run(case, tmp_path, meteor_java=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    found = run(case, tmp_path, meteor_java=True).numbers
    assert 0 < found["METEOR 1.5"].value < found["SODA_c with METEOR 1.5"].value < 1
    with JavaMeteor() as java:
        assert java.scores([("a man runs", ["The man runs."]), ("x", ["y"])]) == (
            pytest.approx(1 / 3), [pytest.approx(2 / 3), 0.0],
        )  # fmt: skip
        assert java.scores([]) == (0.0, [])
