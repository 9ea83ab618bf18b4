"""Accelerators as published, and what this machine has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

GIB = 1024**3
NODE = 8  # devices a machine; links between machines are slower
NETWORK = 50.0  # GB a second and device between machines (400 Gbit/s a device)


@dataclass(frozen=True)
class Device:
    """A kind of accelerator: published peak of dense bfloat16, memory, bandwidth, link."""

    teraflops: float
    memory_gib: float
    terabytes_a_second: float
    link: float  # GB a second to its neighbours, one direction


DEVICES: dict[str, Device] = {
    "H20": Device(148, 95.6, 4.0, 450),
    "A100-80G": Device(312, 80, 2.04, 300),
    "H100": Device(989, 79.6, 3.35, 450),
    "H200": Device(989, 140.4, 4.8, 450),
}
"""SXM versions, from NVIDIA's data sheets; memory as nvidia-smi reports it."""
CPU_FLOPS, CPU_STEP_SECONDS = 2.5e10, 0.014
"""One thread on the small model, measured (0.5 M parameters: 0.2 s for 32 rows, 14 ms a token)."""


@dataclass(frozen=True)
class Machine:
    """What is here.

    Attributes:
        gpus: (name, memory in GiB) of each GPU.
        ram_gib: Main memory.
        free_disk_gib: Free space where the run would be written.
    """

    gpus: tuple[tuple[str, float], ...]
    ram_gib: float
    free_disk_gib: float


def this_machine(folder: Path | None = None) -> Machine:
    """Look at this machine; asks nvidia-smi, and torch only if somebody has imported it."""
    ram = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    return Machine(_gpus(), ram, shutil.disk_usage(folder or Path.cwd()).free / GIB)


def _gpus() -> tuple[tuple[str, float], ...]:
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
        rows = [line.rsplit(",", 1) for line in answer.stdout.splitlines() if "," in line]
        return tuple((name.strip(), float(mib) / 1024) for name, mib in rows)
    except (OSError, subprocess.SubprocessError, ValueError):
        torch = sys.modules.get("torch")
        if torch is None or not torch.cuda.is_available():
            return ()
        found = (torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count()))
        return tuple((p.name, p.total_memory / GIB) for p in found)
