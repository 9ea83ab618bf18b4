"""Beam search keeps several beginnings of the answer and goes on with the likeliest of them.

Paper: Self-Evaluation Guided Beam Search for Reasoning, arXiv 2305.00633, Sec. 2.1; width as in
    the survey, arXiv 2510.05034, Sec. 4.1.
Catalog: beam_search
Baseline: decode
Delta: decode searches over steps of the answer, by mean log-probability of its tokens.
Not reproduced: beams over single tokens, which no inference server offers with video; a step is a
    fixed number of tokens. Of 2305.00633 the self-evaluation score, beams that are drawn by their
    score (here the best stay, its limit of temperature 0), and the product over steps: a mean is
    our choice, so that beams of different lengths compare.
"""

from reproductions.shared.decoding.ask import logprobs, note_tokens, request, warm
from reproductions.shared.decoding.search import Beam, beam_search
from reproductions.shared.inference.engine import Generator, Prediction
from reproductions.shared.method import Context, Method, Sample

State = tuple[str, float, int]
"""Text, sum of log-probabilities, tokens."""


def decode(sample: Sample, generator: Generator, context: Context) -> Prediction:
    """Each open beam grows by one step in `width` sampled ways; the best of all are kept."""
    width, step = context.settings["width"], note_tokens(context)
    how = warm(context, step)

    def expand(beams: list[Beam[State]]) -> list[list[Beam[State]]]:
        asked = [request(sample, n=width, prefix=b.state[0]) for b in beams]
        grown = []
        for beam, answers in zip(beams, generator.generate(asked, how), strict=True):
            children: dict[str, Beam[State]] = {}
            for a in answers:
                text, total, count = beam.state
                state = (text + a.text, total + sum(logprobs(a)), count + len(a.logprobs))
                score = state[1] / max(1, state[2])
                children.setdefault(state[0], Beam(state, score, a.finished))
            grown.append(list(children.values()))
        return grown

    steps = -(-context.settings["answer_tokens"] // step)
    beams = beam_search(("", 0.0, 0), expand, width, steps)
    best = next((b for b in beams if b.done), beams[0])
    trace = tuple({"step": "beam", "score": b.score, "text": b.state[0]} for b in beams)
    return Prediction(best.state[0], trace=trace)


METHOD = Method(id="beam_search", baseline="decode", decode=decode)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
