"""CoT-Vid reasons only where a question needs it, and lets similar reasoning paths vote together.

Paper: CoT-Vid, arXiv 2505.11830v2 (v3 is called VISTA).
Catalog: cot_vid
Baseline: decode
Delta: decode routes by question, separates what is seen from what follows, and weights votes.
Not reproduced: the paper's wording of router and sub-questions, which we have not seen; the
    sentence encoder of the similarity (word counts here).
"""

from reproductions.shared.decoding.ask import (
    YES_NO,
    greedy,
    note_tokens,
    request,
    warm,
    yes,
)
from reproductions.shared.decoding.voting import path_weights, winner
from reproductions.shared.inference.engine import Generator, Prediction
from reproductions.shared.method import Context, Method, Sample
from reproductions.shared.prompts import describe, from_notes, needs_reasoning

ROUTE = 0.5  # our choice: the likelier of yes and no


def decode(sample: Sample, generator: Generator, context: Context) -> Prediction:
    """Route (from the question alone), describe, then several paths and a weighted vote."""
    router = request(sample, needs_reasoning(sample), None)
    route = yes(generator.generate([router], greedy(context, 8, choices=YES_NO))[0][0])
    if route < ROUTE:
        text = generator.generate([request(sample)], greedy(context))[0][0].text
        return Prediction(text, trace=({"step": "route", "reasoning": route},))
    whole = (0.0, context.duration)
    look = request(sample, describe(whole))
    seen = generator.generate([look], greedy(context, note_tokens(context)))[0][0].text
    asked = request(sample, from_notes(sample, seen), n=context.settings["answers"])
    paths = generator.generate([asked], warm(context))[0]
    weights = path_weights([p.text for p in paths])
    trace = ({"step": "route", "reasoning": route}, {"step": "seen", "text": seen},
             {"step": "vote", "weights": weights})  # fmt: skip
    return Prediction(winner(paths, weights).text, trace=trace)


METHOD = Method(id="cot_vid", baseline="decode", decode=decode)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
