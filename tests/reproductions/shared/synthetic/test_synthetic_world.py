"""The answers of the synthetic world, worked out again from decoded mp4 pixels.

The detector below knows the colours and nothing else: it reads files with PyAV alone, finds objects
by colour, and never looks at a sample's meta, options or rationale.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest

from reproductions.shared.method import Sample
from reproductions.shared.synthetic.dataset import build
from reproductions.shared.synthetic.world import (
    COLOURS,
    QUESTION_TYPES,
    TASKS,
    WORLD_VERSION,
    Knobs,
    make,
)

HARD = Knobs(
    num_frames=12,
    fps=2.0,
    size=56,
    noise_sigma=8.0,
    distractors=1,
    num_shapes=3,
    num_directions=8,
    event_length="varied",
    option_order="shuffled",
    rationale="medium",
)
MCQ = Knobs(question_type="mcq")
MCQ_TASKS = [task for task in TASKS if "mcq" in QUESTION_TYPES[task]]


@cache
def decode(path: str) -> tuple[np.ndarray, float]:
    with av.open(path) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        return np.stack(frames).astype(np.float32), float(container.streams.video[0].average_rate)


PALETTE = np.array([*COLOURS.values(), (120, 120, 120), (21, 21, 21)], dtype=np.float32)


def masks_of(frames: np.ndarray) -> dict[str, np.ndarray]:
    """Colour -> bool [T, S, S]: pixels nearer to it than to any other, grey and black included."""
    distance = -2 * frames @ PALETTE.T + (PALETTE**2).sum(1)
    nearest = distance.argmin(-1)
    found = {colour: nearest == i for i, colour in enumerate(COLOURS)}
    for mask in found.values():
        # Blended edges and noise can look like another colour; an object has many pixels.
        mask[mask.sum((1, 2)) < 0.005 * frames.shape[1] ** 2] = False
    return found


def cover(frames: np.ndarray, colour: str) -> np.ndarray:
    return masks_of(frames)[colour]


def centre(mask: np.ndarray) -> tuple[float, float]:
    y, x = np.nonzero(mask)
    return (x.mean() + 0.5) / mask.shape[1], (y.mean() + 0.5) / mask.shape[0]


def runs(visible: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.pad(visible.astype(int), 1)))
    return list(zip(edges[::2], edges[1::2], strict=True))


def blobs(mask: np.ndarray) -> int:
    """Number of connected groups of more than three pixels."""
    left, count = set(map(tuple, np.argwhere(mask))), 0
    while left:
        queue, size = [left.pop()], 0
        while queue:
            y, x = queue.pop()
            size += 1
            for near in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):
                if near in left:
                    left.remove(near)
                    queue.append(near)
        count += size > 3
    return count


def part(start: float, end: float, seconds: float) -> str:
    return ("start", "middle", "end")[int(3 * (start + end) / 2 / seconds)]


def way(dx: float, dy: float) -> str:
    words = [("up" if dy < 0 else "down") if abs(dy) > 0.2 else ""]
    words.append(("left" if dx < 0 else "right") if abs(dx) > 0.2 else "")
    return " ".join(word for word in words if word)


def see(sample: Sample, frames: np.ndarray, fps: float) -> str:
    """The answer in words or numbers, from pixels (or sound or subtitles) and the question."""
    asked = [word for word in re.findall(r"\w+", sample.question) if word in COLOURS]
    masks = masks_of(frames)
    visible = {colour: mask.any((1, 2)) for colour, mask in masks.items()}
    seconds = len(frames) / fps
    match sample.task:
        case "direction":
            first, last = centre(masks[asked[0]][0]), centre(masks[asked[0]][-1])
            return way(last[0] - first[0], last[1] - first[1])
        case "order":
            return min((c for c in visible if visible[c].any()), key=lambda c: visible[c].argmax())
        case "counting":
            return str(len(runs(visible[asked[0]])))
        case "counting_objects":
            return str(blobs(masks[asked[0]][0]))
        case "speed":
            x = np.array([centre(mask)[0] for mask in masks[asked[0]]])
            return f"{100 * abs(x[-1] - x[0]) * fps / (len(x) - 1):.2f}"
        case "temporal_grounding":
            found = [(a / fps, b / fps) for a, b in runs(visible[asked[0]])]
            if sample.problem_type == "temporal grounding":
                return f"{found[0][0]:.1f} to {found[0][1]:.1f}"
            return part(*found[0], seconds) if found else "never"
        case "spatial_relation":
            (ax, ay), (bx, by) = (centre(masks[colour][0]) for colour in asked)
            return way(ax - bx, 0) or {"up": "above", "down": "below"}[way(0, ay - by)]
        case "needle":
            return next(colour for colour in visible if visible[colour].any())
        case "reversal":
            first, *_, last = masks[asked[0]].sum((1, 2))
            return "grows" if last > 2 * first else "shrinks" if first > 2 * last else "stays"
        case "subtitle_evidence":
            text = Path(sample.video).with_suffix(".srt").read_text()
            return re.search(r"The box is (\w+)\.", text)[1]
        case "sound_evidence":
            with av.open(sample.video) as container:
                rate = container.streams.audio[0].rate
                pieces = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
            loud = np.abs(np.concatenate(pieces)) > 0.1
            if not loud.any():
                return "never"
            first, last = np.flatnonzero(loud)[[0, -1]] / rate
            return part(first, last, seconds)
    raise AssertionError(sample.task)


def gold(sample: Sample) -> str:
    """The answer in words or numbers, options resolved."""
    if sample.problem_type != "multiple choice":
        return sample.answer
    return dict(option.split(". ") for option in sample.options)[sample.answer]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """Samples of every task under four sets of knobs, and two seeds."""
    folder, samples = tmp_path_factory.mktemp("worlds"), []
    for seed, (name, tasks, knobs) in enumerate(
        [
            ("natural", TASKS, Knobs()),
            ("mcq", MCQ_TASKS, MCQ),
            ("hard", TASKS, HARD),
            ("colours", ["order", "needle"], Knobs(num_colours=6, size=56, distractors=2)),
        ]
    ):
        samples.append((knobs, build(folder / name, tasks, 6 * len(tasks), seed, "train", knobs)))
    return samples


@pytest.mark.parametrize("task", [task for task in TASKS if task != "tracking"])
def test_answer_follows_from_the_pixels(worlds, task):
    checked = 0
    for _, samples in worlds:
        for sample in samples:
            if sample.task != task:
                continue
            seen, known = see(sample, *decode(sample.video)), gold(sample)
            if task == "speed":
                assert float(seen) == pytest.approx(float(known), abs=0.9), sample.id
            else:
                assert seen == known, (sample.id, sample.question)
            assert sample.meta["answer_text"] == known
            checked += 1
    assert checked >= 12


def test_boxes_of_tracking_lie_on_the_object(worlds):
    checked = 0
    for _, samples in worlds:
        for sample in (s for s in samples if s.task == "tracking"):
            frames, fps = decode(sample.video)
            colour = next(c for c in COLOURS if c in sample.question)
            boxes = json.loads(sample.answer)
            assert len(boxes) == int(len(frames) / fps)
            mask = cover(frames, colour)
            for second, box in enumerate(boxes):
                y, x = np.nonzero(mask[int(second * fps)])
                seen = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1]) / frames.shape[1]
                # Half a pixel of blur at each edge, and a triangle's tip is thinner than a pixel.
                assert np.abs(seen - box).max() < 2.6 / frames.shape[1], (sample.id, second)
                checked += 1
    assert checked > 50


def test_rationale_states_what_is_on_screen(worlds):
    colours = "|".join(COLOURS)
    stated = 0
    for knobs, samples in worlds:
        for sample in samples:
            assert sample.rationale
            if sample.task != "tracking":
                conclusion = sample.rationale.rsplit(": ", 1)[1]
                assert gold(sample) in conclusion
            if knobs.rationale == "medium":
                continue  # states ends of intervals too, when the object has just gone
            frames, fps = decode(sample.video)
            masks = masks_of(frames)
            for time, colour in re.findall(rf"(\d+\.\d)s ({colours})", sample.rationale):
                frame = min(len(frames) - 1, round(float(time) * fps))
                assert masks[colour][frame].any(), (sample.id, sample.rationale)
                stated += 1
    assert stated > 80


def test_reversed_frames_give_another_answer_where_order_matters(worlds):
    checked = Counter()
    for _, samples in worlds:
        for sample in samples:
            if sample.task in ("direction", "order", "reversal"):
                frames, fps = decode(sample.video)
                same = see(sample, frames[::-1], fps) == gold(sample)
                assert same != sample.meta["order_dependent"], sample.id
                checked[sample.task, same] += 1
            if sample.task in ("counting_objects", "spatial_relation", "needle"):
                frames, fps = decode(sample.video)
                shuffled = frames[np.random.default_rng(0).permutation(len(frames))]
                assert see(sample, shuffled, fps) == gold(sample)
                assert not sample.meta["order_dependent"]
    assert checked["direction", False] and checked["order", False] and checked["reversal", True]


def test_events_of_meta_agree_with_the_pixels(worlds):
    for _, samples in worlds[:1]:
        for sample in samples:
            frames, fps = decode(sample.video)
            masks = masks_of(frames)
            for event in sample.meta["events"]:
                if event["distractor"]:
                    continue
                visible = masks[event["object"]].any((1, 2))
                first, stop = round(event["start"] * fps), round(event["end"] * fps)
                assert visible[first:stop].all()
                assert len(event["boxes"]) == stop - first


def test_answers_colours_and_letters_are_balanced():
    shuffled = Knobs(question_type="mcq", option_order="shuffled", size=16)
    for task in MCQ_TASKS:
        samples = [make(task, 3, index, shuffled)[1] for index in range(48)]
        options = len(samples[0].options)
        letters = Counter(sample.answer for sample in samples)
        assert set(letters.values()) == {48 // options}, task
        texts = Counter(gold(sample) for sample in samples)
        assert set(texts.values()) == {48 // len(texts)}, task
        # The letter does not give the text away.
        assert len({(s.answer, gold(s)) for s in samples}) > 2 * options, task
        assert all(len(set(s.options)) == options for s in samples)
    fixed = [make("direction", 3, i, Knobs(size=16))[1].options for i in range(8)]
    assert set(fixed) == {("A. left", "B. right", "C. up", "D. down")}


def test_fewer_options_than_classes_keep_the_answer_and_its_place_is_even():
    knobs = Knobs(num_directions=8, option_count=3, size=16)
    samples = [make("direction", 0, index, knobs)[1] for index in range(240)]
    assert all(len(s.options) == 3 and gold(s) == s.meta["answer_text"] for s in samples)
    assert min(Counter(s.answer for s in samples).values()) > 50


def test_vocabulary_is_tiny_and_questions_are_short():
    words, asked = set(), 0
    for length in ("short", "medium"):
        for task in TASKS:
            for index in range(24):
                sample = make(task, 1, index, Knobs(size=16, rationale=length))[1]
                text = " ".join([sample.question, sample.rationale, *sample.options])
                words |= set(re.findall(r"[a-zA-Z]+", text))
                asked = max(asked, len(re.findall(r"[a-zA-Z]+", sample.question)))
    assert len(words) < 80, sorted(words)
    assert asked <= 9


def test_question_types_and_rationale_knob():
    for task, kinds in QUESTION_TYPES.items():
        natural = make(task, 0, 5, Knobs(size=16))[1]
        assert natural == make(task, 0, 5, Knobs(size=16, question_type=kinds[0]))[1]
        for kind in kinds:
            sample = make(task, 0, 5, Knobs(size=16, question_type=kind, rationale="none"))[1]
            assert sample.rationale == ""
            assert (sample.problem_type == "multiple choice") == (kind == "mcq")
            assert bool(sample.options) == (kind == "mcq")
    with pytest.raises(ValueError, match=r"tracking has no 'mcq' question. Choose one of boxes"):
        make("tracking", 0, 0, MCQ)
    with pytest.raises(ValueError, match=r"'flying' is unknown. Choose one of direction"):
        make("flying", 0, 0)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"size": 29}, "odd"),
        ({"size": 8}, "outside 16"),
        ({"fps": float("nan")}, "Knobs.fps"),
        ({"max_count": 9}, "17 frames"),
        ({"option_order": "random"}, "none of"),
        ({"object_scale": 0.9}, "object_scale"),
        ({"num_directions": 5}, "none of"),
    ],
)
def test_knobs_out_of_range_are_refused(knobs, message):
    with pytest.raises(ValueError, match=message):
        Knobs(**knobs)


def test_every_task_bears_extreme_knobs():
    """No crash, frames in range, answers well-formed, at the ends of the ranges."""
    for knobs in (
        Knobs(num_frames=300, fps=30.0, size=16, max_count=9, num_colours=6, distractors=4),
        Knobs(num_frames=8, fps=0.1, size=16, object_scale=0.5, num_shapes=4, noise_sigma=0),
        Knobs(num_frames=90, fps=12.5, size=16, object_scale=0.05, option_count=8),
        Knobs(num_frames=512, fps=1.0, size=16, num_directions=8, option_count=2),
    ):
        for task in TASKS:
            for index in range(3):
                frames, sample = make(task, 9, index, knobs)
                assert frames.shape == (knobs.num_frames, knobs.size, knobs.size, 3)
                for event in sample.meta["events"]:
                    assert 0 <= event["start"] < event["end"] <= knobs.seconds + 1e-3
                    boxes = np.array(event["boxes"])[:, 1:]
                    assert boxes.min() >= -0.001 and boxes.max() <= 1.001, (task, knobs)
                assert json.loads(json.dumps(sample.meta)) == sample.meta


def test_one_colour_is_enough_where_one_object_is_shown():
    one = Knobs(num_colours=1, distractors=1, size=16)
    for task in set(TASKS) - {"order", "spatial_relation"}:
        if task in ("needle", "subtitle_evidence"):
            continue  # their answer is a colour
        assert make(task, 0, 0, one)[1].answer
    with pytest.raises(ValueError, match="Raise num_colours"):
        make("order", 0, 0, one)


def test_noise_does_not_change_the_scene():
    plain, a = make("direction", 4, 4, Knobs(noise_sigma=0))
    noisy, b = make("direction", 4, 4, Knobs(noise_sigma=20))
    assert a == b
    difference = noisy.astype(float) - plain
    inside = (plain > 60) & (plain < 195)
    assert 17 < difference[inside].std() < 23


def test_changed_pixels_or_questions_come_with_a_new_version():
    """Cached data sets are told apart by WORLD_VERSION alone: raise it when this hash changes."""
    digest = hashlib.sha256()
    for task in TASKS:
        frames, sample = make(task, 0, 1, Knobs(noise_sigma=0, num_shapes=4, distractors=1))
        digest.update(frames.tobytes() + repr(sample).encode())
    assert (WORLD_VERSION, digest.hexdigest()[:16]) == (1, "5a8bc860c876ec27")
