"""Presets: every setting of a run, typed, each with the place it was read from.

`paper.yaml` is the paper's own run. `mini.yaml` says `extends: paper` and changes only what a small
model on synthetic clips needs; `ALLOWED_IN_MINI` is the complete list of keys it may touch, so that
algorithm constants stay the paper's. This module is light: no torch, nothing of `reproductions`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vidpost.catalog.diagnostics import closest
from vidpost.catalog.loader import CatalogError, load_mapping

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Positive = Annotated[int, Field(gt=0, le=10**9)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Lora(_Part):
    """Low-rank adapters (PEFT)."""

    rank: Positive = Field(16, description="Rank of the update.")
    alpha: Positive = Field(32, description="Scale; the update is multiplied by alpha / rank.")
    dropout: Share = Field(0.0, description="Dropout on the adapter's input.")
    target_modules: tuple[str, ...] | str = Field(
        "all-linear", description="Module names, or 'all-linear'."
    )


class Tiny(_Part):
    """Sizes of a small model built locally; see reproductions/shared/models/tiny.py."""

    hidden_size: Positive = Field(64, description="Width of the language model.")
    layers: Positive = Field(3, description="Language-model layers.")
    heads: Positive = Field(2, description="Attention heads of the language model.")
    intermediate_size: Positive = Field(192, description="Width of the MLP.")
    vision_hidden_size: Positive = Field(64, description="Width of the vision tower.")
    vision_layers: Positive = Field(2, description="Vision blocks.")
    vision_heads: Positive = Field(2, description="Attention heads of the vision tower.")
    vocab_size: Positive = Field(640, description="Upper bound of the tokenizer's vocabulary.")
    initializer_range: float = Field(
        0.08, gt=0, description="Standard deviation of initial weights."
    )


class ModelSettings(_Part):
    """Which model, and how it is loaded."""

    id: str = Field(description="Hub id or folder; 'tiny' builds a small model locally.")
    revision: str = Field("main", description="Commit, tag or branch on the hub.")
    family: Literal["qwen2_vl", "qwen2_5_vl", "qwen3_vl"] = Field(description="Architecture.")
    dtype: Literal["float32", "bfloat16", "float16"] = Field(description="Weights and activations.")
    attention: Literal["sdpa", "eager", "flash_attention_2"] = Field(
        "sdpa", description="Attention implementation in transformers."
    )
    gradient_checkpointing: bool = Field(False, description="Recompute activations in backward.")
    freeze_vision: bool = Field(False, description="Keep the vision tower's weights.")
    lora: Lora | None = Field(None, description="Train adapters instead of all weights.")
    tiny: Tiny | None = Field(None, description="Sizes, when id is 'tiny'.")


class Frames(_Part):
    """Which frames of a video the model sees; one spec for training, rollout and evaluation."""

    sampling: Literal["uniform", "fps", "first_middle_last"] = Field(description="Rule.")
    num_frames: Positive | None = Field(None, description="Frames, for uniform sampling.")
    fps: float | None = Field(None, gt=0, description="Frames per second, for fps sampling.")
    min_frames: Positive | None = Field(None, description="Least frames, for fps sampling.")
    max_frames: Positive | None = Field(None, description="Most frames, for fps sampling.")
    min_pixels: Positive | None = Field(None, description="Least pixels a frame.")
    max_pixels: Positive | None = Field(None, description="Most pixels a frame.")
    total_pixels: Positive | None = Field(None, description="Most pixels a video.")
    decoder: Literal["pyav", "torchcodec"] = Field("pyav", description="Video decoder.")


class StageSettings(_Part):
    """One training stage. Keys that the stage's kind does not use stay unset."""

    kind: Literal["sft", "grpo", "preference"] = Field(description="Which shared trainer.")
    data: str = Field(description="Dataset id of the catalogue, or 'synthetic'.")
    samples: Positive | None = Field(None, description="Training samples; unset: all.")
    learning_rate: float = Field(gt=0, le=1, description="Peak learning rate of AdamW.")
    scheduler: Literal["constant", "cosine", "linear"] = Field("constant", description="Decay.")
    warmup_ratio: Share = Field(0.0, description="Share of the steps with rising learning rate.")
    weight_decay: float = Field(0.0, ge=0, description="AdamW weight decay.")
    max_grad_norm: float = Field(1.0, gt=0, description="Gradient clipping norm.")
    epochs: float = Field(1.0, gt=0, description="Passes over the data, if max_steps is unset.")
    max_steps: Positive | None = Field(None, description="Optimiser steps.")
    batch_size: Positive = Field(1, description="Per device: samples (SFT) or groups (GRPO).")
    gradient_accumulation: Positive = Field(1, description="Batches an optimiser step.")
    num_generations: int | None = Field(None, ge=2, description="G, answers a prompt.")
    max_completion_length: Positive | None = Field(None, description="Tokens an answer, at most.")
    max_prompt_length: Positive | None = Field(None, description="Tokens a prompt, at most.")
    temperature: float = Field(1.0, gt=0, description="Rollout sampling temperature.")
    top_p: float = Field(1.0, gt=0, le=1, description="Rollout nucleus.")
    top_k: int = Field(0, ge=0, description="Rollout top-k; 0: off.")
    beta: float = Field(0.0, ge=0, description="KL weight (GRPO) or inverse temperature (DPO).")
    epsilon: float = Field(0.2, gt=0, description="Lower (and upper) clip of the ratio.")
    epsilon_high: float | None = Field(None, gt=0, description="Upper clip; unset: epsilon.")
    loss_type: Literal[
        "grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo", "luspo", "vespo", "sigmoid", "ipo"
    ] = Field("grpo", description="TRL's loss normalisation (GRPO) or preference loss (DPO).")
    scale_rewards: Literal["group", "batch", "none"] = Field(
        "group", description="What advantages are divided by."
    )
    num_iterations: Positive = Field(1, description="Updates a generated batch.")
    steps_per_generation: Positive = Field(1, description="Micro-batches a generated batch.")
    importance_sampling_level: Literal["token", "sequence"] = Field(
        "token", description="Level of the likelihood ratio."
    )
    stop_at_accuracy: Share | None = Field(
        None, description="SFT stops once sampled accuracy on validation clips reaches this."
    )
    check_every: Positive | None = Field(None, description="Steps between those checks.")


class Training(_Part):
    """How the engine trains: choices that change time and memory, not the numbers."""

    shared_prefix: bool = Field(
        True, description="Compute a prompt once a group in the loss of GRPO, not once an answer."
    )


class Synthetic(_Part):
    """The procedural video world; see reproductions/shared/synthetic."""

    tasks: tuple[str, ...] = Field(description="Tasks, in equal shares.")
    train: Positive = Field(description="Training clips a stage.")
    validation: Positive = Field(description="Validation clips.")
    test: Positive = Field(description="Held-out clips.")
    teacher_error: Share = Field(
        0.0, description="Share of cold-start rationales that end in a wrong answer."
    )
    skills: bool = Field(
        False,
        description="Half of the cold start teaches what test-time methods ask for: parts of the "
        "video, relevance, captions, checks, tool calls.",
    )
    knobs: dict[str, str | int | float | bool] = Field(
        default_factory=dict, description="Difficulty: noise, sizes, option order and so on."
    )


class Evaluation(_Part):
    """How checkpoints are evaluated."""

    benchmarks: tuple[str, ...] = Field(description="Benchmark ids, or 'synthetic'.")
    samples: Positive | None = Field(None, description="Items a benchmark; unset: all.")
    frames: Frames | None = Field(None, description="Frames at evaluation; unset: as in training.")
    temperature: float = Field(0.0, ge=0, description="0: greedy.")
    top_p: float = Field(1.0, gt=0, le=1, description="Nucleus.")
    max_new_tokens: Positive = Field(1024, description="Tokens an answer, at most.")
    batch_size: Positive = Field(32, description="Questions a batch.")


class Decoding(_Part):
    """What a test-time method spends. Keys that a method does not use stay unset."""

    answers: Positive | None = Field(None, description="Answers sampled a vote.")
    temperature: float | None = Field(None, ge=0, description="Temperature of those answers.")
    top_p: float = Field(1.0, gt=0, le=1, description="Nucleus of those answers.")
    top_k: int = Field(0, ge=0, description="Top-k of those answers; 0: off.")
    rounds: Positive | None = Field(None, description="Rounds, turns or tree iterations, at most.")
    width: Positive | None = Field(None, description="Beam width, or children of a tree node.")
    threshold: float | None = Field(None, description="Confidence or score that ends the search.")
    frames: Positive | None = Field(None, description="Frames of a first or a partial look.")
    max_frames: Positive | None = Field(None, description="Frames of the largest look.")
    segments: Positive | None = Field(None, description="Parts into which a video is cut.")
    examples: Positive | None = Field(None, description="Solved questions shown a round.")
    note_tokens: Positive | None = Field(
        None, description="Tokens of a caption, thought or tool call, at most."
    )
    context_tokens: Positive | None = Field(
        None, description="Tokens of captions given to a text reasoner, at most."
    )
    max_calls: Positive = Field(512, description="Model calls a question, at most.")
    workers: Positive = Field(64, description="Questions in work at a time.")


class Hardware(_Part):
    """What the run needs and how it is spread."""

    device: Literal["cpu", "cuda"] = Field(description="Kind of device.")
    devices: Positive = Field(1, description="Number of devices.")
    memory_gib: float = Field(gt=0, description="Memory a device (GPU memory, or RAM).")
    distributed: Literal["none", "deepspeed_zero2", "deepspeed_zero3", "fsdp2"] = Field(
        "none", description="How weights and optimiser states are spread."
    )
    rollout_engine: Literal["hf", "vllm_colocate", "vllm_server"] = Field(
        "hf", description="What generates the rollouts."
    )
    rollout_devices: int = Field(0, ge=0, description="Devices that only generate.")
    hours: float | None = Field(None, gt=0, description="Wall-clock hours, as reported.")

    @property
    def training_devices(self) -> int:
        """Devices that train, not those that only generate."""
        return max(1, self.devices - self.rollout_devices)


class Preset(_Part):
    """All settings of one run."""

    method: str = Field(description="Method id.")
    variant: Literal["paper", "official_code"] = Field(
        "paper", description="Which source to follow where paper and official code disagree."
    )
    seed: int = Field(0, ge=0, description="Seed of data order, rollouts and new weights.")
    model: ModelSettings
    frames: Frames
    stages: dict[str, StageSettings] = Field(default_factory=dict)
    train: Training = Training()
    evaluate: Evaluation
    decode: Decoding | None = None
    hardware: Hardware
    synthetic: Synthetic | None = None
    sources: dict[str, str] = Field(
        default_factory=dict, description="Dotted key -> where the value was read."
    )

    def questions_a_step(self, stage: str) -> int:
        """Fewest samples that a stage can train on: GRPO takes whole batches alone, others any."""
        settings = self.stages[stage]
        if settings.kind != "grpo":
            return 1
        batches = settings.steps_per_generation * settings.gradient_accumulation
        return settings.batch_size * self.hardware.training_devices * batches


ALLOWED_IN_MINI: tuple[str, ...] = (
    "model.*",
    "frames.*",
    "synthetic.*",
    "evaluate.*",
    "hardware.*",
    # How much is spent; temperatures, thresholds and beam widths stay the paper's.
    "decode.answers",
    "decode.rounds",
    "decode.frames",
    "decode.max_frames",
    "decode.segments",
    "decode.note_tokens",
    "decode.context_tokens",
    "decode.workers",
    "stages.sft.kind",  # a model from random weights needs a cold start that the paper does not
    "stages.*.data",
    "stages.*.samples",
    "stages.*.learning_rate",
    "stages.*.scheduler",
    "stages.*.warmup_ratio",
    "stages.*.epochs",
    "stages.*.max_steps",
    "stages.*.batch_size",
    "stages.*.gradient_accumulation",
    "stages.*.max_completion_length",
    "stages.*.max_prompt_length",
    "stages.*.stop_at_accuracy",
    "stages.*.check_every",
)
"""Keys that mini.yaml may change: sizes, data, and what a small model from scratch needs."""


FIXED = ("method", "extends", "sources")
"""What a preset is and where it was read: no settings of a run, so `--set` does not take them."""


def leaves(mapping: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted key, value) of every leaf of a nested mapping."""
    for key, value in mapping.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `over`; nested mappings are merged, the rest is replaced."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        both = isinstance(value, Mapping) and isinstance(old, Mapping)
        result[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return result


def forbidden_in_mini(mapping: Mapping[str, Any]) -> list[str]:
    """Dotted keys of a mini preset that `ALLOWED_IN_MINI` does not cover."""
    keys = (k for k, _ in leaves(mapping) if k not in ("method", "extends"))
    return [
        k
        for k in keys
        if not k.startswith("sources.") and not any(fnmatchcase(k, p) for p in ALLOWED_IN_MINI)
    ]


def without_source(mapping: Mapping[str, Any]) -> list[str]:
    """Dotted keys of a preset for which `sources` names neither the key nor a parent of it."""
    sources = mapping.get("sources") or {}
    return [
        key
        for key, _ in leaves({k: v for k, v in mapping.items() if k != "sources"})
        if key not in ("method", "extends", "variant", "seed")
        and not any(key == s or key.startswith(f"{s}.") for s in sources)
    ]


def read_mapping(path: Path) -> dict[str, Any]:
    """The preset's mapping with `extends` resolved to the file beside it, not yet validated."""
    mapping = load_mapping(path)
    parent = mapping.pop("extends", None)
    if parent is None:
        return mapping
    if parent != "paper":
        raise CatalogError(
            f"{path}: extends: '{parent}' is not a preset that can be extended. Write 'paper'."
        )
    return merge(read_mapping(path.with_name("paper.yaml")), mapping)


def load_preset(path: Path, overrides: Mapping[str, Any] | None = None) -> Preset:
    """Read, merge, override and validate a preset.

    Args:
        path: paper.yaml or mini.yaml.
        overrides: Dotted key -> value, as given by `--set`.

    Raises:
        CatalogError: One line for each problem: place, fault, remedy.
    """
    return override(read_mapping(path), overrides or {}, _shown(path))


def override(mapping: Mapping[str, Any], overrides: Mapping[str, Any], where: str) -> Preset:
    """A preset's mapping with some keys set, validated.

    Args:
        mapping: The preset, `extends` resolved.
        overrides: Dotted key -> value, as given by `--set`.
        where: The place of the mapping, for messages.

    Raises:
        CatalogError: One line for each problem: place, fault, remedy. The place of what an override
            brought in is the override.
    """
    stages = mapping.get("stages")
    stages = stages if isinstance(stages, Mapping) else {}
    for key, value in overrides.items():
        parts = key.split(".")
        if parts[0] in FIXED:
            raise CatalogError(
                f"--set {key}: says what the preset is, and is no setting of a run. Leave it away; "
                "METHOD and --preset choose the preset."
            )
        if parts[0] == "stages" and len(parts) > 1 and parts[1] not in stages:
            hint = closest(parts[1], stages) or f"There are: {', '.join(stages) or 'none'}."
            raise CatalogError(f"--set {key}: no stage '{parts[1]}'. {hint}")
        nested = value
        for part in reversed(parts):
            nested = {part: nested}
        mapping = merge(mapping, nested)
    try:
        return Preset.model_validate(mapping)
    except ValidationError as error:
        known = _schemas(stages)
        problems = error.errors(include_url=False)
        lines = [_explain(p, where, known, overrides) for p in problems]
        raise CatalogError("\n".join(dict.fromkeys(lines))) from None


def _shown(path: Path) -> str:
    """The path as messages name it: one of ours from the project's root, another one as given."""
    root = Path(__file__).resolve().parents[3]
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _schemas(stages: Iterable[str]) -> dict[str, Any]:
    """Dotted key -> JSON schema of every setting that is no group of settings."""
    schema = Preset.model_json_schema()

    def walk(node: Mapping[str, Any], key: str) -> Iterator[tuple[str, Any]]:
        for each in node.get("anyOf", [node]):
            each = schema["$defs"][each["$ref"].split("/")[-1]] if "$ref" in each else each
            below = each.get("properties", {})
            if key == "stages":
                below = dict.fromkeys(stages, each["additionalProperties"])
            for name, child in below.items():
                yield from walk(child, f"{key}.{name}" if key else name)
            if not below and each.get("type") != "null":
                yield key, node

    return dict(walk(schema, ""))


def _explain(
    problem: ErrorDetails, where: str, known: Mapping[str, Any], overrides: Mapping[str, Any]
) -> str:
    """One problem: place, fault, remedy."""
    kind, loc = problem["type"], [str(part) for part in problem["loc"]]
    key, parent = ".".join(loc), ".".join(loc[:-1])
    if kind == "missing":
        beside = [k for k in overrides if k.startswith(f"{parent}.")]
        place = f"--set {beside[0]}" if beside else where
        return f"{place}: {key}: missing. Add it{', too' if beside else ''}."
    # Pydantic adds the branch of a union to the place.
    own = next((k for k in known if key == k or key.startswith(f"{k}.")), key)
    given = [k for k in overrides if own == k or f"{own}.".startswith(f"{k}.") or k.startswith(own)]
    place = f"--set {max(given[0], own, key=len)}" if given else f"{where}: {own}"
    if kind == "extra_forbidden":
        beside = _names(known, parent)
        hint = closest(loc[-1], beside)
        here = f"There are here: {', '.join(beside)}."
        if hint and parent:
            hint = hint.replace("'", f"'{parent}.", 1)
        if not hint and not parent:
            hint = closest(key, known)
        return f"{place}: not a key of a preset. {hint or here}"
    got = repr(problem["input"])[:60]
    if below := _names(known, own):
        return f"{place}: a group of settings, not {got}. Set those in it: {', '.join(below)}."
    said = problem["msg"].replace("Input should be", "must be")
    said = f"{said}, not {got}" if own == key else f"cannot be {got}"
    return f"{place}: {said}. Give {_range(known[own])}."


def _names(known: Iterable[str], parent: str) -> list[str]:
    """The next part of each key below `parent` ("": of all keys)."""
    start = f"{parent}." if parent else ""
    found = (k.removeprefix(start).split(".")[0] for k in known if k.startswith(start))
    return list(dict.fromkeys(n for n in found if n not in FIXED))


_WORDS = {"integer": "a whole number", "number": "a number", "string": "a word", "null": "null",
          "boolean": "true or false", "array": "a list of words"}  # fmt: skip
_BOUNDS = {"exclusiveMinimum": "above", "minimum": "from", "maximum": "up to"}


def _range(schema: Mapping[str, Any]) -> str:
    """What a setting may be, for people."""
    if "anyOf" in schema:
        return " or ".join(map(_range, schema["anyOf"]))
    if "enum" in schema:
        return "one of them"
    if isinstance(schema.get("additionalProperties"), Mapping):
        return _range(schema["additionalProperties"])
    bounds = [f"{word} {schema[name]:,}" for name, word in _BOUNDS.items() if name in schema]
    return " ".join([_WORDS[schema["type"]], *bounds])
