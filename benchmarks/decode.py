"""How long it takes to get 32 frames out of a 60 s 720p H.264 clip, by reader.

    python benchmarks/decode.py [--json] [--seconds 60] [--repeats 3] [--threads 1]

All readers run in one process, turn by turn, and the table shows medians and their ratio to ours,
so that the machine's speed cancels out. Readers that are not installed are left out and named.
Every reader takes the same frames in full size; one row shows what resizing in the decoder saves.
"""

from __future__ import annotations

import importlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import click
import numpy as np

from reproductions.shared.video.decode import read_frames
from reproductions.shared.video.quarantine import safe_read
from reproductions.shared.video.spec import FrameSpec

FRAMES = 32
FPS = 30
HEIGHT, WIDTH = 720, 1280
FULL_SIZE = FrameSpec(num_frames=FRAMES, size_factor=1, max_pixels=None)
RESIZED = FrameSpec(num_frames=FRAMES, max_pixels=128 * 28 * 28)

Reader = Callable[[str, list[int], int], Any]


def generate(path: Path, gop: int, seconds: int) -> None:
    """Write a clip with camera-like motion: a drifting texture, a moving object, some noise."""
    rng = np.random.default_rng(0)
    size = (HEIGHT * 2, WIDTH * 2)
    texture = np.kron(rng.integers(0, 255, (size[0] // 16, size[1] // 16)), np.ones((16, 16)))
    noise = rng.integers(-6, 7, (8, HEIGHT, WIDTH))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, width=WIDTH, height=HEIGHT)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, FPS)
        stream.options = {
            "preset": "veryfast",
            "crf": "23",
            "x264-params": f"keyint={gop}:min-keyint={gop}:scenecut=0:bframes=3",
        }
        for i in range(seconds * FPS):
            y = int(HEIGHT / 2 + HEIGHT / 2 * np.sin(i / 190))
            x = int(WIDTH / 2 + WIDTH / 2 * np.cos(i / 230))
            luma = texture[y : y + HEIGHT, x : x + WIDTH] + noise[i % 8]
            luma[200:400, (i * 7) % 1000 : (i * 7) % 1000 + 200] = 250
            gray = np.clip(luma, 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(gray, format="gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = i, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def ours(path: str, indices: list[int], threads: int) -> Any:
    """`read_frames`."""
    return read_frames(path, FULL_SIZE, threads).frames


def ours_worker(path: str, indices: list[int], threads: int) -> Any:
    """`safe_read`: the same in the worker process."""
    return safe_read(path, FULL_SIZE).frames  # type: ignore[union-attr]


def ours_resized(path: str, indices: list[int], threads: int) -> Any:
    """`read_frames` with a pixel budget."""
    return read_frames(path, RESIZED, threads).frames


def pyav_sequential(path: str, indices: list[int], threads: int) -> Any:
    """Decode everything, keep what is wanted."""
    wanted = set(indices)
    with av.open(path) as container:
        container.streams.video[0].thread_count = threads
        return np.stack(
            [
                frame.to_ndarray(format="rgb24")
                for i, frame in enumerate(container.decode(video=0))
                if i in wanted
            ]
        )


def pyav_seek(path: str, indices: list[int], threads: int) -> Any:
    """Seek to each frame."""
    found = []
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.thread_count = threads
        for i in indices:
            pts = round(i / FPS / stream.time_base)  # type: ignore[operator]
            container.seek(pts, stream=stream)
            for frame in container.decode(stream):
                if frame.pts is not None and frame.pts >= pts:
                    found.append(frame.to_ndarray(format="rgb24"))
                    break
    return np.stack(found)


def decord(path: str, indices: list[int], threads: int) -> Any:
    """Decord."""
    library = importlib.import_module("decord")
    return library.VideoReader(path, num_threads=threads).get_batch(indices).asnumpy()


def torchcodec(path: str, indices: list[int], threads: int) -> Any:
    """Torchcodec, exact mode."""
    library = importlib.import_module("torchcodec.decoders")
    decoder = library.VideoDecoder(path, num_ffmpeg_threads=threads, seek_mode="exact")
    return decoder.get_frames_at(indices=indices).data.permute(0, 2, 3, 1).numpy()


def opencv(path: str, indices: list[int], threads: int) -> Any:
    """Opencv, grabbing every frame and converting the wanted ones."""
    library = importlib.import_module("cv2")
    library.setNumThreads(threads)
    capture = library.VideoCapture(path)
    wanted, found = set(indices), []
    for i in range(indices[-1] + 1):
        capture.grab()
        if i in wanted:
            found.append(capture.retrieve()[1][:, :, ::-1])
    return np.stack(found)


READERS: dict[str, Reader] = {
    "ours": ours,
    "ours, worker process": ours_worker,
    "ours, resized to 128 tokens": ours_resized,
    "PyAV sequential": pyav_sequential,
    "PyAV seek per frame": pyav_seek,
    "decord": decord,
    "torchcodec exact": torchcodec,
    "OpenCV grab": opencv,
}


def measure(path: str, indices: list[int], repeats: int, threads: int) -> dict[str, float | str]:
    """Median seconds of each reader, or why it did not run."""
    seconds: dict[str, list[float]] = {name: [] for name in READERS}
    results: dict[str, float | str] = {}
    for _ in range(repeats):
        for name, reader in READERS.items():
            if name in results:
                continue
            begin = time.perf_counter()
            try:
                frames = reader(path, indices, threads)
            except (ImportError, OSError, RuntimeError) as error:
                results[name] = f"not run: {type(error).__name__}: {str(error).splitlines()[0]}"
                continue
            seconds[name].append(time.perf_counter() - begin)
            assert len(frames) == len(indices), name
    return {name: results.get(name) or statistics.median(seconds[name]) for name in READERS}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of Markdown.")
@click.option("--seconds", default=60, show_default=True, help="Length of the clip.")
@click.option("--repeats", default=3, show_default=True, help="Runs of each reader.")
@click.option("--threads", default=1, show_default=True, help="Decoder threads.")
def main(as_json: bool, seconds: int, repeats: int, threads: int) -> None:
    """Compare readers on generated clips with a key frame each 30 and each 250 frames."""
    record: dict[str, Any] = {"seconds": seconds, "frames": FRAMES, "threads": threads}
    total = seconds * FPS
    indices = [i * (total - 1) // (FRAMES - 1) for i in range(FRAMES)]
    with tempfile.TemporaryDirectory() as folder:
        for gop in (30, 250):
            print(f"gop {gop}: encoding and reading ...", file=sys.stderr)
            path = Path(folder) / f"{gop}.mp4"
            generate(path, gop, seconds)
            record[f"gop_{gop}"] = measure(str(path), indices, repeats, threads)
    if as_json:
        print(json.dumps(record, indent=2))
        return
    print(f"{FRAMES} frames of a {seconds} s {WIDTH}x{HEIGHT} clip, {threads} decoder thread(s)\n")
    print("| reader | key frame each 30 | ratio | each 250 | ratio |\n|---|---|---|---|---|")
    skipped = []
    for name in READERS:
        cells = [name]
        for gop in (30, 250):
            value, base = record[f"gop_{gop}"][name], record[f"gop_{gop}"]["ours"]
            if isinstance(value, str):
                skipped.append(f"{name} ({value})")
                break
            cells += [f"{value:.2f} s", f"{value / base:.2f}"]
        else:
            print(f"| {' | '.join(cells)} |")
    if skipped:
        print(f"\n{'; '.join(skipped)}")


if __name__ == "__main__":
    main()
