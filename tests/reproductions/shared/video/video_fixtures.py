"""Real video files whose every frame says its own number, and a plain reader to compare with."""

import ast
import importlib.util
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import Interpolation

FLAGS = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
OPEN_GOP = {"x264-params": "open-gop=1:keyint=12:min-keyint=12:scenecut=0"}
INTRA_REFRESH = {"x264-params": "intra-refresh=1:keyint=12"}


def draw(i, width=96, height=64):
    """A frame that shows `i` as eight black or white fields, and a moving red box."""
    frame = np.full((height, width, 3), 40, np.uint8)
    for bit in range(8):
        left, right = bit * width // 8, (bit + 1) * width // 8
        frame[height // 4 : height // 2, left:right] = 220 if i >> bit & 1 else 20
    left = (i * 3) % width
    frame[3 * height // 4 :, left : left + 9] = [250, 30, 30]
    return frame


def number(frame):
    """The number that a decoded frame shows."""
    height, width = frame.shape[:2]
    total = 0
    for bit in range(8):
        left, right = bit * width // 8, (bit + 1) * width // 8
        field = frame[height // 4 + 2 : height // 2 - 2, left + 2 : right - 2]
        total += (field.mean() > 120) << bit
    return int(total)


def make(
    path, frames=60, *, width=96, height=64, codec="libx264", gop=12, b_frames=3, fps=25,
    pixel_format="yuv420p", pts=None, offset=0, display=None, options=None, audio=False,
    video=True,
):  # fmt: skip
    """Encode a file.

    Args:
        path: Target; the ending decides the container.
        frames: Number of frames.
        pts: Times in milliseconds for a variable rate.
        offset: Frames by which the video starts late.
        display: (degrees counter-clockwise, mirror x, mirror y) for the display matrix.
    """
    path = Path(path)
    base = Fraction(1, 1000) if pts else Fraction(1, fps)
    with av.open(str(path), "w") as container:
        if video:
            stream = container.add_stream(
                codec, rate=fps, width=width, height=height, pix_fmt=pixel_format
            )
            stream.codec_context.gop_size = gop
            stream.codec_context.max_b_frames = b_frames
            stream.codec_context.time_base = base
            stream.options = options or {}
            stream.thread_count = 1
            if display:
                stream.set_display_rotation(*display)
        sound = container.add_stream("aac", rate=16000, layout="mono") if audio else None
        for i in range(frames if video else 0):
            frame = av.VideoFrame.from_ndarray(draw(i, width, height), format="rgb24")
            frame = frame.reformat(format=pixel_format)
            frame.pts, frame.time_base = (pts[i] if pts else i + offset), base
            container.mux(stream.encode(frame))
        if video:
            container.mux(stream.encode(None))
        if sound:
            for i in range(int(frames / fps * 16000 / 1024)):
                block = av.AudioFrame.from_ndarray(
                    np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
                )
                block.sample_rate, block.pts, block.time_base = 16000, i * 1024, Fraction(1, 16000)
                container.mux(sound.encode(block))
            container.mux(sound.encode(None))
    return path


def plain(path):
    """All frames by one sequential decode, the reference for exactness."""
    with av.open(str(path)) as container:
        return [
            frame.reformat(format="rgb24", interpolation=FLAGS, threads=1).to_ndarray()
            for frame in container.decode(video=0)
        ]


def from_transformers(file, name, scope):
    """A function or class of the installed transformers, without importing torch for it."""
    package = importlib.util.find_spec("transformers")
    if package is None:
        pytest.skip("transformers is not installed")
    path = Path(package.origin).parent / file
    body = ast.parse(path.read_text("utf-8")).body
    node = next(n for n in body if getattr(n, "name", "") == name)
    exec(compile(ast.Module([node], []), str(path), "exec"), scope)
    return scope[name]
