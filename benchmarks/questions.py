"""Evaluation: three questions a video, the video encoded once or once a question.

Clips are real mp4 files of noise. *ours* asks all questions about a video together; *apart* asks as
many questions about as many videos of the same size, so that nothing can be shared: what a harness
does that takes one question after the other. The first also shares the prompt up to the question.
A third measurement asks again what the answer cache already knows.

CPU seconds of the process, decoding included; `python -m benchmarks.questions --engine vllm` is run
in the environment of `make test-vllm`, where it exists.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np

from benchmarks import workload
from reproductions.shared.inference.engine import Request, Sampling
from reproductions.shared.video.spec import FrameSpec

ROOT = Path(__file__).resolve().parents[1]
VLLM = ROOT / ".venv-vllm" / "bin" / "python"
FRAMES, SIDE, VIDEOS, EACH, TOKENS, ROUNDS = 32, 224, 4, 3, 16, 3
ASK = Sampling(max_new_tokens=TOKENS)
HEADER = {
    "engine": "engine",
    "work": "work",
    "apart": "apart, questions a s",
    "ours": "ours, questions a s",
    "ratio": "ours / apart",
    "cached_ms": "from the answer cache, ms a question",
}
"""Key of a record -> heading of its column."""


def spec() -> FrameSpec:
    """All frames of a clip at full size."""
    return FrameSpec(sampling="uniform", num_frames=FRAMES, height=SIDE, width=SIDE, size_factor=28)


def film(path: Path, seed: int) -> str:
    """An mp4 file of noise, one second a frame; returns its path."""
    import av

    pixels = np.random.default_rng(seed)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=1, options={"preset": "ultrafast", "qp": "30"})
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        for _ in range(FRAMES):
            frame = pixels.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        file.mux(stream.encode())
    return str(path)


def questions(videos: list[str]) -> list[Request]:
    """`EACH` questions for each of `VIDEOS` videos, or one for each of as many videos."""
    n = VIDEOS * EACH
    return [
        Request(workload.question(videos[i * len(videos) // n], str(i), f"What happens? {i}"))
        for i in range(n)
    ]


def engine(name: str, checkpoint: Path) -> Any:
    """A generator on the workload's model, with a reader that remembers nothing yet."""
    from reproductions.shared.data import clip_reader
    from reproductions.shared.models.load import load_processor

    read = clip_reader(spec(), own=True)
    if name == "vllm":
        from reproductions.shared.inference.turns import reading
        from reproductions.shared.inference.vllm import VLLMGenerator

        words = reading(read, lambda s: s.question, load_processor(checkpoint))
        return VLLMGenerator(checkpoint, words, dtype="float32", max_length=2048, rows=16)
    from reproductions.shared.inference.hf import HFGenerator
    from reproductions.shared.models.encode import Encoder

    model = workload.load(checkpoint)
    encode = Encoder(load_processor(checkpoint), model, read, lambda s: s.question)
    return HFGenerator(model, encode, rows=VIDEOS * EACH)


def asked(generator: Any, requests: list[Request]) -> float:
    """CPU seconds of answering; all answers have the same length."""
    begin = time.process_time()
    answers = generator.generate(requests, ASK)
    seconds = time.process_time() - begin
    assert all(len(a[0].ids) == TOKENS for a in answers), "an answer ended early"
    return seconds


def one_engine(name: str) -> dict[str, Any]:
    """The record of an engine."""
    from reproductions.shared.inference.answers import CachedGenerator

    with tempfile.TemporaryDirectory() as folder:
        os.environ["VIDPOST_CACHE"] = folder
        checkpoint = workload.prepare(Path(folder))
        generator = engine(name, checkpoint)
        # Random weights may end an answer at once: the end of sequence is struck out.
        tokenizer = generator.encoder.tokenizer
        forbidden = [*generator.encoder.forbidden_ids(), tokenizer.eos_token_id]
        generator.encoder.forbidden_ids = lambda: forbidden
        numbers = itertools.count()

        def films(n: int) -> list[str]:
            return [film(Path(folder) / f"{i}.mp4", i) for i in itertools.islice(numbers, n)]

        asked(generator, questions(films(VIDEOS)))  # warm
        seconds: dict[str, list[float]] = {"ours": [], "apart": [], "cached": []}
        for _ in range(ROUNDS):  # new videos each time: nothing is remembered
            for way, videos in (("apart", films(VIDEOS * EACH)), ("ours", films(VIDEOS))):
                seconds[way].append(asked(generator, questions(videos)))
            again = questions(videos)
            known = CachedGenerator(generator, folder, model=name, protocol="bench", spec=spec())
            known.generate(again, ASK)
            known = CachedGenerator(generator, folder, model=name, protocol="bench", spec=spec())
            seconds["cached"].append(asked(known, again))
        if name == "vllm":
            generator.close()
    n = VIDEOS * EACH
    took = {way: median(s) for way, s in seconds.items()}
    return {
        "engine": name,
        "work": f"{VIDEOS} videos of {FRAMES} frames {SIDE} px, {EACH} questions each",
        "apart": round(n / took["apart"], 2),
        "ours": round(n / took["ours"], 2),
        "ratio": round(took["apart"] / took["ours"], 2),
        "cached_ms": round(1000 * took["cached"] / n, 2),
    }


def measure(full: bool = False) -> list[dict[str, Any]]:
    """One record an engine; `full` makes no difference. vLLM's only where it is installed."""
    records = []
    for name, python in (("hf", Path(sys.executable)), ("vllm", VLLM)):
        if not python.exists():
            print("questions: no .venv-vllm (make test-vllm); vLLM left out", file=sys.stderr)
            continue
        with tempfile.NamedTemporaryFile(suffix=".json") as out:  # vLLM writes to stdout
            command = [str(python), "-m", "benchmarks.questions", "--engine", name]
            done = subprocess.run(
                [*command, "--out", out.name], cwd=ROOT, stdout=subprocess.DEVNULL
            )
            if done.returncode:
                raise RuntimeError(f"benchmarks/questions.py ended with code {done.returncode}.")
            records.append(json.loads(Path(out.name).read_text(encoding="utf-8")))
        print(f"questions: {name} done", file=sys.stderr)
    return records


@click.command()
@click.option("--engine", "name", type=click.Choice(["hf", "vllm"]), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
def main(name: str, out: Path) -> None:
    """Measure one engine and write its record."""
    out.write_text(json.dumps(one_engine(name)), encoding="utf-8")


if __name__ == "__main__":
    main()
