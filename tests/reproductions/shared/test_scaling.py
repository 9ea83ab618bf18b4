"""A preset on other numbers of GPUs, and the page that shows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from reproductions.shared.devices import DEVICES, Machine
from reproductions.shared.plan import make_plan
from reproductions.shared.scaling import COUNTS, layouts, markdown, render
from reproductions.shared.settings import complete, find_method
from vidpost.catalog.preset import load_preset

ROOT = Path(__file__).parents[3]


def found(**overrides):
    path = ROOT / "reproductions" / "methods" / "video_r1" / "paper.yaml"
    keys = {k.replace("__", "."): v for k, v in overrides.items()}
    return layouts(load_preset(path, keys), complete(find_method("video_r1")))


def one(stage, gpus, servers=0, **overrides):
    return next(
        f for f in found(**overrides) if (f.stage, f.gpus, f.servers) == (stage, gpus, servers)
    )


def test_the_presets_own_number_of_gpus_is_its_plan():
    path = ROOT / "reproductions" / "methods" / "video_r1" / "paper.yaml"
    plan = make_plan(load_preset(path), complete(find_method("video_r1")), Machine((), 1, 1))
    for planned in plan.stages[:2]:
        layout = one(planned.name, 4)
        assert layout.memory == planned.memory and layout.phases == planned.phases
        assert layout.hours == pytest.approx(planned.hours)


def test_a_step_stays_the_same_until_there_are_more_gpus_than_micro_batches():
    # 8 samples a step in SFT, 4 groups in RL.
    assert [one("sft", n).samples_an_update for n in COUNTS] == [8, 8, 8, 16, 64]
    assert [one("rl", n).samples_an_update for n in COUNTS] == [4, 4, 8, 16, 64]
    # Hours are for the same samples: 16 GPUs take as long a step, and half as many steps, as 8.
    eight, sixteen = one("sft", 8), one("sft", 16)
    assert sixteen.phases["H20"]["update"] == pytest.approx(eight.phases["H20"]["update"])
    assert sixteen.hours["H20"] == pytest.approx(eight.hours["H20"] / 2)


def test_memory_is_divided_and_one_gpu_holds_everything():
    parameters = 8_292_166_656
    whole, spread = one("sft", 1), one("sft", 64)
    states = ("weights", "gradients", "optimiser")
    assert sum(whole.memory[k] for k in states) * 2**30 == pytest.approx(16 * parameters)
    assert sum(spread.memory[k] for k in states) * 2**30 == pytest.approx(16 * parameters / 64)
    assert whole.memory["activations"] == spread.memory["activations"]
    assert not whole.fits("H100") and whole.fits("H200") and spread.fits("H100")


def test_servers_take_gpus_from_training():
    served = one("rl", 16, 4)
    assert served.servers == 4 and "rollout cache" not in served.memory
    assert served.samples_an_update == 12  # one group on each of twelve
    own = one("rl", 16)
    assert served.memory["weights"] == pytest.approx(own.memory["weights"] * 16 / 12)
    assert served.phases["H100"]["rollout decode"] < own.phases["H100"]["rollout decode"]
    assert not [f for f in found() if f.stage == "sft" and f.servers]


def test_longer_videos_and_larger_groups_cost_what_they_add():
    base, long, wide = (
        one("rl", 8),
        one("rl", 8, frames__max_frames=64),
        one("rl", 8, stages__rl__num_generations=16),
    )
    # Activations are kept for P + G (R + 1) tokens.
    tokens = [1_184 + 8 * 769, 4_096 + 160 + 8 * 769, 1_184 + 16 * 769]
    kept = [f.memory["activations"] for f in (base, long, wide)]
    assert kept[1] / kept[0] == pytest.approx(tokens[1] / tokens[0])
    assert kept[2] / kept[0] == pytest.approx(tokens[2] / tokens[0])


def test_the_dry_run_prints_it():
    from vidpost.cli.train import run

    result = CliRunner().invoke(run, ["video_r1", "--preset", "paper", "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "rl, rollouts on vLLM servers" in result.output
    as_json = CliRunner().invoke(run, ["video_r1", "--preset", "paper", "--dry-run", "--json"])
    scaling = json.loads(as_json.output)["scaling"]
    assert {(s["stage"], s["gpus"], s["servers"]) for s in scaling} == {
        (f.stage, f.gpus, f.servers) for f in found()
    }
    assert set(scaling[0]["phases"]) == set(DEVICES)
    small = CliRunner().invoke(run, ["video_r1", "--dry-run", "--json"])
    assert json.loads(small.output)["scaling"] == []


def test_nothing_is_cut_in_a_terminal_of_80_columns():
    import io

    from rich.console import Console

    console = Console(width=80, file=io.StringIO())
    console.print(render(found(), "H20"))
    assert "…" not in console.file.getvalue()


def test_the_page_shows_todays_numbers():
    """docs/scaling.md is written by hand around these tables; see its end for the command."""
    page = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    for table in markdown(found(), "H100").split("\n\n"):
        assert table in page, "python -m reproductions.shared.scaling writes the tables"
