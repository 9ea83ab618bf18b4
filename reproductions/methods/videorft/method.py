"""VideoRFT pays right answers more when the reasoning before them speaks of what the video shows.

Paper: VideoRFT, arXiv 2505.12434, Sec. 3.2.
Catalog: videorft
Baseline: grpo
Delta: rewards compare the thought with the frames; shape_rewards lets that count for right answers
    alone. The official code compares with each frame and adds Video-R1's length bonus.
Not reproduced: SigLIP. `semantic` is a stand-in: the same formula on words, the thought's against
    those of what a frame shows (meta["events"]); it is 0 for records that do not say that.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from reproductions.shared.method import Context, Group, Method
from reproductions.shared.rewards.length import length_window
from reproductions.shared.rewards.official.answers import videorft_text
from reproductions.shared.rewards.rules import accuracy, format_reward
from reproductions.shared.rewards.tags import text_of
from reproductions.shared.rewards.text import rouge_tokens

SCALE = 2.0  # w, Eq. 5
SPAN = 64  # M, Sec. 3.2.1, is unpublished; the official code's SigLIP reads 64 tokens
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


def unit(words: Sequence[str]) -> dict[str, float]:
    """A bag of words as a vector of length 1; empty if there is none."""
    counts = Counter(words)
    norm = math.sqrt(sum(n * n for n in counts.values()))
    return {word: n / norm for word, n in counts.items()}


def mean(vectors: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean vector; empty if there is none."""
    words = {word for vector in vectors for word in vector}
    return {w: sum(v.get(w, 0.0) for v in vectors) / len(vectors) for w in words}


def similarity(a: Mapping[str, float], b: Mapping[str, float]) -> float:
    """min(1, w x max(cosine, 0)), in [0, 1]; 0 where a vector is empty."""
    norm = math.sqrt(sum(x * x for x in a.values()) * sum(x * x for x in b.values()))
    cosine = sum(x * b.get(word, 0.0) for word, x in a.items()) / norm if norm else 0.0
    return min(1.0, SCALE * max(cosine, 0.0))


def semantic(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """Eq. 5: the thought after its first full stop against the mean of the frames, in [0, 1].

    With variant official_code the mean of its similarities to the frames (`semantic_reward`).
    """
    scores = []
    contexts = columns.get("context") or [Context()] * len(completions)
    for completion, meta, context in zip(completions, columns["meta"], contexts, strict=True):
        words = rouge_tokens(videorft_text(text_of(completion))[:2000], stem=False)[:SPAN]
        thought, frames = unit(words), [unit(each) for each in frame_words(meta)]
        if context.variant == "official_code" and frames:
            scores.append(sum(similarity(thought, each) for each in frames) / len(frames))
        else:
            scores.append(similarity(thought, mean(frames)))
    return scores


def shape_rewards(group: Group, context: Context) -> list[float]:
    """Eq. 6: format + accuracy + the gated semantic reward; official_code adds the length bonus."""
    right, form = group.scores["accuracy"], group.scores["format"]
    gated = [s if a > 0 else 0.0 for s, a in zip(group.scores["semantic"], right, strict=True)]
    totals = [sum(parts) for parts in zip(right, form, gated, strict=True)]
    if context.variant != "official_code":
        return totals
    bonus = length_window(
        group.lengths, right, low=SHORTEST, high=LONGEST, bonus=LENGTH_BONUS, floor=RIGHT
    )
    return [total + extra for total, extra in zip(totals, bonus, strict=True)]


METHOD = Method(
    id="videorft",
    baseline="grpo",
    rewards=(accuracy("video_r1"), format_reward("video_r1"), semantic),
    shape_rewards=shape_rewards,
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
