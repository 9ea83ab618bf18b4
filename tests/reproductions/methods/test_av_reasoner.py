"""The levels of AV-Reasoner, its graded count and its weights, worked out by hand."""

from __future__ import annotations

import pytest

from reproductions.methods.av_reasoner.method import METHOD, prepare_data
from reproductions.shared.method import Context, Sample

COUNT = Sample(id="c", question="How many?", answer="4", problem_type="numerical")
SPAN = Sample(id="t", question="When?", answer="2.0 to 6.0", problem_type="temporal grounding")
ASK = Sample(id="q", question="Which?", answer="B", options=("A. red", "B. blue"))


def total(text, sample):
    completion = f"<think>x</think><answer>{text}</answer>"
    values = [r(prompts=[""], completions=[completion], sample=[sample])[0] for r in METHOD.rewards]
    return sum(w * v for w, v in zip(METHOD.reward_weights, values, strict=True))


@pytest.mark.parametrize(
    ("text", "sample", "expected"),
    [
        ("4", COUNT, 11.0),
        ("3", COUNT, 8.5),  # 10 x (1 - 1/4) + 1
        ("5", COUNT, 8.5),
        ("9", COUNT, 1.0),
        ("three", COUNT, 1.0),
        ("4.0", COUNT, 1.0),
        ("9" * 2000, COUNT, 1.0),
        ("4.0 to 6.0", SPAN, 6.0),
        ("B", ASK, 11.0),
        ("B. blue", ASK, 1.0),
    ],
)
def test_totals(text, sample, expected):
    assert total(text, sample) == pytest.approx(expected)


def many(kind, n, **meta):
    return [
        Sample(id=f"{kind[0]}{i}", question="?", answer="1", problem_type=kind, meta=meta)
        for i in range(n)
    ]


KINDS = ("multiple choice", "temporal grounding", "numerical")
TASKS = [s for kind, n in zip(KINDS, (20, 30, 10), strict=True) for s in many(kind, n)]


def counts(stage, samples=TASKS):
    """Samples of a stage: questions, spans, counts."""
    kept = [s.problem_type for s in prepare_data(samples, Context(stage=stage))]
    return [kept.count(kind) for kind in KINDS]


def test_levels_from_questions_to_counts_then_all_tasks():
    assert [s.name for s in METHOD.stages] == ["sft", "qa", "grounding", "counting", "rl"]
    assert counts("sft") == [20, 30, 10]
    assert counts("qa") == [20, 0, 0]
    # A fifth of 30 and of 10 is reviewed, spread over all that came before.
    assert counts("grounding") == [6, 30, 0]
    assert counts("counting") == [1, 1, 10]
    # As many of every task.
    assert counts("rl") == [10, 10, 10]
    assert counts("counting", TASKS[:50]) == [20, 30, 0]  # no counts at all: everything


def test_solved_samples_are_dropped():
    questions = many("multiple choice", 1, pass_rate=1.0) + many(
        "multiple choice", 2, pass_rate=0.8
    )
    spans = many("temporal grounding", 3, mean_iou=0.9) + many(
        "temporal grounding", 4, mean_iou=0.91
    )
    counted = many("numerical", 5, pass_rate=1.0) + many("numerical", 6)
    assert counts("qa", questions + spans + counted) == [2, 0, 0]
    assert counts("grounding", questions + spans + counted) == [1, 3, 0]
    assert counts("counting", questions + spans + counted) == [1, 0, 6]


def test_the_last_stage_is_spread_over_difficulty():
    easy, hard = (many("numerical", 8, pass_rate=r) for r in (0.8, 0.2))
    kept = prepare_data(easy + hard + many("multiple choice", 4), Context(stage="rl"))
    assert [s.meta["pass_rate"] for s in kept if s.meta] == [0.2, 0.2, 0.8, 0.8]


def test_a_count_of_nothing_is_right_or_wrong():
    nothing = Sample(id="c", question="How many?", answer="0", problem_type="numerical")
    assert [total(text, nothing) for text in ("0", "1")] == [11.0, 1.0]
