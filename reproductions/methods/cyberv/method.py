"""CyberV watches its own answers and looks again, with key frames, where it is not sure.

Paper: CyberV, arXiv 2506.07971; scoring and constants as in marinero4972/CyberV@bbaa1ed utils.py
    and scripts/test_videomme.sh.
Catalog: cyberv
Baseline: decode
Delta: decode answers directly and after a thought, scores both by a forest of signals, and below
    the threshold asks directly once more, with key frames.
Not reproduced: attention drift, the fifth signal, which no generator reports; key frames come from
    the segments that the model itself finds relevant. More than two answers: Video-MMMU and
    WorldSense have 8 and 16, at other thresholds.
"""

from statistics import fmean

from reproductions.shared.decoding.ask import (
    answer_of,
    greedy,
    least_probability,
    request,
    short_answers,
    tagged,
)
from reproductions.shared.decoding.frames import best, moments, relevance, segments
from reproductions.shared.decoding.voting import tally
from reproductions.shared.inference.engine import Generator, Prediction, Shown
from reproductions.shared.method import Context, Method, Sample
from reproductions.shared.prompts import from_moments

KEY_SEGMENTS = 2  # our choice: how many segments give key frames
DROP = 0.5  # utils.py: an answer half as probable as the direct one is unstable
PHRASE, TIMES = 15, 5  # utils.py: characters that come back so often are a repetition


def repeats(text: str) -> bool:
    """Whether a phrase comes back again and again; longer phrases hold one of `PHRASE`."""
    seen: dict[str, int] = {}
    for i in range(len(text) - PHRASE + 1):
        phrase = text[i : i + PHRASE]
        seen[phrase] = seen.get(phrase, 0) + 1
    return max(seen.values(), default=0) >= TIMES


def forest(probabilities: list[float], texts: list[str]) -> list[float]:
    """Controller: for each answer the mean of its signals, 0 to 1; the direct answer comes first.

    Probability, stability, no repetition, and the rank of the probability (of equal ones the later
    stands higher).
    """
    n, first = len(texts), probabilities[0]
    order = sorted(range(n), key=lambda i: probabilities[i])
    return [
        fmean((p, p >= DROP * first, not repeats(text), (order.index(i) + 1) / n))
        for i, (p, text) in enumerate(zip(probabilities, texts, strict=True))
    ]


def decode(sample: Sample, generator: Generator, context: Context) -> Prediction:
    """Inference, sensor, controller; at most one feedback (N = 2, no reflection)."""
    set_ = context.settings
    choices = short_answers(sample)
    how = greedy(context, choices=choices, stop=() if choices else ("</answer>",))
    thinking = request(sample, prefix="<think>")
    thought = generator.generate([thinking], greedy(context, stop=("</think>",)))[0][0].text
    thoughts = ["", thought]
    asked = [request(sample, prefix=f"<think>{t}</think><answer>") for t in thoughts]
    given = [a[0] for a in generator.generate(asked, how)]
    texts = [tagged(a.text, t) for a, t in zip(given, thoughts, strict=True)]
    votes = [answer_of(text) for text in texts]
    signals = forest([least_probability(a) if a.text else 0.0 for a in given], texts)
    scores = tally(votes, signals)
    label = max(scores, key=lambda k: scores[k], default="")
    trace: list[dict[str, object]] = [{"step": "sensor", "signals": signals, "scores": scores}]
    if label and scores[label] >= len(texts) * set_["threshold"]:
        agreed = [i for i, vote in enumerate(votes) if vote == label]
        text = texts[max(agreed, key=lambda i: signals[i])]
        return Prediction(text, trace=tuple(trace))
    cut = segments(context.duration, set_["segments"])
    helps = relevance(sample, generator, context, cut, set_["frames"])
    spans = [cut[i] for i in best(helps, KEY_SEGMENTS)]
    close = [t for span in spans for t in moments(span, set_["frames"])]
    times = tuple(sorted({*moments((0.0, context.duration), set_["max_frames"]), *close}))
    look = request(
        sample, from_moments(sample, times), Shown(times=times), prefix="<think></think><answer>"
    )
    again = tagged(generator.generate([look], how)[0][0].text)
    trace.append({"step": "feedback", "key_frames": sorted(close), "mean": fmean(helps)})
    text = next((t for t in (again, *reversed(texts)) if answer_of(t)), again)
    return Prediction(text, tuple(spans), tuple(trace))


METHOD = Method(id="cyberv", baseline="decode", decode=decode)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
