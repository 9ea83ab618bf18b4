"""What a run needs before it is started, and whether this machine can do it.

`vidpost run <id> --preset paper --dry-run` prints this. Nothing is downloaded and no torch is
imported; what a stage takes is worked out in estimate.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from reproductions.shared.devices import (
    CPU_FLOPS,
    CPU_STEP_SECONDS,
    DEVICES,
    GIB,
    NETWORK,
    NODE,
    Machine,
    this_machine,
)
from reproductions.shared.estimate import (
    ANSWER_TOKENS,
    BANDWIDTH_SHARE,
    LINK_SHARE,
    MFU,
    RESERVE,
    STEP_SECONDS,
    TEXT_TOKENS,
    StagePlan,
    evaluate_plan,
    train_plan,
    trained_parameters,
)
from reproductions.shared.hub import EVALUATION, EVALUATION_REPOSITORY, OWN, SOURCES, missing
from reproductions.shared.method import Method
from reproductions.shared.models.sizes import Architecture, architecture_of
from vidpost.catalog.preset import Preset

KEPT_CHECKPOINTS = 2  # the last whole one and the one being written
KNOWN_SIZES = {
    "Video-R1/Video-R1-data": (310e9 / GIB, "tulerfeng/Video-R1 issue 8 (about 310 GB, packed)"),
}
"""Hub id -> (GiB, source)."""


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
    stages += [evaluate_plan(preset, arch, name) for name in preset.evaluate.benchmarks]
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
    trained = trained_parameters(preset, arch)
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
