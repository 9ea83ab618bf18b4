"""Parts of a video: from a `Shown` to frames.

The run's `FrameSpec` says how a whole video is read; a `Shown` changes it for one message of a
conversation: other moments, another number of frames, a part of the picture, another budget.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from reproductions.shared.inference.engine import Shown
from reproductions.shared.video.decode import Clip
from reproductions.shared.video.spec import FrameSpec, VideoInfo, smart_resize

REMEMBERED = 4096
"""Videos whose length and frame times are kept."""


def shown_spec(spec: FrameSpec, info: VideoInfo, shown: Shown, where: str = "video") -> FrameSpec:
    """The spec that reads what `shown` names, before `box` is cut out.

    Args:
        spec: The run's spec.
        info: The video.
        shown: The part.
        where: Name of the video, for the message.

    Raises:
        ValueError: A moment lies outside the video; the message says how long it is.
    """
    ends = info.time(info.frames - 1) + 1 / info.fps
    asked = shown.times or shown.span or ()
    for time in asked:
        # A frame of slack: spans are often rounded up to the next whole second.
        if not -1e-6 <= time <= ends + 1 / info.fps:
            raise ValueError(
                f"{where}: {time:g} s lies outside the video, which lasts {ends:.3f} s. "
                f"Ask for moments from 0 to {ends:.3f}."
            )
    spec = _scaled(spec, shown.scale)
    if shown.times is not None:
        return spec.at(info, shown.times)
    if shown.frames is not None:
        spec = replace(spec, sampling="uniform", num_frames=shown.frames, fps=None, indices=())
    if shown.span is not None:
        spec = replace(spec, start=shown.span[0], end=shown.span[1])
    return spec


def _scaled(spec: FrameSpec, scale: float) -> FrameSpec:
    """The spec with `scale` times the pixels a frame."""
    if scale == 1.0:
        return spec
    budgets = {
        name: max(1, round(value * scale))
        for name in ("min_pixels", "max_pixels", "total_pixels")
        if (value := getattr(spec, name)) is not None
    }
    sides = {
        name: max(1, round(value * math.sqrt(scale) / spec.size_factor)) * spec.size_factor
        for name in ("height", "width")
        if (value := getattr(spec, name)) is not None
    }
    return replace(spec, **budgets, **sides)


def cut(clip: Clip, box: Sequence[float], height: int, width: int, factor: int) -> Clip:
    """A part of the picture, sized to as many pixels as the whole one would have had.

    Args:
        clip: Frames, uint8 [T, H, W, 3].
        box: left, top, right, bottom as fractions of width and height.
        height: Height of a whole frame under the run's spec; with `width`, the budget.
        width: Its width.
        factor: Sides are multiples of it.
    """
    from PIL import Image

    _, high, wide, _ = clip.frames.shape
    left, right = math.floor(box[0] * wide), math.ceil(box[2] * wide)
    top, bottom = math.floor(box[1] * high), math.ceil(box[3] * high)
    part = clip.frames[:, top:bottom, left:right]
    budget = height * width
    size = smart_resize(part.shape[1], part.shape[2], factor, budget, budget)
    frames = [
        np.asarray(Image.fromarray(f).resize((size[1], size[0]), Image.Resampling.BICUBIC))
        for f in part
    ]
    return replace(clip, frames=np.stack(frames))


def reader(
    spec: FrameSpec,
    read: Callable[[str, FrameSpec], Clip],
    probe: Callable[[str], VideoInfo],
) -> Callable[..., Clip]:
    """How an `Encoder` reads videos: `read(path)` whole, `read(path, shown)` a part.

    Args:
        spec: The run's spec.
        read: (path, spec) -> clip.
        probe: (path) -> what is known about the file.

    Returns:
        The reader; its attribute `info` gives what `probe` gives, from memory where it can, and
        `times` the seconds of the frames of a whole video.
    """
    known: dict[str, VideoInfo] = {}

    def info(path: str) -> VideoInfo:
        if path not in known:
            if len(known) >= REMEMBERED:
                known.clear()
            known[path] = probe(path)
        return known[path]

    def clip(path: str, shown: Shown | None = None) -> Clip:
        if shown is None or replace(shown, video=None) == Shown():
            return read(path, spec)
        about = info(path)
        wanted = shown_spec(spec, about, shown, path)
        if shown.box is None:
            return read(path, wanted)
        left, top, right, bottom = shown.box
        height, width = wanted.size(about, len(wanted.resolve(about)))
        share = (right - left) * (bottom - top)
        large = replace(
            wanted, height=None, width=None, total_pixels=None, min_pixels=None,
            max_pixels=math.ceil(height * width / share),
        )  # fmt: skip
        return cut(read(path, large), shown.box, height, width, spec.size_factor)

    reading: Any = clip
    reading.info = info
    reading.times = lambda path: tuple(time for _, time in spec.resolve(info(path)))
    return reading  # type: ignore[no-any-return]
