"""`vidpost eval`: a checkpoint on its own questions, or any model on published benchmarks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidpost.cli.ask import model_options, opened
from vidpost.cli.browse import console
from vidpost.cli.train import VIDEO_ROOT, fail, quiet_libraries, result_table, stopped

if TYPE_CHECKING:
    from reproductions.shared.evaluation.benchmark import Asked, Outcome
    from reproductions.shared.source import Source

EXAMPLES = """
\b
Examples:
  vidpost eval runs/video_r1-20261122-101500 --seed 7
  vidpost eval runs/video_r1-20261122-101500 --data my.jsonl --checkpoint sft
  vidpost eval Qwen/Qwen2.5-VL-7B-Instruct --benchmark video_mme,charades_sta \\
      --data-root data --frames 32 --engine vllm --rules lmms_eval
  vidpost eval http://localhost:8000/v1 --benchmark mvbench --data-root data --limit 100
  vidpost eval MODEL --benchmark video_mme --shard 1/4 --out evaluations/mine
"""


@click.command(name="eval", epilog=EXAMPLES)
@click.argument("model")
@click.option("--benchmark", "names", help="Benchmark ids, with commas between them.")
@click.option("--data-root", type=click.Path(path_type=Path), help="Folder with <benchmark>/.")
@click.option("--split", default="", help="Split; default: the benchmark's first.")
@click.option("--subtitles", is_flag=True, help="Show subtitles, where the prompt has them.")
@click.option(
    "--rules",
    default="paper",
    show_default=True,
    help="paper, lmms_eval, vlmevalkit, or a named rule (vidpost score rules ID).",
)
@click.option("--method", default="decode", show_default=True, help="Test-time method.")
@model_options
@click.option("--shard", metavar="I/N", help="Ask only part I of N; the call without it merges.")
@click.option("--resume/--fresh", default=True, help="Go on with the answers that are there.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for answers and cards.")
@click.option("--data", type=click.Path(path_type=Path), help="Your records (Video-R1 format).")
@VIDEO_ROOT
@click.option("--seed", type=int, help="Fresh synthetic clips of this seed.")
@click.option("--limit", type=click.IntRange(min=1), help="At most this many questions.")
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON.")
def evaluate(
    model: str,
    names: str | None,
    data_root: Path | None,
    split: str,
    subtitles: bool,
    rules: str,
    method: str,
    how: dict[str, Any],
    shard: str | None,
    resume: bool,
    out: Path | None,
    data: Path | None,
    video_root: Path | None,
    seed: int | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """Evaluate MODEL (run folder, hub id or URL) on benchmarks; a run also on its own questions.

    Without --benchmark a run is asked its held-out clips, fresh ones (--seed) or your records
    (--data).
    """
    quiet_libraries()
    if names is None:
        _own_questions(Path(model), how["checkpoint"], data, video_root, seed, limit, as_json)
        return
    if data is not None or seed is not None:
        fail("--data and --seed ask a run's own questions; leave them or --benchmark away.")
    part = _part(shard)
    from reproductions.shared import processes
    from reproductions.shared.evaluation.headline import BenchmarkError
    from reproductions.shared.evaluation.runner import EvaluationError
    from reproductions.shared.inference.answers import AnswersError

    loaded = _load(names, data_root, split, subtitles, rules, video_root)  # before the model
    source = opened(model, method=method, **how)
    folder = out or _folder(source)
    try:
        outcomes = [
            _ask(source, *one, folder, rules, limit, part, subtitles, resume) for one in loaded
        ]
    except (BenchmarkError, EvaluationError, AnswersError) as error:
        fail(str(error))
    except OSError as error:
        fail(unwritable(folder, error))
    except RuntimeError as error:
        _fail_if_lost(error)
        raise
    except KeyboardInterrupt:
        stopped("The same command goes on; no finished answer is lost.")
    finally:
        source.close()
    processes.leave()
    if processes.rank():
        return  # the first process tells
    if as_json:
        click.echo(json.dumps([o.to_dict() for o in outcomes], indent=1, default=str))
        return
    for outcome in outcomes:
        click.echo("\n".join(lines(outcome, part)))


def _own_questions(
    run_folder: Path,
    checkpoint: str | None,
    data: Path | None,
    video_root: Path | None,
    seed: int | None,
    limit: int | None,
    as_json: bool,
) -> None:
    from reproductions.shared import processes
    from reproductions.shared.evaluation.runner import EvaluationError
    from reproductions.shared.finished import evaluate_run
    from reproductions.shared.settings import RunError

    if not (run_folder / "config.yaml").is_file() and not run_folder.is_dir():
        fail(
            f"{run_folder}: no run folder. Any other model is evaluated on published benchmarks: "
            "add --benchmark video_mme --data-root FOLDER."
        )
    try:
        result = evaluate_run(run_folder, checkpoint, data, video_root, seed, limit)
    except (RunError, EvaluationError) as error:
        fail(str(error))
    except RuntimeError as error:
        _fail_if_lost(error)
        raise
    except OSError as error:
        fail(unwritable(run_folder, error))
    processes.leave()
    if processes.rank():
        return
    if as_json:
        click.echo(json.dumps(result, indent=1))
        return
    console().print(result_table(result))
    click.echo(f"predictions  {result['predictions']}")


def unwritable(folder: Path, error: OSError) -> str:
    """What is said where answers or cards cannot be written."""
    return (
        f"{error.filename or folder}: {error.strerror or error}. Make room, or choose another "
        "folder with --out; the same command goes on, and no finished answer is asked again."
    )


def _fail_if_lost(error: Exception) -> None:
    from reproductions.shared import processes

    if processes.lost(error):
        fail(
            f"process {processes.rank()}: another process ended, or did not come in time "
            f"({processes.MINUTES}). Look for its message; the same command goes on."
        )


def _part(shard: str | None) -> tuple[int, int] | None:
    """(i, n) of "i/n"."""
    if shard is None:
        return None
    found = re.fullmatch(r"(\d{1,4})/(\d{1,4})", shard)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        fail(f"--shard {shard}: write I/N with 1 <= I <= N, for example 1/4.")
    return int(found[1]), int(found[2])


def _folder(source: Source) -> Path:
    """Where answers go: into the run, or evaluations/<model>; a method gets one of its own."""
    name = source.method.id if source.method.decode is not None else source.checkpoint
    if source.run is not None:
        return source.run / "evaluations" / name
    model = re.sub(r"[^\w.-]+", "_", source.name).strip("._")
    return Path("evaluations") / f"{model}-{name}"


def _load(
    names: str,
    data_root: Path | None,
    split: str,
    subtitles: bool,
    rules: str,
    video_root: Path | None,
) -> list[tuple[str, Any, Any]]:
    """(name, benchmark, its questions); all that can be wrong with them is said at once."""
    from reproductions.benchmarks._base import get, load
    from reproductions.benchmarks._files import FileProblem
    from reproductions.shared import processes
    from reproductions.shared.hub import HubError, benchmark_folder

    found, problems = [], []
    wanted = (part.strip().replace("-", "_") for part in names.split(","))
    for name in dict.fromkeys(filter(None, wanted)):
        try:
            benchmark = get(name)
            benchmark.rule(rules)
            folder, videos = benchmark_folder(benchmark, split, data_root)
            questions = load(
                benchmark, folder, split, subtitles=subtitles, videos=video_root or videos
            )
            found.append((name, benchmark, questions))
            if not processes.rank():
                click.echo(f"{name}: {questions.sentence()}", err=True)
            if not questions.samples:
                problems.append(
                    f"{name}: no question can be asked. Put its videos into "
                    f"{video_root or videos} ({', '.join(benchmark.videos)})."
                )
        except KeyError as error:
            problems.append(str(error.args[0]))
        except (FileProblem, HubError) as error:
            problems.append(str(error))
    if problems or not found:
        fail("\n       ".join(problems) or "--benchmark: give at least one id.")
    return found


def _ask(
    source: Source,
    name: str,
    benchmark: Any,
    questions: Any,
    folder: Path,
    rules: str,
    limit: int | None,
    part: tuple[int, int] | None,
    subtitles: bool,
    resume: bool,
) -> Outcome:
    from reproductions.shared import processes
    from reproductions.shared.evaluation.benchmark import run_benchmark
    from reproductions.shared.evaluation.runner import shard_of
    from reproductions.shared.progress import bar

    where = folder / name.replace(":", "-")  # a variant's answers and card are its own
    if not resume:
        with processes.main_first():
            for old in [*where.glob("answers*"), *(where / "cache").glob("*.jsonl")]:
                old.unlink()
    source.word(benchmark.prompt)
    limits = getattr(source.generator, "limits", "")
    cached = source.cached(where / "cache", name + limits)
    total = len(shard_of(questions.samples[:limit], part))
    try:
        with bar(name, total) as shown:
            return run_benchmark(
                benchmark, questions, asked_of(source, cached), where, rules=rules, limit=limit,
                shard=part, subtitles=subtitles, progress=shown.add, name=name,
            )  # fmt: skip
    finally:
        cached.close()


def asked_of(source: Source, generator: Any) -> Asked:
    """A source as a benchmark asks it."""
    from reproductions.shared.evaluation.benchmark import Asked

    preset = source.preset
    method = source.method
    spent: Mapping[str, Any] = {}
    if method.decode is not None and preset.decode is not None:
        spent = preset.decode.model_dump(exclude_none=True, exclude={"workers"})
    model = source.name.partition(" at ")[0]  # cards name no place
    notes = [f"Model: {model}, through {source.engine}."]
    limits = getattr(source.generator, "limits", "")
    if limits and method.decode is not None:
        notes.append(limits)
    if source.tiny:
        notes.append("A small model of ours; not the paper's numbers.")
    if spent:
        notes.append(f"Decoded by {method.id}: {', '.join(f'{k} {v}' for k, v in spent.items())}.")
    facts = {
        "kind": "miniature" if source.tiny else "reproduction",
        "method": method.id,
        "preset": source.preset_name,
        "variant": preset.variant,
        "overrides": dict(source.overrides),
        "seeds": [preset.seed],
        "checkpoint": {"stage": source.checkpoint, "sha256": source.sha256},
        "model": preset.model.id if source.run else model,
        "engine": source.engine,
        "notes": notes,
    }
    identity = json.dumps(
        [source.identity, method.id, preset.variant, preset.seed, spent, source.wording(), limits]
    )
    workers = preset.decode.workers if preset.decode else 64
    return Asked(
        generator=generator,
        decode=source.strategy(),
        spec=source.spec,
        sampling=source.sampling,
        facts=facts,
        identity=identity,
        batch=preset.evaluate.batch_size if method.decode is None else workers,
        max_calls=preset.decode.max_calls if preset.decode else 512,
    )


def lines(outcome: Outcome, part: tuple[int, int] | None) -> list[str]:
    """An outcome as text."""
    counts = outcome.counts
    head = f"{outcome.benchmark}  rule {outcome.rule}  {outcome.sentence}"
    rows = [head]
    if counts["missing"]:
        rows.append(f"  missing videos are listed in {outcome.folder / 'missing.json'}")
    if part is not None:
        rows.append(
            f"  shard {part[0]}/{part[1]}: {counts['asked']} answered; the same command without "
            "--shard scores when all are done"
        )
        return rows
    if not outcome.numbers:
        rows.append(
            f"  the rule reads a judge's verdict. Have {outcome.folder / 'predictions.jsonl'} "
            f"judged, then: vidpost score LOG --benchmark {outcome.benchmark}"
        )
        return rows
    for i, (name, number) in enumerate(outcome.numbers.items()):
        row = f"  {name:28} {number.printed:8.2f}  n {number.n} {number.unit}"
        if i == 0 and outcome.interval:
            scale = 100 if number.percent else 1
            low, high = (scale * end for end in outcome.interval)
            row += f"  95 % interval {low:.2f} to {high:.2f}"
        rows.append(row)
    for title, groups in outcome.groups.items():
        shown = [f"{k} {n.printed:.2f} ({n.n})" for k, n in list(groups.items())[:24]]
        rows += [f"  by {title}: {', '.join(shown)}"] if shown else []
    if counts.get("unread"):
        rows.append(f"  {counts['unread']} answers unread (counted as wrong)")
    if counts["unfinished"]:
        rows.append(f"  {counts['unfinished']} answers cut off at their longest length")
    rows.append(f"  card {outcome.card}")
    return rows
