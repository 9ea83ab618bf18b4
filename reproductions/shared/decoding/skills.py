"""A cold start for test-time methods: a small model learns what they will ask of it.

A published model can say which part of a video is relevant, describe a part, check an answer and
call a tool. A model from random weights that was taught to answer alone cannot, and no strategy
would have anything to work with. Here half of the training questions are turned into such tasks,
each with the answer that the clip's ground truth gives.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from reproductions.shared import prompts
from reproductions.shared.decoding.frames import Span, moments, segments, shared_out
from reproductions.shared.inference.engine import Message, Shown
from reproductions.shared.method import Sample

SKILLS = {
    "answer": 8,
    "from_part": 3,
    "from_moments": 3,
    "relevant": 2,
    "describe": 2,
    "from_notes": 2,
    "right": 1,
    "locate": 1,
    "needs_reasoning": 1,
    "tool": 1,
    "tool_result": 1,
}
"""Skill -> its weight."""

LOOKS = (8, 8, 16, 32)
"""Frames of a look at the whole video; a part is shown by 8."""
PARTS = (4, 6, 8)
TOOLS = 'seek {"start": seconds, "end": seconds}: frames of these seconds'


def skilled(samples: Sequence[Sample], seed: int) -> list[Sample]:
    """The samples, each as one of `SKILLS`.

    Args:
        samples: Of the synthetic world, with events in their `meta`.
        seed: Of the run.

    Returns:
        Samples with the conversation in `meta["messages"]` and what is to be learnt in
        `meta["target"]`. A sample without events is asked as it is.
    """
    return [_taught(s, Random(f"vidpost skills/{seed}/{s.id}")) for s in samples]


def target(sample: Sample) -> str:
    """What a training sample teaches to write: `meta["target"]`, else reasoning and answer."""
    return str(sample.meta.get("target") or prompts.rationale_target(sample))


def evidence(sample: Sample) -> list[Span]:
    """When something happens that the question is about, in seconds."""
    events = sample.meta.get("events", ())
    return [(float(e["start"]), float(e["end"])) for e in events if not e["distractor"]]


def shows(span: Span, seen: Sequence[Span]) -> bool:
    """Whether a part of the video overlaps with any of the spans."""
    return any(low < span[1] and high > span[0] for low, high in seen)


def caption(sample: Sample, span: Span) -> str:
    """What happens in a part: objects with the time at which they are first seen in it."""
    events = [e for e in sample.meta.get("events", ()) if e["object"] != "grey"]
    lines = [
        f"{max(float(e['start']), span[0]):.1f}s {e['object']}"
        for e in sorted(events, key=lambda e: float(e["start"]))
        if e["start"] < span[1] and e["end"] > span[0]
    ]
    return "; ".join(lines[:4]) or "nothing"


def notes(sample: Sample, parts: Sequence[Span]) -> str:
    """Captions of parts, a line each."""
    return "\n".join(note(span, caption(sample, span)) for span in parts)


def note(span: Span, text: str) -> str:
    """A caption with its time."""
    return f"{span[0]:.1f} to {span[1]:.1f}: {text}"


def frame_role(sample: Sample, ask: str, n: int, k: int, scale: float | None, seed: int) -> Sample:
    """A training sample that teaches one of two roles: to choose frames, or to answer from some.

    A selector names k of n evenly spaced frames, half of the time those of the evidence and else
    any: one that always knew would leave nothing to learn by reward. An answerer is shown frames of
    the evidence and nothing else.

    Args:
        sample: Of the synthetic world, with events in its `meta`.
        ask: What the selector is asked.
        n: Frames to choose from.
        k: Frames to choose.
        scale: Factor of the pixel budget of what the answerer sees; None: it is a selector.
        seed: Of the teacher.

    Returns:
        The sample with the conversation in `meta["messages"]` and what to write in `target`.
    """
    rng = Random(f"vidpost frames/{seed}/{sample.id}")
    times = [i * float(sample.meta["seconds"]) / n for i in range(n)]
    seen = evidence(sample)
    inside = [i for i, t in enumerate(times) if any(start <= t < end for start, end in seen)]
    knows = scale is not None or rng.random() < 0.5
    order = [*rng.sample(inside, len(inside) if knows else 0), *rng.sample(range(n), n)]
    chosen = sorted(list(dict.fromkeys(order))[:k])
    if scale is None:
        message = Message("user", ask, Shown())
        thought = "; ".join(f"{times[i]:.1f}s" for i in chosen)
        said = f"<index>{', '.join(map(str, chosen))}</index>"
    else:
        shown = Shown(times=tuple(times[i] for i in chosen), scale=scale)
        message = Message("user", prompts.think_then_answer(sample), shown)
        thought, said = str(sample.meta["answer_text"]), f"<answer>{sample.answer}</answer>"
    taught = {"messages": (message,), "target": f"<think>{thought}</think>{said}"}
    return replace(sample, meta={**sample.meta, **taught})


def _taught(sample: Sample, rng: Random) -> Sample:
    seen, length = evidence(sample), float(sample.meta.get("seconds", 0.0))
    skill = rng.choices(list(SKILLS), list(SKILLS.values()))[0] if seen else "answer"
    cut = segments(length, rng.choice(PARTS))
    with_it = [s for s in cut if shows(s, seen)]
    without = [s for s in cut if not shows(s, seen)]
    hull = (with_it[0][0], with_it[-1][1]) if with_it else (0.0, length)
    look = Shown(frames=rng.choice(LOOKS))
    close = Shown(frames=8, span=hull)
    said = target(sample)

    def user(text: str, shown: Shown | None) -> Message:
        return Message("user", text, shown)

    talk: list[Message]
    if skill == "answer":
        talk = [user(prompts.think_then_answer(sample), look)]
    elif skill == "from_part":
        talk = [user(prompts.from_part(sample, hull), close)]
    elif skill == "from_moments":
        times = tuple(
            sorted({*moments((0.0, length), rng.choice((4, 6, 8))), *shared_out(seen, 8)})
        )
        talk = [user(prompts.from_moments(sample, times), Shown(times=times))]
    elif skill == "relevant":
        helps = not without or rng.random() < 0.5
        span = rng.choice(with_it if helps else without)
        talk = [user(prompts.relevant(sample, span), Shown(frames=8, span=span))]
        said = "yes" if helps else "no"
    elif skill == "describe":
        span = rng.choice(with_it if not without or rng.random() < 0.6 else without)
        talk = [user(prompts.describe(span), Shown(frames=8, span=span))]
        said = caption(sample, span)
    elif skill == "from_notes":
        talk = [user(prompts.from_notes(sample, notes(sample, cut)), None)]
    elif skill == "right":
        others = [o[0] for o in sample.options if o[0] != sample.answer]
        is_right = not others or rng.random() < 0.5
        proposed = sample.answer if is_right else rng.choice(others)
        talk = [user(prompts.right(sample, proposed), look)]
        said = "yes" if is_right else "no"
    elif skill == "needs_reasoning":
        talk = [user(prompts.needs_reasoning(sample), None)]
        said = "yes" if sample.meta.get("order_dependent") else "no"
    elif skill == "locate":
        talk = [user(prompts.locate(sample, len(cut)), look)]
        said = str(1 + cut.index(with_it[0]))
    else:
        call = {"name": "seek", "arguments": {"start": hull[0], "end": hull[1]}}
        talk = [user(prompts.with_tools(sample, TOOLS), look)]
        if skill == "tool":
            said = f"<tool>{json.dumps(call)}</tool>"
        else:
            talk.append(Message("assistant", f"<tool>{json.dumps(call)}</tool>"))
            talk.append(user(f"Frames from {hull[0]:.1f} to {hull[1]:.1f} s.", close))
    return replace(sample, meta={**sample.meta, "messages": tuple(talk), "target": said})
