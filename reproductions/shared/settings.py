"""What a preset and the command line say: the method, its settings, a run's config.yaml."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from reproductions.shared.hub import HubError, check_benchmark, check_data
from reproductions.shared.method import Method, MethodError, load_method
from reproductions.shared.video.spec import FrameSpec
from vidpost.catalog.loader import CatalogError
from vidpost.catalog.preset import Frames, Preset, Synthetic, load_preset

if TYPE_CHECKING:
    from reproductions.shared.models.tiny import TinyConfig
    from reproductions.shared.synthetic.world import Knobs

ROOT = Path(__file__).resolve().parents[2]
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

    def paths(self) -> dict[str, Path | None]:
        """Where the user's own data are."""
        return {"data": self.data, "eval_data": self.eval_data, "video_root": self.video_root}


def cache_folder() -> Path:
    """Where synthetic clips, small models and decoded frames are kept (`VIDPOST_CACHE`)."""
    return Path(os.environ.get("VIDPOST_CACHE") or ROOT / ".cache")


def device() -> str:
    """Where models run here: "cuda" or "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def limit_threads(preset: Preset) -> None:
    """A small model on many threads is slower than on one, most of all beside other processes."""
    if preset.model.id == "tiny":
        import torch

        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))


# --- the method --------------------------------------------------------------------------------


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


# --- the preset --------------------------------------------------------------------------------


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
            preset = load_preset(path, overrides_of(preset, options))
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
        tiny_config(preset)
    return preset


def overrides_of(preset: Preset, options: Options) -> dict[str, Any]:
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


def tiny_config(preset: Preset) -> TinyConfig:
    """Sizes of the small model; impossible ones are refused."""
    from reproductions.shared.models.tiny import TinyConfig

    sizes = preset.model.tiny.model_dump() if preset.model.tiny else {}
    try:
        return TinyConfig(family=preset.model.family, seed=preset.seed, **sizes)  # type: ignore[arg-type]
    except ValueError as error:
        raise RunError(f"model.tiny, model.family: {error}") from None


def knobs_of(world: Synthetic) -> Knobs:
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


def _check_data(preset: Preset, options: Options) -> None:
    """Refuse data that are asked for and would not be used, and a world that cannot be built."""
    if options.data is None and (options.eval_data or options.video_root):
        which = "--eval-data" if options.eval_data else "--video-root"
        raise RunError(f"{which}: goes with your own records only. Give --data FILE, too.")
    asked: dict[str, tuple[str, ...]] = {
        f"stages.{name}.data": (s.data,) for name, s in preset.stages.items()
    }
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
        knobs_of(preset.synthetic)
    else:
        try:
            for key, names in asked.items():
                if key in options.overrides:
                    for name in names:
                        (check_benchmark if key == "evaluate.benchmarks" else check_data)(name)
        except HubError as error:
            raise RunError(f"--set {key}: {error}") from None


# --- a run's config.yaml -----------------------------------------------------------------------


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
    paths = {name: Path(config[name]) if config[name] else None for name in Options().paths()}
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
    for name, path in options.paths().items():
        parts += [f"--{name.replace('_', '-')}", str(path)] if path else []
    parts += ["--smoke"] if options.smoke else []
    for key, value in options.overrides.items():
        parts += ["--set", f"{key}={json.dumps(value) if not isinstance(value, str) else value}"]
    return shlex.join(parts)
