"""`vidpost cot` from questions to a record file that the published reader takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_run import vidpost

pytest.importorskip("torch")

from reproductions.datasets.video_r1_260k import load
from reproductions.shared.cot import Item, record_of
from reproductions.shared.inference.hf import HFGenerator
from reproductions.shared.method import Sample


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_makes_records_that_can_be_trained_on(small, tmp_path, monkeypatch):
    out = tmp_path / "made" / "cot.jsonl"
    command = [
        "cot", "--run", small, "--out", out, "--draft", "given", "--keep-draft", "--own-prompt",
        "--candidates", 2, "--limit", 4, "--words", "1,800", "--json",
    ]  # fmt: skip
    result = vidpost(*command)
    assert result.exit_code == 0, result.output
    counts = json.loads(result.stdout)
    # An untrained model writes nothing that passes; the clips' own rationales do.
    assert counts["samples"] == 4 and counts["origins"] == {"draft": counts["kept"]}
    samples = load(out, counts["video_root"])
    assert len(samples) == counts["kept"] > 0
    for sample in samples:
        assert Path(sample.video).read_bytes()[4:8] == b"ftyp"
        assert sample.rationale and sample.task
    rejected = rows(tmp_path / "made" / "cot.rejected.jsonl")
    assert len(rejected) == 4 - counts["kept"]
    # The same command asks nothing again.
    monkeypatch.setattr(HFGenerator, "_batch", None)
    before = out.read_text()
    assert vidpost(*command).exit_code == 0 and out.read_text() == before


def test_what_was_rejected_says_why(small, tmp_path):
    out = tmp_path / "cot.jsonl"
    result = vidpost(
        "cot", "--run", small, "--out", out, "--draft", "none", "--limit", 3, "--candidates", 1
    )
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("0 of 3 kept (3 empty)")
    assert out.read_text() == ""
    # Nobody is told to train on nothing.
    assert "vidpost run" not in result.stdout and "words a kept one" not in result.stdout
    assert "nothing to train on" in result.stdout and "--candidates" in result.stdout
    found = rows(tmp_path / "cot.rejected.jsonl")
    assert [r["reason"] for r in found] == ["empty"] * 3 and all(r["problem_id"] for r in found)


def test_own_records_and_a_drafter(small, clips, tmp_path):
    folder = tmp_path / "records"
    (folder / "clips").mkdir(parents=True)
    (folder / "clips" / "a.mp4").write_bytes(Path(clips[0].video).read_bytes())
    record = {
        "problem_id": "a", "problem": clips[0].question, "data_type": "video",
        "problem_type": clips[0].problem_type, "options": list(clips[0].options),
        "process": "", "solution": f"<answer>{clips[0].answer}</answer>", "path": "clips/a.mp4",
    }  # fmt: skip
    data = folder / "records.jsonl"
    data.write_text(json.dumps(record) + "\n")
    run = small / "stages" / "sft" / "final"
    out = tmp_path / "cot.jsonl"
    result = vidpost(
        "cot", "--data", data, "--model", small, "--drafter", run, "--out", out, "--frames", 4,
        "--max-new-tokens", 4, "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    counts = json.loads(result.stdout)
    assert counts["samples"] == 1 and counts["video_root"] == str(folder)
    record["path"] = "clips/gone.mp4"
    data.write_text(json.dumps(record) + "\n")
    result = vidpost("cot", "--data", data, "--model", small, "--out", out)
    assert result.exit_code == 2 and "path: " in result.stderr and "Fetch it" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "a.jsonl"], "give --data FILE or --run FOLDER"),
        (["--data", "x.json", "--out", "a.jsonl"], "--model: say who refines"),
        (["--data", "x.json", "--model", "a/b", "--out", "a.json"], "something.jsonl"),
        (["--data", "x.json", "--model", "a/b", "--out", "a.jsonl"], "x.json"),
    ],
)
def test_bad_input_gets_one_message(tmp_path, arguments, said):
    result = vidpost("cot", *arguments)
    assert result.exit_code == 2 and said in result.stderr
    assert "Traceback" not in result.output


def test_records_name_their_files_from_the_root(tmp_path):
    def item(**more):
        sample = Sample("s", "Which?", "A", rationale="it is red", **more)
        return Item(sample, "", True, "kept", 1.0, "refined", 1)

    inside = str(tmp_path / "a" / "clips" / "x.mp4")
    for root in (tmp_path / "a", f"{tmp_path}/a/", f"{tmp_path}/b/../a"):
        assert record_of(item(video=inside), root)["path"] == "clips/x.mp4"
    # A prefix of the name is not a folder of it.
    with pytest.raises(ValueError, match="does not lie below"):
        record_of(item(video=str(tmp_path / "ab" / "x.mp4")), tmp_path / "a")
    image = record_of(item(meta={"image": str(tmp_path / "i.png")}), tmp_path)
    assert (image["data_type"], image["path"]) == ("image", "i.png")
    with pytest.raises(ValueError, match="no video and no image"):
        record_of(item(), tmp_path)
