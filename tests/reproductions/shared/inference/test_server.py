"""The OpenAI-compatible engine against a real HTTP server on loopback that misbehaves on demand."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from dataclasses import replace
from email.utils import formatdate

import numpy as np
import pytest
from small_run import Server, reply

pytest.importorskip("av")

from PIL import Image

from reproductions.shared.inference.answers import CachedGenerator
from reproductions.shared.inference.engine import Message, Request, Sampling, Shown
from reproductions.shared.inference.server import ServerError, ServerGenerator
from reproductions.shared.inference.turns import reading, seed_of
from reproductions.shared.method import Sample
from reproductions.shared.models.show import reader
from reproductions.shared.video.decode import probe, read_frames, video_metadata
from reproductions.shared.video.frames import write_mp4
from reproductions.shared.video.spec import FrameSpec

SPEC = FrameSpec(num_frames=4, max_pixels=28 * 28)


@pytest.fixture
def server():
    made = []

    def make(*args):
        made.append(Server(*args))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    frames = np.random.default_rng(0).integers(0, 255, (16, 28, 28, 3), np.uint8)
    write_mp4(path, frames, 4)
    return str(path)


def encoder():
    return reading(reader(SPEC, read_frames, probe), lambda s: f"Question: {s.question}")


def engine(server, **settings):
    return ServerGenerator(server.url, "tiny", encoder(), **{"patience": 0.01} | settings)


def text(name="a"):
    return Sample(name, f"How many {name}?", "3")


def pictures(url):
    """The frames in a data URL."""
    head, _, data = url.partition(";base64,")
    frames = [np.array(Image.open(io.BytesIO(base64.b64decode(d)))) for d in data.split(",")]
    return head, np.stack(frames)


# --- what is sent ------------------------------------------------------------------------------


def test_vllm_gets_our_frames_with_their_times(server, video):
    s = server("vllm")
    sampling = Sampling(temperature=0.5, top_p=0.9, top_k=7, max_new_tokens=9, stop=("END",))
    request = Request(replace(text(), video=video), 3, prefix="It is")
    answers = engine(s).generate([request], sampling)
    assert [a.text for a in answers[0]] == ["an answer"] * 3
    body = s.bodies[0]
    part, question = body["messages"][0]["content"]
    head, frames = pictures(part["video_url"]["url"])
    clip = read_frames(video, SPEC)
    assert head == "data:video/jpeg" and np.array_equal(frames, clip.frames)  # to the pixel
    assert question == {"type": "text", "text": "Question: How many a?"}
    about = video_metadata(clip)
    given = body["media_io_kwargs"]["video"]
    assert given["num_frames"] == -1
    for key in ("fps", "duration", "total_num_frames", "frames_indices"):
        assert given[key] == about[key]
    assert body["messages"][1] == {"role": "assistant", "content": "It is"}
    assert body["continue_final_message"] is True and body["add_generation_prompt"] is False
    assert "<|video_pad|>" in body["bad_words"]
    expected = {"n": 3, "temperature": 0.5, "top_p": 0.9, "top_k": 7, "max_tokens": 9}
    expected |= {"stop": ["END"], "seed": seed_of(request, sampling), "logprobs": True}
    assert {k: body[k] for k in expected} == expected
    # The checkpoint's own generation settings must not act.
    assert (body["min_p"], body["repetition_penalty"]) == (0.0, 1.0)


def test_others_get_a_picture_a_frame_with_its_time(server, video):
    s = server()
    engine(s, logprobs=False).generate([Request(replace(text(), video=video))], Sampling())
    body = s.bodies[0]
    content = body["messages"][0]["content"]
    clip = read_frames(video, SPEC)
    assert [c["text"] for c in content[:-1:2]] == [f"{t:.1f} s" for t in clip.times]
    for frame, part in zip(clip.frames, content[1:-1:2], strict=True):
        head, seen = pictures(part["image_url"]["url"])
        assert head == "data:image/png" and np.array_equal(seen[0], frame)
    # Nothing that is not in the OpenAI API.
    assert set(body) == {"model", "messages", "temperature", "top_p", "max_tokens", "n", "seed"}
    assert body["seed"] < 2**31


def test_jpeg_is_smaller_and_close(server, video):
    s = server("vllm")
    engine(s, picture="jpeg").generate([Request(replace(text(), video=video))], Sampling())
    _, frames = pictures(s.bodies[0]["messages"][0]["content"][0]["video_url"]["url"])
    difference = frames.astype(int) - read_frames(video, SPEC).frames
    assert 0 < abs(difference).mean() < 12  # noise is the worst case


@pytest.mark.parametrize("same", [True, False])
def test_a_conversation_with_two_parts(server, video, same):
    s = server("vllm")
    spans = [(0.0, 2.0), (0.0, 2.0) if same else (2.0, 4.0)]
    messages = (
        Message("system", "Be brief."),
        Message("user", "First", Shown(frames=2, span=spans[0])),
        Message("assistant", "Yes."),
        Message("user", "Second", Shown(frames=2, span=spans[1], box=(0.0, 0.0, 0.5, 1.0))),
    )
    answers = engine(s).generate([Request(replace(text(), video=video), 1, None, 0, messages)],
                                 Sampling())  # fmt: skip
    assert answers[0][0].frames == 4
    sent = s.bodies[0]["messages"]
    assert [m["role"] for m in sent] == ["system", "user", "assistant", "user"]
    assert (sent[0]["content"], sent[2]["content"]) == ("Be brief.", "Yes.")
    kinds = [c["type"] for m in (sent[1], sent[3]) for c in m["content"]]
    if same:  # one set of times is all that the API takes
        assert kinds == ["video_url", "text"] * 2
    else:
        assert kinds == ["text", "image_url", "text", "image_url", "text"] * 2
        assert "media_io_kwargs" not in s.bodies[0]
        with pytest.raises(ServerError, match="different times"):
            engine(s, frames="video").generate(
                [Request(replace(text(), video=video), 1, None, 0, messages)], Sampling()
            )


def test_choices_are_a_grammar_or_a_schema(server):
    sampling = Sampling(choices=("yes", "no"), max_new_tokens=1)
    s = server("vllm")
    engine(s).generate([Request(text())], sampling)
    assert s.bodies[0]["structured_outputs"] == {"choice": ["yes", "no"]}
    assert s.bodies[0]["max_tokens"] >= len("yes")
    s = server()
    s.answer = lambda body, times: reply(body, json.dumps({"answer": "no"}))
    assert engine(s).generate([Request(text())], sampling)[0][0].text == "no"
    schema = s.bodies[0]["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["answer"]["enum"] == ["yes", "no"]


@pytest.mark.parametrize("content", ["not json", '{"answer": "perhaps"}', '["no"]', "{}"])
def test_an_answer_that_is_none_of_the_choices_has_failed(server, content):
    s = server()
    s.answer = lambda body, times: reply(body, content if body["seed"] % 2 else "{}")
    generator = engine(s, tries=2)
    with pytest.raises(ServerError, match="no answer in the form"):
        generator.generate([Request(text())], Sampling(choices=("yes", "no")))
    assert generator.failures[0].tries == 2


def test_top_k_is_left_out_where_the_api_has_none_and_that_is_said(server):
    s = server()
    made = engine(s)
    made.generate([Request(text())], Sampling(temperature=1.0, top_k=5))
    assert "top_k" not in s.bodies[0] and "top_k it is left out" in made.limits
    assert engine(server("vllm")).limits == ""


THOUGHT = "<think>two, three</think><answer>"


@pytest.mark.parametrize(
    ("prefix", "said", "kept"),
    [
        (THOUGHT, "3", "3"),
        (THOUGHT, f"\n{THOUGHT}3", "3"),  # repeated
        (THOUGHT, "<answer>3", "3"),
        (THOUGHT, "<think>Once more.</think><answer>3", "3"),  # started over
        ("It is", "It is three.", " three."),
        ("It is", "three.", "three."),
    ],
)
def test_others_are_asked_in_words_to_go_on(server, prefix, said, kept):
    s = server()
    tokens = [{"token": c, "logprob": -float(i)} for i, c in enumerate(said)]
    s.answer = lambda body, times: reply(body, said, logprobs={"content": tokens})
    (answer,) = engine(s).generate([Request(text(), prefix=prefix)], Sampling())[0]
    (message,) = s.bodies[0]["messages"]
    assert message["content"].startswith("Question: ") and message["content"].endswith(prefix)
    assert answer.text == kept and len(answer.ids) == len(said)  # all of it was paid for
    # Confidence is that of what was kept.
    assert answer.logprobs == tuple(-float(i) for i in range(len(said) - len(kept), len(said)))


def test_the_probability_of_a_choice_is_not_that_of_its_json(server):
    s = server()
    pieces = ['{"', "answer", '": "', "n", "o", '"}']
    tokens = [{"token": t, "logprob": -0.1 if t in "no" else -9.0} for t in pieces]
    s.answer = lambda body, times: reply(body, "".join(pieces), logprobs={"content": tokens})
    answer = engine(s).generate([Request(text())], Sampling(choices=("yes", "no")))[0][0]
    assert (answer.text, answer.logprobs, len(answer.ids)) == ("no", (-0.1, -0.1), 6)


def test_an_answer_that_was_cut_off_is_an_answer(server):
    """A server need not count tokens; a thought that it hides may leave no text at all."""
    for said in ("well, well", ""):
        s = server()
        s.answer = lambda body, times, said=said: (
            reply(body, said, finish_reason="length") | {"usage": None}
        )
        (answer,) = engine(s).generate([Request(text())], Sampling())[0]
        assert answer.ids and not answer.finished


# --- what comes back ---------------------------------------------------------------------------


def test_tokens_are_read_where_given_and_counted_where_not(server):
    s = server("vllm")
    scores = {"content": [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1.25}]}
    s.answer = lambda body, times: reply(body, "ab", token_ids=[7, 9], logprobs=scores)
    answer = engine(s).generate([Request(text())], Sampling())[0][0]
    assert (answer.ids, answer.logprobs) == ((7, 9), (-0.5, -1.25))
    assert (answer.prompt_tokens, answer.finished) == (30, True)
    s = server()
    s.answer = lambda body, times: reply(body, "ab", finish_reason="length")
    answers = engine(s).generate([Request(text(), 2)], Sampling(temperature=1.0))[0]
    assert [(len(a.ids), a.logprobs, a.finished) for a in answers] == [(6, (), False)] * 2


def test_greedy_answers_are_asked_once_and_missing_ones_again(server):
    s = server()
    assert len(engine(s).generate([Request(text(), 4)], Sampling())[0]) == 4
    assert [b["n"] for b in s.bodies] == [1]
    s = server()  # an endpoint that knows no n
    s.answer = lambda body, times: reply(body | {"n": 1}, f"answer {times}")
    answers = engine(s).generate([Request(text(), 3)], Sampling(temperature=1.0))[0]
    assert [a.text for a in answers] == ["answer 1", "answer 2", "answer 3"]
    seeds = [b["seed"] for b in s.bodies]
    assert [x - seeds[0] for x in seeds] == [0, 1, 2]  # else all would be the same answer


@pytest.mark.parametrize(
    "bad",
    [
        {"choices": []},
        {"choices": [{}]},
        {"choices": None},
        {},
        [],
        b"<html>busy</html>",
        b"",
        b"[" * 100_000,
        {"choices": [{"message": {"content": 5}}]},
        {"choices": [{"message": {"content": "x"}, "logprobs": {"content": [3]}}]},
        (500, {}, {"error": {"message": "out of memory"}}),
        (503, {}, b"\xff\xfe"),
        (429, {"Retry-After": "0"}, {}),
        (429, {"Retry-After": "soon"}, {}),
        (529, {"Retry-After": formatdate(0, usegmt=True)}, {}),
        (200, {}, None),
    ],
)
def test_a_fault_is_tried_again_and_then_counted(server, bad):
    s = server()
    s.answer = lambda body, times: bad if times < 3 else reply(body)
    generator = engine(s)
    assert generator.generate([Request(text())], Sampling())[0][0].text == "an answer"
    assert (len(s.bodies), generator.failures) == (3, [])
    # Always: one failure, and the others get their answers.
    s.answer = lambda body, times: bad if "many b?" in str(body) else reply(body)
    answers = generator.generate([Request(text(n), 2) for n in "abc"], Sampling(temperature=1.0))
    assert [[a.text for a in g] for g in answers] == [
        ["an answer"] * 2, ["", ""], ["an answer"] * 2
    ]  # fmt: skip
    assert not any(a.finished for a in answers[1])
    [failure] = generator.failures
    assert failure.sample == "b" and failure.tries == 5 and failure.reason


def test_a_refused_request_is_not_repeated_and_does_not_stop_the_others(server):
    s = server()
    refusal = (400, {}, {"error": {"message": "This prompt is too long."}})
    s.answer = lambda body, times: refusal if "many b?" in str(body) else reply(body)
    generator = engine(s)
    generator.generate([Request(text(n)) for n in "abc"], Sampling())
    assert [f.sample for f in generator.failures] == ["b"]
    assert "This prompt is too long." in generator.failures[0].reason
    assert len(s.bodies) == 3
    with pytest.raises(ServerError, match=r"none of 1 requests.*too long"):
        generator.generate([Request(text("b"))], Sampling())


def test_retry_after_is_obeyed_within_patience(server):
    s = server()
    s.answer = lambda body, times: (429, {"Retry-After": "0.3"}, {}) if times < 2 else reply(body)
    begin = time.monotonic()
    engine(s, patience=5.0).generate([Request(text())], Sampling())
    assert 0.3 <= time.monotonic() - begin < 3
    s.answer = lambda body, times: (429, {"Retry-After": "900"}, {}) if times < 2 else reply(body)
    begin = time.monotonic()
    engine(s, patience=0.05).generate([Request(text("b"))], Sampling())
    assert time.monotonic() - begin < 3


def test_a_server_that_hangs_is_left_in_time(server):
    s = server()

    def hang(body, times):
        if "many b?" in str(body):
            time.sleep(1.5)
        return reply(body)

    s.answer = hang
    generator = engine(s, timeout=0.3, tries=2)
    begin = time.monotonic()
    answers = generator.generate([Request(text(n)) for n in "ab"], Sampling())
    assert time.monotonic() - begin < 1.4
    assert (answers[0][0].text, answers[1][0].text) == ("an answer", "")
    assert "no response" in generator.failures[0].reason


def test_all_of_a_call_has_its_time(server):
    s = server()

    def slow(body, times):
        time.sleep(0.2)
        return reply(body)

    s.answer = slow
    generator = engine(s, concurrency=1, deadline=0.5)
    begin = time.monotonic()
    answers = generator.generate([Request(text(str(i))) for i in range(50)], Sampling())
    assert time.monotonic() - begin < 2
    done = sum(a[0].finished for a in answers)
    assert 1 <= done <= 3 and len(generator.failures) == 50 - done


def test_only_so_many_requests_are_under_way_and_no_further_frames_are_read(server, video):
    s = server()
    gate = threading.Semaphore(0)

    def wait(body, times):
        gate.acquire()
        return reply(body)

    s.answer = wait
    read = []
    e = encoder()
    inner = e.read

    def reading_(path, *shown):
        read.append(path)
        return inner(path, *shown)

    e.read = reading_
    generator = ServerGenerator(s.url, "tiny", e, concurrency=3)
    requests = [
        # Other moments each, so that nothing is remembered.
        Request(replace(text(str(i)), video=video), messages=(
            Message("user", str(i), Shown(times=(0.1 * i, 0.1 * i + 0.5))),
        )) for i in range(12)
    ]  # fmt: skip
    work = threading.Thread(target=generator.generate, args=(requests, Sampling()))
    work.start()
    deadline = time.monotonic() + 5
    while s.now < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    assert (s.now, len(read)) == (3, 3)
    for _ in range(12):
        gate.release()
    work.join(10)
    assert not work.is_alive() and s.most == 3 and len(read) == 12


def test_answers_are_kept_in_the_order_of_the_requests(server):
    s = server()

    def late(body, times):
        name = body["messages"][0]["content"].split()[-1]
        time.sleep(0.05 * ("a" in name))
        return reply(body, name)

    s.answer = late
    told = []
    generator = engine(s, progress=told.append)
    answers = generator.generate([Request(text(n)) for n in "abc"], Sampling())
    assert [a[0].text for a in answers] == ["a?", "b?", "c?"] and told == [1, 1, 1]
    order = [i for i, _ in generator.each([Request(text(n)) for n in "abc"], Sampling())]
    assert sorted(order) == [0, 1, 2] and order[-1] == 0
    assert generator.generate([], Sampling()) == []
    assert generator.generate([Request(text(), 0)], Sampling()) == [[]]


def test_with_the_cache_only_failures_are_asked_again(server, tmp_path):
    s = server()
    s.answer = lambda body, times: (400, {}, {}) if "many b?" in str(body) else reply(body)
    generator = CachedGenerator(engine(s), tmp_path, model="tiny", protocol="p")
    requests = [Request(text(n)) for n in "abc"]
    generator.generate(requests, Sampling())
    s.answer = lambda body, times: reply(body, "now")
    answers = generator.generate(requests, Sampling())
    assert [a[0].text for a in answers] == ["an answer", "now", "an answer"]
    assert len(s.bodies) == 4


# --- the server itself -------------------------------------------------------------------------


def test_an_unreachable_server_is_named_with_a_remedy():
    with pytest.raises(ServerError, match=r"127\.0\.0\.1:9/v1: no server answers.*vllm serve"):
        ServerGenerator("http://127.0.0.1:9", "tiny", encoder())


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://host/v1", "http://", "http://a:b@c/"])
def test_what_is_no_url_is_refused(url):
    with pytest.raises(ServerError, match="Write http"):
        ServerGenerator(url, "tiny", encoder())


def test_a_wrong_model_name_lists_what_is_served(server):
    s = server()
    s.models = [{"id": "one"}, {"id": "two"}]
    with pytest.raises(ServerError, match="serves one, two; 'tiny' is not among them"):
        engine(s)
    with pytest.raises(ServerError, match="name one of them"):
        ServerGenerator(s.url, None, encoder())
    s.models = [{"id": "one"}]
    assert ServerGenerator(s.url + "/v1/", None, encoder()).model == "one"


@pytest.mark.parametrize("models", [(404, {}, b"no"), (200, {}, b"<html>"), (200, {}, {"a": 1})])
def test_something_else_on_the_port_is_told(server, models):
    s = server()
    s.models = models
    with pytest.raises(ServerError, match="no OpenAI-compatible server"):
        engine(s)


def test_the_key_comes_from_the_environment_and_never_gets_out(server, monkeypatch):
    s = server()
    s.models = (401, {}, {"error": "bad key s3cret-key"})
    with pytest.raises(ServerError, match="environment variable MY_KEY"):
        engine(s, key_variable="MY_KEY")
    assert "Authorization" not in s.headers[-1]
    monkeypatch.setenv("MY_KEY", "s3cret-key")
    with pytest.raises(ServerError) as refused:
        engine(s, key_variable="MY_KEY")
    s.models = [{"id": "tiny"}]
    generator = engine(s, key_variable="MY_KEY", tries=1)
    s.answer = lambda body, times: (500, {}, {"error": f"you sent {s.headers[-1]}"})
    with pytest.raises(ServerError) as failed:
        generator.generate([Request(text())], Sampling())
    assert s.headers[-1]["Authorization"] == "Bearer s3cret-key"
    for shown in (refused.value, failed.value, generator.failures):
        assert "s3cret-key" not in str(shown)
    assert "***" in generator.failures[0].reason


def test_a_vllm_that_takes_no_times_is_told_how(server, video):
    s = server("vllm")
    told = "Start the server with --trust-request-mm-kwargs only when clients are trusted."
    s.answer = lambda body, times: (400, {}, {"error": {"message": told}})
    with pytest.raises(ServerError, match=r"takes no times.*frames=\"images\""):
        engine(s).generate([Request(replace(text(), video=video))], Sampling())
    assert len(s.bodies) == 1


def test_a_redirect_is_not_followed(server):
    other, s = server(), server()
    s.answer = lambda body, times: (302, {"Location": f"{other.url}/v1/chat/completions"}, {})
    with pytest.raises(ServerError, match="status 302"):
        engine(s).generate([Request(text())], Sampling())
    assert other.bodies == []


def test_a_response_without_end_is_cut(server, monkeypatch):
    from reproductions.shared.inference import server as module

    monkeypatch.setattr(module, "MAX_RESPONSE", 100_000)
    s = server()
    s.answer = lambda body, times: b" " * 200_000
    with pytest.raises(ServerError, match="exceeds 100000 bytes"):
        engine(s).generate([Request(text())], Sampling())


def test_a_message_that_shows_nothing_that_is_there_is_refused(server):
    messages = (Message("user", "Look", Shown()),)
    with pytest.raises(ValueError, match="shows a video, but the sample has none"):
        engine(server()).generate([Request(text(), messages=messages)], Sampling())


def test_several_servers_share_the_work_video_by_video(server, video):
    a, b = server("vllm"), server("vllm")
    both = f"{a.url}, {b.url}/v1"
    generator = ServerGenerator(both, "tiny", encoder(), patience=0.01)
    assert generator.url == f"{a.url}/v1,{b.url}/v1"
    requests = [Request(text(str(i))) for i in range(16)]
    requests += [Request(replace(text(f"v{i}"), video=video)) for i in range(6)]
    answers = generator.generate(requests, Sampling())
    assert [x[0].text for x in answers] == ["an answer"] * 22
    plain = [sum("pictures" not in str(x) and "video_url" not in str(x) for x in s.bodies)
             for s in (a, b)]  # fmt: skip
    assert sum(plain) == 16 and min(plain) >= 3
    # Questions about one video go to one server, which has computed its features.
    assert sorted(len(s.bodies) - n for s, n in zip((a, b), plain, strict=True)) == [0, 6]
    # One breaks down: the other does its part, with one more try.
    a.answer = lambda body, times: (503, {}, {})
    n = len(b.bodies)
    answers = generator.generate(requests, Sampling())
    assert [x[0].text for x in answers] == ["an answer"] * 22
    assert len(b.bodies) - n == 22 and generator.failures == []


def test_several_servers_must_serve_the_same_model(server):
    a, b = server(), server("vllm")
    with pytest.raises(ServerError, match="do not serve the same model"):
        ServerGenerator(f"{a.url},{b.url}", "tiny", encoder())
    with pytest.raises(ServerError, match="no server answers"):
        ServerGenerator(f"{a.url},http://127.0.0.1:9", "tiny", encoder())
