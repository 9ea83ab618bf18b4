"""What a finished run is asked: its checkpoints, an evaluation on other questions, parity."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reproductions.shared import processes
from reproductions.shared.method import Method
from reproductions.shared.run import (
    Options,
    RunError,
    clip_reader,
    complete,
    device,
    examples_of,
    find_method,
    frame_spec,
    held_out,
    limit_threads,
    load_data,
    options_of,
    read_config,
)
from vidpost.catalog.preset import Preset


@dataclass(frozen=True)
class Finished:
    """A run folder opened again: its settings, its method over the baseline, its checkpoints."""

    preset: Preset
    options: Options
    method: Method
    checkpoints: dict[str, Path]


def open_run(folder: Path) -> Finished:
    """Read a run folder.

    Raises:
        RunError: It holds no run, or no trained checkpoint yet.
    """
    config = read_config(folder)
    whole = complete(find_method(config["method"]))
    checkpoints = {
        s.name: folder / "stages" / s.name / "final"
        for s in whole.stages or ()
        if (folder / "stages" / s.name / "final").exists()
    }
    if not checkpoints:
        raise RunError(
            f"{folder}: no trained checkpoint yet. Finish it: vidpost run --resume {folder}"
        )
    return Finished(
        Preset.model_validate(config["settings"]), options_of(config, folder), whole, checkpoints
    )


def evaluate_run(
    folder: Path,
    checkpoint: str | None,
    data: Path | None,
    video_root: Path | None,
    seed: int | None,
    limit: int | None,
) -> dict[str, Any]:
    """Evaluate a checkpoint of a run again, on its own held-out clips or on other questions.

    Args:
        folder: Run folder.
        checkpoint: Name of a stage; None: the last one.
        data: The user's records; None: the run's own questions.
        video_root: Folder of their videos.
        seed: Fresh synthetic clips of this seed.
        limit: At most this many questions.

    Returns:
        As evaluation.json, with the path of the predictions.

    Raises:
        RunError: No such run or checkpoint, or unusable records.
    """
    from reproductions.shared.evaluation.outcome import (
        SCORE,
        answers,
        identity,
        protocol_of,
        summarise,
    )
    from reproductions.shared.evaluation.strategies import engine_of, strategies
    from reproductions.shared.inference.lazy import LazyGenerator

    found = open_run(folder)
    if processes.count() > 1:
        processes.join(device())
    name = checkpoint or list(found.checkpoints)[-1]
    if name not in found.checkpoints:
        raise RunError(f"{folder}: no checkpoint '{name}'. It has: {', '.join(found.checkpoints)}.")
    preset = found.preset if seed is None else found.preset.model_copy(update={"seed": seed})
    where = folder / "evaluations" / (data.stem if data else f"seed-{preset.seed}")
    if data is not None:
        options = dataclasses.replace(
            found.options, data=data, eval_data=data, video_root=video_root
        )
    else:
        options = found.options
    where.mkdir(parents=True, exist_ok=True)
    samples, name_of_data = held_out(preset, options, where)
    samples = samples[:limit]
    spec = frame_spec(preset, preset.evaluate.frames)
    limit_threads(preset)
    weights = identity(found.checkpoints[name])
    read = clip_reader(spec, own=name_of_data == "synthetic")
    protocol = protocol_of(found.method, preset, samples, spec)
    records = {
        name: answers(
            name, found.checkpoints[name], weights, found.method, preset, samples, where, read,
            device(), protocol,
        )
    }  # fmt: skip
    if found.method.decode is not None:
        shows = preset.decode is not None and preset.decode.examples is not None
        solved = examples_of(load_data(found.preset, options, where)) if shows else []
        asked = {s.id for s in samples}
        before = list(found.checkpoints.values())
        before = before[max(0, before.index(found.checkpoints[name]) - 1) :]
        engine = engine_of(found.checkpoints[name], found.method, preset, read, device())
        records |= strategies(
            name, engine, found.method, preset, samples, SCORE, where,
            f"{protocol.fingerprint()}/{weights}", records[name],
            [s for s in solved if s.id not in asked],
            LazyGenerator(lambda: engine_of(before[0], found.method, preset, read, device())),
        )  # fmt: skip
    return summarise(records) | {
        "predictions": str(where / "predictions" / f"{list(records)[-1]}.jsonl"),
        "data": name_of_data,
    }


def parity_of(folder: Path) -> Any:
    """`evaluation.parity.check` on the last checkpoint of a run.

    Raises:
        RunError: No such run or checkpoint.
    """
    from reproductions.shared.evaluation.parity import check
    from reproductions.shared.models.encode import Encoder
    from reproductions.shared.models.load import load_model, load_processor

    found = open_run(folder)
    preset = found.preset
    limit_threads(preset)
    source = list(found.checkpoints.values())[-1]
    questions, name = held_out(preset, found.options, folder)
    model = load_model(source, preset.model, device=device())
    read = clip_reader(frame_spec(preset), own=name == "synthetic")
    assert found.method.prompt is not None
    encoder = Encoder(load_processor(source), model, read, found.method.prompt)
    samples = [s for s in questions if s.video is not None][:8]
    return check(model, encoder, samples, max_new_tokens=preset.evaluate.max_new_tokens)
