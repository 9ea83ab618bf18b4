"""Fixtures of the engine's tests; built once a session (once a worker under pytest-xdist)."""

from __future__ import annotations

import pytest
from engine_fixtures import FAMILIES, build_engine


@pytest.fixture(scope="session")
def engine_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("engine")


@pytest.fixture(scope="session")
def clips(engine_folder):
    """Twelve questions on real mp4 files, in turn short and long ones."""
    from reproductions.shared.synthetic.dataset import build

    return build(engine_folder / "clips", ["counting", "order"], 12, 0, "train")


@pytest.fixture(scope="session")
def qwen(engine_folder, clips):
    """The default family."""
    pytest.importorskip("torch")
    return build_engine("qwen2_5_vl", engine_folder, clips)


@pytest.fixture(scope="session", params=FAMILIES)
def engine(request, engine_folder, clips):
    """Each family in turn."""
    pytest.importorskip("torch")
    return build_engine(request.param, engine_folder, clips)
