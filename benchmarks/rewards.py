"""How fast rewards are: the Video-R1 stack against rewards that ask math_verify.

    python benchmarks/rewards.py [--json] [--completions 100000] [--math-verify 2000]

The stack is accuracy by problem type, format, and the length bonus of each group of eight. The
same completions then go through math_verify, as the published rewards of TW-GRPO, SEED-Bench-R1
and others do; it is slow, so fewer of them, and the table shows the rate. Left out if math_verify
is not installed.
"""

from __future__ import annotations

import importlib.util
import json
import random
import time
from collections.abc import Callable
from typing import Any

import click

from reproductions.shared.rewards import rules
from reproductions.shared.rewards.length import length_window
from reproductions.shared.rewards.maths import math_verify
from reproductions.shared.rewards.numbers import words

GROUP = 8
SAMPLES = (
    ("multiple choice", "B", ("A", "B", "B.", "(C)", "D")),
    ("numerical", "12.5", ("12.5", "13", "12.50", "about 12")),
    ("OCR", "exit through the gift shop", ("exit through gift shop", "no exit")),
    ("free-form", "The man opens the red door.", ("A man opened a red door.", "A dog runs.")),
    ("regression", "42", ("41", "40.5", "x")),
)
"""(problem type, gold, answers)."""
WORDS = words("the frame shows a man who opens the red door and then walks to the car")


def bank(n: int, seed: int = 0) -> dict[str, list[Any]]:
    """Columns of `n` completions of 50 to 400 words, every tenth without its closing tag."""
    rng = random.Random(seed)
    columns: dict[str, list[Any]] = {"completions": [], "solution": [], "problem_type": []}
    for i in range(n):
        kind, gold, answers = SAMPLES[i // GROUP % len(SAMPLES)]
        thought = " ".join(rng.choices(WORDS, k=rng.randint(50, 400)))
        end = "" if i % 10 == 9 else "</answer>"
        text = f"<think>{thought}</think><answer>{rng.choice(answers)}{end}"
        columns["completions"].append([{"role": "assistant", "content": text}])
        columns["solution"].append(f"<answer>{gold}</answer>")
        columns["problem_type"].append(kind)
    return columns


def video_r1_stack(columns: dict[str, list[Any]]) -> list[float]:
    """Total rewards: accuracy + format + length bonus."""
    n = len(columns["completions"])
    accuracy = rules.accuracy()([None] * n, **columns)
    form = rules.format_reward()([None] * n, **columns)
    lengths = [len(c[0]["content"]) // 4 for c in columns["completions"]]
    bonus: list[float] = []
    for i in range(0, n, GROUP):
        bonus += length_window(lengths[i : i + GROUP], accuracy[i : i + GROUP])
    return [sum(parts) for parts in zip(accuracy, form, bonus, strict=True)]


def ask_math_verify(columns: dict[str, list[Any]]) -> list[float]:
    """1.0 where math_verify finds the gold in the whole completion."""
    texts = (c[0]["content"] for c in columns["completions"])
    return [float(math_verify(t, g)) for t, g in zip(texts, columns["solution"], strict=True)]


def measure(
    name: str, run: Callable[[dict[str, list[Any]]], list[float]], n: int
) -> dict[str, Any]:
    """Seconds and rate of one pass over `n` completions, after a short one."""
    run(bank(GROUP * len(SAMPLES), seed=1))
    columns = bank(n)
    start = time.perf_counter()
    scores = run(columns)
    seconds = time.perf_counter() - start
    return {
        "name": name,
        "completions": n,
        "seconds": seconds,
        "per_second": n / seconds,
        "mean": sum(scores) / n,
    }


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a row.")
@click.option("--completions", default=100_000, show_default=True, help="For the Video-R1 stack.")
@click.option(
    "--math-verify", "verified", default=2_000, show_default=True, help="For math_verify."
)
def main(as_json: bool, completions: int, verified: int) -> None:
    """Measure how many completions a second rewards score."""
    rows = [measure("Video-R1 stack", video_r1_stack, completions)]
    if importlib.util.find_spec("math_verify"):
        rows.append(measure("math_verify", ask_math_verify, verified))
    for row in rows:
        if as_json:
            click.echo(json.dumps(row))
        else:
            click.echo(
                f"{row['name']:16} {row['completions']:8} completions {row['seconds']:8.2f} s "
                f"{row['per_second']:10.0f} /s   mean {row['mean']:.3f}"
            )


if __name__ == "__main__":
    main()
