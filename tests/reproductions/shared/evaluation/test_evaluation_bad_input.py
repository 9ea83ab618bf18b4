"""What goes wrong at evaluation, through the command: one message, or a failure that is counted.

A score is never wrong in silence: the card says what failed, what was not read, what was cut off.
"""

from __future__ import annotations

import json
import resource
import shutil
import signal
from contextlib import closing
from functools import partial

import pytest
from small_run import Server, reply, vidpost

pytest.importorskip("torch")

from reproductions.shared import source
from reproductions.shared.evaluation.cards import read_card
from reproductions.shared.inference.server import ServerGenerator

VIDEOS, MISSING = 4, 2


@pytest.fixture
def data(tmp_path, clips):
    """Video-MME with half of its videos; each has a question to be answered A and one with B."""
    folder = tmp_path / "data" / "video_mme"
    (folder / "data").mkdir(parents=True)
    for v in range(VIDEOS - MISSING):
        shutil.copy(clips[v].video, folder / "data" / f"v{v}.mp4")
    rows = [
        {
            "video_id": str(v), "duration": "short", "domain": "d", "sub_category": "s",
            "url": "u", "videoID": f"v{v}", "question_id": f"{v}-{q}",
            "task_type": "Counting Problem", "question": f"How many {q}?",
            "options": ["A. 1.", "B. 2.", "C. 3.", "D. 4."], "answer": "AB"[q],
        }
        for v in range(VIDEOS) for q in range(2)
    ]  # fmt: skip
    (folder / "video_mme.json").write_text(json.dumps(rows))
    return folder.parent


@pytest.fixture
def server(monkeypatch):
    """A server whose answers a test writes; it is given up on at once."""
    impatient = partial(ServerGenerator, patience=0.01, timeout=1.0, tries=2)
    monkeypatch.setattr(source, "ServerGenerator", impatient)
    with closing(Server()) as made:
        yield made


@pytest.fixture
def evaluated(data, server, tmp_path):
    """(more options) -> what `vidpost eval` of the server found, and its card or None."""

    def run(*more, code=0):
        command = ["eval", f"{server.url}/v1", "--benchmark", "video_mme", "--data-root", data]
        result = vidpost(*command, "--frames", 4, "--out", tmp_path / "out", *more)
        assert result.exit_code == code and "Traceback" not in result.output, result.output
        card = tmp_path / "out" / "video_mme" / "card.yaml"
        return result, read_card(card) if card.exists() else None

    return run


def test_half_of_the_videos_are_missing(evaluated):
    result, card = evaluated()
    over = "over 4 of 8 items; 4 need 2 videos that are missing (v2, v3)"
    assert over in result.stdout and "missing.json" in result.stdout
    assert card.n == 4 and over in " ".join(card.notes)


def test_a_video_that_is_no_video_fails_its_questions_only(evaluated, data, server):
    (data / "video_mme" / "data" / "v1.mp4").write_bytes(b"half a download")
    server.answer = lambda body, _: reply(body, "A")
    _, card = evaluated()
    notes = " ".join(card.notes)
    assert (card.n, card.score) == (4, 0.25) and "2 failed and count as wrong" in notes
    (said,) = (note for note in card.notes if "for example" in note)
    assert said.startswith("2 failed, v1.mp4 for example: ") and said.count("v1.mp4") == 1
    assert str(data) not in notes


def test_failures_of_one_kind_are_one_line(evaluated, data, server):
    for v in (1, 2):
        (data / "video_mme" / "data" / f"v{v}.mp4").write_bytes(b"half a download")
    server.answer = lambda body, _: reply(body, "A")
    _, card = evaluated()
    assert [n.split(" for")[0] for n in card.notes if "for example" in n] == ["4 failed, v1.mp4"]


@pytest.mark.parametrize(("room", "file"), [(5000, ".jsonl: cannot be written"), (14000, "out: ")])
def test_a_disk_without_room_is_said_and_the_command_goes_on(evaluated, server, room, file):
    """It is full within the journal of answers, or behind it."""
    server.answer = lambda body, _: reply(body, "A" * 3000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as on a full disk: the write fails
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        result, card = evaluated(code=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert card is None and "Make room" in result.stderr and file in result.stderr
    assert evaluated()[1].n == 4


def test_a_folder_that_cannot_be_written_is_said(data, server, tmp_path):
    (tmp_path / "file").write_text("")
    command = ["eval", f"{server.url}/v1", "--benchmark", "video_mme", "--data-root", data]
    result = vidpost(*command, "--out", tmp_path / "file" / "x")
    assert result.exit_code == 2 and "Choose another folder" in result.stderr, result.output


@pytest.mark.parametrize("text", ["", "\x00\ud83d <<|>> )(*&", "[" * 5000, "Z" * 5000, "I am not"])
def test_garbage_is_unread_and_counts_as_wrong(evaluated, server, text):
    server.answer = lambda body, _: reply(body, "A" if "How many 0?" in str(body) else text)
    result, card = evaluated()
    assert (card.n, card.score) == (4, 0.5)
    assert "2 answers unread (counted as wrong)" in result.stdout
    assert "2 answers could not be read and count as wrong." in card.notes


@pytest.mark.parametrize("response", [b"<html>", {"choices": None}, (500, {}, {}), (200, {}, None)])
def test_a_response_that_is_none_is_a_counted_failure(evaluated, server, response):
    server.answer = lambda body, _: response if "How many 0?" in str(body) else reply(body, "B")
    _, card = evaluated()
    assert (card.n, card.score) == (4, 0.5) and "2 failed" in " ".join(card.notes)
    # All of them: that is no score.
    server.answer = lambda body, _: response
    result, _ = evaluated("--fresh", "--limit", "2", code=2)
    assert "every question failed" in result.stderr


def test_an_endless_generation_is_cut_and_counted(evaluated, server, qwen, data, tmp_path):
    server.answer = lambda body, _: reply(body, "well, " * 900, finish_reason="length")
    result, card = evaluated()
    assert "4 answers cut off at their longest length" in result.stdout
    assert card.score == 0.0
    assert "4 answers were cut off at their longest length" in " ".join(card.notes)
    # A model of our own, too.
    command = ["eval", qwen.checkpoint, "--benchmark", "video_mme", "--data-root", data]
    more = ["--set", "evaluate.max_new_tokens=3", "--frames", 4, "--out", tmp_path / "own"]
    result = vidpost(*command, *more)
    assert "4 answers cut off at their longest length" in result.stdout, result.output


def test_a_tool_call_that_is_no_json_and_frames_outside_the_video(evaluated, server, tmp_path):
    def call(name, **arguments):
        return f"<tool>{json.dumps({'name': name, 'arguments': arguments})}</tool>"

    said = [
        "<tool>{broken</tool>",
        call("seek", start=0, end=999),
        call("seek", start=-1, end=2),
        "<answer>A</answer>",
    ]
    server.answer = lambda body, _: reply(body, said[len(body["messages"]) // 2])
    _, card = evaluated("--method", "vital", "--set", "decode.rounds=5")
    assert (card.n, card.score) == (4, 0.5) and card.method == "vital"
    path = tmp_path / "out" / "video_mme" / "predictions.jsonl"
    for line in path.read_text().splitlines():
        steps = json.loads(line)["trace"]
        assert [s["step"] for s in steps] == ["error"] * 3
        faults = ("not JSON", "'end' is 999, outside 0 to", "'start' is -1, outside 0 to")
        assert all(f in s["message"] for f, s in zip(faults, steps, strict=True))
    # One that never answers is cut off after its turns, and is read as it is: as nothing.
    server.answer = lambda body, _: reply(body, said[0])
    _, card = evaluated("--method", "vital", "--set", "decode.rounds=5", "--fresh")
    assert card.score == 0.0 and any("is asked for in words" in note for note in card.notes)


@pytest.mark.parametrize("method", ["cot_prompting", "self_consistency", "video_mtr", "video_rts"])
def test_methods_run_on_an_endpoint_that_is_not_vllm(evaluated, server, method):
    def answer(body, _):
        if "response_format" in body:
            return reply(body, json.dumps({"answer": "A"}))
        return reply(body, "<think>hm</think><answer>A</answer>")

    server.answer = answer
    _, card = evaluated("--method", method)
    assert (card.n, card.score) == (4, 0.5), card.notes
    assert any("The endpoint is not vLLM" in note for note in card.notes)


def test_a_method_that_weighs_answers_needs_their_probabilities(evaluated, server):
    server.answer = lambda body, _: reply(
        body, json.dumps({"answer": "A"}) if "response_format" in body else "<answer>A</answer>"
    )
    result, _ = evaluated("--method", "cyberv", code=2)
    assert "gives no log-probabilities" in result.stderr
    assert "--method self_consistency" in result.stderr


@pytest.mark.parametrize(
    ("address", "more", "said"),
    [
        ("http://127.0.0.1:9/v1", (), "no server answers"),
        ("http://nothing here", (), "no"),
        ("SERVER", ("--served", "large"), "serves tiny; 'large' is not among them"),
        ("nobody", (), "no such folder"),
    ],
)
def test_a_model_that_is_not_there(server, data, address, more, said, tmp_path):
    address = address.replace("SERVER", f"{server.url}/v1")
    command = ["eval", address, "--benchmark", "video_mme", "--data-root", data, *more]
    result = vidpost(*command, "--out", tmp_path / "out")
    assert result.exit_code == 2 and said in result.stderr and "Traceback" not in result.output
    assert result.stderr.count("error:") == 1 and not list(tmp_path.glob("out/*"))
