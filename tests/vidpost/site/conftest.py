"""The small site, built once a session and served on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from small_site import HOSTILE, make_root, served_at, write_card, write_claim, write_entry

os.environ.setdefault("NO_MKDOCS_2_WARNING", "1")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a small site that was generated and built in strict mode."""
    from vidpost.site.build import build

    root = make_root(tmp_path_factory.mktemp("site"))
    write_entry(root, "methods", HOSTILE)
    claim = yaml.safe_load((root / "catalog/methods/video_r1.yaml").read_text())["claims"][0]
    write_card(root, "mini", "miniature", task=", ".join(claim["tasks"]) or "all")
    write_card(root, "other", "miniature", comparisons=[], score=0.597)
    write_card(root, "full", "reproduction", preset="paper", benchmark="video_mme", score=0.571)
    write_claim(root)
    build(root, draft=True)  # a draft: the kept entries point at entries that are not here
    return root


@pytest.fixture(scope="session")
def served(built: Path) -> Iterator[str]:
    """The address of the built site on this machine."""
    with served_at(built / "site") as address:
        yield address
