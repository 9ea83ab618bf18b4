"""The commands say the same with `--engine vllm` as with `--engine hf`: texts and costs."""

from __future__ import annotations

import json
import shutil

import pytest

pytest.importorskip("vllm")

from both_engines import SMALL
from small_run import vidpost, write_run

from reproductions.shared import source
from reproductions.shared.inference.vllm import VLLMGenerator
from reproductions.shared.models.load import load_processor

ENGINES = ("hf", "vllm")


@pytest.fixture(scope="module")
def run(checkpoints, folder):
    """A run around the first family's checkpoint."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDPOST_CACHE", str(folder / "cache"))
        yield write_run(
            folder / "run", checkpoints["qwen2_5_vl"].checkpoint, synthetic__tasks=["counting"]
        )


@pytest.fixture(scope="module")
def shared(run):
    """One engine for all commands, which close it and open it again."""
    from reproductions.shared.inference.turns import reading

    weights = run / "stages" / "sft" / "final"
    nothing = reading(str, str, load_processor(weights))
    engine = VLLMGenerator(weights, nothing, dtype="float32", **SMALL)
    yield engine
    engine.close()


@pytest.fixture(autouse=True)
def _opened(shared, run, monkeypatch):
    class Opened:
        def __init__(self, weights, encoder, *, dtype, revision, progress):
            assert source.weights_sha256(weights) == source.weights_sha256(
                run / "stages" / "sft" / "final"
            )
            assert (dtype, revision) == ("float32", None)
            shared.encoder, shared.progress = encoder, progress
            self.generate, self.each = shared.generate, shared.each

    monkeypatch.setattr(source, "VLLMGenerator", Opened)


def without_seconds(value):
    """The same, without what no two runs share; scores to four digits."""
    if isinstance(value, dict):
        left_out = ("seconds", "engine", "folder", "card", "title", "file", "rejected")
        return {k: without_seconds(v) for k, v in value.items() if k not in left_out}
    if isinstance(value, list):
        return [without_seconds(v) for v in value]
    return round(value, 4) if isinstance(value, float) else value


def said(*command):
    """What a command prints as JSON with each engine."""
    found = []
    for engine in ENGINES:
        full = [str(x).replace("ENGINE", engine) for x in command]
        result = vidpost(*full, "--engine", engine, "--json")
        assert result.exit_code == 0, result.output
        found.append(json.loads(result.stdout))
    return found


@pytest.mark.parametrize("options", [(), ("red", "blue")])
@pytest.mark.parametrize("method", ["decode", "tcot", "cyberv"])
def test_ask(run, clips, options, method):
    """Clips of two lengths, with and without options, by one look and by several."""
    for clip in clips[:2]:
        asked = ["ask", clip.video, clip.question, "--model", run, "--method", method]
        hf, vllm = said(*asked, *(x for o in options for x in ("--options", o)))
        assert (hf["engine"], vllm["engine"]) == ENGINES
        assert without_seconds(hf) == without_seconds(vllm)
        assert vllm["text"] and not vllm["failure"]


def test_eval_on_its_own_questions_and_on_a_benchmark(run, clips, tmp_path):
    root = tmp_path / "data" / "charades_sta"
    root.mkdir(parents=True)
    for i in range(2):
        shutil.copy(clips[i].video, root / f"c{i}.mp4")
    lines = "c0 1.0 3.0##a person sits.\nc1 0.0 2.0##a door opens.\nc0 0.0 1.0##a dog runs.\n"
    (root / "charades_sta_test.txt").write_text(lines)
    command = ["eval", run, "--benchmark", "charades_sta", "--data-root", root.parent]
    more = ["--frames", 4, "--method", "tcot", "--out", tmp_path / "ENGINE"]
    (hf,), (vllm,) = said(*command, *more)
    assert without_seconds(hf) == without_seconds(vllm) and vllm["counts"]["asked"] == 3
    one, two = (
        [without_seconds(json.loads(line)) for line in path.read_text().splitlines()]
        for path in (tmp_path / e / "charades_sta" / "predictions.jsonl" for e in ENGINES)
    )
    assert one == two and len(one) == 3
    card = (tmp_path / "vllm" / "charades_sta" / "card.yaml").read_text()
    assert "through vllm" in card


def test_curve(run, tmp_path):
    command = ["tts", "curve", "--run", run, "--methods", "tcot", "--budgets", "2,4"]
    hf, vllm = said(*command, "--limit", 3, "--out", tmp_path / "ENGINE")
    # Votes are drawn, by each engine from streams of its own.
    points = [[p for p in c["points"] if p["method"] == "tcot"] for c in (hf, vllm)]
    assert without_seconds(points[0]) == without_seconds(points[1]) and len(points[0]) == 2
    votes = [p for p in vllm["points"] if p["method"] != "tcot"]
    assert votes and all(p["n"] == 3 and p["failed"] == 0 for p in vllm["points"])
    assert (tmp_path / "vllm" / "curve.svg").exists()


def test_cot(run, tmp_path):
    command = ["cot", "--run", run, "--draft", "given", "--keep-draft", "--own-prompt"]
    more = ["--candidates", 2, "--limit", 4, "--words", "1,800", "--temperature", 0]
    hf, vllm = said(*command, *more, "--out", tmp_path / "ENGINE" / "cot.jsonl")
    assert without_seconds(hf) == without_seconds(vllm) and vllm["samples"] == 4
    for name in ("cot.jsonl", "cot.rejected.jsonl"):
        one, two = (tmp_path / e / name for e in ENGINES)
        assert one.read_text() == two.read_text()
