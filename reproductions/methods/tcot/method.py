"""TCoT first lets the model pick the frames of each segment that matter, then answers from those.

Paper: Temporal Chain of Thought, arXiv 2507.02001, Sec. 3.2 (Dynamic-Segment TCoT).
Catalog: tcot
Baseline: decode
Delta: decode reads segments one by one and answers from the union of what was chosen, thinned to
    the budget, and a few uniform frames.
Not reproduced: choosing among the frames of a segment by number, with a justification; the model's
    probability that a segment helps takes or leaves all of its frames.
"""

from reproductions.shared.decoding.ask import greedy, request
from reproductions.shared.decoding.frames import best, joined, moments, relevance, segments
from reproductions.shared.inference.engine import Generator, Prediction, Shown
from reproductions.shared.method import Context, Method, Sample
from reproductions.shared.prompts import from_moments

HELPFUL = 0.5  # our choice: the likelier of yes and no
UNIFORM = 0.25  # our choice of u / k: of Table 6b the rows around 32 of 120


def decode(sample: Sample, generator: Generator, context: Context) -> Prediction:
    """Segments that help (our choice: or the most helpful one), then one answer."""
    set_ = context.settings
    cut = segments(context.duration, set_["segments"])
    scores = relevance(sample, generator, context, cut, set_["frames"])
    chosen = [i for i, p in enumerate(scores) if p >= HELPFUL] or best(scores, 1)
    spans = joined([cut[i] for i in chosen])
    uniform = moments((0.0, context.duration), max(1, int(UNIFORM * set_["max_frames"])))
    close = [t for i in chosen for t in moments(cut[i], set_["frames"])]
    room = max(1, set_["max_frames"] - len(uniform))
    if len(close) > room:
        close = [close[int((j + 0.5) * len(close) / room)] for j in range(room)]
    times = tuple(sorted({*uniform, *close}))
    asked = request(sample, from_moments(sample, times), Shown(times=times))
    answer = generator.generate([asked], greedy(context))[0][0]
    trace = ({"step": "segments", "relevance": scores}, {"step": "frames", "times": times})
    return Prediction(answer.text, tuple(spans), trace)


METHOD = Method(id="tcot", baseline="decode", decode=decode)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
