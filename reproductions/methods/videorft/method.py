"""VideoRFT pays right answers more when the reasoning before them speaks of what the video shows.

Paper: VideoRFT, arXiv 2505.12434.
Catalog: videorft
Baseline: grpo
Delta: rewards compare the thought with every frame; shape_rewards lets that count for right answers
    alone and adds the length bonus.
Not reproduced: SigLIP. `semantic` is a stand-in: the same formula on words, the thought's against
    those of what a frame shows (meta["events"]); it is 0 for records that do not say that.
"""

import math
from collections import Counter
from typing import Any

from reproductions.shared.method import Context, Group, Method
from reproductions.shared.rewards.length import length_window
from reproductions.shared.rewards.official.answers import videorft_text
from reproductions.shared.rewards.rules import accuracy, format_reward
from reproductions.shared.rewards.tags import text_of
from reproductions.shared.rewards.text import rouge_tokens

SCALE = 2.0  # w, official code @bba6099, grpo.py
LENGTH_BONUS, SHORTEST, LONGEST = 0.2, 320, 512  # official trainer @bba6099, as Video-R1's
RIGHT = 0.1  # official trainer @bba6099: accuracy above this counts as right for the length


def frame_words(meta: dict[str, Any]) -> list[list[str]]:
    """For each second of a clip, the words for what is to be seen."""
    events = meta.get("events") or []
    seconds = range(math.ceil(float(meta.get("seconds") or 0)))
    return [
        [w for e in events if e["start"] <= t < e["end"] for w in str(e["object"]).split()]
        for t in seconds
    ]


def similarity(a: list[str], b: list[str]) -> float:
    """Cosine of two bags of words, in [0, 1]; 0 where one is empty."""
    x, y = Counter(a), Counter(b)
    norm = math.sqrt(sum(n * n for n in x.values()) * sum(n * n for n in y.values()))
    return sum(n * y[w] for w, n in x.items()) / norm if norm else 0.0


def semantic(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """Mean over frames of min(1, w x max(similarity, 0)), in [0, 1] (official `semantic_reward`).

    As there, the text is the thought after its first full stop.
    """
    scores = []
    for completion, meta in zip(completions, columns["meta"], strict=True):
        thought = rouge_tokens(videorft_text(text_of(completion))[:2000], stem=False)
        frames = [min(1.0, SCALE * similarity(thought, words)) for words in frame_words(meta)]
        scores.append(sum(frames) / len(frames) if frames else 0.0)
    return scores


def shape_rewards(group: Group, context: Context) -> list[float]:
    """Accuracy + format + the gated semantic reward + the length bonus."""
    right, form = group.scores["accuracy"], group.scores["format"]
    gated = [s if a > 0 else 0.0 for s, a in zip(group.scores["semantic"], right, strict=True)]
    bonus = length_window(
        group.lengths, right, low=SHORTEST, high=LONGEST, bonus=LENGTH_BONUS, floor=RIGHT
    )
    return [sum(parts) for parts in zip(right, form, gated, bonus, strict=True)]


METHOD = Method(
    id="videorft",
    baseline="grpo",
    rewards=(accuracy("video_r1"), format_reward("video_r1"), semantic),
    shape_rewards=shape_rewards,
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
