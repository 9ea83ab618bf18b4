"""Time-R1 grounds events in time by reinforcement learning on spans, graded at both ends.

Paper: Time-R1, arXiv 2503.13377.
Catalog: time_r1
Baseline: grpo
Delta: rewards pay the overlap times the nearness of both ends; prepare_data keeps samples that the
    model half solves.
Not reproduced: the measuring rounds between trainings (their result is read from each record's
    `difficulty`), the first draw of samples from a Gaussian over difficulty, timestep tags in the
    thought, and the error of the official code on spans without length (0 here).
"""

import math
from typing import Any

from reproductions.shared.method import Context, Method, Sample
from reproductions.shared.rewards.rules import format_reward, is_official, temporal_iou

HARDEST, EASIEST = 0.0, 70.0  # official code @7f2b594, run_rl_SF.sh: 0 < IoU <= 0.7, in percent
MOST = 2500  # official code @7f2b594, README: samples of a round

_graded, _official = (temporal_iou(boundary=True, least=x) for x in (0.0, -math.inf))
_plain = temporal_iou()


def boundary_iou(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """Overlap x (1 - |ds| / D) x (1 - |de| / D), D the duration; the overlap if D is unknown.

    Errors beyond D count as D; in the official code they make the reward negative.
    """
    graded = _official if is_official(columns) else _graded
    durations = [float(m.get("duration") or m.get("seconds") or 0) for m in columns["meta"]]
    known = graded(prompts, completions, solution=columns["solution"], durations=durations)
    plain = _plain(prompts, completions, solution=columns["solution"])
    return [k if d > 0 else p for k, p, d in zip(known, plain, durations, strict=True)]


def prepare_data(samples: list[Sample], context: Context) -> list[Sample]:
    """Of samples with a measured difficulty (IoU of the model's answer, percent): the useful ones.

    Solved and hopeless ones are dropped; of the rest at most `MOST` are taken, evenly over
    difficulty, easiest first. Samples nobody has measured stay, as does a cold start's data.
    """
    if context.stage == "sft":
        return samples
    measured = [s for s in samples if "difficulty" in s.meta]
    kept = sorted(
        (s for s in measured if HARDEST < float(s.meta["difficulty"]) <= EASIEST),
        key=lambda s: -float(s.meta["difficulty"]),
    )
    if len(kept) > MOST:
        kept = [kept[i * (len(kept) - 1) // (MOST - 1)] for i in range(MOST)]
    return kept + [s for s in samples if "difficulty" not in s.meta]


METHOD = Method(
    id="time_r1",
    baseline="grpo",
    prepare_data=prepare_data,
    rewards=(boundary_iou, format_reward("time_r1")),
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
