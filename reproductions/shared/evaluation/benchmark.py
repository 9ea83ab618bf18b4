"""Run a benchmark module: ask its questions in its own words, grade by its rule, write a card.

A folder a benchmark holds answers.jsonl (raw, continued where it stopped), predictions.jsonl
(graded under the rule), missing.json and card.yaml. Shards write answers of their own; the call
without a shard takes them over. What cannot be asked, fails or is cut off is counted and stands on
the card.

The headline is the number of the first of the benchmark's metrics that was computed; the card names
that metric.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import shorten
from typing import Any

from reproductions.shared import processes
from reproductions.shared.evaluation.cards import card_cost, run_facts, write_card
from reproductions.shared.evaluation.headline import BenchmarkError, headline_of, interval_of
from reproductions.shared.evaluation.protocol import build_protocol
from reproductions.shared.evaluation.runner import cost_of, evaluate, shard_of
from reproductions.shared.files import write_json, write_text
from reproductions.shared.inference.engine import Generator, Sampling
from reproductions.shared.method import Sample
from reproductions.shared.video.spec import FrameSpec
from vidpost.catalog.models import Protocol

SHOWN = 5
"""Missing videos that a card names; missing.json has all."""
KINDS = 3
"""Kinds of failure that a card names; predictions.jsonl has all."""


@dataclass(frozen=True)
class Asked:
    """How a model answers.

    Attributes:
        generator: The engine, cached or not.
        decode: (sample, generator) -> answer.
        spec: Frames that are shown.
        sampling: Of one plain answer.
        facts: Fields of the card that the model decides: kind, method, preset, variant, overrides,
            seeds, checkpoint, notes.
        identity: What tells this model, method and engine's settings from others.
        batch: Questions in work at a time.
        max_calls: Model calls a question, at most.
    """

    generator: Generator
    decode: Callable[[Sample, Generator], Any]
    spec: FrameSpec
    sampling: Sampling
    facts: Mapping[str, Any]
    identity: str
    batch: int = 32
    max_calls: int = 512


@dataclass(frozen=True)
class Outcome:
    """What came of a benchmark.

    Attributes:
        benchmark: Id, with ":variant" for a variant.
        rule: The rule's own name, after what was asked for.
        numbers: Name -> `Number`, the headline first; {} for a shard, without a verdict, and on
            all but the first of several processes.
        interval: Of the headline.
        counts: asked, total, missing, missing_videos, failed, unfinished (cut off), unread.
        sentence: Over how many items the score was computed, and why not all.
        folder: Where everything lies.
        card: The card, None where there is no score.
        groups: Breakdown -> group -> headline.
    """

    benchmark: str
    rule: str
    numbers: Mapping[str, Any]
    interval: tuple[float, float] | None
    counts: Mapping[str, int]
    sentence: str
    folder: Path
    card: Path | None
    groups: Mapping[str, Mapping[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "benchmark": self.benchmark,
            "rule": self.rule,
            "numbers": {k: {"value": n.printed, "n": n.n} for k, n in self.numbers.items()},
            "interval": self.interval,
            "counts": dict(self.counts),
            "over": self.sentence,
            "groups": {
                by: {k: {"value": n.printed, "n": n.n} for k, n in groups.items()}
                for by, groups in self.groups.items()
            },
            "folder": str(self.folder),
            "card": str(self.card) if self.card else None,
        }


def template(benchmark: Any, samples: Sequence[Sample]) -> dict[str, str]:
    """The wording of a benchmark for the protocol: its prompt around an empty question.

    The prompt's code stands in for a prompt that needs more of a sample than an empty one has.
    """
    found = {}
    for kind, one in {s.problem_type: s for s in samples}.items():
        empty = replace(
            one, id="", question="{question}", answer="", video=None, meta={}, task="",
            options=("A. {option}", "B. {option}") if one.options else (),
        )  # fmt: skip
        try:
            found[kind] = str(benchmark.prompt(empty))
        except (KeyError, IndexError, ValueError, TypeError, AttributeError):
            found[kind] = inspect.getsource(benchmark.prompt)
    return found


def run_benchmark(
    benchmark: Any,
    loaded: Any,
    asked: Asked,
    folder: Path,
    *,
    rules: str = "paper",
    limit: int | None = None,
    shard: tuple[int, int] | None = None,
    subtitles: bool = False,
    progress: Callable[[int], None] | None = None,
    name: str = "",
) -> Outcome:
    """Ask and score one benchmark.

    Args:
        benchmark: A `reproductions.benchmarks` module's `Benchmark`.
        loaded: Its questions, `Loaded`.
        asked: The model.
        folder: Takes answers, predictions and card; what is there of the same protocol is kept.
        rules: "paper", "lmms_eval", "vlmevalkit", or a rule of the benchmark.
        limit: At most this many questions, from the front.
        shard: (i, n), i from 1: only this part is asked, and nothing is scored.
        subtitles: Whether the prompts hold subtitles.
        progress: Called with the number of questions answered.
        name: "id:variant" for a variant, whose `id` is the benchmark's.

    Raises:
        BenchmarkError: No question can be asked, or no such rule.
        EvaluationError: Every question failed.
    """
    began = time.time()
    name = name or benchmark.id
    try:
        rule_name, rule = benchmark.rule(rules)
    except KeyError as error:
        raise BenchmarkError(str(error.args[0])) from None
    samples = list(loaded.samples)[:limit]
    if not samples:
        raise BenchmarkError(f"{name}: {loaded.sentence()} Put the videos in their place.")
    protocol = build_protocol(
        asked.spec.to_dict(),
        prompt_template=template(benchmark, samples),
        extractor=f"{name}.{rule_name}",
        extractor_version=1,
        sampling={
            "temperature": asked.sampling.temperature,
            "top_p": asked.sampling.top_p,
            "max_new_tokens": asked.sampling.max_new_tokens,
            "n": 1,
        },
        subtitles=subtitles,
    )
    # Answers do not depend on how they are read: another rule reads the same ones.
    unread = protocol.model_copy(update={"extractor": ""}).fingerprint()
    key = f"{unread}/{asked.identity}"
    folder.mkdir(parents=True, exist_ok=True)
    file = f"answers-{shard[0]}-of-{shard[1]}.jsonl" if shard else "answers.jsonl"
    part = shard_of(samples, shard)
    records = evaluate(
        asked.generator,
        part,
        _ungraded,  # type: ignore[arg-type]
        folder / file,
        asked.sampling,
        fingerprint=key,
        batch=asked.batch,
        decode=asked.decode,
        max_calls=asked.max_calls,
        prompt=benchmark.prompt,
        progress=progress,
        also=() if shard else sorted(folder.glob("answers-*-of-*.jsonl")),
    )
    counts = {
        "asked": len(part),
        "total": loaded.total,
        "missing": sum(loaded.missing.values()),
        "missing_videos": len(loaded.missing),
        "failed": sum("failure" in r for r in records),
        "unfinished": sum(not r["finished"] and "failure" not in r for r in records),
    }
    first = not processes.rank()
    if first:
        write_json(folder / "missing.json", {"videos": dict(loaded.missing), **counts})
    sentence = _sentence(loaded, len(part), counts)
    empty = Outcome(name, rule_name, {}, None, counts, sentence, folder, None, {})
    if shard is not None or not first:
        return empty
    answers = [None if "failure" in r else r["completion"] for r in records]
    if rule_name in benchmark.shape.judged:
        _write(folder, samples, records, None, rule_name)
        return empty
    graded = grade_all(rule, samples, answers)
    counts["unread"] = sum(_unread(s, g) for s, g in zip(samples, graded, strict=True))
    _write(folder, samples, records, graded, rule_name)
    numbers = benchmark.numbers(samples, graded)
    metric, headline = headline_of(benchmark, numbers)
    numbers = {headline: numbers[headline], **numbers}
    interval, how = interval_of(benchmark, samples, graded, headline)
    groups = {}
    for title, group in benchmark.by.items():
        found = _grouped(benchmark, samples, graded, group, headline)
        for number, members in found.items():
            groups[title if number == headline else f"{title} ({number})"] = members
    card = folder / "card.yaml"
    _card(card, benchmark, name, metric, samples, records, graded, numbers, interval, how, groups,
          protocol, asked, sentence, counts, began)  # fmt: skip
    return Outcome(name, rule_name, numbers, interval, counts, sentence, folder, card, groups)


def grade_all(rule: Any, samples: Sequence[Sample], answers: Sequence[Any]) -> list[Any]:
    """The graded answers; one on which the rule itself fails is unread and counts as wrong.

    What a model writes can be anything, and one answer must not take the others with it.
    """
    found = []
    for sample, answer in zip(samples, answers, strict=True):
        try:
            found.append(rule(sample, answer))
        except Exception as error:
            note = f"the rule cannot read it ({type(error).__name__})"
            found.append(replace(rule(sample, None), read=None, note=note))
    return found


def _unread(sample: Sample, graded: Any) -> bool:
    """Whether a rule understood nothing; some hand on the whole answer where no letter is."""
    read = graded.read
    if next(iter(graded.values.values()), 0.0) > 0:
        return False
    letters = {option[0] for option in sample.options if option[1:2] == "."}
    if read in (None, "") or sample.answer not in letters:
        return read in (None, "")
    found = re.match(r"\W*(\w)(?!\w)", str(read))
    return found is None or found[1] not in letters


def _ungraded(completions: Sequence[str], **_: Any) -> list[None]:
    """Answers are graded when all are there, by rules that look at the whole sample."""
    return [None] * len(completions)


def _sentence(loaded: Any, n: int, counts: Mapping[str, int]) -> str:
    """Over how many items, and why not all."""
    text = f"over {n} of {counts['total']} items"
    if counts["missing"]:
        names = ", ".join(list(loaded.missing)[:SHOWN])
        more = counts["missing_videos"] - SHOWN
        also = f" and {more} more" if more > 0 else ""
        text += (
            f"; {counts['missing']} need {counts['missing_videos']} videos that are missing "
            f"({names}{also})"
        )
    if counts["failed"]:
        text += f"; {counts['failed']} failed and count as wrong"
    if loaded.expected is not None and loaded.expected != counts["total"]:
        text += f"; {loaded.expected} are published for this split"
    return text


def _write(
    folder: Path,
    samples: Sequence[Sample],
    records: Sequence[Mapping[str, Any]],
    graded: Sequence[Any] | None,
    rule: str,
) -> None:
    """The prediction log under one rule."""
    rows = []
    for i, (sample, record) in enumerate(zip(samples, records, strict=True)):
        row = {k: v for k, v in record.items() if k not in ("score", "answer")}
        row |= {"prediction": record["completion"], "gold": sample.answer, "rule": rule}
        if graded is not None:
            one = graded[i]
            value = next(iter(one.values.values()), None)
            row |= {"read": one.read, "score": value, "values": dict(one.values), "note": one.note}
        rows.append(json.dumps(row, ensure_ascii=False, default=str) + "\n")
    write_text(folder / "predictions.jsonl", "".join(rows))


def _grouped(
    benchmark: Any,
    samples: Sequence[Sample],
    graded: Sequence[Any],
    group: Callable[[Sample], str],
    headline: str,
) -> dict[str, dict[str, Any]]:
    """Name of a number -> group -> the number; the headline where a group has it."""
    members: dict[str, list[int]] = {}
    for i, sample in enumerate(samples):
        if label := group(sample):
            members.setdefault(label, []).append(i)
    found: dict[str, dict[str, Any]] = {}
    for label, part in sorted(members.items()):
        numbers = benchmark.shape.numbers([samples[i] for i in part], [graded[i] for i in part])
        if numbers:
            name = headline if headline in numbers else next(iter(numbers))
            found.setdefault(name, {})[label] = numbers[name]
    return found


def _card(
    path: Path,
    benchmark: Any,
    name: str,
    metric: str,
    samples: Sequence[Sample],
    records: Sequence[Mapping[str, Any]],
    graded: Sequence[Any],
    numbers: Mapping[str, Any],
    interval: tuple[float, float] | None,
    how: str,
    groups: Mapping[str, Mapping[str, Any]],
    protocol: Protocol,
    asked: Asked,
    sentence: str,
    counts: Mapping[str, int],
    began: float,
) -> None:
    headline, number = next(iter(numbers.items()))
    stage = asked.facts["checkpoint"]["stage"]
    scores = [
        {"name": stage, "task": _line(k), "n": max(1, n.n), "score": n.value}
        for k, n in numbers.items()
    ]
    scores += [
        {"name": stage, "task": _line(f"{by}: {k}"), "n": max(1, n.n), "score": n.value}
        for by, part in groups.items()
        for k, n in part.items()
    ]
    notes = [f"Headline {headline}, {sentence}.", *asked.facts.get("notes", ())]
    if name != benchmark.id:
        notes.insert(0, f"Variant {name.partition(':')[2]} of {benchmark.id}.")
    if counts["unfinished"]:
        notes.append(
            f"{counts['unfinished']} answers were cut off at their longest length, or made of one "
            "that was; what was written is scored."
        )
    if counts["unread"]:
        notes.append(f"{counts['unread']} answers could not be read and count as wrong.")
    broken = Counter(g.note for g in graded if g.note.startswith("the rule cannot read"))
    notes += [f"{n} of them: {note}." for note, n in broken.items()]
    failures: dict[str, list[str]] = {}
    for record in records:
        if "failure" in record:
            reason, place = _reason(record)
            failures.setdefault(reason, []).append(place)
    for reason, places in sorted(failures.items(), key=lambda f: -len(f[1]))[:KINDS]:
        notes.append(f"{len(places)} failed, {places[0]} for example: {reason}")
    if len(failures) > KINDS:
        notes.append(f"There are {len(failures) - KINDS} more kinds of failure.")
    if interval is None:
        notes.append(f"No interval could be computed ({how}).")
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(f"{sample.id}\0{sample.question}\0{sample.answer}\0".encode())
    write_card(
        path,
        {
            **{k: v for k, v in asked.facts.items() if k != "notes"},
            **run_facts(hours=round((time.time() - began) / 3600, 4)),
            "benchmark": benchmark.id,
            "benchmark_revision": f"questions {digest.hexdigest()[:12]}",
            "metric": metric,
            "task": name.partition(":")[2] or "all",
            "n": len(samples),
            "score": number.value,
            # No interval says nothing: the whole range of a fraction does the same.
            "interval": interval or (0.0, max(1.0, number.value)),
            "interval_method": how,
            "scores": scores,
            "cost": card_cost(cost_of(records)),
            "protocol": protocol,
            "notes": [_line(note) for note in notes],
        },
    )


def _reason(record: Mapping[str, Any]) -> tuple[str, str]:
    """Why a question failed, without the name of its video, and the video's name (or the id)."""
    text, video = str(record["failure"]), str(record["video"] or "")
    place = Path(video).name or str(record["id"])
    for path in (str(Path(video).resolve()), video) if video else ():
        text = text.replace(f"{path}: ", "").replace(path, "the video")
    return text, place


def _line(text: str) -> str:
    """One line, as long as a card's may be."""
    return shorten(text, 380, placeholder=" ...")
