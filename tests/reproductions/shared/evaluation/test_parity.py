"""The parity check passes on a sound engine and fails on each known fault, put in on purpose."""

from __future__ import annotations

from dataclasses import replace

import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")

from reproductions.shared import finished  # noqa: E402
from reproductions.shared.evaluation.parity import TOLERANCE, Parity, check  # noqa: E402
from reproductions.shared.inference import hf  # noqa: E402
from reproductions.shared.models import encode  # noqa: E402
from reproductions.shared.models.encode import Encoder, base_of  # noqa: E402
from reproductions.shared.training import forward  # noqa: E402
from vidpost.cli.main import main  # noqa: E402


@pytest.fixture(scope="module")
def model(engine):
    return engine.model()


@pytest.fixture
def measure(engine, model):
    """Runs the check with an encoder of its own, so that no sound prompt is remembered."""
    return lambda: check(model, engine.encoder(model), engine.samples[:3], n=2, max_new_tokens=8)


def patch_prompts(monkeypatch, change):
    """Let the encoder, and so trainer and generator, make other prompts than the processor."""
    real = Encoder._encode
    monkeypatch.setattr(Encoder, "_encode", lambda self, *a: change(real(self, *a)))


def test_a_sound_engine_passes(measure):
    result = measure()
    assert result.passed and result.ids_equal
    assert max(result.generator, result.rows, result.packed) < 1e-5 < TOLERANCE
    assert result.blind > 1e-3
    assert (result.answers, result.to_dict()["passed"]) == (6, True)


def test_a_lost_frame_rate_fails(measure, monkeypatch):
    real = encode.video_metadata

    def without_rate(clip):
        """What a caller gets who passes frames alone: as many a second as there are."""
        return real(clip) | {"fps": 24.0, "total_num_frames": len(clip.frames)}

    monkeypatch.setattr(encode, "video_metadata", without_rate)
    assert not measure().passed


def test_shuffled_pixels_fail(measure, monkeypatch):
    def shuffle(prompt):
        video = dict(prompt.video)
        order = torch.randperm(len(video["pixel_values_videos"]))
        video["pixel_values_videos"] = video["pixel_values_videos"][order]
        return replace(prompt, views=(video,))

    patch_prompts(monkeypatch, shuffle)
    result = measure()
    assert not result.passed and result.ids_equal
    assert min(result.generator, result.rows, result.packed) > TOLERANCE


def test_missing_pixels_fail(measure, monkeypatch):
    patch_prompts(monkeypatch, lambda prompt: replace(prompt, views=()))
    assert not measure().passed


@pytest.mark.parametrize("what", ["answer", "prompt"])
def test_shifted_positions_fail(measure, monkeypatch, what):
    def shift(prompt):
        if what == "answer":
            return replace(prompt, next_position=prompt.next_position + 3)
        positions = prompt.positions.clone()
        positions[0] += torch.arange(positions.shape[1]) // 2
        return replace(prompt, positions=positions)

    patch_prompts(monkeypatch, shift)
    assert not measure().passed


def test_another_prompt_fails(measure, monkeypatch):
    def change(prompt):
        ids = prompt.ids.clone()
        ids[-2] = ids[-3]
        return replace(prompt, ids=ids)

    patch_prompts(monkeypatch, change)
    result = measure()
    assert not result.ids_equal and not result.passed


def test_a_fault_of_the_generator_alone_is_named(measure, monkeypatch):
    real = hf._draw

    def tempered(logits, *rest):
        return real(logits / 1.1, *rest)

    monkeypatch.setattr(hf, "_draw", tempered)
    result = measure()
    assert result.generator > TOLERANCE > max(result.rows, result.packed)
    assert not result.passed


def test_answers_that_see_each_other_in_the_packed_row_are_found(measure, monkeypatch):
    real = forward._attention
    monkeypatch.setattr(
        forward, "_attention", lambda model, segment: real(model, segment.clamp(max=1))
    )
    result = measure()
    assert result.packed > TOLERANCE > max(result.rows, result.generator)
    assert not result.passed


def test_a_model_that_does_not_see_the_video_fails(measure, model, monkeypatch):
    kind = type(base_of(model))
    real = kind.get_video_features

    def dark(*args, **kwargs):
        out = real(*args, **kwargs)
        out.pooler_output = tuple(torch.zeros_like(f) for f in out.pooler_output)
        deep = getattr(out, "deepstack_features", None)
        if deep is not None:
            out.deepstack_features = [torch.zeros_like(f) for f in deep]
        return out

    monkeypatch.setattr(kind, "get_video_features", dark)
    result = measure()
    assert result.blind == 0 and not result.passed
    # Nothing else would have told: all four ways agree.
    assert max(result.generator, result.rows, result.packed) < TOLERANCE


@pytest.mark.parametrize("where", ["generator", "rows", "packed", "blind"])
def test_no_number_is_no_pass(where):
    sound = {"generator": 0.0, "rows": 0.0, "packed": 0.0, "blind": 1.0}
    assert Parity(1, 1, True, **sound).passed
    assert not Parity(1, 1, True, **sound | {where: float("nan")}).passed


@pytest.mark.parametrize(("rows", "code"), [(1e-6, 0), (1e-3, 1)])
def test_the_command_exits_with_the_verdict(monkeypatch, rows, code):
    found = Parity(1, 1, True, generator=1e-6, rows=rows, packed=1e-6, blind=0.2)
    monkeypatch.setattr(finished, "parity_of", lambda folder: found)
    result = CliRunner().invoke(main, ["doctor", "--parity", "runs/x"])
    assert result.exit_code == code
    assert ("TOO LARGE" in result.output) == bool(code)


def test_the_command_names_a_folder_that_is_no_run(tmp_path):
    result = CliRunner().invoke(main, ["doctor", "--parity", str(tmp_path)])
    assert result.exit_code == 2 and "no config.yaml" in result.output


def test_the_check_leaves_the_model_usable(engine, model, measure):
    measure()
    forward_before = model.forward
    measure()  # a second check must not patch the head again
    assert model.forward == forward_before
