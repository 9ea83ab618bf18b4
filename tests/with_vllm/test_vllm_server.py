"""`vllm serve` on loopback: the same answers as transformers, over HTTP with frames as data."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

pytest.importorskip("vllm")

from both_engines import on_transformers

from reproductions.shared.inference.answers import CachedGenerator
from reproductions.shared.inference.engine import Message, Request, Sampling, Shown
from reproductions.shared.inference.server import ServerError, ServerGenerator
from reproductions.shared.inference.turns import reading
from reproductions.shared.models.encode import VISION_TOKENS

CLOSE = 1e-3


@pytest.fixture(scope="module")
def half(checkpoints):
    return on_transformers(checkpoints["qwen2_5_vl"])


@pytest.fixture(scope="module")
def server(half, served):
    encoder = reading(half.encoder.read, half.encoder.prompt)  # neither model nor processor
    generator = ServerGenerator(served.ready(), "tiny", encoder, concurrency=4)
    yield generator
    generator.close()


@pytest.fixture(autouse=True)
def _no_failures_yet(server):
    server.failures.clear()


def compare(server, half, requests, sampling):
    answers = server.generate(requests, sampling)
    expected = half.hf.generate(requests, sampling)
    for ours, theirs in zip(answers, expected, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert (a.ids, a.frames, a.prompt_tokens) == (b.ids, b.frames, b.prompt_tokens)
            assert a.finished == b.finished
            assert a.logprobs == pytest.approx(b.logprobs, abs=CLOSE)
    assert server.failures == []
    return answers


def test_it_is_known_as_vllm(server):
    assert server.is_vllm and server.model == "tiny"


def test_greedy_answers_are_those_of_transformers(server, half):
    requests = [Request(s) for s in half.samples[:4]]
    requests.append(Request(replace(half.samples[0], id="text", video=None)))
    requests.append(Request(half.samples[1], order=(5, 2, 7, 0, 3, 6, 1, 4)))
    answers = compare(server, half, requests, Sampling(max_new_tokens=12))
    assert len({a[0].ids for a in answers}) == 6


def test_a_conversation_and_a_beginning_are_those_of_transformers(server, half):
    shown = Shown(frames=2, span=(0.0, 2.0))
    messages = (
        Message("user", "What moves?", shown),
        Message("assistant", "A ball."),
        Message("user", "And in this corner?", replace(shown, box=(0.0, 0.0, 0.5, 0.5))),
    )
    requests = [
        Request(half.samples[0], messages=messages),
        Request(half.samples[1], messages=messages[:1], prefix="It is"),
    ]
    compare(server, half, requests, Sampling(max_new_tokens=8))


def test_parts_with_different_times_go_as_pictures_and_are_answered(server, half):
    messages = (
        Message("user", "First", Shown(times=(0.0, 0.5))),
        Message("user", "Then", Shown(times=(1.0, 1.5))),
    )
    request = Request(half.samples[0], messages=messages)
    answer = server.generate([request], Sampling(max_new_tokens=4))[0][0]
    assert len(answer.ids) == 4 and answer.frames >= 2


def test_several_answers_are_those_of_vllm_in_this_process_seed_by_seed(server, half):
    """The seeds are equal; here: drawn again the same, different from each other and by seed."""
    requests = [Request(s, 4) for s in half.samples[:3]]
    sampling = Sampling(temperature=1.0, max_new_tokens=8)
    first, again = (server.generate(requests, sampling) for _ in range(2))
    assert [[a.ids for a in g] for g in first] == [[a.ids for a in g] for g in again]
    assert len({a.ids for g in first for a in g}) == 12
    other = server.generate(requests, replace(sampling, seed=1))
    assert first[0][0].ids != other[0][0].ids
    assert not any(set(half.encoder.forbidden_ids()) & set(a.ids) for g in first for a in g)


def test_vision_tokens_are_struck_out(server, half):
    body = {"model": "tiny", "messages": [{"role": "user", "content": "x"}], "max_tokens": 1}
    body |= {"temperature": 0, "logit_bias": {str(i): 100 for i in half.encoder.forbidden_ids()}}
    body |= {"skip_special_tokens": False}
    url = f"{server.url}/chat/completions"

    def text(extra):
        answer = httpx.post(url, json=body | extra, trust_env=False, timeout=60).json()
        return answer["choices"][0]["message"]["content"]

    assert text({}) in VISION_TOKENS  # the model would write one
    assert text({"bad_words": list(VISION_TOKENS)}) not in VISION_TOKENS


def test_stop_and_choices(server, half):
    free = half.hf.generate([Request(half.samples[2])], Sampling(max_new_tokens=12))[0][0].text
    stop = next(free[i : i + 2] for i in range(3, len(free)) if free[i : i + 2].isprintable())
    answer = server.generate([Request(half.samples[2])], Sampling(max_new_tokens=12, stop=(stop,)))
    assert answer[0][0].finished and stop not in answer[0][0].text
    choices = ("red", "blue", "a long green one")
    answers = server.generate(
        [Request(half.samples[0], 16)],
        Sampling(temperature=2.0, choices=choices, max_new_tokens=1),
    )[0]
    assert {a.text for a in answers} == set(choices) and all(a.finished for a in answers)


def test_json_by_schema(server):
    """What methods with tools rely on: the server holds the model to a schema."""
    import json

    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 9}}}
    schema |= {"required": ["n"], "additionalProperties": False}
    body = {
        "model": "tiny",
        "messages": [{"role": "user", "content": "x"}],
        "max_tokens": 40,
        "temperature": 1,
        "seed": 1,
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
    }
    response = httpx.post(f"{server.url}/chat/completions", json=body, trust_env=False, timeout=60)
    assert set(json.loads(response.json()["choices"][0]["message"]["content"])) == {"n"}


def test_a_request_that_is_too_long_is_one_failure(server, half):
    long = replace(half.samples[0], id="long", video=None, question="word " * 4000)
    answers = server.generate([Request(long), Request(half.samples[0])], Sampling(max_new_tokens=4))
    assert (answers[0][0].ids, answers[0][0].finished) == ((), False)
    assert len(answers[1][0].ids) == 4
    [failure] = server.failures
    assert failure.sample == "long" and failure.tries == 1 and "length" in failure.reason


def test_a_wrong_name_lists_what_is_served(server, half):
    with pytest.raises(ServerError, match="serves tiny; 'large' is not among them"):
        ServerGenerator(server.url, "large", half.encoder)


def test_the_cache_answers_the_second_time(server, half, tmp_path):
    cache = CachedGenerator(server, tmp_path, model="tiny", protocol="p", spec=half.small.spec)
    requests = [Request(s) for s in half.samples[:3]]
    first = cache.generate(requests, Sampling(max_new_tokens=4))
    assert cache.generate(requests, Sampling(max_new_tokens=4)) == first
    assert cache.counts().misses == 3
