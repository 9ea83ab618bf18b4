"""The published time positions, worked out by hand, and what transformers makes of them."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from reproductions.shared.models import rope_cure  # noqa: E402


@pytest.fixture(scope="module")
def model(qwen):
    return qwen.model()  # `load_model` applies the cure


def untouched(qwen):
    """The model as transformers loads it."""
    from transformers import AutoModelForImageTextToText

    qwen.model()  # torchvision's cure
    return AutoModelForImageTextToText.from_pretrained(qwen.checkpoint).eval()


def ids_and_types(*runs):
    types = [kind for kind, n in runs for _ in range(n)]
    return torch.ones(1, len(types), dtype=torch.long), torch.tensor([types])


def positions(model, runs, **grids):
    ids, types = ids_and_types(*runs)
    out, delta = model.model.get_rope_index(ids, mm_token_type_ids=types, **grids)
    return out[:, 0].tolist(), delta.item()


def test_text_goes_on_after_the_last_moment_of_a_video(model):
    """Four patches of one token, two seconds apart, two positions a second; merge size 2."""
    (time, height, width), delta = positions(
        model,
        [(0, 3), (2, 4), (0, 2)],
        video_grid_thw=torch.tensor([[4, 2, 2]]),
        second_per_grid_ts=torch.tensor([2.0]),
    )
    assert time == [0, 1, 2, 3, 7, 11, 15, 16, 17]
    assert height == width == [0, 1, 2, 3, 3, 3, 3, 16, 17]
    assert delta == 18 - 9


def test_half_seconds_add_up(model):
    (time, _, _), _ = positions(
        model,
        [(2, 4), (0, 1)],
        video_grid_thw=torch.tensor([[4, 2, 2]]),
        second_per_grid_ts=[0.75],
    )
    assert time == [0, 1, 3, 4, 5]  # 0, 1.5, 3, 4.5 rounded down, then the text


def test_two_videos_and_a_picture_each_start_after_the_one_before(model):
    (time, height, width), _ = positions(
        model,
        [(2, 2), (0, 1), (1, 6), (0, 1), (2, 2), (0, 1)],
        video_grid_thw=torch.tensor([[2, 2, 2], [2, 2, 2]]),
        image_grid_thw=torch.tensor([[1, 4, 6]]),
        second_per_grid_ts=torch.tensor([1.0, 3.0]),
    )
    assert time == [0, 2, 3, 4, 4, 4, 4, 4, 4, 7, 8, 14, 15]
    assert height == [0, 0, 3, 4, 4, 4, 5, 5, 5, 7, 8, 8, 15]
    assert width == [0, 0, 3, 4, 5, 6, 4, 5, 6, 7, 8, 8, 15]


def test_padding_is_passed_over(model):
    ids, types = ids_and_types((0, 2), (2, 2), (0, 1))
    grids = {"video_grid_thw": torch.tensor([[2, 2, 2]]), "second_per_grid_ts": [1.0]}
    bare, delta = model.model.get_rope_index(ids, mm_token_type_ids=types, **grids)
    pad = torch.zeros(1, 3, dtype=torch.long)
    padded, same = model.model.get_rope_index(
        torch.cat([pad, ids], 1),
        mm_token_type_ids=torch.cat([pad, types], 1),
        attention_mask=torch.cat([pad, torch.ones_like(ids)], 1),
        **grids,
    )
    assert torch.equal(padded[:, :, 3:], bare) and same.item() == delta.item()


def test_transformers_places_the_text_inside_the_video(qwen):
    """Fails once transformers is mended: then remove the cure and the report in docs/upstream."""
    runs = [(0, 3), (2, 4), (0, 2)]
    grids = {"video_grid_thw": torch.tensor([[4, 2, 2]]), "second_per_grid_ts": torch.tensor([2.0])}
    (time, _, _), _ = positions(untouched(qwen), runs, **grids)
    assert time == [0, 1, 2, 3, 7, 11, 15, 4, 5]


def test_the_model_itself_and_the_encoder_follow_it(qwen, model):
    """The model's own forward, which works its positions out, equals one that is told them."""
    encoder = qwen.encoder(model)
    prompt = encoder(qwen.samples[0])
    types = 2 * (prompt.ids == encoder.processor.video_token_id).long()
    read = qwen.read(qwen.samples[0].video)
    seconds = 2 / read.sampled_fps
    inputs = {"input_ids": prompt.ids[None], "mm_token_type_ids": types[None], **prompt.video}
    with torch.no_grad():
        own = model(**inputs, second_per_grid_ts=[seconds]).logits
        told = model(**inputs, position_ids=prompt.positions[:, None]).logits
        before = untouched(qwen)(**inputs, second_per_grid_ts=[seconds]).logits
    torch.testing.assert_close(own, told)
    assert (own - before).abs().max() > 1e-2  # it matters


def test_other_families_are_left_alone(engine):
    model = untouched(engine)
    rule = model.model.get_rope_index
    assert rope_cure.apply(model) == (engine.family == "qwen2_5_vl")
    assert (model.model.get_rope_index == rule) == (engine.family != "qwen2_5_vl")
    assert rope_cure.apply(engine.model()) == (engine.family == "qwen2_5_vl")
