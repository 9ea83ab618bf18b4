"""A preset on more or fewer GPUs: memory of each by part, seconds of a step by phase, hours.

Everything follows from the estimate (estimate.py) of the same preset with another number of
devices. What an optimiser step takes stays the preset's: fewer GPUs accumulate more. Where there
are more GPUs than micro-batches the step grows, and the hours are those of as many samples.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from reproductions.shared.devices import DEVICES
from reproductions.shared.estimate import StagePlan, train_plan
from reproductions.shared.method import Method
from reproductions.shared.models.sizes import architecture_of
from vidpost.catalog.preset import Preset

COUNTS = (1, 4, 8, 16, 64)
SERVERS = 4
"""One GPU in so many serves rollouts, in the layouts with servers."""


@dataclass(frozen=True)
class Layout:
    """One stage on a number of GPUs.

    Attributes:
        stage: Key in the preset.
        gpus: All GPUs.
        servers: Those of them that run vLLM servers and nothing else.
        spread: How weights and optimiser states are spread.
        samples_an_update: Samples or groups an optimiser step takes.
        memory: GiB of a training GPU at the peak, by part.
        phases: Kind of GPU -> phase -> seconds an optimiser step.
        hours: Kind of GPU -> hours for the stage's samples; empty if their number is not known.
    """

    stage: str
    gpus: int
    servers: int
    spread: str
    samples_an_update: int
    memory: dict[str, float]
    phases: dict[str, dict[str, float]]
    hours: dict[str, float]

    def fits(self, kind: str) -> bool:
        """Whether the peak is below the memory of a kind of GPU."""
        return self.memory["peak"] <= DEVICES[kind].memory_gib

    def seconds(self, kind: str) -> float:
        """An optimiser step, all phases one after the other."""
        return sum(self.phases[kind].values())

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def layouts(
    preset: Preset, method: Method | None = None, counts: Sequence[int] = COUNTS
) -> list[Layout]:
    """Every training stage of a preset on each number of GPUs.

    Stages with rollouts come twice where there are GPUs enough: they answer on the training GPUs as
    transformers does, or on vLLM servers beside them.

    Args:
        preset: A preset for GPUs.
        method: The method over its baseline, as for `make_plan`.
        counts: Numbers of GPUs.

    Raises:
        PlanError: The model's sizes are not known.
    """
    found = []
    for name, settings in preset.stages.items():
        own = _plan(preset, method, name, preset.hardware.devices, 0)
        for gpus in counts:
            found.append(_layout(preset, method, own, gpus, 0))
        if settings.kind == "grpo":
            for gpus in counts:
                if gpus >= SERVERS:
                    found.append(_layout(preset, method, own, gpus, gpus // SERVERS))
    return found


def _plan(
    preset: Preset, method: Method | None, name: str, gpus: int, servers: int
) -> tuple[Preset, StagePlan]:
    """The preset on so many GPUs, and the plan of one of its stages there."""
    stage, hardware = preset.stages[name], preset.hardware
    training = gpus - servers
    batches = stage.gradient_accumulation * hardware.training_devices
    stage = stage.model_copy(
        update={"gradient_accumulation": max(1, math.ceil(batches / training))}
    )
    spread = hardware.distributed if training > 1 else "none"
    if training > 1 and spread == "none" and preset.model.lora is None:
        spread = "fsdp2"
    hardware = hardware.model_copy(
        update={
            "devices": gpus,
            "rollout_devices": servers,
            "rollout_engine": "vllm_server" if servers else "hf",
            "distributed": spread,
        }
    )
    changed = preset.model_copy(update={"hardware": hardware, "stages": {name: stage}})
    return changed, train_plan(changed, architecture_of(preset.model), name, stage, method)


def _layout(
    preset: Preset, method: Method | None, own: tuple[Preset, StagePlan], gpus: int, servers: int
) -> Layout:
    changed, plan = _plan(preset, method, own[1].name, gpus, servers)
    hours = {}
    if own[1].updates is not None:
        updates = own[1].updates * own[1].samples_an_update / plan.samples_an_update
        hours = {k: s * updates / 3600 for k, s in plan.seconds.items()}
    return Layout(
        plan.name, gpus, servers, changed.hardware.distributed, plan.samples_an_update,
        plan.memory, plan.phases, hours,
    )  # fmt: skip


# --- output -------------------------------------------------------------------------------------

SPREADS = {
    "none": "whole", "deepspeed_zero2": "ZeRO-2", "deepspeed_zero3": "ZeRO-3", "fsdp2": "FSDP2",
}  # fmt: skip


def tables(found: Sequence[Layout], like: str) -> list[tuple[str, list[list[str]]]]:
    """(title, rows) of each stage: one column a layout, the first row is the head.

    Args:
        found: Layouts.
        like: The kind of GPU whose steps are shown by phase.
    """
    result = []
    keys = dict.fromkeys((f.stage, bool(f.servers)) for f in found)
    for stage, served in keys:
        part = [f for f in found if f.stage == stage and bool(f.servers) == served]
        title = f"{stage}, rollouts on vLLM servers" if served else stage
        result.append((title, _rows(part, like)))
    return result


def _rows(part: Sequence[Layout], like: str) -> list[list[str]]:
    rows = [["GPUs", *(f"{f.gpus}" for f in part)]]

    def row(name: str, cell: Callable[[Layout], str]) -> None:
        rows.append([name, *(cell(f) for f in part)])

    if any(f.servers for f in part):
        row("of them servers", lambda f: f"{f.servers}")
    row("spread", lambda f: SPREADS[f.spread])
    row("samples a step", lambda f: f"{f.samples_an_update:,}")
    for key in dict.fromkeys(k for f in part for k in f.memory if k != "peak"):
        row(f"GiB {key}", lambda f, key=key: _short(f.memory.get(key)))  # type: ignore[misc]
    row("GiB peak", lambda f: _short(f.memory["peak"]))
    kinds = list(DEVICES)
    row("fits", lambda f: "all" if all(map(f.fits, kinds)) else _names(f, kinds))
    for key in dict.fromkeys(k for f in part for k in f.phases[like]):
        row(f"s {key} ({like})", lambda f, key=key: _short(f.phases[like].get(key)))  # type: ignore[misc]
    for kind in kinds:
        row(f"s a step, {kind}", lambda f, kind=kind: _short(f.seconds(kind)))  # type: ignore[misc]
    for kind in kinds:
        row(f"h, {kind}", lambda f, kind=kind: _short(f.hours.get(kind)))  # type: ignore[misc]
    return rows


def _names(layout: Layout, kinds: Sequence[str]) -> str:
    return ", ".join(k.split("-")[0] for k in kinds if layout.fits(k)) or "none"


def _short(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def markdown(found: Sequence[Layout], like: str) -> str:
    """The tables as Markdown, as docs/scaling.md holds them."""
    parts = []
    for title, (head, *rows) in tables(found, like):
        lines = [
            f"**{title}**",
            "",
            f"| {' | '.join(head)} |",
            "|---" + "|---:" * (len(head) - 1) + "|",
        ]
        parts.append("\n".join([*lines, *(f"| {' | '.join(r)} |" for r in rows)]))
    return "\n\n".join(parts)


def render(found: Sequence[Layout], like: str) -> Any:
    """The tables as a rich renderable."""
    from rich import box
    from rich.console import Group
    from rich.table import Table

    shown = []
    for title, (head, *rows) in tables(found, like):
        table = Table(*head[:1], title=title, title_justify="left", box=box.SIMPLE_HEAD)
        for name in head[1:]:
            table.add_column(name, justify="right")
        for row in rows:
            table.add_row(*row)
        shown.append(table)
    return Group(*shown)


def main(method: str) -> None:
    """Print the tables of a method's paper preset as Markdown, for docs/scaling.md."""
    from reproductions.shared.settings import Options, complete, find_method, settings_of

    chosen = complete(find_method(method))
    print(markdown(layouts(settings_of(chosen, Options(preset="paper")), chosen), "H100"))


if __name__ == "__main__":
    main(*sys.argv[1:])
