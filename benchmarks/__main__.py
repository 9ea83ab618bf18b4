"""`python -m benchmarks`: measure, print Markdown, and write docs/performance.* with `--write`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# One thread, before any library is imported that asks.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import click

from benchmarks import cli, long_video, questions, report, rollout, step, update
from vidpost.cli.train import fail

Records = list[dict[str, Any]]


def script(name: str) -> Records:
    """The JSON objects that a script of this folder prints with `--json`.

    Raises:
        RuntimeError: It failed.
    """
    command = [sys.executable, "-m", f"benchmarks.{name}", "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=report.DOCS.parent)
    if done.returncode:
        raise RuntimeError(f"benchmarks/{name}.py ended with code {done.returncode}.")
    decoder, found, rest = json.JSONDecoder(), [], done.stdout.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        found.append(value)
        rest = rest[end:].lstrip()
    return found


def decode(full: bool) -> Records:
    """One record a reader: seconds and ratio to ours for two distances of key frames."""
    (measured,) = script("decode")
    records = []
    for reader in measured["gop_30"]:
        record: dict[str, Any] = {"reader": reader}
        for gop in ("gop_30", "gop_250"):
            value = measured[gop][reader]
            if isinstance(value, str):
                record["not_run"] = value.removeprefix("not run: ")
            else:
                record[gop] = value
                record[f"{gop}_ratio"] = value / measured[gop]["ours"]
        records.append(record)
    return records


def rewards(full: bool) -> Records:
    """One record a reward stack."""
    return script("rewards")


MEASURES: dict[str, Callable[[bool], Records]] = {
    "cli": cli.measure,
    "rewards": rewards,
    "decode": decode,
    "step": step.measure,
    "rollout": rollout.measure,
    "update": update.measure,
    "long_video": long_video.measure,
    "questions": questions.measure,
}


@click.command()
@click.option("--only", type=click.Choice(list(MEASURES)), multiple=True, help="This part alone.")
@click.option("--full", is_flag=True, help="All sizes of `update` and `step`: about two hours.")
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    default="cpu",
    show_default=True,
    help="cuda: `update` alone, on a model of the sizes of Qwen2.5-VL-3B.",
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write JSON here too.")
@click.option("--write", is_flag=True, help="Update docs/performance.json and performance.md.")
def main(
    only: tuple[str, ...], full: bool, device: str, json_file: Path | None, write: bool
) -> None:
    """Measure and print Markdown tables; all parts take about half an hour on one free core."""
    parts = {}
    measures = MEASURES
    if device == "cuda":
        if only not in ((), ("update",)):
            fail("--device cuda: only `update` is measured on a GPU. Write --only update.")
        only, measures = ("update_cuda",), {"update_cuda": update.measure_cuda}
    for name in only or measures:
        load = os.getloadavg()[0]
        command = f"python -m benchmarks --only {name}{' --full' if full else ''}"
        if device == "cuda":
            command = command.replace("update_cuda", "update --device cuda")
        try:
            measured = report.part(command, measures[name](full), load)
        except RuntimeError as error:
            fail(str(error), 1)
        parts[name] = measured
        click.echo(report.section(name, measured))
        if write:
            report.write({name: measured})
    if json_file is not None:
        json_file.write_text(json.dumps(parts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
