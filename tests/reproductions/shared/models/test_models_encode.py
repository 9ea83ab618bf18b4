"""From a sample to tensors: what the processor says, once, and never without the pixels."""

from __future__ import annotations

from dataclasses import replace

import pytest
from engine_fixtures import text_only

torch = pytest.importorskip("torch")

from reproductions.shared.models import torchvision_cure  # noqa: E402

torchvision_cure.apply()

from transformers.video_utils import VideoMetadata  # noqa: E402

from reproductions.shared.inference.engine import Message, Shown  # noqa: E402
from reproductions.shared.models.encode import (  # noqa: E402
    base_of,
    shared_vision,
    videos_of,
    views_of,
)
from reproductions.shared.video.decode import video_metadata  # noqa: E402


@pytest.fixture(scope="module")
def loaded(engine):
    model = engine.model()
    return model, engine.encoder(model)


def test_a_prompt_is_what_the_processor_makes_of_the_clip(engine, loaded):
    model, encoder = loaded
    sample = engine.samples[0]
    clip = engine.read(sample.video)
    inputs = encoder.processor(
        text=[encoder.text(sample)],
        videos=[clip.frames],
        video_metadata=[VideoMetadata(**video_metadata(clip))],
        do_sample_frames=False,
        do_resize=False,
        return_tensors="pt",
    )
    prompt = encoder(sample)
    assert torch.equal(prompt.ids, inputs["input_ids"][0])
    assert torch.equal(prompt.video["pixel_values_videos"], inputs["pixel_values_videos"])
    assert prompt.times == clip.times
    # The first answer token follows the prompt at the position that generate() would give it.
    grid = inputs["video_grid_thw"][0].prod() // 4
    assert (prompt.ids == encoder.processor.video_token_id).sum() == grid
    with torch.no_grad():
        plain = model(**inputs).logits
        ours = model(
            input_ids=prompt.ids[None], position_ids=prompt.positions[:, None], **prompt.video
        ).logits
    torch.testing.assert_close(ours, plain, atol=1e-5, rtol=0)
    assert prompt.next_position == int(prompt.positions[:, -1].max()) + 1


def test_the_rate_of_the_frames_reaches_the_positions(engine, loaded):
    """Qwen2.5-VL places frames by the sampled rate, Qwen3-VL writes their times."""
    model, _ = loaded
    encoder = engine.encoder(model)
    sample = engine.samples[0]
    before = encoder(sample)
    slow = engine.encoder(model)
    read = slow.read

    def stretched(path):
        clip = read(path)
        info = replace(clip.info, fps=clip.info.fps / 2)
        return replace(clip, info=info, times=tuple(2 * t for t in clip.times))

    slow.read = stretched
    after = slow(sample)
    assert not (
        torch.equal(before.ids, after.ids) and torch.equal(before.positions, after.positions)
    )


def test_shuffled_frames_keep_the_time_of_their_slots(engine, loaded):
    _, encoder = loaded
    sample = engine.samples[0]
    straight, shuffled = encoder(sample), encoder(sample, (7, 6, 5, 4, 3, 2, 1, 0))
    assert torch.equal(straight.ids, shuffled.ids)
    assert torch.equal(straight.positions, shuffled.positions)
    assert straight.times == shuffled.times
    pixels = "pixel_values_videos"
    assert not torch.equal(straight.video[pixels], shuffled.video[pixels])
    identity = encoder(sample, tuple(range(8)))
    assert torch.equal(straight.video[pixels], identity.video[pixels])


def test_a_subset_of_the_frames_keeps_their_times(engine, loaded):
    _, encoder = loaded
    sample = engine.samples[0]
    whole = encoder(sample)
    half = encoder(sample, (1, 3, 5, 7))
    assert half.times == whole.times[1::2]
    assert half.video["video_grid_thw"].tolist() == [[2, 2, 2]]
    if engine.family == "qwen2_5_vl":
        # Half the rate: twice the distance between two grid steps.
        at = (whole.ids == encoder.processor.video_token_id).nonzero().squeeze(1)
        steps = whole.positions[0][at].unique()
        at = (half.ids == encoder.processor.video_token_id).nonzero().squeeze(1)
        wide = half.positions[0][at].unique()
        assert wide[1] - wide[0] == 2 * (steps[1] - steps[0])
    else:
        text = encoder.tokenizer.decode(half.ids)
        first, second = ((a + b) / 2 for a, b in (half.times[:2], half.times[2:]))
        assert f"<{first:.1f} seconds>" in text and f"<{second:.1f} seconds>" in text


def test_equal_prompts_are_encoded_once_and_the_memory_is_bounded(engine, loaded):
    model, _ = loaded
    a, b, c = engine.samples[:3]
    prompt = loaded[1](a)
    size = sum(t.nbytes for t in (prompt.ids, prompt.positions, *prompt.video.values()))
    size += engine.read(a.video).frames.nbytes  # clips are remembered as well
    encoder = engine.encoder(model, keep_bytes=int(2.5 * size))
    engine.reads.clear()
    assert encoder(a) is encoder(a)
    assert encoder(a, (1, 0, 2, 3, 4, 5, 6, 7)) is not encoder(a)
    assert len(engine.reads) == 1
    encoder(b), encoder(c)
    assert len(engine.reads) == 3
    encoder(a)
    assert len(engine.reads) == 4
    # A strategy that asks a sub-question keeps the sample's id.
    other = replace(a, question="What is red?")
    assert encoder.tokenizer.decode(encoder(other).ids) != encoder.tokenizer.decode(encoder(a).ids)


def test_a_prompt_met_in_inference_mode_can_be_trained_on(engine, loaded):
    model, _ = loaded
    encoder = engine.encoder(model)
    with torch.inference_mode():
        prompt = encoder(engine.samples[0])
    assert not prompt.ids.is_inference()
    assert not prompt.video["pixel_values_videos"].is_inference()


def test_text_only_prompts(engine, loaded):
    _, encoder = loaded
    prompt = encoder(text_only(engine.samples[0]))
    assert prompt.video == {} and prompt.times == ()
    assert prompt.next_position == len(prompt.ids)
    assert prompt.positions.tolist() == [list(range(len(prompt.ids)))] * 3
    assert videos_of([prompt], "cpu") == {}


@pytest.mark.parametrize("fault", ["no video token", "no pixels"])
def test_a_prompt_that_would_lose_the_video_is_refused(engine, loaded, fault):
    model, _ = loaded
    encoder = engine.encoder(model)
    if fault == "no video token":
        encoder.processor.chat_template = "{{ messages[0]['content'][-1]['text'] }}"
    else:
        real = encoder.processor

        class Blind:
            tokenizer = real.tokenizer
            video_token_id = real.video_token_id
            apply_chat_template = staticmethod(real.apply_chat_template)

            def __call__(self, **kwargs):
                inputs = real(**kwargs)
                del inputs["pixel_values_videos"]
                return inputs

        encoder.processor = Blind()
    with pytest.raises(ValueError, match=f"{engine.samples[0].id}.*from the text alone"):
        encoder(engine.samples[0])


def test_the_guard_is_needed(engine, loaded):
    """The model itself does not complain when the pixels are missing."""
    model, encoder = loaded
    prompt = encoder(engine.samples[0])
    with torch.no_grad():
        blind = model(input_ids=prompt.ids[None], position_ids=prompt.positions[:, None]).logits
    assert torch.isfinite(blind).all()


def test_rows_share_the_features_of_their_video(engine, loaded):
    model, encoder = loaded
    prompts = [encoder(s) for s in engine.samples[:3:2]]
    videos = videos_of(prompts, "cpu")
    base = base_of(model)
    with torch.no_grad():
        single = base.get_video_features(**videos)
        with shared_vision(model, [1, 0, 1]):
            rows = base.get_video_features(**videos)
        after = base.get_video_features(**videos)
    for a, b in zip(single.pooler_output, after.pooler_output, strict=True):
        assert torch.equal(a, b)
    for row, video in enumerate([1, 0, 1]):
        assert torch.equal(rows.pooler_output[row], single.pooler_output[video])
    if engine.family == "qwen3_vl":
        n = len(single.pooler_output[0])
        for wide, narrow in zip(rows.deepstack_features, single.deepstack_features, strict=True):
            assert torch.equal(wide, torch.cat([narrow[n:], narrow[:n], narrow[n:]]))


def test_the_vision_tower_is_given_back_after_an_error(engine, loaded):
    model, _ = loaded
    base = base_of(model)
    before = base.get_video_features
    with pytest.raises(RuntimeError, match="stop"), shared_vision(model, [0]):
        raise RuntimeError("stop")
    assert base.get_video_features == before


def test_vision_tokens_are_forbidden(engine, loaded):
    _, encoder = loaded
    names = encoder.tokenizer.convert_ids_to_tokens(encoder.forbidden_ids())
    assert set(names) == {"<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"}


def parts(engine):
    """The reader of a run on this engine's clips."""
    from reproductions.shared.models.show import reader
    from reproductions.shared.video.decode import probe, read_frames

    def read(path, spec):
        engine.reads.append(path)
        return read_frames(path, spec)

    return reader(engine.spec, read, probe)


def user(text, **shown):
    return Message("user", text, Shown(**shown) if shown else None)


def test_a_conversation_shows_parts_of_the_video(engine, loaded):
    encoder = engine.encoder(loaded[0])
    encoder.read = parts(engine)
    a = engine.samples[0]
    talk = (
        Message("system", "Look."),
        user("How many?", frames=8),
        Message("assistant", "Again."),
        user("Now?", span=(2.0, 6.0), frames=2),
        user("And?", times=(1.0, 5.0)),
    )
    prompt = encoder(a, messages=talk, prefix="<think>")
    assert len(prompt.views) == 3
    assert prompt.times[:8] == engine.read(a.video).times
    assert prompt.times[8:] == (2.0, 6.0, 1.0, 5.0)
    assert prompt.text.endswith("assistant\n<think>") and "Again." in prompt.text
    grid = [v["video_grid_thw"].tolist()[0] for v in prompt.views]
    assert grid == [[4, 2, 2], [1, 2, 2], [1, 2, 2]]
    whole = videos_of([prompt], "cpu")
    assert whole["video_grid_thw"].tolist() == grid
    assert torch.equal(whole["pixel_values_videos"][:16], encoder(a).video["pixel_values_videos"])
    inputs = encoder.tokenizer.decode(encoder(a, messages=talk).ids)
    assert inputs == encoder.tokenizer.decode(prompt.ids).removesuffix("<think>")


def test_questions_about_one_video_share_what_is_seen(engine, loaded):
    encoder = engine.encoder(loaded[0])
    engine.reads.clear()
    a, other = engine.samples[0], replace(engine.samples[0], question="What is red?")
    one, two = encoder(a), encoder(other)
    assert one is not two and one.views[0] is two.views[0] and len(engine.reads) == 1
    assert views_of([one, two, encoder(engine.samples[1]), one])[1] == [0, 0, 1, 0]


def test_zoom_and_budget(engine, loaded):
    encoder = engine.encoder(loaded[0])
    encoder.read = parts(engine)
    a = engine.samples[0]
    whole = engine.read(a.video).frames[0]
    box = (0.5, 0.0, 1.0, 0.5)
    zoomed = encoder.read(a.video, Shown(frames=2, box=box)).frames[0]
    assert zoomed.shape == whole.shape
    side = len(whole) // 2
    corner = torch.tensor(whole[:side, side:].copy()).float().mean((0, 1))
    assert (torch.tensor(zoomed.copy()).float().mean((0, 1)) - corner).abs().max() < 12


@pytest.mark.parametrize("shown", [{"times": (1.0, 99.0)}, {"span": (3.0, 60.0)}])
def test_moments_outside_the_video_are_refused(engine, loaded, shown):
    encoder = engine.encoder(loaded[0])
    encoder.read = parts(engine)
    with pytest.raises(ValueError, match=r"(99|60) s lies outside the video, which lasts 8\.000 s"):
        encoder(engine.samples[0], messages=(user("?", **shown),))
    with pytest.raises(ValueError, match="the sample has none"):
        encoder(text_only(engine.samples[0]), messages=(user("?", frames=2),))


def test_the_frames_hook_chooses_the_moments(engine, loaded):
    encoder = engine.encoder(loaded[0])
    encoder.read = parts(engine)
    encoder.choose = lambda sample: [1.0, 2.0, 3.0, 7.0]
    assert encoder(engine.samples[0]).times == (1.0, 2.0, 3.0, 7.0)
