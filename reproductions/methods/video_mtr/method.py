"""Video-MTR answers in turns, and may look at a part of the video more closely before it does.

Paper: Video-MTR, arXiv 2508.20478v2, Algorithm 1 and Sec. 4.1.
Catalog: video_mtr
Baseline: decode
Delta: decode keeps a conversation in which the model asks for parts of the video, at most 3 turns;
    the first shows half of the budget of frames, each further one a quarter.
Not reproduced: the training (PPO with a gated reward a turn); parts are named in seconds as a call
    of a tool, where the paper's model writes frame numbers in a retrieve tag.
"""

from dataclasses import replace
from typing import Any

from reproductions.shared.decoding.loop import tool_loop
from reproductions.shared.decoding.skills import TOOLS
from reproductions.shared.decoding.tools import Seen, seek
from reproductions.shared.inference.engine import Generator, Prediction
from reproductions.shared.method import Context, Method, Sample

FIRST, FURTHER = 2, 4  # Sec. 4.1: a half, then a quarter of the budget


def decode(sample: Sample, generator: Generator, context: Context) -> Prediction:
    """Retrieve or answer; the last turn answers."""
    set_ = context.settings

    def showing(share: int) -> Context:
        return replace(context, settings={**set_, "frames": max(1, set_["max_frames"] // share)})

    def retrieve(arguments: Any, sample: Sample, _: Context) -> Seen:
        return seek(arguments, sample, showing(FURTHER))

    first = showing(FIRST)
    return tool_loop(sample, generator, first, {"seek": retrieve}, TOOLS, set_["rounds"])


METHOD = Method(id="video_mtr", baseline="decode", decode=decode)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
