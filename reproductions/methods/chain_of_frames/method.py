"""Chain-of-Frames learns to name, in its reasoning, the frames that each step relies on.

Paper: Chain-of-Frames, arXiv 2506.00318: reasoning traces with references to frames.
Catalog: chain_of_frames
Baseline: sft
Delta: prompt asks for reasoning that names frames; format_target writes the time of every step of
    the rationale as the number of the frame that shows it; prepare_data leaves out rationales that
    name no frame of the video (our choice: a synthetic one without a frame names no evidence).
Not reproduced: the base models InternVL2.5-4B and InternVL3-8B (here Qwen2.5-VL-7B), the labels
    before each frame in InternVL's prompt (the Qwen prompt has none, the frame's number is its
    place), and the two language-model steps that wrote CoF-Data.
"""

import re

from reproductions.shared.method import Context, Method, Sample
from reproductions.shared.prompts import think_then_answer

FRAME = "Frame-{}"  # arXiv 2506.00318: frames are called Frame-1, Frame-2, ...
FRAMES = 30  # official code @58c4dda, training and evaluation: segments a video, one frame each

_TIME = re.compile(r"\b(\d+(?:\.\d+)?)s\b")
_NAMED = re.compile(r"\bFrame-?\s?(\d+)\b")


def frames_of(sample: Sample) -> int:
    """How many frames of the video the model sees, at most `FRAMES`; `FRAMES` if unknown."""
    seconds, fps = sample.meta.get("seconds"), sample.meta.get("fps")
    return min(FRAMES, round(seconds * fps)) if seconds and fps else FRAMES


def chain(sample: Sample) -> str:
    """The rationale with frames for times: the one of n equal parts in which second t lies."""
    seconds = float(sample.meta.get("seconds") or 0)
    if not seconds:
        return sample.rationale
    n = frames_of(sample)

    def frame(match: re.Match[str]) -> str:
        return FRAME.format(min(n, int(float(match[1]) / seconds * n) + 1))

    return _TIME.sub(frame, sample.rationale)


def prepare_data(samples: list[Sample], context: Context) -> list[Sample]:
    """The samples whose chain names at least one frame and no frame beyond the last one."""

    def grounded(sample: Sample) -> bool:
        named = [int(number) for number in _NAMED.findall(chain(sample))]
        return bool(named) and all(1 <= number <= frames_of(sample) for number in named)

    return [sample for sample in samples if grounded(sample)]


def prompt(sample: Sample) -> str:
    """The question with the instruction to think in steps that name frames."""
    return f"{think_then_answer(sample)} Name the frames."


def format_target(sample: Sample) -> str:
    """The chain of frames and the answer, in tags; the loss counts all of it."""
    answer = sample.meta.get("teacher_answer", sample.answer)
    return f"<think>{chain(sample)}</think><answer>{answer}</answer>"


METHOD = Method(
    id="chain_of_frames",
    baseline="sft",
    prepare_data=prepare_data,
    prompt=prompt,
    format_target=format_target,
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
