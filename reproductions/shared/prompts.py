"""The prompts and targets that methods share. Standard library only.

The wording is ours; the form is the field's: reasoning between think tags, the final answer
between answer tags, and one sentence for the answer's type (Video-R1,
`src/r1-v/src/open_r1/grpo.py` @59d65c3).
"""

from __future__ import annotations

from reproductions.shared.method import Sample

ANSWER_FORMS = {
    "multiple choice": "the letter of the right option only",
    "numerical": "a number only",
    "regression": "a number only",
    "OCR": "the text that is shown only",
    "free-form": "a short text",
    "temporal grounding": "start and end in seconds, as in 1.0 to 2.0",
    "tracking": "one box a second",
}


def question(sample: Sample) -> str:
    """The question, followed by its options one a line."""
    if not sample.options:
        return sample.question
    return "\n".join([sample.question, "Options:", *sample.options])


def think_then_answer(sample: Sample) -> str:
    """The question with the instruction to reason in think tags and answer in answer tags."""
    form = ANSWER_FORMS.get(sample.problem_type, ANSWER_FORMS["free-form"])
    return (
        f"{question(sample)}\nThink first, in <think> </think>. "
        f"Then answer in <answer> </answer>: {form}."
    )


def answer_only(sample: Sample) -> str:
    """The question with the instruction to answer at once, in answer tags."""
    form = ANSWER_FORMS.get(sample.problem_type, ANSWER_FORMS["free-form"])
    return f"{question(sample)}\nAnswer in <answer> </answer>: {form}."


def rationale_target(sample: Sample) -> str:
    """The teacher's chain of thought and answer, in tags: what a cold start learns.

    The answer is the gold one unless `meta["teacher_answer"]` says what the teacher concluded.
    """
    answer = sample.meta.get("teacher_answer", sample.answer)
    return f"<think>{sample.rationale}</think><answer>{answer}</answer>"


def answer_target(sample: Sample) -> str:
    """The answer in tags: what plain fine-tuning learns."""
    return f"<answer>{sample.answer}</answer>"
