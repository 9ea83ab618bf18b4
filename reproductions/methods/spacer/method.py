"""SpaceR pays right spatial answers more when the map drawn in the thought is right too.

Paper: SpaceR, arXiv 2504.01805.
Catalog: spacer
Baseline: grpo
Delta: prompt and format_target put a map of the objects into the thought; rewards score it;
    shape_rewards adds it to right answers; build_group adds shuffled answers in the official code.
Not reproduced: the reading of number words (digits alone are read), and maps of rooms from above
    (in the synthetic world the map is of the first frame).
"""

import json
import math
from typing import Any

from reproductions.shared.method import Context, Group, Method, Rollouts, Sample
from reproductions.shared.prompts import rationale_target, think_then_answer
from reproductions.shared.rewards import rules
from reproductions.shared.rewards.advantages import comparison_bonus
from reproductions.shared.rewards.boxes import map_score, parse_map
from reproductions.shared.rewards.length import length_window
from reproductions.shared.rewards.tags import find_tag, text_of

GRID = 10  # cells a side, official prompt @b623af5
RIGHT = 0.5  # official SG-RLVR.py @b623af5: a number counts as right above this MRA
LENGTH_BONUS, SHORTEST, LONGEST = 0.2, 320, 512  # official trainer @b623af5, as Video-R1's
NO_MAP = -1.0  # our mark in the scores for "no map was drawn", which leaves the reward alone


def gold_map(sample: Sample) -> dict[str, list[list[int]]]:
    """Objects and their cells: the record's, else from the first boxes of a synthetic clip."""
    if "cognitive_map" in sample.meta:
        return dict(sample.meta["cognitive_map"])
    cells: dict[str, list[list[int]]] = {}
    for event in sample.meta.get("events", ()):
        if not event["distractor"]:
            _, x0, y0, x1, y1 = event["boxes"][0]
            cell = [min(GRID - 1, int(GRID * (a + b) / 2)) for a, b in ((x0, x1), (y0, y1))]
            cells.setdefault(event["object"], []).append(cell)
    return cells


def prompt(sample: Sample) -> str:
    """Asks for a map where one can be scored, as the official prompt does for its own data."""
    text, names = think_then_answer(sample), ", ".join(sorted(gold_map(sample)))
    ask = f" Begin the thought with a {GRID} x {GRID} <map> </map> of: {names}."
    return text + ask if names else text


def format_target(sample: Sample) -> str:
    """The cold start's target, with the map first inside the thought."""
    cells = gold_map(sample)
    drawn = f"<think><map>{json.dumps(cells)}</map>"
    return (
        rationale_target(sample).replace("<think>", drawn, 1) if cells else rationale_target(sample)
    )


def accuracy(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """Exact option, MRA of numbers, else Video-R1's rule by type; in [0, 1]."""
    return [
        rules.score("vsi_bench", text_of(c), s.answer, s.problem_type)
        if s.problem_type == "numerical"
        else rules.score("video_r1", text_of(c), s.answer, s.problem_type)
        for c, s in zip(completions, columns["sample"], strict=True)
    ]


def cognitive_map(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """Agreement of the drawn map with the gold one, in [0, 1]; `NO_MAP` if none was drawn."""
    scores = []
    for completion, sample in zip(completions, columns["sample"], strict=True):
        drawn, gold = find_tag(text_of(completion), "map"), gold_map(sample)
        known = parse_map((drawn or "")[: rules.ANSWER_LIMIT], sorted(gold))
        scores.append(NO_MAP if drawn is None else map_score(known, gold, GRID))
    return scores


def build_group(sample: Sample, context: Context) -> list[Rollouts]:
    """G answers; in the official code also G/2 untrained ones on shuffled frames, as Video-R1."""
    n = context.num_generations
    if context.variant != "official_code" or sample.video is None:
        return [Rollouts(n)]
    shuffled = Rollouts(
        n // 2, view="shuffled", frames=lambda t: context.rng.sample(range(t), t), trained=False
    )
    return [Rollouts(n), shuffled]


def with_map(group: Group, i: int) -> float:
    """Accuracy of an answer: a right one gains its map's score, or loses all by a worthless map."""
    value, score = group.scores["accuracy"][i], group.scores["cognitive_map"][i]
    floor = {"numerical": RIGHT, "multiple choice": 0.0}.get(group.sample.problem_type, math.inf)
    if value <= floor or score == NO_MAP:
        return value
    return value + score if score > 0 else 0.0


def shape_rewards(group: Group, context: Context) -> list[float]:
    """Accuracy with its map, format, the comparison with shuffled answers, and the length bonus."""
    rows = group.where("ordered")
    right = [with_map(group, i) for i in rows]
    # The map is part of the official accuracy, so of shuffled answers too.
    extra = comparison_bonus(right, [with_map(group, i) for i in group.where("shuffled")])
    lengths = [group.lengths[i] for i in rows]
    window = length_window(lengths, right, low=SHORTEST, high=LONGEST, bonus=LENGTH_BONUS)
    form = [group.scores["format"][i] for i in rows]
    return [sum(parts) for parts in zip(right, form, extra, window, strict=True)]


METHOD = Method(
    id="spacer",
    baseline="grpo",
    prompt=prompt,
    build_group=build_group,
    rewards=(accuracy, rules.format_reward("video_r1"), cognitive_map),
    shape_rewards=shape_rewards,
    format_target=format_target,
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
