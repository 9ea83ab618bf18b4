"""What a run needs before it is started: tokens, FLOPs, memory, hours, disk, and whether it fits.

`vidpost run <id> --preset paper --dry-run` prints this. Nothing is downloaded and no torch is
imported; the numbers follow from the preset, the published sizes of the architectures, and rules:

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
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from reproductions.shared.hub import EVALUATION, EVALUATION_REPOSITORY, OWN, SOURCES, missing
from reproductions.shared.method import Context, Method, Rollouts, Sample
from reproductions.shared.models.sizes import (
    Architecture,
    Clip,
    PlanError,
    architecture_of,
    clip_of,
    text_flops,
    vision_flops,
)
from vidpost.catalog.loader import CatalogError, find_root, load_mapping
from vidpost.catalog.preset import Preset, StageSettings

__all__ = [
    "Machine",
    "Plan",
    "PlanError",
    "check_machine",
    "make_plan",
    "render",
    "this_machine",
    "train_plan",
]

GIB = 1024**3

# Assumptions. Each is printed with the plan.
MFU = 0.35  # share of the peak that forward and backward reach
BANDWIDTH_SHARE = 0.6  # share of the memory bandwidth reached while decoding
STEP_SECONDS = {"hf": 0.035, "vllm_colocate": 0.012, "vllm_server": 0.012}  # least time of a token
TEXT_TOKENS = 160  # question, options, instruction and chat template
TINY_TEXT_TOKENS = 60  # the same with a tokenizer trained on the task
ANSWER_TOKENS = 400  # mean answer, if the limit allows; Video-R1 rewards 320 to 512
TIMESTAMP_TOKENS = 8  # Qwen3-VL writes the time before each temporal patch
COLOCATED = 0.3  # share of a device's memory that vLLM takes beside the trainer (stage.py)
NODE = 8  # devices a machine; links between machines are slower
NETWORK = 50.0  # GB a second and device between machines (400 Gbit/s a device)
LIVE = 10**9  # parameters of others that DeepSpeed holds (stage3_max_live_parameters)
LINK_SHARE = 0.6  # share of a link's bandwidth that collectives reach
RESERVE = (1.0, 0.1)  # GiB of the CUDA context, and share lost to fragmentation
ROWS = 256  # answers that are sampled side by side, at most (inference/hf.py)
KEPT_CHECKPOINTS = 2  # the last whole one and the one being written


# --- devices ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Device:
    """A kind of accelerator: published peak of dense bfloat16, memory, bandwidth, link."""

    teraflops: float
    memory_gib: float
    terabytes_a_second: float
    link: float  # GB a second to its neighbours, one direction


DEVICES: dict[str, Device] = {
    "H20": Device(148, 95.6, 4.0, 450),
    "A100-80G": Device(312, 80, 2.04, 300),
    "H100": Device(989, 79.6, 3.35, 450),
    "H200": Device(989, 140.4, 4.8, 450),
}
"""SXM versions, from NVIDIA's data sheets; memory as nvidia-smi reports it."""

CPU_FLOPS, CPU_STEP_SECONDS = 2.5e10, 0.014
"""One thread on the small model, measured (0.5 M parameters: 0.2 s for 32 rows, 14 ms a token)."""


@dataclass(frozen=True)
class Machine:
    """What is here.

    Attributes:
        gpus: (name, memory in GiB) of each GPU.
        ram_gib: Main memory.
        free_disk_gib: Free space where the run would be written.
    """

    gpus: tuple[tuple[str, float], ...]
    ram_gib: float
    free_disk_gib: float


def this_machine(folder: Path | None = None) -> Machine:
    """Look at this machine; asks nvidia-smi, and torch only if somebody has imported it."""
    ram = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    return Machine(_gpus(), ram, shutil.disk_usage(folder or Path.cwd()).free / GIB)


def _gpus() -> tuple[tuple[str, float], ...]:
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
        rows = [line.rsplit(",", 1) for line in answer.stdout.splitlines() if "," in line]
        return tuple((name.strip(), float(mib) / 1024) for name, mib in rows)
    except (OSError, subprocess.SubprocessError, ValueError):
        torch = sys.modules.get("torch")
        if torch is None or not torch.cuda.is_available():
            return ()
        found = (torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count()))
        return tuple((p.name, p.total_memory / GIB) for p in found)


# --- the plan -----------------------------------------------------------------------------------


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


@dataclass(frozen=True)
class Download:
    """Something that would be fetched.

    Attributes:
        what: model, dataset or benchmark.
        id: Hub id.
        gib: Size; None: not known.
        source: Where the size is from.
    """

    what: str
    id: str
    gib: float | None
    source: str


@dataclass(frozen=True)
class Plan:
    """What a run needs.

    Attributes:
        method: Method id.
        model: Hub id.
        parameters: By part: language, vision, all.
        stages: Training stages in order, then the evaluation of each benchmark.
        downloads: What would be fetched.
        disk: GiB by part.
        reported_hours: What the authors report; None: nothing.
        like: Kind of device that is nearest to the preset's hardware.
        faults: Why this machine cannot do it; empty if it can.
        notes: What will be asked of the data, for example no longer prompts than a limit.
        verdict: The same as one message with the remedy.
        assumptions: What the numbers rest on.
    """

    method: str
    model: str
    parameters: dict[str, int]
    stages: tuple[StagePlan, ...]
    downloads: tuple[Download, ...]
    disk: dict[str, float]
    reported_hours: float | None
    like: str
    faults: tuple[str, ...]
    notes: tuple[str, ...]
    verdict: str
    assumptions: tuple[str, ...] = field(default=())

    def hours(self, device: str) -> float:
        """Hours of all training stages whose length is known."""
        return sum(s.hours.get(device, 0.0) for s in self.stages if s.kind != "evaluate")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def make_plan(preset: Preset, method: Method | None = None, machine: Machine | None = None) -> Plan:
    """Work out what a preset needs.

    Args:
        preset: The preset.
        method: The method over its baseline, for the make-up of its groups; None: G answers to one
            view of the video.
        machine: Where it would run; None: this machine.

    Raises:
        PlanError: The model's sizes are not known.
    """
    arch = architecture_of(preset.model)
    stages = [train_plan(preset, arch, name, s, method) for name, s in preset.stages.items()]
    stages += [_evaluate(preset, arch, name) for name in preset.evaluate.benchmarks]
    downloads = _downloads(preset, arch)
    disk = _disk(preset, arch, downloads)
    faults = _faults(preset, stages, disk, arch, machine or this_machine())
    wanted = preset.hardware.memory_gib
    like = min(DEVICES, key=lambda k: abs(DEVICES[k].memory_gib - wanted))
    return Plan(
        method=preset.method,
        model=preset.model.id,
        parameters={
            "language": arch.text.parameters,
            "vision": arch.vision.parameters,
            "all": arch.parameters,
        },
        stages=tuple(stages),
        downloads=downloads,
        disk=disk,
        reported_hours=preset.hardware.hours,
        like=like if preset.hardware.device == "cuda" else "CPU",
        faults=tuple(faults),
        notes=tuple(_notes(preset, stages)),
        verdict=_verdict(preset, faults),
        assumptions=_assumptions(preset),
    )


def check_machine(preset: Preset, machine: Machine | None = None) -> list[str]:
    """Why this machine cannot do the run, a sentence each; [] if it can. The hub is not asked.

    Raises:
        PlanError: The model's sizes are not known.
    """
    return list(make_plan(preset, machine=machine).faults)


def _groups(stage: StageSettings, method: Method | None) -> list[Rollouts]:
    """The parts of a group, as the method builds it for a question on a video."""
    answers = stage.num_generations or 8
    if stage.kind != "grpo" or method is None or method.build_group is None:
        return [Rollouts(answers)]
    sample = Sample(id="plan", question="", answer="", video="plan.mp4")
    return method.build_group(sample, Context(num_generations=answers, rng=random.Random(0)))


def _prompt(preset: Preset, arch: Architecture, clip: Clip) -> int:
    text = TEXT_TOKENS if preset.model.tiny is None else TINY_TEXT_TOKENS
    stamps = TIMESTAMP_TOKENS * clip.steps if preset.model.family == "qwen3_vl" else 0
    return clip.tokens + text + stamps


def train_plan(
    preset: Preset, arch: Architecture, name: str, stage: StageSettings, method: Method | None
) -> StagePlan:
    """The plan of one training stage."""
    hardware, model = preset.hardware, preset.model
    devices = max(1, hardware.devices - hardware.rollout_devices)
    clip = clip_of(preset.frames, arch.vision)
    prompt = _prompt(preset, arch, clip)
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


def _evaluate(preset: Preset, arch: Architecture, name: str) -> StagePlan:
    """The plan of evaluating one benchmark."""
    settings = preset.evaluate
    clip = clip_of(settings.frames or preset.frames, arch.vision)
    prompt = _prompt(preset, arch, clip)
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
        hardware = preset.hardware
        rounds = math.ceil(updates / max(1, hardware.devices - hardware.rollout_devices))
        hours = {k: v * rounds / 3600 for k, v in seconds.items()}
    return StagePlan(
        name, "evaluate", samples, updates, batch, clip, prompt, answer, 1, 0, flops, memory,
        phases, seconds, hours,
    )  # fmt: skip


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
    weights, gradients = arch.parameters * width, _trained(preset, arch) * width
    if preset.hardware.distributed in ("deepspeed_zero3", "fsdp2"):
        # Weights are gathered for forward and for backward, gradients are scattered.
        a_batch = 2 * weights + gradients + (weights if reference else 0)
        total = a_batch * stage.gradient_accumulation + (weights if sampled else 0)
    else:
        total = 2 * gradients
    return total * (devices - 1) / devices


def _trained(preset: Preset, arch: Architecture) -> int:
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
    trained = _trained(preset, arch)
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


# --- data, disk, machine ------------------------------------------------------------------------

KNOWN_SIZES = {
    "Video-R1/Video-R1-data": (310e9 / GIB, "tulerfeng/Video-R1 issue 8 (about 310 GB, packed)"),
}
"""Hub id -> (GiB, source)."""


def _entry(kind: str, name: str) -> Mapping[str, Any]:
    """The catalogue's entry of a data set or benchmark, {} if there is none."""
    try:
        path = find_root() / "catalog" / kind / f"{name}.yaml"
        return load_mapping(path) if path.is_file() else {}
    except CatalogError:
        return {}


def _samples(preset: Preset, name: str, kind: str = "datasets") -> int | None:
    if name == "synthetic":
        return preset.synthetic.train if preset.synthetic is not None else None
    for size in _entry(kind, name).get("sizes", ()):
        if size.get("of") in ("samples", "pairs", "questions") and size.get("count"):
            return int(size["count"])
    return None


def _downloads(preset: Preset, arch: Architecture) -> tuple[Download, ...]:
    """The model, the training sets and the benchmarks; nothing for what is made locally."""
    found: dict[str, Download] = {}
    if preset.model.tiny is None:
        size = arch.parameters * 2 / GIB
        found[preset.model.id] = Download(
            "model", preset.model.id, size, f"{arch.parameters:,} parameters of 2 bytes"
        )
    wanted = [("dataset", SOURCES.get(s.data, ("", ""))[0]) for s in preset.stages.values()]
    asked = [b for b in preset.evaluate.benchmarks if b in EVALUATION]
    wanted += [("benchmark", EVALUATION_REPOSITORY)] if asked else []
    for what, hub in wanted:
        if hub and preset.synthetic is None:
            size_gib, source = KNOWN_SIZES.get(hub, (None, "size not known"))
            found.setdefault(hub, Download(what, hub, size_gib, source))
    return tuple(found.values())


def _disk(preset: Preset, arch: Architecture, downloads: tuple[Download, ...]) -> dict[str, float]:
    """GiB by part; unknown sizes are left out."""
    width = 4 if preset.model.dtype == "float32" else 2
    trained = _trained(preset, arch)
    resumable = trained * (width + (8 if width == 4 else 12)) / GIB
    data = sum(d.gib or 0.0 for d in downloads if d.what != "model")
    return {
        "model": sum(d.gib or 0.0 for d in downloads if d.what == "model"),
        "data": data,
        "data unpacked": data,
        "checkpoints to resume from": KEPT_CHECKPOINTS * resumable if preset.stages else 0.0,
        "weights of each stage": len(preset.stages) * trained * width / GIB,
    }


def _faults(
    preset: Preset,
    stages: list[StagePlan],
    disk: dict[str, float],
    arch: Architecture,
    machine: Machine,
) -> list[str]:
    """Why the machine cannot do it, most important first."""
    faults = list(_unread(preset))
    hardware = preset.hardware
    peak = max((s.memory["peak"] for s in stages), default=0.0)
    width = 4 if preset.model.dtype == "float32" else 2
    weights = arch.parameters * width / GIB
    if hardware.device == "cuda":
        enough = [g for g in machine.gpus if g[1] >= peak]
        needs = f"{hardware.devices} with {hardware.memory_gib:g} GiB"
        if not machine.gpus:
            faults.append(f"It has no NVIDIA GPU; the preset asks for {needs} each.")
        elif len(machine.gpus) < hardware.devices:
            n = len(machine.gpus)
            more = math.ceil(hardware.devices / n)
            faults.append(
                f"It has {n} of the {hardware.devices} GPUs. With hardware.devices={n} and "
                f"stages.*.gradient_accumulation times {more} the batch stays the same."
            )
        elif len(enough) < hardware.devices:
            name, memory = min(machine.gpus, key=lambda g: g[1])
            faults.append(f"A device needs about {peak:.0f} GiB and {name} has {memory:.0f} GiB.")
        ram = (weights + 4) * hardware.devices  # each process loads the model, then it is spread
    else:
        ram = peak
    if machine.ram_gib < ram:
        faults.append(f"It has {machine.ram_gib:.0f} GiB of RAM; about {ram:.0f} GiB are needed.")
    total = sum(disk.values())
    if machine.free_disk_gib < total:
        faults.append(
            f"It has {machine.free_disk_gib:.0f} GiB of free disk; {total:.0f} GiB are needed."
        )
    return faults


def _unread(preset: Preset) -> Iterator[str]:
    """Data that nothing here reads or downloads; with synthetic clips there are none."""
    if preset.synthetic is not None:
        return
    asked = [(f"stages.{n}.data", s.data) for n, s in preset.stages.items()]
    if unread := [f"{name} ({key})" for key, name in asked if name not in (OWN, *SOURCES)]:
        yield f"Nothing here reads {', '.join(unread)}: give your own records (--data FILE)."
    evaluate = preset.evaluate.benchmarks
    if unread := [name for name in evaluate if name not in (OWN, *EVALUATION)]:
        yield (
            f"A run cannot ask {', '.join(unread)} (evaluate.benchmarks): give it "
            f"{', '.join(EVALUATION)}, and ask the others afterwards (vidpost eval)."
        )
    for name in dict.fromkeys(s.data for s in preset.stages.values() if s.data in SOURCES):
        if why := missing(name):
            yield f"{why[0].upper()}{why[1:]}"


def _notes(preset: Preset, stages: Sequence[StagePlan]) -> Iterator[str]:
    """Prompts that may be longer than the stage allows: the first of them would end the run."""
    for stage in stages:
        settings = preset.stages.get(stage.name)
        limit = settings.max_prompt_length if settings is not None else None
        if limit is not None and stage.prompt_tokens > limit:
            yield (
                f"stages.{stage.name}.max_prompt_length: a prompt may have {stage.prompt_tokens:,} "
                f"tokens ({stage.clip.tokens:,} of them video), and {limit:,} are allowed; a "
                "longer one ends the run. Lower frames.max_frames or frames.max_pixels, or raise "
                "the limit."
            )


def _verdict(preset: Preset, faults: list[str]) -> str:
    if not faults:
        return "This machine can do it, by the estimates below. What is not known is not counted."
    remedy = (
        f"Run `vidpost run {preset.method} --preset mini` here, or start this preset elsewhere "
        "with a template from launch/."
        if preset.hardware.device == "cuda"
        else "Free memory or disk, or lower stages.*.batch_size with --set."
    )
    return f"This machine cannot do it. {' '.join(faults)} {remedy}"


def _assumptions(preset: Preset) -> tuple[str, ...]:
    if preset.hardware.device == "cpu":
        return (
            f"One thread computes {CPU_FLOPS / 1e9:.0f} GFLOP a second and takes at least "
            f"{CPU_STEP_SECONDS * 1000:.0f} ms a decoded token; the longest answer runs to the "
            "limit. Stages that stop early are shorter.",
            "Not counted: making clips, decoding videos, writing checkpoints and the report.",
        )
    engine = preset.hardware.rollout_engine
    return (
        f"Forward and backward reach {MFU:.0%} of the peak in bfloat16.",
        f"Decoding reads weights and cache at {BANDWIDTH_SHARE:.0%} of the bandwidth and takes at "
        f"least {STEP_SECONDS[engine] * 1000:.0f} ms a token ({engine}); the longest answer runs "
        "to the limit.",
        f"Every clip has the most frames and pixels that the preset allows, a prompt {TEXT_TOKENS} "
        f"tokens of text, an answer {ANSWER_TOKENS} tokens or the limit. Memory is for answers at "
        "the limit.",
        f"Memory includes {RESERVE[0]:g} GiB and {RESERVE[1]:.0%} for the CUDA context and gaps.",
        f"Collectives reach {LINK_SHARE:.0%} of the links (H100 450 GB/s, A100 300; {NETWORK:g} "
        f"between machines of {NODE}) and overlap with computing; what is left over is counted.",
        "Not counted: decoding of videos, judges, idle time. Devices that train also evaluate.",
    )


# --- output -------------------------------------------------------------------------------------


def render(plan: Plan) -> Any:
    """The plan as a rich renderable: `rich.print(render(plan))`."""
    from rich.console import Group
    from rich.markup import escape

    millions = {k: f"{v / 1e6:,.1f} M" for k, v in plan.parameters.items()}
    head = (
        f"[bold]{escape(plan.method)}[/bold] on {escape(plan.model)}, {millions['all']} parameters "
        f"(language {millions['language']}, vision {millions['vision']})"
    )
    colour = "red" if plan.faults else "green"
    lines = [head, f"[{colour}]{escape(plan.verdict)}[/{colour}]"]
    disk = ", ".join(f"{k} {v:.0f}" for k, v in plan.disk.items() if v >= 0.5)
    lines += [f"[yellow]{escape(note)}[/yellow]" for note in plan.notes]
    notes = [f"Disk, GiB: {disk or 'less than 1'}."]
    if plan.reported_hours is not None:
        notes.append(
            f"Training as reported: {plan.reported_hours:g} h. This plan: "
            f"{plan.hours(plan.like):.0f} h on {plan.like}, without what is not counted."
        )
    for d in plan.downloads:
        size = "size not known" if d.gib is None else f"{d.gib:.1f} GiB: {d.source}"
        lines.append(f"Would be downloaded: {d.what} {escape(d.id)} ({size})")
    return Group(*lines, _table(plan), *notes, *(f"- {a}" for a in plan.assumptions))


def _table(plan: Plan) -> Any:
    """One column a stage, one row a quantity."""
    from rich import box
    from rich.table import Table

    training = [s for s in plan.stages if s.kind != "evaluate"]
    benchmarks = [s for s in plan.stages if s.kind == "evaluate"]
    columns = training + benchmarks[:1]  # all benchmarks need the same for a batch
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("")
    for s in training:
        table.add_column(f"{s.name} ({s.kind})", justify="right")
    if benchmarks:
        table.add_column(f"evaluation ({len(benchmarks)})", justify="right")

    def row(name: str, cell: Callable[[StagePlan], str], last: bool = False) -> None:
        table.add_row(name, *(cell(s) for s in columns), end_section=last)

    def total(values: list[int | None]) -> str:
        known = sum(v for v in values if v is not None)
        return f"{known:,}{' + ?' if None in values else ''}"

    def over(s: StagePlan) -> list[StagePlan]:
        return benchmarks if s.kind == "evaluate" else [s]

    row("samples", lambda s: total([b.samples for b in over(s)]))
    row("updates (evaluation: batches)", lambda s: total([b.updates for b in over(s)]))
    row("samples an update", lambda s: f"{s.samples_an_update:,}")
    row("video tokens, at most", lambda s: f"{s.clip.tokens:,}")
    row("prompt tokens, at most", lambda s: f"{s.prompt_tokens:,}")
    row("answers a prompt", lambda s: f"{s.answers:,}" if s.answers else "")
    row("answer tokens, mean", lambda s: f"{s.answer_tokens:,}")
    row("tokens an update", lambda s: f"{s.tokens_an_update:,}" if s.tokens_an_update else "", True)
    parts = list(dict.fromkeys(k for s in columns for k in s.flops))
    for i, k in enumerate(parts):
        row(f"FLOPs: {k}", lambda s, k=k: _flops(s.flops.get(k)), i == len(parts) - 1)  # type: ignore[misc]
    parts = list(dict.fromkeys(k for s in columns for k in s.memory if k != "peak"))
    for k in (*parts, "peak"):
        row(f"GiB a device: {k}", lambda s, k=k: _gib(s.memory.get(k)), k == "peak")  # type: ignore[misc]
    for k in plan.stages[0].seconds if plan.stages else ():
        row(f"time on {k}", lambda s, k=k: _time([b.hours.get(k) for b in over(s)]))  # type: ignore[misc]
    return table


def _flops(value: float | None) -> str:
    if not value:
        return ""
    power = min(int(math.log10(value)) // 3, 6)
    return f"{value / 1000**power:.3g} {' kMGTPE'[power]}".strip()


def _gib(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if value >= 0.01 else "< 0.01"


def _time(hours: list[float | None]) -> str:
    known = sum(h for h in hours if h is not None)
    text = f"{known:.1f} h" if known >= 1 else f"{60 * known:.1f} min"
    return "?" if known == 0 else f"{text}{' + ?' if None in hours else ''}"
