"""Reading a method.py without running it."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidpost.catalog.diagnostics import CatalogError
from vidpost.catalog.loader import find_root
from vidpost.catalog.module import (
    BASELINE_DOES,
    baseline_does,
    known_hooks,
    read_hooks,
    read_module,
)

ROOT = find_root(Path(__file__))
TEXT = '''"""A pays for order.

It goes on here.

Paper: X, arXiv 2503.21776.
Delta: rewards pay more;
    and more.
"""

raise SystemExit("never run")

def frames(sample):
    """Looks twice.

    And thinks."""

def pay(x):
    pass

METHOD: Method = Method(
    id="a", baseline="grpo", loss=None, wobble=3, rewards=(pay, other(2)), frames=frames
)
'''


def read(folder: Path, text: str):  # type: ignore[no-untyped-def]
    (folder / "m.py").write_text(text)
    return read_module(folder, folder / "m.py")


def test_what_a_module_says(tmp_path: Path) -> None:
    found = read(tmp_path, TEXT)
    assert (found.path, found.id, found.baseline, found.line) == ("m.py", "a", "grpo", 20)
    assert found.headline == "A pays for order."
    assert found.facts == {
        "Paper": "X, arXiv 2503.21776.",
        "Delta": "rewards pay more; and more.",
    }
    # In the order in which they act; None counts as unset; unknown names are named, not described.
    assert [(h.name, h.does, h.lines) for h in found.hooks] == [
        ("frames", ("Looks twice",), (12, 15)),
        ("rewards", ("pay", "other(2)"), (17, 18)),
    ]
    assert found.named == ("wobble", "rewards", "frames")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("METHOD = (", 1, "not Python"),
        ("x = 1\n\ndef", 3, "not Python"),
        ("\0", 1, "not Python"),
        ("x = 1", 1, "no METHOD = Method"),
        ("x = 1\nMETHOD = Method(*x)", 2, "with plain keywords"),
        ("METHOD = Method(**x)", 1, "with plain keywords"),
        ("METHOD = 3", 1, "with plain keywords"),
    ],
)
def test_what_is_no_module(tmp_path: Path, text: str, line: int, message: str) -> None:
    with pytest.raises(CatalogError, match=f"m.py:{line}:1: error.no-method.*{message}"):
        read(tmp_path, text)
    assert read_module(tmp_path, tmp_path / "none.py") is None


def test_hooks_are_those_of_the_method_contract() -> None:
    from reproductions.shared.method import HOOKS, Method  # standard library only

    assert known_hooks(ROOT) == HOOKS
    fields = [name for name, _, _ in read_hooks(ROOT)]
    assert fields == list(Method.__dataclass_fields__)
    assert all(meaning for _, _, meaning in read_hooks(ROOT))
    assert set(BASELINE_DOES) == {*HOOKS, "trainer"}


def test_the_baseline_of_a_preference_method_is_dpo() -> None:
    assert baseline_does("loss", "dpo").startswith("DPO")
    assert baseline_does("loss", "grpo") == baseline_does("loss") == BASELINE_DOES["loss"]
    assert "cross-entropy" in baseline_does("loss", "sft")
