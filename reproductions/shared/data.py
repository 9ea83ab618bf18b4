"""The samples of a run (synthetic world, own records, published sets) and reading their videos."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from reproductions.shared import processes
from reproductions.shared.hub import OWN, HubError, published_data, published_questions
from reproductions.shared.method import Sample
from reproductions.shared.progress import bar, stderr
from reproductions.shared.settings import Options, RunError, cache_folder, frame_spec, knobs_of
from reproductions.shared.video.decode import Clip, VideoError, probe, read_frames
from reproductions.shared.video.image import is_image, read_image
from reproductions.shared.video.quarantine import Quarantine, Quarantined, safe_probe
from reproductions.shared.video.spec import FrameSpec
from vidpost.catalog.preset import Preset

if TYPE_CHECKING:
    from reproductions.shared.video.cache import FrameCache
    from reproductions.shared.video.spec import VideoInfo

T = TypeVar("T")
HELD_OUT = 0.2
"""Share of a user's own records that is kept for evaluation."""
Records = tuple[list[Sample], list[Sample]]
"""The user's training and evaluation records, as they were parsed."""


@dataclass
class Data:
    """The samples of a run: training samples of each stage, validation and held-out ones."""

    train: dict[str, list[Sample]]
    validation: list[Sample]
    test: list[Sample]
    name: str
    revision: str


def preflight(preset: Preset, options: Options) -> Records | None:
    """Refuse what can be refused before anything is written, downloaded or decoded.

    Of several processes the first one looks.

    Returns:
        The user's records; None if the run asks for other data.

    Raises:
        RunError: No such file, a bad record, too few questions for a step.
    """
    if processes.rank():
        return None
    records = _records(options) if options.data is not None else None
    for name, stage in preset.stages.items():
        if records is not None:
            check_batch(preset, name, len(records[0]), "Add records")
        elif preset.synthetic is not None:
            clips = preset.synthetic.train
            clips = min(clips, stage.samples or clips)
            check_batch(preset, name, clips, "Raise synthetic.train")
    return records


def check_batch(preset: Preset, name: str, count: int, remedy: str) -> None:
    """TRL leaves out a batch of groups that is not full; with too few questions it would be all."""
    batch = preset.questions_a_step(name)
    if count < batch:
        raise RunError(
            f"stages.{name}.batch_size: a step takes {batch:,} questions, but there are {count:,}. "
            f"{remedy}, or lower it (--set stages.{name}.batch_size=1)."
        )


def with_records(preset: Preset, records: Records | None) -> Preset:
    """The preset as it is planned: with the user's records instead of the data that it names."""
    if records is None:
        return preset
    train, test = records
    own = {"data": OWN, "samples": len(train)}
    stages = {name: s.model_copy(update=own) for name, s in preset.stages.items()}
    asked = {"benchmarks": (OWN,), "samples": len(test)}
    evaluate = preset.evaluate.model_copy(update=asked)
    return preset.model_copy(update={"stages": stages, "evaluate": evaluate, "synthetic": None})


def load_data(
    preset: Preset, options: Options, folder: Path, records: Records | None = None
) -> Data:
    """The samples of a run: the user's records, the synthetic world, or published data sets.

    Args:
        preset: The preset.
        options: Names the user's records.
        folder: Run folder; takes quarantine.jsonl.
        records: The user's records if they were parsed before.
    """
    if options.data is not None:
        return _own_data(preset, options, folder, records)
    if preset.synthetic is not None:
        with processes.main_first():
            return _synthetic_data(preset)
    try:
        train = {name: published_data(s.data, s.samples) for name, s in preset.stages.items()}
        test = published_questions(preset.evaluate.benchmarks, preset.evaluate.samples)
    except HubError as error:
        raise RunError(str(error)) from None
    if not test:
        raise RunError(
            f"no question of {', '.join(preset.evaluate.benchmarks)} has its video. Put the videos "
            "beside the question files (VIDPOST_DATA), or give your own records (--data and "
            "--eval-data)."
        )
    return Data(train, [], test, "published_benchmarks", "published")


def held_out(preset: Preset, options: Options, folder: Path) -> tuple[list[Sample], str]:
    """The held-out questions of a run and their name, without what is only trained on."""
    if options.data is None and preset.synthetic is not None:
        with processes.main_first():
            return _world_part(preset, "test")[0], "synthetic"
    data = load_data(preset, options, folder)
    return data.test, data.name


def examples_of(data: Data) -> list[Sample]:
    """Solved questions that a test-time method may show: of the training set, none of them asked.

    A published model has no training set of ours; it is shown none.
    """
    asked = {s.id for s in data.test}
    pool = next(iter(data.train.values()), data.validation) or data.validation
    return [untaught(s) for s in pool if s.id not in asked]


def untaught(sample: Sample) -> Sample:
    """A training sample as the question that it was before it was made to teach a skill."""
    meta = {k: v for k, v in sample.meta.items() if k not in ("messages", "target")}
    return dataclasses.replace(sample, meta=meta)


# --- the synthetic world -----------------------------------------------------------------------


def _synthetic_data(preset: Preset) -> Data:
    from reproductions.shared.synthetic.teacher import imperfect

    world = preset.synthetic
    assert world is not None
    (clips, one), (validation, two), (test, three) = (
        _world_part(preset, split) for split in ("train", "val", "test")
    )
    taught = imperfect(clips, world.teacher_error, preset.seed)
    if world.skills:
        from reproductions.shared.decoding.skills import skilled

        taught = skilled(taught, preset.seed)
    train = {
        name: (taught if s.kind == "sft" else clips)[: s.samples]
        for name, s in preset.stages.items()
    }
    revision = hashlib.sha256((one + two + three).encode()).hexdigest()[:12]
    return Data(train, validation, test, "synthetic", revision)


def _world_part(preset: Preset, split: Literal["train", "val", "test"]) -> tuple[list[Sample], str]:
    """The samples of one split of the synthetic world, and the key of what was asked for."""
    from reproductions.shared.synthetic.dataset import build

    world = preset.synthetic
    assert world is not None
    knobs = knobs_of(world)
    n = {"train": world.train, "val": world.validation, "test": world.test}[split]
    request = {"tasks": world.tasks, "n": n, "seed": preset.seed, "split": split,
               "knobs": dataclasses.asdict(knobs)}  # fmt: skip
    key = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:12]
    folder = cache_folder() / "world" / f"{split}-{key}"
    with bar(f"{split} clips", n) as shown:
        samples = build(
            folder, world.tasks, n, preset.seed, split, knobs,
            progress=lambda done, _: shown.to(done),
        )  # fmt: skip
        shown.to(n)  # clips that were there already are verified without a word
    return samples, key


# --- one's own records -------------------------------------------------------------------------


def _own_data(
    preset: Preset, options: Options, folder: Path, records: Records | None = None
) -> Data:
    """The user's records; every video is decoded once, and what cannot be is left out and said."""
    assert options.data is not None
    records = records or _records(options)
    folder.mkdir(parents=True, exist_ok=True)
    bad = Quarantine(folder / "quarantine.jsonl")
    _set_aside([*records[0], *records[1]], preset, bad)
    samples, held_out = (
        [s for s in part if (f := _file(s)) is None or f not in bad] for part in records
    )
    for item in bad:
        stderr().print(f"left out: {item.path}: {item.reason}", markup=False, highlight=False)
    if not samples or not held_out:
        raise RunError(
            f"{options.data}: {len(samples)} usable training and {len(held_out)} usable evaluation "
            f"records ({len(bad)} videos were quarantined; see quarantine.jsonl). Add records, or "
            "give --eval-data."
        )
    without = sum(1 for s in samples if not s.rationale)
    if without and any(s.kind == "sft" for s in preset.stages.values()):
        stderr().print(
            f"{without} of {len(samples)} records have no `process` (reasoning); "
            "the cold start learns an empty one for them."
        )
    revision = hashlib.sha256(options.data.read_bytes()).hexdigest()[:12]
    train = dict.fromkeys(preset.stages, samples)
    name = re.sub(r"[^a-z0-9]+", "_", options.data.stem.lower()).strip("_")
    return Data(train, held_out, held_out, f"own_{name}".strip("_"), revision)


def _records(options: Options) -> Records:
    """The user's training and evaluation records, no file of them decoded yet."""
    from reproductions.datasets.video_r1_260k import RecordError, load

    def read(path: Path) -> list[Sample]:
        return load(path, options.video_root or path.parent, images="keep")

    assert options.data is not None
    try:
        samples = read(options.data)
        if options.eval_data is not None:
            return samples, read(options.eval_data)
    except (RecordError, OSError) as error:
        raise RunError(str(error)) from None
    cut = [_share(s.id) < HELD_OUT for s in samples]
    held_out = [s for s, c in zip(samples, cut, strict=True) if c]
    return [s for s, c in zip(samples, cut, strict=True) if not c], held_out


def _set_aside(samples: Sequence[Sample], preset: Preset, bad: Quarantine) -> None:
    """Note in `bad` the videos and images that do not decode.

    Each process checks a share of the files.
    """
    read = guarded_reader(frame_spec(preset))
    files = sorted({f for s in samples if (f := _file(s)) is not None})
    own, found = files[processes.rank() :: processes.count()], []
    with bar("checking videos", len(own)) as shown:
        for file in own:
            clip = read(file)
            if isinstance(clip, Quarantined):
                found.append(clip)
            shown.add(1)
    for clip in processes.collect(found):
        bad.add(clip)


def _file(sample: Sample) -> str | None:
    """What a sample shows: its video or its image."""
    return sample.video or sample.meta.get("image")


def _share(name: str) -> float:
    """A number in [0, 1) that depends on the name alone."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


# --- reading videos ----------------------------------------------------------------------------


def clip_reader(spec: FrameSpec, own: bool) -> Callable[..., Clip]:
    """How a run reads videos, whole or in part: our own clips directly, anybody's files guarded.

    Decoded clips are kept on disk. What is made of them is kept in the reader's `memory`, which all
    encoders that read through it share.
    """
    from reproductions.shared.models.memory import Memory
    from reproductions.shared.models.show import reader

    look: Callable[[str], VideoInfo]
    if own:
        cache, look = frame_cache(), probe

        def read(path: str, chosen: FrameSpec) -> Clip:
            return cache.read(path, chosen, read_frames)  # type: ignore[return-value]

    else:
        guarded = guarded_reader(spec)

        def read(path: str, chosen: FrameSpec) -> Clip:
            return _sound(guarded(path, chosen))

        def look(path: str) -> VideoInfo:
            return _sound(safe_probe(path))

    reading: Any = reader(spec, read, look)
    reading.memory = Memory()
    return reading  # type: ignore[no-any-return]


def guarded_reader(spec: FrameSpec) -> Callable[..., Clip | Quarantined]:
    """Reads anybody's files, by `spec` or by another one that is given with the path.

    Decodes in a killable worker and keeps decoded clips on disk.
    """
    cache = frame_cache()

    def read(path: str, other: FrameSpec | None = None) -> Clip | Quarantined:
        if not is_image(path):
            return cache.read(path, other or spec)
        try:
            return read_image(path, spec)
        except VideoError as error:
            return Quarantined(path, error.kind, str(error))

    return read


def frame_cache() -> FrameCache:
    """Decoded clips on disk, for all runs; `VIDPOST_FRAMES_GIB` limits them (20)."""
    from reproductions.shared.video.cache import FrameCache

    gib = float(os.environ.get("VIDPOST_FRAMES_GIB") or 20)
    return FrameCache(cache_folder() / "frames", max_bytes=int(gib * 2**30))


def _sound(found: T | Quarantined) -> T:
    """What was read, unless the file was set aside; its reason names the file and the remedy."""
    if isinstance(found, Quarantined):
        raise RunError(found.reason)
    return found
