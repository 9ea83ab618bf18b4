"""A finished run folder without training: a checkpoint, and settings whose clips are small."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml


def write_run(folder: Path, checkpoint: Path, method: str = "decode", **overrides: object) -> Path:
    """Write a run of a test-time method around a checkpoint.

    Args:
        folder: The run folder.
        checkpoint: Copied to the run's last stage.
        method: Id.
        **overrides: Keys of the preset, with "__" for ".".
    """
    from reproductions.shared.run import Options, find_method, settings_of

    keys = {
        "evaluate.max_new_tokens": 6,
        "synthetic.train": 6,
        "synthetic.validation": 2,
        "synthetic.test": 6,
        **{k.replace("__", "."): v for k, v in overrides.items()},
    }
    preset = settings_of(find_method(method), Options(preset="mini", overrides=keys))
    config = {
        "method": method,
        "preset_name": "mini",
        "overrides": keys,
        "smoke": False,
        "data": None,
        "eval_data": None,
        "video_root": None,
        "command": f"vidpost run {method}",
        "settings": preset.model_dump(mode="json"),
    }
    final = folder / "stages" / "sft" / "final"
    final.parent.mkdir(parents=True)
    shutil.copytree(checkpoint, final)
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder
