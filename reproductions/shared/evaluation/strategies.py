"""Test-time methods at evaluation: the same checkpoint and questions, another way of answering.

A checkpoint's one greedy answer, self-consistency at the cost of the method, and the method itself
answer the same questions; predictions, costs and paired tests of all three stand in one report.
"""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from reproductions.shared.decoding.voting import self_consistency
from reproductions.shared.evaluation.runner import evaluate
from reproductions.shared.inference.engine import Generator, Sampling
from reproductions.shared.inference.hf import HFGenerator
from reproductions.shared.inference.meter import Metered
from reproductions.shared.method import Context, Method, RewardFunction, Sample
from reproductions.shared.models.encode import Encoder
from reproductions.shared.models.load import load_model, load_processor
from reproductions.shared.progress import bar
from vidpost.catalog.preset import Decoding, Preset

SELF_CONSISTENCY = "self_consistency"
"""The strategy that spends its compute on votes: what every other one is compared with."""

MOST_VOTES = 128
VOTE_TEMPERATURE = 0.7
"""Wang et al., arXiv 2203.11171, Sec. 3.1."""

MOST_CANDIDATES = 4096
"""Moments that a `frames` hook may choose from."""


def engine_of(
    source: str | Path, method: Method, preset: Preset, read: Callable[..., Any], device: str
) -> HFGenerator:
    """A checkpoint as a generator.

    Args:
        source: Its folder or hub id.
        method: Over its baseline; `prompt` and `frames` are used.
        preset: Settings of the run.
        read: Reads the frames of a video.
        device: "cpu" or "cuda".
    """
    model = load_model(source, preset.model, device=device)
    processor = load_processor(source, None if Path(source).is_dir() else preset.model.revision)
    assert method.prompt is not None
    encoder = Encoder(processor, model, read, method.prompt, choose=chooser(method, preset, read))
    return HFGenerator(model, encoder, rows=preset.evaluate.batch_size)


def ask(
    name: str,
    generator: HFGenerator,
    preset: Preset,
    samples: Sequence[Sample],
    score: RewardFunction,
    folder: Path,
    fingerprint: str,
    decode: Callable[[Sample, Generator], Any] | None = None,
) -> list[dict[str, Any]]:
    """Prediction records, kept in predictions/<name>.jsonl of `folder`.

    Args:
        name: Name of the checkpoint, with "+<strategy>" for a strategy on it.
        generator: The checkpoint.
        preset: Settings of the run.
        samples: The questions.
        score: Score of an answer.
        folder: Run folder.
        fingerprint: A file with another one is started anew.
        decode: The strategy; None: one answer to the run's prompt.
    """
    settings = preset.decode or Decoding()
    encoder = generator.encoder
    with bar(f"evaluating {name}", len(samples)) as shown:
        return evaluate(
            generator,
            samples,
            score,
            folder / "predictions" / f"{name}.jsonl",
            sampling_of(preset),
            fingerprint=fingerprint,
            batch=preset.evaluate.batch_size if decode is None else settings.workers,
            decode=decode,
            max_calls=settings.max_calls,
            prompt=encoder.text,
            times=(lambda s: encoder(s).times) if decode is None else None,
            progress=shown.add,
        )


def strategies(
    name: str,
    generator: HFGenerator,
    method: Method,
    preset: Preset,
    samples: Sequence[Sample],
    score: RewardFunction,
    folder: Path,
    fingerprint: str,
    greedy: Sequence[Mapping[str, Any]],
    examples: Sequence[Sample] = (),
    frozen: Generator | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Records of a test-time method on a checkpoint, and of as costly a self-consistency.

    Args:
        name: Name of the checkpoint.
        generator: The checkpoint.
        method: Over its baseline; sets `decode`.
        preset: Settings of the run.
        samples: The questions.
        score: Score of an answer.
        folder: Run folder.
        fingerprint: Of checkpoint and protocol.
        greedy: Records of one greedy answer a question.
        examples: Solved questions that the method may show.
        frozen: The checkpoint that the last stage started from, for methods that need it as well.

    Returns:
        {"<checkpoint>+self_consistency": records, "<checkpoint>+<method>": records}, without the
        first where the method is self-consistency itself.
    """
    hook = method.decode
    assert hook is not None
    context = contexts(preset, generator.encoder.read, examples)

    def own(sample: Sample, engine: Generator) -> Any:
        known = context(sample)
        if frozen is not None and isinstance(engine, Metered):
            known = replace(known, frozen=engine.beside(frozen))
        return hook(sample, engine, known)

    code = Path(inspect.getfile(hook)).read_bytes()
    settings = preset.decode.model_dump_json() if preset.decode else ""
    given = f"{settings}/{preset.variant}/{[e.id for e in examples]}".encode()
    key = f"{fingerprint}/{method.id}/{hashlib.sha256(code + given).hexdigest()[:16]}"
    mine = ask(f"{name}+{method.id}", generator, preset, samples, score, folder, key, own)
    if method.id == SELF_CONSISTENCY:
        return {f"{name}+{method.id}": mine}
    n = equal_votes(greedy, mine)
    warm = replace(sampling_of(preset), temperature=VOTE_TEMPERATURE)

    def vote(sample: Sample, engine: Generator) -> Any:
        return self_consistency(sample, engine, n, warm)

    votes = f"{name}+{SELF_CONSISTENCY}"
    key = f"{fingerprint}/{SELF_CONSISTENCY}/{n}"
    records = ask(votes, generator, preset, samples, score, folder, key, vote)
    return {votes: records, f"{name}+{method.id}": mine}


def equal_votes(greedy: Sequence[Mapping[str, Any]], spent: Sequence[Mapping[str, Any]]) -> int:
    """How many votes cost as much as a strategy did, counted in tokens read and written.

    A prompt is read once however many answers it gets, so n votes cost in + n x out; out is that of
    the greedy answers, and what the votes really cost stands beside the strategy's.
    """
    read = sum(r["tokens_in"] for r in greedy)
    written = max(1, sum(r["tokens_out"] for r in greedy))
    total = sum(r["tokens_in"] + r["tokens_out"] for r in spent)
    return min(MOST_VOTES, max(1, math.ceil((total - read) / written)))


def sampling_of(preset: Preset) -> Sampling:
    """How the preset samples its one answer."""
    settings = preset.evaluate
    return Sampling(settings.temperature, settings.top_p, 0, settings.max_new_tokens, preset.seed)


class _Settings(dict[str, Any]):
    """The settings that are set; asking for another one says which key to set."""

    def __missing__(self, key: str) -> Any:
        raise ValueError(f"decode.{key}: not set. Set it in the preset, or --set decode.{key}=...")


def contexts(
    preset: Preset, read: Callable[..., Any], examples: Sequence[Sample] = ()
) -> Callable[[Sample], Context]:
    """(sample) -> what a `decode` or `frames` hook may know about the run and the sample."""
    settings = _Settings((preset.decode or Decoding()).model_dump(exclude_none=True))
    settings["answer_tokens"] = preset.evaluate.max_new_tokens
    info, times = getattr(read, "info", None), getattr(read, "times", None)

    def context(sample: Sample) -> Context:
        return Context(
            variant=preset.variant,
            seed=preset.seed,
            settings=settings,
            rng=Random(f"{preset.seed}/{sample.id}"),
            duration=info(sample.video).duration if info and sample.video else 0.0,
            examples=examples,
            times=times(sample.video) if times and sample.video else (),
        )

    return context


def chooser(
    method: Method, preset: Preset, read: Callable[..., Any]
) -> Callable[[Sample], Sequence[float] | None] | None:
    """The hook `frames` as an `Encoder` takes it: (sample) -> seconds of the frames to show."""
    hook, info = method.frames, getattr(read, "info", None)
    if hook is None or info is None:
        return None
    context = contexts(preset, read)

    def choose(sample: Sample) -> Sequence[float] | None:
        about = info(sample.video)
        stride = math.ceil(about.frames / MOST_CANDIDATES)
        candidates = [about.time(i) for i in range(0, about.frames, stride)]
        return tuple(float(t) for t in hook(sample, candidates, context(sample)))

    return choose
