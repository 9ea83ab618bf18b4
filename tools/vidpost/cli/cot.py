"""`vidpost cot`: chain-of-thought data from questions, by a model that looks at the frames."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidpost.cli.ask import model_options
from vidpost.cli.train import VIDEO_ROOT, fail, quiet_libraries, stopped

if TYPE_CHECKING:
    from reproductions.shared.cot import Item, Recipe
    from reproductions.shared.inference.engine import Generator
    from reproductions.shared.method import Sample
    from reproductions.shared.source import Source

EXAMPLES = """
\b
Examples:
  vidpost cot --data my.json --model Qwen/Qwen2.5-VL-7B-Instruct --out cot.jsonl
  vidpost cot --data my.json --model http://localhost:8000/v1 --drafter Qwen/Qwen3-VL-8B-Instruct \\
      --out cot.jsonl --candidates 8
  vidpost cot --run runs/decode-20261122-101500 --out cot.jsonl --draft given --own-prompt
"""


@click.command(epilog=EXAMPLES)
@click.option("--data", type=click.Path(path_type=Path), help="Your records (Video-R1 format).")
@VIDEO_ROOT
@click.option("--run", "run_folder", type=click.Path(path_type=Path), help="A run's training set.")
@click.option("--model", help="Who looks and refines: run folder, hub id or URL; default: the run.")
@click.option("--drafter", help="Who drafts from the metadata; default: the same model.")
@model_options
@click.option("--out", type=click.Path(path_type=Path), required=True, help="FILE.jsonl.")
@click.option(
    "--draft", type=click.Choice(["model", "given", "none"]), default="model", show_default=True,
    help="Drafts by the drafter, the records' own reasoning, or none.",
)  # fmt: skip
@click.option("--candidates", default=4, show_default=True, type=click.IntRange(min=1, max=256))
@click.option("--own-prompt", is_flag=True, help="Refine with the run's prompt, not the draft.")
@click.option(
    "--keep-draft", is_flag=True, help="Keep a draft that passes where nothing else does."
)
@click.option("--least", default=1.0, show_default=True, help="Reward from which one passes.")
@click.option("--words", default="3,800", show_default=True, help="Fewest and most words.")
@click.option("--temperature", default=1.0, show_default=True, type=click.FloatRange(min=0))
@click.option("--max-new-tokens", type=click.IntRange(min=1), help="Tokens a draft or candidate.")
@click.option("--seed", default=0, show_default=True, help="Seed of sampling.")
@click.option("--limit", type=click.IntRange(min=1), help="At most this many questions.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def cot(
    data: Path | None,
    video_root: Path | None,
    run_folder: Path | None,
    model: str | None,
    drafter: str | None,
    how: dict[str, Any],
    out: Path,
    draft: str,
    candidates: int,
    own_prompt: bool,
    keep_draft: bool,
    least: float,
    words: str,
    temperature: float,
    max_new_tokens: int | None,
    seed: int,
    limit: int | None,
    as_json: bool,
) -> None:
    """Write reasoning for questions, keep what is right, and say why the rest was dropped.

    FILE.jsonl holds records that `vidpost run --data` trains on; FILE.rejected.jsonl the others
    with their reasons. Stop it at any time: the same command goes on.
    """
    quiet_libraries()
    if (data is None) == (run_folder is None):
        fail("give --data FILE or --run FOLDER, not both and not neither.")
    if out.suffix != ".jsonl":
        fail(f"--out {out}: records are JSON lines. Name the file something.jsonl.")
    model = model or (str(run_folder) if run_folder else None)
    if model is None:
        fail("--model: say who refines (a run folder, a hub id, or a URL).")
    from reproductions.shared.cot import Recipe, distil, summary
    from reproductions.shared.inference.answers import AnswersError
    from reproductions.shared.inference.server import ServerError
    from reproductions.shared.progress import bar
    from reproductions.shared.rewards.rules import accuracy
    from reproductions.shared.settings import RunError
    from reproductions.shared.source import SourceError, open_source

    if max_new_tokens is not None:
        how["overrides"].setdefault("evaluate.max_new_tokens", max_new_tokens)
    try:
        samples, root, own = _samples(data, video_root, run_folder, limit)
        root = _root(samples, root, out)
        refiner = open_source(model, own=own, **how)
        writer = refiner
        if drafter is not None:
            writer = open_source(drafter, overrides=how["overrides"])
        recipe = Recipe(
            draft=draft,  # type: ignore[arg-type]
            show_draft=not own_prompt,
            candidates=candidates,
            keep_draft=keep_draft,
            least=least,
            words=_words(words),
            max_new_tokens=refiner.preset.evaluate.max_new_tokens,
            temperature=temperature,
            seed=seed,
        )
    except (SourceError, RunError) as error:
        fail(str(error))
    except ValueError as error:
        fail(f"the recipe cannot be: {error}")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with ExitStack() as stack, bar("chains of thought", len(samples)) as shown:
            items = distil(
                samples, _cached(refiner, out, stack), accuracy("video_r1"), recipe,
                _cached(writer, out, stack), shown.add,
            )  # fmt: skip
    except (ServerError, AnswersError, RunError, ValueError) as error:
        fail(f"{error}\nWhat was answered is kept; the same command goes on.")
    except KeyboardInterrupt:
        stopped("The same command goes on.")
    finally:
        refiner.close()
        if writer is not refiner:
            writer.close()
    counts = summary(items)
    rejected = write(items, out, root)
    counts |= {"file": str(out), "rejected": str(rejected), "video_root": str(root)}
    click.echo(json.dumps(counts, indent=1) if as_json else "\n".join(lines(counts, recipe)))


def _samples(
    data: Path | None, video_root: Path | None, run_folder: Path | None, limit: int | None
) -> tuple[list[Sample], Path | None, bool]:
    """(questions, folder of their videos, whether the videos are our own)."""
    from reproductions.shared.data import load_data, untaught
    from reproductions.shared.finished import open_run
    from reproductions.shared.settings import RunError

    if data is not None:
        from reproductions.datasets.video_r1_260k import RecordError, load

        root = video_root or data.parent
        try:
            found = load(data, root, images="skip")[:limit]
        except (RecordError, OSError) as error:
            raise RunError(str(error)) from None
        return found, root, False
    assert run_folder is not None
    run = open_run(run_folder)
    loaded = load_data(run.preset, run.options, run_folder / "cot")
    pool = next(iter(loaded.train.values()), [])
    plain = [untaught(s) for s in pool if s.video is not None]
    return plain[:limit], None, loaded.name == "synthetic"


def _root(samples: Sequence[Sample], root: Path | None, out: Path) -> Path:
    """The folder to which records name their videos: that of the records, else a common one."""
    from reproductions.shared.settings import RunError

    videos = [_absolute(Path(s.video)) for s in samples if s.video]
    if not videos:
        raise RunError("no question with a video. Check the records.")
    if root is not None:
        return root
    beside = _absolute(out.parent)
    if all(v.is_relative_to(beside) for v in videos):
        return beside
    return Path(os.path.commonpath([v.parent for v in videos]))


def _absolute(path: Path) -> Path:
    """Without "..", links not followed."""
    return Path(os.path.normpath(path.absolute()))


def _words(text: str) -> tuple[int, int]:
    parts = text.split(",")
    if len(parts) != 2 or not all(p.strip().isdigit() for p in parts):
        fail(f"--words {text}: write two numbers, 3,800.")
    return int(parts[0]), int(parts[1])


def _cached(source: Source, out: Path, stack: ExitStack) -> Generator:
    """The engine behind a journal beside the records."""
    cached = source.cached(out.with_name(f".{out.stem}.answers"), "cot")
    stack.callback(cached.close)
    return cached


def write(items: Sequence[Item], out: Path, root: Path) -> Path:
    """Write the records that were kept, and the others with their reasons; returns their file."""
    from reproductions.shared.cot import record_of
    from reproductions.shared.files import write_text

    rejected = out.with_name(f"{out.stem}.rejected.jsonl")
    kept = [json.dumps(record_of(i, root), ensure_ascii=False) + "\n" for i in items if i.kept]
    rows: list[dict[str, Any]] = [
        {
            "problem_id": i.sample.id,
            "problem": i.sample.question,
            "task": i.sample.task,
            "reason": i.reason,
            "reward": i.reward,
            "tried": i.tried,
            "draft": i.draft,
        }
        for i in items
        if not i.kept
    ]
    write_text(out, "".join(kept))
    write_text(rejected, "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))
    return rejected


def lines(counts: dict[str, Any], recipe: Recipe) -> list[str]:
    """The summary for people."""
    reasons = ", ".join(f"{n} {reason}" for reason, n in counts["reasons"].items())
    rows = [
        f"{counts['kept']} of {counts['samples']} kept ({reasons})",
        f"{counts['tried']} candidates looked at, at most {recipe.candidates} a question"
        + (f"; {counts['words']:.1f} words a kept one" if counts["kept"] else ""),
    ]
    rows += [
        f"  {task:24} " + ", ".join(f"{n} {reason}" for reason, n in part.items())
        for task, part in counts["tasks"].items()
    ]
    rows += [f"records   {counts['file']}", f"rejected  {counts['rejected']}"]
    if counts["kept"]:
        rows.append(
            f"train on them: vidpost run METHOD --data {counts['file']} "
            f"--video-root {counts['video_root']}"
        )
    else:
        rows.append(
            "There is nothing to train on. Take a stronger --model or --drafter, give more "
            "--candidates or wider --words, lower --least, or keep the drafts (--keep-draft)."
        )
    return rows
