"""VideoICL shows solved examples like the question, and others as long as the answer is not sure.

Paper: VideoICL, arXiv 2412.02186.
Catalog: videoicl
Baseline: decode
Delta: decode ranks examples by similarity, shows the next few each round, most similar first, and
    keeps the surest answer.
Not reproduced: similarity of text and video embeddings (SentenceBERT, InternVideo2); it is that of
    the questions' words here. Answers without a thought: here its tokens count for how sure an
    answer is, too.
"""

from reproductions.shared.decoding.ask import greedy, least_probability, request, tagged
from reproductions.shared.decoding.text import retrieve
from reproductions.shared.inference.engine import Generator, Message, Prediction, Shown
from reproductions.shared.method import Context, Method, Sample
from reproductions.shared.prompts import question, think_then_answer


def shown_example(example: Sample, frames: int | None) -> tuple[Message, Message]:
    """A solved question as two turns, with its own video."""
    look = Shown(frames=frames, video=example.video) if example.video else None
    answer = tagged(example.answer, example.rationale)
    return Message("user", think_then_answer(example), look), Message("assistant", answer)


def decode(sample: Sample, generator: Generator, context: Context) -> Prediction:
    """Algorithm 1: the next best examples until the least likely token is likely enough."""
    set_ = context.settings
    pool = [e for e in context.examples if e.task == sample.task] or list(context.examples)
    a_round, rounds = set_["examples"], set_["rounds"]
    ranked = retrieve(question(sample), [question(e) for e in pool], a_round * rounds)
    best, surest, trace = "", -1.0, []
    for r in range(rounds):
        chosen = ranked[r * a_round : (r + 1) * a_round]
        if not chosen and r:
            break
        turns = [t for i in chosen for t in shown_example(pool[i], set_["frames"])]
        answer = generator.generate([request(sample, before=turns)], greedy(context))[0][0]
        sure = least_probability(answer)
        trace.append({"step": "round", "examples": [pool[i].id for i in chosen], "sure": sure})
        if sure > surest:
            best, surest = answer.text, sure
        if sure > set_["threshold"]:
            break
    return Prediction(best, trace=tuple(trace))


METHOD = Method(id="videoicl", baseline="decode", decode=decode)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
