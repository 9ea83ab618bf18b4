"""The evaluation runner: every question once, in order, kept as it arrives."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from reproductions.shared.evaluation.runner import EvaluationError, evaluate
from reproductions.shared.inference.answers import AnswersError
from reproductions.shared.inference.engine import Completion, Prediction, Request, Sampling
from reproductions.shared.inference.scripted import ScriptedGenerator
from reproductions.shared.method import Sample
from reproductions.shared.rewards.rules import accuracy

SAMPLES = [
    Sample(id="a", question="Which?", answer="A", options=("A. x", "B. y"), task="order"),
    Sample(id="b", question="How many?", answer="3", problem_type="numerical", video="b.mp4"),
    Sample(id="c", question="Wieviele Männer?", answer="2", problem_type="numerical"),
]
ANSWERS = {"a": "<answer>A</answer>", "b": "<answer>4</answer>", "c": "<think>…</think> 2"}
GREEDY = Sampling()


def ask(path, generator=None, samples=SAMPLES, fingerprint="f", **extra):
    generator = generator or scripted()
    settings = {"fingerprint": fingerprint, "batch": 2} | extra
    return evaluate(generator, samples, accuracy("video_r1"), path, GREEDY, **settings)


def scripted(answers=ANSWERS):
    return ScriptedGenerator(lambda request, i: answers[request.sample.id])


def asked(generator):
    return [[r.sample.id for r in call] for call in generator.calls]


def test_every_question_is_asked_once_and_scored(tmp_path):
    path = tmp_path / "deep" / "rl.jsonl"
    generator = scripted()
    told = []
    records = ask(path, generator, progress=told.append, prompt=lambda s: f"<{s.question}>")
    assert asked(generator) == [["a", "b"], ["c"]]
    assert told == [1, 1, 1]
    assert [r["id"] for r in records] == ["a", "b", "c"]
    assert [r["score"] for r in records] == [1.0, 0.0, 0.0]
    first = records[0]
    assert (first["answer"], first["gold"], first["task"]) == ("A", "A", "order")
    assert first["prompt"] == "<Which?>" and first["options"] == ["A. x", "B. y"]
    assert first["tokens_out"] == len(ANSWERS["a"]) and first["seconds"] >= 0
    assert records[2]["answer"] in (None, "") and records[2]["completion"] == ANSWERS["c"]
    lines = path.read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0]) == {"fingerprint": "f"}
    assert [json.loads(x) for x in lines[1:]] == records


def test_an_interrupted_evaluation_goes_on(tmp_path):
    path = tmp_path / "rl.jsonl"

    class Dies(ScriptedGenerator):
        def generate(self, requests, sampling):
            if self.calls:
                raise KeyboardInterrupt
            return super().generate(requests, sampling)

    with pytest.raises(KeyboardInterrupt):
        ask(path, Dies(lambda request, i: ANSWERS[request.sample.id]))
    generator, told = scripted(), []
    records = ask(path, generator, progress=told.append)
    assert asked(generator) == [["c"]] and told == [2, 1]
    whole = ask(tmp_path / "whole.jsonl")
    strip = [{k: v for k, v in r.items() if k != "seconds"} for r in records]
    assert strip == [{k: v for k, v in r.items() if k != "seconds"} for r in whole]
    done = scripted()
    assert ask(path, done) == records and done.calls == []


@pytest.mark.parametrize(
    "change",
    [
        {"question": "Which not?"},
        {"options": ("A. y", "B. x")},
        {"answer": "B"},
        {"meta": {"subtitle_text": "red"}},
    ],
)
def test_no_answer_is_used_for_another_question_of_that_id(tmp_path, change):
    path = tmp_path / "rl.jsonl"
    ask(path)
    generator = scripted()
    records = ask(path, generator, [replace(SAMPLES[0], **change), *SAMPLES[1:]])
    assert asked(generator) == [["a"]]
    assert records[0]["question"] == change.get("question", "Which?")
    assert records[0]["score"] == float(change.get("answer", "A") == "A")


def test_no_answer_is_used_for_another_video_of_that_name(tmp_path):
    path, video = tmp_path / "rl.jsonl", tmp_path / "b.mp4"
    video.write_bytes(b"first")
    samples = [replace(SAMPLES[1], video=str(video))]
    ask(path, samples=samples)
    elsewhere = tmp_path / "moved.mp4"
    elsewhere.write_bytes(b"first")
    again = scripted()
    ask(path, again, [replace(SAMPLES[1], video=str(elsewhere))])
    assert again.calls == []  # the same content at another place
    video.write_bytes(b"second")
    other = scripted()
    ask(path, other, samples)
    assert asked(other) == [["b"]]


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_runner import ANSWERS, ScriptedGenerator, ask

def script(request, i):
    if request.sample.id == "c":
        os.kill(os.getpid(), signal.SIGKILL)
    return ANSWERS[request.sample.id]

ask(Path(sys.argv[2]), ScriptedGenerator(script), batch=1)
"""


def test_kill_9_loses_no_finished_answer_of_an_evaluation(tmp_path):
    path, here = tmp_path / "rl.jsonl", __file__.rpartition("/")[0]
    dead = subprocess.run([sys.executable, "-c", KILLED, here, str(path)], check=False)
    assert dead.returncode == -signal.SIGKILL
    generator = scripted()
    records = ask(path, generator)
    assert asked(generator) == [["c"]] and [r["score"] for r in records] == [1.0, 0.0, 0.0]


def test_a_full_disk_is_no_wrong_answer(tmp_path):
    def full(sample, generator):
        raise AnswersError("journal: cannot be written (No space left on device).")

    with pytest.raises(AnswersError, match="No space left"):
        ask(tmp_path / "rl.jsonl", decode=full)


def test_a_record_cut_in_the_middle_is_asked_again(tmp_path):
    path = tmp_path / "rl.jsonl"
    ask(path)
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: text.rindex('"gold"')], encoding="utf-8")
    generator = scripted()
    records = ask(path, generator)
    assert asked(generator) == [["c"]] and len(records) == 3
    assert len(path.read_text(encoding="utf-8").splitlines()) == 4


@pytest.mark.parametrize("start", ["", "{}\n", '{"fingerprint": "g"}\n{"id": "a"}\n', "garbage"])
def test_a_file_of_another_protocol_is_not_reused(tmp_path, start):
    path = tmp_path / "rl.jsonl"
    path.write_text(start, encoding="utf-8")
    generator = scripted()
    ask(path, generator)
    assert asked(generator) == [["a", "b"], ["c"]]
    assert path.read_text(encoding="utf-8").startswith('{"fingerprint": "f"}\n')


def test_only_the_samples_asked_for_are_returned_in_their_order(tmp_path):
    path = tmp_path / "rl.jsonl"
    ask(path)
    assert [r["id"] for r in ask(path, samples=[SAMPLES[2], SAMPLES[0]])] == ["c", "a"]


def test_what_a_model_writes_is_data(tmp_path):
    """Line breaks, quotes and lone surrogates must not break the file."""
    hostile = 'x\n{"id": "b"}\r\u2028\x00"<answer>A</answer>\ud800'
    path = tmp_path / "rl.jsonl"
    ask(path, scripted(ANSWERS | {"a": hostile}))
    generator = scripted()
    records = ask(path, generator)
    assert records[0]["completion"] == hostile and generator.calls == []


def test_times_and_facts_of_the_generator_are_noted(tmp_path):
    class One:
        def generate(self, requests, sampling):
            return [[Completion("<answer>A</answer>", (1, 2), (0.0, 0.0), False, 57, 8)]] * len(
                requests
            )

    records = ask(tmp_path / "x.jsonl", One(), SAMPLES[:1], times=lambda s: (0.5, 1.5))
    (record,) = records
    assert (record["finished"], record["tokens_in"], record["tokens_out"]) == (False, 57, 2)
    assert (record["frames"], record["times"]) == (8, [0.5, 1.5])


def tries(sample, generator):
    """Asks twice; fails on b."""
    first, second = (generator.generate([Request(sample)], GREEDY)[0][0] for _ in range(2))
    if sample.id == "b":
        raise ValueError(f"no idea after {second.text}")
    return Prediction(
        first.text, ((1.0, 3.0),), ({"step": "x", "odd": {1, 2}, "long": "y" * 9999},)
    )


def test_a_strategy_that_fails_is_counted_and_asked_again(tmp_path):
    path = tmp_path / "x.jsonl"
    generator = scripted()
    a, b, _ = ask(path, generator, decode=tries, batch=8)
    assert [len(call) for call in generator.calls] == [3, 3]  # side by side
    assert (b["score"], b["failure"]) == (0.0, "ValueError: no idea after <answer>4</answer>")
    assert a["calls"] == b["calls"] == 2 and not b["finished"] and "failure" not in a
    assert a["evidence"] == [[1.0, 3.0]] and 1.0 < a["times"][0] < a["times"][-1] < 3.0
    (step,) = a["trace"]
    assert step["odd"] == "{1, 2}" and len(step["long"]) == 2000
    again = scripted()
    ask(path, again, decode=lambda s, g: g.generate([Request(s)], GREEDY)[0][0].text)
    assert asked(again) == [["b"]]


def test_an_endless_strategy_is_a_failure(tmp_path):
    def endless(sample, generator):
        while True:
            generator.generate([Request(sample)], GREEDY)

    records = ask(tmp_path / "x.jsonl", decode=lambda s, g: "A" if s.id == "a" else endless(s, g),
                  max_calls=5)  # fmt: skip
    assert [r.get("failure", "")[:11] for r in records] == ["", "BudgetError", "BudgetError"]
    assert records[1]["calls"] == 5


def test_if_everything_fails_it_is_not_the_questions(tmp_path):
    class Gone(ScriptedGenerator):
        def generate(self, requests, sampling):
            raise ConnectionError("no server")

    with pytest.raises(EvaluationError, match=r"every question failed.*ConnectionError: no server"):
        ask(tmp_path / "x.jsonl", Gone(str))
