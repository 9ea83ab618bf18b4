"""Which frames of a video are shown to the model, and how large: one frozen record.

The same `FrameSpec` is resolved in training, rollout and evaluation, so all three see the same
pixels at the same times. Frame counts and sizes follow the rules of qwen-vl-utils
(`vision_process.py`: `smart_nframes`, `smart_resize`), because those fix the time and space grid
that the Qwen-VL families were trained on. Standard library only.
"""

from __future__ import annotations

import bisect
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, get_args

Sampling = Literal["uniform", "fps", "first_middle_last", "indices"]
Decoder = Literal["pyav", "torchcodec"]

MAX_ASPECT_RATIO = 200
"""Long side over short side; qwen-vl-utils refuses more."""


class FrameSpecError(ValueError):
    """A `FrameSpec` is wrong in itself or does not fit the video."""


@dataclass(frozen=True)
class VideoInfo:
    """What is known about a video file before any frame is chosen.

    Attributes:
        frames: Number of frames that can be decoded.
        fps: Frames a second; the mean rate where the rate varies.
        duration: Seconds from the first frame to the end of the last one.
        width: Display width in pixels, rotation applied.
        height: Display height in pixels, rotation applied.
        codec: Name of the video codec, for example "h264".
        keyframe_interval: Mean distance of key frames in frames.
        has_audio: Whether the file has an audio stream.
        variable_rate: Whether frame times leave the constant grid by over half a frame.
        times: Time of each frame in seconds from the start of the file, ascending; () means
            that frame i is shown at i / fps.
    """

    frames: int
    fps: float
    duration: float
    width: int
    height: int
    codec: str = ""
    keyframe_interval: float = 1.0
    has_audio: bool = False
    variable_rate: bool = False
    times: tuple[float, ...] = field(default=(), repr=False)

    def time(self, index: int) -> float:
        """Time of a frame in seconds from the start of the file."""
        return self.times[index] if self.times else index / self.fps

    def nearest(self, time: float) -> int:
        """Index of the frame whose time is closest to `time` [s]; the earlier one in a tie."""
        if not self.times:
            return min(max(math.ceil(time * self.fps - 0.5), 0), self.frames - 1)
        after = bisect.bisect_left(self.times, time)
        if after == 0:
            return 0
        if after == self.frames:
            return self.frames - 1
        before = after - 1
        return before if time - self.times[before] <= self.times[after] - time else after

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `times` is left out where a constant rate gives the same numbers."""
        record = asdict(self)
        if self.times == even_times(self.times[:1], self.fps, self.frames):
            record["times"] = list(self.times[:1])
        return record

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> VideoInfo:
        """Inverse of `to_dict`."""
        times = tuple(record["times"])
        if len(times) == 1:
            times = even_times(times, record["fps"], record["frames"])
        return cls(**{**record, "times": times})


def even_times(first: Sequence[float], fps: float, frames: int) -> tuple[float, ...]:
    """Times of a constant rate from the first time on; () if there is no first time."""
    return tuple(first[0] + i / fps for i in range(frames)) if first else ()


@dataclass(frozen=True)
class FrameSpec:
    """Which frames to take and how to size them.

    Attributes:
        sampling: "uniform": `num_frames` from the first to the last frame, evenly spaced;
            "fps": as many as `fps` asks for, then spaced evenly; "first_middle_last": three
            frames; "indices": exactly `indices`.
        num_frames: Frames for "uniform"; rounded to a multiple of `frame_factor` and cut to what
            the video has.
        fps: Frames a second for "fps".
        min_frames: Least number of frames in "fps".
        max_frames: Greatest number of frames in "fps".
        frame_factor: Frames merged into one temporal patch; counts of "uniform" and "fps" are
            multiples of it. A video with fewer frames repeats its last one.
        max_pixels: Greatest width x height of a frame; None for no limit.
        min_pixels: Least width x height of a frame; smaller videos are enlarged. None: never.
        total_pixels: Budget of the whole clip, counted once a temporal patch as qwen-vl-utils
            does; lowers `max_pixels` when there are many frames.
        height: Fixed height in pixels, with `width`; replaces the pixel budget.
        width: Fixed width in pixels.
        size_factor: Height and width are multiples of it (patch size x merge size); 1 keeps
            the size of the file where the budget allows.
        decoder: Library that decodes.
        indices: Frame numbers for "indices", ascending, from 0.
        timestamps: Whether the prompt names the time of each frame.
        start: Start of the segment in seconds from the start of the file; None for its start.
        end: End of the segment in seconds; None for the end of the video.
    """

    sampling: Sampling = "uniform"
    num_frames: int | None = None
    fps: float | None = None
    min_frames: int = 4
    max_frames: int = 768
    frame_factor: int = 2
    max_pixels: int | None = 768 * 28 * 28
    min_pixels: int | None = None
    total_pixels: int | None = None
    height: int | None = None
    width: int | None = None
    size_factor: int = 28
    decoder: Decoder = "pyav"
    indices: tuple[int, ...] = ()
    timestamps: bool = False
    start: float | None = None
    end: float | None = None

    def validate(self, place: str = "frames") -> FrameSpec:
        """Return the spec itself if it is consistent.

        Args:
            place: Where the spec stands, for the message ("mini.yaml: frames").

        Raises:
            FrameSpecError: With every fault, each with its place and remedy.
        """
        faults = _type_faults(self)
        if not faults:
            faults = _value_faults(self)
        if faults:
            raise FrameSpecError("\n".join(f"{place}.{fault}" for fault in faults))
        return self

    def resolve(self, info: VideoInfo) -> list[tuple[int, float]]:
        """Choose the frames of one video.

        Args:
            info: The video, from `decode.probe`.

        Returns:
            (index, time in seconds from the start of the file), ascending. An index is repeated
            only where the video has fewer frames than `frame_factor`.

        Raises:
            FrameSpecError: If the spec is wrong or asks for frames that the video does not have.
        """
        self.validate()
        if info.frames < 1:
            raise FrameSpecError("frames: the video has no frame. Quarantine the file.")
        if self.sampling == "indices":
            if self.indices[-1] >= info.frames:
                raise FrameSpecError(
                    f"frames.indices: frame {self.indices[-1]} does not exist, the video has "
                    f"{info.frames}. Use 0 to {info.frames - 1}."
                )
            chosen = list(self.indices)
        else:
            first, last = self._segment(info)
            count = self._count(info, first, last)
            if info.variable_rate:
                chosen = _even_in_time(info, first, last, count)
            else:
                chosen = [first + i for i in _even(last - first + 1, count)]
            if self.sampling != "first_middle_last":
                chosen += chosen[-1:] * (-len(chosen) % self.frame_factor)
        return [(i, info.time(i)) for i in chosen]

    def segment_frames(self, info: VideoInfo) -> int:
        """Number of source frames between `start` and `end`: what the chosen ones stand for."""
        if self.sampling == "indices":
            return info.frames
        first, last = self._segment(info)
        return last - first + 1

    def sampled_fps(self, info: VideoInfo, count: int) -> float:
        """Chosen frames a second of the segment: Qwen2.5-VL's time positions depend on it."""
        return count / self.segment_frames(info) * info.fps

    def size(self, info: VideoInfo, count: int) -> tuple[int, int]:
        """Height and width in pixels of each of `count` frames.

        Raises:
            FrameSpecError: If the aspect ratio is beyond 200.
        """
        if self.height is not None and self.width is not None:
            return self.height, self.width
        max_pixels, min_pixels = self.max_pixels, self.min_pixels or 0
        if self.total_pixels is not None:
            share = self.total_pixels * self.frame_factor // count
            # qwen-vl-utils keeps the budget 5 % above the minimum, so that both can be met.
            max_pixels = max(min(max_pixels or share, share), int(min_pixels * 1.05))
        return smart_resize(info.height, info.width, self.size_factor, min_pixels, max_pixels)

    def at(self, info: VideoInfo, times: Sequence[float]) -> FrameSpec:
        """The same spec with the frames nearest to `times` [s] instead of its own choice."""
        if not times:
            raise FrameSpecError("frames: no times were chosen. Choose at least one.")
        indices = tuple(sorted({info.nearest(t) for t in times}))
        return replace(
            self, sampling="indices", indices=indices, num_frames=None, fps=None, start=None,
            end=None,
        )  # fmt: skip

    def key(self) -> str:
        """Hash of all settings, equal in every process: 16 hexadecimal digits."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """JSON- and YAML-ready, in the order of the fields."""
        record = {f.name: getattr(self, f.name) for f in fields(self)}
        for name in ("fps", "start", "end"):
            if record[name] is not None:
                record[name] = float(record[name])
        return {**record, "indices": list(self.indices)}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], place: str = "frames") -> FrameSpec:
        """Build and validate a spec from parsed YAML or JSON.

        Raises:
            FrameSpecError: Naming each unknown key or wrong value.
        """
        known = {f.name for f in fields(cls)}
        if unknown := sorted(str(k) for k in record if k not in known):
            raise FrameSpecError(
                f"{place}: unknown keys {', '.join(unknown)}. Use {', '.join(sorted(known))}."
            )
        values = dict(record)
        if isinstance(values.get("indices"), list):
            values["indices"] = tuple(values["indices"])
        return cls(**values).validate(place)

    def _segment(self, info: VideoInfo) -> tuple[int, int]:
        """First and last frame that are shown between `start` and `end`."""
        ends = info.time(info.frames - 1) + 1 / info.fps
        start = info.time(0) if self.start is None else self.start
        if start >= max(ends, info.time(0) + info.duration):
            raise FrameSpecError(
                f"frames.start: {start:g} s is after the end of the video ({ends:.3f} s). "
                "Check that the annotation belongs to this file and is in seconds."
            )
        end = math.inf if self.end is None else self.end
        slack = 1e-6  # pts are rational, annotations are rounded decimals
        first, last = 0, info.frames - 1
        times = info.times or [i / info.fps for i in range(info.frames)]
        if self.start is not None:
            first = bisect.bisect_left(times, start - slack)
        if self.end is not None:
            last = bisect.bisect_right(times, end + slack) - 1
        if first > last:  # no frame begins inside: the one on screen is all there is to see
            first = last = max(bisect.bisect_right(times, start + slack) - 1, 0)
        return first, last

    def _count(self, info: VideoInfo, first: int, last: int) -> int:
        """Number of frames to take, before the last one is repeated to fill a patch."""
        total, factor = last - first + 1, self.frame_factor
        if self.sampling == "first_middle_last":
            return min(3, total)
        if self.sampling == "uniform":
            assert self.num_frames is not None
            wanted = max(round(self.num_frames / factor) * factor, factor)
        else:
            assert self.fps is not None
            least = math.ceil(self.min_frames / factor) * factor
            most = max(math.floor(self.max_frames / factor) * factor, factor)
            # The small slack keeps 2 fps of 10.0 s at 20 frames in spite of float rounding.
            exact = total / info.fps * self.fps + 1e-9
            wanted = math.floor(min(max(exact, least), most) / factor) * factor
        return min(wanted, max(math.floor(total / factor) * factor, min(total, factor)))


def _even(total: int, count: int) -> list[int]:
    """`count` indices from 0 to total-1, evenly spaced: round(linspace(0, total-1, count))."""
    if count == 1:
        return [0]
    # Integer arithmetic: no float rounding, ties go down.
    return [(2 * i * (total - 1) + count - 2) // (2 * (count - 1)) for i in range(count)]


def _even_in_time(info: VideoInfo, first: int, last: int, count: int) -> list[int]:
    """`count` different indices from `first` to `last`, as evenly spaced in time as they come."""
    begin, end = info.time(first), info.time(last)
    chosen: list[int] = []
    for i in range(count):
        index = info.nearest(begin + (end - begin) * i / max(count - 1, 1))
        lowest = chosen[-1] + 1 if chosen else first
        highest = last - (count - 1 - i)  # leaves one frame for each that is still to come
        chosen.append(min(max(index, lowest), highest))
    return chosen


def smart_resize(
    height: int, width: int, factor: int = 28, min_pixels: int = 0, max_pixels: int | None = None
) -> tuple[int, int]:
    """Multiples of `factor` near the given size and within the pixel budget.

    The rule of qwen-vl-utils; sizes below `factor` are raised to it.

    Returns:
        (height, width) in pixels.

    Raises:
        FrameSpecError: If one side is over 200 times the other.
    """
    if max(height, width) > MAX_ASPECT_RATIO * min(height, width):
        raise FrameSpecError(
            f"frames: one side of {width}x{height} is over {MAX_ASPECT_RATIO} times the other. "
            "Set height and width, or leave the file out."
        )
    new_height = max(factor, round(height / factor) * factor)
    new_width = max(factor, round(width / factor) * factor)
    if max_pixels is not None and new_height * new_width > max_pixels:
        shrink = math.sqrt(height * width / max_pixels)
        new_height = max(factor, math.floor(height / shrink / factor) * factor)
        new_width = max(factor, math.floor(width / shrink / factor) * factor)
    elif new_height * new_width < min_pixels:
        grow = math.sqrt(min_pixels / (height * width))
        new_height = math.ceil(height * grow / factor) * factor
        new_width = math.ceil(width * grow / factor) * factor
    return new_height, new_width


_COUNTS = ("num_frames", "min_frames", "max_frames", "frame_factor", "max_pixels", "min_pixels",
           "total_pixels", "height", "width", "size_factor")  # fmt: skip
_OPTIONAL = {"num_frames", "max_pixels", "min_pixels", "total_pixels", "height", "width"}


def _type_faults(spec: FrameSpec) -> list[str]:
    """Faults of single fields: type and range."""
    faults = []
    for name, allowed in (("sampling", get_args(Sampling)), ("decoder", get_args(Decoder))):
        if getattr(spec, name) not in allowed:
            faults.append(f"{name}: {getattr(spec, name)!r} is unknown. Use {', '.join(allowed)}.")
    for name in _COUNTS:
        value = getattr(spec, name)
        if value is None and name in _OPTIONAL:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            faults.append(f"{name}: {value!r} is not a positive whole number. Set one.")
    for name in ("fps", "start", "end"):
        value = getattr(spec, name)
        if value is None:
            continue
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value < 0 or (name == "fps" and value == 0):
            faults.append(f"{name}: {value!r} is not a number above 0. Set one or leave it out.")
    whole = isinstance(spec.indices, tuple) and all(
        isinstance(i, int) and not isinstance(i, bool) and i >= 0 for i in spec.indices
    )
    if not whole or list(spec.indices) != sorted(set(spec.indices)):
        faults.append(
            "indices: not ascending whole numbers from 0. Sort them and drop repetitions; to show "
            "frames in another order use frames.permute."
        )
    if not isinstance(spec.timestamps, bool):
        faults.append(f"timestamps: {spec.timestamps!r} is not true or false. Set one of them.")
    return faults


def _value_faults(spec: FrameSpec) -> list[str]:
    """Faults of fields together."""
    faults = []
    for mode, name, empty in (
        ("uniform", "num_frames", None), ("fps", "fps", None), ("indices", "indices", ()),
    ):  # fmt: skip
        is_set = getattr(spec, name) != empty
        if spec.sampling == mode and not is_set:
            faults.append(f"{name}: missing, sampling {mode} needs it. Set {name}.")
        if spec.sampling != mode and is_set:
            faults.append(
                f"{name}: has no effect with sampling {spec.sampling}. Leave it out or use "
                f"sampling {mode}."
            )
    if spec.sampling == "indices" and (spec.start is not None or spec.end is not None):
        faults.append("start, end: have no effect with indices. Leave them out.")
    if spec.min_frames > spec.max_frames:
        faults.append(
            f"min_frames: {spec.min_frames} exceeds max_frames {spec.max_frames}. Lower it."
        )
    if spec.sampling == "fps" and spec.max_frames < spec.frame_factor:
        faults.append(
            f"max_frames: {spec.max_frames} is below frame_factor {spec.frame_factor}. Raise it."
        )
    if (
        spec.min_pixels is not None
        and spec.max_pixels is not None
        and spec.min_pixels > spec.max_pixels
    ):
        faults.append(
            f"min_pixels: {spec.min_pixels} exceeds max_pixels {spec.max_pixels}. Lower it."
        )
    if (spec.height is None) != (spec.width is None):
        faults.append("height, width: only one is set. Set both or none.")
    for name in ("height", "width"):
        value = getattr(spec, name)
        if value is not None and value % spec.size_factor:
            faults.append(
                f"{name}: {value} is not a multiple of size_factor {spec.size_factor}. Round it, "
                "or change size_factor."
            )
    if spec.start is not None and spec.end is not None and spec.end < spec.start:
        faults.append(f"end: {spec.end:g} s is before start {spec.start:g} s. Swap them.")
    return faults
