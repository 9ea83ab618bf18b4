"""AV-Reasoner learns to count beside related tasks, with an accuracy ten times the format reward.

Paper: AV-Reasoner, arXiv 2506.05328.
Catalog: av_reasoner
Baseline: grpo
Delta: rewards grade counts by relative error and spans by overlap; reward_weights are 10 and 1.
Not reproduced: hearing (no loader for Ola-7B), typed events and sounding objects as JSON, and the
    order of tasks (its schedule is not in what we read, and the trainer shuffles its samples).
"""

from typing import Any

from reproductions.shared.method import Method, Sample
from reproductions.shared.rewards import rules
from reproductions.shared.rewards.intervals import parse_to, tiou
from reproductions.shared.rewards.numbers import count_score
from reproductions.shared.rewards.tags import text_of

WEIGHTS = (10.0, 1.0)  # accuracy and format, official code @b63ce2c, rewards


def _count(answer: str, gold: str) -> float:
    """1 - min(1, |p - g| / g); only whole numbers are read (official code @b63ce2c)."""
    if not (answer.isascii() and answer.isdigit() and gold.isdigit()) or len(answer) > 9:
        return 0.0
    return count_score(int(answer), int(gold))


def _score(text: str, sample: Sample) -> float:
    answer = rules.answer_of(text)
    if sample.problem_type == "numerical":
        return _count(answer, sample.answer)
    if sample.problem_type == "temporal grounding":
        found, wanted = parse_to(answer), parse_to(sample.answer)
        return tiou(found, wanted) if found and wanted else 0.0
    return rules.score("av_reasoner", text, sample.answer, sample.problem_type)


def accuracy(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """By task, in [0, 1]: the count's relative error, the span's overlap, the exact option."""
    pairs = zip(completions, columns["sample"], strict=True)
    return [_score(text_of(c), sample) for c, sample in pairs]


METHOD = Method(
    id="av_reasoner",
    baseline="grpo",
    rewards=(accuracy, rules.format_reward("time_r1")),
    reward_weights=WEIGHTS,
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
