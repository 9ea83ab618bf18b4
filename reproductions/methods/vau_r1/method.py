"""VAU-R1 asks what is unusual in a video, and when: answers are paid, and spans, or their absence.

Paper: VAU-R1, arXiv 2505.23504, Secs. 3.2 and 3.3.
Catalog: vau_r1
Baseline: grpo
Delta: rewards depend on the task: letter or class, overlap of one span, [-1, -1] where nothing is
    unusual, and a format each; prompt and format_target add the span to grounded questions.
Not reproduced: VAU-Eval (a judge that grades explanations, used in tests alone).
"""

import math
from functools import partial
from typing import Any

from reproductions.shared.method import Method, Sample
from reproductions.shared.prompts import rationale_target, think_then_answer
from reproductions.shared.rewards import rules
from reproductions.shared.rewards.intervals import Span, tiou
from reproductions.shared.rewards.official.grounding import (
    equal_class,
    glue_format,
    single_span,
    vau_iou,
)
from reproductions.shared.rewards.tags import extract_tag, text_of

NORMAL: Span = (-1.0, -1.0)  # official code @845c33b, grpo_gqa: nothing unusual happens
NEVER = "never"  # the option by which the synthetic world says so


def when(sample: Sample) -> Span | None:
    """The gold span of a grounded question, seconds; `NORMAL`; None where no span is asked for."""
    span = sample.meta.get("interval") if sample.options else None
    if span is not None:
        return float(span[0]), float(span[1])
    return NORMAL if any(option.endswith(f" {NEVER}") for option in sample.options) else None


def prompt(sample: Sample) -> str:
    """Grounded questions ask for one span in a glue block, or for [-1.0, -1.0]."""
    text = think_then_answer(sample)
    if when(sample) is None:
        return text
    return f"{text} Last, in <glue> </glue>: when, as in [1.0, 2.0], or [-1.0, -1.0] if never."


def format_target(sample: Sample) -> str:
    """The cold start's target, with the span where one is asked for."""
    span, text = when(sample), rationale_target(sample)
    return text if span is None else f"{text}<glue>[{span[0]:.1f}, {span[1]:.1f}]</glue>"


def _right(text: str, sample: Sample, official: bool) -> float:
    if sample.options:
        return rules.score("videochat_r1", text, sample.answer, "", safe=not official)
    said = rules.answer_of(text)
    return equal_class(f"<answer>{said}</answer>", sample.answer) if said else 0.0


def accuracy(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """R_acc: the first capital of the answer is the gold letter; without options equal classes.

    In the official code an answer without a letter equals a gold without one.
    """
    score = partial(_right, official=rules.is_official(columns))
    return [score(text_of(c), s) for c, s in zip(completions, columns["sample"], strict=True)]


def _overlap(text: str, sample: Sample, official: bool) -> float:
    gold, text = when(sample), rules.bounded(text, "glue")
    if gold is None:
        return 0.0
    if official:
        return vau_iou(text, {"glue": list(gold)})
    said = single_span(extract_tag(text, "glue", strip=False))
    if said is None or NORMAL in (said, gold):
        return float(said == gold)
    return tiou(said, gold) if math.isfinite(said[1] - said[0]) else 0.0


def overlap(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """R_tIoU (Eqs. 5 and 6), in [0, 1]: 1 if both say that nothing is unusual, 0 if one does.

    Two spans without length are worth 0, and 1 in the official code, wherever they lie.
    """
    score = partial(_overlap, official=rules.is_official(columns))
    return [score(text_of(c), s) for c, s in zip(completions, columns["sample"], strict=True)]


def _form(text: str, sample: Sample) -> float:
    if when(sample) is None:
        return rules.FORMATS["time_r1"](text)
    return glue_format(rules.bounded(text, "glue"), single=True)


def form(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """R_format: 1 for thought and answer in tags, and one valid span where one is due."""
    return [_form(text_of(c), s) for c, s in zip(completions, columns["sample"], strict=True)]


METHOD = Method(
    id="vau_r1",
    baseline="grpo",
    prompt=prompt,
    rewards=(accuracy, overlap, form),
    format_target=format_target,
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
