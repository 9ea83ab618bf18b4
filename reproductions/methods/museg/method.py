"""MUSEG grounds a question in several segments, and first asks that the thought names their times.

Paper: MUSEG, arXiv 2505.20715.
Catalog: museg
Baseline: grpo
Delta: stages has two phases of GRPO; rewards match segments as a set and one by one; shape_rewards
    pays for cited times in the first phase, and prompt asks for them; prepare_data makes questions
    with several segments.
Not reproduced: its answer grammar "1.0-2.0 5.0-6.0" (here "1.0 to 2.0, 5.0 to 6.0", like all spans
    of this repository; both are read); matching as the paper is said to define it (the entry).
"""

from dataclasses import replace
from typing import Any

from reproductions.shared.method import Context, Group, Method, Sample, Stage
from reproductions.shared.prompts import think_then_answer
from reproductions.shared.rewards.intervals import parse_spans
from reproductions.shared.rewards.official.grounding import museg_format, museg_global, museg_local
from reproductions.shared.rewards.rules import answer_of, bounded, gold_of, is_official
from reproductions.shared.rewards.tags import text_of

WORK = 400_000  # times of an answer x characters of the thought in which they are looked for


def dashes(text: str) -> str:
    """Segments in the published grammar: "1.0 to 2.0, 5.0 to 6.0" -> "1.0-2.0 5.0-6.0"."""
    return text.replace(" to ", "-").replace(",", " ")


def prompt(sample: Sample) -> str:
    """The usual question; where the times in the thought are paid for, they are asked for too."""
    text = think_then_answer(sample)
    return f"{text} Name its times in the thought." if sample.meta.get("cited") else text


def segments(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """Global plus local matching, in [0, 2] (official `reward_segment_matching`).

    Global: F1 of the covered time. Local: mean (1 + GIoU) / 2 of segments paired in order.
    """
    scores = []
    for completion, gold in zip(completions, columns["solution"], strict=True):
        wanted = parse_spans(gold_of(str(gold)))
        answer = dashes(bounded(text_of(completion)))
        total = museg_global(answer, wanted) + museg_local(answer, wanted) if wanted else 0.0
        scores.append(total if total == total else 0.0)
    return scores


def _form(completion: Any, cited: bool, columns: dict[str, Any]) -> float:
    text = bounded(text_of(completion))
    answer = answer_of(text)
    if not answer and not is_official(columns):
        return 0.0
    text = bounded(text, "think", WORK // (2 * len(answer.split()) + 1)) if cited else text
    return museg_format(dashes(text), cited=cited)


def form(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """1 if well formed, 0.2 if the answer is no list of segments, else 0 (second phase).

    An empty answer is worth 0, and 1 in the official code: it is a list without segments.
    """
    return [_form(c, False, columns) for c in completions]


def cited_form(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """As `form`, but 0.6 where the thought does not name every time of the answer (first phase)."""
    return [_form(c, True, columns) for c in completions]


def shape_rewards(group: Group, context: Context) -> list[float]:
    """Matching plus the format reward of the phase."""
    phase = "cited_form" if context.stage == "cited" else "form"
    return [m + f for m, f in zip(group.scores["segments"], group.scores[phase], strict=True)]


def all_times(sample: Sample) -> Sample:
    """A counting question of the synthetic world as one for all times of the object."""
    events = [e for e in sample.meta["events"] if not e["distractor"]]
    answer = ", ".join(f"{e['start']:.1f} to {e['end']:.1f}" for e in events)
    seen = sample.rationale.rpartition(": ")[0]
    return replace(
        sample,
        id=f"{sample.id}-times",
        question=f"When does {events[0]['object']} appear?",
        answer=answer,
        problem_type="temporal grounding",
        rationale=f"{seen}: {answer}",
    )


def prepare_data(samples: list[Sample], context: Context) -> list[Sample]:
    """Counting questions become questions for segments; the cold start learns to count as well.

    The first phase asks for cited times (`prompt`), the cold start in every second question.
    """
    learn, cited = context.stage == "sft", context.stage == "cited"
    prepared = []
    for sample in samples:
        counts = sample.task == "counting" and bool(sample.meta.get("events"))
        prepared += [all_times(sample)] if counts else []
        prepared += [sample] if learn or not counts else []
    return [
        replace(s, meta={**s.meta, "cited": True}) if cited or (learn and i % 2) else s
        for i, s in enumerate(prepared)
    ]


METHOD = Method(
    id="museg",
    baseline="grpo",
    stages=(Stage("sft", "sft"), Stage("cited", "grpo"), Stage("rl", "grpo")),
    prepare_data=prepare_data,
    prompt=prompt,
    rewards=(segments, form, cited_form),
    shape_rewards=shape_rewards,
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
