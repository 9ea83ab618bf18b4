"""Best-of-n samples answers and keeps the one that a verifier scores highest.

Paper: Training Verifiers to Solve Math Word Problems, arXiv 2110.14168, Sec. 4 (on video: the
    survey, arXiv 2510.05034, Sec. 4).
Catalog: best_of_n_verifier
Baseline: decode
Delta: decode samples answers, has each checked, and keeps the best.
Not reproduced: a trained verifier that reads the whole solution; the model checks itself, by the
    probability of yes, as in Language Models (Mostly) Know What They Know, arXiv 2207.05221, and is
    shown the answer alone, so that equal answers have one score.
"""

from reproductions.shared.decoding.ask import YES_NO, answer_of, greedy, request, warm, yes
from reproductions.shared.decoding.search import best_of
from reproductions.shared.inference.engine import Generator, Prediction, Request
from reproductions.shared.method import Context, Method, Sample
from reproductions.shared.prompts import right


def decode(sample: Sample, generator: Generator, context: Context) -> Prediction:
    """Equal answers are checked once; a tie goes to the answer that came first."""
    answers = generator.generate([Request(sample, context.settings["answers"])], warm(context))[0]
    texts = {answer_of(a.text): a.text for a in reversed(answers)}  # the first text of each answer
    distinct = [k for k in dict.fromkeys(answer_of(a.text) for a in answers) if k]
    if not distinct:
        return Prediction(answers[0].text)
    asked = [request(sample, right(sample, _shown(sample, k))) for k in distinct]
    checks = generator.generate(asked, greedy(context, 8, choices=YES_NO))
    scores = [yes(c[0]) for c in checks]
    trace = {"step": "verify", "scores": dict(zip(distinct, scores, strict=True))}
    return Prediction(texts[best_of(distinct, scores)], trace=(trace,))


def _shown(sample: Sample, key: str) -> str:
    return key.upper() if sample.options else key


METHOD = Method(id="best_of_n_verifier", baseline="decode", decode=decode)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
