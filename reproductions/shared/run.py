"""`run(METHOD)`: data -> train -> evaluate -> card -> report, in one folder that can be resumed.

The folder `runs/<method>-<time>/` holds config.yaml (all settings), log.jsonl, rollouts.jsonl,
stages/<stage>/ (checkpoints, `final/`), predictions/<checkpoint>.jsonl, evaluation.json, card.yaml
and report.html. Each step looks for its result and is skipped if it is there, so `--resume` is the
same program started again.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import os
import re
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import yaml

from reproductions.shared import processes
from reproductions.shared.files import write_json, write_text
from reproductions.shared.hub import (
    OWN,
    HubError,
    check_benchmark,
    check_data,
    published_data,
    published_questions,
)
from reproductions.shared.method import Method, MethodError, Sample, Stage, load_method
from reproductions.shared.progress import bar, stderr
from reproductions.shared.video.decode import Clip, VideoError, probe, read_frames
from reproductions.shared.video.image import is_image, read_image
from reproductions.shared.video.quarantine import Quarantine, Quarantined, safe_probe
from reproductions.shared.video.spec import FrameSpec
from vidpost.catalog.loader import CatalogError
from vidpost.catalog.preset import Frames, Preset, Synthetic, load_preset

if TYPE_CHECKING:
    from reproductions.shared.models.tiny import TinyConfig
    from reproductions.shared.synthetic.world import Knobs
    from reproductions.shared.video.cache import FrameCache
    from reproductions.shared.video.spec import VideoInfo

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
HELD_OUT = 0.2
"""Share of a user's own records that is kept for evaluation."""
SMOKE = {"max_steps": 2, "train": 16, "validation": 8, "test": 8}
"""What `--smoke` cuts a run to: it proves that everything works, not that anything is learnt."""
COLD_START = {"max_steps": 60, "batch_size": 4}
"""What it leaves of a small model's cold start: after two steps all answers would score the same,
which gives GRPO no gradient and preference optimisation no pair."""


class RunError(Exception):
    """A run cannot start or go on. The message names place, fault and remedy."""


@dataclass(frozen=True)
class Options:
    """What a user may say about a run.

    Attributes:
        preset: "mini", "paper", or the path of a preset file.
        overrides: Dotted key -> value (`--set`).
        data: The user's own records in the published Video-R1 format.
        eval_data: Records to evaluate on; without it a fifth of `data` is held out.
        video_root: Folder to which the records' paths are relative; default: that of the records.
        out: Run folder; default runs/<method>-<time>.
        smoke: A few steps a stage on a handful of clips.
    """

    preset: str = "mini"
    overrides: Mapping[str, Any] = field(default_factory=dict)
    data: Path | None = None
    eval_data: Path | None = None
    video_root: Path | None = None
    out: Path | None = None
    smoke: bool = False


@dataclass
class Data:
    """The samples of a run: training samples of each stage, validation and held-out ones."""

    train: dict[str, list[Sample]]
    validation: list[Sample]
    test: list[Sample]
    name: str
    revision: str


def cache_folder() -> Path:
    """Where synthetic clips, small models and decoded frames are kept (`VIDPOST_CACHE`)."""
    return Path(os.environ.get("VIDPOST_CACHE") or ROOT / ".cache")


def find_method(name: str) -> Method:
    """The method with this id or another name of it (alias, hyphens), methods/ or baselines/.

    Raises:
        RunError: There is none; the message names the closest one.
    """
    asked, name = name, name.replace("-", "_")
    if (method := _reproduced(name)) is not None:
        return method
    from vidpost.catalog.diagnostics import closest
    from vidpost.catalog.loader import load

    with suppress(CatalogError):  # the message below names what can be run
        name = load(ROOT).find(asked, "method")[1].id
    if (method := _reproduced(name)) is not None:
        return method
    known = sorted(p.parent.name for p in (ROOT / "reproductions").glob("*/*/method.py"))
    hint = closest(name, known) or f"There are: {', '.join(known)}."
    raise RunError(f"'{name}' has no reproduction. {hint}")


def _reproduced(name: str) -> Method | None:
    for kind in ("methods", "baselines"):
        path = ROOT / "reproductions" / kind / name / "method.py"
        if name.isidentifier() and path.exists():
            try:
                method = load_method(f"reproductions.{kind}.{name}.method", path)
            except MethodError as error:
                raise RunError(str(error)) from None
            try:
                complete(method)
            except (MethodError, RunError) as error:
                raise RunError(f"{path.relative_to(ROOT)}: over its baseline: {error}") from None
            return method
    return None


def complete(method: Method) -> Method:
    """The method with every unset hook taken from its baseline."""
    return method.over(find_method(method.baseline)) if method.baseline else method


def preset_path(method: Method, preset: str) -> Path:
    """The file of a preset.

    Raises:
        RunError: There is no such preset.
    """
    if preset.endswith((".yaml", ".yml")):
        path = Path(preset)
        if not path.is_file():
            raise RunError(f"{path}: no such preset file. Give 'mini', 'paper' or a path.")
        return path
    kind = "methods" if method.baseline else "baselines"
    path = ROOT / "reproductions" / kind / method.id / f"{preset}.yaml"
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        raise RunError(f"'{method.id}' has no preset '{preset}'. It has: {there}.")
    return path


def settings_of(method: Method, options: Options) -> Preset:
    """The validated settings of a run, overrides and `--smoke` applied.

    Raises:
        RunError: An unknown key, a value out of range, an impossible frame spec.
    """
    path = preset_path(method, options.preset)
    try:
        preset = load_preset(path, options.overrides)
        if options.smoke:
            preset = load_preset(path, _overrides(preset, options))
        for frames in (preset.frames, preset.evaluate.frames or preset.frames):
            spec = frame_spec(preset, frames)
            spec.validate()
            if spec.max_pixels is not None and spec.max_pixels < spec.size_factor**2:
                raise ValueError(
                    f"frames.max_pixels: {spec.max_pixels} is less than one token, "
                    f"{spec.size_factor} x {spec.size_factor} pixels. Raise it."
                )
    except (CatalogError, ValueError) as error:
        raise RunError(str(error)) from None
    _check_data(preset, options)
    if preset.model.id == "tiny":
        _tiny(preset)
    return preset


def _overrides(preset: Preset, options: Options) -> dict[str, Any]:
    """What differs from the preset: the cuts of a smoke run, and what was asked for, which wins."""
    cut: dict[str, Any] = {}
    if options.smoke:
        cut = {f"stages.{n}.max_steps": SMOKE["max_steps"] for n in preset.stages}
        if preset.synthetic is not None:
            cut |= {f"synthetic.{k}": SMOKE[k] for k in ("train", "validation", "test")}
        if preset.model.id == "tiny" and any(s.kind != "sft" for s in preset.stages.values()):
            cold = [n for n, s in preset.stages.items() if s.kind == "sft"]
            cut |= {f"stages.{n}.{k}": v for n in cold for k, v in COLD_START.items()}
    return {**cut, **options.overrides}


def frame_spec(preset: Preset, frames: Frames | None = None) -> FrameSpec:
    """The engine's frame spec of a preset's `frames`, or of other ones for the same model.

    Sizes are multiples of patch size x merge size: 28 in Qwen2-VL and Qwen2.5-VL, 32 in Qwen3-VL.
    """
    chosen = {k: v for k, v in (frames or preset.frames).model_dump().items() if v is not None}
    factor = 32 if preset.model.family == "qwen3_vl" else 28
    return FrameSpec.from_dict({**chosen, "size_factor": factor})


def _check_data(preset: Preset, options: Options) -> None:
    """Refuse data that are asked for and would not be used, and a world that cannot be built."""
    if options.data is None and (options.eval_data or options.video_root):
        which = "--eval-data" if options.eval_data else "--video-root"
        raise RunError(f"{which}: goes with your own records only. Give --data FILE, too.")
    asked = {f"stages.{name}.data": (s.data,) for name, s in preset.stages.items()}
    asked["evaluate.benchmarks"] = preset.evaluate.benchmarks
    if options.data is not None:
        for key in options.overrides:
            if key in asked or key.split(".")[0] == "synthetic":
                raise RunError(f"--set {key}: is not used with --data. Leave one of them away.")
    elif preset.synthetic is not None:
        for key, names in asked.items():
            for name in names:
                if name != "synthetic":
                    raise RunError(
                        f"{key}: '{name}' is not used, because the preset makes synthetic clips. "
                        "Leave it away, give your own records (--data FILE), or make no clips "
                        "(--set synthetic=null)."
                    )
        _check_world(preset.synthetic)
    else:
        try:
            for key, names in asked.items():
                if key in options.overrides:
                    for name in names:
                        (check_benchmark if key == "evaluate.benchmarks" else check_data)(name)
        except HubError as error:
            raise RunError(f"--set {key}: {error}") from None


# --- data --------------------------------------------------------------------------------------


Records = tuple[list[Sample], list[Sample]]
"""The user's training and evaluation records, as they were parsed."""


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
            _check_batch(preset, name, len(records[0]), "Add records")
        elif preset.synthetic is not None:
            clips = preset.synthetic.train
            clips = min(clips, stage.samples or clips)
            _check_batch(preset, name, clips, "Raise synthetic.train")
    return records


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


def _check_world(world: Synthetic) -> Knobs:
    """The knobs of the synthetic world; tasks and knobs that it does not have are refused."""
    from reproductions.shared.synthetic.world import TASKS, Knobs

    unknown = [task for task in world.tasks if task not in TASKS]
    if unknown or not world.tasks:
        what = f"no task '{unknown[0]}'" if unknown else "no task given"
        raise RunError(f"synthetic.tasks: {what}. There are: {', '.join(TASKS)}.")
    try:
        return Knobs(**world.knobs)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise RunError(f"synthetic.knobs: {error} See reproductions/shared/synthetic.") from None


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
    knobs = _check_world(world)
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


def held_out(preset: Preset, options: Options, folder: Path) -> tuple[list[Sample], str]:
    """The held-out questions of a run and their name, without what is only trained on."""
    if options.data is None and preset.synthetic is not None:
        with processes.main_first():
            return _world_part(preset, "test")[0], "synthetic"
    data = load_data(preset, options, folder)
    return data.test, data.name


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


def frame_cache() -> FrameCache:
    """Decoded clips on disk, for all runs; `VIDPOST_FRAMES_GIB` limits them (20)."""
    from reproductions.shared.video.cache import FrameCache

    gib = float(os.environ.get("VIDPOST_FRAMES_GIB") or 20)
    return FrameCache(cache_folder() / "frames", max_bytes=int(gib * 2**30))


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


def _sound(found: T | Quarantined) -> T:
    """What was read, unless the file was set aside; its reason names the file and the remedy."""
    if isinstance(found, Quarantined):
        raise RunError(found.reason)
    return found


# --- the run -----------------------------------------------------------------------------------


def run(method: Method, options: Options, records: Records | None = None) -> Path:
    """Run a method.

    Args:
        method: The method.
        options: What the user said.
        records: What `preflight` gave, if it was asked before.

    Returns:
        The run folder.

    Raises:
        RunError: Something is wrong with what was asked for; nothing is lost.
    """
    preset = settings_of(method, options)
    if options.out is None and processes.count() > 1:
        raise RunError("several processes need one folder: give --out FOLDER.")
    folder = options.out or new_folder(method.id)
    config = {
        "method": method.id,
        "preset_name": options.preset,
        "overrides": dict(options.overrides),
        "smoke": options.smoke,
        "data": str(options.data) if options.data else None,
        "eval_data": str(options.eval_data) if options.eval_data else None,
        "video_root": str(options.video_root) if options.video_root else None,
        "command": command_line(method, options),
        "settings": preset.model_dump(mode="json"),
    }
    path = folder / "config.yaml"
    if not processes.rank():  # the first process says what is wrong, and writes
        if path.exists() and read_config(folder)["settings"] != config["settings"]:
            raise RunError(
                f"{folder} holds a run with other settings. Choose another --out, or resume it "
                f"with: vidpost run --resume {folder}"
            )
        records = records or preflight(preset, options)
        _check_engine(preset)
        if not path.exists():
            try:
                folder.mkdir(parents=True, exist_ok=True)
                write_text(path, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
            except OSError as error:
                raise RunError(
                    f"{folder}: cannot be written ({error.strerror}). Choose another --out."
                ) from None
    with _together(folder):
        return _go(method, preset, options, folder, records)


def resume(folder: Path) -> Path:
    """Continue a run that was interrupted.

    Raises:
        RunError: The folder holds no run.
    """
    config = read_config(folder)
    preset = Preset.model_validate(config["settings"])
    with _together(folder):
        return _go(find_method(config["method"]), preset, options_of(config, folder), folder)


@contextmanager
def _together(folder: Path) -> Iterator[None]:
    """One message when another process has ended or hangs, instead of a traceback from inside."""
    try:
        yield
    except RuntimeError as error:
        if not processes.lost(error):
            raise
        minutes = processes.timeout().total_seconds() / 60
        raise RunError(
            f"another process ended, or did not come within {minutes:g} minutes "
            f"({processes.MINUTES}). Look for its message; then continue with the same command, or "
            f"with: vidpost run --resume {folder}"
        ) from None


def read_config(folder: Path) -> dict[str, Any]:
    """config.yaml of a run.

    Raises:
        RunError: There is none.
    """
    path = folder / "config.yaml"
    if not path.is_file():
        raise RunError(f"{folder}: no config.yaml, so this is no run. `runs/` lists the runs.")
    try:
        config: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        Preset.model_validate(config["settings"])
        find_method(config["method"])
        options_of(config, folder)
    except (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(
            f"{path}: damaged ({type(error).__name__}). Start the run anew with another --out."
        ) from None
    return config


def options_of(config: Mapping[str, Any], folder: Path) -> Options:
    """The options that a run was started with."""
    paths = {
        key: Path(config[key]) if config[key] else None
        for key in ("data", "eval_data", "video_root")
    }
    return Options(
        preset=config["preset_name"],
        overrides=config["overrides"],
        out=folder,
        smoke=config["smoke"],
        **paths,
    )


def command_line(method: Method, options: Options) -> str:
    """The shell line that repeats a run."""
    parts = ["vidpost", "run", method.id, "--preset", options.preset]
    if options.data:
        parts += ["--data", str(options.data)]
    if options.eval_data:
        parts += ["--eval-data", str(options.eval_data)]
    if options.video_root:
        parts += ["--video-root", str(options.video_root)]
    parts += ["--smoke"] if options.smoke else []
    for key, value in options.overrides.items():
        parts += ["--set", f"{key}={json.dumps(value) if not isinstance(value, str) else value}"]
    return shlex.join(parts)


def _go(
    method: Method,
    preset: Preset,
    options: Options,
    folder: Path,
    records: Records | None = None,
) -> Path:
    clock = folder / "seconds.json"  # a resumed run goes on counting
    seconds: dict[str, float] = json.loads(clock.read_text()) if clock.exists() else {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        try:
            return work()
        finally:
            seconds[name] = round(seconds.get(name, 0.0) + time.perf_counter() - start, 2)
            if not processes.rank():
                write_json(clock, seconds)

    whole = complete(method)
    if processes.count() > 1:
        processes.join(device())
    data = timed("data", lambda: load_data(preset, options, folder, records))
    for name, samples in data.train.items():
        _check_batch(preset, name, len(samples), "Add records")
    limit_threads(preset)
    import transformers

    from reproductions.shared.evaluation.outcome import conclude
    from reproductions.shared.evaluation.runner import EvaluationError
    from reproductions.shared.training.stage import StageError, train

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    own = data.name == "synthetic"
    read = clip_reader(frame_spec(preset), own)
    with processes.main_first():
        base = timed("base model", lambda: _base_model(preset, whole, data))
    checkpoints: dict[str, str | Path] = {"base": base}
    for stage in whole.stages or ():
        if stage.name not in preset.stages:
            continue
        start = list(checkpoints.values())[-1]

        def work(stage: Stage = stage, start: str | Path = start) -> Path:
            return train(
                stage,
                preset,
                whole,
                data.train[stage.name],
                data.validation,
                start,
                folder / "stages" / stage.name,
                read=read,
                log=folder / "log.jsonl",
                rollouts=folder / "rollouts.jsonl",
                device=device(),
            )

        shared = _trained(preset, whole, stage, data, base) if own else None
        if shared is not None:
            with processes.main_first():
                _reuse(shared, folder, stage.name)
        try:
            checkpoints[stage.name] = timed(stage.name, work)
            if shared is not None and not processes.rank():
                _keep(shared, folder, stage.name)
        except StageError as error:
            raise RunError(f"stage '{stage.name}': {error}") from None
    spec = frame_spec(preset, preset.evaluate.frames)

    def measure() -> None:
        conclude(
            whole,
            preset,
            data.test,
            checkpoints,
            folder,
            benchmark=data.name,
            revision=data.revision,
            spec=spec,
            read=read if spec == frame_spec(preset) else clip_reader(spec, own),
            device=device(),
            seconds=seconds,
            preset_name=Path(options.preset).stem,
            overrides=_overrides(preset, options),
            command=command_line(method, options),
            examples=examples_of(data),
        )

    try:
        timed("evaluation", measure)
    except EvaluationError as error:
        raise RunError(str(error)) from None
    processes.leave()
    return folder


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


def _trained(
    preset: Preset, method: Method, stage: Stage, data: Data, base: str | Path
) -> Path | None:
    """Where the small model of test-time methods is kept once it is trained.

    They change nothing in training, so those that ask for the same clips and the same model share
    one. The name is a hash of everything that decides its weights, our code included.
    """
    if stage.kind != "sft" or not (method.decode is not None or method.id == "decode"):
        return None
    ours = ROOT / "reproductions" / "shared"
    files = [ours / "method.py", ours / "prompts.py"]
    for part in ("training", "models", "video", "synthetic"):
        files += sorted((ours / part).rglob("*.py"))
    code = hashlib.sha256()
    for file in files:
        code.update(file.read_bytes())
    names = [s.name for s in method.stages or () if s.name in preset.stages]
    hooks = [method.prompt, method.format_target, method.loss_mask, method.prepare_data]
    facts = {
        "model": preset.model.model_dump(),
        "base": Path(base).name,
        "frames": preset.frames.model_dump(),
        "world": preset.synthetic.model_dump(exclude={"test"}) if preset.synthetic else None,
        # With the stages before it, from which it starts.
        "stages": {
            name: (preset.stages[name].model_dump(), [s.id for s in data.train[name]])
            for name in names[: names.index(stage.name) + 1]
        },
        "seed": preset.seed,
        "hooks": [h and f"{h.__module__}.{h.__qualname__}" for h in hooks],
        "code": code.hexdigest(),
    }
    key = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16]
    return cache_folder() / "trained" / key


def _reuse(shared: Path, folder: Path, stage: str) -> None:
    """Put the shared model and its log into a run that has none yet."""
    target = folder / "stages" / stage / "final"
    if not shared.exists() or target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(".final.partial")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(shared / "final", part)
    shutil.copy(shared / "log.jsonl", folder / "log.jsonl")
    part.rename(target)


def _keep(shared: Path, folder: Path, stage: str) -> None:
    """Keep a trained model for the next method that would train the same."""
    if shared.exists():
        return
    shared.parent.mkdir(parents=True, exist_ok=True)
    part = shared.with_name(f".{shared.name}.{os.getpid()}")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(folder / "stages" / stage / "final", part / "final")
    shutil.copy(folder / "log.jsonl", part / "log.jsonl")
    try:
        part.rename(shared)
    except OSError:  # another run was quicker; its model is the same
        shutil.rmtree(part)


def _check_batch(preset: Preset, name: str, count: int, remedy: str) -> None:
    """TRL leaves out a batch of groups that is not full; with too few questions it would be all."""
    settings = preset.stages[name]
    batch = settings.batch_size * (preset.hardware.devices - preset.hardware.rollout_devices)
    batch *= settings.steps_per_generation * settings.gradient_accumulation
    if settings.kind == "grpo" and count < batch:
        raise RunError(
            f"stages.{name}.batch_size: a step takes {batch:,} questions, but there are {count:,}. "
            f"{remedy}, or lower it (--set stages.{name}.batch_size=1)."
        )


def _check_engine(preset: Preset) -> None:
    """Refuse an engine for rollouts that is not here."""
    if preset.hardware.rollout_engine == "hf":
        return
    from reproductions.shared.training.stage import StageError, rollout_engine

    try:
        if any(s.kind == "grpo" for s in preset.stages.values()):
            rollout_engine(preset)
    except StageError as error:
        raise RunError(str(error)) from None


def device() -> str:
    """Where models run here: "cuda" or "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _base_model(preset: Preset, method: Method, data: Data) -> str | Path:
    """The hub id, or a small model built from the texts of this run."""
    if preset.model.id != "tiny":
        return preset.model.id
    from reproductions.shared.models.tiny import build

    assert method.prompt is not None
    texts = ["system\nYou are a helpful assistant.", "user\n", "assistant\n"]
    for samples in data.train.values():
        texts += [_asked(method, s) for s in samples]
        texts += [method.format_target(s) for s in samples] if method.format_target else []
    return build(cache_folder() / "models", _tiny(preset), texts)


def _asked(method: Method, sample: Sample) -> str:
    """What the model reads of a training sample, as text."""
    assert method.prompt is not None
    if "messages" in sample.meta:
        return "\n".join(m.text for m in sample.meta["messages"])
    return method.prompt(sample)


def _tiny(preset: Preset) -> TinyConfig:
    """Sizes of the small model; impossible ones are refused."""
    from reproductions.shared.models.tiny import TinyConfig

    sizes = preset.model.tiny.model_dump() if preset.model.tiny else {}
    try:
        return TinyConfig(family=preset.model.family, seed=preset.seed, **sizes)  # type: ignore[arg-type]
    except ValueError as error:
        raise RunError(f"model.tiny, model.family: {error}") from None


def limit_threads(preset: Preset) -> None:
    """A small model on many threads is slower than on one, most of all beside other processes."""
    if preset.model.id == "tiny":
        import torch

        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))


def new_folder(name: str) -> Path:
    """A run folder that does not exist yet: runs/<name>-<time>."""
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    folder = Path("runs") / f"{name}-{stamp}"
    number = 2
    while folder.exists():
        folder = Path("runs") / f"{name}-{stamp}-{number}"
        number += 1
    return folder


def main(method: Method) -> None:
    """`python -m reproductions.methods.<id>.method ...` becomes `vidpost run <id> ...`."""
    command = [sys.executable, "-m", "vidpost.cli.main", "run", method.id, *sys.argv[1:]]
    os.execv(sys.executable, command)
