"""What the light commands cost: CPU seconds of the whole process, start of Python included."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
HEADER = {"command": "command", "seconds": "CPU s", "target": "target", "runs": "runs"}
"""Key of a record -> heading of its column."""
VIDPOST = [sys.executable, "-m", "vidpost.cli.main"]
COMMANDS: tuple[tuple[str, list[str], float | None], ...] = (
    ("python -c pass", [sys.executable, "-c", "pass"], None),
    ("vidpost --help", [*VIDPOST, "--help"], 0.15),
    ("vidpost show video_r1", [*VIDPOST, "show", "video_r1"], None),
    ("vidpost list methods", [*VIDPOST, "list", "methods"], None),
    ("vidpost check (warm)", [*VIDPOST, "check"], 0.5),
    ("vidpost check (cold)", [*VIDPOST, "check", "--no-cache"], None),
)
"""Name, command line, target in CPU seconds if the project has set itself one."""
RUNS = 7


def cpu_seconds(command: list[str]) -> float:
    """User and system time of one process and its children.

    Raises:
        RuntimeError: The command ended with a code other than 0 and 1 (`check` found errors).
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100"}
    done = subprocess.run(command, capture_output=True, cwd=ROOT, env=environment)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.decode()[-500:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(full: bool = False) -> list[dict[str, Any]]:
    """One record a command, medians, the commands in turn; `full` makes no difference."""
    for _, command, _ in COMMANDS:  # write byte code and the catalogue's cache
        cpu_seconds(command)
    seconds: dict[str, list[float]] = {name: [] for name, _, _ in COMMANDS}
    for _ in range(RUNS):
        for name, command, _ in COMMANDS:
            seconds[name].append(cpu_seconds(command))
    return [
        {
            "command": f"`{name}`",
            "seconds": round(median(seconds[name]), 3),
            "target": target,
            "runs": RUNS,
        }
        for name, _, target in COMMANDS
    ]
