"""The evaluation runner: every question once, in order, kept as it arrives."""

from __future__ import annotations

import json

import pytest

from reproductions.shared.evaluation.runner import EvaluationError, evaluate
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
