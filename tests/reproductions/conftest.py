"""Fixtures of the engine's tests; built once a session (once a worker under pytest-xdist)."""

from __future__ import annotations

import gc

import pytest
from engine_fixtures import FAMILIES, build_engine
from small_run import write_run


@pytest.fixture(scope="session")
def engine_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("engine")


@pytest.fixture(scope="session")
def clips(engine_folder):
    """Twelve questions on real mp4 files, in turn short and long ones."""
    from reproductions.shared.synthetic.dataset import build

    return build(engine_folder / "clips", ["counting", "order"], 12, 0, "train")


@pytest.fixture(scope="session")
def frozen_heap():
    """Trainers collect garbage at every start and end. The objects of the libraries, which make
    that half a second each time, are set aside once they are imported."""
    pytest.importorskip("torch")
    import reproductions.shared.training.stage  # noqa: F401

    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def qwen(engine_folder, clips, frozen_heap):
    """The default family."""
    return build_engine("qwen2_5_vl", engine_folder, clips)


@pytest.fixture(scope="session", params=FAMILIES)
def engine(request, engine_folder, clips, frozen_heap):
    """Each family in turn."""
    return build_engine(request.param, engine_folder, clips)


@pytest.fixture(scope="module")
def small(qwen, tmp_path_factory):
    """A finished run; it and its cache belong to one test file."""
    folder = tmp_path_factory.mktemp("small")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDPOST_CACHE", str(folder / "cache"))
        yield write_run(folder / "run", qwen.checkpoint)
