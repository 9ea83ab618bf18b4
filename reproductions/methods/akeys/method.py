"""AKeyS searches key frames in a tree of segments, cheapest first, until they suffice to answer.

Paper: Agentic Keyframe Search for Video Question Answering, arXiv 2503.16032.
Catalog: akeys
Baseline: decode
Delta: decode takes segments in the order of f = g + h, adds their middle frame to what is shown,
    and stops when the model takes its answer for right.
Not reproduced: captions and a text model as agent; the video model itself estimates h, and g is
    the depth of a segment in the tree.
"""

from itertools import islice

from reproductions.shared.decoding.ask import YES_NO, answer_of, greedy, request, yes
from reproductions.shared.decoding.frames import Span, moments, relevance, segments
from reproductions.shared.decoding.search import best_first
from reproductions.shared.inference.engine import Generator, Prediction, Shown
from reproductions.shared.method import Context, Method, Sample
from reproductions.shared.prompts import from_moments, right

DEPTH_COST = 0.1  # our choice: what a cut costs; h lies between 0 and 1
BRANCHES = 2  # our choice: halves


def decode(sample: Sample, generator: Generator, context: Context) -> Prediction:
    """A round shows one more key frame; the last answer stays if none is taken for right."""
    set_ = context.settings

    def costed(spans: list[Span], depth: int) -> list[tuple[float, tuple[Span, int]]]:
        helps = relevance(sample, generator, context, spans, set_["frames"])
        return [(DEPTH_COST * depth + 1 - p, (s, depth)) for s, p in zip(spans, helps, strict=True)]

    def expand(node: tuple[Span, int]) -> list[tuple[float, tuple[Span, int]]]:
        (low, high), depth = node
        return costed(segments(high - low, BRANCHES, low), depth + 1)

    start = costed(segments(context.duration, set_["segments"]), 0)
    times: set[float] = set(moments((0.0, context.duration), set_["segments"]))
    spans, trace, text = [], [], ""
    for span, depth in islice(best_first(start, expand), set_["rounds"]):
        times |= set(moments(span, 2))
        spans.append(span)
        seen = tuple(sorted(times)[: set_["max_frames"]])
        shown = Shown(times=seen)
        asked = request(sample, from_moments(sample, seen), shown)
        text = generator.generate([asked], greedy(context))[0][0].text
        check = request(sample, right(sample, answer_of(text).upper() or "none"), shown)
        sure = yes(generator.generate([check], greedy(context, 8, choices=YES_NO))[0][0])
        trace.append({"step": "look", "span": span, "depth": depth, "sure": sure})
        if sure >= set_["threshold"]:
            break
    return Prediction(text, tuple(spans), tuple(trace))


METHOD = Method(id="akeys", baseline="decode", decode=decode)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
