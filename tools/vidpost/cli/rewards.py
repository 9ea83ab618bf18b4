"""`vidpost rewards`: check our reward functions against published ones, and compare rules."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from vidpost.cli.main import UserError


@click.group()
def rewards() -> None:
    """Check and compare the rules by which answers are scored.

    \b
    Examples:
      vidpost rewards compare "<answer>B</answer>" --gold B
      vidpost rewards verify cases.jsonl
    """


@rewards.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a function.")
@click.option("--show", default=3, show_default=True, help="Differences shown a function.")
def verify(files: tuple[Path, ...], as_json: bool, show: int) -> None:
    """Compare our functions with recorded results of published ones.

    FILES hold one case a line: repo, function, input, output (or error). Exit code 1 if any case
    differs or is of a function that we do not have.

    \b
    Examples:
      vidpost rewards verify cases.jsonl
      vidpost rewards verify cases/*.jsonl --json
    """
    from reproductions.shared.rewards.verify import verify as compare_file

    cases = agreed = 0
    for file in files:
        try:
            results = compare_file(file, show)
        except (ValueError, OSError) as error:
            raise UserError(str(error)) from error
        for result in results:
            cases += result.cases
            agreed += result.agreed
            if as_json:
                click.echo(json.dumps({"file": file.name, **vars(result)}, ensure_ascii=False))
                continue
            state = f"{result.agreed}/{result.cases}" if result.covered else "not covered"
            click.echo(f"{file.name}  {result.repository}  {result.function}  {state}")
            for difference in result.differences:
                click.echo(f"    {difference}")
    share = 100 * agreed / cases if cases else 0.0
    click.echo(f"{agreed} of {cases} cases agree ({share:.2f} %)", err=as_json)
    if agreed < cases or not cases:
        sys.exit(1)


@rewards.command()
@click.argument("completion")
@click.option("--gold", required=True, help="The right answer, with or without tags.")
@click.option(
    "--type",
    "problem_type",
    default="multiple choice",
    show_default=True,
    metavar="TYPE",
    help="Type of the question, such as numerical, temporal grounding or tracking.",
)
@click.option(
    "--duration", type=click.FloatRange(0, min_open=True), help="Seconds of the video, for spans."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a rule.")
def compare(
    completion: str, gold: str, problem_type: str, duration: float | None, as_json: bool
) -> None:
    """Show what every rule gives for COMPLETION ("-" reads it from standard input).

    Rules for letters are left out where the question has no options. "safe" is what we train
    with, "published" what the project's own code gives.

    \b
    Examples:
      vidpost rewards compare "<answer>B</answer>" --gold B
      vidpost rewards compare "from 3 s to 7 s" --gold "2 to 6" --type "temporal grounding"
      vidpost rewards compare - --gold 12 --type numerical < completion.txt
    """
    from reproductions.shared.prompts import ANSWER_FORMS
    from reproductions.shared.rewards.compare import compare as compare_rules

    if problem_type not in ANSWER_FORMS:
        raise UserError(f"--type: {problem_type!r} is unknown. Use {', '.join(ANSWER_FORMS)}.")
    if completion == "-":
        completion = sys.stdin.read(1_000_000)
    try:
        rows = compare_rules(completion, gold, problem_type, duration)
    except ValueError as error:
        raise UserError(f"--gold: {error}") from None
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
        return
    click.echo(f"{'rule':24} {'reward':20} {'safe':>6} {'published':>10}")
    for row in rows:
        safe, published = (f"{row[k]:.4g}" for k in ("safe", "published"))
        click.echo(f"{row['rule']:24} {row['reward']:20} {safe:>6} {published:>10}")
