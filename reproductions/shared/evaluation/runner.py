"""Evaluate a generator on samples: ask, extract, score, and keep every answer.

Predictions are appended as they arrive, so an interrupted evaluation continues where it stopped. A
record is used again for the same protocol and the same question alone: its text, options, gold and
the content of its video. A question whose strategy fails is written down with the reason, counts as
wrong, and is asked again by the next call.

Of several processes each asks a share, in a file of its own until all are done; then all have all
records, as one process would have had them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from reproductions.shared import processes
from reproductions.shared.files import write_text
from reproductions.shared.inference.answers import AnswersError, sample_key
from reproductions.shared.inference.batched import Seat, together
from reproductions.shared.inference.engine import Generator, Prediction, Request, Sampling
from reproductions.shared.inference.meter import Cost, Metered
from reproductions.shared.method import RewardFunction, Sample
from reproductions.shared.rewards.tags import extract_tag

EXTRACTOR = ("video_r1_safe", 1)
"""Name and version of the answer extraction and matching rule used below."""

MAX_TRACE, MAX_TEXT = 256, 2000
"""Records of a trace, and characters of a text in it, that are kept."""


class EvaluationError(RuntimeError):
    """No question could be answered: something is wrong that is not the questions."""


def evaluate(
    generator: Generator,
    samples: Sequence[Sample],
    score: RewardFunction,
    path: Path,
    sampling: Sampling,
    *,
    fingerprint: str,
    batch: int = 32,
    decode: Callable[[Sample, Generator], Prediction | str] | None = None,
    max_calls: int = 512,
    prompt: Callable[[Sample], str] | None = None,
    times: Callable[[Sample], Sequence[float]] | None = None,
    progress: Callable[[int], None] | None = None,
    also: Sequence[Path] = (),
) -> list[dict[str, Any]]:
    """Ask every question once and score the answers.

    Args:
        generator: The engine.
        samples: The questions.
        score: Accuracy with TRL's reward signature.
        path: JSON lines file: first the protocol's fingerprint, then one record a question.
        sampling: How answers are sampled, without `decode`.
        fingerprint: Identity of model and protocol; a file with another one is started anew.
        batch: Questions in work at a time.
        decode: (sample, generator) -> answer; None: one answer to the run's prompt.
        max_calls: Model calls a question, at most.
        prompt: (sample) -> prompt text, for the record.
        times: (sample) -> seconds of the frames seen, for the record.
        progress: Called with the number of questions answered.
        also: Files of other calls, for example of shards, whose records are taken over.

    Returns:
        One record a question, in the order of `samples`; "key" is the question's content.

    Raises:
        EvaluationError: Every question failed.
        AnswersError: The answers cannot be kept.
    """
    key = sample_key(path.parent / "cache" / "videos")
    with processes.main_first():
        done = _finished(path, fingerprint, also)
        done = {s.id: done[s.id] for s in samples if s.id in done and done[s.id]["key"] == key(s)}
    todo = [s for s in samples if s.id not in done]
    own = shard_of(todo, (processes.rank() + 1, processes.count()))
    if progress is not None and done:
        progress(len(samples) - len(todo))

    def plain(sample: Sample, engine: Generator) -> str:
        return engine.generate([Request(sample)], sampling)[0][0].text

    def work(sample: Sample, seat: Seat) -> tuple[Prediction, Metered, str]:
        meter = Metered(seat, max_calls)
        try:
            answer = (decode or plain)(sample, meter)
        except AnswersError:  # a full disk: no fault of the question
            raise
        except Exception as error:
            return Prediction(""), meter, f"{type(error).__name__}: {error}"[:MAX_TEXT]
        return answer if isinstance(answer, Prediction) else Prediction(str(answer)), meter, ""

    found: list[dict[str, Any]] = []
    with _own_file(path, fingerprint).open("a", encoding="utf-8") as file:
        for sample, result in together(generator, own, work, batch):
            if isinstance(result, Exception):  # not of this question alone
                raise result
            prediction, meter, failure = result
            (value,) = score(
                prompts=[sample.question],
                completions=[prediction.text],
                solution=[sample.answer],
                problem_type=[sample.problem_type],
                options=[list(sample.options)],
            )
            record = {
                "id": sample.id,
                "key": key(sample),
                "task": sample.task,
                "problem_type": sample.problem_type,
                "question": sample.question,
                "prompt": _noted(prompt, sample, ""),
                "options": list(sample.options),
                "gold": sample.answer,
                "completion": prediction.text,
                "answer": extract_tag(prediction.text),
                "score": 0.0 if failure else value,
                "finished": meter.finished and not failure,
                **meter.cost.to_dict(),
                "video": sample.video,
                "times": _moments(prediction) or list(_noted(times, sample, ())),
            }
            if prediction.evidence:
                record["evidence"] = [list(span) for span in prediction.evidence]
            if prediction.trace:
                record["trace"] = [_bounded(step) for step in prediction.trace[:MAX_TRACE]]
            if failure:
                record["failure"] = failure
            found.append(record)
            file.write(json.dumps(record) + "\n")
            file.flush()
            if progress is not None:  # of several processes one tells, for all
                n = len(found)
                progress(n * len(todo) // len(own) - (n - 1) * len(todo) // len(own))
    if processes.count() > 1:
        by_id = {r["id"]: r for r in processes.collect(found)}
        found = [by_id[s.id] for s in todo]
        if not processes.rank():
            _write(path, fingerprint, [*done.values(), *found])
    failures = [r["failure"] for r in found if "failure" in r]
    if failures and len(failures) == len(todo) == len(samples):
        raise EvaluationError(f"every question failed, the first with: {failures[0]}")
    done |= {r["id"]: r for r in found}
    return [done[s.id] for s in samples]


def shard_of(samples: Sequence[Sample], shard: tuple[int, int] | None) -> list[Sample]:
    """The samples of shard i of n (from 1); all questions about a video are in one shard."""
    if shard is None or shard == (1, 1):
        return list(samples)
    names = {name: k for k, name in enumerate(dict.fromkeys(s.video or s.id for s in samples))}
    return [s for s in samples if names[s.video or s.id] % shard[1] == shard[0] - 1]


def cost_of(records: Sequence[Mapping[str, Any]]) -> dict[str, int | float]:
    """The sums of what the records cost: model calls, tokens, frames, seconds."""
    total = {name: sum(r.get(name, 0) for r in records) for name in Cost().to_dict()}
    return total | {"seconds": round(total["seconds"], 2)}


def _noted(read: Callable[[Sample], Any] | None, sample: Sample, default: Any) -> Any:
    """What a record notes beside the answer; what fails here has failed the answer already."""
    try:
        return read(sample) if read is not None else default
    except Exception:
        return default


def _moments(prediction: Prediction, most: int = 16) -> list[float]:
    """Seconds of pictures that show the evidence."""
    spans = prediction.evidence[:most]
    each = max(1, most // max(1, len(spans)))
    return sorted({round(a + (b - a) * (i + 0.5) / each, 3) for a, b in spans for i in range(each)})


def _bounded(value: Any) -> Any:
    """A trace's values as JSON, texts cut."""
    if isinstance(value, Mapping):
        return {str(k): _bounded(v) for k, v in list(value.items())[:64]}
    if isinstance(value, list | tuple):
        return [_bounded(v) for v in value[:256]]
    if isinstance(value, str):
        return value[:MAX_TEXT]
    return value if isinstance(value, int | float | bool | None) else repr(value)[:MAX_TEXT]


def _header(fingerprint: str) -> str:
    return json.dumps({"fingerprint": fingerprint}) + "\n"


def _parts(path: Path) -> list[Path]:
    """What several processes have written so far."""
    return sorted(path.parent.glob(f"{path.name}.part-*"))


def _own_file(path: Path, fingerprint: str) -> Path:
    """The file that this process appends to."""
    if processes.count() == 1:
        return path
    own = path.with_name(f"{path.name}.part-{processes.rank()}")
    write_text(own, _header(fingerprint))
    return own


def _finished(path: Path, fingerprint: str, also: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Records of earlier calls by id; starts the file if there is nothing to keep.

    The first process takes over what others have written, and the rest read it from there.
    """
    records: dict[str, dict[str, Any]] = {}
    files = [path] if processes.rank() else [*also, path, *_parts(path)]  # the newest last
    for file in [p for p in files if p.exists()]:
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        if lines[:1] != [_header(fingerprint)]:
            continue
        for line in lines[1:]:
            if not line.endswith("\n"):  # cut off in the middle of a write
                break
            with suppress(ValueError, KeyError, TypeError):  # a line that a full disk cut off
                record = json.loads(line)
                if "failure" not in record and record["key"]:  # what failed is asked again
                    records[record["id"]] = record
    if not processes.rank():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, fingerprint, list(records.values()))
    return records


def _write(path: Path, fingerprint: str, records: Sequence[Mapping[str, Any]]) -> None:
    """The whole file; parts that it was made of go."""
    write_text(path, _header(fingerprint) + "".join(json.dumps(r) + "\n" for r in records))
    for part in _parts(path):
        part.unlink()
