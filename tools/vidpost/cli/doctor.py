"""What `vidpost doctor` looks at: packages, tools and resources. Imports nothing heavy."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
        what: What.
        ok: Whether it is as needed.
        found: What was found.
        remedy: What to do if it is not.
    """

    what: str
    ok: bool
    found: str
    remedy: str = ""


NEEDED = {
    "torch": "train",
    "transformers": "train",
    "trl": "train",
    "accelerate": "train",
    "datasets": "train",
    "av": "train",
    "torchvision": "train",
}
OPTIONAL = ("peft", "vllm", "deepspeed", "torchcodec", "mkdocs-material")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def findings() -> list[Finding]:
    """Everything, in reading order."""
    found = [
        Finding(
            "Python",
            sys.version_info >= (3, 11),
            platform.python_version(),
            "Use Python 3.11 or newer.",
        )
    ]
    for name, extra in NEEDED.items():
        have = _version(name)
        found.append(
            Finding(name, have is not None, have or "missing", f'pip install "vidpost[{extra}]"')
        )
    for name in OPTIONAL:
        found.append(Finding(f"{name} (optional)", True, _version(name) or "not installed"))
    trl = _version("trl") or ""
    if trl:
        inside = trl.startswith("1.16.")
        found.append(
            Finding(
                "TRL in the pinned range",
                inside,
                trl,
                'pip install "trl>=1.16,<1.17": the trainer overrides private methods.',
            )
        )
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    found.append(
        Finding("free disk", free > 2, f"{free:.0f} GiB", "A run needs about 1 GiB; free some.")
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found.append(Finding("CPU cores", True, str(cores)))
    threads = os.environ.get("OMP_NUM_THREADS", "unset (vidpost uses 1)")
    found.append(Finding("OMP_NUM_THREADS", True, threads))
    gpu = shutil.which("nvidia-smi")
    found.append(Finding("GPU", True, "nvidia-smi found" if gpu else "none; mini needs none"))
    return found
