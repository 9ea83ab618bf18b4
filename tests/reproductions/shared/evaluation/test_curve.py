"""Accuracy against compute: points worked out on a scripted model, and the command."""

from __future__ import annotations

import json
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from small_run import vidpost

pytest.importorskip("torch")

from reproductions.shared.evaluation.curve import (
    Budget,
    CurveError,
    default_budgets,
    knob_of,
    read_budgets,
    sweep,
    table,
)
from reproductions.shared.inference.answers import CachedGenerator
from reproductions.shared.inference.engine import Request, Sampling
from reproductions.shared.inference.scripted import ScriptedGenerator
from reproductions.shared.method import Sample
from reproductions.shared.rewards.rules import accuracy

SAMPLES = [
    Sample(f"s{i}", "Which?", "A", options=("A. x", "B. y"), video=f"v{i}.mp4") for i in range(8)
]


@contextmanager
def quiet(name, total):
    yield SimpleNamespace(add=lambda n: None)


def ask_twice(sample, engine):
    """Right for every other question, at the price of two calls."""
    first = engine.generate([Request(sample)], Sampling())[0][0]
    engine.generate([Request(sample, stream=1)], Sampling())
    return "<answer>A</answer>" if int(sample.id[1:]) % 2 else first.text


def measure(folder, budgets, model=None):
    model = model or ScriptedGenerator(lambda r, i: "<answer>B</answer>")
    result = sweep(
        SAMPLES, budgets, accuracy("video_r1"), Sampling(), folder, identity="model",
        cached=lambda where, name: CachedGenerator(model, where, model="m", protocol=name),
        shown=quiet,
    )  # fmt: skip
    return result, model


def test_every_point_is_compared_with_as_costly_votes(tmp_path):
    result, _ = measure(tmp_path, [Budget("twice", "answers", 2, ask_twice, "k")])
    points = {p["method"]: p for p in result["points"]}
    assert list(points) == ["greedy", "twice", "self_consistency_equal"]
    # An answer has 18 characters, so 18 tokens; prompts have none here. Two answers: two votes.
    assert points["greedy"]["tokens"] == 18 and points["twice"]["tokens"] == 36
    assert points["twice"]["calls"] == 2 and points["self_consistency_equal"]["value"] == 2
    assert points["self_consistency_equal"]["equal_to"] == ("twice-answers-2",)
    assert points["twice"]["score"] == 0.5 and points["greedy"]["score"] == 0.0
    (test,) = result["comparisons"]
    assert test["difference"] == 0.5 and test["against"] == "self_consistency_equal-answers-2"
    text = (tmp_path / "curve.md").read_text()
    assert text == table(result) and "| twice | answers 2 | 50.0 [" in text
    drawing = (tmp_path / "curve.svg").read_text()
    assert "prefers-color-scheme: dark" in drawing and drawing.count("calls a question") == 1
    assert json.loads((tmp_path / "curve.json").read_text())["n"] == 8


def test_a_sweep_that_was_stopped_goes_on(tmp_path):
    budgets = [Budget("twice", "answers", 2, ask_twice, "k")]
    first, _ = measure(tmp_path, budgets)
    again, model = measure(tmp_path, budgets)
    assert model.requests == [] and again["points"] == first["points"]
    (tmp_path / "predictions" / "twice-answers-2.jsonl").unlink()
    third, model = measure(tmp_path, budgets)
    assert model.requests == []  # the journal had them
    resumed = {p["method"]: p["resumed"] for p in third["points"]}
    assert resumed == {"greedy": False, "twice": True, "self_consistency_equal": False}
    assert "\\* resumed" in table(third)


def test_budgets():
    assert knob_of({"frames": 4, "answers": 5, "max_frames": None}) == "answers"
    assert default_budgets(16, "max_frames") == [4, 8, 16, 32]
    assert default_budgets(2, "answers") == [1, 2, 4]
    assert read_budgets("8, 4;tcot=16") == {"": [4, 8], "tcot": [16]}
    for text in ("a", "tcot=", "0", "tcot=1,x"):
        with pytest.raises(CurveError, match="--budgets"):
            read_budgets(text)
    with pytest.raises(CurveError, match="no budget"):
        knob_of({"threshold": 0.5})


def test_the_command_sweeps_methods_on_a_run(small, tmp_path):
    result = vidpost(
        "tts", "curve", "--methods", "self_consistency,tcot", "--run", small, "--limit", 3,
        "--budgets", "self_consistency=2;tcot=8,16", "--out", tmp_path, "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    names = [(p["method"], p["value"]) for p in found["points"] if "equal" not in p["method"]]
    assert names == [("greedy", 1), ("self_consistency", 2), ("tcot", 8), ("tcot", 16)]
    tcot = {p["value"]: p for p in found["points"] if p["method"] == "tcot"}
    assert tcot[8]["calls"] == tcot[16]["calls"] == 5 and tcot[8]["frames"] < tcot[16]["frames"]
    assert len(found["comparisons"]) == 2
    assert {p.name for p in tmp_path.glob("curve.*")} == {"curve.json", "curve.md", "curve.svg"}


@pytest.mark.parametrize(
    ("methods", "more", "said"),
    [
        ("tcott", [], "Did you mean 'tcot'?"),
        ("decode", [], "'decode' is no test-time method"),
        ("tcot", ["--budgets", "x"], "--budgets x"),
        ("tcot", ["--budgets", "dive=2"], "'dive' is not among --methods"),
        ("tcot", ["--knob", "tcot=threshold"], "not a number among its settings"),
        ("tcot", ["--checkpoint", "rl"], "no checkpoint 'rl'"),
    ],
)
def test_bad_sweeps_are_refused(small, tmp_path, methods, more, said):
    result = vidpost("tts", "curve", "--methods", methods, "--run", small, "--out", tmp_path, *more)
    assert result.exit_code == 2 and said in result.stderr


def test_a_folder_that_cannot_be_written_is_said(small, tmp_path):
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "x"
    result = vidpost("tts", "curve", "--methods", "tcot", "--run", small, "--out", out)
    assert result.exit_code == 2 and "choose another folder with --out" in result.stderr
