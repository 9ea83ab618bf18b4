"""What is compared does the same work: the variants agree, answers are equally long."""

from __future__ import annotations

import pytest

pytest.importorskip("trl")

import torch

from benchmarks import long_video, questions, report, rollout, step, update, workload
from reproductions.shared.models.sizes import Architecture, Text, Vision

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


def test_the_sizes_are_those_of_the_model(checkpoint):
    model = workload.load(checkpoint)
    assert sum(p.numel() for p in model.parameters()) == workload.SIZES.parameters


def test_update_needs_less_when_packed_and_the_limits_say_so():
    need = {way: update.flops(workload.SIZES, way, 4126, 128, 8, (16, 1024)) for way in update.WAYS}
    assert need["packed"] < need["rows"] < need["naive"] < 8 * need["packed"]
    # Without attention and tower it is the token limit: a prompt too short for either to count.
    short = {way: update.flops(workload.SIZES, way, 100, 20, 8, (0, 0)) for way in update.WAYS}
    limit = update.token_limit(100, 20, 8)
    assert short["rows"] / short["packed"] == pytest.approx(limit, rel=0.05)


def test_the_tower_runs_once_a_group_or_once_an_answer(checkpoint):
    model = workload.load(checkpoint, fused=True)
    prompt = workload.encoder(checkpoint, model)(workload.question("4x56"))
    patches = []
    model.model.visual.register_forward_pre_hook(
        lambda module, args, kwargs: patches.append(len((args or [kwargs["hidden_states"]])[0])),
        with_kwargs=True,
    )
    with torch.no_grad():
        for way in update.WAYS:
            update._forward(model, way, prompt, 5, 3)
    once = len(prompt.video["pixel_values_videos"])
    assert patches == [once, once, 3 * once]


def _take(mib):
    return float(torch.ones(mib, 2**18).sum())


def test_what_takes_too_much_memory_fails_alone():
    assert update.within(200 * 2**20, _take, 10) == 10 * 2**18
    assert update.within(200 * 2**20, _take, 400) is None
    assert update.within(800 * 2**20, _take, 400) == 400 * 2**18


def test_a_fault_is_not_taken_for_too_much_memory():
    with pytest.raises(TypeError):
        update.within(200 * 2**20, _take, "ten")


def test_one_measurement_of_the_update(checkpoint, monkeypatch):
    """Of a size that is measured in no time; a way that does not fit has no numbers."""
    monkeypatch.setattr(update, "CLIPS", {512: "4x56"})
    monkeypatch.setattr(update, "SUBSET", ((512, 4, 2),))
    real = update.within
    monkeypatch.setattr(
        update, "within", lambda limit, work, way, *a: real(limit, work, way, *a)
        if way != "naive" else None,
    )  # fmt: skip
    (record,) = update.measure()
    assert record["rows_ratio"] == pytest.approx(record["rows_s"] / record["packed_s"], rel=0.05)
    assert record["naive_s"] is record["naive_mib"] is record["naive_ratio"] is None
    assert record["naive_limit"] > record["rows_limit"] > 1
    assert "| needs more |" in report.tables("update", [record])


def test_the_update_on_a_gpu(monkeypatch):
    """As far as it runs without one: a small model of given sizes, every column filled."""
    monkeypatch.setattr(update, "CLIPS", {512: "4x56"})
    monkeypatch.setattr(update, "SUBSET", ((512, 4, 2),))
    monkeypatch.setattr(update, "PEAK", {"cpu": 1e11})
    sizes = Architecture(
        Text(64, 2, 4, 2, 16, 96, 512, True),
        Vision(160, 4, 80, 64, window=64, full=2, gated=True, norm=1),
    )
    (record,) = update.measure_cuda(sizes=sizes, device="cpu")
    assert set(update.GPU) <= set(record) and record["rounds"] == update.ROUNDS
    assert record["tokens_per_s"] > 0 and 0 < record["mfu"] < 100
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeError, match="no GPU here"):
            update.measure_cuda()


def test_a_model_of_published_sizes(checkpoint):
    sizes = Architecture(
        Text(64, 2, 4, 2, 16, 96, 512, True),
        Vision(160, 4, 80, 64, window=64, full=2, gated=True, norm=1),
    )
    model = workload.of_sizes(checkpoint, sizes, "cpu")
    assert sum(p.numel() for p in model.parameters()) == sizes.parameters
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("module", [rollout, long_video], ids=lambda m: m.__name__)
def test_every_column_is_measured(module, monkeypatch):
    if module is rollout:
        monkeypatch.setattr(rollout, "CASES", (("small", "4x56", 1, 4),))
        headers = [rollout.HEADER]
    else:
        monkeypatch.setattr(long_video, "CASE", step.Case("s", "4x56", groups=1, answer=4))
        monkeypatch.setattr(long_video, "CLIPS", ("4x56",))
        headers = [long_video.STEP, long_video.UPDATE]
    records = module.measure()
    for header in headers:
        first = next(iter(header))
        rows = [r for r in records if first in r]
        assert rows and all(set(header) <= set(r) for r in rows)
    if module is rollout:
        assert records[0]["copied_ms"] > 0 < records[0]["shared_ms"]


@pytest.mark.train
@pytest.mark.parametrize("variant", [*step.VARIANTS["video"]])
def test_step_variants_write_equally_long_answers(checkpoint, variant, monkeypatch):
    lengths = []

    def reward(prompts, completions, completion_ids, **_):
        lengths.extend(len(ids) for ids in completion_ids)
        return [float(i % 2) for i in range(len(completions))]

    monkeypatch.setattr(step, "reward", reward)
    seconds, rollout = step._one_run(SMALL, variant, checkpoint)
    assert lengths == [SMALL.answer] * SMALL.group * step.STEPS
    assert 0 < rollout < seconds


@pytest.mark.train
def test_the_grid_has_every_column_and_says_what_does_not_fit(checkpoint, monkeypatch):
    monkeypatch.setattr(step, "ROUNDS", 1)
    encode = workload.encoder(checkpoint, workload.load(checkpoint))
    case = step.Case("4x56", "4x56", groups=1, answer=4, group=2)
    row = step._size(case, checkpoint, encode)
    assert set(row) == set(step.GRID_HEADER)
    assert row["ours_s"] > 0 < row["stock_s"]
    tried = []

    def within(limit, work, case, variant, checkpoint):
        tried.append(variant)
        return (2.0, 0.5, 30.0) if variant == step.OURS else None

    monkeypatch.setattr(update, "within", within)
    monkeypatch.setattr(step, "ROUNDS", 2)
    row = step._size(case, checkpoint, encode)
    assert (row["ours_s"], row["rounds"]) == (2.0, 2)
    assert row["stock_s"] is row["step_ratio"] is None
    assert tried == [step.OURS, step.STOCK, step.OURS]  # what does not fit is not tried again
    assert "| needs more |" in report.tables("step", [row])


def test_step_gives_stock_trl_as_many_vision_tokens(checkpoint, tmp_path):
    model = workload.load(checkpoint)
    encode = workload.encoder(checkpoint, model)
    (sample, *_) = step._samples(SMALL)
    ours = int((encode(sample).ids == encode.processor.video_token_id).sum())
    trainer = step._stock(SMALL, checkpoint, str(tmp_path), step.STEPS)
    row = trainer.train_dataset[0]
    inputs = encode.processor(
        images=row["images"], text=["<|image_pad|>" * len(row["images"])], return_tensors="pt"
    )
    assert int((inputs["input_ids"] == encode.processor.image_token_id).sum()) == ours == 8


def test_the_naive_variant_shares_no_pixels(checkpoint):
    encode = step._Copying(workload.encoder(checkpoint, workload.load(checkpoint)))
    sample = workload.question("4x56")
    assert encode(sample).video is not encode(sample).video


def test_questions_about_a_video_see_it_and_share_it_or_not(monkeypatch):
    """A small clip: all columns, and every question shows as many frames as the clip has."""
    for name, value in {"FRAMES": 4, "SIDE": 56, "VIDEOS": 2, "TOKENS": 3, "ROUNDS": 1}.items():
        monkeypatch.setattr(questions, name, value)
    monkeypatch.setattr(questions, "ASK", questions.Sampling(max_new_tokens=3))
    monkeypatch.setenv("VIDPOST_CACHE", "")  # one_engine sets it
    seen, shown = [], questions.asked

    def asked(generator, requests):
        seen.append({r.sample.video for r in requests})
        answers = generator.generate(requests, questions.ASK)
        assert len(answers) == 6 and all(a[0].frames == 4 for a in answers)
        return shown(generator, requests)

    monkeypatch.setattr(questions, "asked", asked)
    record = questions.one_engine("hf")
    assert set(questions.HEADER) <= set(record) and record["apart"] > 0 < record["cached_ms"]
    assert [len(videos) for videos in seen] == [2, 6, 2, 2]
