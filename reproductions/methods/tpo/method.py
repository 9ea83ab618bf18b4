"""TPO prefers the answer given on the whole video to one given with the relevant part missing.

Paper: Temporal Preference Optimization, arXiv 2501.13919: localised and comprehensive pairs.
Catalog: tpo
Baseline: dpo
Delta: build_group asks the model once on the intact video and once on the video without the
    question's segment (localised) or thinned out (comprehensive); the second may only be rejected.
Not reproduced: the SFT term on the preferred answer that the authors add to DPO's loss (its weight
    was not found), questions written by a language model from captions of a segment (the data's own
    questions are used) and its filter of pairs (the accuracy reward filters here: a pair stays only
    if the intact video gave the better answer).
"""

from collections.abc import Sequence

from reproductions.shared.method import Context, Method, Rollouts, Sample

LOCALISED = 0.5  # share of localised pairs; our choice, the paper's split was not found
THINNED = 4  # every 4th frame stays; our choice, the figure of ruili33/TPO@6c43c58 keeps every 2nd


def segments(sample: Sample) -> list[tuple[float, float]]:
    """What the question is about, as (start, end) in fractions of the video; [] if unknown."""
    seconds = float(sample.meta.get("seconds") or 0)
    if not seconds:
        return []
    spans = [sample.meta["interval"]] if sample.meta.get("interval") else []
    events = sample.meta.get("events", ()) if not spans else ()
    spans += [(e["start"], e["end"]) for e in events if not e.get("distractor")]
    return [(float(start) / seconds, float(end) / seconds) for start, end in spans]


def without(spans: Sequence[tuple[float, float]], frames: int) -> list[int]:
    """Indices of the frames outside of all spans, an even number of them."""
    outside = [
        i
        for i in range(frames)
        if all((i + 1) / frames <= start or i / frames >= end for start, end in spans)
    ]
    return outside[: len(outside) // 2 * 2]  # the processor merges frames in twos


def thinned(frames: int) -> list[int]:
    """Every `THINNED`-th frame from the first one on, at least two."""
    return list(range(0, frames, min(THINNED, max(1, frames // 2))))


def build_group(sample: Sample, context: Context) -> list[Rollouts]:
    """One answer to prefer, on the intact video, and one to reject, on what is left of it."""
    if sample.video is None:
        return [Rollouts(1)]  # nothing can be taken away, so there is no pair
    spans = segments(sample) if context.rng.random() < LOCALISED else []

    def left(frames: int) -> list[int]:
        # Where the segment is the whole video, nothing would be left to answer from.
        return (without(spans, frames) if spans else []) or thinned(frames)

    return [
        Rollouts(1, view="intact"),
        Rollouts(1, view="segment_missing" if spans else "thinned", frames=left, trained=False),
    ]


METHOD = Method(id="tpo", baseline="dpo", build_group=build_group)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
