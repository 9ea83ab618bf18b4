"""What hooks are given beside the samples: other names, a frozen checkpoint, frame times."""

from __future__ import annotations

import threading

import pytest

from reproductions.shared.inference.engine import Request, Sampling
from reproductions.shared.inference.lazy import LazyGenerator
from reproductions.shared.inference.meter import BudgetError, Metered
from reproductions.shared.inference.scripted import ScriptedGenerator
from reproductions.shared.method import HOOKS, Method, Sample
from reproductions.shared.settings import RunError, find_method

SAMPLE = Sample(id="s", question="?", answer="A")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("video-r1", "video_r1"),
        ("long_rl", "longvila_r1"),
        ("Long-RL", "longvila_r1"),
        ("cof", "chain_of_frames"),
        ("videoespresso", "videoqa_sc"),  # the work that released it
        ("T-GRPO", "video_r1"),
        ("2503.21776", "video_r1"),
        ("grpo", "grpo"),
    ],
)
def test_a_method_is_found_by_its_other_names(name, found):
    assert find_method(name).id == found


@pytest.mark.parametrize("name", ["video_r2", "refocus", "video_mme", "../x", ""])
def test_what_cannot_be_run_is_not_found(name):
    with pytest.raises(RunError, match=r"has no reproduction. (Did you mean '[a-z_0-9]+'|There)"):
        find_method(name)


def test_the_hooks_are_the_fields_of_a_method():
    assert set(HOOKS) == set(Method.__dataclass_fields__) - {"id", "baseline", "trainer"}


def test_a_lazy_generator_is_made_once_and_asked_by_one_at_a_time():
    made, inside, most = [], 0, 0

    def script(request, index):
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        threading.Event().wait(0.01)
        inside -= 1
        return "x"

    lazy = LazyGenerator(lambda: made.append(1) or ScriptedGenerator(script))
    assert not made
    threads = [
        threading.Thread(target=lazy.generate, args=([Request(SAMPLE)], Sampling()))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1] and most == 1


def test_two_models_share_one_meter():
    first = Metered(ScriptedGenerator(lambda r, i: "four"), max_calls=3)
    second = first.beside(ScriptedGenerator(lambda r, i: "seven77"))
    first.generate([Request(SAMPLE, 2)], Sampling())
    second.generate([Request(SAMPLE)], Sampling())
    assert (first.cost.calls, first.cost.answers, first.cost.tokens_out) == (2, 3, 15)
    assert first.finished and second.cost is first.cost
    with pytest.raises(BudgetError):
        second.generate([Request(SAMPLE)] * 2, Sampling())


def test_frame_times_are_known_without_decoding(qwen):
    """`context.times` of a `decode` hook are those of the frames that the prompt shows."""
    from dataclasses import replace

    from reproductions.shared.models.show import reader
    from reproductions.shared.video.decode import probe, read_frames

    decoded = []

    def read(path, spec):
        decoded.append(path)
        return read_frames(path, spec)

    for frames in (4, 8):
        spec = replace(qwen.spec, num_frames=frames)
        reading = reader(spec, read, probe)
        path = qwen.samples[0].video
        times = reading.times(path)
        assert not decoded and len(times) == frames
        assert times == pytest.approx(tuple(reading(path).times))
        decoded.clear()


@pytest.mark.train
def test_the_frozen_checkpoint_stays_as_it_was(qwen, tmp_path):
    """A reward asks it at every step, and after a restart; it is loaded for those who ask only."""
    torch = pytest.importorskip("torch")
    from dataclasses import replace

    from safetensors.torch import load_file

    from reproductions.shared.inference.hf import HFGenerator
    from reproductions.shared.method import Stage
    from reproductions.shared.settings import Options, complete, settings_of
    from reproductions.shared.training import stage as stages

    question = [Request(qwen.samples[0])]
    sampling = Sampling(max_new_tokens=6)
    said = []

    def ask(prompts, completions, **columns):
        said.append(columns["context"][0].frozen.generate(question, sampling)[0][0])
        return [float(len(c)) for c in completions]

    keys = {"max_steps": 3, "batch_size": 1, "num_generations": 4, "max_completion_length": 6}
    overrides = {f"stages.rl.{k}": v for k, v in keys.items()} | {"stages.rl.learning_rate": 1e-2}
    overrides |= {"frames.num_frames": 8, "stages.rl.beta": 0.0}
    method = complete(find_method("video_r1"))
    final = stages.train(
        Stage("rl", "grpo"),
        settings_of(method, Options(overrides=overrides)),
        replace(method, rewards=(ask,), shape_rewards=None, build_group=None),
        qwen.samples[:2],
        [],
        qwen.checkpoint,
        tmp_path / "rl",
        read=qwen.read,
        log=tmp_path / "log.jsonl",
        rollouts=tmp_path / "rollouts.jsonl",
    )
    start, end = (load_file(f / "model.safetensors") for f in (qwen.checkpoint, final))
    assert any(not torch.equal(start[k], end[k]) for k in end)
    model = qwen.model()
    first = HFGenerator(model, qwen.encoder(model)).generate(question, sampling)[0][0]
    assert len(said) == 3 and {s.ids for s in said} == {first.ids}
    assert all(s.logprobs == pytest.approx(first.logprobs, abs=1e-5) for s in said)
