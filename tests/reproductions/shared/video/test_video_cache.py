import json
import multiprocessing
import os
import time

import numpy as np
import pytest
from video_fixtures import make

from reproductions.shared.video.cache import FrameCache, file_hash
from reproductions.shared.video.decode import read_frames
from reproductions.shared.video.quarantine import Quarantined
from reproductions.shared.video.spec import FrameSpec

SPEC = FrameSpec(num_frames=8)


class Counter:
    """A reader that counts its calls."""

    def __init__(self):
        self.calls = 0

    def __call__(self, path, spec):
        self.calls += 1
        return read_frames(path, spec)


@pytest.fixture
def video(tmp_path):
    return make(tmp_path / "a.mp4", 20)


def entries(cache):
    return sorted(cache.folder.glob("*.npy"))


def test_a_second_read_does_not_decode(tmp_path, video):
    cache, reader = FrameCache(tmp_path / "cache", 10**9), Counter()
    first, second = (cache.read(video, SPEC, reader) for _ in range(2))
    assert reader.calls == 1
    assert np.array_equal(first.frames, second.frames)
    assert first.header() == second.header()
    assert np.array_equal(np.load(entries(cache)[0]), first.frames)  # a plain npy file
    assert cache.read(video, FrameSpec(num_frames=4), reader).frames.shape[0] == 4
    assert reader.calls == 2
    again = FrameCache(tmp_path / "cache", 10**9)
    again.read(video, SPEC, reader)
    assert reader.calls == 2


def test_content_counts_not_the_name(tmp_path, video):
    cache, reader = FrameCache(tmp_path / "cache", 10**9), Counter()
    cache.read(video, SPEC, reader)
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(video.read_bytes())
    cache.read(copy, SPEC, reader)
    assert reader.calls == 1
    make(video, 30)
    assert cache.read(video, SPEC, reader).info.frames == 30
    assert reader.calls == 2


def test_hash_is_remembered_until_the_file_changes(tmp_path, video):
    old = time.time() - 100
    os.utime(video, (old, old))
    first = file_hash(video, tmp_path)
    note = next(tmp_path.glob("*.json"))
    note.write_text(note.read_text().replace(first, "remembered"))
    assert file_hash(video, tmp_path) == "remembered"
    os.utime(video, (old + 1, old + 1))
    assert file_hash(video, tmp_path) == first
    note.write_text("{")
    assert file_hash(video, tmp_path) == first == file_hash(video)


def test_a_file_changed_just_now_is_not_remembered(tmp_path, video):
    file_hash(video, tmp_path)
    assert not list(tmp_path.glob("*.json"))


@pytest.mark.parametrize("damage", ["short", "empty", "header", "tail"])
def test_a_damaged_entry_is_decoded_again(tmp_path, video, damage):
    cache, reader = FrameCache(tmp_path / "cache", 10**9), Counter()
    good = cache.read(video, SPEC, reader)
    entry = entries(cache)[0]
    data = entry.read_bytes()
    entry.write_bytes(
        {"short": data[:500], "empty": b"", "header": b"junk" + data, "tail": data[:-3]}[damage]
    )
    assert np.array_equal(cache.read(video, SPEC, reader).frames, good.frames)
    assert reader.calls == 2
    cache.read(video, SPEC, reader)
    assert reader.calls == 2


def test_the_least_recently_used_entries_go_first(tmp_path, video):
    size = 8 * 56 * 84 * 3 + 1500
    cache, reader = FrameCache(tmp_path / "cache", int(3.4 * size)), Counter()
    specs = [FrameSpec(num_frames=8, start=0, end=0.7 + i / 1000) for i in range(4)]
    for i, spec in enumerate(specs[:3]):
        cache.read(video, spec, reader)
        os.utime(cache._entry(video, spec), (1000 + i, 1000 + i))
    cache.read(video, specs[0], reader)  # used: now the newest
    cache.read(video, specs[3], reader)  # too much: the second and, for slack, the third go
    kept = {spec.key() for spec in specs if cache._entry(video, spec).exists()}
    assert specs[0].key() in kept
    assert specs[3].key() in kept
    assert specs[1].key() not in kept
    assert sum(p.stat().st_size for p in entries(cache)) <= cache.max_bytes


def test_a_clip_larger_than_the_cache_is_returned_but_not_kept(tmp_path, video):
    cache, reader = FrameCache(tmp_path / "cache", 1000), Counter()
    assert len(cache.read(video, SPEC, reader).frames) == 8
    assert not entries(cache)


def test_quarantined_files_are_not_kept(tmp_path):
    cache = FrameCache(tmp_path / "cache", 10**9)
    (tmp_path / "bad.mp4").write_bytes(b"x" * 1000)
    os.mkfifo(tmp_path / "pipe.mp4")
    for name, kind in (
        ("bad.mp4", "not_video"),
        ("none.mp4", "missing"),
        ("pipe.mp4", "not_a_file"),
    ):
        answer = cache.read(tmp_path / name, SPEC)
        assert isinstance(answer, Quarantined)
        assert answer.kind == kind
    assert not entries(cache)


def test_leftovers_of_a_killed_process_are_swept(tmp_path, video):
    folder = tmp_path / "cache"
    folder.mkdir()
    old, new = folder / ".a.npy.1-00.tmp", folder / ".b.npy.2-00.tmp"
    old.write_bytes(b"x")
    new.write_bytes(b"x")
    os.utime(old, (1000, 1000))
    FrameCache(folder, 10**9)
    assert not old.exists()
    assert new.exists()


def hammer(folder, video, seed, queue):
    cache = FrameCache(folder, 120_000)  # room for about two entries: constant eviction
    wrong = 0
    for i in range(60):
        count = 2 + 2 * ((i * 7 + seed) % 4)
        clip = cache.read(video, FrameSpec(num_frames=count), read_frames)
        wrong += not np.array_equal(
            clip.frames, read_frames(video, FrameSpec(num_frames=count)).frames
        )
    queue.put(wrong)


def test_two_processes_share_a_folder(tmp_path, video):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    workers = [
        context.Process(target=hammer, args=(tmp_path / "cache", video, seed, queue))
        for seed in range(2)
    ]
    for worker in workers:
        worker.start()
    assert [queue.get(timeout=60) for _ in workers] == [0, 0]
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert not list((tmp_path / "cache").glob("*.tmp"))
    for entry in (tmp_path / "cache").glob("*.npy"):
        with entry.open("rb") as file:
            np.lib.format.read_array(file)
            json.loads(file.read())
