import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from video_fixtures import make

from reproductions.shared.video.decode import Clip, read_frames
from reproductions.shared.video.quarantine import (
    Quarantine,
    Quarantined,
    Worker,
    safe_probe,
    safe_read,
)
from reproductions.shared.video.spec import FrameSpec, FrameSpecError, VideoInfo

SPEC = FrameSpec(num_frames=8)
EVERY = FrameSpec(num_frames=120)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("quarantine")


@pytest.fixture(scope="module")
def video(folder):
    return make(folder / "good.mp4")


@pytest.fixture(scope="module")
def heavy(folder):
    """A file that takes over a second to decode."""
    return make(
        folder / "heavy.mp4", 120, width=1920, height=1080, gop=250,
        options={"preset": "ultrafast", "crf": "30"},
    )  # fmt: skip


@pytest.fixture
def worker():
    worker = Worker()
    yield worker
    worker.stop()


def read(path, worker, spec=SPEC, timeout=30.0):
    return safe_read(path, spec, timeout, worker)


def test_the_worker_gives_the_same_clip(video, worker):
    direct, safe = read_frames(video, SPEC), read(video, worker)
    assert isinstance(safe, Clip)
    assert np.array_equal(direct.frames, safe.frames)
    assert direct.header() == safe.header()
    assert safe.frames.flags.writeable


def test_probe_in_the_worker(video, worker, folder):
    info = safe_probe(video, worker=worker)
    assert isinstance(info, VideoInfo)
    assert info == read_frames(video, SPEC).info
    missing = safe_probe(folder / "nowhere.mp4", worker=worker)
    assert isinstance(missing, Quarantined)


def test_bad_files_are_quarantined_by_one_surviving_worker(folder, video, worker):
    (folder / "empty.mp4").touch()
    (folder / "noise.mp4").write_bytes(random.Random(0).randbytes(50_000))
    make(folder / "sound.mp4", video=False, audio=True)
    data = video.read_bytes()
    for name, part in (("a", 0.1), ("b", 0.5), ("c", 0.9)):
        (folder / f"cut_{name}.mp4").write_bytes(data[: int(len(data) * part)])
    os.mkfifo(folder / "pipe.mp4")
    (folder / "link.mp4").symlink_to(folder / "gone.mp4")
    (folder / "loop.mp4").symlink_to(folder / "loop.mp4")
    expected = {
        "empty.mp4": {"empty"}, "noise.mp4": {"not_video"}, "sound.mp4": {"no_video"},
        "cut_a.mp4": {"not_video"}, "cut_b.mp4": {"not_video"}, "cut_c.mp4": {"not_video"},
        "pipe.mp4": {"not_a_file"}, "link.mp4": {"missing"}, "loop.mp4": {"missing"},
        "nowhere.mp4": {"missing"}, "": {"not_a_file"}, "zero\0byte": {"missing"},
        "sur\udcffrogate.mp4": {"missing"}, "line\nbreak.mp4": {"missing"},
        "x" * 5000: {"missing"},
    }  # fmt: skip
    assert isinstance(read(video, worker), Clip)
    process = worker._process
    for name, kinds in expected.items():
        begin = time.monotonic()
        answer = read(f"{folder}/{name}", worker)
        assert isinstance(answer, Quarantined), name
        assert answer.kind in kinds, (name, answer)
        assert answer.path == f"{folder}/{name}"
        assert answer.reason
        assert time.monotonic() - begin < 5
    assert isinstance(read(video, worker), Clip)
    assert worker._process is process
    beyond = read(video, worker, FrameSpec(sampling="indices", indices=(60,)))
    assert isinstance(beyond, Quarantined)
    assert beyond.kind == "spec"


def test_a_damaged_index_never_ends_the_worker(video, folder, worker):
    data = video.read_bytes()
    start = data.index(b"moov")
    pick = random.Random(5)
    path = folder / "damaged.mp4"
    worker.start()
    process = worker._process
    kinds = set()
    for _ in range(150):
        damaged = bytearray(data)
        damaged[pick.randrange(start, len(data))] = pick.choice([0, 255, pick.randrange(256)])
        path.write_bytes(damaged)
        answer = read(path, worker)
        kinds.add(answer.kind if isinstance(answer, Quarantined) else "clip")
    assert worker._process is process
    assert {"clip", "truncated", "corrupt", "not_video"} <= kinds
    assert "crashed" not in kinds  # an exception that nobody thought of


def test_an_unknown_codec_is_named(video, folder, worker):
    path = folder / "codec.mp4"
    path.write_bytes(video.read_bytes().replace(b"avc1", b"zzz1"))
    answer = read(path, worker)
    assert isinstance(answer, Quarantined)
    assert answer.kind == "no_decoder"


def test_names_with_odd_characters_are_read(video, folder, worker):
    for name in ("line\nbreak", "sur\udcff", "quote'\"", "ünïcode", "-dash", "pipe:0"):
        path = folder / f"{name}.mp4"
        path.write_bytes(video.read_bytes())
        assert isinstance(read(path, worker), Clip), name


def test_a_file_that_takes_too_long(heavy, video, worker):
    assert isinstance(read(video, worker), Clip)
    begin = time.monotonic()
    answer = read(heavy, worker, EVERY, timeout=0.1)
    assert time.monotonic() - begin < 1
    assert isinstance(answer, Quarantined)
    assert answer.kind == "timeout"
    assert "0.1 s" in answer.reason
    assert isinstance(read(video, worker), Clip)


def test_a_decoder_that_hangs(video, worker):
    worker.start()
    os.kill(worker._process.pid, signal.SIGSTOP)
    answer = read(video, worker, timeout=0.3)
    assert isinstance(answer, Quarantined)
    assert answer.kind == "timeout"
    assert isinstance(read(video, worker), Clip)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_decoder_that_dies_in_the_middle(heavy, video, worker, number):
    worker.start()
    timer = threading.Timer(0.2, os.kill, (worker._process.pid, number))
    timer.start()
    answer = read(heavy, worker, EVERY)
    timer.join()
    assert isinstance(answer, Quarantined)
    assert answer.kind == "crashed"
    assert number.name in answer.reason
    assert isinstance(read(video, worker), Clip)


def test_a_worker_that_died_between_two_files(video, worker):
    worker.start()
    os.kill(worker._process.pid, signal.SIGKILL)
    worker._process.wait()
    assert isinstance(read(video, worker), Clip)


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux only")
def test_a_file_that_needs_too_much_memory(heavy, video):
    worker = Worker(memory_limit=64 * 2**20)
    try:
        answer = read(heavy, worker, FrameSpec(num_frames=64, size_factor=1, max_pixels=None))
        assert isinstance(answer, Quarantined)
        assert answer.kind == "memory"
        assert isinstance(read(video, worker), Clip)
    finally:
        worker.stop()


def test_a_wrong_spec_is_the_callers_mistake(video, worker):
    with pytest.raises(FrameSpecError, match="num_frames"):
        read(video, worker, FrameSpec())


def test_a_missing_library_is_not_blamed_on_the_file(video, worker):
    if importlib.util.find_spec("torchcodec"):
        pytest.skip("torchcodec is installed")
    with pytest.raises(ImportError, match="decoder: pyav"):
        read(video, worker, FrameSpec(num_frames=8, decoder="torchcodec"))
    assert isinstance(read(video, worker), Clip)


def test_threads_may_share_a_worker(video, folder, worker):
    other = make(folder / "other.mp4", 20)
    results = {}

    def work(i):
        results[i] = read((video, other)[i % 2], worker)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [results[i].info.frames for i in range(8)] == [60, 20] * 4


def test_a_forked_child_uses_a_process_of_its_own(video, worker):
    assert isinstance(read(video, worker), Clip)
    parent = worker._process.pid
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # no pytest in the child
        clip = read(video, worker)
        own = worker._process.pid
        worker.stop()
        os.write(writer, json.dumps([own, len(clip.frames)]).encode())
        os._exit(0)
    os.waitpid(child, 0)
    own, count = json.loads(os.read(reader, 1000))
    os.close(reader)
    os.close(writer)
    assert own != parent
    assert count == 8
    assert isinstance(read(video, worker), Clip)
    assert worker._process.pid == parent


def test_neither_side_imports_torch(video):
    code = f"""
import os, sys
from reproductions.shared.video import quarantine
from reproductions.shared.video.spec import FrameSpec
quarantine.safe_read({str(video)!r}, FrameSpec(num_frames=8))
maps = open(f"/proc/{{quarantine._worker._process.pid}}/maps").read()
print("torch" in sys.modules, "libtorch" in maps, "libavcodec" in maps)
print(quarantine._worker._process.pid)
"""
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split("\n")
    assert output[0] == "False False True"
    assert not Path(f"/proc/{output[1]}").exists()  # the worker ends with the program


def test_a_worker_does_not_outlive_a_killed_parent(video):
    code = f"""
import os, time
from reproductions.shared.video import quarantine
from reproductions.shared.video.spec import FrameSpec
quarantine.safe_read({str(video)!r}, FrameSpec(num_frames=8))
print(quarantine._worker._process.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}/stat").exists() and time.monotonic() < deadline:
        if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
            break  # ended; its new parent has not fetched the exit status
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{pid}/stat").exists()


def test_the_list_is_kept_as_json_lines(tmp_path):
    path = tmp_path / "quarantine.jsonl"
    quarantine = Quarantine(path)
    items = [
        Quarantined("a.mp4", "empty", "a.mp4: has zero bytes."),
        Quarantined("b\n\udcff.mp4", "corrupt", "b: 'quoted' \"twice\"\n"),
    ]
    for item in [*items, items[0]]:
        quarantine.add(item)
    assert list(quarantine) == items
    assert len(quarantine) == 2
    assert "a.mp4" in quarantine
    records = [json.loads(line) for line in path.read_text("ascii").splitlines()]
    assert [Quarantined(**record) for record in records] == items
    assert len(Quarantine()) == 0
