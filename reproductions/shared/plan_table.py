"""A plan as people read it: one column a stage, one row a quantity."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from rich import box
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from reproductions.shared.estimate import StagePlan
from reproductions.shared.plan import Plan


def render(plan: Plan) -> Any:
    """The plan as a rich renderable: `rich.print(render(plan))`."""
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
