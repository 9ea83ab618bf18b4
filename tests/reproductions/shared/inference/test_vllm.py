"""What can be said about the vLLM engine without vLLM; tests/with_vllm tests it for real."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec

import pytest

pytest.importorskip("torch")

from reproductions.shared.inference.turns import reading
from reproductions.shared.inference.vllm import EngineError, VLLMGenerator
from reproductions.shared.run import run
from reproductions.shared.settings import Options, RunError
from reproductions.shared.training import stage

without = pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed here")


@without
def test_a_missing_vllm_is_named_with_a_remedy(tmp_path):
    encoder = reading(lambda path: None, lambda sample: "")
    with pytest.raises(EngineError, match=r"not installed here.*make test-vllm"):
        VLLMGenerator(tmp_path, encoder)


def start(tmp_path, engine):
    from reproductions.baselines.grpo.method import METHOD

    options = Options(
        smoke=True, out=tmp_path / "run", overrides={"hardware.rollout_engine": engine}
    )
    run(METHOD, options)


@without
def test_colocated_rollouts_without_vllm_are_refused_before_anything_is_built(tmp_path):
    with pytest.raises(RunError, match=r"vllm_colocate'.*not installed.*rollout_engine=hf"):
        start(tmp_path, "vllm_colocate")
    assert not (tmp_path / "run").exists()


@pytest.fixture
def listed():
    """A server that lists one model and takes no commands; `owner` says whether it is vLLM."""

    class Handler(BaseHTTPRequestHandler):
        owner = "vllm"

        def log_message(self, *args):
            pass

        def do_GET(self):
            data = json.dumps({"data": [{"id": "a", "owned_by": self.owner}]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    Handler.url = f"http://127.0.0.1:{http.server_port}"
    Handler.do_POST = lambda self: self.send_error(404)
    yield Handler
    http.shutdown()


def test_server_rollouts_need_a_vllm_whose_weights_can_be_changed(tmp_path, monkeypatch, listed):
    """Said before anything is built."""
    for url, owner, fault in (
        ("", "", "no known address.*VIDPOST_SERVERS=.*rollout_engine=hf"),
        ("http://127.0.0.1:9", "", "no server answers"),
        (listed.url, "library", "is no vLLM server"),
        (listed.url, "vllm", "VLLM_SERVER_DEV_MODE=1"),
    ):
        listed.owner = owner
        monkeypatch.setenv("VIDPOST_SERVERS", url)
        with pytest.raises(RunError, match=fault):
            start(tmp_path, "vllm_server")
    assert not (tmp_path / "run").exists()


def test_several_processes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "find_spec", lambda name: object())
    monkeypatch.setattr(stage.processes, "count", lambda: 2)
    with pytest.raises(RunError, match="one process"):
        start(tmp_path, "vllm_colocate")


def test_an_engine_in_the_trainer_is_given_each_steps_weights_once(qwen, tmp_path):
    """The trainer's side of it, with an engine that notes what it is told."""
    from engine_fixtures import grpo_config, grpo_method

    from reproductions.shared.inference.hf import HFGenerator
    from reproductions.shared.method import Context
    from reproductions.shared.training.grpo import VideoGRPOTrainer

    model = qwen.model().train()
    encoder = qwen.encoder(model)
    told = []

    class Engine:
        def follow(self, policy):
            told.append(("follow", sum(p.sum().item() for p in policy.parameters())))

        def generate(self, requests, sampling):
            told.append(("generate", len(requests)))
            return HFGenerator(model, encoder).generate(requests, sampling)

    made = []

    def engine():
        made.append(Engine())
        return made[-1]

    trainer = VideoGRPOTrainer(
        model=model,
        args=grpo_config(tmp_path, gradient_accumulation_steps=2, steps_per_generation=1),
        method=grpo_method(),
        samples=qwen.samples,
        encoder=encoder,
        context=Context(settings={}),
        engine=engine,
    )
    assert made == []  # not before it is needed: it takes memory and processes
    trainer.train()
    assert len(made) == 1
    # Two optimiser steps of two rollouts each; new weights at every step, and only then.
    assert [name for name, _ in told] == ["follow", "generate", "generate"] * 2
    weights = [value for name, value in told if name == "follow"]
    assert weights[0] != weights[1]
