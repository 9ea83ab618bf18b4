"""What is compared does the same work: the variants agree, answers are equally long."""

from __future__ import annotations

import pytest

pytest.importorskip("trl")

import torch

from benchmarks import step, update, workload

SMALL = step.Case("small", "4x56", groups=1, answer=4)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return workload.prepare(tmp_path_factory.mktemp("bench"))


@pytest.mark.parametrize("video", list(update.CLIPS.items()), ids=lambda v: str(v[0]))
def test_clips_have_as_many_tokens_as_their_name_says(video):
    tokens, name = video
    frames, side = (int(n) for n in name.split("x"))
    assert frames // 2 * (side // 28) ** 2 == tokens


def test_update_ways_compute_the_same(checkpoint):
    model = workload.load(checkpoint, fused=True)
    prompt = workload.encoder(checkpoint, model)(workload.question("4x56"))
    with torch.no_grad():
        logps = {way: update._forward(model, way, prompt, 5, 3) for way in update.WAYS}
    assert torch.allclose(logps["packed"], logps["rows"], atol=1e-5)
    assert torch.allclose(logps["naive"], logps["rows"], atol=1e-5)


def test_update_needs_less_when_packed_and_the_limits_say_so(checkpoint):
    model = workload.load(checkpoint)
    need = {way: update.flops(model, way, 4126, 128, 8, 16384) for way in update.WAYS}
    assert need["packed"] < need["rows"] < need["naive"] < 8 * need["packed"]


@pytest.mark.train
@pytest.mark.parametrize("variant", [*step.VARIANTS["video"]])
def test_step_variants_write_equally_long_answers(checkpoint, variant, monkeypatch):
    lengths = []

    def reward(prompts, completions, completion_ids, **_):
        lengths.extend(len(ids) for ids in completion_ids)
        return [float(i % 2) for i in range(len(completions))]

    monkeypatch.setattr(step, "reward", reward)
    seconds, rollout = step._one_run(SMALL, variant, checkpoint)
    assert lengths == [SMALL.answer] * step.GROUP * step.STEPS
    assert 0 < rollout < seconds


def test_step_gives_stock_trl_as_many_vision_tokens(checkpoint, tmp_path):
    model = workload.load(checkpoint)
    encode = workload.encoder(checkpoint, model)
    (sample, *_) = step._samples(SMALL)
    ours = int((encode(sample).ids == encode.processor.video_token_id).sum())
    trainer = step._stock(SMALL, checkpoint, str(tmp_path))
    row = trainer.train_dataset[0]
    inputs = encode.processor(
        images=row["images"], text=["<|image_pad|>" * len(row["images"])], return_tensors="pt"
    )
    assert int((inputs["input_ids"] == encode.processor.image_token_id).sum()) == ours == 8


def test_the_naive_variant_shares_no_pixels(checkpoint):
    encode = step._Copying(workload.encoder(checkpoint, workload.load(checkpoint)))
    sample = workload.question("4x56")
    assert encode(sample).video is not encode(sample).video
