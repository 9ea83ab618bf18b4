"""`vidpost tts`: test-time scaling; so far the curve of accuracy against compute."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidpost.cli.evaluate import unwritable
from vidpost.cli.train import fail, quiet_libraries, stopped

if TYPE_CHECKING:
    from reproductions.shared.evaluation.curve import Budget
    from reproductions.shared.source import Source


@click.group()
def tts() -> None:
    """Test-time scaling: what more compute at test time buys.

    \b
    Example:
      vidpost tts curve --methods video_rts,tcot --run runs/decode-20261122-101500
    """


@tts.command()
@click.option("--methods", required=True, help="Test-time methods, with commas between them.")
@click.option("--run", "run_folder", required=True, help="Run folder: the model and its questions.")
@click.option("--checkpoint", help="Stage of the run; default: its last one.")
@click.option("--budgets", default="", help='"8,16,32" for all, or "tcot=8,16;video_rts=16,32".')
@click.option("--knob", "knobs", multiple=True, metavar="METHOD=SETTING", help="What a budget is.")
@click.option(
    "--engine", type=click.Choice(["hf", "vllm"]), default="hf", show_default=True,
    help="What computes.",
)  # fmt: skip
@click.option("--limit", type=click.IntRange(min=1), help="At most this many questions.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder; default: in the run.")
@click.option("--json", "as_json", is_flag=True, help="Print curve.json.")
def curve(
    methods: str,
    run_folder: str,
    checkpoint: str | None,
    budgets: str,
    knobs: tuple[str, ...],
    engine: str,
    limit: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Sweep the budgets of METHODS on a run's held-out questions.

    Self-consistency at equal compute is always measured as well. Stop it at any time: the same
    command goes on.

    \b
    Examples:
      vidpost tts curve --methods video_rts,tcot --run runs/decode-20261122-101500
      vidpost tts curve --methods tcot --run runs/video_r1-20261122 --budgets 8,16,32 --limit 50
    """
    quiet_libraries()
    from reproductions.shared.data import held_out
    from reproductions.shared.evaluation.curve import CurveError, read_budgets, sweep, table, write
    from reproductions.shared.evaluation.outcome import SCORE
    from reproductions.shared.evaluation.runner import EvaluationError
    from reproductions.shared.finished import open_run
    from reproductions.shared.inference.answers import AnswersError
    from reproductions.shared.progress import bar
    from reproductions.shared.settings import RunError
    from reproductions.shared.source import SourceError, open_source

    names = [n.strip().replace("-", "_") for n in methods.split(",") if n.strip()]
    folder = out or Path(run_folder) / "curve"
    try:
        found = open_run(Path(run_folder))
        wanted = read_budgets(budgets)
        unknown = [n for n in wanted if n and n not in names]
        if unknown:
            raise CurveError(f"--budgets: '{unknown[0]}' is not among --methods.")
        chosen = {k.replace("-", "_"): v for k, _, v in (item.partition("=") for item in knobs)}
        folder.mkdir(parents=True, exist_ok=True)
        samples, data = held_out(found.preset, found.options, folder)
        source = open_source(
            run_folder, engine=engine, checkpoint=checkpoint, own=data == "synthetic"
        )
    except (RunError, CurveError, SourceError) as error:
        fail(str(error))
    except OSError as error:
        fail(unwritable(folder, error))
    try:
        points = [b for name in names for b in _budgets(source, name, wanted, chosen)]
        result = sweep(
            samples[:limit], points, SCORE, source.sampling, folder,
            identity=f"{source.identity}/{source.spec.key()}/{source.wording()}",
            cached=source.cached, shown=bar,
            batch=64, max_calls=4096,
        )  # fmt: skip
        result |= {"title": f"{source.name}, {data}, {source.engine}", "run": source.name}
        write(folder, result)
    except (CurveError, EvaluationError, AnswersError, RunError, SourceError) as error:
        fail(str(error))
    except OSError as error:
        fail(unwritable(folder, error))
    except KeyboardInterrupt:
        stopped("The same command goes on.")
    finally:
        source.close()
    click.echo(json.dumps(result, indent=1) if as_json else table(result))
    click.echo(f"written to {folder}: curve.json, curve.md, curve.svg", err=True)


def _budgets(
    source: Source, name: str, wanted: dict[str, list[int]], knobs: dict[str, str]
) -> list[Budget]:
    """The points of one method."""
    from dataclasses import replace

    from reproductions.shared.evaluation.curve import Budget, CurveError, default_budgets, knob_of
    from reproductions.shared.settings import complete, find_method
    from reproductions.shared.source import method_settings

    method = complete(find_method(name))
    if method.decode is None:
        raise CurveError(f"'{name}' is no test-time method. See: vidpost list methods.")
    preset = method_settings(method, source.preset, {})
    settings: dict[str, Any] = preset.decode.model_dump() if preset.decode else {}
    knob = knobs.get(method.id)
    if knob is not None and not isinstance(settings.get(knob), int):
        raise CurveError(f"--knob {method.id}={knob}: not a number among its settings.")
    try:
        knob = knob or knob_of(settings)
    except CurveError as error:
        raise CurveError(f"{method.id}: {error}") from None
    values = wanted.get(method.id) or wanted.get("") or default_budgets(settings[knob], knob)
    points = []
    code = Path(inspect.getfile(method.decode)).read_text(encoding="utf-8")
    for value in values:
        own = method_settings(method, source.preset, {f"decode.{knob}": value})
        mine = replace(source, method=replace(method, prompt=source.method.prompt), preset=own)
        key = json.dumps([method.id, own.decode and own.decode.model_dump(mode="json"), code])
        points.append(Budget(method.id, knob, value, mine.strategy(), key))
    return points
