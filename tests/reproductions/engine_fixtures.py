"""What the engine's tests share: one small checkpoint a family, one small world, encoders.

Imports torch only inside functions, so that tests of pure functions stay light.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from reproductions.shared.method import Sample
from reproductions.shared.prompts import rationale_target, think_then_answer
from reproductions.shared.video.spec import FrameSpec

FAMILIES = ("qwen2_5_vl", "qwen3_vl")
SIDE = {"qwen2_5_vl": 28, "qwen3_vl": 32}
"""Pixels a token: patch size times merge size."""


@dataclass
class Engine:
    """A small checkpoint and the clips that its tokenizer was trained on.

    Attributes:
        family: Architecture.
        checkpoint: Folder that `from_pretrained` loads.
        samples: Questions about clips; prompts of two lengths.
        spec: Frames of every clip.
        reads: Every path that was decoded, in order.
    """

    family: str
    checkpoint: Path
    samples: list[Sample]
    spec: FrameSpec
    reads: list[str] = field(default_factory=list)

    def read(self, path: str) -> Any:
        """Decode a clip and note it."""
        from reproductions.shared.video.decode import read_frames

        self.reads.append(path)
        return read_frames(path, self.spec)

    def model(self, *, fused: bool = False, dtype: str = "float32", attention: str = "sdpa") -> Any:
        """A fresh copy of the model, in eval mode."""
        from reproductions.shared.models.load import load_model
        from vidpost.catalog.preset import ModelSettings

        settings = ModelSettings(id="tiny", family=self.family, dtype=dtype, attention=attention)
        model = load_model(self.checkpoint, settings)
        if fused:
            from trl.trainer.utils import add_fused_lm_head

            add_fused_lm_head(model, outputs=("log_probs", "entropy"))
        return model

    def encoder(
        self,
        model: Any,
        prompt: Callable[[Sample], str] = think_then_answer,
        keep_bytes: int = 2**30,
    ) -> Any:
        """An encoder with the checkpoint's processor."""
        from reproductions.shared.models.encode import Encoder
        from reproductions.shared.models.load import load_processor

        return Encoder(load_processor(self.checkpoint), model, self.read, prompt, keep_bytes)


def build_engine(family: str, folder: Path, samples: Sequence[Sample]) -> Engine:
    """Write (once a folder) and describe a small checkpoint of `family`."""
    import torch

    from reproductions.shared.models.tiny import TinyConfig, build

    torch.set_num_threads(1)
    texts = ["system\nYou are a helpful assistant.", "user\n", "assistant\n"]
    texts += [think_then_answer(s) for s in samples] + [rationale_target(s) for s in samples]
    config = TinyConfig(family=family, layers=2, vision_layers=2)
    side = SIDE[family]
    spec = FrameSpec(sampling="uniform", num_frames=8, max_pixels=side * side, size_factor=side)
    return Engine(family, build(folder, config, texts), list(samples), spec)


def text_only(sample: Sample) -> Sample:
    """The same question without its video."""
    return replace(sample, id=f"{sample.id}-text", video=None)


def padded(answers: Sequence[Any]) -> tuple[Any, Any, Any]:
    """Token ids, mask and log-probabilities of completions, right-padded."""
    import torch

    ids = torch.zeros(len(answers), max(len(a.ids) for a in answers), dtype=torch.long)
    mask, logprobs = torch.zeros_like(ids), torch.zeros(ids.shape)
    for row, answer in enumerate(answers):
        ids[row, : len(answer.ids)] = torch.tensor(answer.ids)
        mask[row, : len(answer.ids)] = 1
        logprobs[row, : len(answer.ids)] = torch.tensor(answer.logprobs)
    return ids, mask, logprobs


def even_share(prompts: list[Any], completion_ids: list[list[int]], **_: Any) -> list[float]:
    """A reward that tells any two answers of an untrained model apart: share of even token ids."""
    return [sum(i % 2 == 0 for i in ids) / len(ids) + len(ids) / 1000 for ids in completion_ids]


def lively(method: Any) -> Any:
    """The method with `even_share` in place of accuracy: an untrained model never answers right,
    and rewards that are all alike would train nothing."""

    def accuracy(**columns: Any) -> list[float]:
        return even_share(**columns)

    rewards = [accuracy if f.__name__ == "accuracy" else f for f in method.rewards]
    return replace(method, rewards=tuple(rewards))


def grpo_method(**hooks: Any) -> Any:
    """Plain GRPO with `even_share` as its reward, and hooks."""
    from reproductions.shared.method import Method

    return Method(id="probe", prompt=think_then_answer, **{"rewards": (even_share,), **hooks})


def grpo_trainer(
    engine: Engine,
    folder: Path,
    method: Any = None,
    *,
    samples: Sequence[Sample] | None = None,
    model: Any = None,
    encoder: Any = None,
    shared_prefix: bool = True,
    on_rollouts: Callable[[list[dict[str, Any]]], None] | None = None,
    **config: Any,
) -> Any:
    """A trainer on the small model; see `grpo_config`."""
    from reproductions.shared.method import Context
    from reproductions.shared.training.grpo import VideoGRPOTrainer

    if model is None:
        model = engine.model()
    return VideoGRPOTrainer(
        model=model.train(),
        args=grpo_config(folder, **config),
        method=method or grpo_method(),
        samples=samples or engine.samples,
        encoder=encoder or engine.encoder(model),
        context=Context(variant="paper", settings={"note": 1}),
        shared_prefix=shared_prefix,
        on_rollouts=on_rollouts,
    )


def grpo_config(folder: Path, **config: Any) -> Any:
    """TRL's arguments: two steps of two groups of four answers of at most eight tokens."""
    from trl import GRPOConfig

    settings = {
        "output_dir": str(folder),
        "per_device_train_batch_size": 8,
        "num_generations": 4,
        "max_completion_length": 8,
        "learning_rate": 1e-3,
        "max_steps": 2,
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "remove_unused_columns": False,
        "save_strategy": "no",
        "logging_steps": 1,
        "report_to": [],
        "disable_tqdm": True,
        "temperature": 1.0,
        "top_p": 1.0,
        "top_k": 0,
    }
    return GRPOConfig(**settings | config)


def weights_of(model: Any) -> dict[str, Any]:
    """A copy of all parameters."""
    return {k: p.detach().clone() for k, p in model.named_parameters()}
