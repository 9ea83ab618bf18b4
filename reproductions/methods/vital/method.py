"""VITAL reasons with a toolbox: it fetches densely sampled clips while it thinks.

Paper: Thinking With Videos, arXiv 2508.04416.
Catalog: vital
Baseline: decode
Delta: decode lets the model call tools until it answers.
Not reproduced: the training (fine-tuning on traces, DGRPO). The paper's toolbox holds one tool,
    Get_video_clip(start, end) (Fig. 3), which is seek here; the form of a call is ours: the
    repository holds no code.
"""

from reproductions.shared.decoding.loop import tool_loop
from reproductions.shared.decoding.skills import TOOLS
from reproductions.shared.decoding.tools import seek
from reproductions.shared.inference.engine import Generator, Prediction
from reproductions.shared.method import Context, Method, Sample


def decode(sample: Sample, generator: Generator, context: Context) -> Prediction:
    """Thought, call, observation, until an answer."""
    turns = context.settings["rounds"]
    return tool_loop(sample, generator, context, {"seek": seek}, TOOLS, turns)


METHOD = Method(id="vital", baseline="decode", decode=decode)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
