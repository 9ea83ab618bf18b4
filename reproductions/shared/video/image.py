"""Still pictures among the training data, sized by the same frame spec as videos."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from reproductions.shared.video.decode import Clip, VideoError
from reproductions.shared.video.spec import FrameSpec, VideoInfo

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
MAX_PIXELS = 2**26
"""Larger pictures are refused: a small file can claim gigabytes."""


def is_image(path: str | Path) -> bool:
    """Whether a path names a still picture, by its suffix."""
    return Path(path).suffix.lower() in SUFFIXES


def read_image(path: str | Path, spec: FrameSpec) -> Clip:
    """A picture as a clip of one frame, resized within the spec's pixel budget.

    Args:
        path: A local picture; anything may be wrong with it.
        spec: The run's frame spec; only its sizes are used.

    Raises:
        VideoError: It cannot be read, or is too large.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise VideoError(
                    "too_large",
                    f"{path}: {image.width}x{image.height} pixels, at most {MAX_PIXELS}. Leave it "
                    "out, or make it smaller.",
                )
            info = VideoInfo(1, 1.0, 1.0, image.width, image.height)
            height, width = spec.size(info, 1)
            sized = image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError) as error:
        raise VideoError(
            "corrupt", f"{path}: no readable picture ({error}). Leave it out."
        ) from None
    return Clip(np.array(sized, dtype=np.uint8)[None], (0,), (0.0,), 1.0, info, 1)
