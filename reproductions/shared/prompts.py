"""The prompts and targets that methods share. Standard library only.

The wording is ours; the form is the field's: reasoning between think tags, the final answer
between answer tags, and one sentence for the answer's type (Video-R1,
`src/r1-v/src/open_r1/grpo.py` @59d65c3).
"""

from __future__ import annotations

from collections.abc import Sequence

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


# --- what test-time methods ask for ------------------------------------------------------------


def part(span: tuple[float, float]) -> str:
    """Which part of the video is shown: the model cannot tell from the frames alone."""
    return f"Seconds {span[0]:.1f} to {span[1]:.1f} of the video."


def relevant(sample: Sample, span: tuple[float, float]) -> str:
    """Whether a part helps: answered by yes or no."""
    return f"{part(span)} {question(sample)}\nDoes this part help to answer? Say yes or no."


def describe(span: tuple[float, float]) -> str:
    """A caption of a part."""
    return f"{part(span)} Describe what happens, with times."


def right(sample: Sample, answer: str) -> str:
    """Whether a proposed answer is right: answered by yes or no."""
    return f"{question(sample)}\nProposed answer: {answer}. Is it right? Say yes or no."


def locate(sample: Sample, parts: int) -> str:
    """Which of equal parts shows the answer: answered by its number."""
    return (
        f"{question(sample)}\nThe video is cut into {parts} equal parts. "
        "Which part shows the answer? Say its number."
    )


def from_notes(sample: Sample, notes: str) -> str:
    """The question with what was written down about the video."""
    return f"Notes on the video:\n{notes}\n{think_then_answer(sample)}"


def from_part(sample: Sample, span: tuple[float, float]) -> str:
    """The question about a part that is shown."""
    return f"{part(span)} {think_then_answer(sample)}"


def from_moments(sample: Sample, times: Sequence[float]) -> str:
    """The question about single frames: unevenly spaced, they do not tell their times."""
    return f"Frames at {', '.join(f'{t:.0f}' for t in times)} seconds. {think_then_answer(sample)}"


def with_tools(sample: Sample, tools: str) -> str:
    """The question, with leave to call tools first.

    Args:
        sample: The question.
        tools: What there is, one a line.
    """
    return (
        f"{think_then_answer(sample)}\nOr call a tool first, as in <tool>"
        '{"name": "seek", "arguments": {"start": 1.0, "end": 2.0}}</tool>. Tools:\n' + tools
    )


def needs_reasoning(sample: Sample) -> str:
    """Whether one look is not enough: answered by yes or no, from the question alone."""
    return (
        f"{question(sample)}\nDoes this question need reasoning over several moments of a video? "
        "Say yes or no."
    )
