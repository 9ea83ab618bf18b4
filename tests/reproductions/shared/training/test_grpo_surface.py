"""What is taken from TRL's private surface is there, in the version that is pinned."""

from __future__ import annotations

import inspect
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from engine_fixtures import grpo_trainer
from packaging.requirements import Requirement

torch = pytest.importorskip("torch")

from reproductions.shared.models import torchvision_cure  # noqa: E402

torchvision_cure.apply()

from trl import GRPOTrainer  # noqa: E402

from reproductions.shared.training.grpo import OVERRIDES, VideoGRPOTrainer  # noqa: E402

ROOT = Path(__file__).resolve().parents[4]

SIGNATURES = {
    "_get_train_sampler": ["self", "dataset"],
    "_prepare_inputs": ["self", "generation_batch"],
    "_generate_and_score_completions": ["self", "inputs"],
    "_get_per_token_logps_and_entropies": ["self", "model", "input_ids", "attention_mask"],
    "_compute_loss": ["self", "model", "inputs"],
}
"""Leading parameters of the methods that are replaced, in the pinned TRL."""

USED = (
    *("_buffered_inputs", "_metrics", "_step", "_tokenizer", "eos_token_ids"),
    *("reward_funcs", "reward_func_names", "reward_weights", "scale_rewards", "shuffle_dataset"),
    *("num_generations", "num_generations_eval", "num_iterations", "beta", "ref_model"),
    *("mask_truncated_completions", "model_wrapped", "loss_type", "temperature"),
)
"""Attributes of the trainer that are read or written."""


def pins(name: str) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [r for extra in project["optional-dependencies"].values() for r in extra]
    return [r for r in map(Requirement, lines) if r.name == name]


def test_the_list_of_overrides_is_complete():
    own = {n for n in vars(VideoGRPOTrainer) if n.startswith("_") and not n.startswith("__")}
    assert {n for n in own if hasattr(GRPOTrainer, n)} == set(OVERRIDES) == set(SIGNATURES)


@pytest.mark.parametrize("name", OVERRIDES)
def test_each_override_has_the_signature_that_trl_calls(name):
    theirs = list(inspect.signature(getattr(GRPOTrainer, name)).parameters)
    assert theirs[: len(SIGNATURES[name])] == SIGNATURES[name]
    ours = inspect.signature(getattr(VideoGRPOTrainer, name))
    ours.bind(*SIGNATURES[name])


def test_the_installed_trl_is_inside_a_narrow_pin():
    (pin,) = pins("trl")
    assert pin.specifier.contains(version("trl"))
    operators = sorted(s.operator for s in pin.specifier)
    low, high = (next(s.version for s in pin.specifier if s.operator == o) for o in operators[::-1])
    assert operators == ["<", ">="]
    assert [int(x) for x in high.split(".")[:2]] == [
        int(low.split(".")[0]),
        int(low.split(".")[1]) + 1,
    ]


def test_transformers_is_inside_the_pin():
    (pin,) = pins("transformers")
    assert pin.specifier.contains(version("transformers"))


def test_the_attributes_in_use_exist(qwen, tmp_path):
    trainer = grpo_trainer(qwen, tmp_path)
    assert [n for n in USED if not hasattr(trainer, n)] == []
    source = inspect.getsource(GRPOTrainer._compute_loss)
    # The loss must ask our method for log-probabilities and take advantages per token after it.
    assert source.index("_get_per_token_logps_and_entropies") < source.index('inputs["advantages"]')
    assert "advantages.dim() == 1" in source
