"""Has training seen the evaluation's videos? By id, by file hash, and by near-equal pictures.

A set is a record file (any format of the benchmarks or of Video-R1) or a folder of videos. Ids are
compared after removing folders, endings and the marks by which data sets dress one and the same
YouTube id. Pictures are compared by difference hashes of frames at fixed shares of the video, so
that another encoding, size or frame rate of a video is found; a cut or mirrored copy is not.
"""

from __future__ import annotations

import hashlib
import importlib
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ENDINGS = {".mp4", ".webm", ".mkv", ".avi", ".mov", ".m4v"}
SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Where in a video frames are hashed."""
NAMES = (
    *("video", "video_id", "videoid", "videoID", "vid", "video_name", "video_path", "path"),
    *("video_uid", "video_idx", "ori_video", "youtube_id", "video_filename", "video ID"),
)
FLAT = 4
"""A frame with fewer bits set (or unset) than this is blank and says nothing."""


class LeakageError(ValueError):
    """A set that cannot be read: what is wrong, and what to do."""


@dataclass(frozen=True)
class Pair:
    """An evaluation video and the training video it equals."""

    evaluation: str
    train: str
    detail: str = ""


@dataclass
class Overlap:
    """What the two sets share.

    Attributes:
        train_videos: Distinct videos of the training set.
        eval_videos: Distinct videos of the evaluation set.
        hashed: Files of either set that were read (0 for record files without videos).
        by_id: Equal ids.
        by_file: Equal bytes under another name.
        by_picture: Near-equal pictures, with the mean number of differing bits.
        unread: Files that could not be decoded, with the reason.
        notes: Sentences a reader must know.
    """

    train_videos: int = 0
    eval_videos: int = 0
    hashed: tuple[int, int] = (0, 0)
    by_id: list[Pair] = field(default_factory=list)
    by_file: list[Pair] = field(default_factory=list)
    by_picture: list[Pair] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def leaked(self) -> set[str]:
        """Evaluation videos that overlap in any way."""
        return {p.evaluation for p in (*self.by_id, *self.by_file, *self.by_picture)}

    def as_dict(self) -> dict[str, Any]:
        """All findings as JSON."""
        return {
            "train_videos": self.train_videos,
            "eval_videos": self.eval_videos,
            "leaked": len(self.leaked),
            "hashed": list(self.hashed),
            "by_id": [vars(p) for p in self.by_id],
            "by_file": [vars(p) for p in self.by_file],
            "by_picture": [vars(p) for p in self.by_picture],
            "unread": self.unread,
            "notes": self.notes,
        }

    def lines(self, show: int = 10) -> Iterator[str]:
        """The findings as text."""
        share = 100 * len(self.leaked) / self.eval_videos if self.eval_videos else 0.0
        yield (
            f"{len(self.leaked)} of {self.eval_videos} evaluation videos ({share:.1f} %) are among "
            f"{self.train_videos} training videos"
        )
        for title, pairs in (
            ("same id", self.by_id),
            ("same file", self.by_file),
            ("near-equal pictures", self.by_picture),
        ):
            yield f"{title}: {len(pairs)}"
            for pair in pairs[:show]:
                detail = f"  ({pair.detail})" if pair.detail else ""
                yield f"  {pair.evaluation} = {pair.train}{detail}"
            if len(pairs) > show:
                yield f"  and {len(pairs) - show} more"
        for name, reason in list(self.unread.items())[:show]:
            yield f"not decoded: {name}: {reason}"
        for note in self.notes:
            yield f"note: {note}"


_DRESS = re.compile(
    r"^(?:v_|video_|yt_|ytb_|youtube_)|(?:_cut|_clip|_trim|_360p|_480p|_720p|_1080p)$"
)
_TIMES = re.compile(r"(?:[_-]\d+(?:\.\d+)?){2}$")


def plain_id(name: str) -> str:
    """The id in the name of a video: without folders, ending and dress ("v_abc.mp4" is "abc").

    An ending with two times is kept: two clips of one film are different videos; `source_id`
    removes it.
    """
    stem = name.replace("\\", "/").rsplit("/", 1)[-1]
    head, dot, ending = stem.rpartition(".")
    if dot and f".{ending.lower()}" in ENDINGS:
        stem = head
    previous = ""
    while previous != stem:
        previous, stem = stem, _DRESS.sub("", stem)
    return stem


def source_id(name: str) -> str:
    """The id without the times of a clip: "abc_12.0_30.5" is "abc" (QVHighlights, Moments)."""
    bare = _TIMES.sub("", plain_id(name))
    return bare or plain_id(name)


def videos_of(path: Path) -> dict[str, Path | None]:
    """Name of each video -> its file, None where only a record names it.

    Raises:
        LeakageError: The path is missing or holds no video.
    """
    if path.is_dir():
        found = {
            p.relative_to(path).as_posix(): p
            for p in sorted(path.rglob("*"))
            if p.suffix.lower() in ENDINGS and p.is_file()
        }
        if not found:
            raise LeakageError(f"{path}: no video ({', '.join(sorted(ENDINGS))}) in this folder.")
        return dict(found)
    files: Any = importlib.import_module("reproductions.benchmarks._files")
    names: dict[str, Path | None] = {}
    try:
        for _, record in files.read_records(path):
            for name in _named(record):
                beside = path.parent / name
                inside = ".." not in Path(name).parts and not Path(name).is_absolute()
                names[name] = beside if inside and beside.is_file() else None
    except files.FileProblem as error:
        raise LeakageError(str(error)) from None
    if not names:
        raise LeakageError(f"{path}: no record names a video ({', '.join(NAMES[:8])}, ..).")
    return names


def _named(record: dict[str, Any]) -> list[str]:
    for name in NAMES:
        value = record.get(name)
        if isinstance(value, str) and value.strip():
            return [value.strip()]
        if isinstance(value, list) and value and all(isinstance(v, str) for v in value):
            return [v.strip() for v in value]
    if isinstance(record.get("key"), str) and ("timestamps" in record or "annotations" in record):
        return [record["key"]]
    return []


def file_hash(path: Path) -> str:
    """SHA-256 of the bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def dhash(frame: NDArray[np.uint8]) -> int:
    """64-bit difference hash of a frame: is a cell brighter than its right neighbour?

    Args:
        frame: uint8 [height, width, 3].
    """
    grey = frame.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    rows = np.linspace(0, grey.shape[0], 9).astype(int)
    columns = np.linspace(0, grey.shape[1], 10).astype(int)
    cells = np.array(
        [
            [
                grey[a : max(b, a + 1), c : max(d, c + 1)].mean()
                for c, d in itertools.pairwise(columns)
            ]
            for a, b in itertools.pairwise(rows)
        ]
    )
    # Differences under one grey level are noise of the encoder.
    bits = (cells[:, :-1] - cells[:, 1:]) > 1.0
    return int("".join("1" if b else "0" for b in bits.ravel()), 2)


def video_hashes(path: Path) -> tuple[int, ...]:
    """Hashes of the frames at `SHARES` of the video.

    Decodes in the quarantine process, so that a hostile file cannot stop the check.

    Raises:
        ValueError: The file gives no frames; the message says why.
    """
    from reproductions.shared.video.quarantine import Quarantined, safe_probe, safe_read
    from reproductions.shared.video.spec import FrameSpec

    info = safe_probe(path)
    if isinstance(info, Quarantined):
        raise ValueError(info.reason)
    spec = FrameSpec(num_frames=2, size_factor=1, max_pixels=128 * 128)
    clip = safe_read(path, spec.at(info, [share * info.duration for share in SHARES]))
    if isinstance(clip, Quarantined):
        raise ValueError(clip.reason)
    return tuple(dhash(frame) for frame in clip.frames)


def difference(a: Sequence[int], b: Sequence[int]) -> float:
    """Mean number of differing bits over frames that are not blank in both; 64.0 without any."""
    distances = [
        (x ^ y).bit_count() for x, y in zip(a, b, strict=False) if not (_flat(x) and _flat(y))
    ]
    return sum(distances) / len(distances) if distances else 64.0


def _flat(bits: int) -> bool:
    return min(bits.bit_count(), 64 - bits.bit_count()) < FLAT


def overlap(
    train: Iterable[Path], evaluation: Iterable[Path], *, pixels: bool = True, distance: int = 6
) -> Overlap:
    """Compare training and evaluation sets.

    Args:
        train: Record files or folders of videos.
        evaluation: The same.
        pixels: Whether to decode the videos that are there.
        distance: Mean differing bits of 64 up to which pictures are near-equal.

    Raises:
        LeakageError: A set cannot be read.
    """
    left: dict[str, Path | None] = {}
    right: dict[str, Path | None] = {}
    for sets, target in ((train, left), (evaluation, right)):
        for path in sets:
            if not path.exists():
                raise LeakageError(f"{path}: there is no such file or folder.")
            target.update(videos_of(path))
    found = Overlap(train_videos=len(left), eval_videos=len(right))
    ids = {plain_id(n): n for n in left}
    sources = {source_id(n): n for n in left}
    for name in right:
        own, source = plain_id(name), source_id(name)
        if own in ids:
            found.by_id.append(Pair(name, ids[own]))
        elif source in sources:
            found.by_id.append(Pair(name, sources[source], "clips of one source"))
    left_files = {n: p for n, p in left.items() if p is not None}
    right_files = {n: p for n, p in right.items() if p is not None}
    found.hashed = len(left_files), len(right_files)
    if not left_files or not right_files:
        found.notes.append(
            "Only ids were compared: the video files of one or both sets are not beside their "
            "records. Give the folders of the videos to compare files and pictures."
        )
        return found
    known = {p.evaluation for p in found.by_id}
    digests = {file_hash(p): n for n, p in left_files.items()}
    for name, path in right_files.items():
        same = digests.get(file_hash(path))
        if same is not None and name not in known:
            found.by_file.append(Pair(name, same))
            known.add(name)
    if pixels:
        _pictures(found, left_files, right_files, known, distance)
    return found


def _pictures(
    found: Overlap,
    left: dict[str, Path],
    right: dict[str, Path],
    known: set[str],
    distance: int,
) -> None:
    """Add pairs of near-equal pictures among the videos that are not known to be equal."""

    def hashes(files: dict[str, Path]) -> dict[str, tuple[int, ...]]:
        made = {}
        for name, path in files.items():
            try:
                made[name] = video_hashes(path)
            except ValueError as error:
                found.unread[name] = str(error)[:200]
        return made

    rest = {n: p for n, p in right.items() if n not in known}
    if not rest:
        return
    ours, theirs = hashes(left), hashes(rest)
    for name, own in theirs.items():
        near = [(difference(own, other), other_name) for other_name, other in ours.items()]
        best = min(near, default=(64.0, ""))
        if best[0] <= distance:
            found.by_picture.append(Pair(name, best[1], f"{best[0]:.1f} of 64 bits differ"))
