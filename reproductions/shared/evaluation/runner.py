"""Evaluate a generator on samples: ask, extract, score, and keep every answer.

Predictions are appended as they arrive, so an interrupted evaluation continues where it stopped; a
file that belongs to another protocol is not reused.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from reproductions.shared.inference.engine import Generator, Request, Sampling
from reproductions.shared.method import RewardFunction, Sample
from reproductions.shared.rewards.tags import extract_tag

EXTRACTOR = ("video_r1_safe", 1)
"""Name and version of the answer extraction and matching rule used below."""


def evaluate(
    generator: Generator,
    samples: Sequence[Sample],
    score: RewardFunction,
    path: Path,
    sampling: Sampling,
    *,
    fingerprint: str,
    batch: int = 32,
    prompt: Callable[[Sample], str] | None = None,
    times: Callable[[Sample], Sequence[float]] | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[dict[str, Any]]:
    """Ask every question once and score the answers.

    Args:
        generator: The engine.
        samples: The questions.
        score: Accuracy with TRL's reward signature.
        path: JSON lines file: first the protocol's fingerprint, then one record a question.
        sampling: How answers are sampled.
        fingerprint: Identity of model and protocol; a file with another one is started anew.
        batch: Questions a call.
        prompt: (sample) -> prompt text, for the record.
        times: (sample) -> seconds of the frames seen, for the record.
        progress: Called with the number of questions answered.

    Returns:
        One record a question, in the order of `samples`.
    """
    done = _finished(path, fingerprint)
    todo = [s for s in samples if s.id not in done]
    if progress is not None and done:
        progress(len(samples) - len(todo))
    with path.open("a", encoding="utf-8") as file:
        for start in range(0, len(todo), batch):
            part = todo[start : start + batch]
            began = time.perf_counter()
            answers = [a[0] for a in generator.generate([Request(s) for s in part], sampling)]
            seconds = (time.perf_counter() - began) / len(part)
            scores = score(
                prompts=[s.question for s in part],
                completions=[a.text for a in answers],
                solution=[s.answer for s in part],
                problem_type=[s.problem_type for s in part],
                options=[list(s.options) for s in part],
            )
            for sample, answer, value in zip(part, answers, scores, strict=True):
                record = {
                    "id": sample.id,
                    "task": sample.task,
                    "problem_type": sample.problem_type,
                    "question": sample.question,
                    "prompt": prompt(sample) if prompt is not None else "",
                    "options": list(sample.options),
                    "gold": sample.answer,
                    "completion": answer.text,
                    "answer": extract_tag(answer.text),
                    "score": value,
                    "finished": answer.finished,
                    "tokens_in": answer.prompt_tokens,
                    "tokens_out": len(answer.ids),
                    "frames": answer.frames,
                    "seconds": round(seconds, 4),
                    "video": sample.video,
                    "times": list(times(sample)) if times is not None else [],
                }
                done[sample.id] = record
                file.write(json.dumps(record) + "\n")
            file.flush()
            if progress is not None:
                progress(len(part))
    return [done[s.id] for s in samples]


def _finished(path: Path, fingerprint: str) -> dict[str, dict[str, Any]]:
    """Records of an earlier, interrupted call; starts the file if there is nothing to keep."""
    header = json.dumps({"fingerprint": fingerprint}) + "\n"
    records: dict[str, dict[str, Any]] = {}
    if path.exists():
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        if lines[:1] == [header]:
            for line in lines[1:]:
                if not line.endswith("\n"):  # cut off in the middle of a write
                    break
                record = json.loads(line)
                records[record["id"]] = record
    path.parent.mkdir(parents=True, exist_ok=True)
    body = "".join(json.dumps(r) + "\n" for r in records.values())
    path.write_text(header + body, encoding="utf-8")
    return records
