"""MR. Video maps over short clips and reduces: once for captions, once for the question.

Paper: MR. Video, arXiv 2504.16082; stages as in ziqipang/MR-Video@aea5f01 assets/overview.png.
Catalog: mr_video
Baseline: decode
Delta: decode captions all clips, answers on each clip that helps, and joins captions and answers.
Not reproduced: merging and renaming characters, the first reducing step (there are none in the
    miniature; on real video nothing does it). Free text of what a scene may have to do with the
    question, and its summary for the whole video: a yes or no a clip stands for both. Questions
    that a language model asks of chosen scenes: each clip is asked the question itself.
"""

from reproductions.shared.decoding.ask import answer_of, greedy, note_tokens, request
from reproductions.shared.decoding.frames import relevance, segments
from reproductions.shared.decoding.skills import note
from reproductions.shared.inference.engine import Generator, Prediction, Shown
from reproductions.shared.method import Context, Method, Sample
from reproductions.shared.prompts import describe, from_notes, from_part

HELPFUL = 0.5  # our choice: the likelier of yes and no


def spelled(sample: Sample, said: str) -> str:
    """An answer as words: the option that a letter stands for."""
    return next((o for o in sample.options if o[:1].casefold() == said), said)


def decode(sample: Sample, generator: Generator, context: Context) -> Prediction:
    """Map captions; map relevance and the question; reduce to an answer."""
    set_ = context.settings
    cut = segments(context.duration, set_["segments"])
    looks = [Shown(frames=set_["frames"], span=span) for span in cut]
    asked = [request(sample, describe(s), look) for s, look in zip(cut, looks, strict=True)]
    captions = generator.generate(asked, greedy(context, note_tokens(context)))
    notes = [note(s, c[0].text) for s, c in zip(cut, captions, strict=True)]
    helps = relevance(sample, generator, context, cut, set_["frames"])
    useful = [i for i, p in enumerate(helps) if p >= HELPFUL]
    asked = [request(sample, from_part(sample, cut[i]), looks[i]) for i in useful]
    parts = generator.generate(asked, greedy(context))
    for i, found in zip(useful, parts, strict=True):
        if said := answer_of(found[0].text):
            notes[i] += f"; answer here: {spelled(sample, said)}"
    final = request(sample, from_notes(sample, "\n".join(notes)), None)
    text = generator.generate([final], greedy(context))[0][0].text
    trace = (
        {"step": "map", "notes": notes},
        {"step": "question", "relevance": helps, "answers": [p[0].text for p in parts]},
    )
    return Prediction(text, tuple(cut[i] for i in useful), trace)


METHOD = Method(id="mr_video", baseline="decode", decode=decode)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
