"""The method contract: what a paper changed, as one frozen record of hooks.

A method is a delta to a baseline. Every hook that is left unset means "the baseline does this",
so a reader sees at a glance what the paper changed. This module is standard library only: it is
imported by code that must run without torch (the catalogue's contract tests, `vidpost diff`).

The order of the hooks below is the order in which things happen in a run:
stages -> prepare_data -> prompt -> frames -> build_group -> rewards -> shape_rewards -> advantages
-> token_weights -> loss; (SFT) format_target -> loss_mask; (test time) decode.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import math
import re
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

HOOKS: tuple[str, ...] = (
    "stages",
    "prepare_data",
    "prompt",
    "frames",
    "build_group",
    "rewards",
    "reward_weights",
    "shape_rewards",
    "advantages",
    "token_weights",
    "loss",
    "format_target",
    "loss_mask",
    "decode",
)
"""Names of all hooks, in the order in which they act. `Method` has one field for each."""

Kind = Literal["sft", "grpo", "preference"]


class MethodError(ValueError):
    """A method is not what its contract says. The message names place, fault and remedy."""


@dataclass(frozen=True)
class Sample:
    """One question about one video (or about no video).

    Attributes:
        id: Unique within its data set; stable over runs.
        question: The question as text, without answer instructions and without options.
        answer: The gold answer without tags: a letter, a number, "12.3 to 15.0" (seconds) or text.
        problem_type: The answer format. Published Video-R1 words: "multiple choice", "numerical",
            "OCR", "free-form", "regression"; ours in addition: "temporal grounding", "tracking".
        options: The options of a multiple-choice question, each with its letter ("A. left").
        video: Path of the video file, or None for a text-only question.
        rationale: Reference chain of thought without tags, "" if there is none.
        task: What is asked, for example "direction" or "counting" (reported per task).
        meta: Further facts about the sample; never shown to the model.
    """

    id: str
    question: str
    answer: str
    problem_type: str = "multiple choice"
    options: tuple[str, ...] = ()
    video: str | None = None
    rationale: str = ""
    task: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """One training stage. `name` is the key under `stages:` in the presets.

    Attributes:
        name: Key of the stage's settings in the preset and of its folder in the run.
        kind: Which shared trainer runs it.
    """

    name: str
    kind: Kind


@dataclass(frozen=True)
class Rollouts:
    """A part of a group: `n` answers to the same prompt over the same view of the video.

    Attributes:
        n: How many answers to sample (0 if `given` holds them all).
        view: Name of the view, for example "ordered" or "shuffled".
        frames: Maps the sampled frame order to another one (indices 0..T-1 -> permutation or
            subset); None keeps the frames as they are. Time positions stay those of the slots.
        trained: Whether these answers enter the loss. Untrained parts only inform the rewards.
        given: Answers that are not sampled but put into the group (off-policy answers).
    """

    n: int
    view: str = "ordered"
    frames: Callable[[int], Sequence[int]] | None = None
    trained: bool = True
    given: tuple[str, ...] = ()


@dataclass
class Group:
    """One prompt, one video and all answers to it: the unit of work in GRPO.

    Lists are aligned: entry i of `completions`, `views`, `trained`, `lengths` and of each list in
    `scores` belong to the same answer.

    Attributes:
        sample: The question.
        completions: Decoded answers, special tokens removed.
        views: For each answer, the name of the view of the video it was sampled from.
        trained: For each answer, whether it enters the loss.
        lengths: For each answer, its number of tokens, the end-of-sequence token included.
        scores: Reward name -> one float an answer, as returned by the reward functions.
        totals: For each trained answer, its total after `shape_rewards`.
        batch: The groups that this process scored together, this one among them.
    """

    sample: Sample
    completions: list[str]
    views: list[str]
    trained: list[bool]
    lengths: list[int]
    scores: dict[str, list[float]] = field(default_factory=dict)
    totals: list[float] = field(default_factory=list)
    batch: Sequence[Group] = field(default=(), repr=False, compare=False)

    def where(self, view: str) -> list[int]:
        """Indices of the answers sampled from `view`."""
        return [i for i, v in enumerate(self.views) if v == view]


@dataclass(frozen=True)
class Context:
    """What a hook may know about the run.

    Attributes:
        variant: "paper" or "official_code": which of two disagreeing sources to follow.
        stage: Name of the stage, as in the preset.
        seed: Seed of the run; hooks derive their own randomness from `rng`.
        step: Optimiser step, 0 before the first one.
        total_steps: Number of optimiser steps of the stage.
        num_generations: G, the number of trained answers a group.
        scale_rewards: How the baseline divides advantages: "group", "batch" or "none".
        settings: The stage's settings from the preset, read-only; for `decode` those under
            `decode:`, and the evaluation's.
        duration: Seconds of the sample's video (`decode` and `frames` at evaluation), else 0.
        examples: Solved questions that `decode` may show: training samples, never test ones.
        rng: A `random.Random` derived from (seed, step, sample), equal on a resumed run.
        times: Seconds of the frames that the sample's prompt shows (GRPO and `decode`), else ().
        frozen: A `Generator`: the checkpoint that the stage started from (at evaluation: the last
            stage), which stays as it is. It is loaded when it is first asked.
    """

    variant: Literal["paper", "official_code"] = "paper"
    stage: str = ""
    seed: int = 0
    step: int = 0
    total_steps: int = 1
    num_generations: int = 8
    scale_rewards: str = "group"
    settings: Mapping[str, Any] = field(default_factory=dict)
    rng: Any = None
    duration: float = 0.0
    examples: Sequence[Sample] = ()
    times: tuple[float, ...] = ()
    frozen: Any = None


class RewardFunction(Protocol):
    """TRL's reward signature: one float for each completion; columns arrive as lists.

    Columns: `solution`, `problem`, `problem_type`, `options`, `task`, `meta`, `sample`, `view` and
    `context`; in GRPO `length` and `completion_ids` as well.
    """

    def __call__(self, prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
        """One reward a completion."""
        ...


@dataclass(frozen=True)
class Method:
    """What a paper changed. Unset hooks mean the baseline's behaviour.

    Attributes:
        id: Catalogue id; equals the folder name.
        baseline: Id of the baseline under `reproductions/baselines`, None for a baseline itself.
        stages: The training stages in order.
        prepare_data: (samples, context) -> samples; filter, order or rewrite training data.
        prompt: (sample) -> user text shown after the video.
        frames: (sample, candidate times [s], context) -> chosen times [s].
        build_group: (sample, context) -> list of `Rollouts`; default one part of G answers. In a
            preference stage it says which answers a pair is chosen from.
        rewards: Reward functions with TRL's signature; names come from `__name__`.
        reward_weights: One weight a reward function; default 1.0 each.
        shape_rewards: (group, context) -> one total a trained answer; default the weighted sum.
        advantages: (group, context) -> one advantage a trained answer, from `group.totals`.
        token_weights: (`Tokens` of one group) -> weights of shape [G, T]; default 1.
        loss: (`Tokens` of the batch) -> scalar; default TRL's clipped surrogate plus KL.
        format_target: (sample) -> the text that SFT learns to write.
        loss_mask: (target text) -> character spans that count in the SFT loss.
        decode: (sample, generator, context) -> `Prediction` or text; default one greedy answer.
            Plain sequential code; many samples are answered side by side all the same.
        trainer: "module:Class" for the few methods that fit no hook; counted, explained.

    Raises:
        MethodError: A hook is of another kind than this, two rewards have one name, or their
            weights are of another number.
    """

    id: str
    baseline: str | None = None
    stages: tuple[Stage, ...] | None = None
    prepare_data: Callable[..., list[Sample]] | None = None
    prompt: Callable[[Sample], str] | None = None
    frames: Callable[..., Sequence[float]] | None = None
    build_group: Callable[[Sample, Context], list[Rollouts]] | None = None
    rewards: tuple[RewardFunction, ...] | None = None
    reward_weights: tuple[float, ...] | None = None
    shape_rewards: Callable[[Group, Context], list[float]] | None = None
    advantages: Callable[[Group, Context], list[float]] | None = None
    token_weights: Callable[..., Any] | None = None
    loss: Callable[..., Any] | None = None
    format_target: Callable[[Sample], str] | None = None
    loss_mask: Callable[[str], list[tuple[int, int]]] | None = None
    decode: Callable[..., Any] | None = None
    trainer: str | None = None

    def __post_init__(self) -> None:
        if self.baseline == self.id:
            raise MethodError(f"baseline: '{self.id}' is the method itself. Name another, or None.")
        for name, value in self.hooks().items():
            if name in ("stages", "rewards", "reward_weights"):
                if not isinstance(value, tuple | list):
                    shown = getattr(value, "__name__", repr(value))
                    raise MethodError(
                        f"{name}: is a {type(value).__name__}. Write a tuple, with a comma also "
                        f"after a single one: {name}=({shown},)."
                    )
            elif not callable(value):
                raise MethodError(
                    f"{name}: is a {type(value).__name__}. Give a function, without calling it."
                )
        for stage in self.stages or ():
            if not isinstance(stage, Stage) or stage.kind not in get_args(Kind):
                kinds = ", ".join(f"'{kind}'" for kind in get_args(Kind))
                raise MethodError(
                    f"stages: {stage!r} is none. Write Stage(name, kind), kind one of {kinds}."
                )
        names = [reward_name(reward) for reward in self.rewards or ()]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise MethodError(
                f"rewards: {names.count(twice)} are called '{twice}', and scores are kept by name. "
                f"Name each, as in {twice}.__name__ = 'another'."
            )
        for weight in self.reward_weights or ():
            if not isinstance(weight, int | float) or not math.isfinite(weight):
                raise MethodError(f"reward_weights: {weight!r} is no finite number. Write one.")
        weights = self.reward_weights
        if self.rewards is not None and weights is not None and len(weights) != len(names):
            raise MethodError(
                f"reward_weights: {len(weights)} for {len(names)} rewards ({', '.join(names)}). "
                "Give one weight a reward; left unset, the baseline's count."
            )

    def hooks(self) -> dict[str, Any]:
        """The hooks that are set, in the order in which they act."""
        return {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if f.name in HOOKS and getattr(self, f.name) is not None
        }

    def over(self, baseline: Method) -> Method:
        """This method with every unset hook filled from `baseline`."""
        filled = {
            name: getattr(self, name)
            if getattr(self, name) is not None
            else getattr(baseline, name)
            for name in HOOKS
        }
        return Method(id=self.id, baseline=self.baseline, trainer=self.trainer, **filled)


def reward_name(reward: Any) -> str:
    """What a reward function is called in logs, weights and `Group.scores`.

    Raises:
        MethodError: It is no function, or has no name (an object, a `functools.partial`).
    """
    if not callable(reward):
        raise MethodError(f"rewards: {reward!r} is no function. Give the function, not its result.")
    name = getattr(reward, "__name__", None)
    if not isinstance(name, str):
        raise MethodError(
            f"rewards: a {type(reward).__name__} has no name. Set its `__name__`, or write a "
            "function."
        )
    return name


def place_of(hook: Any) -> str:
    """Where a hook is written, "reproductions/methods/x/method.py:12: "; else nothing."""
    code = getattr(inspect.unwrap(hook), "__code__", None)
    return f"{_short(code.co_filename)}:{code.co_firstlineno}: " if code is not None else ""


def load_method(module: str, path: Path) -> Method:
    """The METHOD of a module.

    Args:
        module: Its dotted name.
        path: Its file, `<id>/method.py`.

    Raises:
        MethodError: It cannot be imported, or holds no METHOD of that id; with file and line.
    """
    file, id_ = _short(path), path.parent.name
    try:
        found = importlib.import_module(module)
    except SyntaxError as error:
        place = f"{_short(error.filename or path)}:{error.lineno}"
        raise MethodError(f"{place}: {error.msg}. Correct this line.") from None
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if _short(frame.filename) == file]
        raise MethodError(f"{file}:{lines[-1] if lines else 1}: {_reason(error)}") from None
    method = getattr(found, "METHOD", None)
    if not isinstance(method, Method):
        what = "is no Method" if hasattr(found, "METHOD") else "is missing"
        raise MethodError(f"{file}: METHOD {what}. End with METHOD = Method(id='{id_}', ...).")
    if method.id != id_:
        raise MethodError(
            f"{file}: the id '{method.id}' is not that of the folder. Write id='{id_}'."
        )
    return method


def _short(path: str | Path) -> str:
    """The end of a path, from `reproductions/` on."""
    return "/".join(Path(path).parts[-4:])


def _reason(error: Exception) -> str:
    """Why a module cannot be imported, and what to do."""
    if isinstance(error, MethodError):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").split(".")[0]
        needs = "" if package == "reproductions" else ", or install it (pip install '.[train]')"
        return f"there is no module '{error.name}'. Correct the name{needs}."
    if isinstance(error, ImportError):
        return f"{error.msg}. Correct the import."
    wrong = re.search(r"Method\.__init__\(\) got an unexpected keyword.* '(\w+)'", str(error))
    if wrong:
        near = difflib.get_close_matches(wrong[1], HOOKS, 1)
        hint = f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(HOOKS)}."
        return f"'{wrong[1]}' is no hook. {hint}"
    return f"{error} ({type(error).__name__}). Correct this line."
