"""Views of a decoded clip, pictures of it for reports, and a deterministic mp4 writer."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from reproductions.shared.files import published
from reproductions.shared.video.decode import Clip


def permute(clip: Clip, order: Sequence[int]) -> Clip:
    """Show the frames in another order; times and indices stay those of the slots.

    Args:
        clip: T frames.
        order: A permutation of 0..T-1; slot i shows frame order[i].

    Raises:
        ValueError: If `order` is not a permutation.
    """
    if sorted(order) != list(range(len(clip.frames))):
        raise ValueError(
            f"order: not a permutation of 0..{len(clip.frames) - 1}. To drop frames use subset."
        )
    return replace(clip, frames=clip.frames[list(order)])


def subset(clip: Clip, keep: Sequence[int]) -> Clip:
    """Keep some frames with their own times; the sampled rate falls with their number.

    Args:
        clip: T frames.
        keep: Positions in the clip, ascending, at least one.

    Raises:
        ValueError: If `keep` is empty, not ascending or out of range.
    """
    if not keep or list(keep) != sorted(set(keep)) or keep[0] < 0 or keep[-1] >= len(clip.frames):
        raise ValueError(
            f"keep: must be ascending positions from 0 to {len(clip.frames) - 1}, at least one. "
            "Sort them and drop repetitions."
        )
    return replace(
        clip,
        frames=clip.frames[list(keep)],
        indices=tuple(clip.indices[i] for i in keep),
        times=tuple(clip.times[i] for i in keep),
        sampled_fps=clip.sampled_fps * len(keep) / len(clip.frames),
    )


def view(clip: Clip, order: Sequence[int]) -> Clip:
    """Apply `Rollouts.frames`: a permutation, a subset, or a subset in another order."""
    kept = sorted(order)
    return permute(subset(clip, kept), [kept.index(i) for i in order])


def strip(
    frames: NDArray[np.uint8],
    height: int = 96,
    columns: int = 8,
    kind: Literal["webp", "jpeg"] = "webp",
    quality: int = 80,
) -> bytes:
    """A contact sheet of the frames, left to right and top to bottom, as image bytes.

    Args:
        frames: uint8 [T, H, W, 3], at least one.
        height: Height of each frame in pixels; the width keeps the aspect ratio.
        columns: Frames a row.
        kind: File format.
        quality: 1 to 100.
    """
    from PIL import Image

    total, full_height, full_width = frames.shape[:3]
    width = max(1, round(full_width * height / full_height))
    gap = 2
    columns = min(columns, total)
    rows = math.ceil(total / columns)
    sheet = Image.new("RGB", (columns * (width + gap) - gap, rows * (height + gap) - gap), "white")
    for i, frame in enumerate(frames):
        tile = Image.fromarray(frame).resize((width, height))
        sheet.paste(tile, ((i % columns) * (width + gap), (i // columns) * (height + gap)))
    buffer = io.BytesIO()
    sheet.save(buffer, kind, quality=quality)
    return buffer.getvalue()


def write_mp4(
    path: str | Path,
    frames: NDArray[np.uint8],
    fps: float | Fraction,
    *,
    crf: int = 10,
    gop: int = 250,
    b_frames: int = 0,
    pixel_format: Literal["yuv444p", "yuv420p"] = "yuv444p",
) -> Path:
    """Write an H.264 mp4 file; equal frames and options give equal bytes.

    One encoder thread, no decisions that depend on the processor, bit-exact colour conversion, no
    times or library names in the container.
    The bytes may differ between versions of x264. The file appears at once or not at all.

    Args:
        path: Target; its folder must exist.
        frames: uint8 [T, H, W, 3], RGB, at least one.
        fps: Frames a second.
        crf: x264 quality, 0 (lossless) to 51.
        gop: Greatest distance of key frames in frames.
        b_frames: Greatest number of B-frames in a row.
        pixel_format: "yuv444p" keeps small coloured shapes sharp; "yuv420p" is what every browser
            plays and needs even sizes.

    Returns:
        The path.

    Raises:
        ValueError: If the frames have another shape or type, or odd sizes with yuv420p.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or not len(frames):
        raise ValueError(
            f"frames: {frames.dtype} {list(frames.shape)} is not uint8 [T, H, W, 3] with T > 0. "
            "Convert them."
        )
    height, width = frames.shape[1:3]
    if pixel_format == "yuv420p" and (height % 2 or width % 2):
        raise ValueError(
            f"frames: {width}x{height} is odd, yuv420p needs even sizes. Crop, or use yuv444p."
        )
    rate = Fraction(fps).limit_denominator(100_000)
    flags = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
    path = Path(path)
    with (
        published(path) as name,
        av.open(
            str(name), "w", format="mp4", options={"fflags": "+bitexact", "movflags": "+faststart"}
        ) as container,
    ):
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        stream.thread_count = 1
        stream.codec_context.gop_size = gop
        stream.codec_context.max_b_frames = b_frames
        stream.codec_context.time_base = 1 / rate
        stream.options = {
            "crf": str(crf),
            "preset": "medium",
            "flags": "+bitexact",
            # Without cpu-independent, macroblock-tree decisions with B-frames depend on the
            # processor and on uninitialised memory.
            "x264-params": "threads=1:lookahead_threads=1:sliced_threads=0:cpu-independent=1",
        }
        for i, array in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format="rgb24")
            picture = picture.reformat(format=pixel_format, interpolation=flags, threads=1)
            picture.pts, picture.time_base = i, 1 / rate
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path
