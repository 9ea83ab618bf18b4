"""AKeyS searches key frames in a tree of segments, cheapest first, until they suffice to answer.

Paper: Agentic Keyframe Search for Video Question Answering, arXiv 2503.16032; order of the steps as
    in fansunqi/AKeyS@5562ff4 main.py.
Catalog: akeys
Baseline: decode
Delta: decode answers from one frame a segment, and as long as it does not take its answer for
    right, cuts the cheapest segments by f = g + h and shows the middles of their halves, too.
Not reproduced: captions and a text model as agent. It names the segments to cut, by what they may
    tell (h) and by how much the scene changes (g); here the video model estimates h, and g is the
    depth in the tree. Two agents that must agree and be sure; the vote from the first frames at the
    end.
"""

from itertools import islice

from reproductions.shared.decoding.ask import YES_NO, answer_of, greedy, request, yes
from reproductions.shared.decoding.frames import Span, moments, relevance, segments
from reproductions.shared.decoding.search import best_first
from reproductions.shared.inference.engine import Generator, Prediction, Shown
from reproductions.shared.method import Context, Method, Sample
from reproductions.shared.prompts import from_moments, right

DEPTH_COST = 0.1  # our choice: what a cut costs; h lies between 0 and 1
BRANCHES = 2  # video_seg.py: a segment is cut in its middle


def decode(sample: Sample, generator: Generator, context: Context) -> Prediction:
    """Answer, check, cut; the last answer stays if none is taken for right."""
    set_ = context.settings
    whole = (0.0, context.duration)

    def costed(spans: list[Span], depth: int) -> list[tuple[float, tuple[Span, int]]]:
        helps = relevance(sample, generator, context, spans, set_["frames"])
        return [(DEPTH_COST * depth + 1 - p, (s, depth)) for s, p in zip(spans, helps, strict=True)]

    def expand(node: tuple[Span, int]) -> list[tuple[float, tuple[Span, int]]]:
        (low, high), depth = node
        return costed(segments(high - low, BRANCHES, low), depth + 1)

    times: set[float] = set(moments(whole, set_["segments"]))
    queue, spans, trace = None, [], []
    for step in range(1, set_["rounds"] + 1):
        seen = tuple(sorted(times))
        shown = Shown(times=seen)
        asked = request(sample, from_moments(sample, seen), shown)
        text = generator.generate([asked], greedy(context))[0][0].text
        check = request(sample, right(sample, answer_of(text).upper() or "none"), shown)
        sure = yes(generator.generate([check], greedy(context, 8, choices=YES_NO))[0][0])
        trace.append({"step": "answer", "frames": len(seen), "sure": sure})
        room = max(0, set_["max_frames"] - len(times)) // BRANCHES
        if sure >= set_["threshold"] or step == set_["rounds"] or not room:
            break
        if queue is None:
            queue = best_first(costed(segments(context.duration, set_["segments"]), 0), expand)
        for span, depth in islice(queue, min(room, set_["width"] or 1)):
            times |= set(moments(span, BRANCHES))
            spans.append(span)
            trace.append({"step": "cut", "span": span, "depth": depth})
    return Prediction(text, tuple(spans), tuple(trace))


METHOD = Method(id="akeys", baseline="decode", decode=decode)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
