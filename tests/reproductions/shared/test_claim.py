"""A claim over seeds: real runs of two steps each, their differences, the verdict, the card."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("trl")

from reproductions.shared import claim as claims
from reproductions.shared.evaluation.cards import read_card
from reproductions.shared.settings import Options, RunError, find_method
from vidpost.catalog.loader import find_root, load
from vidpost.catalog.models import Claim

ROOT = find_root(Path(__file__))
CLAIM = Claim(
    id="helps",
    statement="Votes give a higher accuracy than one answer.",
    compare=("self_consistency", "decode"),
    metric="miou",
    expect="greater",
    tasks=("needle",),
    source="a test",
)


@pytest.mark.parametrize(
    ("expect", "interval", "verdict"),
    [
        ("greater", (0.01, 0.2), "supported"),
        ("greater", (-0.2, -0.01), "not supported"),
        ("greater", (-0.1, 0.1), "undecided"),
        ("greater", (0.0, 0.1), "undecided"),
        ("less", (-0.2, -0.01), "supported"),
        ("less", (0.01, 0.2), "not supported"),
        ("equal", (-0.1, 0.1), "undecided"),
        ("equal", (0.01, 0.2), "not supported"),
        ("greater", None, "undecided"),
    ],
)
def test_the_interval_decides(expect, interval, verdict):
    assert CLAIM.model_copy(update={"expect": expect}).verdict(interval) == verdict


@pytest.mark.parametrize(
    ("method", "baseline", "stages"),
    [
        ("video_r1", "grpo", ["sft", "rl"]),
        ("museg", "grpo", ["sft", "cited", "rl"]),
        ("veripo", "grpo", ["sft", "activation", "search", "search_again"]),  # not the DPO
        ("videoqa_sc", "sft", ["evidence", "answer"]),
        ("rrpo", "dpo", ["sft", "preference"]),
        ("tcot", "decode", ["sft"]),
    ],
)
def test_the_baseline_trains_as_long_as_the_method(method, baseline, stages):
    long = claims._as_long(find_method(baseline), find_method(method))
    assert [s.name for s in long.stages] == stages
    assert long.rewards == find_method(baseline).rewards


@pytest.fixture(scope="module")
def tested(tmp_path_factory):
    """The claim over two seeds, with its folder and options."""
    folder = tmp_path_factory.mktemp("claim")
    patch = pytest.MonkeyPatch()
    patch.setenv("VIDPOST_CACHE", str(folder / "cache"))
    options = Options(smoke=True, overrides={"evaluate.max_new_tokens": 4})
    yield claims.test_claim(CLAIM, folder / "runs", options, (0, 1)), folder / "runs", options
    patch.undo()


def answered(folder, method, seed):
    name = "sft" if method == "decode" else f"sft+{method}"
    path = folder / f"seed-{seed}" / method / "predictions" / f"{name}.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    return [r for r in records if r["task"] == "needle"]


@pytest.mark.train
def test_the_card_holds_both_methods_on_the_questions_of_the_claim(tested):
    verdict, folder, _ = tested
    card = read_card(folder / "card.yaml")
    assert [s.name for s in card.scores] == [
        f"{method}, seed {seed}" for method in CLAIM.compare for seed in (0, 1)
    ]
    for row in card.scores:
        method, seed = row.name.split(", seed ")
        records = answered(folder, method, seed)
        assert row.n == len(records) and row.task == "needle"
        assert row.score == pytest.approx(sum(r["score"] for r in records) / len(records))
        assert row.cost.tokens_out == sum(r["tokens_out"] for r in records)
    assert (
        card.metric == "miou"
        and card.seeds == (0, 1)
        and card.n == sum(s.n for s in card.scores[:2])
    )
    difference = [a.score - b.score for a, b in zip(card.scores[:2], card.scores[2:], strict=True)]
    assert verdict.differences == pytest.approx(difference)
    (compared,) = card.comparisons
    assert compared.against == "decode"
    assert compared.difference == pytest.approx(sum(difference) / 2)
    assert verdict.verdict in card.notes[0]
    assert json.loads((folder / "claim.json").read_text())["differences"] == verdict.differences


@pytest.mark.train
def test_finished_runs_are_kept_and_tell_the_same(tested, monkeypatch):
    verdict, folder, options = tested
    card = read_card(folder / "card.yaml")
    monkeypatch.setattr(claims, "run", lambda *_: pytest.fail("a finished run was run again"))
    assert claims.test_claim(CLAIM, folder, options, (0, 1)) == verdict
    assert read_card(folder / "card.yaml") == card
    assert card.hardware.hours > 0


@pytest.mark.train
def test_runs_of_other_settings_are_refused(tested):
    _, folder, options = tested
    other = Options(smoke=True, overrides={"evaluate.max_new_tokens": 5})
    with pytest.raises(RunError, match="other settings"):
        claims.test_claim(CLAIM, folder, other, (0,))
    with pytest.raises(RunError, match="no question of the tasks order, counting"):
        claims.test_claim(
            CLAIM.model_copy(update={"tasks": ("order, counting",)}), folder, options, (0,)
        )


@pytest.mark.train
def test_the_official_rules_are_compared_with_the_paper_from_one_cold_start(tmp_path, monkeypatch):
    monkeypatch.setenv("VIDPOST_CACHE", str(tmp_path / "cache"))
    (claim,) = load(ROOT).methods["video_r1"].claims
    options = Options(smoke=True, overrides={"evaluate.max_new_tokens": 4})
    verdict = claims.test_variants(claim, tmp_path / "runs", options, (3,))
    assert verdict.compare == ("video_r1-official_code", "video_r1")
    runs = [tmp_path / "runs" / "seed-3" / name for name in verdict.compare]
    cards = [read_card(run / "card.yaml") for run in runs]
    assert [card.variant for card in cards] == ["official_code", "paper"]
    starts = [(run / "stages/sft/final/model.safetensors").read_bytes() for run in runs]
    assert starts[0] == starts[1]
    card = read_card(tmp_path / "runs/variants.yaml")
    assert card.variant == "official_code" and card.method == "video_r1"
    assert [c.against for c in card.comparisons] == ["video_r1"]
    assert card.comparisons[0].difference == pytest.approx(verdict.differences[0])
