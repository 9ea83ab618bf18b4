"""What a finished run is asked: its checkpoints, an evaluation on other questions, parity."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reproductions.shared import processes
from reproductions.shared.data import clip_reader, examples_of, held_out, load_data
from reproductions.shared.method import Method, Sample
from reproductions.shared.settings import (
    Options,
    RunError,
    complete,
    device,
    find_method,
    frame_spec,
    limit_threads,
    options_of,
    read_config,
)
from vidpost.catalog.preset import Preset


@dataclass(frozen=True)
class Finished:
    """A run folder opened again: its settings, its method over the baseline, its checkpoints."""

    folder: Path
    preset: Preset
    options: Options
    method: Method
    checkpoints: dict[str, Path]

    def checkpoint(self, name: str | None) -> tuple[str, Path, Path]:
        """(its name, its folder, what its stage started from); None is the last one.

        Raises:
            RunError: There is none of that name.
        """
        names, folders = list(self.checkpoints), list(self.checkpoints.values())
        name = name or names[-1]
        if name not in names:
            raise RunError(f"{self.folder}: no checkpoint '{name}'. It has: {', '.join(names)}.")
        place = names.index(name)
        return name, folders[place], folders[max(0, place - 1)]


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
    preset = Preset.model_validate(config["settings"])
    return Finished(folder, preset, options_of(config, folder), whole, checkpoints)


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
    from reproductions.shared.evaluation.outcome import answers, identity, protocol_of, summarise

    found = open_run(folder)
    if processes.count() > 1:
        processes.join(device())
    name, source, before = found.checkpoint(checkpoint)
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
    read = clip_reader(spec, own=name_of_data == "synthetic")
    examples: list[Sample] = []
    if found.method.decode is not None and preset.decode and preset.decode.examples is not None:
        asked = {s.id for s in samples}
        solved = examples_of(load_data(found.preset, options, where))
        examples = [s for s in solved if s.id not in asked]
    records = answers(
        name, source, identity(source), found.method, preset, samples, where, read, device(),
        protocol_of(found.method, preset, samples, spec), before=before, examples=examples,
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
    _, source, _ = found.checkpoint(None)
    questions, name = held_out(preset, found.options, folder)
    model = load_model(source, preset.model, device=device())
    read = clip_reader(frame_spec(preset), own=name == "synthetic")
    assert found.method.prompt is not None
    encoder = Encoder(load_processor(source), model, read, found.method.prompt)
    samples = [s for s in questions if s.video is not None][:8]
    return check(model, encoder, samples, max_new_tokens=preset.evaluate.max_new_tokens)
