"""Opening a model and asking it about a video: a run, a checkpoint, a server, and bad input."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import closing
from pathlib import Path

import pytest
from small_run import Server, reply, vidpost

pytest.importorskip("torch")

from reproductions.shared.inference.engine import Sampling
from reproductions.shared.inference.meter import Metered
from reproductions.shared.inference.scripted import ScriptedGenerator
from reproductions.shared.source import SourceError, open_source


@pytest.fixture
def server():
    """An OpenAI-compatible server with two models; both answer B."""
    with closing(Server()) as made:
        made.models = [{"id": "a"}, {"id": "b"}]
        made.answer = lambda body, _: reply(body, "<answer>B</answer>")
        yield made


def test_a_run_answers_about_a_video_with_a_strategy(small, clips):
    asked = ["ask", clips[0].video, "Which is first?", "--options", "red", "--options", "blue"]
    result = vidpost(*asked, "--model", small, "--method", "tcot", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["method"] == "tcot" and found["model"] == "run (sft)"
    # Four segments of eight frames, then one look at no more than sixteen.
    assert found["cost"]["calls"] == 5 and len(found["frames"]) <= 16
    assert found["evidence"] and set(found["frames"]) <= set(found["looked_at"])
    assert [s["step"] for s in found["trace"]] == ["segments", "frames"]
    assert result.stderr.count("call ") == 5


def test_an_answer_that_is_no_option_is_said(server, clips):
    server.answer = lambda body, _: reply(body, "<answer>C</answer>", finish_reason="length")
    asked = ["ask", clips[0].video, "Which?", "--options", "red", "--options", "blue"]
    model = ["--model", f"{server.url}/v1", "--served", "a", "--frames", 4]
    result = vidpost(*asked, *model)
    assert result.exit_code == 0, result.output
    assert "note      the answer names none of the options" in result.stdout
    assert "note      an answer was cut off at its longest length" in result.stdout
    result = vidpost(*asked, *model, "--method", "self_consistency", "--json")
    assert "not vLLM: where the method sets top_k" in json.loads(result.stdout)["notes"][-1]


def test_people_get_answer_evidence_and_cost(small, clips):
    result = vidpost("ask", clips[0].video, "What?", "--model", small, "--frames", 4)
    assert result.exit_code == 0, result.output
    heads = [line.split()[0] for line in result.stdout.splitlines()]
    assert heads[:3] == ["answer", "evidence", "frames"] and heads[-1] == "cost"
    assert "1 calls, 1 answers" in result.stdout and "4 frames decoded" in result.stdout


def test_a_checkpoint_folder_and_a_cache(qwen, clips, tmp_path):
    source = open_source(str(qwen.checkpoint), frames=4, overrides={"evaluate.max_new_tokens": 4})
    assert (source.checkpoint, source.tiny, source.spec.num_frames) == ("published", True, 4)
    cached = source.cached(tmp_path)
    first = source.strategy()(clips[0], Metered(cached))
    cached.close()
    again = source.cached(tmp_path)
    assert source.strategy()(clips[0], Metered(again)) == first
    assert again.counts().hits == 1
    source.word(lambda sample: "another wording")  # of another file: nothing is found again
    other = source.cached(tmp_path)
    assert other.counts().requests == 0
    again.close()
    other.close()


def test_a_server_is_asked_for_the_named_model(server, clips):
    asked = ["ask", clips[0].video, "Which?", "--options", "a", "--options", "b", "--json"]
    result = vidpost(*asked, "--model", f"{server.url}/v1", "--served", "b", "--frames", 4)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["option"] == "B. b" and found["engine"] == "server"
    (body,) = server.bodies[-1:]
    assert body["model"] == "b"
    pictures = [p for p in body["messages"][0]["content"] if p["type"] == "image_url"]
    assert len(pictures) == 4


def test_what_the_server_gives_up_on_is_a_failure_and_no_answer(server, clips):
    source = open_source(f"{server.url}/v1", served="a", frames=4)
    refusal = (400, {}, {"error": {"message": "too long"}})
    server.answer = lambda body, _: refusal if "order" in str(body) else reply(body)
    with pytest.raises(Exception, match="too long"):
        source.strategy()(
            clips[1].__class__(**{**vars(clips[1]), "question": "the order?"}),
            Metered(source.generator),
        )
    source.close()


def test_a_scripted_engine_takes_the_place_of_the_model(small, clips):
    source = open_source(str(small), method="self_consistency", overrides={"decode.answers": 3})
    votes = ScriptedGenerator(lambda r, i: f"<answer>{'ABB'[i]}</answer>")
    found = source.strategy()(clips[0], Metered(votes))
    assert found.text == "<answer>B</answer>"
    assert votes.samplings == [Sampling(0.7, 1.0, 40, 6, 0)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--method", "cybrv"], "'cybrv' has no reproduction. Did you mean 'cyberv'?"),
        (["--method", "video_r1"], "'video_r1' changes training"),
        (["--model", "http://127.0.0.1:9/v1"], "no server answers"),
        (["--model", "runs/nothing"], "no such folder"),
        (["--checkpoint", "rl"], "no checkpoint 'rl'. It has: sft."),
        (["--engine", "server"], "--engine server does not go with"),
        (["--engine", "vllm"], "vLLM is not installed here"),
        (["--set", "decode.nonsense=1"], "decode.nonsense: not a key"),
        (["--frames", "3"], "--frames 3: two frames make one step"),
        (["--options", "one"], "--options: 1 given"),
    ],
)
def test_bad_input_gets_one_message(small, clips, arguments, said):
    result = vidpost("ask", clips[0].video, "What?", "--model", small, *arguments)
    assert result.exit_code == 2 and result.stderr.count("error:") == 1
    assert said in result.stderr and "Traceback" not in result.output


def test_a_video_that_is_none_and_a_run_that_is_not_finished(small, tmp_path, clips):
    text = tmp_path / "clip.mp4"
    text.write_text("no video")
    assert "cannot be read as a video" in vidpost("ask", text, "What?", "--model", small).stderr
    assert "no such file" in vidpost("ask", tmp_path / "x.mp4", "What?", "--model", small).stderr
    begun = tmp_path / "begun"
    begun.mkdir()
    (begun / "config.yaml").write_text((small / "config.yaml").read_text())
    result = vidpost("ask", clips[0].video, "What?", "--model", begun)
    assert "no trained checkpoint yet" in result.stderr
    result = vidpost("ask", clips[0].video, "What?", "--model", tmp_path)
    assert "neither a run (config.yaml) nor a checkpoint" in result.stderr


def test_a_wrong_model_name_lists_those_that_are_served(server):
    with pytest.raises(SourceError, match="serves a, b; 'c' is not among them"):
        open_source(f"{server.url}/v1", served="c")


def test_letters_that_come_along_are_not_doubled(clips):
    from vidpost.cli.ask import _sample

    clip = Path(clips[0].video)
    plain = ("A. left", "B. right")
    assert _sample(clip, "Which?", ("left", "right")).options == plain
    assert _sample(clip, "Which?", ("A. left", "(B) right")).options == plain
    assert _sample(clip, "Which?", ("B. left", "A. right")).options == ("A. B. left", "B. A. right")


def test_a_model_that_is_nowhere_is_not_asked_for_again_and_again(monkeypatch):
    """Without network the libraries' own retries take half a minute."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asked = []

        def refuse() -> None:
            while True:
                try:
                    asked.append(listener.accept()[0].close())
                except OSError:
                    return  # the listener was closed

        threading.Thread(target=refuse, daemon=True).start()
        port = listener.getsockname()[1]
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{port}")
        with pytest.raises(SourceError, match="no such folder here, and the hub does not answer"):
            open_source("nowhere/run")
        assert 1 <= len(asked) <= 2  # httpx opens a second connection where the first is closed
