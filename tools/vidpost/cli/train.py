"""`run`, `claim` and `doctor`: the commands that train and test.

Everything heavy is imported inside the commands, so `--help` costs nothing.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import click

from vidpost.cli.browse import console

EXAMPLES = """
\b
Examples:
  vidpost run video_r1                           five minutes on a laptop
  vidpost run video_r1 --smoke                   does everything work? (half a minute)
  vidpost run video_r1 --data my.jsonl           your videos, Video-R1's record format
  vidpost run video_r1 --preset paper --dry-run  what the published run needs
  vidpost run video_r1 --set seed=3 --set stages.rl.max_steps=100
  vidpost run --resume runs/video_r1-20261122-101500
"""
VIDEO_ROOT = click.option(
    "--video-root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of their videos.",
)


def fail(message: str, code: int = 2) -> NoReturn:
    """One message, no traceback."""
    click.echo(f"error: {message}", err=True)
    sys.exit(code)


def stopped(remedy: str = "") -> NoReturn:
    """What Ctrl-C ends with: how to go on, and the exit code of a process that it killed."""
    click.echo(f"\nstopped. {remedy}".rstrip(" "), err=True)
    sys.exit(130)


def parse_overrides(pairs: tuple[str, ...]) -> dict[str, Any]:
    """`key=value` pairs; values are JSON where they parse as JSON, else text."""
    overrides: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            fail(f"--set {pair}: write key=value, for example --set seed=3.")
        try:
            overrides[key] = json.loads(text)
        except json.JSONDecodeError:
            overrides[key] = text
    return overrides


@click.command(epilog=EXAMPLES)
@click.argument("method", required=False)
@click.option("--preset", default="mini", show_default=True, help="mini, paper or a file.")
@click.option("--data", type=click.Path(path_type=Path), help="Your records (Video-R1 format).")
@click.option("--eval-data", type=click.Path(path_type=Path), help="Records to evaluate on.")
@VIDEO_ROOT
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="Override one setting.")
@click.option("--smoke", is_flag=True, help="A few steps a stage, a handful of clips.")
@click.option("--out", type=click.Path(path_type=Path), help="Run folder (default runs/...).")
@click.option("--resume", type=click.Path(path_type=Path), help="Continue this run.")
@click.option("--dry-run", is_flag=True, help="Print the plan; nothing is run or downloaded.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def run(
    method: str | None,
    preset: str,
    data: Path | None,
    eval_data: Path | None,
    video_root: Path | None,
    pairs: tuple[str, ...],
    smoke: bool,
    out: Path | None,
    resume: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train METHOD, evaluate every checkpoint and write a report."""
    if (method is None) == (resume is None):
        fail("give a method (vidpost run video_r1) or --resume FOLDER, not both and not neither.")
    quiet_libraries()
    from reproductions.shared import run as engine
    from reproductions.shared.data import preflight, with_records
    from reproductions.shared.settings import Options, RunError, complete, find_method, settings_of

    overrides = parse_overrides(pairs)
    where = resume
    try:
        if resume is not None:
            folder = engine.resume(resume)
        else:
            assert method is not None
            chosen = find_method(method)
            options = Options(
                preset=preset,
                overrides=overrides,
                data=data,
                eval_data=eval_data,
                video_root=video_root,
                out=out,
                smoke=smoke,
            )
            settings = settings_of(chosen, options)
            records = preflight(settings, options)
            planned = with_records(settings, records)
            if dry_run:
                _show_plan(planned, complete(chosen), as_json)
                return
            _require_machine(planned)
            where = out or engine.new_folder(chosen.id)
            if settings.hardware.devices > 1 and "WORLD_SIZE" not in os.environ:
                _launch(settings, where)
            options = dataclasses.replace(options, out=where)
            folder = engine.run(chosen, options, records)
    except RunError as error:
        several = int(os.environ.get("WORLD_SIZE", "1")) > 1
        fail(f"process {os.environ.get('RANK')}: {error}" if several else str(error))
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("torch", "transformers", "trl", "av", "peft"):
            fail(f"{error.name} is not installed. Training needs: pip install 'vidpost[train]'.")
        raise
    except KeyboardInterrupt:
        started = where is not None and (where / "config.yaml").exists()
        remedy = f"Continue with: vidpost run --resume {where}" if started else "Nothing was begun."
        stopped(remedy)
    if os.environ.get("RANK", "0") == "0":
        _show_result(folder, as_json)


def quiet_libraries() -> None:
    """Keep libraries from talking and from taking every core."""
    for name, value in {
        "TOKENIZERS_PARALLELISM": "false",
        "TRANSFORMERS_VERBOSITY": "error",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "OMP_NUM_THREADS": "1",
    }.items():
        os.environ.setdefault(name, value)


def _launch(settings: Any, where: Path) -> NoReturn:
    """Start this very command once a device, through accelerate."""
    names = {"deepspeed_zero2": "zero2", "deepspeed_zero3": "zero3", "fsdp2": "fsdp2"}
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-m", "accelerate.commands.launch"]
    if settings.hardware.distributed in names:
        name = names[settings.hardware.distributed]
        command += ["--config_file", str(root / "launch" / "accelerate" / f"{name}.yaml")]
    else:
        command += [
            "--multi_gpu"
        ]  # CPUs too: accelerate's --cpu starts one process, or asks for MPI
    processes = settings.hardware.training_devices
    command += ["--num_processes", str(processes), "-m", "vidpost.cli.main"]
    command += [*sys.argv[1:], "--out", str(where)]
    click.echo(f"starting {processes} processes: {shlex.join(command)}", err=True)
    os.execv(sys.executable, command)


def _show_plan(settings: Any, method: Any, as_json: bool) -> None:
    from reproductions.shared import scaling
    from reproductions.shared.models.sizes import PlanError
    from reproductions.shared.plan import make_plan
    from reproductions.shared.plan_table import render

    try:
        plan = make_plan(settings, method)
        layouts = scaling.layouts(settings, method) if settings.hardware.device == "cuda" else []
    except PlanError as error:
        fail(str(error))
    if as_json:
        found = plan.to_dict() | {"scaling": [layout.to_dict() for layout in layouts]}
        click.echo(json.dumps(found, indent=1))
        return
    console().print(render(plan))
    if layouts:
        console().print("\nThe same on other numbers of GPUs:")
        console().print(scaling.render(layouts, plan.like))


def _require_machine(settings: Any) -> None:
    from reproductions.shared.models.sizes import PlanError
    from reproductions.shared.plan import check_machine

    try:
        problems = check_machine(settings)
    except PlanError as error:
        fail(str(error))
    if problems:
        fail(
            "this machine cannot run the preset. "
            + " ".join(problems)
            + " See what it needs with --dry-run, or run --preset mini here."
        )


def _show_result(folder: Path, as_json: bool) -> None:
    evaluation = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    if as_json:
        files = {n: str(folder / n) for n in ("card.yaml", "report.html", "log.jsonl")}
        click.echo(json.dumps({"folder": str(folder), "files": files, **evaluation}, indent=1))
        return
    screen = console()
    screen.print(result_table(evaluation))
    for line in verdicts(evaluation):
        screen.print(line)
    screen.print(f"report  {folder / 'report.html'}", soft_wrap=True)
    screen.print(f"card    {folder / 'card.yaml'}", soft_wrap=True)


def result_table(evaluation: Mapping[str, Any]) -> Any:
    """A table of all checkpoints, overall and by task."""
    from rich.table import Table

    names = evaluation["checkpoints"]
    table = Table(title="Accuracy on held-out clips, with 95 % interval")
    table.add_column("task")
    table.add_column("n", justify="right")
    for name in names:
        table.add_column("before" if name == "base" else f"after {name.upper()}", justify="right")
    tasks = dict.fromkeys(r["task"] for r in evaluation["rows"])
    for task in tasks:
        rows = {r["checkpoint"]: r for r in evaluation["rows"] if r["task"] == task}
        cells = [_cell(rows[name]) for name in names]
        table.add_row(task, str(rows[names[0]]["n"]), *cells, end_section=task == "all")
    return table


def _cell(row: Mapping[str, Any]) -> str:
    interval = row["interval"]
    ends = f" [{100 * interval[0]:.0f}, {100 * interval[1]:.0f}]" if interval else ""
    return f"{100 * row['score']:.1f}{ends}"


def verdicts(evaluation: Mapping[str, Any]) -> list[str]:
    """One sentence a comparison over all tasks."""
    lines = []
    for c in evaluation["comparisons"]:
        if c["task"] != "all":
            continue
        interval = c["interval"]
        ends = f" [{100 * interval[0]:+.1f}, {100 * interval[1]:+.1f}]" if interval else ""
        p = c["p_value"]
        chance = "" if p is None else "p < 0.0001" if p < 1e-4 else f"p = {p:.4f}"
        points = f"{100 * c['difference']:+.1f} points{ends}"
        lines.append(f"{c['a']} -> {c['b']}: {points}  ({c['test']}, {chance})")
    return lines


@click.command()
@click.argument("method")
@click.option("--claim", "claim_id", help="Which claim; default: the entry's first.")
@click.option(
    "--variants",
    is_flag=True,
    help="Test the rules of the official code against the paper's, on the claim's questions.",
)
@click.option("--seeds", help="Comma-separated seeds instead of the claim's own.")
@click.option("--preset", default="mini", show_default=True)
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="Override one setting.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder; finished runs are reused.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
def claim(
    method: str,
    claim_id: str | None,
    variants: bool,
    seeds: str | None,
    preset: str,
    pairs: tuple[str, ...],
    out: Path | None,
    as_json: bool,
) -> None:
    """Test a claim of METHOD against its baseline, over seeds.

    \b
    Examples:
      vidpost claim video_r1
      vidpost claim video_r1 --seeds 0,1,2,3,4 --out runs/claim
      vidpost claim spacer --variants
    """
    quiet_libraries()
    from reproductions.shared.claim import card_path, test_claim, test_variants
    from reproductions.shared.settings import Options, RunError
    from vidpost.catalog.loader import load
    from vidpost.catalog.models import MethodEntry

    try:
        chosen_seeds = tuple(int(s) for s in seeds.split(",")) if seeds else None
    except ValueError:
        fail(f"--seeds {seeds}: write numbers with commas between them, for example 0,1,2.")
    found = load().find(method, "method")
    if found is None:
        fail(f"'{method}' is not in the catalogue. See: vidpost list methods.")
    entry = found[1]
    assert isinstance(entry, MethodEntry)
    claims = {c.id: c for c in entry.claims}
    if not claims:
        fail(f"'{entry.id}' makes no claim. Add `claims:` to catalog/methods/{entry.id}.yaml.")
    if claim_id is not None and claim_id not in claims:
        fail(f"'{entry.id}' has no claim '{claim_id}'. It has: {', '.join(claims)}.")
    chosen = claims[claim_id] if claim_id else next(iter(claims.values()))
    if variants and not any("official_code" in (d.ours or "") for d in entry.discrepancies):
        fail(f"'{entry.id}' has no variant official_code: its rules are the same in both sources.")
    folder = out or Path("runs") / f"claim-{entry.id}-{chosen.id}"
    options = Options(preset=preset, overrides=parse_overrides(pairs))
    try:
        verdict = (test_variants if variants else test_claim)(chosen, folder, options, chosen_seeds)
    except RunError as error:
        fail(str(error))
    except KeyboardInterrupt:
        stopped(f"Repeat the command with --out {folder} to go on.")
    if as_json:
        click.echo(json.dumps(verdict.to_dict(), indent=1))
        return
    a, b = verdict.compare
    for i, seed in enumerate(verdict.seeds):
        x, y = verdict.scores[a][i], verdict.scores[b][i]
        click.echo(f"seed {seed}: {a} {x:.3f}  {b} {y:.3f}  difference {x - y:+.3f}")
    ends = "" if verdict.interval is None else " [{:+.3f}, {:+.3f}]".format(*verdict.interval)
    click.echo(f"mean difference {verdict.mean:+.3f}{ends}: {verdict.verdict}")
    click.echo(f"claim: {verdict.statement}")
    click.echo(f"card   {card_path(folder, verdict)}")


@click.command()
@click.option("--parity", type=click.Path(path_type=Path), help="Check a run's last checkpoint.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(parity: Path | None, as_json: bool) -> None:
    """Check this machine and installation; with --parity, that a run measured what it trained.

    \b
    Examples:
      vidpost doctor
      vidpost doctor --parity runs/video_r1-20261122-101500
    """
    if parity is not None:
        _doctor_parity(parity, as_json)
        return
    from vidpost.cli.doctor import findings

    found = findings()
    if as_json:
        click.echo(json.dumps([f._asdict() for f in found], indent=1))
    else:
        for finding in found:
            mark = "ok  " if finding.ok else "FAIL"
            click.echo(f"{mark} {finding.what}: {finding.found}")
            if not finding.ok:
                click.echo(f"     {finding.remedy}")
    if not all(f.ok for f in found):
        sys.exit(1)


def _doctor_parity(folder: Path, as_json: bool) -> None:
    quiet_libraries()
    from reproductions.shared.finished import parity_of
    from reproductions.shared.settings import RunError

    try:
        result = parity_of(folder)
    except RunError as error:
        fail(str(error))
    if as_json:
        click.echo(json.dumps(result.to_dict(), indent=1))
    else:
        click.echo(f"{result.answers} answers, {result.tokens} tokens")
        click.echo(f"prompt ids equal to the processor's: {'yes' if result.ids_equal else 'NO'}")
        for name in ("generator", "rows", "packed"):
            value = getattr(result, name)
            verdict = "ok" if value <= result.tolerance else "TOO LARGE"
            click.echo(f"{name:<10} largest log-probability difference {value:.1e}  {verdict}")
        click.echo(f"blank video changes an answer's mean log-probability by {result.blind:.3f}")
    if not result.passed:
        sys.exit(1)


if __name__ == "__main__":
    run()
