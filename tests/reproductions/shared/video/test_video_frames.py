import io
import os
import subprocess
import sys

import av
import numpy as np
import pytest
from PIL import Image
from video_fixtures import draw, make, number

from reproductions.shared.video.decode import probe, read_frames
from reproductions.shared.video.frames import permute, strip, subset, view, write_mp4
from reproductions.shared.video.spec import FrameSpec


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return read_frames(make(tmp_path_factory.mktemp("frames") / "a.mp4"), FrameSpec(num_frames=8))


def shown(clip):
    return [number(frame) for frame in clip.frames]


def test_permute_moves_pixels_and_leaves_times(clip):
    order = [3, 1, 7, 0, 2, 6, 5, 4]
    shuffled = permute(clip, order)
    assert shown(shuffled) == [clip.indices[i] for i in order]
    assert shuffled.times == clip.times
    assert shuffled.sampled_fps == clip.sampled_fps
    with pytest.raises(ValueError, match="not a permutation"):
        permute(clip, [0, 0, 1, 2, 3, 4, 5, 6])


def test_subset_keeps_times_and_lowers_the_rate(clip):
    half = subset(clip, [1, 3, 5, 7])
    assert shown(half) == list(half.indices) == [clip.indices[i] for i in (1, 3, 5, 7)]
    assert half.times == tuple(clip.times[i] for i in (1, 3, 5, 7))
    assert half.sampled_fps == pytest.approx(clip.sampled_fps / 2)
    for wrong in ([], [3, 1], [0, 0], [8], [-1]):
        with pytest.raises(ValueError, match="keep"):
            subset(clip, wrong)


def test_view_is_a_subset_in_another_order(clip):
    mixed = view(clip, [5, 1, 3])
    assert shown(mixed) == [clip.indices[i] for i in (5, 1, 3)]
    assert mixed.times == tuple(clip.times[i] for i in (1, 3, 5))


@pytest.mark.parametrize(("kind", "name"), [("webp", "WEBP"), ("jpeg", "JPEG")])
def test_strip_lays_frames_out_in_rows(kind, name):
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0), (0, 250, 250)]
    frames = np.stack([np.full((40, 60, 3), c, np.uint8) for c in colours])
    data = strip(frames, height=20, columns=3, kind=kind)
    picture = Image.open(io.BytesIO(data))
    assert picture.format == name
    assert picture.size == (3 * 30 + 2 * 2, 2 * 20 + 2)
    pixels = np.asarray(picture.convert("RGB")).astype(int)
    for i, colour in enumerate(colours):
        x, y = (i % 3) * 32 + 15, (i // 3) * 22 + 10
        assert np.abs(pixels[y, x] - colour).max() < 30
    assert strip(frames, height=20, columns=3, kind=kind) == data


FRAMES = np.stack([draw(i, 84, 56) for i in range(12)])


def test_write_mp4_gives_back_frames_and_times(tmp_path):
    path = write_mp4(tmp_path / "a.mp4", FRAMES, 8)
    clip = read_frames(path, FrameSpec(num_frames=12))
    assert clip.frames.shape == FRAMES.shape
    assert np.abs(clip.frames.astype(int) - FRAMES).mean() < 2
    assert clip.times == tuple(i / 8 for i in range(12))
    assert (clip.info.fps, clip.info.duration) == (8, 1.5)


def test_write_mp4_is_byte_identical_in_another_process(tmp_path):
    options = {"gop": 4, "b_frames": 2}
    first = write_mp4(tmp_path / "a.mp4", FRAMES, 30, **options).read_bytes()
    assert write_mp4(tmp_path / "b.mp4", FRAMES, 30, **options).read_bytes() == first
    np.save(tmp_path / "frames.npy", FRAMES)
    code = (
        "import sys, numpy as np; from reproductions.shared.video.frames import write_mp4;"
        f"write_mp4(sys.argv[2], np.load(sys.argv[1]), 30, **{options})"
    )
    arguments = [str(tmp_path / "frames.npy"), str(tmp_path / "c.mp4")]
    for fill in ("85", "165"):  # glibc fills fresh memory with it: x264 must not look at any
        environment = {**os.environ, "MALLOC_PERTURB_": fill}
        subprocess.run([sys.executable, "-c", code, *arguments], check=True, env=environment)
        assert (tmp_path / "c.mp4").read_bytes() == first


def test_write_mp4_leaves_no_times_and_no_muxer_name(tmp_path):
    path = write_mp4(tmp_path / "a.mp4", FRAMES, 8)
    with av.open(str(path)) as container:
        assert "creation_time" not in container.metadata
        assert "creation_time" not in container.streams.video[0].metadata
    assert b"Lavf" not in path.read_bytes()
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("crf", [0, 10, 23])
def test_write_mp4_options(tmp_path, crf):
    path = write_mp4(tmp_path / "a.mp4", FRAMES, 29.97, crf=crf, gop=5, pixel_format="yuv420p")
    info = probe(path)
    assert info.fps == pytest.approx(29.97)
    assert info.keyframe_interval <= 5
    with av.open(str(path)) as container:
        assert container.streams.video[0].pix_fmt == "yuv420p"


def test_write_mp4_refuses_what_it_cannot_write(tmp_path):
    path = tmp_path / "a.mp4"
    for frames in (FRAMES.astype(float), FRAMES[0], FRAMES[:0], FRAMES[..., :1]):
        with pytest.raises(ValueError, match="is not uint8"):
            write_mp4(path, frames, 8)
    with pytest.raises(ValueError, match="83x56 is odd"):
        write_mp4(path, FRAMES[:, :, :83], 8, pixel_format="yuv420p")
    assert not list(tmp_path.iterdir())
    write_mp4(path, FRAMES[:, :55, :83], 8)
    assert probe(path).width == 83


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    path = write_mp4(tmp_path / "a.mp4", FRAMES, 8)
    before = path.read_bytes()
    with pytest.raises(Exception, match=r".+"):
        write_mp4(path, FRAMES, 8, crf="best")
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
