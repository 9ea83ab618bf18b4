"""Synthetic data sets on disk: equal bytes, idempotent, atomic, splits apart."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from reproductions.shared.synthetic.dataset import (
    SAMPLE_RATE,
    SPLITS,
    TONE_HZ,
    DatasetError,
    build,
    srt,
    world_seed,
)
from reproductions.shared.synthetic.world import TASKS, Knobs, make

SMALL = ("data", ["direction", "sound_evidence", "subtitle_evidence"], 6, 0, "train")


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_equal_arguments_give_equal_bytes_in_another_folder_and_process(tmp_path):
    tasks = list(TASKS)
    build(tmp_path / "a", tasks, 24, 5, "val")
    code = (
        "import sys; from reproductions.shared.synthetic.dataset import build;"
        "build(sys.argv[1], sys.argv[2].split(','), 24, 5, 'val')"
    )
    other = tmp_path / "deeper" / "b"
    subprocess.run([sys.executable, "-c", code, str(other), ",".join(tasks)], check=True)
    a, b = files(tmp_path / "a"), files(other)
    assert len([name for name in a if name.suffix == ".mp4"]) == 24
    assert a == b
    assert files_of_another_seed(tmp_path) != a


def files_of_another_seed(tmp_path):
    build(tmp_path / "c", list(TASKS), 24, 6, "val")
    return files(tmp_path / "c")


def test_what_is_on_disk_is_what_make_drew(tmp_path):
    samples = build(tmp_path / "d", ["direction", "counting"], 4, 2, "test", Knobs(size=56))
    frames, drawn = make("counting", world_seed(2, "test"), 1, Knobs(size=56))
    assert samples[3].question == drawn.question and samples[3].answer == drawn.answer
    with av.open(samples[3].video) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264" and stream.average_rate == 1
        decoded = np.stack([f.to_ndarray(format="rgb24") for f in container.decode(stream)])
    assert decoded.shape == frames.shape
    assert np.abs(decoded.astype(int) - frames).mean() < 3


def test_a_second_call_reads_and_writes_nothing(tmp_path):
    calls = []
    arguments = (tmp_path / SMALL[0], *SMALL[1:])
    first = build(*arguments, progress=lambda done, n: calls.append((done, n)))
    assert calls == [(i, 6) for i in range(1, 7)]
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    second = build(*arguments, progress=lambda *_: pytest.fail("wrote again"))
    assert first == second
    assert before == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}


def test_another_request_and_a_changed_file_are_refused(tmp_path):
    folder = tmp_path / SMALL[0]
    samples = build(folder, *SMALL[1:])
    with pytest.raises(DatasetError, match=r"seed is 0, not 1.*Delete the folder"):
        build(folder, SMALL[1], 6, 1, "train")
    with pytest.raises(DatasetError, match="knobs is"):
        build(folder, *SMALL[1:], Knobs(size=56))
    data = bytearray((folder / "records.jsonl").read_bytes())
    data[40] ^= 1
    (folder / "records.jsonl").write_bytes(data)
    with pytest.raises(DatasetError, match=r"1 file\(s\) changed.*records\.jsonl"):
        build(folder, *SMALL[1:])
    data[40] ^= 1
    (folder / "records.jsonl").write_bytes(data)
    assert build(folder, *SMALL[1:]) == samples
    (folder / "videos" / "extra.mp4").touch()
    with pytest.raises(DatasetError, match=r"first videos/extra\.mp4"):
        build(folder, *SMALL[1:])
    (folder / "manifest.json").write_text('{"request": [')
    with pytest.raises(DatasetError, match="not readable"):
        build(folder, *SMALL[1:])


def test_a_folder_with_other_content_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(DatasetError, match="Choose another folder"):
        build(tmp_path, *SMALL[1:])
    assert files(tmp_path) == {p.relative_to(tmp_path): b"keep" for p in tmp_path.iterdir()}


def test_a_broken_build_leaves_nothing_behind(tmp_path):
    def stop(done, n):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / SMALL[0], *SMALL[1:], progress=stop)
    assert list(tmp_path.iterdir()) == []
    assert len(build(tmp_path / SMALL[0], *SMALL[1:])) == 6


def test_two_builders_of_one_folder_agree(tmp_path):
    inner = []

    def meanwhile(done, n):
        if done == 5:
            inner.extend(build(tmp_path / SMALL[0], *SMALL[1:]))

    assert build(tmp_path / SMALL[0], *SMALL[1:], progress=meanwhile) == inner
    assert [p.name for p in tmp_path.iterdir()] == [SMALL[0]]


def test_splits_share_no_seed_no_id_and_no_clip(tmp_path):
    seeds = {world_seed(seed, split) for seed in range(100) for split in SPLITS}
    assert len(seeds) == 300
    ids, clips = [], []
    for split in SPLITS:
        for seed in (0, 1):
            folder = tmp_path / f"{split}{seed}"
            for sample in build(folder, ["direction", "needle"], 12, seed, split):
                ids.append(sample.id)
                clips.append((folder / "videos" / f"{sample.id}.mp4").read_bytes())
    assert len(ids) == len(set(ids)) == len(set(clips)) == 72


@pytest.mark.parametrize(
    ("tasks", "n", "seed", "split"),
    [
        ([], 4, 0, "train"),
        (["direction", "direction"], 4, 0, "train"),
        (["direction"], 0, 0, "train"),
        (["direction"], 4, -1, "train"),
        (["direction"], 4, 0, "dev"),
        (["dancing"], 4, 0, "train"),
    ],
)
def test_bad_arguments_are_refused_and_leave_nothing(tmp_path, tasks, n, seed, split):
    with pytest.raises(ValueError):
        build(tmp_path / "x", tasks, n, seed, split)
    assert list(tmp_path.iterdir()) == []


def test_subtitles_and_sound_lie_where_the_sample_says(tmp_path):
    samples = build(tmp_path / "d", ["subtitle_evidence", "sound_evidence"], 16, 1, "train")
    for sample in samples[::2]:
        subtitles = Path(sample.meta["subtitles"]).read_text(encoding="utf-8")
        assert f"The box is {sample.meta['answer_text']}." in subtitles
    heard = 0
    for sample in samples[1::2]:
        with av.open(sample.video) as container:
            assert container.streams.audio[0].codec_context.name == "aac"
            pieces = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
        wave = np.concatenate(pieces)
        assert len(wave) / SAMPLE_RATE == pytest.approx(8.0, abs=0.15)
        if tone := sample.meta["tone"]:
            middle = wave[int((tone[0] + 0.3) * SAMPLE_RATE) : int((tone[1] - 0.3) * SAMPLE_RATE)]
            strongest = np.abs(np.fft.rfft(middle)).argmax() * SAMPLE_RATE / len(middle)
            assert strongest == pytest.approx(TONE_HZ, abs=5)
            heard += 1
    assert heard == 6


def test_srt_clock():
    text = srt([{"start": 0, "end": 1.5, "text": "Hi."}, {"start": 3599.9996, "end": 3725.25,
                                                         "text": "Bye."}])  # fmt: skip
    assert text == (
        "1\n00:00:00,000 --> 00:00:01,500\nHi.\n\n2\n01:00:00,000 --> 01:02:05,250\nBye.\n"
    )


def test_manifest_says_how_to_build_it_again(tmp_path):
    build(tmp_path / "d", ["counting"], 2, 3, "val", Knobs(size=16))
    request = json.loads((tmp_path / "d" / "manifest.json").read_text())["request"]
    knobs = Knobs(**request["knobs"])
    build(tmp_path / "e", request["tasks"], request["n"], request["seed"], request["split"], knobs)
    assert files(tmp_path / "d") == files(tmp_path / "e")
