"""Calling a method's rewards: what they get, and whether what they return can be used."""

from __future__ import annotations

import math
import random
import reprlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from transformers import TrainerState

from reproductions.shared.method import Context, Method, MethodError, Sample, place_of


def reward_columns(samples: Sequence[Sample], contexts: Sequence[Context]) -> dict[str, list[Any]]:
    """The columns that reward functions get, under the names of the published records."""
    return {
        "solution": [s.answer for s in samples],
        "problem": [s.question for s in samples],
        "problem_type": [s.problem_type for s in samples],
        "options": [list(s.options) for s in samples],
        "task": [s.task for s in samples],
        "meta": [dict(s.meta) for s in samples],
        "sample": list(samples),
        "context": list(contexts),
    }


def checked(function: Any, values: Any, samples: Sequence[Sample]) -> list[float]:
    """What a reward, `shape_rewards` or `advantages` returned, as finite floats.

    Args:
        function: What returned them.
        values: Its result.
        samples: For each answer, its question.

    Raises:
        MethodError: They are no finite numbers, or not one for each answer.
    """
    who = f"{place_of(function)}'{getattr(function, '__name__', function)}' returned"
    remedy = "Return a list with one finite float for each answer."
    if isinstance(values, str) or not hasattr(values, "__len__") or not hasattr(values, "__iter__"):
        raise MethodError(f"{who} {reprlib.repr(values)}. {remedy}")
    if len(values) != len(samples):
        raise MethodError(f"{who} {len(values)} values for {len(samples)} answers. {remedy}")
    numbers = []
    for value, sample in zip(values, samples, strict=True):
        try:
            number = math.nan if isinstance(value, str) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise MethodError(
                f"{who} {reprlib.repr(value)} for an answer to question '{sample.id}'. {remedy}"
            )
        numbers.append(number)
    return numbers


def try_rewards(method: Method, samples: Sequence[Sample], context: Context) -> None:
    """Ask the rewards of a `method.py` about a few answers, before hours go into earlier stages.

    A right, a wrong and an empty answer to one question of each problem type. A reward that raises
    is left to its stage: its data may hold what these samples lack.

    Raises:
        MethodError: What a reward returned is not one finite float for each answer.
    """
    firsts = {s.problem_type: s for s in reversed(samples)}.values()
    texts = [t for s in firsts for t in (f"<answer>{s.answer}</answer>", "<answer>-</answer>", "")]
    asked = [s for s in firsts for _ in range(3)]
    columns = reward_columns(asked, [replace(context, rng=random.Random(0)) for _ in asked])
    columns |= {"completion_ids": [[0]] * len(asked), "length": [1] * len(asked)}
    columns["view"] = ["ordered"] * len(asked)
    for reward in method.rewards or ():
        if not str(getattr(reward, "__module__", "")).endswith(".method"):
            continue  # the shared ones have tests; a judge would cost a call
        prompts = [s.question for s in asked]
        try:
            values = reward(
                prompts=prompts, completions=list(texts), trainer_state=TrainerState(), **columns
            )
        except Exception:
            continue
        checked(reward, values, asked)
