"""Many samples side by side: what shares a call, what fails alone, what is counted."""

from __future__ import annotations

import threading

import pytest

from reproductions.shared.inference.batched import together
from reproductions.shared.inference.engine import (
    Completion,
    Message,
    Request,
    Sampling,
    Shown,
)
from reproductions.shared.inference.meter import BudgetError, Metered
from reproductions.shared.inference.scripted import ScriptedGenerator
from reproductions.shared.method import Sample

ITEMS = [Sample(id=str(i), question="?", answer="") for i in range(5)]
WARM, COLD = Sampling(temperature=1.0), Sampling()


def scripted():
    return ScriptedGenerator(lambda r, i: f"{r.sample.id}{r.prefix}")


def asked(generator):
    return [[r.sample.id + r.prefix for r in call] for call in generator.calls]


def rounds(n):
    """Sample i asks i times, one request after the other."""

    def work(sample, seat):
        said = ""
        for k in range(int(sample.id) if n is None else n):
            said = seat.generate([Request(sample, prefix=str(k))], COLD)[0][0].text
        return said

    return work


def test_waiting_samples_share_a_call():
    generator = scripted()
    results = {s.id: r for s, r in together(generator, ITEMS, rounds(None))}
    assert results == {"0": "", "1": "10", "2": "21", "3": "32", "4": "43"}
    assert [sorted(c) for c in asked(generator)] == [
        ["10", "20", "30", "40"], ["21", "31", "41"], ["32", "42"], ["43"],
    ]  # fmt: skip


def test_few_workers_come_to_the_same_answers_and_order():
    order = [[s.id for s, _ in together(scripted(), ITEMS, rounds(2), workers=2)] for _ in range(5)]
    assert all(o == order[0] for o in order) and sorted(order[0]) == list("01234")
    generator = scripted()
    results = {s.id: r for s, r in together(generator, ITEMS, rounds(2), workers=2)}
    assert results == {str(i): f"{i}1" for i in range(5)}
    assert max(len(c) for c in generator.calls) == 2


def test_each_sampling_is_a_call_of_its_own():
    generator = scripted()

    def work(sample, seat):
        warm = int(sample.id) % 2
        return seat.generate([Request(sample, 2)], WARM if warm else COLD)[0]

    results = {s.id: r for s, r in together(generator, ITEMS, work)}
    assert [len(r) for r in results.values()] == [2] * 5
    assert sorted(map(sorted, asked(generator))) == [["0", "2", "4"], ["1", "3"]]


def test_an_error_is_that_of_its_sample():
    class Picky(ScriptedGenerator):
        def generate(self, requests, sampling):
            if any(r.prefix == "bad" for r in requests):
                raise ValueError("what a prefix")
            return super().generate(requests, sampling)

    def work(sample, seat):
        if sample.id == "4":
            raise ZeroDivisionError("mine")
        begin = "bad" if sample.id == "2" else ""
        return seat.generate([Request(sample, prefix=begin)], COLD)[0][0].text

    results = {s.id: r for s, r in together(Picky(lambda r, i: r.sample.id), ITEMS, work)}
    assert [results[i] for i in "013"] == ["0", "1", "3"]
    assert isinstance(results["2"], ValueError) and isinstance(results["4"], ZeroDivisionError)


def test_giving_up_ends_the_threads():
    before = threading.active_count()

    class Dies(ScriptedGenerator):
        def generate(self, requests, sampling):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(together(Dies(str), ITEMS, rounds(2)))
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.daemon:
            thread.join(timeout=5)
    assert threading.active_count() <= before
    assert list(together(scripted(), [], rounds(1))) == []


class Engine:
    """8 frames and 100 prompt tokens a view, two tokens an answer."""

    def generate(self, requests, sampling):
        answers = []
        for r in requests:
            views = [m.shows for m in r.messages if m.shows] or [None]
            one = Completion("x", (1, 2), (0.0, 0.0), True, 100 * len(views), 8 * len(views))
            answers.append([one] * r.n)
        return answers


def test_what_a_question_cost():
    meter = Metered(Engine())
    first = Message("user", "?", Shown(span=(0.0, 4.0)))
    second = Message("user", "?", Shown(span=(4.0, 8.0)))
    meter.generate([Request(ITEMS[0], 5, messages=(first,))], WARM)
    meter.generate([Request(ITEMS[0], messages=(first, second))], COLD)
    meter.generate([Request(ITEMS[0], messages=(second,)), Request(ITEMS[0])], COLD)
    cost = meter.cost
    assert (cost.calls, cost.answers) == (4, 8)
    assert (cost.tokens_in, cost.tokens_out) == (100 + 200 + 100 + 100, 16)
    assert (cost.frames, cost.frames_decoded) == (8 + 16 + 8 + 8, 24)
    assert cost.seconds > 0 and meter.finished


def test_no_strategy_runs_for_ever():
    meter = Metered(Engine(), max_calls=3)
    with pytest.raises(BudgetError, match=r"over 3 model calls.*decode\.max_calls"):
        while True:
            meter.generate([Request(ITEMS[0])], COLD)
    assert meter.cost.calls == 3


def test_seconds_are_shared_among_those_who_waited():
    seats = []

    def work(sample, seat):
        meter = Metered(seat)
        meter.generate([Request(sample, 2)], COLD)
        seats.append(meter.cost.seconds)
        return seat.seconds

    total = [r for _, r in together(Engine(), ITEMS, work)]
    assert sorted(seats) == sorted(total) and len(set(total)) == 1 and total[0] >= 0


def test_scripts_are_held_to_the_sampling():
    generator = ScriptedGenerator(lambda r, i: ("a</answer>b", -0.5))
    (one,) = generator.generate([Request(ITEMS[0])], Sampling(stop=("</answer>",)))[0]
    assert one.text == "a" and one.logprobs == (-0.5,)
    with pytest.raises(ValueError, match="none of"):
        generator.generate([Request(ITEMS[0])], Sampling(choices=("a", "b")))
