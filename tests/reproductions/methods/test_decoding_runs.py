"""Test-time methods on a real model: one model for all, costs, failures, the `frames` hook."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from reproductions.shared.evaluation.cards import read_card  # noqa: E402
from reproductions.shared.method import Method  # noqa: E402
from reproductions.shared.run import run  # noqa: E402
from reproductions.shared.settings import ROOT, Options, RunError, cache_folder, find_method  # noqa: E402


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs a method on the smallest clips there are; the trained model is kept between runs."""
    folder = tmp_path_factory.mktemp("decoding")
    patch = pytest.MonkeyPatch()
    patch.setenv("VIDPOST_CACHE", str(folder / "cache"))
    count = iter(range(99))

    def started(method, **overrides):
        out = folder / f"{method.id}-{next(count)}"
        keys = {k.replace("__", "."): v for k, v in overrides.items()}
        preset = str(ROOT / "reproductions" / "methods" / method.id / "mini.yaml")
        if method.id == "decode":
            preset = "mini"
        options = Options(preset=preset, smoke=True, out=out, overrides=keys)
        return run(method, options)

    yield started
    patch.undo()


def records(folder, name):
    lines = (folder / "predictions" / f"{name}.jsonl").read_text().splitlines()[1:]
    return [json.loads(line) for line in lines]


@pytest.mark.train
def test_a_test_time_method_is_compared_with_greedy_and_with_as_many_votes(runs):
    folder = runs(find_method("tcot"))
    evaluation = json.loads((folder / "evaluation.json").read_text())
    names = evaluation["checkpoints"]
    assert names == ["base", "sft", "sft+self_consistency", "sft+tcot"]
    pairs = {(c["a"], c["b"]) for c in evaluation["comparisons"] if c["task"] == "all"}
    assert {("sft+self_consistency", "sft+tcot"), ("sft", "sft+tcot")} <= pairs
    cost = evaluation["cost"]
    # Four segments of 8 frames, and an answer from at most 16.
    assert cost["sft+tcot"]["calls"] == 8 * 5 and cost["sft"]["calls"] == 8
    assert 8 * 32 < cost["sft+tcot"]["frames"] <= 8 * 48
    votes = cost["sft+self_consistency"]
    spent = cost["sft+tcot"]["tokens_in"] + cost["sft+tcot"]["tokens_out"]
    # As many votes as greedy answers would cost as much; sampled ones differ in length.
    assert votes["answers"] == 8 * 128 or 0.5 < votes["tokens_out"] / spent < 2
    card = read_card(folder / "card.yaml")
    assert card.method == "tcot" and card.checkpoint.stage == "sft"
    assert card.cost.tokens_in == cost["sft+tcot"]["tokens_in"]
    assert any(n.startswith("Decoded by tcot: ") and "segments 4" in n for n in card.notes)
    assert {c.against for c in card.comparisons} == {"base", "sft", "sft+self_consistency"}
    (first, *_) = records(folder, "sft+tcot")
    assert first["evidence"] and first["times"] and first["trace"][0]["step"] == "segments"
    assert "with tcot" in (folder / "report.html").read_text()


@pytest.mark.train
def test_methods_share_the_model_that_they_would_train_alike(runs):
    kept = cache_folder() / "trained"
    a = runs(find_method("video_rts"))
    before = sorted(kept.iterdir())
    b = runs(find_method("silvr"), decode__context_tokens=64, decode__note_tokens=16)
    assert sorted(kept.iterdir()) == before  # nothing new was trained
    weights = [f / "stages" / "sft" / "final" / "model.safetensors" for f in (a, b)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert (b / "log.jsonl").read_text() == (a / "log.jsonl").read_text()
    other = runs(find_method("decode"), seed=1)
    assert len(list(kept.iterdir())) == len(before) + 1
    final = other / "stages" / "sft" / "final" / "model.safetensors"
    assert final.read_bytes() != weights[0].read_bytes()
    shutil.rmtree(kept)  # the cache is only a cache
    assert runs(find_method("decode")).exists()


def test_a_model_is_not_shared_once_a_hook_is_written_anew(tmp_path, monkeypatch):
    """Its name is a hash of the hook's code too, not of its name alone."""
    from reproductions.shared.run import Data, _trained
    from reproductions.shared.settings import complete, settings_of

    monkeypatch.setenv("VIDPOST_CACHE", str(tmp_path))
    decode = complete(find_method("tcot"))
    preset, stage = settings_of(decode, Options(preset="mini")), decode.stages[0]
    data = Data({stage.name: []}, [], [], "none", "none")
    source = tmp_path / "hooks_of_a_method.py"
    keys = []
    for line in ("return samples", "return samples[::2]"):
        source.write_text(f"def prepare_data(samples, context):\n    {line}\n")
        spec = importlib.util.spec_from_file_location(source.stem, source)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, source.stem, module)
        spec.loader.exec_module(module)
        method = replace(decode, prepare_data=module.prepare_data)
        keys.append(_trained(preset, method, stage, data, "base"))
    assert keys[0] != keys[1] and keys[0].parent == keys[1].parent == tmp_path / "trained"


@pytest.mark.train
def test_a_failing_strategy_is_on_the_card(runs):
    def decode(sample, generator, context):
        assert context.duration == 32.0 and context.examples
        if sample.task == "order":
            raise ValueError("no idea")
        from reproductions.shared.decoding.ask import request

        return generator.generate([request(sample)], engine_sampling())[0][0].text

    folder = runs(Method(id="tcot", baseline="decode", decode=decode))
    failed = [r for r in records(folder, "sft+tcot") if "failure" in r]
    assert {r["task"] for r in failed} == {"order"} and all(r["score"] == 0.0 for r in failed)
    card = read_card(folder / "card.yaml")
    note = f"sft+tcot: {len(failed)} of 8 questions failed and count as wrong; first: ValueError"
    assert any(n.startswith(note) for n in card.notes)


def engine_sampling():
    from reproductions.shared.inference.engine import Sampling

    return Sampling(max_new_tokens=4)


@pytest.mark.train
def test_the_frames_hook_decides_what_is_seen(runs):
    seen = []

    def frames(sample, candidates, context):
        seen.append((len(candidates), context.duration))
        return candidates[4:8]

    folder = runs(Method(id="tcot", baseline="decode", frames=frames), synthetic__skills=False)
    assert set(seen) == {(32, 32.0)} and len(seen) > 16  # in training as in evaluation
    for record in records(folder, "sft"):
        assert record["times"] == [4.0, 5.0, 6.0, 7.0] and record["frames"] == 4


@pytest.mark.train
def test_a_setting_that_a_method_needs_is_named(runs):
    rts = find_method("video_rts")
    with pytest.raises(RunError, match=r"decode\.answers: not set.*--set decode\.answers"):
        runs(Method(id="tcot", baseline="decode", decode=rts.decode))


@pytest.mark.train
def test_what_fails_for_all_questions_is_an_error(runs):
    def decode(sample, generator, context):
        raise RuntimeError("broken")

    with pytest.raises(RunError, match=r"every question failed.*broken"):
        runs(Method(id="tcot", baseline="decode", decode=decode))
