"""CoT-Vid reasons only where a question needs it, from the description that most samples agree on.

Paper: CoT-Vid, arXiv 2505.11830v2 (v3 is called VISTA); stages as in Hongbo-Jin/CoT-Vid@4333611
    images/overall pipeline.png, clusters as in its inference_multichoice.py (cot_sc).
Catalog: cot_vid
Baseline: decode
Delta: decode routes by question, samples descriptions, takes one of the largest cluster of similar
    ones, and answers from it and the video.
Not reproduced: the table of eleven kinds of question that the paper routes by, and descriptions
    that are steered by the question: the router and the description have prompts of ours.
"""

from difflib import SequenceMatcher

from reproductions.shared.decoding.ask import YES_NO, greedy, note_tokens, request, warm, yes
from reproductions.shared.inference.engine import Generator, Prediction
from reproductions.shared.method import Context, Method, Sample
from reproductions.shared.prompts import describe, from_notes, needs_reasoning

ROUTE = 0.5  # our choice: the likelier of yes and no
SIMILAR = 0.8  # inference_multichoice.py (similarity_threshold)


def clusters(texts: list[str]) -> list[list[str]]:
    """Each text joins the first cluster whose first member it resembles, or opens one."""
    found: list[list[str]] = []
    for text in texts:
        near = (c for c in found if SequenceMatcher(None, text, c[0]).ratio() >= SIMILAR)
        cluster = next(near, None)
        if cluster is None:
            found.append([text])
        else:
            cluster.append(text)
    return found


def decode(sample: Sample, generator: Generator, context: Context) -> Prediction:
    """Route (from the question alone), describe several times, agree, and answer."""
    router = request(sample, needs_reasoning(sample), None)
    route = yes(generator.generate([router], greedy(context, 8, choices=YES_NO))[0][0])
    if route < ROUTE:
        text = generator.generate([request(sample)], greedy(context))[0][0].text
        return Prediction(text, trace=({"step": "route", "reasoning": route},))
    look = request(sample, describe((0.0, context.duration)), n=context.settings["answers"])
    described = generator.generate([look], warm(context, note_tokens(context)))[0]
    agreed = max(clusters([d.text for d in described]), key=len)  # of equal ones the first
    asked = request(sample, from_notes(sample, agreed[0]))
    text = generator.generate([asked], greedy(context))[0][0].text
    trace = ({"step": "route", "reasoning": route},
             {"step": "seen", "text": agreed[0], "votes": len(agreed)})  # fmt: skip
    return Prediction(text, trace=trace)


METHOD = Method(id="cot_vid", baseline="decode", decode=decode)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
