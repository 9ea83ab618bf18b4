"""`run(METHOD)`: data -> train -> evaluate -> card -> report, in one folder that can be resumed.

The folder `runs/<method>-<time>/` holds config.yaml (all settings), log.jsonl, rollouts.jsonl,
stages/<stage>/ (checkpoints, `final/`), predictions/<checkpoint>.jsonl, evaluation.json, card.yaml
and report.html. Each step looks for its result and is skipped if it is there, so `--resume` is the
same program started again.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from reproductions.shared import processes
from reproductions.shared.data import (
    Data,
    Records,
    check_batch,
    clip_reader,
    examples_of,
    load_data,
    preflight,
)
from reproductions.shared.files import write_json, write_text
from reproductions.shared.method import Method, Sample, Stage
from reproductions.shared.settings import (
    ROOT,
    Options,
    RunError,
    cache_folder,
    command_line,
    complete,
    device,
    find_method,
    frame_spec,
    limit_threads,
    options_of,
    overrides_of,
    read_config,
    settings_of,
    tiny_config,
)
from vidpost.catalog.preset import Preset


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
        **{name: path and str(path) for name, path in options.paths().items()},
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


def _go(
    method: Method,
    preset: Preset,
    options: Options,
    folder: Path,
    records: Records | None = None,
) -> Path:
    clock = folder / "seconds.json"  # a resumed run goes on counting
    seconds: dict[str, float] = json.loads(clock.read_text()) if clock.exists() else {}

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            seconds[name] = round(seconds.get(name, 0.0) + time.perf_counter() - start, 2)
            if not processes.rank():
                write_json(clock, seconds)

    whole = complete(method)
    if processes.count() > 1:
        processes.join(device())
    with timed("data"):
        data = load_data(preset, options, folder, records)
    for name, samples in data.train.items():
        check_batch(preset, name, len(samples), "Add records")
    limit_threads(preset)
    import transformers

    from reproductions.shared.evaluation.outcome import conclude
    from reproductions.shared.evaluation.runner import EvaluationError
    from reproductions.shared.training.stage import StageError, train

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    own = data.name == "synthetic"
    read = clip_reader(frame_spec(preset), own)
    with processes.main_first(), timed("base model"):
        base = _base_model(preset, whole, data)
    checkpoints: dict[str, str | Path] = {"base": base}
    for stage in whole.stages or ():
        if stage.name not in preset.stages:
            continue
        shared = _trained(preset, whole, stage, data, base) if own else None
        if shared is not None:
            with processes.main_first():
                _reuse(shared, folder, stage.name)
        try:
            with timed(stage.name):
                checkpoints[stage.name] = train(
                    stage,
                    preset,
                    whole,
                    data.train[stage.name],
                    data.validation,
                    list(checkpoints.values())[-1],
                    folder / "stages" / stage.name,
                    read=read,
                    log=folder / "log.jsonl",
                    rollouts=folder / "rollouts.jsonl",
                    device=device(),
                )
        except StageError as error:
            raise RunError(f"stage '{stage.name}': {error}") from None
        if shared is not None and not processes.rank():
            _keep(shared, folder, stage.name)
    spec = frame_spec(preset, preset.evaluate.frames)
    try:
        with timed("evaluation"):
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
                overrides=overrides_of(preset, options),
                command=command_line(method, options),
                examples=examples_of(data),
            )
    except EvaluationError as error:
        raise RunError(str(error)) from None
    processes.leave()
    return folder


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
    return build(cache_folder() / "models", tiny_config(preset), texts)


def _asked(method: Method, sample: Sample) -> str:
    """What the model reads of a training sample, as text."""
    assert method.prompt is not None
    if "messages" in sample.meta:
        return "\n".join(m.text for m in sample.meta["messages"])
    return method.prompt(sample)


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
    hooks = [method.prompt, method.format_target, method.loss_mask, method.prepare_data]
    files = [ours / "method.py", ours / "prompts.py", ours / "decoding/skills.py"]
    files += [Path(str(sys.modules[h.__module__].__file__)) for h in hooks if h]
    for part in ("training", "models", "video", "synthetic"):
        files += sorted((ours / part).rglob("*.py"))
    code = hashlib.sha256()
    for file in files:
        code.update(file.read_bytes())
    names = [s.name for s in method.stages or () if s.name in preset.stages]
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
