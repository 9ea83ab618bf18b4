import json
import math
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from video_fixtures import from_transformers

from reproductions.shared.video.spec import (
    FrameSpec,
    FrameSpecError,
    VideoInfo,
    smart_resize,
)


def info(frames=100, fps=25.0, width=640, height=360, times=(), variable=False):
    duration = frames / fps if not times else times[-1] - times[0] + 1 / fps
    return VideoInfo(
        frames, fps, duration, width, height, times=tuple(times), variable_rate=variable
    )


def indices(spec, video):
    return [i for i, _ in spec.resolve(video)]


# Choosing frames -------------------------------------------------------------------------------


def test_uniform_is_a_rounded_linspace():
    assert indices(FrameSpec(num_frames=8), info(100)) == [0, 14, 28, 42, 57, 71, 85, 99]


def test_uniform_with_as_many_frames_as_there_are_takes_each_once():
    assert indices(FrameSpec(num_frames=10), info(10)) == list(range(10))


@pytest.mark.parametrize(("asked", "got"), [(7, 8), (6, 6), (5, 4), (1, 2), (3, 4)])
def test_counts_are_rounded_to_temporal_patches_as_qwen_does(asked, got):
    assert len(indices(FrameSpec(num_frames=asked), info())) == got


def test_frame_factor_one_keeps_odd_counts():
    assert len(indices(FrameSpec(num_frames=7, frame_factor=1), info())) == 7


def test_a_short_video_gives_what_it_has_in_whole_patches():
    assert indices(FrameSpec(num_frames=32), info(5)) == [0, 1, 3, 4]
    assert indices(FrameSpec(num_frames=32), info(1)) == [0, 0]


@pytest.mark.parametrize(
    ("seconds", "fps", "count"),
    [(10, 2, 20), (10, 1, 10), (10.2, 2, 20), (1, 2, 4), (1000, 2, 768), (3, 0.1, 4)],
)
def test_fps_counts_follow_qwen_smart_nframes(seconds, fps, count):
    spec = FrameSpec(sampling="fps", fps=fps)
    assert len(indices(spec, info(round(seconds * 25)))) == count


def test_fps_keeps_odd_limits_inside_the_limits():
    spec = FrameSpec(sampling="fps", fps=2, min_frames=5, max_frames=9)
    assert len(indices(spec, info(25))) == 6  # 2 asked, at least 5, in patches of 2
    assert len(indices(spec, info(2500))) == 8


def test_sampled_fps_is_chosen_frames_over_seconds():
    spec = FrameSpec(num_frames=8)
    assert spec.sampled_fps(info(100), 8) == pytest.approx(2.0)
    part = replace(spec, start=1.0, end=1.96)
    assert part.segment_frames(info(100)) == 25
    assert part.sampled_fps(info(100), 8) == pytest.approx(8.0)


def test_first_middle_last():
    spec = FrameSpec(sampling="first_middle_last")
    assert indices(spec, info(101)) == [0, 50, 100]
    assert indices(spec, info(2)) == [0, 1]
    assert indices(spec, info(1)) == [0]


def test_indices_are_taken_as_they_are():
    spec = FrameSpec(sampling="indices", indices=(3, 7, 99))
    assert spec.resolve(info()) == [(3, 0.12), (7, 0.28), (99, 3.96)]


def test_an_index_that_does_not_exist_is_refused():
    with pytest.raises(FrameSpecError, match=r"indices: frame 100 does not exist.*0 to 99"):
        FrameSpec(sampling="indices", indices=(100,)).resolve(info())


def test_segment_takes_frames_inside_it():
    spec = FrameSpec(num_frames=50, start=1.0, end=2.0)
    chosen = indices(spec, info())
    assert (chosen[0], chosen[-1], len(chosen)) == (25, 50, 26)


def test_segment_between_two_frames_shows_the_one_on_screen():
    spec = FrameSpec(num_frames=2, frame_factor=1, start=1.01, end=1.02)
    assert indices(spec, info()) == [25]


def test_segment_beyond_the_end():
    assert indices(FrameSpec(num_frames=2, start=3.0, end=99.0), info())[-1] == 99
    with pytest.raises(FrameSpecError, match=r"start: 4.5 s is after the end"):
        FrameSpec(num_frames=2, start=4.5).resolve(info())


def test_variable_rate_is_sampled_evenly_in_time_not_in_number():
    # Nine frames in the first second, then one each second up to 9 s.
    times = [i / 9 for i in range(9)] + [float(i) for i in range(1, 10)]
    video = info(18, 18 / 10, times=times, variable=True)
    chosen = FrameSpec(num_frames=10).resolve(video)
    assert [t for _, t in chosen] == [0.0, *[float(i) for i in range(1, 10)]]


def test_at_takes_the_nearest_frames():
    spec = FrameSpec(num_frames=8, start=1.0, end=2.0).at(info(), [2.0, 0.05, 0.07, 9.0])
    assert indices(spec, info()) == [1, 2, 50, 99]


times_strategy = st.lists(st.floats(0.001, 5.0), min_size=1, max_size=80).map(
    lambda gaps: [sum(gaps[:i]) for i in range(len(gaps))]
)


@st.composite
def cases(draw):
    if draw(st.booleans()):
        times = draw(times_strategy)
        video = info(len(times), len(times) / max(times[-1], 0.5), times=times, variable=True)
    else:
        video = info(draw(st.integers(1, 5000)), draw(st.sampled_from([1.0, 23.976, 25.0, 60.0])))
    factor = draw(st.integers(1, 4))
    common = {"frame_factor": factor}
    if draw(st.booleans()):
        start = draw(st.floats(0, video.time(video.frames - 1)))
        common |= {"start": start, "end": start + draw(st.floats(0, 100))}
    kind = draw(st.sampled_from(["uniform", "fps", "first_middle_last"]))
    if kind == "uniform":
        return FrameSpec(num_frames=draw(st.integers(1, 900)), **common), video
    if kind == "fps":
        low = draw(st.integers(1, 20))
        high = low + factor + draw(st.integers(0, 800))
        fps = draw(st.floats(0.01, 100))
        return FrameSpec(sampling="fps", fps=fps, min_frames=low, max_frames=high, **common), video
    return FrameSpec(sampling="first_middle_last", **common), video


@settings(max_examples=400, deadline=None)
@given(cases())
def test_resolve_is_sorted_in_range_counted_and_deterministic(case):
    spec, video = case
    chosen = spec.resolve(video)
    numbers = [i for i, _ in chosen]
    total, factor = spec.segment_frames(video), spec.frame_factor
    assert numbers == sorted(numbers)
    assert numbers[0] >= 0
    assert numbers[-1] < video.frames
    assert [t for _, t in chosen] == [video.time(i) for i in numbers]
    if spec.sampling == "first_middle_last":
        assert len(numbers) == min(3, total)
    else:
        assert len(numbers) % factor == 0
        if total >= factor:
            assert len(set(numbers)) == len(numbers)
        else:
            assert len(numbers) == factor
        if spec.sampling == "fps":
            assert len(numbers) <= max(spec.max_frames, factor)
    if spec.start is not None and total > 1:
        assert all(spec.start - 1e-5 <= t <= spec.end + 1e-5 for _, t in chosen)
    again = FrameSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert again == spec
    assert again.resolve(video) == chosen
    assert again.key() == spec.key()


# Sizes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("height", "width", "low", "high", "expected"),
    [
        (720, 1280, 0, None, (728, 1288)),
        (720, 1280, 0, 768 * 784, (560, 1008)),
        (360, 640, 0, 128 * 784, (224, 420)),
        (28, 28, 0, 602112, (28, 28)),
        (20, 20, 0, 602112, (28, 28)),
        (56, 56, 128 * 784, 602112, (336, 336)),
    ],
)
def test_smart_resize(height, width, low, high, expected):
    assert smart_resize(height, width, 28, low, high) == expected


@pytest.fixture(scope="module")
def reference_smart_resize():
    file = "models/qwen2_vl/video_processing_qwen2_vl.py"
    return from_transformers(file, "smart_resize", {"math": math})


@settings(max_examples=200, deadline=None)
@given(
    height=st.integers(28, 4000), width=st.integers(28, 4000),
    factor=st.sampled_from([14, 28, 32]), high=st.integers(50_000, 2_000_000),
)  # fmt: skip
def test_smart_resize_agrees_with_transformers(reference_smart_resize, height, width, factor, high):
    expected = reference_smart_resize(height, width, factor, 4 * factor**2, high)
    ours = smart_resize(height, width, factor, 4 * factor**2, high)
    assert ours == (max(expected[0], factor), max(expected[1], factor))


def test_a_clip_budget_shrinks_frames_when_there_are_many():
    spec = FrameSpec(num_frames=8, total_pixels=8 * 100 * 784)
    few, many = spec.size(info(), 8), spec.size(info(), 64)
    assert few[0] * few[1] <= 2 * 100 * 784  # two frames share one patch in time
    assert many[0] * many[1] <= 25 * 784
    floor = replace(spec, min_pixels=64 * 784).size(info(), 64)
    assert 60 * 784 <= floor[0] * floor[1] <= 64 * 784 * 1.05


def test_fixed_size_and_native_size():
    assert FrameSpec(num_frames=2, height=56, width=84).size(info(), 2) == (56, 84)
    native = FrameSpec(num_frames=2, size_factor=1, max_pixels=None)
    assert native.size(info(width=641, height=359), 2) == (359, 641)


def test_extreme_shapes_are_refused():
    with pytest.raises(FrameSpecError, match="over 200 times"):
        FrameSpec(num_frames=2).size(info(width=5000, height=10), 2)


# Validation ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({}, "num_frames: missing, sampling uniform needs it"),
        ({"sampling": "fps"}, "fps: missing"),
        ({"sampling": "indices"}, "indices: missing"),
        ({"sampling": "fps", "fps": 2, "num_frames": 8}, "num_frames: has no effect"),
        ({"num_frames": 8, "indices": [1]}, "indices: has no effect"),
        ({"num_frames": 0}, "num_frames: 0 is not a positive whole number"),
        ({"num_frames": True}, "num_frames: True is not"),
        ({"num_frames": "8"}, "num_frames: '8' is not"),
        ({"num_frames": 2.5}, "num_frames: 2.5 is not"),
        ({"sampling": "fps", "fps": float("nan")}, "fps: nan is not a number"),
        ({"sampling": "fps", "fps": 0}, "fps: 0 is not"),
        ({"sampling": "dense", "num_frames": 8}, "sampling: 'dense' is unknown. Use uniform"),
        ({"num_frames": 8, "decoder": "vlc"}, "decoder: 'vlc' is unknown"),
        ({"num_frames": 8, "min_frames": 9, "max_frames": 8}, "min_frames: 9 exceeds"),
        ({"sampling": "fps", "fps": 1, "min_frames": 1, "max_frames": 1}, "max_frames: 1 is below"),
        ({"num_frames": 8, "min_pixels": 10, "max_pixels": 5}, "min_pixels: 10 exceeds"),
        ({"num_frames": 8, "height": 28}, "height, width: only one is set"),
        ({"num_frames": 8, "height": 30, "width": 28}, "height: 30 is not a multiple"),
        ({"num_frames": 8, "start": 3, "end": 2}, "end: 2 s is before start 3 s"),
        ({"sampling": "indices", "indices": [1], "start": 0}, "start, end: have no effect"),
        ({"sampling": "indices", "indices": [3, 1]}, "indices: not ascending"),
        ({"sampling": "indices", "indices": [-1]}, "indices: not ascending"),
        ({"sampling": "indices", "indices": "12"}, "indices: not ascending"),
        ({"num_frames": 8, "timestamps": "yes"}, "timestamps: 'yes' is not true or false"),
        ({"num_frames": 8, "nframes": 8}, "unknown keys nframes. Use decoder"),
    ],
)
def test_faults_name_place_fault_and_remedy(record, message):
    with pytest.raises(FrameSpecError) as caught:
        FrameSpec.from_dict(record, "mini.yaml: frames")
    assert message in str(caught.value)
    assert all(line.startswith("mini.yaml: frames") for line in str(caught.value).splitlines())


def test_all_faults_are_told_at_once():
    with pytest.raises(FrameSpecError) as caught:
        FrameSpec(num_frames=0, decoder="vlc", size_factor=-1).validate()
    assert len(str(caught.value).splitlines()) == 3


def test_key_depends_on_every_setting_and_not_on_the_process():
    base = FrameSpec(sampling="fps", fps=2)
    others = [
        replace(base, fps=3), replace(base, max_frames=64), replace(base, max_pixels=784),
        replace(base, timestamps=True), replace(base, start=0.5),
        replace(base, decoder="torchcodec"),
    ]  # fmt: skip
    assert len({base.key(), *[o.key() for o in others]}) == 7
    assert replace(base, fps=2.0).key() == base.key()
    code = (
        "import sys; from reproductions.shared.video.spec import FrameSpec;"
        "print(FrameSpec(sampling='fps', fps=2).key());"
        "print(sorted({'numpy', 'av', 'torch', 'PIL'} & set(sys.modules)))"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split("\n")
    assert output[0] == base.key()
    assert output[1] == "[]"  # standard library only


def test_video_info_survives_json():
    constant = info(10, times=[0.5 + i / 25.0 for i in range(10)])
    record = json.loads(json.dumps(constant.to_dict()))
    assert record["times"] == [0.5]
    assert VideoInfo.from_dict(record) == constant
    variable = info(3, times=[0.0, 0.3, 0.4], variable=True)
    assert VideoInfo.from_dict(json.loads(json.dumps(variable.to_dict()))) == variable
