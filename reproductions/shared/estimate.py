"""What a stage takes: tokens, FLOPs, memory, seconds.

No torch is imported; the numbers follow from the preset, the published sizes of the architectures,
and rules:

- Parameters and tokens: from the config (models/sizes.py), exact.
- FLOPs: a matrix product of n tokens with w weights costs 2 n w; attention costs 4 x width x
  (query, key) pairs a layer; backward costs twice the forward (PaLM, arXiv 2204.02311, App. B).
  Causal attention is counted in full, as there. Recomputing activations adds one forward.
- Memory of weights, gradients and AdamW: 2 + 2 + 12 bytes a parameter in mixed precision, divided
  by the number of devices as the stage of sharding says (ZeRO, arXiv 1910.02054, Sec. 3 and 5).
- Activations: what a layer keeps for backward, counted tensor by tensor; with checkpointing each
  layer keeps its input only (arXiv 2205.05198, Sec. 4). Attention keeps no score matrix unless it
  is "eager" (FlashAttention, arXiv 2205.14135, Sec. 3).
- Seconds of an update, by phase: FLOPs / (peak x `MFU`), for decoding one pass over weights and
  cache for each token, and what communication takes beyond the computation it overlaps with.

How far to trust it: the authors of Video-R1 report about 40 h for SFT and 15 h for 1,000 RL steps
on 4 H20 (issues 41 and 80 of their repository). This plan says 24 h and 10 h. It is lower because
our loss computes a prompt once and not once an answer, both views of a video are decoded side by
side, and reading of videos and idle time are not counted. Take hours as right within a factor of
three: a test holds them to these reports. On a CPU the peak memory of an update, and the ratio of
the times of two updates, are held to measurements within a quarter. On a GPU nothing was measured.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reproductions.shared.devices import CPU_FLOPS, CPU_STEP_SECONDS, DEVICES, GIB, NETWORK, NODE
from reproductions.shared.method import Context, Method, Rollouts, Sample
from reproductions.shared.models.sizes import Architecture, Clip, clip_of, text_flops, vision_flops
from vidpost.catalog.loader import CatalogError, find_root, load_mapping
from vidpost.catalog.preset import Preset, StageSettings

# Assumptions. Each is printed with the plan.
MFU = 0.35  # share of the peak that forward and backward reach
BANDWIDTH_SHARE = 0.6  # share of the memory bandwidth reached while decoding
STEP_SECONDS = {"hf": 0.035, "vllm_colocate": 0.012, "vllm_server": 0.012}  # least time of a token
TEXT_TOKENS = 160  # question, options, instruction and chat template
TINY_TEXT_TOKENS = 60  # the same with a tokenizer trained on the task
ANSWER_TOKENS = 400  # mean answer, if the limit allows; Video-R1 rewards 320 to 512
TIMESTAMP_TOKENS = 8  # Qwen3-VL writes the time before each temporal patch
COLOCATED = 0.3  # share of a device's memory that vLLM takes beside the trainer (stage.py)
LIVE = 10**9  # parameters of others that DeepSpeed holds (stage3_max_live_parameters)
LINK_SHARE = 0.6  # share of a link's bandwidth that collectives reach
RESERVE = (1.0, 0.1)  # GiB of the CUDA context, and share lost to fragmentation
ROWS = 256  # answers that are sampled side by side, at most (inference/hf.py)


# --- a stage ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StagePlan:
    """One stage, or the evaluation.

    Attributes:
        name: Key in the preset, or the benchmark's id.
        kind: sft, grpo, preference or evaluate.
        samples: Samples to go through; None: not known.
        updates: Optimiser steps (batches, in evaluation); None: not known.
        samples_an_update: Samples, groups or pairs an optimiser step, over all devices.
        clip: The largest clip.
        prompt_tokens: Tokens of the longest prompt.
        answer_tokens: Tokens of a mean answer.
        answers: Answers that are sampled for a prompt.
        tokens_an_update: Tokens that go through the language model's training forward.
        flops: FLOPs of an update over all devices, by part.
        memory: GiB a device at the peak, by part; "peak" is the sum of what is there together.
        phases: Kind of device -> phase -> seconds an update.
        seconds: Kind of device -> seconds an update, all phases.
        hours: Kind of device -> hours of the stage; empty if `updates` is not known.
    """

    name: str
    kind: str
    samples: int | None
    updates: int | None
    samples_an_update: int
    clip: Clip
    prompt_tokens: int
    answer_tokens: int
    answers: int
    tokens_an_update: int
    flops: dict[str, float]
    memory: dict[str, float]
    phases: dict[str, dict[str, float]]
    seconds: dict[str, float]
    hours: dict[str, float]


def train_plan(
    preset: Preset, arch: Architecture, name: str, stage: StageSettings, method: Method | None
) -> StagePlan:
    """The plan of one training stage."""
    hardware, model = preset.hardware, preset.model
    devices = hardware.training_devices
    clip = clip_of(preset.frames, arch.vision)
    prompt = _prompt(preset, clip)
    limit = stage.max_completion_length or ANSWER_TOKENS
    answer = min(ANSWER_TOKENS, limit)
    parts = _groups(stage, method)
    views = [p for p in parts if p.trained] if stage.kind == "grpo" else [Rollouts(1)]
    rows = 2 if stage.kind == "preference" else 1

    shared = stage.kind == "grpo" and preset.train.shared_prefix
    answers = [p.n + len(p.given) for p in views] if stage.kind == "grpo" else [rows]

    def shape(length: int) -> tuple[float, float, float]:
        """(tokens, pairs, scored tokens) of the training forward on one sample."""
        if shared:  # a prompt once, then its answers, which see it and themselves
            each = length + 1  # with a copy of the prompt's last token
            tokens = sum(prompt + n * each for n in answers)
            pairs = sum(prompt**2 + n * each * (prompt + each) for n in answers)
        else:
            tokens = sum(answers) * (prompt + length)
            pairs = sum(answers) * (prompt + length) ** 2
        # TRL's head leaves out the prompt where it has its Triton kernels.
        return tokens, pairs, tokens if hardware.device == "cpu" else sum(answers) * length

    tokens, pairs, scored = shape(answer)
    embedding, tower = vision_flops(arch.vision, clip)
    seen = len(views)  # trained views; each is one pass of the tower
    language = text_flops(arch.text, tokens, pairs, scored)
    head = text_flops(arch.text, 0, 0, scored)
    again = 1 if model.gradient_checkpointing else 0
    sweep = 1 if model.lora else 2  # adapters: gradients of inputs, hardly any of weights
    flops = {
        "vision forward": seen * (embedding + tower),
        "language forward": language,
        "language backward": sweep * language + head + again * (language - head),
        "vision backward": 0.0,
    }
    if not model.freeze_vision:
        own = embedding if not model.lora else 0  # pixels need no gradient
        flops["vision backward"] = seen * (own + (sweep + again) * tower)
    if stage.kind == "preference" or (stage.kind == "grpo" and stage.beta > 0):
        flops["reference"] = seen * (embedding + tower) + language
    sampled = sum(p.n for p in parts) if stage.kind == "grpo" else 0
    if sampled:
        flops["rollout prefill"] = len(parts) * (
            embedding + tower + text_flops(arch.text, prompt, prompt**2, 1)
        )
        seen_keys = answer * prompt + answer**2 / 2
        flops["rollout decode"] = sampled * text_flops(arch.text, answer, seen_keys, answer)
        # Rollouts are used for `num_iterations` updates.
        for part in ("rollout prefill", "rollout decode"):
            flops[part] /= stage.num_iterations
    per_device = stage.batch_size * stage.gradient_accumulation
    flops = {k: v * per_device * devices for k, v in flops.items()}
    samples = stage.samples or _samples(preset, stage.data)
    if preset.synthetic is not None:
        samples = min(preset.synthetic.train, samples or preset.synthetic.train)
    updates = stage.max_steps
    if updates is None and samples is not None:
        passes = math.ceil(samples * stage.epochs / (per_device * devices))
        updates = passes * stage.num_iterations
    # stage.py generates the groups of `steps_per_generation` optimiser steps at once.
    side_by_side = sampled * per_device * stage.steps_per_generation
    calls = math.ceil(side_by_side / ROWS) / stage.steps_per_generation / stage.num_iterations
    side_by_side = min(side_by_side, ROWS)
    prompts = side_by_side / sampled * len(parts) if sampled else 0  # their keys are kept once
    # A server's devices share what the training devices would have sampled.
    engines = hardware.rollout_devices or devices
    phases = _phases(
        preset,
        arch,
        {k: v / (engines if k.startswith("rollout") else devices) for k, v in flops.items()},
        calls * limit if sampled else 0,
        (prompts * prompt + side_by_side * answer) * devices / engines,
        _traffic(preset, arch, stage, devices, "reference" in flops, bool(sampled)),
        devices,
    )
    seconds = {k: sum(v.values()) for k, v in phases.items()}
    memory = _memory(
        preset, arch, stage, devices, clip, shape(limit), seen,
        prompts * prompt + side_by_side * limit,
    )  # fmt: skip
    return StagePlan(
        name, stage.kind, samples, updates, per_device * devices, clip, prompt, answer, sampled,
        int(tokens * per_device * devices), flops, memory, phases, seconds,
        {k: v * updates / 3600 for k, v in seconds.items()} if updates is not None else {},
    )  # fmt: skip


def evaluate_plan(preset: Preset, arch: Architecture, name: str) -> StagePlan:
    """The plan of evaluating one benchmark."""
    settings = preset.evaluate
    clip = clip_of(settings.frames or preset.frames, arch.vision)
    prompt = _prompt(preset, clip)
    answer = min(ANSWER_TOKENS, settings.max_new_tokens)
    embedding, tower = vision_flops(arch.vision, clip)
    batch = settings.batch_size
    keys = answer * prompt + answer**2 / 2
    flops = {
        "rollout prefill": batch
        * (embedding + tower + text_flops(arch.text, prompt, prompt**2, 1)),
        "rollout decode": batch * text_flops(arch.text, answer, keys, answer),
    }
    phases = _phases(
        preset, arch, flops, settings.max_new_tokens, batch * (prompt + answer), 0.0, 1
    )
    seconds = {k: sum(v.values()) for k, v in phases.items()}
    samples = settings.samples or _samples(preset, name, "benchmarks")
    if name == "synthetic" and preset.synthetic is not None:
        samples = settings.samples or preset.synthetic.test
    updates = math.ceil(samples / batch) if samples is not None else None
    width = 4 if preset.model.dtype == "float32" else 2
    cache = batch * (prompt + settings.max_new_tokens) * arch.text.cache_width * width / GIB
    weights = arch.parameters * width / GIB
    memory = _with_peak({"weights": weights, "rollout cache": cache}, preset)
    hours = {}
    if updates is not None:  # the devices that train share the questions
        rounds = math.ceil(updates / preset.hardware.training_devices)
        hours = {k: v * rounds / 3600 for k, v in seconds.items()}
    return StagePlan(
        name, "evaluate", samples, updates, batch, clip, prompt, answer, 1, 0, flops, memory,
        phases, seconds, hours,
    )  # fmt: skip


def _groups(stage: StageSettings, method: Method | None) -> list[Rollouts]:
    """The parts of a group, as the method builds it for a question on a video."""
    answers = stage.num_generations or 8
    if stage.kind != "grpo" or method is None or method.build_group is None:
        return [Rollouts(answers)]
    sample = Sample(id="plan", question="", answer="", video="plan.mp4")
    return method.build_group(sample, Context(num_generations=answers, rng=random.Random(0)))


def _prompt(preset: Preset, clip: Clip) -> int:
    text = TEXT_TOKENS if preset.model.tiny is None else TINY_TEXT_TOKENS
    stamps = TIMESTAMP_TOKENS * clip.steps if preset.model.family == "qwen3_vl" else 0
    return clip.tokens + text + stamps


def _samples(preset: Preset, name: str, kind: str = "datasets") -> int | None:
    if name == "synthetic":
        return preset.synthetic.train if preset.synthetic is not None else None
    for size in _entry(kind, name).get("sizes", ()):
        if size.get("of") in ("samples", "pairs", "questions") and size.get("count"):
            return int(size["count"])
    return None


def _entry(kind: str, name: str) -> Mapping[str, Any]:
    """The catalogue's entry of a data set or benchmark, {} if there is none."""
    try:
        path = find_root() / "catalog" / kind / f"{name}.yaml"
        return load_mapping(path) if path.is_file() else {}
    except CatalogError:
        return {}


# --- seconds ------------------------------------------------------------------------------------


def _phases(
    preset: Preset,
    arch: Architecture,
    flops: Mapping[str, float],
    steps: float,
    cached: float,
    traffic: float,
    devices: int,
) -> dict[str, dict[str, float]]:
    """Seconds of an update by phase, on each kind of device.

    Args:
        preset: The preset.
        arch: The model.
        flops: FLOPs a device, by part.
        steps: Tokens decoded one after the other; the longest answer decides.
        cached: Tokens in the cache, read at each step.
        traffic: Bytes that a device sends.
        devices: Devices that train.
    """
    groups: dict[str, tuple[str, ...]] = {
        "rollout prefill": ("rollout prefill",),
        "reference": ("reference",),
        "update": ("vision forward", "vision backward", "language forward", "language backward"),
    }
    work = {phase: sum(flops.get(k, 0.0) for k in parts) for phase, parts in groups.items()}
    decoding = flops.get("rollout decode", 0.0)
    if preset.hardware.device == "cpu":
        seconds = {k: v / CPU_FLOPS for k, v in work.items()}
        seconds["rollout decode"] = decoding / CPU_FLOPS + steps * CPU_STEP_SECONDS
        return {"CPU": {k: v for k, v in seconds.items() if v}}
    width = 4 if preset.model.dtype == "float32" else 2
    read = width * (arch.text.parameters + cached * arch.text.cache_width)
    least = STEP_SECONDS[preset.hardware.rollout_engine]
    found = {}
    for name, device in DEVICES.items():
        seconds = {k: v / (device.teraflops * 1e12 * MFU) for k, v in work.items()}
        pace = read / (device.terabytes_a_second * 1e12 * BANDWIDTH_SHARE)
        seconds["rollout decode"] = steps * max(least, pace)
        link = device.link if devices <= NODE else NETWORK
        sending = traffic / (link * 1e9 * LINK_SHARE)
        # It overlaps with computing, layer by layer.
        seconds["communication"] = max(0.0, sending - seconds["update"] - seconds["reference"])
        found[name] = {k: v for k, v in seconds.items() if v}
    return found


def _traffic(
    preset: Preset,
    arch: Architecture,
    stage: StageSettings,
    devices: int,
    reference: bool,
    sampled: bool,
) -> float:
    """Bytes that a device sends in an update (ZeRO, arXiv 1910.02054, Sec. 7)."""
    width = 4 if preset.model.dtype == "float32" else 2
    weights, gradients = arch.parameters * width, trained_parameters(preset, arch) * width
    if preset.hardware.distributed in ("deepspeed_zero3", "fsdp2"):
        # Weights are gathered for forward and for backward, gradients are scattered.
        a_batch = 2 * weights + gradients + (weights if reference else 0)
        total = a_batch * stage.gradient_accumulation + (weights if sampled else 0)
    else:
        total = 2 * gradients
    return total * (devices - 1) / devices


def trained_parameters(preset: Preset, arch: Architecture) -> int:
    """Number of trained parameters."""
    text, lora = arch.text, preset.model.lora
    if lora is None:
        return text.parameters if preset.model.freeze_vision else arch.parameters
    queries, keys = text.heads * text.head_dim, text.kv_heads * text.head_dim
    # Sum of input and output widths of a layer's linear modules; a rank-r update has r of each.
    widths = 2 * (text.hidden + queries) + 2 * (text.hidden + keys)
    widths = text.layers * (widths + 3 * (text.hidden + text.intermediate))
    if lora.target_modules == "all-linear" and not preset.model.freeze_vision:
        vision = arch.vision
        block = 6 * vision.hidden + (3 if vision.gated else 2) * (
            vision.hidden + vision.intermediate
        )
        wide = vision.merge**2 * vision.hidden
        widths += vision.depth * block + (1 + vision.deepstack) * (3 * wide + vision.out)
    return lora.rank * widths


# --- memory -------------------------------------------------------------------------------------


def _memory(
    preset: Preset,
    arch: Architecture,
    stage: StageSettings,
    devices: int,
    clip: Clip,
    shape: tuple[float, float, float],
    clips: int,
    cached: float,
) -> dict[str, float]:
    """GiB a device by part.

    Args:
        preset: The preset.
        arch: The model.
        stage: The stage.
        devices: Devices that train.
        clip: The largest clip.
        shape: Tokens of the language model's training forward on a sample with the longest
            answers, its (query, key) pairs, and how many tokens the head scores.
        clips: Passes of the vision tower for a sample.
        cached: Tokens in the rollout cache.
    """
    model, spread = preset.model, preset.hardware.distributed
    tokens, pairs, scored = (n * stage.batch_size for n in shape)
    clips *= stage.batch_size
    width = 4 if model.dtype == "float32" else 2
    whole = spread in ("deepspeed_zero3", "fsdp2")
    trained = trained_parameters(preset, arch)
    frozen = arch.parameters if model.lora else arch.parameters - trained
    # Without sharding all weights are in 32 bits (training/stage.py). DeepSpeed and FSDP keep them
    # so beside the 16-bit ones. AdamW has two moments.
    stored = 4 if spread == "none" else width
    weights = (frozen + trained) * stored
    states = 8 if stored == 4 else 12
    shard = devices if whole else 1
    partly = devices if spread != "none" else 1
    parts = {
        "weights": weights / shard,
        "gradients": trained * stored / partly,
        "optimiser": trained * states / partly,
        **_activations(preset, arch, clip, tokens, pairs, clips, width),
        "head": _head(preset, arch, scored, width),
    }
    if whole:  # what DeepSpeed holds of the weights of others at a time, at most
        parts["gathered layers"] = min(LIVE, arch.parameters) * width
    if model.lora is None and (
        stage.kind == "preference" or (stage.kind == "grpo" and stage.beta > 0)
    ):
        parts["reference"] = arch.parameters * width / shard
    if stage.kind == "grpo":
        engine = preset.hardware.rollout_engine
        if engine == "hf":
            # Keys and values of a prompt are kept once a group (models/attention.py).
            parts["rollout cache"] = cached * arch.text.cache_width * width
            if whole:  # under ZeRO-3 and FSDP the model is gathered to generate
                parts["rollout weights"] = weights
        elif engine == "vllm_colocate":  # its weights and its cache
            parts["vllm"] = COLOCATED * preset.hardware.memory_gib * GIB
    return _with_peak({k: v / GIB for k, v in parts.items()}, preset)


def _with_peak(parts: dict[str, float], preset: Preset) -> dict[str, float]:
    """The parts and their peak: rollout and update are not in memory at the same time."""
    rollout = sum(v for k, v in parts.items() if k.startswith("rollout"))
    kept = sum(parts.get(k, 0.0) for k in ("activations", "vision activations"))
    # The head comes first in backward; then layer after layer is computed again.
    working = [parts.get("head", 0.0), parts.get("recomputed layer", 0.0)]
    update = kept + sum(working)
    peak = sum(parts.values()) - rollout - update + max(rollout, kept + max(working))
    if preset.hardware.device == "cuda":
        peak = peak * (1 + RESERVE[1]) + RESERVE[0]
    return {**parts, "peak": peak}


def _activations(
    preset: Preset,
    arch: Architecture,
    clip: Clip,
    tokens: float,
    pairs: float,
    clips: int,
    width: int,
) -> dict[str, float]:
    """Bytes that are kept for backward, of both parts (see the module's docstring)."""
    text, vision, model = arch.text, arch.vision, preset.model
    queries, keys = text.heads * text.head_dim, text.kv_heads * text.head_dim
    # Two norms with input, normed and scaled (6 h); queries before and after rotation, attention's
    # output and its transposed copy; keys and values; four tensors of the gated MLP.
    inner = 4 * queries + 3 * keys + (queries + keys if text.qwen3 else 0)
    a_layer = tokens * (6 * text.hidden + inner + 4 * text.intermediate) * width
    if model.attention == "eager":
        a_layer += 2 * text.heads * pairs * width
    patches = clips * clip.steps * clip.patches * width
    a_block = patches * (13 * vision.hidden + (4 if vision.gated else 2) * vision.intermediate)
    pixels = patches * vision.patch_numbers
    trained = 0 if model.freeze_vision else vision.depth
    if not model.gradient_checkpointing:
        seen = trained * a_block
        return {"activations": text.layers * a_layer, "vision activations": seen + pixels}
    return {
        "activations": text.layers * tokens * text.hidden * width,
        "vision activations": trained * patches * vision.hidden + pixels,
        "recomputed layer": max(a_layer, a_block if trained else 0.0),
    }


def _head(preset: Preset, arch: Architecture, scored: float, width: int) -> float:
    """Bytes that TRL's fused head works in: a tile of logits, and gradients in 32 bits."""
    text = arch.text
    tile = min(scored, 4096) * 32768 * width
    weight = 0 if preset.model.lora else text.vocab * text.hidden
    return tile + 4 * (weight + scored * text.hidden)
