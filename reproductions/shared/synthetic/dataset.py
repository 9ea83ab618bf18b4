"""Synthetic data sets on disk: H.264 mp4 files, `records.jsonl` and a manifest of content hashes.

    folder/
      records.jsonl           one Video-R1 record a line, plus `task`, `meta` and `subtitles`
      videos/<id>.mp4         and <id>.srt where the task has subtitles
      manifest.json           what was asked for, and the sha256 of every file above

A build is atomic (written beside the folder, then renamed) and idempotent (a second call with the
same arguments verifies every file and reads). Files are equal to the byte for equal arguments and
equal versions of FFmpeg's libraries.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np

from reproductions.shared.method import Sample
from reproductions.shared.synthetic.records import from_video_r1, video_r1
from reproductions.shared.synthetic.world import WORLD_VERSION, Knobs, make
from reproductions.shared.video.frames import write_mp4

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

TONE_HZ, SAMPLE_RATE = 440, 16_000
"""The tone of `sound_evidence`: a sine at half of full scale, mono."""


class DatasetError(ValueError):
    """A data set on disk is not what was asked for, or not what was written."""


def world_seed(seed: int, split: Split) -> int:
    """The seed of `world.make` for a split: no two pairs (seed, split) share one."""
    return len(SPLITS) * seed + SPLITS.index(split)


def build(
    folder: str | os.PathLike[str],
    tasks: Sequence[str],
    n: int,
    seed: int,
    split: Split,
    knobs: Knobs | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Sample]:
    """Write a data set, or verify and read the one that is there.

    Args:
        folder: Where it lies or shall lie; parents are made.
        tasks: Names of `world.TASKS`; sample i is of task i modulo their number.
        n: Number of samples, 1 or more.
        seed: Seed of the data set, 0 or more.
        split: Splits of the same seed, and of different seeds, never share a clip's seed.
        knobs: Look of the clips and form of the questions.
        progress: Called with (samples done, n) after each one.

    Returns:
        The samples; `video` and `meta["subtitles"]` are paths below `folder` as given.

    Raises:
        DatasetError: The folder holds something else, or a file changed since it was written.
        ValueError: An argument is out of range.
    """
    folder, knobs = Path(folder), knobs or Knobs()
    if n < 1 or seed < 0 or split not in SPLITS:
        raise ValueError(f"build: n={n}, seed={seed}, split={split!r}. Needs n >= 1, seed >= 0 and "
                         f"a split of {', '.join(SPLITS)}.")  # fmt: skip
    if not tasks or len(set(tasks)) != len(tasks):
        raise ValueError(f"build: tasks={list(tasks)}. Name at least one task, and each one once.")
    request = {
        "world_version": WORLD_VERSION,
        "tasks": list(tasks),
        "n": n,
        "seed": seed,
        "split": split,
        "knobs": asdict(knobs),
    }
    if (folder / "manifest.json").is_file():
        return _read(folder, request)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DatasetError(
            f"{folder}: exists and is no synthetic data set (no manifest.json). "
            "Choose another folder."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _write(work, request, tasks, n, seed, split, knobs, progress)
        work.chmod(0o755)
        try:
            work.replace(folder)
        except OSError:
            # Another process was faster; its files are equal to ours or _read says why not.
            if not (folder / "manifest.json").is_file():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return _read(folder, request)


def _write(
    folder: Path,
    request: Mapping[str, Any],
    tasks: Sequence[str],
    n: int,
    seed: int,
    split: Split,
    knobs: Knobs,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Write all files of a data set into an empty folder, the manifest last."""
    (folder / "videos").mkdir()
    lines = []
    for i in range(n):
        task = tasks[i % len(tasks)]
        frames, sample = make(task, world_seed(seed, split), i // len(tasks), knobs)
        name = f"{split}-{seed}-{task}-{i:06d}"
        video = folder / "videos" / f"{name}.mp4"
        write_mp4(video, frames, knobs.fps)
        meta = dict(sample.meta)
        if "subtitle_cues" in meta:
            subtitles = video.with_suffix(".srt")
            subtitles.write_text(srt(meta["subtitle_cues"]), encoding="utf-8")
            meta["subtitles"] = str(subtitles)
        if "tone" in meta:
            add_tone(video, meta["tone"], knobs.seconds)
        sample = replace(sample, id=name, video=str(video), meta=meta)
        lines.append(json.dumps(video_r1(sample, folder), ensure_ascii=False) + "\n")
        if progress:
            progress(i + 1, n)
    (folder / "records.jsonl").write_text("".join(lines), encoding="utf-8")
    manifest = {"request": request, "files": _hashes(folder)}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _hashes(folder: Path) -> dict[str, str]:
    """Relative path -> sha256 of every file but the manifest."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }


def _read(folder: Path, request: Mapping[str, Any]) -> list[Sample]:
    """Verify a data set against its manifest and read its samples."""
    remedy = "Delete the folder to build it anew, or choose another one."
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        there, files = dict(manifest["request"]), dict(manifest["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{folder}/manifest.json: not readable ({error}). {remedy}") from error
    if there != request:
        differing = [
            f"{key} is {there.get(key)!r}, not {value!r}"
            for key, value in request.items()
            if there.get(key) != value
        ]
        raise DatasetError(f"{folder}: holds another data set: {'; '.join(differing)}. {remedy}")
    now = _hashes(folder)
    changed = sorted(path for path in {*files, *now} if files.get(path) != now.get(path))
    if changed:
        raise DatasetError(
            f"{folder}: {len(changed)} file(s) changed since they were written, "
            f"first {changed[0]}. {remedy}"
        )
    with (folder / "records.jsonl").open(encoding="utf-8") as lines:
        return [from_video_r1(json.loads(line), folder) for line in lines]


def srt(cues: Sequence[Mapping[str, Any]]) -> str:
    """SubRip text of subtitle cues {start, end [s], text}."""

    def clock(seconds: float) -> str:
        ms = round(seconds * 1000)
        return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02},{ms % 1000:03}"

    return "\n".join(
        f"{i}\n{clock(cue['start'])} --> {clock(cue['end'])}\n{cue['text']}\n"
        for i, cue in enumerate(cues, 1)
    )


def add_tone(video: Path, tone: Sequence[float] | None, seconds: float) -> None:
    """Give an mp4 an AAC track of its length: silence, but for a tone from tone[0] to tone[1] s.

    The video stream is copied, not encoded again.
    """
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    start, end = tone or (0.0, 0.0)
    wave = 0.5 * np.sin(2 * np.pi * TONE_HZ * t) * ((t >= start) & (t < end))
    sounding = video.with_suffix(".sound.mp4")
    options = {"fflags": "+bitexact"}
    with av.open(video) as source, av.open(sounding, "w", container_options=options) as target:
        picture = target.add_stream_from_template(source.streams.video[0])
        sound = target.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        sound.codec_context.options = {"flags": "+bitexact"}
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = picture
                target.mux(packet)
        frame = av.AudioFrame.from_ndarray(wave[None].astype(np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, 0
        target.mux(sound.encode(frame))
        target.mux(sound.encode(None))
    sounding.replace(video)
