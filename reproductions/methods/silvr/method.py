"""SiLVR turns a video into captions and speech, and reasons over the text alone.

Paper: SiLVR, arXiv 2505.24869.
Catalog: silvr
Baseline: decode
Delta: decode captions clips, of the shortest length whose captions fit, and answers without frames.
Not reproduced: a separate captioner and reasoner (one model does both); speech recognition: what
    is said comes with the sample. Whether captions fit is known beforehand here, by their greatest
    length and without the speech; the released run tries 1 s and falls back to 8 s.
"""

import math

from reproductions.shared.decoding.ask import greedy, note_tokens, request
from reproductions.shared.decoding.frames import segments
from reproductions.shared.decoding.skills import note
from reproductions.shared.decoding.text import speech
from reproductions.shared.inference.engine import Generator, Prediction, Shown
from reproductions.shared.method import Context, Method, Sample
from reproductions.shared.prompts import describe, from_notes

CLIP_SECONDS = (1, 8, 64)  # CeeZh/SILVR@0f3dcdd README; for CG-Bench its scripts name 32


def clips(context: Context) -> int:
    """Into how many clips to cut: the most whose captions fit, else the fewest."""
    room = context.settings["context_tokens"] // note_tokens(context)
    counts = [math.ceil(context.duration / seconds) for seconds in CLIP_SECONDS]
    return max(1, next((n for n in counts if n <= room), counts[-1]))


def decode(sample: Sample, generator: Generator, context: Context) -> Prediction:
    """Captions and speech in the order of time, then one answer to the text."""
    cut = segments(context.duration, clips(context))
    frames = context.settings["frames"]
    asked = [request(sample, describe(s), Shown(frames=frames, span=s)) for s in cut]
    captions = generator.generate(asked, greedy(context, note_tokens(context)))
    lines = [note(s, c[0].text) for s, c in zip(cut, captions, strict=True)]
    said = speech(sample)
    notes = "\n".join([*lines, *(["Speech:", *said] if said else [])])
    final = request(sample, from_notes(sample, notes), None)
    text = generator.generate([final], greedy(context))[0][0].text
    return Prediction(text, trace=({"step": "captions", "lines": lines, "speech": said},))


METHOD = Method(id="silvr", baseline="decode", decode=decode)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
