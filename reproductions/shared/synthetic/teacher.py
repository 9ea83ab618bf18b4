"""An imperfect teacher: reasoning that looks at the right frames and often concludes wrongly.

Published cold-start data are written by a larger model and filtered by rule, and still hold errors;
imitation copies them. The errors here are of one kind a question type, so that their effect is
known: a share of the rationales ends in the next option instead of the right one, in a number that
is one too large, or in a span that is one frame early. A cold start on them answers about as well
as the teacher, and what reinforcement learning adds by checking answers can be measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from reproductions.shared.method import Sample


def imperfect(samples: Sequence[Sample], error: float, seed: int) -> list[Sample]:
    """The samples with a share of wrong conclusions; gold answers stay.

    Args:
        samples: Samples of the synthetic world; boxes and free answers stay as they are.
        error: Probability of a wrong conclusion, 0 to 1.
        seed: Seed of the teacher.

    Returns:
        Samples whose `rationale` and `meta["teacher_answer"]` are the teacher's.
    """
    return [_taught(s, error, seed) for s in samples]


def _taught(sample: Sample, error: float, seed: int) -> Sample:
    text = str(sample.meta.get("answer_text", ""))
    head, colon, conclusion = sample.rationale.rpartition(": ")
    wrong = _wrong(sample)
    if wrong is None or not colon or text not in conclusion:
        return sample
    if Random(f"vidpost teacher/{seed}/{sample.id}").random() >= error:
        return sample
    said, answer = wrong
    return replace(
        sample,
        rationale=head + colon + conclusion.replace(text, said),
        meta={**sample.meta, "teacher_answer": answer},
    )


def _wrong(sample: Sample) -> tuple[str, str] | None:
    """What a wrong rationale concludes, and the answer after it; None where there is none."""
    if sample.options:
        right = [option[0] for option in sample.options].index(sample.answer)
        letter, _, text = sample.options[(right + 1) % len(sample.options)].partition(". ")
        return text, letter
    if sample.problem_type in ("numerical", "regression"):
        return (str(int(sample.answer) + 1),) * 2
    if sample.problem_type == "temporal grounding":
        start, end = sample.meta["interval"]
        frame = 1 / sample.meta["fps"]
        if start < frame:  # No room before it: one frame late.
            frame = -frame
        return (f"{start - frame:.1f} to {end - frame:.1f}",) * 2
    return None
