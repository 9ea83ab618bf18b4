"""VerIPO puts a verifier between GRPO and DPO: sound thoughts are preferred before GRPO goes on.

Paper: VerIPO, arXiv 2505.19000: reward, rollout-aware verifier, training loop.
Catalog: veripo
Baseline: grpo
Delta: stages are GRPO (activation), GRPO (search), DPO on verified rollouts (align), GRPO (search);
    shape_rewards pays accuracy + half for format in GRPO, and in the DPO stage ranks the rollouts
    by the verifier: right, thought and answer agree, no repetition, then longer.
Not reproduced: the small language model that judges consistency (a rule does: the option that
    the thought ends with is the one answered), reflective pairs, and dropping 80 % of the questions
    that the stage before always got right (a stage does not see the rollouts of the one before).
"""

import re
from collections import Counter

from reproductions.shared.method import Context, Group, Method, Sample, Stage
from reproductions.shared.rewards.tags import extract_tag

FORMAT = 0.5  # r_f in {0, 0.5}, arXiv 2505.19000, reward of the GRPO stages
RIGHT = 1.0  # r_a of a right answer, same place
GRAM, REPEATED = 4, 0.5  # our choice: the verifier's code is not released
LONGER = 0.1  # our choice: longer sound thoughts win ties, they never outweigh soundness

_STATED = re.compile(r"(?i:answer is):?\s*[($]*([A-J])\b")  # "so the answer is B", their prompt


def agrees(sample: Sample, text: str) -> bool:
    """Whether the thought's conclusion is what is answered: the option named last, or the value."""
    said, answer = extract_tag(text, "think"), extract_tag(text).strip().lower()
    thought = said.lower()
    if not sample.options:
        return answer in thought
    named = [(option[0].lower(), option[2:].strip().lower()) for option in sample.options]
    # Of two options that end at one place ("left" in "up left") the longer one is meant.
    ends = [
        (at + len(words), len(words), letter)
        for letter, words in named
        if (at := thought.rfind(words)) >= 0
    ]
    ends += [(found.end(), 0, found[1].lower()) for found in _STATED.finditer(said)]
    return not ends or max(ends)[2] == answer.removesuffix(".")


def repeats(text: str) -> bool:
    """Whether at least half of the thought's runs of four words have occurred in it before."""
    words = extract_tag(text, "think").split()
    grams = Counter(zip(*(words[i:] for i in range(GRAM)), strict=False))
    return bool(grams) and 1 - len(grams) / grams.total() >= REPEATED


def verified(group: Group) -> list[float]:
    """0 for an unsound rollout, else 1 plus up to `LONGER` by its length in the group."""
    longest = max(group.lengths, default=1) or 1
    scores = zip(group.scores["accuracy"], group.scores["format"], strict=True)
    sound = [
        accuracy >= RIGHT and form > 0 and agrees(group.sample, text) and not repeats(text)
        for (accuracy, form), text in zip(scores, group.completions, strict=True)
    ]
    return [s + s * LONGER * n / longest for s, n in zip(sound, group.lengths, strict=True)]


def shape_rewards(group: Group, context: Context) -> list[float]:
    """The reward of the GRPO stages; the verifier's ranking in the DPO stage."""
    if context.settings["kind"] == "preference":
        return verified(group)
    scores = zip(group.scores["accuracy"], group.scores["format"], strict=True)
    return [accuracy + FORMAT * form for accuracy, form in scores]


METHOD = Method(
    id="veripo",
    baseline="grpo",
    stages=(
        Stage("sft", "sft"),  # the baseline's cold start, for models that cannot reason yet
        Stage("activation", "grpo"),
        Stage("search", "grpo"),
        Stage("align", "preference"),
        Stage("search_again", "grpo"),
    ),
    shape_rewards=shape_rewards,
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
