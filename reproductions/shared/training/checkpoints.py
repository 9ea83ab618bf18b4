"""What a stage leaves on the disk: checkpoints that are whole, and logs that end where they do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from reproductions.shared import processes
from reproductions.shared.files import write_text
from reproductions.shared.models.load import load_model
from vidpost.catalog.preset import Preset

COMPLETE = "complete"
"""Name of the file that says that a checkpoint was written to its end, and by how many processes.
"""


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint of a stage; unfinished ones are removed."""
    found: dict[int, Path] = {}
    for path in folder.glob("checkpoint-*"):
        if (path / COMPLETE).exists():
            found[int(path.name.rsplit("-", 1)[1])] = path
        else:
            shutil.rmtree(path)
    return found[max(found)] if found else None


def restore(model: Any, checkpoint: Path, preset: Preset) -> None:
    """Load the weights of a checkpoint; transformers' trainer, which should, does not.

    It looks for other names than `save_pretrained` writes, finds none of them and goes on with the
    first weights, without a word. Of adapters it loads the reference's alone where there is one.
    """
    if preset.model.lora is not None:
        model.load_adapter(checkpoint, "default", is_trainable=True)
    else:
        model.load_state_dict(load_model(checkpoint, preset.model, float32=True).state_dict())


def save_final(
    trainer: Any, preset: Preset, processor: Any, start: str | Path, final: Path
) -> None:
    """Write the trained checkpoint; adapters are merged, so the result loads like any model."""
    part = final.with_name(".final.partial")
    model = trainer.accelerator.unwrap_model(trainer.model)
    state = None
    if preset.hardware.distributed != "none":  # each process holds a part of the weights
        state = trainer.accelerator.get_state_dict(trainer.model_wrapped)
        if preset.model.lora is not None and not processes.rank():
            model = load_model(start, preset.model, train=True)
            model.load_state_dict(state)
            state = None
    if not processes.rank():
        shutil.rmtree(part, ignore_errors=True)
        if hasattr(model, "merge_and_unload"):
            model = model.merge_and_unload()
        model.save_pretrained(part, state_dict=state)
        processor.save_pretrained(part)
        part.rename(final)
    processes.wait()


def forget_after(path: Path, stage: str, step: int) -> None:
    """Drop a log's records of `stage` after `step`: a resumed stage writes them again."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        record = json.loads(line)
        if record.get("stage") != stage or record.get("step", 0) <= step:
            kept.append(line)
    write_text(path, "".join(kept))


def append(path: Path, records: list[dict[str, Any]]) -> None:
    """Add records to a JSON lines file."""
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(r) + "\n" for r in records)
