"""TCoT first lets the model pick the frames of each segment that matter, then answers from those.

Paper: Temporal Chain of Thought, arXiv 2507.02001.
Catalog: tcot
Baseline: decode
Delta: decode reads segments one by one and answers from the union of what was chosen.
Not reproduced: frame numbers and justifications as free text; the model's probability that a
    segment helps decides, and a chosen segment's moments share the budget of frames.
"""

from reproductions.shared.decoding.ask import greedy, request
from reproductions.shared.decoding.frames import best, joined, moments, relevance, segments
from reproductions.shared.decoding.frames import shared_out as share
from reproductions.shared.inference.engine import Generator, Prediction, Shown
from reproductions.shared.method import Context, Method, Sample
from reproductions.shared.prompts import from_moments

HELPFUL = 0.5  # our choice: the likelier of yes and no
UNIFORM = 0.25  # our choice: share of the frames that stay uniform, as context


def decode(sample: Sample, generator: Generator, context: Context) -> Prediction:
    """Segments that help, or the most helpful one; their moments and a few uniform ones."""
    set_ = context.settings
    cut = segments(context.duration, set_["segments"])
    scores = relevance(sample, generator, context, cut, set_["frames"])
    chosen = [i for i, p in enumerate(scores) if p >= HELPFUL] or best(scores, 1)
    spans = joined([cut[i] for i in chosen])
    uniform = moments((0.0, context.duration), max(1, int(UNIFORM * set_["max_frames"])))
    close = share(spans, max(1, set_["max_frames"] - len(uniform)))
    times = tuple(sorted({*uniform, *close}))
    asked = request(sample, from_moments(sample, times), Shown(times=times))
    answer = generator.generate([asked], greedy(context))[0][0]
    trace = ({"step": "segments", "relevance": scores}, {"step": "frames", "times": times})
    return Prediction(answer.text, tuple(spans), trace)


METHOD = Method(id="tcot", baseline="decode", decode=decode)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
