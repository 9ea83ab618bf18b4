"""VideoChat-R1 trains grounding, grounded questions and tracking together, a rule for each.

Paper: VideoChat-R1, arXiv 2504.06958.
Catalog: videochat_r1
Baseline: grpo
Delta: rewards depend on the task: overlap of spans, of evidence and of boxes, the letter, and a
    format each; prompt and format_target add the evidence block to grounded questions.
Not reproduced: captions (recall of events needs a judge), classification, exactly eight boxes (as
    many as the gold has), the run that answers without a thought, and timestep tags in the thought.
"""

from functools import partial
from typing import Any

from reproductions.shared.method import Method, Sample
from reproductions.shared.prompts import rationale_target, think_then_answer
from reproductions.shared.rewards import rules
from reproductions.shared.rewards.boxes import parse_boxes, parse_region, track_iou
from reproductions.shared.rewards.intervals import parse_to, tiou
from reproductions.shared.rewards.official.grounding import glue_format, glue_iou
from reproductions.shared.rewards.tags import text_of


def evidence(sample: Sample) -> tuple[float, float] | None:
    """The span that holds the answer of a grounded question, seconds; None for other tasks."""
    span = sample.meta.get("interval") if sample.options else None
    return (float(span[0]), float(span[1])) if span else None


def prompt(sample: Sample) -> str:
    """Grounded questions ask for their evidence in a glue block, as in the official prompts."""
    text = think_then_answer(sample)
    if evidence(sample) is None:
        return text
    return f"{text} Last, in <glue> </glue>: when it is seen, as in [(1.0, 2.0)]."


def format_target(sample: Sample) -> str:
    """The cold start's target, with the evidence where a question is grounded."""
    span, text = evidence(sample), rationale_target(sample)
    return text if span is None else f"{text}<glue>[({span[0]:.1f}, {span[1]:.1f})]</glue>"


def _overlap(text: str, sample: Sample, empty: float) -> float:
    span = evidence(sample)
    if span is not None:
        return glue_iou(rules.bounded(text, "glue"), {"glue": [span]})
    answer = rules.answer_of(text, which="last")
    if sample.problem_type == "tracking":
        gold = parse_region(sample.answer) or []
        return min(1.0, max(0.0, track_iou(parse_boxes(answer, len(gold)) or [], gold)))
    found, wanted = parse_to(answer), parse_to(sample.answer)
    if not found or not wanted or found[0] > found[1]:
        return 0.0
    return tiou(found, wanted, empty=empty)


def overlap(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """IoU in [0, 1]: of the span, of the evidence, or the mean one of the boxes.

    Two spans without length at one moment are worth 0, and 1 in the official code (grpo_tg).
    """
    empty = float(rules.is_official(columns))
    pairs = zip(completions, columns["sample"], strict=True)
    return [_overlap(text_of(c), sample, empty) for c, sample in pairs]


def letter(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """The official letter rule on questions with options; 0 on other tasks, which have none.

    Without a letter in gold and answer nothing is right, except in the official code.
    """
    score = partial(rules.score, "videochat_r1", safe=not rules.is_official(columns))
    pairs = zip(completions, columns["sample"], strict=True)
    return [score(text_of(c), s.answer, "") if s.options else 0.0 for c, s in pairs]


def _form(text: str, sample: Sample) -> float:
    if evidence(sample) is not None:
        return glue_format(rules.bounded(text, "glue"), single=False)
    right = rules.FORMATS["time_r1"](text)
    if sample.problem_type != "tracking":
        return right
    gold = parse_region(sample.answer) or []
    return right * float(parse_boxes(rules.answer_of(text), len(gold)) is not None)


def form(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """1 for thought and answer in tags, with a valid evidence or box list where one is due."""
    pairs = zip(completions, columns["sample"], strict=True)
    return [_form(text_of(c), sample) for c, sample in pairs]


METHOD = Method(
    id="videochat_r1",
    baseline="grpo",
    prompt=prompt,
    rewards=(overlap, letter, form),
    format_target=format_target,
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
