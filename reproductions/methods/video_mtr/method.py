"""Video-MTR answers in turns, and may look at a part of the video more closely before it does.

Paper: Video-MTR, arXiv 2508.20478.
Catalog: video_mtr
Baseline: decode
Delta: decode keeps a conversation in which the model asks for parts of the video, at most 3 turns.
Not reproduced: the training (PPO with a gated reward a turn); parts are named in seconds as a call
    of a tool, where the paper's model writes frame numbers in a retrieve tag.
"""

from reproductions.shared.decoding.loop import tool_loop
from reproductions.shared.decoding.skills import TOOLS
from reproductions.shared.decoding.tools import seek
from reproductions.shared.inference.engine import Generator, Prediction
from reproductions.shared.method import Context, Method, Sample


def decode(sample: Sample, generator: Generator, context: Context) -> Prediction:
    """Retrieve or answer; the last turn answers."""
    turns = context.settings["rounds"]
    return tool_loop(sample, generator, context, {"seek": seek}, TOOLS, turns)


METHOD = Method(id="video_mtr", baseline="decode", decode=decode)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
