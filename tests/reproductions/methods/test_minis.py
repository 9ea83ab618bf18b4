"""Every mini preset runs from clips to report; every stage moves every trainable weight."""

import json
import math
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402

from reproductions.shared.evaluation.cards import read_card  # noqa: E402
from reproductions.shared.run import run  # noqa: E402
from reproductions.shared.settings import (  # noqa: E402
    ROOT,
    SMOKE,
    Options,
    cache_folder,
    find_method,
    settings_of,
)

IDS = sorted(p.parent.name for p in (ROOT / "reproductions").glob("*/*/mini.yaml"))


@pytest.fixture(scope="module", autouse=True)
def one_cache(tmp_path_factory):
    """Methods that ask for the same clips and the same small model share them."""
    patch = pytest.MonkeyPatch()
    patch.setenv("VIDPOST_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


def weights(folder):
    return load_file(Path(folder) / "model.safetensors")


@pytest.mark.train
@pytest.mark.slow
@pytest.mark.parametrize("name", IDS)
def test_a_mini_preset_runs(name, tmp_path):
    method = find_method(name)
    options = Options(smoke=True, out=tmp_path / "run")
    stages = settings_of(method, options).stages
    folder = run(method, options)
    card = read_card(folder / "card.yaml")
    assert card.method == name
    assert card.overrides["synthetic.train"] == SMOKE["train"]  # nobody takes it for a mini
    assert (folder / "report.html").stat().st_size > 10_000
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    losses = [record["loss"] for record in log if "loss" in record]
    assert losses and all(loss is not None and math.isfinite(loss) for loss in losses)
    finals = [folder / "stages" / stage / "final" for stage in stages]
    before = _start(finals[0])
    for stage, final in zip(stages, finals, strict=True):
        after = weights(final)
        frozen = "visual." if settings_of(method, options).model.freeze_vision else "nothing"
        still = [k for k, t in after.items() if frozen not in k and torch.equal(t, before[k])]
        assert not still, f"unchanged by stage {stage}: {still}"
        before = after


def _start(final):
    """Weights of the small model that a stage started from: vocabulary, sizes and seed say all."""
    tokenizer, sizes = (final / "tokenizer.json").read_bytes(), _sizes(weights(final))
    models = (cache_folder() / "models").iterdir()
    alike = [weights(m) for m in models if (m / "tokenizer.json").read_bytes() == tokenizer]
    return next(start for start in alike if _sizes(start) == sizes)


def _sizes(tensors):
    return {name: tensor.shape for name, tensor in tensors.items()}
