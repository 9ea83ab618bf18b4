"""`vidpost ask`: a question about one's own video, answered by any test-time method."""

from __future__ import annotations

import functools
import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidpost.cli.train import fail, parse_overrides, quiet_libraries, stopped

if TYPE_CHECKING:
    from reproductions.shared.inference.engine import Completion, Generator, Request, Sampling
    from reproductions.shared.method import Sample
    from reproductions.shared.source import Source

EXAMPLES = """
\b
Examples:
  vidpost ask clip.mp4 "What happens first?" --model Qwen/Qwen2.5-VL-7B-Instruct
  vidpost ask clip.mp4 "Which way does it go?" --options left --options right \\
      --method cyberv --model http://localhost:8000/v1
  vidpost ask clip.mp4 "How many?" --model runs/video_r1-20261122-101500 --json
"""
MODEL_OPTIONS = (
    click.option(
        "--engine",
        type=click.Choice(["auto", "hf", "vllm", "server"]),
        default="auto",
        show_default=True,
        help="What computes; a URL is a server.",
    ),
    click.option("--checkpoint", help="Stage of a run; default: its last one."),
    click.option("--served", help="Name of the model, on a server with several."),
    click.option("--revision", help="Commit, tag or branch of a model on the hub."),
    click.option("--frames", type=click.IntRange(min=2), help="Frames a video, evenly spaced."),
    click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="Override a setting."),
)


def model_options(command: Any) -> Any:
    """The options by which a model is opened; they arrive as one, `how`, for `open_source`."""

    @functools.wraps(command)
    def gathered(
        *,
        engine: str,
        checkpoint: str | None,
        served: str | None,
        revision: str | None,
        frames: int | None,
        pairs: tuple[str, ...],
        **others: Any,
    ) -> Any:
        how = {
            "engine": engine, "checkpoint": checkpoint, "served": served, "revision": revision,
            "frames": frames, "overrides": parse_overrides(pairs),
        }  # fmt: skip
        return command(how=how, **others)

    with_options = gathered
    for option in reversed(MODEL_OPTIONS):
        with_options = option(with_options)
    return with_options


def opened(model: str, **how: Any) -> Source:
    """`source.open_source`; what is wrong ends the command."""
    from reproductions.shared.source import SourceError, open_source

    try:
        return open_source(model, **how)
    except SourceError as error:
        fail(str(error))


@click.command(epilog=EXAMPLES)
@click.argument("video", type=click.Path(path_type=Path))
@click.argument("question")
@click.option("--model", required=True, help="Run folder, hub id, or http(s) URL.")
@click.option("--options", multiple=True, help="An option to choose from; give it several times.")
@click.option("--method", default="decode", show_default=True, help="Test-time method.")
@model_options
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def ask(
    video: Path,
    question: str,
    model: str,
    options: tuple[str, ...],
    method: str,
    how: dict[str, Any],
    as_json: bool,
) -> None:
    """Answer QUESTION about VIDEO, with the evidence and the cost."""
    quiet_libraries()
    sample = _sample(video, question, options)
    click.echo(f"opening {model}", err=True)
    source = opened(model, method=method, **how)
    try:
        found = answer(source, sample)
    except KeyboardInterrupt:
        stopped()
    finally:
        source.close()
    click.echo(json.dumps(found, indent=1) if as_json else "\n".join(lines(found)))
    if found["failure"]:
        fail(found["failure"], 1)


def _sample(video: Path, question: str, options: Sequence[str]) -> Sample:
    """The question, after the video was looked at."""
    from reproductions.shared.method import Sample
    from reproductions.shared.video.quarantine import Quarantined, safe_probe

    if not video.is_file():
        fail(f"{video}: no such file. Give the path of a video.")
    if not question.strip():
        fail("the question is empty. Write it in quotation marks after the video.")
    if len(options) == 1 or len(options) > 26:
        fail(f"--options: {len(options)} given. Give from 2 to 26, or none for an open question.")
    about = safe_probe(str(video))
    if isinstance(about, Quarantined):
        fail(f"{video}: cannot be read as a video. {about.reason}")
    # Who writes the letters along means the same.
    marks = [re.match(rf"\(?{chr(65 + i)}[.):]\s+(?=\S)", text) for i, text in enumerate(options)]
    if all(marks):
        options = [text[m.end() :] for text, m in zip(options, marks, strict=True) if m]
    lettered = tuple(f"{chr(65 + i)}. {text}" for i, text in enumerate(options))
    kind = "multiple choice" if options else "free-form"
    return Sample(video.stem, question, "", kind, lettered, str(video))


class _Told:
    """A generator that says on stderr what it is asked, and notes which moments were shown."""

    def __init__(self, generator: Generator, source: Source) -> None:
        self.generator, self.source = generator, source
        self.began = time.perf_counter()
        self.calls = 0
        self.times: set[float] = set()
        self.last: tuple[float, ...] = ()

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion]]:
        """See `Generator.generate`."""
        answers = self.generator.generate(requests, sampling)
        for request, several in zip(requests, answers, strict=True):
            self.calls += 1
            self.last = _moments(self.source, request) or self.last
            self.times |= set(self.last)
            written = sum(len(a.ids) for a in several)
            frames = several[0].frames if several else 0
            text = " ".join(several[0].text.split())[:60] if several else ""
            click.echo(
                f"{time.perf_counter() - self.began:6.1f} s  call {self.calls}: {frames} frames, "
                f"{len(several)} answer{'s' * (len(several) != 1)}, {written} tokens  {text}",
                err=True,
            )
        return answers


def _moments(source: Source, request: Request) -> tuple[float, ...]:
    """Seconds of all frames of the asked video that a request shows."""
    from reproductions.shared.models.show import shown_spec

    encoder, path = source.encoder, str(request.sample.video)
    messages = request.messages or encoder.conversation(request.sample)
    about = encoder.read.info(path)  # type: ignore[attr-defined]
    found: set[float] = set()
    for message in messages:
        if message.shows is not None and message.shows.video is None:
            spec = shown_spec(source.spec, about, message.shows, path)
            found |= {round(float(t), 3) for _, t in spec.resolve(about)}
    return tuple(sorted(found))


def answer(source: Source, sample: Sample) -> dict[str, Any]:
    """Ask, and gather what is shown: answer, evidence, trace, cost."""
    from reproductions.benchmarks._choice import careful
    from reproductions.shared.inference.engine import Prediction
    from reproductions.shared.inference.meter import Metered
    from reproductions.shared.inference.server import ServerError
    from reproductions.shared.rewards.tags import extract_tag

    told = _Told(source.generator, source)
    most = source.preset.decode.max_calls if source.preset.decode else 512
    meter = Metered(told, most)
    began, failure = time.perf_counter(), ""
    found: Prediction | str = ""
    try:
        found = source.strategy()(sample, meter)
    except ServerError as error:
        failure = str(error)
    except Exception as error:
        failure = f"{source.method.id} failed ({type(error).__name__}: {error})"
    prediction = found if isinstance(found, Prediction) else Prediction(found)
    text = extract_tag(prediction.text, default=prediction.text).strip()
    letters = [o[0] for o in sample.options]
    read = careful(prediction.text, letters, {o[0]: o[3:] for o in sample.options})
    chosen = next((o for o in sample.options if o[0] == read), "") if letters else ""
    notes = []
    if letters and not chosen and not failure:
        notes.append("the answer names none of the options, or several")
    if not meter.finished and not failure:
        notes.append("an answer was cut off at its longest length")
    limits = getattr(source.generator, "limits", "")
    if limits and source.method.decode is not None:
        notes.append(limits)
    return {
        "video": sample.video,
        "question": sample.question,
        "options": list(sample.options),
        "answer": text,
        "option": chosen,
        "text": prediction.text,
        "model": source.name,
        "engine": source.engine,
        "method": source.method.id,
        "evidence": [list(span) for span in prediction.evidence],
        "frames": list(told.last),
        "looked_at": sorted(told.times),
        "trace": [dict(step) for step in prediction.trace],
        "finished": meter.finished and not failure,
        "cost": meter.cost.to_dict()
        | {"frames_encoded": meter.cost.frames, "seconds": round(time.perf_counter() - began, 3)},
        "failure": failure,
        "notes": notes,
    }


def lines(found: dict[str, Any]) -> list[str]:
    """What `answer` found, for people."""
    if found["failure"]:
        return []
    cost = found["cost"]
    spans = ", ".join(f"{a:.1f} to {b:.1f} s" for a, b in found["evidence"])
    times = " ".join(f"{t:.1f}" for t in found["frames"][:64])
    rows = [
        f"answer    {found['option'] or found['answer'] or '(none)'}",
        f"evidence  {spans or 'no span named'}",
        f"frames    {times or 'none'} s in the last look; {len(found['looked_at'])} in all",
    ]
    rows += [f"step      {_step(step)}" for step in found["trace"]]
    rows += [f"note      {note}" for note in found["notes"]]
    rows.append(
        f"cost      {cost['calls']} calls, {cost['answers']} answers, {cost['tokens_in']} tokens "
        f"in, {cost['tokens_out']} out, {cost['frames_decoded']} frames decoded, "
        f"{cost['frames']} encoded, {cost['seconds']:.1f} s"
    )
    return rows


def _step(step: Any) -> str:
    """A record of a trace as one line."""
    rest = [f"{k} {_short(v)}" for k, v in step.items() if k != "step"]
    return "  ".join([str(step.get("step", "")), *rest])


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, dict):
        return ", ".join(f"{k}: {_short(v)}" for k, v in list(value.items())[:16])
    if isinstance(value, list | tuple):
        return " ".join(_short(v) for v in list(value)[:16])
    return " ".join(str(value).split())[:200]
