"""What the tests with vLLM share. They run in an environment of their own: `make test-vllm`."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "reproductions"))

from both_engines import SMALL, on_transformers
from engine_fixtures import FAMILIES, build_engine

START_SECONDS = 480
"""Longest that `vllm serve` may take to answer."""


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.vllm)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("vllm")


@pytest.fixture(scope="session")
def clips(folder):
    """Questions on real mp4 files of two lengths, with prompts of two lengths."""
    from reproductions.shared.synthetic.dataset import build

    return build(folder / "clips", ["counting", "order"], 8, 0, "train")


@pytest.fixture(scope="session")
def checkpoints(folder, clips):
    """A small checkpoint of each family."""
    made = {family: build_engine(family, folder, clips) for family in FAMILIES}
    for small in made.values():  # two end tokens, as published checkpoints have
        path = small.checkpoint / "generation_config.json"
        settings = json.loads(path.read_text())
        settings["eos_token_id"] = [settings["eos_token_id"], settings["pad_token_id"]]
        path.write_text(json.dumps(settings))
    return made


@pytest.fixture(scope="module", params=FAMILIES)
def both(request, checkpoints):
    """Each family in turn, on both engines."""
    from reproductions.shared.inference.vllm import VLLMGenerator

    made = on_transformers(checkpoints[request.param])
    expected = _draws()
    _draws(seed_only=True)
    made.vllm = VLLMGenerator(made.small.checkpoint, made.encoder, dtype="float32", **SMALL)
    made.draws = (_draws(seed=False), expected)
    yield made
    made.vllm.close()


def _draws(seed: bool = True, seed_only: bool = False) -> tuple[float, ...]:
    import numpy as np
    import torch

    if seed:
        torch.manual_seed(3)
        random.seed(3)
        np.random.seed(3)
    if seed_only:
        return ()
    return float(torch.rand(())), random.random(), float(np.random.rand())


@dataclass
class Served:
    """A running `vllm serve`.

    Attributes:
        url: Its address.
        process: The process.
        log: What it prints.
    """

    url: str
    process: subprocess.Popen
    log: Path

    def ready(self) -> str:
        """The address, once it answers."""
        import httpx

        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if httpx.get(f"{self.url}/health", trust_env=False).status_code == 200:
                    return self.url
            except httpx.TransportError:
                pass
            time.sleep(0.5)
        raise RuntimeError(f"vllm serve does not answer:\n{self.log.read_text()[-4000:]}")


@pytest.fixture(scope="session")
def served(folder, checkpoints):
    """`vllm serve` on loopback with the default family; starts while other tests run."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "vllm.entrypoints.cli.main", "serve"),
        *(str(checkpoints["qwen2_5_vl"].checkpoint), "--served-model-name", "tiny"),
        *("--host", "127.0.0.1", "--port", str(port), "--dtype", "float32"),
        *("--enforce-eager", "--kv-cache-memory-bytes", str(2**29)),
        *("--max-model-len", "2048", "--max-num-seqs", "16", "--no-enable-chunked-prefill"),
        "--trust-request-mm-kwargs",
        *("--limit-mm-per-prompt", json.dumps({"video": 4, "image": 16})),
    ]
    environment = os.environ | {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_NO_USAGE_STATS": "1"}
    environment["VLLM_SERVER_DEV_MODE"] = "1"  # its weights can be changed, see test_vllm_rollouts
    log = folder / "serve.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
    yield Served(f"http://127.0.0.1:{port}", process, log)
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # its workers too


@pytest.fixture(scope="session", autouse=True)
def _start_early(served):
    """Two cores: the server starts while the engines in this process are tested."""
