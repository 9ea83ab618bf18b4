"""A claim over finished runs: the card adds up what the answers cost."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch")

from reproductions.shared import claim as claims  # noqa: E402
from reproductions.shared.evaluation.cards import read_card, run_facts, write_card  # noqa: E402
from reproductions.shared.evaluation.protocol import build_protocol  # noqa: E402
from reproductions.shared.run import Options  # noqa: E402
from reproductions.shared.video.spec import FrameSpec  # noqa: E402
from vidpost.catalog.models import Claim  # noqa: E402

CLAIM = Claim(
    id="better", statement="It is better.", compare=("tcot", "decode"), metric="accuracy",
    expect="greater", tasks=("needle",), source="Sec. 1",
)  # fmt: skip


def finished(folder, method, names, right):
    """A run that is over: two needles and one question of another task for each name."""
    (folder / "predictions").mkdir(parents=True)
    (folder / "evaluation.json").write_text(json.dumps({"checkpoints": names}))
    (folder / "report.html").write_text("")
    for place, name in enumerate(names):
        records = [
            {"task": task, "score": score, "calls": place + 1, "answers": 1, "tokens_in": 10,
             "tokens_out": 5, "frames": 8, "frames_decoded": 4, "seconds": 0.25}
            for task, score in (("needle", right), ("needle", 0.0), ("order", 1.0))
        ]  # fmt: skip
        lines = [{"fingerprint": "x"}, *records]
        path = folder / "predictions" / f"{name}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    cost = {"tokens_in": 1, "tokens_out": 1, "frames": 1, "seconds": 1.0}
    protocol = build_protocol(
        FrameSpec(num_frames=8).to_dict(), prompt_template="{question}", extractor="tag",
        extractor_version=1, sampling={"temperature": 0.0, "max_new_tokens": 48},
    )  # fmt: skip
    write_card(
        folder / "card.yaml",
        {**run_facts(), "kind": "miniature", "method": method, "preset": "mini", "seeds": [0],
         "checkpoint": {"stage": "sft"}, "model": "tiny", "engine": "hf",
         "benchmark": "synthetic", "benchmark_revision": "1", "metric": "accuracy", "n": 3,
         "score": 0.5, "interval": [0, 1], "interval_method": "none", "cost": cost,
         "protocol": protocol},
    )  # fmt: skip


def test_the_card_says_what_each_side_and_as_many_votes_cost(tmp_path):
    for seed, right in ((0, 1.0), (1, 0.5)):
        names = ["base", "sft", "sft+self_consistency", "sft+tcot"]
        finished(tmp_path / f"seed-{seed}" / "tcot", "tcot", names, right)
        finished(tmp_path / f"seed-{seed}" / "decode", "decode", ["base", "sft"], 0.0)
    claims.test_claim(CLAIM, tmp_path, Options(), (0, 1))
    card = read_card(tmp_path / "card.yaml")
    assert (card.n, card.score, card.model, card.engine) == (4, 0.375, "tiny", "hf")
    assert [(row.name, row.n, row.score, row.cost.calls) for row in card.scores] == [
        ("tcot, seed 0", 2, 0.5, 2 * 4),
        ("tcot, seed 1", 2, 0.25, 2 * 4),
        ("decode, seed 0", 2, 0.0, 2 * 2),
        ("decode, seed 1", 2, 0.0, 2 * 2),
        ("self_consistency for as many tokens, seed 0", 2, 0.5, 2 * 3),
        ("self_consistency for as many tokens, seed 1", 2, 0.25, 2 * 3),
    ]
    # Both seeds' answers of the method, on the questions that count.
    assert card.cost.model_dump(exclude_none=True) == {
        "calls": 16, "tokens_in": 40, "tokens_out": 20, "frames": 32, "frames_decoded": 16,
        "seconds": 1.0,
    }  # fmt: skip
