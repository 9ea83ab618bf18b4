"""DIVE splits a question, explores the video for each part, and refines until it knows enough.

Paper: DIVE, arXiv 2506.21891; order of the steps as in PanasonicConnect/DIVE@edb005c main.py.
Catalog: dive
Baseline: decode
Delta: decode finds where to look, notes what is there, answers from the notes and goes on to the
    next part as long as it does not take the answer for right.
Not reproduced: the object-centred summary (it needs detectors); the intent in words, free
    sub-questions and their refinement after each answer, by closed models: a sub-question here is
    what happens in one part of the video, the most relevant first. The agent judges whether it
    knows enough and answers once, at the end; here it answers each time and checks that.
"""

from reproductions.shared.decoding.ask import (
    YES_NO,
    answer_of,
    greedy,
    note_tokens,
    request,
    yes,
)
from reproductions.shared.decoding.frames import relevance, segments
from reproductions.shared.decoding.skills import note
from reproductions.shared.inference.engine import Generator, Prediction, Shown
from reproductions.shared.method import Context, Method, Sample
from reproductions.shared.prompts import describe, from_notes, right

ENOUGH = 0.5  # our choice: the likelier of yes and no


def decode(sample: Sample, generator: Generator, context: Context) -> Prediction:
    """Which parts matter; of each in turn a sub-answer, an answer, a check; at most `rounds`."""
    set_ = context.settings
    cut = segments(context.duration, set_["segments"])
    helps = relevance(sample, generator, context, cut, set_["frames"])
    order = sorted(range(len(cut)), key=lambda i: -helps[i])[: set_["rounds"]]
    notes: dict[tuple[float, float], str] = {}
    text, trace = "", []
    for i in order:
        span = cut[i]
        look = request(sample, describe(span), Shown(frames=set_["frames"], span=span))
        seen = generator.generate([look], greedy(context, note_tokens(context)))[0][0].text
        notes[span] = seen
        written = "\n".join(note(s, notes[s]) for s in sorted(notes))
        asked = request(sample, from_notes(sample, written), None)
        text = generator.generate([asked], greedy(context))[0][0].text
        check = request(sample, right(sample, answer_of(text).upper() or "none"))
        sure = yes(generator.generate([check], greedy(context, 8, choices=YES_NO))[0][0])
        trace.append({"step": "explore", "span": span, "seen": seen, "sure": sure})
        if sure >= ENOUGH:
            break
    return Prediction(text, tuple(notes), tuple(trace))


METHOD = Method(id="dive", baseline="decode", decode=decode)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
