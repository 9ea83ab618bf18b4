"""vLLM normalises videos with the picture processor's values; docs/upstream has the report.

These tests say when that has changed, and that our engine is right either way.
"""

from __future__ import annotations

import json
import shutil

import pytest

pytest.importorskip("vllm")

from both_engines import SMALL, on_transformers
from engine_fixtures import Engine

from reproductions.shared.inference.engine import Request, Sampling
from reproductions.shared.inference.vllm import VLLMGenerator

CLOSE = 1e-4


@pytest.fixture(scope="module")
def apart(checkpoints, folder):
    """A Qwen3-VL checkpoint whose pictures and videos are normalised differently."""
    small = checkpoints["qwen3_vl"]
    copy = folder / "apart"
    shutil.copytree(small.checkpoint, copy)
    found = 0
    for path in copy.glob("*.json"):
        settings = json.loads(path.read_text())
        part = settings.get("video_processor", settings if "video" in path.name else None)
        if part and "image_mean" in part:
            part |= {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
            path.write_text(json.dumps(settings))
            found += 1
    assert found
    return on_transformers(Engine("qwen3_vl", copy, small.samples, small.spec))


def worst(apart, **options):
    """Largest difference of a log-probability of the first token."""
    engine = VLLMGenerator(
        apart.small.checkpoint, apart.encoder, dtype="float32", **SMALL, **options
    )
    requests = [Request(s) for s in apart.samples[:3]]
    ours = engine.generate(requests, Sampling(max_new_tokens=1, choices=("A",)))
    theirs = apart.hf.generate(requests, Sampling(max_new_tokens=1, choices=("A",)))
    engine.close()
    return max(abs(a[0].logprobs[0] - b[0].logprobs[0]) for a, b in zip(ours, theirs, strict=True))


def test_our_engine_normalises_videos_as_their_own_processor_says(apart):
    assert worst(apart) < CLOSE


def test_vllm_alone_takes_the_picture_processors_values(apart):
    """Fails once vLLM is mended: then remove the option, the report and this test."""
    assert worst(apart, mm_device_do_normalize=True) > 100 * CLOSE
