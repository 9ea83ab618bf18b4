"""From a sample to tensors: what the processor says, once, and never without the pixels."""

from __future__ import annotations

from dataclasses import replace

import pytest
from engine_fixtures import text_only

torch = pytest.importorskip("torch")

from reproductions.shared.models import torchvision_cure  # noqa: E402

torchvision_cure.apply()

from transformers.video_utils import VideoMetadata  # noqa: E402

from reproductions.shared.models.encode import (  # noqa: E402
    base_of,
    shared_vision,
    videos_of,
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
    encoder = engine.encoder(model, keep_bytes=int(2.5 * size))
    engine.reads.clear()
    assert encoder(a) is encoder(a)
    assert encoder(a, (1, 0, 2, 3, 4, 5, 6, 7)) is not encoder(a)
    assert len(engine.reads) == 2
    encoder(b), encoder(c)
    assert len(engine.reads) == 4
    encoder(a)
    assert len(engine.reads) == 5
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
