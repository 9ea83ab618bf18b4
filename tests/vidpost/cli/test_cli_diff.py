"""`vidpost diff`: a method beside its baseline, and two methods beside each other."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from vidpost.catalog.loader import find_root, load
from vidpost.cli.diff import _hooks, _side
from vidpost.cli.main import main

ROOT = find_root(Path(__file__))


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def vidpost(*args: str) -> Result:
    return CliRunner().invoke(main, ["diff", *args], prog_name="vidpost")


def parsed(*args: str) -> Any:
    result = vidpost(*args, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_one_name_is_compared_with_its_baseline() -> None:
    data = parsed("video-r1")
    assert (data["a"], data["b"]) == ("grpo", "video_r1")
    assert [row["hook"] for row in data["hooks"]] == ["build_group", "shape_rewards"]
    assert data["hooks"][1]["a"] == "the weighted sum"
    assert data["hooks"][0]["b_code"].startswith("reproductions/methods/video_r1/method.py:")
    mini = data["presets"]["mini.yaml against paper.yaml"]
    assert {"key": "model.id", "a": "Qwen/Qwen2.5-VL-7B-Instruct", "b": "tiny"} in mini
    assert vidpost("video-r1").output.startswith("video_r1 against grpo\n\nbuild_group\n  grpo: ")


def test_every_method_differs_from_its_baseline_as_its_entry_says() -> None:
    catalog = load()
    for entry in catalog.methods.values():
        if (ROOT / "reproductions/methods" / entry.id / "method.py").is_file():
            rows = _hooks(_side(catalog, entry.baseline), _side(catalog, entry.id))
            assert sorted(r["hook"] for r in rows) == sorted(entry.differs_in), entry.id


def test_the_loss_is_that_of_the_baseline() -> None:
    """A preference method replaces DPO's loss, not GRPO's; so do the defaults of two methods."""
    (loss,) = [r for r in parsed("rrpo")["hooks"] if r["hook"] == "loss"]
    assert loss["a"].startswith("DPO:") and "phrases" in loss["b"]
    (loss,) = [r for r in parsed("deepvideo_r1")["hooks"] if r["hook"] == "loss"]
    assert loss["a"].startswith("clipped surrogate")
    (loss,) = [r for r in parsed("tpo", "time_r1")["hooks"] if r["hook"] == "loss"]
    assert loss["a"].startswith("DPO:") and loss["b"].startswith("clipped surrogate")


def test_two_names_are_compared_with_each_other() -> None:
    data = parsed("T-GRPO", "spacer")
    hooks = {row["hook"]: row for row in data["hooks"]}
    assert (data["a"], data["b"]) == ("video_r1", "spacer")
    # What only one sets stands beside what its baseline does for the other.
    assert hooks["prompt"]["a"] == "think_then_answer from reproductions.shared.prompts"
    assert hooks["prompt"]["a_code"].startswith("reproductions/baselines/grpo/method.py:")
    assert "G/2" in hooks["build_group"]["a"] and "G/2" in hooks["build_group"]["b"]
    assert "advantages" not in hooks and "loss" not in hooks  # neither sets them
    paper = {row["key"]: (row["a"], row["b"]) for row in data["presets"]["paper.yaml"]}
    assert paper["stages.rl.max_completion_length"] == (768, 1024)
    assert "mini.yaml against paper.yaml" not in data["presets"]
    lines = vidpost("T-GRPO", "spacer").output.splitlines()
    assert lines[0] == "video_r1 and spacer"
    assert any(line.split()[:3] == ["stages.rl.max_completion_length", "768", "1024"]
               for line in lines)  # fmt: skip


def test_the_same_method_twice_differs_in_nothing() -> None:
    data = parsed("museg", "museg")
    assert data["hooks"] == [] and data["presets"] == {}


def test_scores_stand_beside_each_other_only_under_one_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("catalog", "reproductions/baselines", "reproductions/methods"):
        shutil.copytree(ROOT / part, tmp_path / part)
    cards = tmp_path / "catalog/results/video_r1"
    text = next(cards.glob("mini_seed_0.yaml")).read_text(encoding="utf-8")
    other = tmp_path / "catalog/results/tw_grpo"
    shutil.rmtree(other, ignore_errors=True)
    other.mkdir()
    (other / "mine.yaml").write_text(text.replace("method: video_r1", "method: tw_grpo"))
    monkeypatch.chdir(tmp_path)
    (row,) = [r for r in parsed("video_r1", "tw_grpo")["scores"] if "synthetic all" in r["key"]]
    own = [c.score for c in load(tmp_path).cards_of("video_r1").values()]
    assert min(own) <= row["a"] <= max(own) and 0 < row["b"] < 1
    assert parsed("video_r1", "museg")["scores"] == []


def test_what_has_no_module_is_said() -> None:
    result = vidpost("refocus")
    assert result.exit_code == 2 and "refocus has no module yet" in result.output
