"""CyberV watches its own answers and looks again, with key frames, where it is not sure.

Paper: CyberV, arXiv 2506.07971; constants as in marinero4972/CyberV@bbaa1ed scripts.
Catalog: cyberv
Baseline: decode
Delta: decode asks directly and with reasoning, scores each option over both, and below the
    threshold adds key frames and asks once more.
Not reproduced: attention drift, which no generator reports; key frames come from the segments that
    the model itself finds relevant. The other signals of the score forest.
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
from reproductions.shared.inference.engine import Completion, Generator, Prediction, Shown
from reproductions.shared.method import Context, Method, Sample
from reproductions.shared.prompts import from_moments

KEY_SEGMENTS = 2  # our choice: how many segments give key frames


def score(answers: list[Completion]) -> dict[str, float]:
    """Sensor: answer -> mean over both answers of its confidence (0 where it was not given)."""
    votes = [answer_of(a.text) for a in answers]
    sums = tally(votes, [least_probability(a) for a in answers])
    return {vote: total / len(answers) for vote, total in sums.items()}


def decode(sample: Sample, generator: Generator, context: Context) -> Prediction:
    """Inference, sensor, controller; at most one feedback (N = 2, one reflection)."""
    set_ = context.settings
    direct = request(sample, prefix="<think></think><answer>")
    choices = short_answers(sample)
    how = greedy(context, choices=choices, stop=() if choices else ("</answer>",))
    (plain,) = generator.generate([direct], how)[0]
    plain = Completion(tagged(plain.text), plain.ids, plain.logprobs, plain.finished)
    (thought,) = generator.generate([request(sample)], greedy(context))[0]
    scores = score([plain, thought])
    label = max(scores, key=lambda k: scores[k]) if scores else ""
    texts = {answer_of(t.text): t.text for t in (plain, thought)}
    trace = [{"step": "sensor", "scores": scores}]
    if scores and scores[label] >= set_["threshold"]:
        return Prediction(texts[label], trace=tuple(trace))
    cut = segments(context.duration, set_["segments"])
    helps = relevance(sample, generator, context, cut, set_["frames"])
    spans = [cut[i] for i in best(helps, KEY_SEGMENTS)]
    close = [t for span in spans for t in moments(span, set_["frames"])]
    times = tuple(sorted({*moments((0.0, context.duration), set_["max_frames"]), *close}))
    asked = request(sample, from_moments(sample, times), Shown(times=times))
    again = generator.generate([asked], greedy(context))[0][0]
    trace.append({"step": "feedback", "key_frames": sorted(close), "mean": fmean(helps)})
    text = again.text if answer_of(again.text) else thought.text
    return Prediction(text, tuple(spans), tuple(trace))


METHOD = Method(id="cyberv", baseline="decode", decode=decode)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
