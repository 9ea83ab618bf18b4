"""A procedural video world: short clips with coloured objects, and questions with known answers.

`make(task, seed, index, knobs)` draws one clip and states the question, the gold answer, a short
rationale and the ground truth behind it. Same arguments, same pixels: the scene comes from
`random.Random` on a string (a stream that Python keeps stable), only the noise from numpy.

Conventions: positions and sizes are fractions of the frame side, origin top left; boxes are
[x0, y0, x1, y1]; frame i is on screen from i / fps to (i + 1) / fps seconds. Questions are short,
the vocabulary is tiny: a model of half a million parameters can learn them in a minute. Answers,
colours and (with shuffled options) letters are balanced over consecutive indices.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from reproductions.shared.method import Sample

WORLD_VERSION = 1
"""Raise it when the same arguments draw other pixels or ask another question."""

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (225, 40, 40),
    "blue": (50, 90, 240),
    "green": (40, 190, 60),
    "yellow": (235, 215, 40),
    "purple": (180, 60, 210),
    "white": (240, 240, 240),
}
"""Object colours as RGB; `Knobs.num_colours` takes the first ones."""

GREY = (120, 120, 120)
"""Colour of objects that carry no evidence."""

SHAPES = ("square", "circle", "triangle", "diamond")

QuestionType = Literal["natural", "mcq", "number", "interval", "boxes", "free"]

QUESTION_TYPES: dict[str, tuple[QuestionType, ...]] = {
    "direction": ("mcq", "free"),
    "order": ("mcq", "free"),
    "counting": ("number", "mcq"),
    "counting_objects": ("number", "mcq"),
    "speed": ("number", "mcq"),
    "temporal_grounding": ("interval", "mcq", "free"),
    "tracking": ("boxes",),
    "spatial_relation": ("mcq", "free"),
    "needle": ("mcq", "free"),
    "subtitle_evidence": ("mcq", "free"),
    "sound_evidence": ("mcq", "free"),
    "reversal": ("mcq", "free"),
}
"""Task -> the question types it knows; the first one is its natural type."""

TASKS: tuple[str, ...] = tuple(QUESTION_TYPES)

_DIRECTIONS = {
    "left": (-1, 0),
    "right": (1, 0),
    "up": (0, -1),
    "down": (0, 1),
    "up left": (-1, -1),
    "up right": (1, -1),
    "down left": (-1, 1),
    "down right": (1, 1),
}
_RELATIONS = {"left": (-1, 0), "right": (1, 0), "above": (0, -1), "below": (0, 1)}
_PARTS = ("start", "middle", "end", "never")


@dataclass(frozen=True)
class Knobs:
    """What a clip and its question look like. The defaults suit a model of 0.5 M parameters.

    Attributes:
        num_frames: Frames a clip, 8 to 4096; the clip lasts num_frames / fps seconds.
        fps: Frames a second, 0.1 to 60.
        size: Side of the square frame in pixels, even, 16 to 1024.
        object_scale: Side of an object as a fraction of the frame side, 0.05 to 0.5. A third
            learns much sooner than a fifth.
        noise_sigma: Standard deviation of Gaussian pixel noise, 0 to 64 (of 255).
        distractors: Further objects (or subtitles) that the question is not about, 0 to 4.
        num_colours: How many of `COLOURS` are used, 1 to 6.
        num_shapes: How many of `SHAPES` are used, 1 to 4. With 1, an object is called by its
            colour alone.
        num_directions: 4, or 8 with diagonals.
        max_count: Largest count in the counting tasks, 2 to 9.
        event_length: "short": each event of counting lasts one frame; "varied": they have varied
            lengths, so that counting frames no longer gives the answer.
        flash_frames: Frames that the flash of needle lasts, 1 to 64.
        option_count: Largest number of options, 2 to 8; fewer when a task has fewer classes.
        option_order: "fixed": the canonical order (learns sooner); "shuffled": random order.
        question_type: "natural" or a type that every task asked for knows, see `QUESTION_TYPES`.
        rationale: Length of the chain of thought; "none" leaves it empty.
    """

    num_frames: int = 8
    fps: float = 1.0
    size: int = 28
    object_scale: float = 1 / 3
    noise_sigma: float = 2.0
    distractors: int = 0
    num_colours: int = 4
    num_shapes: int = 1
    num_directions: Literal[4, 8] = 4
    max_count: int = 4
    event_length: Literal["short", "varied"] = "short"
    flash_frames: int = 1
    option_count: int = 4
    option_order: Literal["fixed", "shuffled"] = "fixed"
    question_type: QuestionType = "natural"
    rationale: Literal["none", "short", "medium"] = "short"

    def __post_init__(self) -> None:
        limits: dict[str, tuple[float, float]] = {
            "num_frames": (8, 4096),
            "fps": (0.1, 60),
            "size": (16, 1024),
            "object_scale": (0.05, 0.5),
            "noise_sigma": (0, 64),
            "distractors": (0, 4),
            "num_colours": (1, len(COLOURS)),
            "num_shapes": (1, len(SHAPES)),
            "max_count": (2, 9),
            "flash_frames": (1, 64),
            "option_count": (2, 8),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"Knobs.{name}: {value} is outside {low} to {high}.")
        words: dict[str, tuple[object, ...]] = {
            "num_directions": (4, 8),
            "event_length": ("short", "varied"),
            "option_order": ("fixed", "shuffled"),
            "question_type": ("natural", "mcq", "number", "interval", "boxes", "free"),
            "rationale": ("none", "short", "medium"),
        }
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"Knobs.{name}: {getattr(self, name)!r} is none of {allowed}.")
        if self.size % 2:
            raise ValueError(f"Knobs.size: {self.size} is odd, which H.264 4:2:0 cannot hold.")
        if self.num_frames < self.flash_frames:
            raise ValueError(
                f"Knobs.flash_frames: {self.flash_frames} is longer than the clip. Lower it."
            )
        if self.num_frames < 2 * self.max_count - 1:
            raise ValueError(
                f"Knobs.max_count: {self.max_count} separate events need "
                f"{2 * self.max_count - 1} frames. Raise num_frames or lower max_count."
            )

    @property
    def seconds(self) -> float:
        """Length of a clip in seconds."""
        return self.num_frames / self.fps


@dataclass
class _Thing:
    """An object on screen. Arrays have one entry a frame; x, y are its centre."""

    colour: str
    shape: str
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    side: npt.NDArray[np.float64]
    visible: npt.NDArray[np.bool_]
    distractor: bool = False

    def box(self, frame: int) -> list[float]:
        half = self.side[frame] / 2
        x, y = self.x[frame], self.y[frame]
        return [round(float(v), 3) for v in (x - half, y - half, x + half, y + half)]


@dataclass
class _Scene:
    """What a task hands back: the objects, and the question about them."""

    things: list[_Thing]
    question: str
    answer: str
    classes: tuple[str, ...] = ()
    seen: str = ""
    seen_medium: str = ""
    conclusion: str = ""
    order_dependent: bool = False
    facts: dict[str, Any] | None = None


def make(
    task: str, seed: int, index: int, knobs: Knobs | None = None
) -> tuple[npt.NDArray[np.uint8], Sample]:
    """Draw clip number `index` of a task and state its question.

    Args:
        task: One of `TASKS`.
        seed: Seed of the series; any two series with different seeds are independent.
        index: Number in the series, from 0. Answers are balanced over consecutive indices.
        knobs: Look of the clip and form of the question; default `Knobs()`.

    Returns:
        frames: uint8 [T, S, S, 3], RGB.
        sample: `video` is None (nothing is written here). `meta` holds, all JSON-ready:
            `events` [{object, distractor, start, end [s], boxes [[t, x0, y0, x1, y1], ...]}],
            `order_dependent` (whether shuffling the frames destroys the answer), `seconds`, `fps`,
            `answer_text` (the answer in words or numbers, also when `answer` is a letter) and,
            where there are any, `interval` [s, e], `subtitle_cues` [{start, end, text}] and
            `tone` [s, e] or None.

    Raises:
        ValueError: The task is unknown or does not know `knobs.question_type`, or a number is
            negative.
    """
    knobs = knobs or Knobs()
    if task not in QUESTION_TYPES:
        raise ValueError(f"task: {task!r} is unknown. Choose one of {', '.join(TASKS)}.")
    kind = QUESTION_TYPES[task][0] if knobs.question_type == "natural" else knobs.question_type
    if kind not in QUESTION_TYPES[task]:
        raise ValueError(
            f"Knobs.question_type: {task} has no {kind!r} question. "
            f"Choose one of {', '.join(QUESTION_TYPES[task])}, or 'natural'."
        )
    if seed < 0 or index < 0:
        raise ValueError(f"seed, index: {seed}, {index}; both must be 0 or more.")
    draw = _Draw(task, seed, index, replace(knobs, question_type=kind))
    scene = getattr(draw, task)()
    options, answer, problem_type = draw.answer_format(scene)
    sample = Sample(
        id=f"{task}-{seed}-{index:06d}",
        question=scene.question,
        answer=answer,
        problem_type=problem_type,
        options=options,
        rationale=draw.rationale(scene, answer),
        task=task,
        meta=draw.meta(scene),
    )
    return draw.render(scene.things), sample


class _Draw:
    """One clip in the making: the random stream, the knobs, and one method a task."""

    def __init__(self, task: str, seed: int, index: int, knobs: Knobs) -> None:
        self.task, self.seed, self.index, self.knobs = task, seed, index, knobs
        self.rng = Random(f"vidpost world {WORLD_VERSION}/{task}/{seed}/{index}")
        self.palette = tuple(COLOURS)[: knobs.num_colours]
        self.mcq = knobs.question_type == "mcq"

    # --- randomness -----------------------------------------------------------------------------

    def balanced(self, what: str, k: int) -> int:
        """A number below k; each k consecutive indices see each number once."""
        block, place = divmod(self.index, k)
        numbers = list(range(k))
        Random(f"vidpost balance/{self.task}/{self.seed}/{what}/{block}").shuffle(numbers)
        return numbers[place]

    def spot(self, side: float) -> float:
        """A centre coordinate at which an object of this side lies inside the frame."""
        return self.rng.uniform(side / 2, 1 - side / 2)

    def colours(self, n: int) -> list[str]:
        """N different colours; the first one is balanced over indices."""
        if n > len(self.palette):
            raise ValueError(
                f"Knobs.num_colours: {self.task} needs {n} colours, there are "
                f"{len(self.palette)}. Raise num_colours."
            )
        first = self.palette[self.balanced("colour", len(self.palette))]
        return [first, *self.rng.sample([c for c in self.palette if c != first], n - 1)]

    def runs(self, n: int, varied: bool) -> list[tuple[int, int]]:
        """N separate runs of frames [start, stop) in random places, at least one frame apart."""
        slack = self.knobs.num_frames - (2 * n - 1)
        # Slots: the gaps before, between and after the runs, and with `varied` the runs too.
        slots = n + 1 + (n if varied else 0)
        extra = [0] * slots
        for _ in range(slack):
            extra[self.rng.randrange(slots)] += 1
        runs, at = [], 0
        for i in range(n):
            at += extra[i] + (1 if i else 0)
            length = 1 + (extra[n + 1 + i] if varied else 0)
            runs.append((at, at + length))
            at += length
        return runs

    # --- objects --------------------------------------------------------------------------------

    def thing(
        self,
        colour: str,
        x: float | npt.NDArray[np.float64] | None = None,
        y: float | npt.NDArray[np.float64] | None = None,
        side: float | npt.NDArray[np.float64] | None = None,
        frames: tuple[int, int] | None = None,
        shape: str | None = None,
    ) -> _Thing:
        """An object, visible in frames [start, stop); unset places are random."""
        t = self.knobs.num_frames
        side = self.knobs.object_scale if side is None else side
        largest = float(np.max(side))
        x = self.spot(largest) if x is None else x
        y = self.spot(largest) if y is None else y
        visible = np.zeros(t, dtype=bool)
        visible[slice(*(frames or (0, t)))] = True
        return _Thing(
            colour,
            shape or SHAPES[self.rng.randrange(self.knobs.num_shapes)],
            np.broadcast_to(np.asarray(x, dtype=np.float64), (t,)),
            np.broadcast_to(np.asarray(y, dtype=np.float64), (t,)),
            np.broadcast_to(np.asarray(side, dtype=np.float64), (t,)),
            visible,
        )

    def wanderer(self, colour: str) -> _Thing:
        """An object that goes straight from one random place to another."""
        t, side = self.knobs.num_frames, self.knobs.object_scale
        x, y = (np.linspace(self.spot(side), self.spot(side), t) for _ in range(2))
        return self.thing(colour, x, y)

    def distract(self, used: Sequence[str]) -> list[_Thing]:
        """Distractors in colours that the question and its options do not use, else in grey."""
        free = [c for c in self.palette if c not in used] or ["grey"]
        things = [self.wanderer(self.rng.choice(free)) for _ in range(self.knobs.distractors)]
        for thing in things:
            thing.distractor = True
        return things

    def name(self, thing: _Thing) -> str:
        return thing.colour if self.knobs.num_shapes == 1 else f"{thing.colour} {thing.shape}"

    def time(self, frame: int) -> float:
        return round(frame / self.knobs.fps, 3)

    def at(self, frame: int) -> str:
        return f"{self.time(frame):.1f}s"

    # --- question, rationale, ground truth ------------------------------------------------------

    def answer_format(self, scene: _Scene) -> tuple[tuple[str, ...], str, str]:
        """Options, answer and problem type of a scene."""
        kind = self.knobs.question_type
        if kind != "mcq":
            regression = self.task == "speed"
            problem_type = {
                "number": "regression" if regression else "numerical",
                "interval": "temporal grounding",
                "boxes": "tracking",
                "free": "free-form",
            }[kind]
            return (), scene.answer, problem_type
        classes = list(scene.classes)
        gold = scene.answer
        n = min(self.knobs.option_count, len(classes))
        if n < len(classes):
            others = [c for c in classes if c != gold]
            kept = {gold, *self.rng.sample(others, n - 1)}
            classes = [c for c in classes if c in kept]
        if self.knobs.option_order == "shuffled":
            classes.remove(gold)
            self.rng.shuffle(classes)
            classes.insert(self.balanced("letter", n), gold)
        letters = "ABCDEFGH"
        options = tuple(f"{letters[i]}. {text}" for i, text in enumerate(classes))
        return options, letters[classes.index(gold)], "multiple choice"

    def rationale(self, scene: _Scene, answer: str) -> str:
        """What is seen, with times, and what follows from it."""
        conclusion = scene.conclusion or scene.answer
        if self.knobs.rationale == "none":
            return ""
        if self.knobs.rationale == "short":
            return f"{scene.seen}: {conclusion}"
        seen = scene.seen_medium or scene.seen
        return f"{seen}: {conclusion}, so {answer}" if self.mcq else f"{seen}: {conclusion}"

    def meta(self, scene: _Scene) -> dict[str, Any]:
        """The ground truth behind a scene, as JSON-ready data."""
        events = []
        for thing in scene.things:
            edges = np.flatnonzero(np.diff(np.pad(thing.visible.astype(np.int8), 1))).tolist()
            for start, stop in zip(edges[::2], edges[1::2], strict=True):
                events.append(
                    {
                        "object": self.name(thing),
                        "distractor": thing.distractor,
                        "start": self.time(start),
                        "end": self.time(stop),
                        "boxes": [[self.time(i), *thing.box(i)] for i in range(start, stop)],
                    }
                )
        return {
            "events": events,
            "order_dependent": scene.order_dependent,
            "seconds": round(self.knobs.seconds, 3),
            "fps": float(self.knobs.fps),
            "answer_text": scene.answer,
            **(scene.facts or {}),
        }

    def render(self, things: Sequence[_Thing]) -> npt.NDArray[np.uint8]:
        """Frames uint8 [T, S, S, 3]; distractors lie below the other objects."""
        t, s = self.knobs.num_frames, self.knobs.size
        shade = 18 + 6 * Random(f"vidpost shade/{self.task}/{self.seed}/{self.index}").random()
        frames = np.full((t, s, s, 3), shade, dtype=np.float32)
        for thing in sorted(things, key=lambda thing: not thing.distractor):
            on = np.flatnonzero(thing.visible)
            cover = _coverage(thing, on, s)[..., None]
            colour = np.asarray(COLOURS.get(thing.colour, GREY), dtype=np.float32)
            frames[on] += cover * (colour - frames[on])
        if self.knobs.noise_sigma:
            rng = np.random.default_rng([TASKS.index(self.task), self.seed, self.index])
            noise = rng.standard_normal(frames.shape, dtype=np.float32)
            frames += np.float32(self.knobs.noise_sigma) * noise
        return np.clip(np.rint(frames), 0, 255).astype(np.uint8)

    # --- tasks ----------------------------------------------------------------------------------

    def direction(self) -> _Scene:
        """An object crosses the frame; which way?"""
        t, side = self.knobs.num_frames, self.knobs.object_scale
        classes = tuple(_DIRECTIONS)[: self.knobs.num_directions]
        way = classes[self.balanced("answer", len(classes))]
        free = 1 - side
        path = []
        for sign in _DIRECTIONS[way]:
            # The way covers at least 0.8 of the free space, so it shows at 28 pixels.
            first = side / 2 + self.rng.uniform(0, 0.1) * free
            last = 1 - side / 2 - self.rng.uniform(0, 0.1) * free
            still = self.spot(side)
            ends = {1: (first, last), -1: (last, first), 0: (still, still)}[sign]
            path.append(np.linspace(*ends, t))
        (colour,) = self.colours(1)
        thing = self.thing(colour, path[0], path[1])
        name = self.name(thing)
        wide, high = (sign != 0 for sign in _DIRECTIONS[way])
        places = {i: _place(thing.x[i], thing.y[i], wide, high) for i in (0, t - 1)}
        places = {0: places[0], t // 2: "middle", t - 1: places[t - 1]}
        seen = [f"{self.at(i)} {name} {place}" for i, place in places.items()]
        return _Scene(
            [thing, *self.distract([colour])],
            f"Which way does {name} move?",
            way,
            classes,
            f"{seen[0]}; {seen[2]}",
            "; ".join(seen),
            f"moves {way}",
            order_dependent=True,
        )

    def order(self) -> _Scene:
        """Two objects are shown one after the other; which comes first?"""
        colours = self.colours(2)
        # One shape for both: else the colour alone would not name the answer.
        shape = SHAPES[self.rng.randrange(self.knobs.num_shapes)]
        runs = self.runs(2, varied=True)
        pair = zip(colours, runs, strict=True)
        things = [self.thing(c, frames=run, shape=shape) for c, run in pair]
        first, second = colours
        seen = "; ".join(f"{self.at(a)} {c}" for c, (a, _) in zip(colours, runs, strict=True))
        medium = "; ".join(
            f"{self.at(a)} to {self.at(b)} {c}" for c, (a, b) in zip(colours, runs, strict=True)
        )
        # Both shown colours stay among the options, so that seeing which were shown gives 1 in 2.
        others = [c for c in self.palette if c not in colours]
        self.rng.shuffle(others)
        kept = {first, second, *others[: self.knobs.option_count - 2]}
        return _Scene(
            [*things, *self.distract(self.palette)],
            "Which colour comes first?",
            first,
            tuple(c for c in self.palette if c in kept),
            seen,
            medium,
            f"{first} first",
            order_dependent=True,
        )

    def counting(self) -> _Scene:
        """An object appears n times; how often?"""
        top = self.knobs.max_count
        n = 1 + self.balanced("answer", top)
        (colour,) = self.colours(1)
        varied = self.knobs.event_length == "varied"
        runs = self.runs(n, varied)
        things = [self.thing(colour, frames=run, shape=SHAPES[0]) for run in runs]
        return _Scene(
            [*things, *self.distract([colour])],
            f"How many times does {colour} appear?",
            str(n),
            tuple(str(c) for c in range(1, top + 1)),
            "; ".join(f"{self.at(a)} {colour}" for a, _ in runs),
            "; ".join(f"{self.at(a)} {colour} {i}" for i, (a, _) in enumerate(runs, 1)),
            order_dependent=varied and n > 1,
        )

    def counting_objects(self) -> _Scene:
        """N objects of one colour lie still; how many?"""
        top = self.knobs.max_count
        n = 1 + self.balanced("answer", top)
        cells = int(np.ceil(np.sqrt(top)))
        side = min(self.knobs.object_scale, 0.7 / cells)
        places = self.rng.sample(range(cells * cells), min(cells**2, n + self.knobs.distractors))
        (colour,) = self.colours(1)
        others = [c for c in self.palette if c != colour] or ["grey"]
        things = []
        for i, place in enumerate(places):
            room = 1 / cells - side
            # A shift of at most 0.6 of the room keeps a gap between neighbours.
            x, y = ((c + self.rng.random() * 0.6) * room + c * side for c in divmod(place, cells))
            c = colour if i < n else self.rng.choice(others)
            things.append(self.thing(c, x + side / 2, y + side / 2, side))
            things[-1].distractor = i >= n
        seen = [f"{colour} {_place(t.x[0], t.y[0], True, True)}" for t in things[:n]]
        return _Scene(
            things,
            f"How many {colour} objects?",
            str(n),
            tuple(str(c) for c in range(1, top + 1)),
            f"{self.at(0)} {' '.join([colour] * n)}",
            f"{self.at(0)} " + "; ".join(f"{s} {i}" for i, s in enumerate(seen, 1)),
        )

    def speed(self) -> _Scene:
        """An object moves sideways; how fast, in percent of the width a second?"""
        t, fps, side = self.knobs.num_frames, self.knobs.fps, self.knobs.object_scale
        room = int(100 * (1 - side))
        unit = max(1, int(0.95 * room * fps / (t - 1) / 4))
        speeds = [unit * k for k in range(1, 5)]
        v = speeds[self.balanced("answer", 4)]
        start = self.rng.randint(0, max(0, room - int(np.ceil(v * (t - 1) / fps))))
        # A triangle wave: long clips bounce at the walls. Whole percents keep the rationale exact.
        ramp = (start + v * np.arange(t) / fps) % (2 * room)
        left = np.where(ramp > room, 2 * room - ramp, ramp)
        if self.rng.random() < 0.5:
            left = room - left
        (colour,) = self.colours(1)
        thing = self.thing(colour, left / 100 + side / 2)
        name = self.name(thing)
        steps = np.diff(left)
        turn = np.flatnonzero(np.abs(np.abs(steps) - v / fps) > 1e-6)
        last = int(turn[0]) if turn.size else t - 1
        seen = f"{self.at(0)} {name} {left[0]:g}; {self.at(last)} {name} {left[last]:g}"
        path = f"{abs(left[last] - left[0]):g} in {self.at(last)}"
        return _Scene(
            [thing, *self.distract([colour])],
            f"How fast does {name} move, in percent a second?",
            str(v),
            tuple(str(s) for s in speeds),
            f"{seen}; {path}",
            # The set of places, in any order, still shows how far apart neighbouring frames are.
            order_dependent=False,
        )

    def temporal_grounding(self) -> _Scene:
        """An object is visible for a while; when?"""
        t = self.knobs.num_frames
        (colour,) = self.colours(1)
        question = f"When does {colour} appear?"
        if self.knobs.question_type == "interval":
            length = self.rng.randint(max(1, t // 8), t // 2)
            first = self.rng.randint(0, t - length)
        else:
            part, first, length = self.part()
            if part == "never":
                scene = self.nothing(question, part, f"no {colour}")
                scene.things += self.distract([colour])
                return scene
        last = first + length
        thing = self.thing(colour, frames=(first, last), shape=SHAPES[0])
        interval = f"{self.time(first):.1f} to {self.time(last):.1f}"
        scene = _Scene([thing, *self.distract([colour])], question, interval, order_dependent=True)
        scene.facts = {"interval": [self.time(first), self.time(last)]}
        if self.knobs.question_type == "interval":
            scene.seen = f"{self.at(first)} {colour}; {self.at(last)} no {colour}"
            if last == t:
                scene.seen = f"{self.at(first)} {colour}; {self.at(last)} end"
            return scene
        scene.answer, scene.classes = part, self.parts()
        scene.seen = f"{self.at(first)} {colour}; {self.at(t)} end"
        scene.seen_medium = f"{self.at(first)} to {self.at(last)} {colour}; {self.at(t)} end"
        return scene

    def parts(self) -> tuple[str, ...]:
        return _PARTS[: max(3, min(4, self.knobs.option_count))]

    def part(self) -> tuple[str, int, int]:
        """A part of the clip, and a run (first frame, length) inside that third."""
        t, parts = self.knobs.num_frames, self.parts()
        part = parts[self.balanced("answer", len(parts))]
        third = _PARTS.index(part)
        # Frame i covers i..i+1 of t; runs that touch a border of the thirds would be ambiguous.
        low, high = -(-third * t // 3), (third + 1) * t // 3
        length = self.rng.randint(max(1, (high - low) // 2), max(1, high - low))
        return part, self.rng.randint(low, max(low, high - length)), length

    def nothing(self, question: str, answer: str, seen: str) -> _Scene:
        """A scene in which what is asked for does not happen."""
        t = self.knobs.num_frames
        return _Scene([], question, answer, self.parts(), f"{seen}; {self.at(t)} end")

    def tracking(self) -> _Scene:
        """An object goes straight; where is it each second?"""
        (colour,) = self.colours(1)
        thing = self.wanderer(colour)
        name = self.name(thing)
        step = self.knobs.fps
        frames = [int(i * step) for i in range(max(1, int(self.knobs.seconds)))]
        boxes = [[round(v, 2) for v in thing.box(i)] for i in frames]
        corners = [f"{self.at(i)} {b[0]:g} {b[1]:g}" for i, b in zip(frames, boxes, strict=True)]
        return _Scene(
            [thing, *self.distract([colour])],
            f"Where is {name} each second? Start {json.dumps(boxes[0])}",
            json.dumps(boxes),
            seen=f"{name} {corners[0]}; {corners[-1]}; side {self.knobs.object_scale:.2f}",
            seen_medium=f"{name} {'; '.join(corners)}; side {self.knobs.object_scale:.2f}",
            conclusion="straight",
            order_dependent=True,
            facts={"object": name, "box_times": [self.time(i) for i in frames]},
        )

    def spatial_relation(self) -> _Scene:
        """Two objects lie still; where is one, seen from the other?"""
        classes = tuple(_RELATIONS)
        where = classes[self.balanced("answer", 4)]
        # Two objects and a gap must fit beside each other.
        side = min(self.knobs.object_scale, 0.4)
        colours = self.colours(2)
        shape = SHAPES[self.rng.randrange(self.knobs.num_shapes)]
        free = 1 - 2 * side
        margins = [side / 2 + 0.3 * free * self.rng.random() for _ in range(2)]
        along = (margins[0], 1 - margins[1])
        across = self.rng.uniform(side / 2 + 0.05, 1 - side / 2 - 0.05)
        dx, dy = _RELATIONS[where]
        places = along if dx + dy < 0 else along[::-1]
        sides = [across + self.rng.uniform(-0.05, 0.05) for _ in range(2)]
        things = [
            self.thing(c, *((p, q) if dx else (q, p)), side, shape=shape)
            for c, p, q in zip(colours, places, sides, strict=True)
        ]
        a, b = colours
        other = {"left": "right", "right": "left", "above": "below", "below": "above"}[where]
        return _Scene(
            [*things, *self.distract(colours)],
            f"Where is {a} from {b}?",
            where,
            classes,
            f"{self.at(0)} {a} {where}, {b} {other}",
        )

    def needle(self) -> _Scene:
        """A grey object moves about; a coloured one flashes. Which colour?"""
        (colour,) = self.colours(1)
        long = self.knobs.flash_frames
        frame = self.rng.randrange(self.knobs.num_frames - long + 1)
        flash = self.thing(colour, frames=(frame, frame + long), shape=SHAPES[0])
        background = self.wanderer("grey")
        background.distractor = True
        return _Scene(
            [flash, background, *self.distract(self.palette)],
            "Which colour flashes?",
            colour,
            self.palette,
            f"{self.at(frame)} {colour}",
            facts={"interval": [self.time(frame), self.time(frame + long)]},
        )

    def subtitle_evidence(self) -> _Scene:
        """The answer stands in the subtitles alone; the picture shows a grey object."""
        (colour,) = self.colours(1)
        t = self.knobs.num_frames
        cues = [("box", colour)]
        others = [c for c in self.palette if c != colour] or [colour]
        things = self.rng.sample(("door", "car", "hat", "cup"), self.knobs.distractors)
        cues += [(thing, self.rng.choice(others)) for thing in things]
        self.rng.shuffle(cues)
        edges = [self.time(i * t // len(cues)) for i in range(len(cues) + 1)]
        subtitles = [
            {"start": edges[i], "end": edges[i + 1], "text": f"The {thing} is {c}."}
            for i, (thing, c) in enumerate(cues)
        ]
        said = edges[cues.index(("box", colour))]
        background = self.wanderer("grey")
        background.distractor = True
        return _Scene(
            [background],
            "Which colour is the box?",
            colour,
            self.palette,
            f"{said:.1f}s box is {colour}",
            facts={"subtitle_cues": subtitles},
        )

    def sound_evidence(self) -> _Scene:
        """The answer stands in the sound alone: when does a tone sound?"""
        part, first, length = self.part()
        question = "When does the tone sound?"
        background = self.wanderer("grey")
        background.distractor = True
        scene = self.nothing(question, part, "no tone")
        scene.things = [background]
        scene.facts = {"tone": None}
        if part != "never":
            end = self.at(self.knobs.num_frames)
            scene.seen = f"{self.at(first)} tone; {end} end"
            scene.facts = {"tone": [self.time(first), self.time(first + length)]}
        return scene

    def reversal(self) -> _Scene:
        """An object grows or shrinks: each frame of one clip could be a frame of the other."""
        t = self.knobs.num_frames
        classes = ("grows", "shrinks", "stays")[: min(3, self.knobs.option_count)]
        answer = classes[self.balanced("answer", len(classes))]
        small = self.knobs.object_scale * self.rng.uniform(0.5, 0.7)
        big = self.knobs.object_scale * self.rng.uniform(1.5, 1.8)
        ends = {"grows": (small, big), "shrinks": (big, small), "stays": (big, big)}[answer]
        if answer == "stays" and self.rng.random() < 0.5:
            ends = (small, small)
        side = np.linspace(*ends, t)
        # Every clip keeps the place of its largest possible object, so the place tells nothing.
        x, y = self.spot(self.knobs.object_scale * 1.8), self.spot(self.knobs.object_scale * 1.8)
        (colour,) = self.colours(1)
        thing = self.thing(colour, x, y, side)
        name = self.name(thing)
        words = ["small" if s < self.knobs.object_scale else "big" for s in ends]
        return _Scene(
            [thing, *self.distract([colour])],
            f"What does {name} do?",
            answer,
            classes,
            f"{self.at(0)} {name} {words[0]}; {self.at(t - 1)} {name} {words[1]}",
            order_dependent=answer != "stays",
        )


def _place(x: float, y: float, wide: bool, high: bool) -> str:
    """Words for a place, along the axes asked for: "up left", "right"."""
    words = []
    if high:
        words.append("up" if y < 0.5 else "down")
    if wide:
        words.append("left" if x < 0.5 else "right")
    return " ".join(words)


def _coverage(thing: _Thing, frames: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.float32]:
    """Share of each pixel that an object covers: float32 [len(frames), size, size], 0 to 1.

    Soft edges keep sub-pixel motion visible at 28 pixels.
    """
    grid = (np.arange(size) + 0.5) / size
    dx = np.abs(grid[None, None, :] - thing.x[frames, None, None])
    dy = grid[None, :, None] - thing.y[frames, None, None]
    half = thing.side[frames, None, None] / 2
    if thing.shape == "square":
        # The covered share along each axis on its own is exact for a square.
        inside = np.clip((half - dx) * size + 0.5, 0, 1) * np.clip(
            (half - np.abs(dy)) * size + 0.5, 0, 1
        )
        return inside.astype(np.float32)
    if thing.shape == "circle":
        depth = half - np.hypot(dx, dy)
    elif thing.shape == "diamond":
        depth = (half - dx - np.abs(dy)) / np.sqrt(2)
    else:
        # Triangle, tip up: below the two slanted edges (slope 2) and above the base.
        depth = np.minimum((dy + half - 2 * dx) / np.sqrt(5), half - dy)
    return np.clip(depth * size + 0.5, 0, 1).astype(np.float32)
