"""Light commands never import what only training needs, and start fast."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vidpost.catalog.loader import find_root
from vidpost.contracts.imports import HEAVY

ROOT = find_root(Path(__file__))

PROBE = """
import json, sys, time
from click.testing import CliRunner
from vidpost.cli.main import main
result = CliRunner().invoke(main, sys.argv[1:])
used = {"code": result.exit_code, "modules": list(sys.modules), "output": result.output}
print(json.dumps(used))
"""


def python(*args: str) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *args], capture_output=True, text=True, cwd=ROOT, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def top_modules(names: list[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def test_import_vidpost_is_light() -> None:
    names = json.loads(python("-c", "import vidpost, sys, json; print(json.dumps([*sys.modules]))"))
    assert not top_modules(names) & (HEAVY | {"pydantic", "yaml", "click", "rich"})


@pytest.mark.parametrize(
    "args",
    [
        ["list", "all"],
        ["show", "video_r1"],
        ["stats"],
        ["export", "readme"],
        ["export", "csv"],
        ["diff", "video_r1"],
        ["schema"],
        ["check"],
        ["run", "--help"],
        ["site", "--help"],
    ],
    ids=" ".join,
)
def test_light_commands_need_no_heavy_package(args: list[str]) -> None:
    found = json.loads(python("-c", PROBE, *args))
    assert found["code"] in (0, 1), found["output"]  # check exits 1 on a finding
    assert not top_modules(found["modules"]) & HEAVY


def test_help_needs_neither_pydantic_nor_yaml() -> None:
    found = json.loads(python("-c", PROBE, "--help"))
    assert found["code"] == 0
    assert "Check catalogue and contracts." in found["output"]
    assert not top_modules(found["modules"]) & (HEAVY | {"pydantic", "yaml", "rich", "jinja2"})


def cpu(*args: str) -> float:
    """CPU seconds (user + system) of `vidpost args`, the least of three runs."""

    def once() -> float:
        before = os.times()
        code = "import sys; sys.argv[0] = 'vidpost'; from vidpost.cli.main import main; main()"
        subprocess.run(
            [sys.executable, "-c", code, *args],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        after = os.times()
        return (after.children_user - before.children_user) + (
            after.children_system - before.children_system
        )

    return min(once() for _ in range(3))


def test_help_is_fast() -> None:
    assert cpu("--help") < 0.3  # 0.06 s on the reference machine, target 0.15


def test_check_is_fast() -> None:
    assert cpu("check") < 1.0  # target 0.5 s
