"""Video-RTS looks at more frames as long as five sampled answers do not agree.

Paper: Video-RTS, arXiv 2507.06485 (sparse-to-dense test-time scaling).
Catalog: video_rts
Baseline: decode
Delta: decode samples five answers on few frames, and doubles the frames until they are unanimous.
Not reproduced: the training half (pure GRPO on 6K questions). Of the released script: presence and
    frequency penalties, the words "Sample run i" before each prompt, and that an answer without
    tags votes, so that five of them are unanimous.
"""

from dataclasses import replace

from reproductions.shared.decoding.ask import answer_of, greedy, request
from reproductions.shared.decoding.voting import unanimous, winner
from reproductions.shared.inference.engine import Completion, Generator, Prediction, Sampling, Shown
from reproductions.shared.method import Context, Method, Sample

TOP_K = 50  # Ziyang412/Video-RTS@432fb5e src/video_rts_eval.py


def sampling(i: int, context: Context) -> Sampling:
    """Of answer i: each is drawn a little hotter than the one before (src/video_rts_eval.py)."""
    hot = greedy(context)
    return replace(
        hot,
        temperature=0.8 + 0.15 * i,
        top_p=min(0.95, 0.7 + 0.05 * i),
        top_k=TOP_K,
    )


def decode(sample: Sample, generator: Generator, context: Context) -> Prediction:
    """Five answers a level; stop if all agree or the next level would exceed the cap."""
    set_ = context.settings
    frames, trace = set_["frames"], []
    answers: list[Completion] = []
    while True:
        asked = request(sample, shown=Shown(frames=frames))
        answers = [
            generator.generate([replace(asked, stream=i)], sampling(i, context))[0][0]
            for i in range(set_["answers"])
        ]
        votes = [answer_of(a.text) for a in answers]
        trace.append({"step": "vote", "frames": frames, "votes": votes})
        if unanimous(votes) or 2 * frames > set_["max_frames"]:
            return Prediction(winner(answers).text, trace=tuple(trace))
        frames *= 2


METHOD = Method(id="video_rts", baseline="decode", decode=decode)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
