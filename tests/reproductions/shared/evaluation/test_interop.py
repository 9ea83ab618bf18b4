"""Logs of lmms-eval and VLMEvalKit, there and back; result blocks for the hub."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from reproductions.benchmarks import _base
from reproductions.shared.evaluation import interop, log_forms
from reproductions.shared.evaluation.log_fields import LogError
from reproductions.shared.evaluation.score import score_log
from reproductions.shared.method import Sample
from vidpost.catalog.loader import load
from vidpost.catalog.models import ResultCard
from vidpost.cli.main import main

ANSWERS = [
    (Sample("q1", "Which?", "B", options=("A. x", "B. y"), video="v.mp4", task="t"), "Answer: B"),
    (Sample("q2", "Who\tis it?\nSay.", "A", options=("A. x", "B. y"), video="v.mp4"), None),
]


def test_lmms_eval_there_and_back(tmp_path: Path) -> None:
    log = tmp_path / "samples_videomme.jsonl"
    assert interop.to_lmms_eval(ANSWERS, log, {}) == 2
    first = json.loads(log.read_text().splitlines()[0])
    assert first["resps"] == [["Answer: B"]] and first["filtered_resps"] == ["Answer: B"]
    assert first["target"] == "B" and first["doc"]["question"] == "Which?"
    report = score_log(log, _base.get("video_mme"), "lmms_eval")
    assert report.numbers["accuracy"].value == 0.5
    assert report.counts["scored"] == 2


def test_an_lmms_eval_log_is_read_with_its_own_record(tmp_path: Path) -> None:
    """The doc of a published log holds the question as the benchmark publishes it."""
    doc = {"video": "AO8RW.mp4", "caption": "a person is putting a book.", "timestamp": [0.0, 6.9]}
    log = tmp_path / "samples.jsonl"
    log.write_text(
        json.dumps(
            {
                "doc_id": 0,
                "doc": {**doc, "_place": 1},
                "target": "[0.0, 6.9]",
                "resps": [["The event happens in the 0.0 - 6.9 seconds."]],
                "filtered_resps": ["The event happens in the 0.0 - 6.9 seconds."],
            }
        )
        + "\n"
    )
    report = score_log(log, _base.get("charades_sta"), "lmms_eval")
    assert report.numbers["mIoU"].printed == pytest.approx(100)
    assert report.answers[0][0].question == "a person is putting a book."


def test_vlmevalkit_there_and_back(tmp_path: Path) -> None:
    log = tmp_path / "model_Video-MME.tsv"
    assert interop.to_vlmevalkit(ANSWERS, log) == 2
    with log.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert rows[0]["prediction"] == "Answer: B" and rows[0]["B"] == "y"
    assert rows[1]["question"] == "Who\tis it?\nSay."
    report = score_log(log, _base.get("video_mme"), "vlmevalkit")
    assert report.numbers["accuracy"].value == 0.5
    with pytest.raises(log_forms.InteropError, match=r"written as .tsv"):
        interop.to_vlmevalkit(ANSWERS, tmp_path / "x.csv")


def workbook(path: Path, sheet: str, shared: str = "") -> None:
    head = '<?xml version="1.0"?>'
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    with zipfile.ZipFile(path, "w") as book:
        book.writestr(
            "xl/worksheets/sheet1.xml",
            f"{head}<worksheet {space}><sheetData>{sheet}</sheetData></worksheet>",
        )
        if shared:
            book.writestr("xl/sharedStrings.xml", f"{head}<sst {space}>{shared}</sst>")


def test_vlmevalkits_workbooks_are_read(tmp_path: Path) -> None:
    """As openpyxl writes them: shared strings, numbers, and cells that are left out."""
    log = tmp_path / "model_Video-MME.xlsx"
    names = ["index", "question", "A", "B", "answer", "prediction"]
    texts = [*names, "Which?", "x", "y", "B", "<b>B</b>", "A"]
    shared = "".join(f"<si><t>{t.replace('<', '&lt;')}</t></si>" for t in texts)

    def row(number: int, cells: dict[str, str]) -> str:
        inner = "".join(
            f'<c r="{c}{number}"><v>{v}</v></c>'
            if c == "A" and number > 1
            else f'<c r="{c}{number}" t="s"><v>{v}</v></c>'
            for c, v in cells.items()
        )
        return f'<row r="{number}">{inner}</row>'

    sheet = row(1, dict(zip("ABCDEF", "012345", strict=True)))
    sheet += row(2, {"A": "0", "B": "6", "C": "7", "D": "8", "E": "9", "F": "10"})
    sheet += row(3, {"A": "1", "B": "6", "C": "7", "D": "8", "E": "11"})
    workbook(log, sheet, shared)
    rows = log_forms.read_xlsx(log)
    assert rows[0] == {
        **{"index": 0, "question": "Which?", "A": "x", "B": "y", "answer": "B"},
        "prediction": "<b>B</b>",
    }
    report = score_log(log, _base.get("video_mme"), "careful")
    assert report.counts["no_answer"] == 1
    assert report.numbers["accuracy"].value == 0.5


@pytest.mark.parametrize("content", [b"no zip", b"PK\x03\x04broken"])
def test_a_broken_workbook_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log.xlsx"
    path.write_bytes(content)
    with pytest.raises(LogError, match="no workbook"):
        score_log(path, _base.get("video_mme"), "careful")


def test_a_workbook_with_entities_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.xlsx"
    with zipfile.ZipFile(path, "w") as book:
        book.writestr(
            "xl/worksheets/sheet1.xml",
            '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><worksheet>&a;</worksheet>',
        )
    with pytest.raises(log_forms.InteropError, match="entities"):
        log_forms.read_xlsx(path)


def card(**changes: object) -> ResultCard:
    fields = {
        "kind": "reproduction", "method": "video_r1", "preset": "paper", "commit": "abc",
        "environment": {"python": "3.11"}, "hardware": {"device": "cpu"}, "seeds": [0],
        "checkpoint": {"stage": "rl"}, "benchmark": "video_mme", "benchmark_revision": "main",
        "metric": "accuracy", "n": 2700, "score": 0.593, "interval": [0.574, 0.611],
        "interval_method": "Wilson",
        "cost": {"tokens_in": 1, "tokens_out": 1, "frames": 1, "seconds": 1.0},
        "protocol": {
            "frames": 32, "decoder": "pyav 18", "prompt_hash": "0", "extractor": "careful 1",
            "sampling": {"temperature": 0.0, "max_new_tokens": 64},
        },
        "date": "2026-11-22", **changes,
    }  # fmt: skip
    from vidpost.catalog.models import Protocol

    fields["fingerprint"] = Protocol.model_validate(fields["protocol"]).fingerprint()
    return ResultCard.model_validate(fields)


def test_the_model_index_says_protocol_and_interval() -> None:
    catalog = load()
    text = interop.model_index(
        card(), "me/model", catalog.benchmarks["video_mme"], catalog.metrics["accuracy"]
    )
    result = yaml.safe_load(text)["model-index"][0]["results"][0]
    assert result["dataset"]["type"] == "lmms-lab/Video-MME"
    metric = result["metrics"][0]
    assert metric["value"] == 59.3 and metric["type"] == "accuracy"
    assert metric["args"]["interval"] == [57.4, 61.1]
    assert metric["args"]["protocol"] == card().fingerprint
    assert "32 frames" in metric["name"]
    hub = pytest.importorskip("huggingface_hub")
    parsed = hub.ModelCard(f"---\n{text}---\n# model\n").data.eval_results
    assert [(r.dataset_type, r.metric_value) for r in parsed] == [("lmms-lab/Video-MME", 59.3)]


def test_community_results_name_the_data_set() -> None:
    benchmark = load().benchmarks["video_mme"]
    entry = yaml.safe_load(interop.eval_result(card(), benchmark))[0]
    assert entry["dataset"]["id"] == "lmms-lab/Video-MME"
    assert entry["value"] == 0.593
    with pytest.raises(log_forms.InteropError, match="miniature"):
        interop.eval_result(card(kind="miniature"), benchmark)
    with pytest.raises(log_forms.InteropError, match="names no hub data set"):
        interop.eval_result(card(), None)


def test_the_commands_convert(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(
        json.dumps({"id": 1, "options": ["x", "y"], "gold": "B", "completion": "B"}) + "\n"
    )
    out = tmp_path / "out.jsonl"
    done = CliRunner().invoke(
        main, ["score", "export", str(log), str(out), "--to", "lmms_eval", "--benchmark", "mvbench"]
    )
    assert done.exit_code == 0, done.output
    assert score_log(out, _base.get("mvbench"), "lmms_eval").numbers["accuracy"].value == 1.0
    path = tmp_path / "card.yaml"
    path.write_text(yaml.safe_dump(card().model_dump(mode="json", exclude_none=True)))
    shown = CliRunner().invoke(main, ["score", "result", str(path), "--model", "me/model"])
    assert shown.exit_code == 0, shown.output
    assert yaml.safe_load(shown.output)["model-index"][0]["name"] == "me/model"
