"""VITAL reasons with a toolbox: it fetches densely sampled clips while it thinks.

Paper: Thinking With Videos, arXiv 2508.04416.
Catalog: vital
Baseline: decode
Delta: decode lets the model call tools until it answers.
Not reproduced: the training (fine-tuning on traces, DGRPO). The paper's toolbox holds one tool,
    Get_video_clip(start, end) (Fig. 3), which is seek here; zoom and subtitles are additions of
    ours. The forms of the calls are ours: the repository holds no code.
"""

from reproductions.shared.decoding.loop import tool_loop
from reproductions.shared.decoding.tools import seek, subtitles, zoom
from reproductions.shared.inference.engine import Generator, Prediction
from reproductions.shared.method import Context, Method, Sample

TOOLS = {"seek": seek, "zoom": zoom, "subtitles": subtitles}
DESCRIBED = """seek {"start": seconds, "end": seconds}: frames of these seconds
zoom {"time": seconds, "box": [left, top, right, bottom]}: a part of one frame
subtitles {"start": seconds, "end": seconds}: what is said"""


def decode(sample: Sample, generator: Generator, context: Context) -> Prediction:
    """Thought, call, observation, until an answer."""
    return tool_loop(sample, generator, context, TOOLS, DESCRIBED, context.settings["rounds"])


METHOD = Method(id="vital", baseline="decode", decode=decode)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
