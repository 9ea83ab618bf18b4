"""Decode exactly the frames that a `FrameSpec` asks for.

A first pass reads the packets without decoding them: it yields the time of every frame, the key
frames, and whether the file is as long as it claims. Then only the groups of pictures that hold a
wanted frame are decoded: the reader seeks when a key frame lies between two wanted frames and
reads on otherwise, never decodes H.264 pictures that nobody refers to, and resizes in the decoder.
Frames are picked by their pts, so the result equals a full sequential decode; where a file does
not allow that (no or repeated pts, a seek that misses), the reader falls back to one.

`read_frames` runs in the caller's process and trusts FFmpeg; for files from outside use
`quarantine.safe_read`.
"""

from __future__ import annotations

import importlib
import itertools
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Discard
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from reproductions.shared.video.spec import FrameSpec, FrameSpecError, VideoInfo, even_times

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

FORMATS = "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,gif,h264,hevc,ivf,mpegvideo,m4v,rm,dv"
"""FFmpeg demuxers that may open a file: containers only. Playlists would open other files."""

MAX_PACKETS = 5_000_000
"""More packets than 23 hours at 60 frames a second: such a file is a trap."""

MAX_CLIP_BYTES = 8 * 1024**3
"""Largest clip that is decoded, in bytes of uint8 RGB."""


class VideoError(ValueError):
    """A file that gives no trustworthy frames.

    Attributes:
        kind: One word for statistics: "missing", "not_a_file", "empty", "not_video", "no_video",
            "no_decoder", "still_image", "truncated", "corrupt", "too_large", "spec", and from the
            quarantine "timeout", "memory", "crashed".
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, eq=False)
class Clip:
    """Decoded frames with everything needed to place them in time.

    Attributes:
        frames: uint8 [T, H, W, 3], RGB.
        indices: Frame numbers in the file, [T].
        times: Seconds from the start of the file, [T], from the pts.
        sampled_fps: Frames of this clip for each second of the segment it stands for.
        info: The file.
        segment_frames: Source frames that the clip stands for (all, or those of the segment).
    """

    frames: NDArray[np.uint8] = field(repr=False)
    indices: tuple[int, ...]
    times: tuple[float, ...]
    sampled_fps: float
    info: VideoInfo
    segment_frames: int

    def header(self) -> dict[str, Any]:
        """Everything but the pixels, JSON-ready."""
        record = {name: value for name, value in self.__dict__.items() if name != "frames"}
        return {**record, "info": self.info.to_dict(), "shape": list(self.frames.shape)}

    @classmethod
    def from_header(cls, header: Mapping[str, Any], frames: NDArray[np.uint8]) -> Clip:
        """Inverse of `header`."""
        return cls(
            frames=frames.reshape(header["shape"]),
            indices=tuple(header["indices"]),
            times=tuple(header["times"]),
            sampled_fps=header["sampled_fps"],
            info=VideoInfo.from_dict(header["info"]),
            segment_frames=header["segment_frames"],
        )


def video_metadata(clip: Clip) -> dict[str, Any]:
    """What the Qwen processors of transformers need to place the frames in time.

    Pass it as `video_metadata=[...]` together with `do_sample_frames=False`. The keys are those of
    `transformers.video_utils.VideoMetadata`, whose `fps` is that of the file: it derives the
    sampled rate (Qwen2.5-VL's `second_per_grid_ts`) as frames / total_num_frames x fps, which gives
    `clip.sampled_fps`, and the time stamps (Qwen3-VL) as frames_indices / fps.

    Returns:
        A plain dict. Where the rate varies or the video starts late, `frames_indices` are the
        positions on a constant grid that give the right times.
    """
    fps = clip.info.fps
    return {
        "fps": fps,
        "total_num_frames": clip.segment_frames,
        "frames_indices": [round(t * fps) for t in clip.times],
        "duration": clip.segment_frames / fps,
        "height": int(clip.frames.shape[1]),
        "width": int(clip.frames.shape[2]),
        "video_backend": "pyav",
    }


def probe(path: str | Path) -> VideoInfo:
    """Read a video's frame times and check its length; decodes one frame.

    Raises:
        VideoError: If the file is not a readable video.
    """
    with _open(path) as (container, stream):
        return _read_index(path, container, stream).info


def read_frames(path: str | Path, spec: FrameSpec, threads: int = 1) -> Clip:
    """Decode the frames that `spec` chooses.

    Args:
        path: A local file.
        spec: Which frames, how large.
        threads: Decoder threads; 1 is best where several processes decode.

    Returns:
        The clip; equal to picking the frames from a full sequential decode.

    Raises:
        FrameSpecError: If the spec is wrong in itself.
        VideoError: If the file is not a readable video or a chosen frame cannot be decoded.
        ImportError: If the spec asks for torchcodec and it is not installed.
    """
    spec.validate()
    with _open(path) as (container, stream):
        stream.thread_count = threads
        index = _read_index(path, container, stream)
        try:
            chosen = spec.resolve(index.info)
            height, width = spec.size(index.info, len(chosen))
        except FrameSpecError as error:
            raise VideoError("spec", f"{path}: {error}") from error
        if (size := len(chosen) * height * width * 3) > MAX_CLIP_BYTES:
            raise VideoError(
                "too_large",
                f"{path}: {len(chosen)} frames of {width}x{height} are {size / 2**30:.1f} GiB. "
                "Lower max_frames or max_pixels.",
            )
        frames = np.empty((len(chosen), height, width, 3), np.uint8)
        slots: dict[int, list[int]] = {}
        for slot, (i, _) in enumerate(chosen):
            slots.setdefault(i, []).append(slot)
        if spec.decoder == "torchcodec":
            found = _torchcodec(path, index, sorted(slots), threads)
        else:
            found = _decode(path, container, stream, index, sorted(slots))
        missing = set(slots)
        for i, frame in found:
            frames[slots[i]] = _to_rgb(frame, height, width, index.orientation)
            missing.discard(i)
    if missing:
        i = min(missing)
        raise VideoError(
            "corrupt",
            f"{path}: frame {i} ({index.info.time(i):.3f} s) cannot be decoded. Replace the file.",
        )
    return Clip(
        frames=frames,
        indices=tuple(i for i, _ in chosen),
        times=tuple(t for _, t in chosen),
        sampled_fps=spec.sampled_fps(index.info, len(chosen)),
        info=index.info,
        segment_frames=spec.segment_frames(index.info),
    )


@dataclass(frozen=True)
class _Packet:
    """A packet of the video stream, in decoding order."""

    pts: int | None
    dts: int | None
    key: bool
    discard: bool


@dataclass(frozen=True)
class _Index:
    """What the first pass found.

    Attributes:
        info: The public part.
        pts: pts of each frame in order of presentation; () if frames must be counted instead.
        packets: In decoding order.
        position: pts -> position in `packets`.
        orientation: How the stored picture is turned for display.
    """

    info: VideoInfo
    pts: tuple[int, ...]
    packets: tuple[_Packet, ...]
    position: dict[int, int]
    orientation: tuple[bool, bool, bool]

    def key_before(self, pts: int) -> int:
        """Position of the packet where decoding must begin to get the frame with this pts.

        A key frame that is shown after the frame does not help although it is stored before it
        (leading pictures of an open group refer to the group before).
        """
        for i in range(self.position[pts], -1, -1):
            packet = self.packets[i]
            if packet.key and packet.pts is not None and packet.pts <= pts:
                return i
        return 0


@contextmanager
def _open(path: str | Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a local video file; turns FFmpeg's errors, also those of the body, into VideoError."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError) as error:
        raise VideoError(
            "missing", f"{path}: cannot be opened ({error}). Check the path and the rights."
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise VideoError(
            "not_a_file", f"{path}: not a regular file (a folder, pipe or device). Copy it to disk."
        )
    if status.st_size == 0:
        raise VideoError("empty", f"{path}: has zero bytes. Fetch it again.")
    try:
        # The prefix keeps a name such as "concat:a|b" from being read as a protocol.
        container = av.open(
            f"file:{path}",
            mode="r",
            container_options={"protocol_whitelist": "file", "format_whitelist": FORMATS},
            metadata_errors="replace",
        )
    except MemoryError:
        raise
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if _is_image(path):
            raise VideoError("still_image", f"{path}: is a picture. Leave it out.") from error
        raise VideoError(
            "not_video",
            f"{path}: not a video container ({type(error).__name__}). Fetch it again: it may be "
            "cut off before its index.",
        ) from error
    with container:
        stream = next(
            (s for s in container.streams.video if not s.disposition & s.disposition.attached_pic),
            None,
        )
        if stream is None:
            held = ", ".join(sorted({s.type for s in container.streams}))
            if not held:
                raise VideoError("truncated", f"{path}: its index is cut off. Fetch it again.")
            raise VideoError("no_video", f"{path}: has no video stream, only {held}. Leave it out.")
        if getattr(stream, "codec_context", None) is None:  # PyAV's stub does not know this case
            raise VideoError(
                "no_decoder", f"{path}: its codec is unknown to this FFmpeg. Convert the file."
            )
        try:
            yield container, stream
        except MemoryError:
            raise  # PyAV's is an FFmpegError too, but says nothing about the file
        except av.error.FFmpegError as error:
            raise VideoError(
                "corrupt", f"{path}: cannot be decoded ({error}). Replace the file."
            ) from error


def _is_image(path: str | Path) -> bool:
    """Whether Pillow knows the file as a picture."""
    from PIL import Image

    try:
        with Image.open(path):
            return True
    except Exception:  # Pillow raises many kinds for damaged files; all mean "not a picture"
        return False


def _read_index(path: str | Path, container: InputContainer, stream: VideoStream) -> _Index:
    """First pass: packets without decoding, then the first frame."""
    packets: list[_Packet] = []
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    damaged = False
    last_duration = 0
    for packet in container.demux(stream):
        if packet.size == 0 and packet.pts is None:
            continue  # the end mark
        if len(packets) >= MAX_PACKETS:
            raise VideoError("too_large", f"{path}: over {MAX_PACKETS} packets. Cut the file.")
        damaged = damaged or packet.is_corrupt
        last_duration = packet.duration or last_duration
        packets.append(_Packet(packet.pts, packet.dts, packet.is_keyframe, packet.is_discard))
    if not packets:
        raise VideoError("truncated", f"{path}: the video stream holds no data. Fetch it again.")
    if damaged or len(packets) < stream.frames:
        promised = f" of {stream.frames}" if len(packets) < stream.frames else ""
        raise VideoError(
            "truncated",
            f"{path}: cut off, {len(packets)}{promised} frames are there. Fetch it again.",
        )
    position = {p.pts: i for i, p in enumerate(packets) if p.pts is not None}
    first_key = next((i for i, p in enumerate(packets) if p.key), 0)
    key_pts = packets[first_key].pts
    # AVI stores no pts; FFmpeg's guess is wrong where B-frames change the order.
    guessed = container.format.name == "avi" and stream.codec_context.has_b_frames
    if len(position) < len(packets) or key_pts is None or guessed:
        pts: tuple[int, ...] = ()
    else:
        # Pictures before the first key frame have nothing to refer to: no decoder shows them.
        pts = tuple(
            sorted(
                p.pts
                for i, p in enumerate(packets)
                if p.pts is not None and not p.discard and i >= first_key and p.pts >= key_pts
            )
        )
    index = _Index(
        VideoInfo(0, 1.0, 0.0, 0, 0), pts, tuple(packets), position, (False, False, False)
    )
    if pts:
        first = next((f for _, f in _decode(path, container, stream, index, [0])), None)
        count = len(pts)
    else:
        first, count = None, 0
        for frame in _from_start(path, stream):
            first, count = first or frame, count + 1
    if len(packets) == 1 and stream.codec_context.name in ("gif", "png", "webp"):
        raise VideoError("still_image", f"{path}: is a picture of one frame. Leave it out.")
    if first is None:
        raise VideoError("corrupt", f"{path}: no frame can be decoded. Replace the file.")
    base = stream.time_base or Fraction(1, 1000)
    starts = [
        s.start_time * s.time_base
        for s in container.streams
        if s.type in ("video", "audio") and s.start_time is not None and s.time_base
    ]
    rate = float(stream.average_rate or stream.guessed_rate or 25)
    start = min(starts, default=Fraction(0))
    times, fps, variable = _times([float(p * base - start) for p in pts], count, rate)
    last = float(last_duration * base) or 1 / fps
    _check_length(path, stream, base, float(start), times[0], times[-1] + last)
    orientation = _orientation(first)
    width, height = first.width, first.height
    if orientation[0]:
        width, height = height, width
    keys = max(sum(p.key for p in packets), 1)
    info = VideoInfo(
        frames=len(times),
        fps=fps,
        duration=times[-1] - times[0] + (last if variable else 1 / fps),
        width=width,
        height=height,
        codec=stream.codec_context.name,
        keyframe_interval=len(packets) / keys,
        has_audio=bool(container.streams.audio),
        variable_rate=variable,
        times=times,
    )
    return replace(index, info=info, orientation=orientation)


def _times(
    times: Sequence[float], count: int, rate: float
) -> tuple[tuple[float, ...], float, bool]:
    """Frame times in seconds, frames a second, and whether the rate varies.

    Args:
        times: From the pts, or empty if only the number of frames is known.
        count: Number of frames.
        rate: Frames a second by the header.
    """
    if not times:
        return even_times((0.0,), rate, count), rate, False
    if len(times) == 1:
        return tuple(times), rate, False
    measured = (len(times) - 1) / (times[-1] - times[0])
    for fps in (rate, measured):
        grid = even_times(times[:1], fps, len(times))
        worst = max(abs(a - b) for a, b in zip(times, grid, strict=True))
        if worst < 0.5 / fps:
            # Rounding below a microsecond is dropped, so that the grid need not be stored.
            return (grid if worst < 1e-6 else tuple(times)), fps, False
    return tuple(times), measured, True


def _check_length(
    path: str | Path, stream: VideoStream, base: Fraction, start: float, first: float, end: float
) -> None:
    """Refuse a stream that ends long before its header says.

    Args:
        path: For the message.
        stream: The video stream.
        base: Its time base in seconds.
        start: Start of the file in seconds of the container.
        first: Time of the first frame in seconds from the start of the file.
        end: End of the last frame, likewise.
    """
    seconds = end - first
    claimed = float(stream.duration * base) if stream.duration else 0.0
    if tag := stream.metadata.get("DURATION"):  # Matroska: "00:01:02.500000000", from time 0
        parts = tag.split(":")
        if len(parts) == 3 and all(p.replace(".", "", 1).isdigit() for p in parts):
            claimed = sum(float(p) * 60**i for i, p in enumerate(reversed(parts)))
            seconds = end + start
    # A second of slack: edit lists and rounded headers differ by less.
    if claimed - seconds > max(1.0, 0.05 * claimed):
        raise VideoError(
            "truncated",
            f"{path}: ends after {seconds:.2f} s although its header says {claimed:.2f} s. "
            "Fetch it again.",
        )


def _decode(
    path: str | Path,
    container: InputContainer,
    stream: VideoStream,
    index: _Index,
    wanted: Sequence[int],
) -> Iterator[tuple[int, VideoFrame]]:
    """Yield (frame number, frame) of the wanted frames, with as little decoding as is exact.

    A frame may come twice; then the second one counts.
    """
    left = set(wanted)
    number = {index.pts[i]: i for i in wanted} if index.pts else {}
    in_order = bool(index.pts)
    for first, last, targets in _runs(index, wanted) if in_order else ():
        start = index.packets[first]
        # A recovery point that is no whole picture (intra refresh) does not restore exactly.
        clean = first == 0 or start.discard
        previous = None
        for frame in _read_run(container, stream, index, first, last, targets):
            if frame.pts is None or (previous is not None and frame.pts <= previous):
                in_order = False
                break
            previous = frame.pts
            clean = clean or (frame.pts == start.pts and frame.pict_type == PictureType.I)
            if clean and frame.pts in number and not frame.is_corrupt:
                left.discard(number[frame.pts])
                yield number[frame.pts], frame
        if not in_order or left & {number[pts] for pts in targets}:
            break
    if in_order and not left:
        return
    # The times cannot be trusted, a seek missed, or there is no clean place to begin: one pass
    # from the start finds what is left.
    left = left if in_order else set(wanted)
    for i, frame in enumerate(_from_start(path, stream)):
        here = number.get(frame.pts) if in_order and frame.pts is not None else i
        if here in left and not frame.is_corrupt:
            left.discard(here)
            yield here, frame
        if not left:
            return


def _runs(index: _Index, wanted: Sequence[int]) -> Iterator[tuple[int, int, set[int]]]:
    """Group wanted frames into runs of packets: (first, last, pts of the frames)."""
    spans = []
    for i in wanted:
        pts = index.pts[i]
        spans.append((index.key_before(pts), index.position[pts], pts))
    spans.sort()
    first, last, targets = -1, -1, set[int]()
    for key, place, pts in spans:
        if targets and key > last:
            yield first, last, targets
            targets = set()
        if not targets:
            first, last = key, place
        targets.add(pts)
        last = max(last, place)
    if targets:
        yield first, last, targets


def _read_run(
    container: InputContainer,
    stream: VideoStream,
    index: _Index,
    first: int,
    last: int,
    wanted: set[int],
) -> Iterator[VideoFrame]:
    """Decode packets first..last (both positions in decoding order) and drain the decoder."""
    packets = _seek(container, stream, index, first)
    if packets is None:
        return
    context = stream.codec_context
    # HEVC calls pictures unreferenced that higher temporal layers still use: H.264 only.
    can_skip = context.name == "h264"
    for packet in packets:
        place = index.position.get(packet.pts) if packet.pts is not None else None
        if place is None:
            break
        if place < first:
            continue
        if can_skip:
            context.skip_frame = "DEFAULT" if packet.pts in wanted else "NONREF"
        yield from packet.decode()
        if place >= last:
            break
    context.skip_frame = "DEFAULT"
    yield from context.decode(None)


def _seek(
    container: InputContainer, stream: VideoStream, index: _Index, first: int
) -> Iterator[av.Packet[VideoStream]] | None:
    """Packets from at or before position `first` on; None if no seek gets there."""
    target = index.packets[first]
    for stamp in (target.pts, target.dts):
        if stamp is None:
            continue
        try:
            container.seek(stamp, stream=stream, backward=True)
            packets = container.demux(stream)
            head = next(packets, None)
        except av.error.FFmpegError:
            continue
        if head is None or head.pts is None:
            continue
        if index.position.get(head.pts, len(index.packets)) <= first:
            return itertools.chain([head], packets)
    return None


def _from_start(path: str | Path, stream: VideoStream) -> Iterator[VideoFrame]:
    """Decode the whole stream in order from a fresh start."""
    with _open(path) as (container, fresh):
        fresh.thread_count = stream.thread_count
        yield from container.decode(fresh)


def _torchcodec(
    path: str | Path, index: _Index, wanted: Sequence[int], threads: int
) -> Iterator[tuple[int, VideoFrame]]:
    """The same frames from torchcodec, as RGB video frames of the stored size."""
    try:
        decoders = importlib.import_module("torchcodec.decoders")
    except (ImportError, RuntimeError, OSError) as error:
        raise ImportError(
            f"frames.decoder: torchcodec cannot be loaded ({error}). Install a torchcodec that "
            "fits torch and FFmpeg, or set decoder: pyav."
        ) from error
    if any(index.orientation):
        raise VideoError("spec", f"{path}: is stored turned. Use decoder: pyav.")
    decoder = decoders.VideoDecoder(str(path), num_ffmpeg_threads=threads, seek_mode="exact")
    if len(decoder) != index.info.frames:
        raise VideoError(
            "corrupt",
            f"{path}: torchcodec counts {len(decoder)} frames, PyAV {index.info.frames}. "
            "Use decoder: pyav.",
        )
    batch = decoder.get_frames_at(indices=list(wanted))
    for i, picture in zip(wanted, batch.data, strict=True):
        array = np.ascontiguousarray(picture.permute(1, 2, 0).numpy())
        yield i, av.VideoFrame.from_ndarray(array, format="rgb24")


def _orientation(frame: VideoFrame) -> tuple[bool, bool, bool]:
    """How to turn the stored picture for display: swap axes, then mirror x, then mirror y."""
    side_data: Any = frame.side_data  # PyAV's stub calls it a dict; it is a sequence of records
    matrix = next((bytes(d) for d in side_data if d.type == SideDataType.DISPLAYMATRIX), None)
    if matrix is None:
        return False, False, False
    # Stored (x, y) is shown at (a x + c y, b x + d y); angles between quarters are rounded.
    a, b, _, c, d = (int(v) for v in np.frombuffer(matrix, np.int32)[:5])
    swap = abs(b) > abs(a)
    return (True, c < 0, b < 0) if swap else (False, a < 0, d < 0)


def _to_rgb(
    frame: VideoFrame, height: int, width: int, orientation: tuple[bool, bool, bool]
) -> NDArray[np.uint8]:
    """One frame as uint8 [height, width, 3], resized before it is converted and turned."""
    swap, mirror_x, mirror_y = orientation
    if swap:
        height, width = width, height
    # Bit-exact: the same file gives the same pixels on every processor.
    flags = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
    picture: NDArray[Any] = frame.reformat(
        width=width, height=height, format="rgb24", interpolation=flags, threads=1
    ).to_ndarray()
    if swap:
        picture = picture.transpose(1, 0, 2)
    return picture[:: -1 if mirror_y else 1, :: -1 if mirror_x else 1]
