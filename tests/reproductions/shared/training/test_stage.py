"""A stage: settings into TRL's arguments, a log that can be trusted, checkpoints that resume."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from engine_fixtures import lively

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402

from reproductions.shared.decoding.ask import request  # noqa: E402
from reproductions.shared.inference.engine import Sampling  # noqa: E402
from reproductions.shared.method import Stage  # noqa: E402
from reproductions.shared.models.load import load_model  # noqa: E402
from reproductions.shared.settings import Options, complete, find_method, settings_of  # noqa: E402
from reproductions.shared.training import callbacks, checkpoints  # noqa: E402
from reproductions.shared.training import stage as stages  # noqa: E402

OVERRIDES = {
    "frames.num_frames": 8,
    "stages.sft.max_steps": 6,
    "stages.sft.batch_size": 2,
    "stages.rl.max_steps": 6,
    "stages.rl.batch_size": 1,
    "stages.rl.num_generations": 4,
    "stages.rl.max_completion_length": 6,
    "stages.rl.learning_rate": 1e-2,
}


def preset_of(**extra):
    overrides = OVERRIDES | {k.replace("__", "."): v for k, v in extra.items()}
    return settings_of(find_method("video_r1"), Options(overrides=overrides))


class Interrupted(Exception):
    """Ends a stage in the middle."""


def train(engine, folder, preset, name="rl", kind="grpo", samples=None, method=None):
    return stages.train(
        Stage(name, kind),
        preset,
        method or lively(complete(find_method("video_r1"))),
        (samples or engine.samples)[:4],
        engine.samples[4:6],
        engine.checkpoint,
        folder / name,
        read=engine.read,
        log=folder / "log.jsonl",
        rollouts=folder / "rollouts.jsonl",
    )


def log_of(folder):
    return [json.loads(x) for x in (folder / "log.jsonl").read_text().splitlines()]


@pytest.mark.train
@pytest.mark.parametrize(
    "settings",
    [
        {"stages__rl__num_iterations": 2, "stages__rl__beta": 0.1},
        {"stages__rl__steps_per_generation": 3, "stages__rl__beta": 0.0},
        {"stages__rl__gradient_accumulation": 2},
        {"model__lora": {"rank": 4, "alpha": 8, "dropout": 0.2}},
        {"model__dtype": "bfloat16", "model__gradient_checkpointing": True},
    ],
    ids=lambda s: "-".join(k.rsplit("__")[-1] for k in s),
)
def test_an_interrupted_stage_ends_with_the_same_weights(qwen, tmp_path, monkeypatch, settings):
    preset = preset_of(**settings)
    whole = train(qwen, tmp_path / "whole", preset)
    real = callbacks.MarkComplete.on_save
    with monkeypatch.context() as patch:

        def stop(self, args, state, control, **kwargs):
            real(self, args, state, control, **kwargs)
            if state.global_step >= 2:
                raise Interrupted

        patch.setattr(callbacks.MarkComplete, "on_save", stop)
        with pytest.raises(Interrupted):
            train(qwen, tmp_path / "cut", preset)
    cut = train(qwen, tmp_path / "cut", preset)
    first, second = (load_file(f / "model.safetensors") for f in (whole, cut))
    assert first.keys() == second.keys()
    assert [k for k in first if not torch.equal(first[k], second[k])] == []
    start = load_file(qwen.checkpoint / "model.safetensors")
    adapted = "model__lora" in settings  # which leaves embeddings, norms and biases alone
    moved = [k for k in first if not torch.equal(first[k], start[k])]
    assert len(moved) == len(first) or (adapted and len(moved) > len(first) / 3)
    rollouts = [(tmp_path / f / "rollouts.jsonl").read_text() for f in ("whole", "cut")]
    assert rollouts[0] == rollouts[1]
    noise = ("time", "step_time")
    one, other = ([{k: v for k, v in r.items() if k not in noise} for r in log_of(tmp_path / f)]
                  for f in ("whole", "cut"))  # fmt: skip
    assert one == other
    if adapted:  # adapters are merged: any loader reads the result
        assert not any("lora" in k for k in first)
        load_model(whole, preset.model)


def test_a_bad_reward_is_refused_before_the_cold_start(qwen, tmp_path, monkeypatch):
    """Hours of SFT would be lost if it were only asked in the stage that it is for."""

    def brevity(completions, **columns):
        return [float("nan") for _ in completions]

    def needy(meta, **columns):
        return [m["boxes"] for m in meta]  # which the samples of this stage need not have

    monkeypatch.setattr(stages, "load_model", lambda *a, **k: pytest.fail("a model was loaded"))
    brevity.__module__ = needy.__module__ = "reproductions.methods.mine.method"
    method = replace(complete(find_method("video_r1")), rewards=(needy, brevity))
    method = replace(method, reward_weights=None)
    with pytest.raises(stages.StageError, match=r"test_stage\.py:\d+: 'brevity' returned nan"):
        train(qwen, tmp_path, preset_of(), "sft", "sft", method=method)
    assert not (tmp_path / "sft" / "final").exists()


def test_a_bad_reward_ends_its_stage_with_a_message(qwen, tmp_path):
    def brevity(completions, **columns):
        return None

    method = replace(complete(find_method("video_r1")), rewards=(brevity,), reward_weights=None)
    with pytest.raises(stages.StageError, match="'brevity' returned None"):
        train(qwen, tmp_path, preset_of(), method=method)


def test_data_that_a_method_cuts_below_a_step_is_refused(qwen, tmp_path):
    """TRL would leave out the only batch, which is not full, and train nothing without a word."""
    cut = replace(complete(find_method("video_r1")), prepare_data=lambda samples, _: samples[:1])
    preset = preset_of(stages__rl__batch_size=2)
    with pytest.raises(stages.StageError, match=r"a step takes 2 questions, .* leaves 1\."):
        train(qwen, tmp_path, preset, method=cut)


def test_a_method_may_ask_the_first_checkpoint_about_its_data(qwen, tmp_path):
    """Selection by what the model itself answers, as several papers have it."""
    asked = []

    def ask(samples, context):
        (answers,) = context.frozen.generate([request(samples[0])], Sampling(max_new_tokens=4))
        asked.append(answers[0].text)
        return samples

    method = lively(complete(find_method("video_r1")))
    train(qwen, tmp_path, preset_of(), method=replace(method, prepare_data=ask))
    assert len(asked) == 1


def test_a_value_that_is_no_number_moves_the_bar(tmp_path):
    class Shown:
        def to(self, step, note):
            raise AssertionError

    record = callbacks.Recorder("rl", tmp_path / "log.jsonl", Shown(), 2)
    state = SimpleNamespace(is_world_process_zero=True, global_step=1)
    record.on_log(None, state, None, {"reward": float("nan"), "loss": 0.5})
    assert log_of(tmp_path)[0]["reward"] is None and record.note == "loss 0.50"


def test_an_unfinished_checkpoint_does_not_count(tmp_path):
    for step, whole in ((5, True), (10, True), (15, False)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"x")
        if whole:
            (folder / checkpoints.COMPLETE).touch()
    assert checkpoints.latest_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
    assert not (tmp_path / "checkpoint-15").exists()
    assert checkpoints.latest_checkpoint(tmp_path / "none") is None


def test_a_log_forgets_what_will_be_written_again(tmp_path):
    path = tmp_path / "log.jsonl"
    lines = [
        {"stage": "sft", "step": 9},
        {"stage": "rl", "step": 1},
        {"stage": "rl", "step": 2},
        {"stage": "rl", "step": 3},
    ]
    whole = [json.dumps(line) + "\n" for line in lines]
    path.write_text("".join(whole) + '{"stage": "rl", "st')
    checkpoints.forget_after(path, "rl", 2)
    assert path.read_text() == "".join(whole[:3])
    checkpoints.forget_after(path, "rl", 0)
    assert path.read_text() == whole[0]
    checkpoints.forget_after(tmp_path / "none", "rl", 0)
    assert [p.name for p in tmp_path.iterdir()] == ["log.jsonl"]


@pytest.mark.parametrize(
    ("settings", "samples", "processes", "expected"),
    [
        ({"max_steps": 7}, 1000, 1, 7),
        ({"batch_size": 4, "epochs": 1.0}, 10, 1, 3),
        ({"batch_size": 2, "gradient_accumulation": 2, "epochs": 2.0}, 10, 1, 5),
        ({"batch_size": 2, "epochs": 1.0}, 16, 4, 2),
        ({"batch_size": 64, "epochs": 0.1}, 3, 1, 1),
    ],
)
def test_steps_of_a_stage(settings, samples, processes, expected):
    base = preset_of().stages["sft"].model_copy(update={"max_steps": None, **settings})
    assert stages.total_steps(base, samples, processes) == expected


def test_settings_become_trl_arguments(tmp_path):
    preset = preset_of(
        stages__rl__num_iterations=2,
        stages__rl__steps_per_generation=3,
        seed=4,
        stages__rl__top_p=0.9,
    )
    settings = preset.stages["rl"]
    common = stages._arguments(preset, settings, tmp_path, 50, "cpu")
    assert common["per_device_train_batch_size"] == 4  # one group of four
    assert common["save_steps"] == 12  # a fifth of the steps, at the end of a generated batch
    assert (common["seed"], common["data_seed"], common["use_cpu"]) == (4, 4, True)
    special = stages._grpo_arguments(settings)
    assert (special["num_generations"], special["top_p"]) == (4, 0.9)
    assert special["beta"] == settings.beta and special["epsilon"] == settings.epsilon
    warm = settings.model_copy(update={"scheduler": "constant", "warmup_ratio": 0.1})
    arguments = stages._arguments(preset, warm, tmp_path, 50, "cpu")
    assert (arguments["lr_scheduler_type"], arguments["warmup_steps"]) == (
        "constant_with_warmup",
        5,
    )


@pytest.mark.train
def test_a_cold_start_stops_at_its_accuracy(qwen, tmp_path, monkeypatch):
    seen = iter([0.2, 0.6, 0.9])
    monkeypatch.setattr(callbacks.StopAtAccuracy, "measure", lambda self, model: next(seen))
    preset = preset_of(stages__sft__stop_at_accuracy=0.5, stages__sft__check_every=2)
    final = train(qwen, tmp_path, preset, "sft", "sft")
    records = log_of(tmp_path)
    assert [(r["step"], r["eval_accuracy"]) for r in records if "eval_accuracy" in r] == [
        (2, 0.2),
        (4, 0.6),
    ]
    assert max(r["step"] for r in records) == 4 and all(r["total_steps"] == 6 for r in records)
    # The last step has no checkpoint of its own: `final/` is it.
    assert final.is_dir() and not (tmp_path / "sft" / "checkpoint-4").exists()
    # A finished stage is not trained again.
    assert train(qwen, tmp_path, preset, "sft", "sft") == final and log_of(tmp_path) == records


def test_the_accuracy_of_a_cold_start_is_measured_on_greedy_answers(qwen):
    from reproductions.shared.progress import bar

    settings = preset_of(stages__sft__stop_at_accuracy=0.5).stages["sft"]
    model = qwen.model()
    encoder = qwen.encoder(model)
    validation = qwen.samples[:3]
    with bar("x", 1) as shown:
        record = callbacks.Recorder("sft", qwen.checkpoint, shown, 1)
    stop = callbacks.StopAtAccuracy(settings, validation, encoder, record)
    assert stop.measure(model) == 0.0  # an untrained model writes no answer tags
    gold = {s.id: f"<think></think><answer>{s.answer}</answer>" for s in validation[:2]}

    def generate(self, requests, sampling):
        from reproductions.shared.inference.engine import Completion

        assert sampling.temperature == 0
        texts = [gold.get(r.sample.id, "") for r in requests]
        return [[Completion(t, (), (), True)] for t in texts]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callbacks.HFGenerator, "generate", generate)
        assert stop.measure(model) == pytest.approx(2 / 3)
