"""The response cache: what is found again, what is not, and what survives kill -9."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("av")

from reproductions.shared.inference.answers import AnswersError, CachedGenerator
from reproductions.shared.inference.engine import (
    Completion,
    Message,
    Request,
    Sampling,
    Shown,
)
from reproductions.shared.inference.scripted import ScriptedGenerator
from reproductions.shared.method import Sample
from reproductions.shared.video.spec import FrameSpec

SPEC = FrameSpec(num_frames=8)
GREEDY = Sampling()


class Counting:
    """Answers with numbers, new ones each time, in a known shape."""

    def __init__(self):
        self.asked = []

    def generate(self, requests, sampling):
        self.asked += requests
        return [
            [
                Completion(f"{len(self.asked)}.{i}é", (3, i), (-0.1, -1 / 3), True, 40, 8)
                for i in range(r.n)
            ]
            for r in requests
        ]


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"some video")
    return path


def sample(video=None, **changes):
    first = Sample("a", "How many?", "3", video=str(video) if video else None)
    return replace(first, **changes)


def cached(folder, inner=None, **changes):
    settings = {"model": "m1", "protocol": "p1", "spec": SPEC} | changes
    return CachedGenerator(inner or Counting(), folder, **settings)


def test_a_second_process_gets_the_same_answers_without_asking(tmp_path, video):
    requests = [Request(sample(video), 2), Request(sample(id="b", question="And now?"))]
    first = cached(tmp_path / "c")
    answers = first.generate(requests, GREEDY)
    first.close()
    second = cached(tmp_path / "c")
    assert second.generate(requests, GREEDY) == answers  # to the bit: logprobs and text
    assert second.inner.asked == []
    counts = second.counts()
    assert (counts.requests, counts.hits, counts.misses) == (2, 2, 0)
    assert counts.bytes == second.path.stat().st_size


def changed(video):
    """Requests and sampling that must not share an answer with the plain ones."""
    conversation = (Message("user", "Look", Shown(frames=4)),)
    plain = Request(sample(video))
    return {
        "question": (Request(sample(video, question="How few?")), GREEDY),
        "options": (Request(sample(video, options=("A. 1",))), GREEDY),
        "meta": (Request(sample(video, meta={"subtitles": "hello"})), GREEDY),
        "order": (replace(plain, order=(1, 0)), GREEDY),
        "stream": (replace(plain, stream=1), GREEDY),
        "prefix": (replace(plain, prefix="It"), GREEDY),
        "messages": (replace(plain, messages=conversation), GREEDY),
        "shown": (
            replace(plain, messages=(replace(conversation[0], shows=Shown(frames=2)),)),
            GREEDY,
        ),
        "temperature": (plain, Sampling(temperature=0.5)),
        "stop": (plain, Sampling(stop=("\n",))),
        "choices": (plain, Sampling(choices=("A", "B"))),
        "seed": (plain, Sampling(seed=1)),
        "max_new_tokens": (plain, Sampling(max_new_tokens=2)),
    }


def test_whatever_changes_the_answer_is_another_question(tmp_path, video):
    cache = cached(tmp_path / "c")
    plain = cache.generate([Request(sample(video))], GREEDY)[0]
    seen = [plain]
    for request, sampling in changed(video).values():
        answer = cache.generate([request], sampling)[0]
        assert answer not in seen
        seen.append(answer)
    assert len(cache.inner.asked) == len(seen) == 14


@pytest.mark.parametrize(
    "other", [{"model": "m2"}, {"protocol": "p2"}, {"spec": FrameSpec(num_frames=16)}]
)
def test_no_answer_is_used_under_another_protocol(tmp_path, video, other):
    first = cached(tmp_path / "c")
    first.generate([Request(sample(video))], GREEDY)
    second = cached(tmp_path / "c", **other)
    assert second.path != first.path
    second.generate([Request(sample(video))], GREEDY)
    assert len(second.inner.asked) == 1
    # Nor if somebody moves the journal to its place.
    second.close()
    shutil.copy(first.path, second.path)
    with pytest.raises(AnswersError, match="another model or protocol"):
        cached(tmp_path / "c", **other)


def test_the_content_of_a_video_counts_and_not_its_name(tmp_path, video):
    cache = cached(tmp_path / "c")
    answer = cache.generate([Request(sample(video))], GREEDY)
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(video.read_bytes())
    assert cache.generate([Request(sample(copy))], GREEDY) == answer
    video.write_bytes(b"another video")
    assert cache.generate([Request(sample(video))], GREEDY) != answer
    other = [
        Request(sample(), messages=(Message("user", "Look", Shown(video=str(path))),))
        for path in (copy, video)
    ]
    assert cache.generate(other[:1], GREEDY) != cache.generate(other[1:], GREEDY)
    image = Request(sample(meta={"image": str(copy)}))
    moved = Request(sample(meta={"image": str(tmp_path / "again.mp4")}))
    shutil.copy(copy, tmp_path / "again.mp4")
    assert cache.generate([image], GREEDY) == cache.generate([moved], GREEDY)


def test_fewer_answers_come_from_more_and_more_are_asked_for(tmp_path):
    cache = cached(tmp_path / "c")
    four = cache.generate([Request(sample(), 4)], GREEDY)[0]
    assert cache.generate([Request(sample(), 2)], GREEDY)[0] == four[:2]
    six = cache.generate([Request(sample(), 6)], GREEDY)[0]
    assert [r.n for r in cache.inner.asked] == [4, 6]
    assert cached(tmp_path / "c").generate([Request(sample(), 6)], GREEDY)[0] == six


def test_equal_requests_of_a_call_are_asked_once(tmp_path):
    cache = cached(tmp_path / "c")
    one, none, three = cache.generate(
        [Request(sample()), Request(sample(), 0), Request(sample(), 3)], GREEDY
    )
    assert [r.n for r in cache.inner.asked] == [3]
    assert none == [] and three[:1] == one


def test_a_failed_answer_is_not_kept(tmp_path):
    class Failing(Counting):
        def generate(self, requests, sampling):
            self.asked += requests
            return [[Completion("", (), (), False)] for _ in requests]

    cache = cached(tmp_path / "c", Failing())
    cache.generate([Request(sample())], GREEDY)
    assert cache.counts().requests == 0
    assert cached(tmp_path / "c").generate([Request(sample())], GREEDY)[0][0].text == "1.0é"


@pytest.mark.parametrize("damage", ["cut", "middle", "head", "zeros"])
def test_damaged_records_are_passed_over(tmp_path, damage):
    requests = [Request(sample(id=str(i))) for i in range(4)]
    first = cached(tmp_path / "c")
    answers = first.generate(requests, GREEDY)
    first.close()
    data = first.path.read_bytes()
    lines = data.splitlines(keepends=True)
    if damage == "cut":  # in the middle of the last write
        first.path.write_bytes(data[:-10])
        lost = [3]
    elif damage == "middle":
        first.path.write_bytes(b"".join([*lines[:2], lines[2][:-30], b"\n", *lines[3:]]))
        lost = [1]
    elif damage == "zeros":  # what a power cut leaves
        first.path.write_bytes(data[: -len(lines[-1])] + bytes(len(lines[-1])))
        lost = [3]
    else:
        first.path.write_bytes(data[:20])
        lost = [0, 1, 2, 3]
    second = cached(tmp_path / "c")
    again = second.generate(requests, GREEDY)
    assert [r.sample.id for r in second.inner.asked] == [str(i) for i in lost]
    assert all(again[i] == answers[i] for i in range(4) if i not in lost)
    second.close()
    third = cached(tmp_path / "c")  # what was written after the damage is whole
    assert third.generate(requests, GREEDY) == again and third.inner.asked == []


def test_two_processes_share_a_journal(tmp_path):
    first, second = cached(tmp_path / "c"), cached(tmp_path / "c")
    answer = first.generate([Request(sample())], GREEDY)
    assert second.generate([Request(sample())], GREEDY) == answer
    assert second.inner.asked == []
    second.generate([Request(sample(id="b"))], GREEDY)
    first.generate([Request(sample(id="b"))], GREEDY)
    assert len(first.inner.asked) == 1


def test_an_engine_that_streams_is_recorded_answer_by_answer(tmp_path):
    class Streaming(Counting):
        def each(self, requests, sampling):
            for i, answers in reversed(list(enumerate(self.generate(requests, sampling)))):
                yield i, answers
                if i == 1:
                    raise KeyboardInterrupt

    requests = [Request(sample(id=str(i))) for i in range(3)]
    with pytest.raises(KeyboardInterrupt):
        cached(tmp_path / "c", Streaming()).generate(requests, GREEDY)
    second = cached(tmp_path / "c")
    second.generate(requests, GREEDY)
    assert [r.sample.id for r in second.inner.asked] == ["0"]


CHILD = """
import sys, time
from reproductions.shared.inference.answers import CachedGenerator
from reproductions.shared.inference.engine import Completion, Request, Sampling
from reproductions.shared.method import Sample

class Slow:
    def each(self, requests, sampling):
        for i, r in enumerate(requests):
            time.sleep(0.005)
            yield i, [Completion("x" * 3000, (1,) * 400, (-0.5,) * 400, True)]
            print(r.sample.id, flush=True)  # by now it is in the journal

cache = CachedGenerator(Slow(), sys.argv[1], model="m1", protocol="p1")
cache.generate([Request(Sample(str(i), "?", "")) for i in range(10_000)], Sampling())
"""


def test_kill_9_loses_no_finished_answer(tmp_path):
    for _ in range(2):  # the second one goes on with a journal that was cut off
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path / "c")], stdout=subprocess.PIPE
        )
        done = [child.stdout.readline() for _ in range(25)]
        assert all(done)
        os.kill(child.pid, signal.SIGKILL)
        done += child.stdout.readlines()
        child.wait()
    assert child.returncode == -signal.SIGKILL
    finished = [int(line) for line in done if line.endswith(b"\n")]
    assert min(finished) >= 25  # the first run's answers were not asked again
    cache = cached(tmp_path / "c", spec=None)
    requests = [Request(Sample(str(i), "?", "")) for i in range(max(finished) + 1)]
    answers = cache.generate(requests, GREEDY)
    assert cache.inner.asked == []
    assert {a[0].text for a in answers} == {"x" * 3000}


def test_a_hit_costs_microseconds(tmp_path, video):
    """Bounds far above what was measured (60 µs), so that only a mistake breaks them."""
    cache = cached(tmp_path / "c", ScriptedGenerator(lambda request, i: "<answer>A</answer>"))
    requests = [Request(sample(video, id=str(i))) for i in range(500)]
    cache.generate(requests, GREEDY)
    begin = time.perf_counter()
    cache.generate(requests, GREEDY)
    assert (time.perf_counter() - begin) / 500 < 2e-3


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "c").write_text("a file")
    with pytest.raises(AnswersError, match="cannot be written"):
        cached(tmp_path / "c")


def test_the_journal_is_plain_json(tmp_path):
    cache = cached(tmp_path / "c")
    cache.generate([Request(sample())], GREEDY)
    head, record = map(json.loads, Path(cache.path).read_text().splitlines())
    assert (head["model"], head["protocol"], head["frames"]) == ("m1", "p1", SPEC.key())
    assert record["answers"][0][0] == "1.0é"
