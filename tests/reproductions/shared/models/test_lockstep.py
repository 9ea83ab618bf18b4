"""Processes whose samples show different things train like one, and do not wait for ever."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace

import pytest
from distributed_main import train_on_unlike_samples
from engine_fixtures import text_only
from run_process import PRELOAD, free_port

torch = pytest.importorskip("torch")

from PIL import Image  # noqa: E402

from reproductions.shared.models.lockstep import keep_in_step  # noqa: E402


def trained(ranks, family, checkpoint, spread, steps):
    """What each process found: rank -> (losses, weights)."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    results = context.Queue()
    arguments = (free_port(), family, str(checkpoint), spread, steps, results)
    pool = [context.Process(target=train_on_unlike_samples, args=(r, *arguments)) for r in ranks]
    for process in pool:
        process.start()
    try:
        found = {rank: rest for rank, *rest in (results.get(timeout=60) for _ in pool)}
    finally:
        for process in pool:
            process.join(timeout=10)
            process.kill()
    return found


@pytest.mark.train
@pytest.mark.slow
@pytest.mark.parametrize("spread", ["fsdp2", "ddp"])
def test_text_pictures_and_videos_on_different_processes(engine, clips, tmp_path, spread):
    path = tmp_path / "a.png"
    Image.new("RGB", (64, 64), (200, 30, 30)).save(path)
    video, text = clips[0], text_only(clips[1])
    picture = replace(text, id="picture", meta={"image": str(path)})
    steps = [
        [[video], [text]],
        [[text], [picture]],
        [[clips[1]], [video, picture]],  # two passes through the tower against one
        [[text], [text_only(clips[2])]],  # the tower gets no gradient at all, as in one process
        [[text, picture], [clips[2]]],
    ]
    one = trained([-1], engine.family, engine.checkpoint, spread, steps)[-1]
    two = trained([0, 1], engine.family, engine.checkpoint, spread, steps)
    losses = [x for pair in zip(two[0][0], two[1][0], strict=True) for x in pair]
    assert losses == pytest.approx(one[0], abs=1e-4)
    for weights in (two[0][1], two[1][1]):
        worst = max(abs(weights[k] - one[1][k]).max() for k in weights)
        assert worst < 1e-4 and weights.keys() == one[1].keys()
    first = dict(engine.model().named_parameters())
    moved = [k for k in first if abs(first[k].detach().numpy() - one[1][k]).max() > 1e-3]
    assert len(moved) == len(first)


def test_one_process_is_left_alone(qwen, monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    model = qwen.model()
    keep_in_step(model)
    assert not model.model.language_model._forward_pre_hooks
