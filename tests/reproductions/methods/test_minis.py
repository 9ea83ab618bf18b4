"""Every mini preset runs from clips to report, two steps a stage."""

import json
import math
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402

from reproductions.shared import run as engine  # noqa: E402
from reproductions.shared.evaluation.cards import read_card  # noqa: E402

IDS = sorted(p.parent.name for p in (engine.ROOT / "reproductions").glob("*/*/mini.yaml"))
NO_PAIR = ("dpo", "tpo", "veripo")
"""Two steps of cold start leave a model whose answers all score the same: nothing to prefer."""


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
    method = engine.find_method(name)
    options = engine.Options(smoke=True, out=tmp_path / "run")
    if name in NO_PAIR:
        with pytest.raises(engine.RunError, match="no pair to prefer"):
            engine.run(method, options)
    else:
        folder = engine.run(method, options)
        assert read_card(folder / "card.yaml").method == name
        assert (folder / "report.html").stat().st_size > 10_000
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    losses = [record["loss"] for record in log if "loss" in record]
    assert losses and all(loss is not None and math.isfinite(loss) for loss in losses)
    # The cold start moves every weight. (Two steps of RL on answers that are all wrong need not.)
    preset = engine.settings_of(method, options)
    first = next(n for n, s in preset.stages.items() if s.kind == "sft")
    final = tmp_path / "run" / "stages" / first / "final"
    after = weights(final)
    base = weights(next((engine.cache_folder() / "models").glob(f"*-{_key(final)}")))
    frozen = "visual." if preset.model.freeze_vision else "nothing"
    still = [k for k, t in after.items() if frozen not in k and torch.equal(t, base[k])]
    assert not still, f"unchanged after two steps of {first}: {still}"


def _key(final):
    """The small model that a stage started from, by its vocabulary and seed: there is one a run."""
    tokenizer = (final / "tokenizer.json").read_bytes()
    models = engine.cache_folder() / "models"
    (match,) = [m for m in models.iterdir() if (m / "tokenizer.json").read_bytes() == tokenizer]
    return match.name.rsplit("-", 1)[1]
