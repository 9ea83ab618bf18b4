"""`--rules lmms_eval` and `vlmevalkit` against scores that the harnesses' own functions gave.

tests/data/harness_rules.jsonl: options, gold and output are made up; `score` is what the harness's
function gave at the named commit (null: it guesses at random or asks a judge). Outputs were chosen
on which the careful rule says something else.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reproductions.benchmarks import _base
from reproductions.benchmarks._choice import mcq

CASES = Path(__file__).parents[2] / "data" / "harness_rules.jsonl"
ROWS = [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]
RULES = sorted({(row["benchmark"], row["rules"]) for row in ROWS})


def _score(row: dict[str, Any]) -> float | None:
    benchmark = _base.get(row["benchmark"])
    sample = mcq("1", "?", row["options"], letter=row["gold"], task="t")
    graded = benchmark.shape.rules[benchmark.rules[row["rules"]]](sample, row["output"])
    unsure = "random" in graded.note or "judge" in graded.note
    return None if unsure else next(iter(graded.values.values()))


@pytest.mark.parametrize(("name", "harness"), RULES)
def test_a_harness_rule_gives_the_score_of_the_harness(name: str, harness: str) -> None:
    rows = [r for r in ROWS if (r["benchmark"], r["rules"]) == (name, harness)]
    assert [(r["output"], _score(r)) for r in rows] == [(r["output"], r["score"]) for r in rows]
