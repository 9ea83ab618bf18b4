"""AutoCaption grows captions by Monte Carlo tree search; here they then answer the question.

Paper: Evaluating Multimodal Large Language Models on Video Captioning via Monte Carlo Tree Search,
    arXiv 2506.11155.
Catalog: autocaption_mcts
Baseline: decode
Delta: decode searches a tree of parts of the video for captions that add something new.
Not reproduced: the six actions (whole, detail, time, space, background, camera) and the value of
    the released code, a judge's mark lowered by similarity to what is there; an action here looks
    at one half of a part, and new words are the reward. Fine-tuning on the captions.
"""

import math

from reproductions.shared.decoding.ask import greedy, note_tokens, request
from reproductions.shared.decoding.frames import Span, segments
from reproductions.shared.decoding.search import tree_search, walk
from reproductions.shared.decoding.skills import note
from reproductions.shared.decoding.text import words
from reproductions.shared.inference.engine import Generator, Prediction, Shown
from reproductions.shared.method import Context, Method, Sample
from reproductions.shared.prompts import describe, from_notes

EXPLORATION = math.sqrt(2)  # our choice: that of UCT; mcts.py adds 0.125 sqrt(N) / (1 + n)


def novelty(text: str, before: list[str]) -> float:
    """Share of a caption's words that no earlier caption has, 0 to 1; times are no words."""
    old = {w for t in before for w in words(t)}
    new = {w for w in words(text) if w.isalpha()}
    return len(new - old) / len(new) if new else 0.0


def decode(sample: Sample, generator: Generator, context: Context) -> Prediction:
    """Search, then answer from all captions in the order of time."""
    set_ = context.settings
    captions: dict[Span, str] = {}

    def expand(span: Span) -> list[Span]:
        return segments(span[1] - span[0], set_["width"], span[0])

    def reward(span: Span) -> float:
        look = request(sample, describe(span), Shown(frames=set_["frames"], span=span))
        text = generator.generate([look], greedy(context, note_tokens(context)))[0][0].text
        gained = novelty(text, list(captions.values()))
        captions[span] = text
        return gained

    tree = tree_search((0.0, context.duration), expand, reward, set_["rounds"], EXPLORATION)
    visited = [n for n in walk(tree) if n.visits]
    written = "\n".join(note(s, captions[s]) for s in sorted(captions))
    asked = request(sample, from_notes(sample, written), None)
    text = generator.generate([asked], greedy(context))[0][0].text
    trace = tuple(
        {"step": "node", "span": n.state, "visits": n.visits, "mean": n.mean} for n in visited
    )
    return Prediction(text, tuple(sorted(captions)), trace)


METHOD = Method(id="autocaption_mcts", baseline="decode", decode=decode)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
