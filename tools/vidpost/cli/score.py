"""`vidpost score`: score prediction logs of real runs, convert them, and look for leakage."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from vidpost.cli.browse import wrapped
from vidpost.cli.main import UserError

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
PLACE = click.Path(exists=True, path_type=Path)
SHOWN = 10


class ScoreGroup(click.Group):
    """A group whose default command scores: `vidpost score LOG ...` is `vidpost score log LOG`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Everything that is no subcommand is the name of a log."""
        if args and args[0] not in self.commands:
            args = ["log", *args]
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Options may stand before the log: `vidpost score --benchmark mmvu LOG`."""
        if args and args[0].startswith("-") and args[0] not in ("-h", "--help"):
            args = ["log", *args]
        return super().parse_args(ctx, args)


@click.group(cls=ScoreGroup)
def score() -> None:
    """Score a prediction log: vidpost score LOG --benchmark ID [--rules NAME].

    \b
    Examples:
    vidpost score answers.jsonl --benchmark mmvu --rules lmms_eval --against careful
    vidpost score preds.jsonl --benchmark qvhighlights --gold highlight_val_release.jsonl
    vidpost score judged/ --benchmark cvrr_es --published "accuracy, mean over files=75.03"
    vidpost score results/tracker/ --benchmark got_10k --gold val/
    vidpost score log.json --benchmark kind:choice     a benchmark that is not here
    vidpost score log --help         all options, and what a log may look like
    vidpost score rules mmvu         the rules of a benchmark
    vidpost score export ...         write a log for lmms-eval or VLMEvalKit
    vidpost score result CARD        a block for a model card on the hub
    vidpost score leakage ...        overlap of training and evaluation sets
    """


def _pairs(values: Iterable[str], what: str) -> dict[str, str]:
    found = {}
    for value in values:
        name, equals, rest = value.rpartition("=") if what == "published" else value.partition("=")
        if not equals or not name or not rest:
            raise UserError(f"--{what} {value!r}: write NAME=VALUE.")
        found[name] = rest
    return found


def _benchmark(name: str) -> Any:
    from reproductions.benchmarks._base import get
    from reproductions.shared.evaluation.score import bare

    kind = name.partition(":")
    try:
        return bare(kind[2]) if kind[0] == "kind" else get(name)
    except KeyError as error:
        raise UserError(str(error.args[0])) from None


BENCHMARK = click.option(
    "--benchmark", "name", required=True,
    help='Benchmark id, "id:variant", or for any other benchmark "kind:choice" (span, open, ...).',
)  # fmt: skip
RULES = click.option(
    "--rules",
    default="paper",
    show_default=True,
    help="paper, lmms_eval, vlmevalkit, or a named rule (vidpost score rules ID).",
)
FIELD = click.option(
    "--field", "fields", multiple=True, help="ROLE=FIELD: id, prediction, gold, options, task, ..."
)
GOLD = click.option(
    "--gold", type=PLACE, help="Question file with the answers, its folder, or any file of golds."
)
REPEATS = click.option(
    "--repeats",
    type=click.Choice(["refuse", "first", "last", "all"]),
    default="refuse",
    show_default=True,
    help="Which of two different answers to one item counts; all: every record.",
)


@score.command("log")
@click.argument("log", type=PLACE, nargs=-1, required=True)
@BENCHMARK
@RULES
@click.option("--against", help="Second rule; default: the rule that reads most. none: no rule.")
@GOLD
@FIELD
@REPEATS
@click.option("--join", multiple=True, help="ROLE=FILE: a part of the answers in a second log.")
@click.option("--by", multiple=True, help="Field of the log by which to break down.")
@click.option(
    "--published",
    multiple=True,
    help='NAME=NUMBER as printed (per cent or fraction), "group/name" for parts.',
)
@click.option("--show", default=SHOWN, show_default=True, help="Differing items shown.")
@click.option("--meteor-java", is_flag=True, help="Dense captions: add METEOR 1.5 (slow).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with all items.")
def log_(
    log: tuple[Path, ...],
    name: str,
    rules: str,
    against: str | None,
    gold: Path | None,
    fields: tuple[str, ...],
    repeats: str,
    join: tuple[str, ...],
    by: tuple[str, ...],
    published: tuple[str, ...],
    show: int,
    meteor_java: bool,
    as_json: bool,
) -> None:
    """Score LOG under a rule, and say what another rule would give.

    LOG is a file of records (JSON lines, JSON, CSV, TSV, xlsx, gzip; a mapping of ids; answers
    within videos; judged pairs), several files or a folder of them; for trackers a text file of
    boxes a sequence. Fields are found by their names, --field settles the rest:

    \b
    Examples:
    vidpost score log.csv --benchmark video_mme --field prediction=reply --field id=n
    vidpost score merged.json --benchmark v_star:where --published m_vIoU=25.9
    vidpost score ovo/Gemini --benchmark ovo_bench --repeats all --published EPM/accuracy=58.59

    Said are: the score and over how many items, what was left out, the marks that the log itself
    holds, and the score by a rule that reads more. Exit code 1 if a --published number is none of
    those that the log gives.
    """
    from reproductions.shared.evaluation.log_fields import LogError
    from reproductions.shared.evaluation.score import score_log

    try:
        report = score_log(
            log,
            _benchmark(name),
            rules,
            against="" if against == "none" else against,
            gold=gold,
            fields=_pairs(fields, "field"),
            repeats=repeats,
            join={role: Path(file) for role, file in _pairs(join, "join").items()},
            by=by,
            published=_pairs(published, "published"),
            meteor_java=meteor_java,
        )
    except KeyError as error:
        raise UserError(str(error.args[0])) from None
    except LogError as error:
        raise UserError(str(error)) from None
    if as_json:
        click.echo(json.dumps(report.as_dict(), ensure_ascii=False, indent=1, default=str))
    else:
        click.echo("\n".join(_lines(report, show)))
    if any(row["verdict"] == "differs" for row in report.published):
        raise SystemExit(1)


def _number(number: Any) -> str:
    return f"{number.printed:.4f}{' %' if number.percent else ''}"


def _lines(report: Any, show: int) -> Iterable[str]:
    """The report as text: what was read, the scores, what changes, what to know."""
    rule = report.rule if report.rule == report.asked else f"{report.asked} = {report.rule}"
    yield f"{report.benchmark}  {report.log}  rule {rule}"
    yield "fields  " + "  ".join(f"{role}={name}" for role, name in report.fields.items())
    yield "items   " + ", ".join(_counts(report.counts))
    yield ""
    yield from _scores(report.numbers, report.other, report.rule, report.against)
    if report.interval:
        low, high, method = report.interval
        yield f"95 % interval {low:.4f} to {high:.4f} ({method})"
    for name, (value, differs) in report.marks.items():
        yield f"the log's own marks ({name}): {_number(value)}; {differs} items differ"
    for name, value in report.values.items():
        yield f"mean of the log's own values ({name}): {_number(value)}  n {value.n}"
    for name, value in list(report.repeats_counted.items())[:1]:
        yield f"with {report.counts['repeats']} repeats counted too: {name} {_number(value)}"
    for name, value in report.missing_wrong.items():
        yield f"with {report.counts['missing']} missing items as wrong: {name} {_number(value)}"
        break
    for title, groups in report.groups.items():
        yield f"\nby {title}"
        for label, numbers in groups.items():
            first = next(iter(numbers))
            other = report.other_groups.get(title, {}).get(label, {})
            row = f"  {label:34} {first} {_number(numbers[first])} (n {numbers[first].n})"
            yield row + (f"  {report.against} {_number(other[first])}" if first in other else "")
    if report.published:
        yield "\npublished"
        for row in report.published:
            better = f"; {report.against} gives {row['against']:.4f}" if "against" in row else ""
            yield (
                f"  {row['number']:34} {row['published']:>9}  ours {row['ours']:.4f}  "
                f"{row['verdict']}{better}"
            )
    if report.against:
        yield f"\n{len(report.differences)} items change from {report.rule} to {report.against}"
        yield from _differences(report, show)
    for note in report.notes:
        yield f"note: {note}"


def _counts(counts: Mapping[str, int]) -> Iterable[str]:
    words = {
        "records": "records",
        "scored": "scored",
        "repeats": "repeated",
        "conflicts": "answered twice",
        "no_answer": "without an answer",
        "unread": "unread (counted as wrong)",
        "missing": "missing in the log",
        "extra": "not in the gold file",
        "other_gold": "with another gold than the file",
    }
    for key, word in words.items():
        if counts.get(key) or key in ("records", "scored", "unread"):
            yield f"{counts.get(key, 0)} {word}"


def _scores(
    numbers: Mapping[str, Any], other: Mapping[str, Any], rule: str, against: str
) -> Iterable[str]:
    width = max(map(len, numbers), default=0)
    yield f"{'':{width}}  {rule:>22}" + (f"  {against:>22}" if against else "")
    for name, number in numbers.items():
        line = f"{name:{width}}  {_number(number):>22}"
        if name in other:
            change = other[name].printed - number.printed
            line += f"  {_number(other[name]):>22}  {change:+.4f}"
        yield f"{line}  n {number.n} {number.unit}"


def _differences(report: Any, show: int) -> Iterable[str]:
    for item in report.differences[:show]:
        first = next(iter(item.values), "")
        before, after = item.values.get(first, 0.0), item.other_values.get(first, 0.0)
        text = " ".join(item.prediction.split())[:90]
        yield (
            f"  {item.id}  gold {item.gold[:40]}  {first} {before:g} -> {after:g}  "
            f"read {item.read!r} -> {item.other_read!r}  {text!r}"
        )
    if len(report.differences) > show:
        yield f"  and {len(report.differences) - show} more (--show N, or --json for all)"


@score.command("rules")
@click.argument("name", required=False)
def rules_(name: str | None) -> None:
    """Show a benchmark's rules, splits and files; without a name, all benchmarks.

    \b
    Examples:
      vidpost score rules
      vidpost score rules mmvu
    """
    from reproductions.benchmarks._base import get, names

    if name is None:
        for each in names():
            one = get(each)
            variants = "".join(f" :{v}" for v in one.variants)
            row = f"{each:24} {one.shape.name:10} {', '.join(one.rules)}{variants}"
            click.echo(wrapped(row))
        return
    benchmark = _benchmark(name)
    lines = [
        f"{benchmark.id}  answers: {benchmark.shape.name}  metrics: {', '.join(benchmark.metrics)}",
        *(f"  {harness:12} {rule}" for harness, rule in benchmark.rules.items()),
        f"  all rules: {', '.join(benchmark.shape.rules)}",
        f"  reads most: {benchmark.shape.better or '-'}",
    ]
    for split, facts in benchmark.splits.items():
        size = f"{facts.size} questions" if facts.size else "size not published"
        secret = "" if facts.gold else ", answers not public"
        lines.append(f"  split {split}: {size}{secret}; {' or '.join(facts.files)}")
    if benchmark.variants:
        lines.append("  variants: " + ", ".join(f"{benchmark.id}:{v}" for v in benchmark.variants))
    lines.append(f"  hub {benchmark.hub or '-'}  licence {benchmark.license or 'not found'}")
    lines.append(f"  source {benchmark.source}")
    click.echo(wrapped("\n".join(lines)))


@score.command()
@click.argument("log", type=FILE)
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--to", "form", type=click.Choice(["lmms_eval", "vlmevalkit"]), required=True)
@BENCHMARK
@GOLD
@FIELD
@REPEATS
def export(
    log: Path,
    output: Path,
    form: str,
    name: str,
    gold: Path | None,
    fields: tuple[str, ...],
    repeats: str,
) -> None:
    """Write LOG as OUTPUT in lmms-eval's (.jsonl) or VLMEvalKit's (.tsv) format.

    \b
    Example:
      vidpost score export answers.jsonl samples.jsonl --to lmms_eval --benchmark mmvu
    """
    from reproductions.shared.evaluation import interop
    from reproductions.shared.evaluation.log_fields import LogError
    from reproductions.shared.evaluation.log_forms import InteropError
    from reproductions.shared.evaluation.score import score_log

    benchmark = _benchmark(name)
    first = next(iter(benchmark.rules.values()))
    try:
        report = score_log(
            log, benchmark, first, against="", gold=gold, fields=_pairs(fields, "field"),
            repeats=repeats,
        )  # fmt: skip
        answers = [(sample, answer) for sample, answer, _ in report.answers]
        if form == "lmms_eval":
            count = interop.to_lmms_eval(answers, output, {})
        else:
            count = interop.to_vlmevalkit(answers, output)
    except (LogError, InteropError) as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(f"{output}: {error.strerror}. Choose another file.") from None
    click.echo(f"{count} answers -> {output}")


@score.command()
@click.argument("card", type=FILE)
@click.option("--model", default="", help="Name of the model on the hub, for --form model-index.")
@click.option(
    "--form", type=click.Choice(["model-index", "eval-results"]), default="model-index",
    show_default=True,
)  # fmt: skip
def result(card: Path, model: str, form: str) -> None:
    """Print the block that reports a result CARD in a model repository on the hub.

    \b
    Examples:
      vidpost score result card.yaml --model my-org/my-model
      vidpost score result card.yaml --form eval-results
    """
    from reproductions.shared.evaluation import interop
    from reproductions.shared.evaluation.cards import CardError, read_card
    from reproductions.shared.evaluation.log_forms import InteropError
    from vidpost.catalog.loader import load

    try:
        found = read_card(card)
        catalog = load()
        benchmark = catalog.benchmarks.get(found.benchmark)
        if form == "eval-results":
            click.echo(interop.eval_result(found, benchmark), nl=False)
            return
        metric = catalog.metrics.get(found.metric)
        click.echo(interop.model_index(found, model or found.method, benchmark, metric), nl=False)
    except (CardError, InteropError) as error:
        raise UserError(str(error)) from None


@score.command()
@click.option("--train", multiple=True, required=True, help="Record file or folder of videos.")
@click.option("--eval", "evaluation", multiple=True, required=True, help="The same, to be tested.")
@click.option("--pixels/--no-pixels", default=True, help="Decode videos and compare pictures.")
@click.option("--distance", default=6, show_default=True, help="Differing bits of near pictures.")
@click.option("--show", default=SHOWN, show_default=True, help="Overlaps shown a kind.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def leakage(
    train: tuple[str, ...],
    evaluation: tuple[str, ...],
    pixels: bool,
    distance: int,
    show: int,
    as_json: bool,
) -> None:
    """Find evaluation videos that training has seen: by id, by file, and by their pictures.

    Exit code 1 if anything overlaps.

    \b
    Examples:
      vidpost score leakage --train train.jsonl --eval test.jsonl
      vidpost score leakage --train videos/train --eval videos/test --distance 4
    """
    from reproductions.shared.evaluation.leakage import LeakageError, overlap

    try:
        found = overlap(
            [Path(p) for p in train], [Path(p) for p in evaluation], pixels=pixels,
            distance=distance,
        )  # fmt: skip
    except LeakageError as error:
        raise UserError(str(error)) from None
    if as_json:
        click.echo(json.dumps(found.as_dict(), ensure_ascii=False, indent=1))
    else:
        click.echo("\n".join(found.lines(show)))
    if found.leaked:
        raise SystemExit(1)
