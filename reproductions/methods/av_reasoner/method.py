"""AV-Reasoner learns to count after questions and grounding, level by level, then all at once.

Paper: AV-Reasoner, arXiv 2506.05328.
Catalog: av_reasoner
Baseline: grpo
Delta: stages are three levels of GRPO and one over all tasks; prepare_data picks each level's
    samples, reviews earlier ones and drops solved ones; rewards grade counts by relative error and
    spans by overlap; reward_weights are 10 and 1.
Not reproduced: hearing (no loader for Ola-7B), typed events and sounding objects as JSON, a cold
    start without thoughts, and the five trial answers a sample (their result is read from each
    record's `pass_rate` and `mean_iou`).
"""

from collections.abc import Sequence
from typing import Any

from reproductions.shared.method import Context, Method, Sample, Stage
from reproductions.shared.rewards import rules
from reproductions.shared.rewards.intervals import parse_to, tiou
from reproductions.shared.rewards.numbers import count_score
from reproductions.shared.rewards.tags import text_of

WEIGHTS = (10.0, 1.0)  # accuracy and format, official code @b63ce2c, rewards (Sec. 4.3 names none)
LEVELS = ("qa", "grounding", "counting")  # Sec. 4.4: from easy to hard
REVIEW = 0.2  # Sec. 4.4, App. B.2 Table 9: share of earlier samples beside those of a level
SOLVED_IOU = 0.9  # Sec. 4.4: mean IoU of five trial answers above which a sample is dropped


def level(sample: Sample) -> str:
    """The level a sample belongs to."""
    kinds = {"numerical": "counting", "temporal grounding": "grounding", "tracking": "grounding"}
    return kinds.get(sample.problem_type, "qa")


def solved(sample: Sample) -> bool:
    """Whether the trial answers were all right, or overlapped the gold nearly wholly."""
    if level(sample) == "grounding":
        return float(sample.meta.get("mean_iou", 0.0)) > SOLVED_IOU
    return float(sample.meta.get("pass_rate", 0.0)) >= 1.0


def spread(samples: Sequence[Sample], n: int) -> list[Sample]:
    """At most `n` of the samples, evenly over their order."""
    n = min(n, len(samples))
    return [samples[i * len(samples) // n] for i in range(n)]


def prepare_data(samples: list[Sample], context: Context) -> list[Sample]:
    """A level's unsolved samples with a review of earlier levels; last, as many of every level.

    The last stage spreads each level's samples over the measured pass rate (Sec. 4.4). The cold
    start keeps all samples, as does a level that has none of its own.
    """
    parts = {name: [s for s in samples if level(s) == name and not solved(s)] for name in LEVELS}
    if context.stage == "sft" or not parts.get(context.stage, samples):
        return samples
    if context.stage not in LEVELS:
        groups = [
            sorted(p, key=lambda s: float(s.meta.get("pass_rate", 0.0))) for p in parts.values()
        ]
        least = min((len(g) for g in groups if g), default=0)
        return [s for g in groups for s in spread(g, least)] or samples
    own = parts[context.stage]
    earlier = [s for name in LEVELS[: LEVELS.index(context.stage)] for s in parts[name]]
    return own + spread(earlier, round(REVIEW * len(own)))


def _count(answer: str, gold: str) -> float:
    """1 - min(1, |p - g| / g) (Eq. 2); only whole numbers are read (official code @b63ce2c)."""
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
    stages=(
        Stage("sft", "sft"),
        Stage("qa", "grpo"),
        Stage("grounding", "grpo"),
        Stage("counting", "grpo"),
        Stage("rl", "grpo"),
    ),
    prepare_data=prepare_data,
    rewards=(accuracy, rules.format_reward("time_r1")),
    reward_weights=WEIGHTS,
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
