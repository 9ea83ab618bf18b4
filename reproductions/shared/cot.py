"""Chain-of-thought data: draft from metadata, refine against the frames, verify, filter.

The pipeline of the survey's Section 2.3, as published data sets were built: a text model drafts the
reasoning from what is known about a video (captions, speech, events), a multimodal model rewrites
it while it looks at the frames, a reward that knows the gold answer checks the outcome, and rules
drop what is too short, too long, repeated, or leans on knowing the answer. What comes out are
records in the published Video-R1 form (`process` holds the reasoning), which `vidpost run --data`
trains on.

The drafter is told the answer and sees no frames; the refiner sees frames and is not told.
Both are `Generator`s, so a model of any engine serves, and a cached one makes the work resumable.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from reproductions.shared.inference.engine import Generator, Message, Request, Sampling, Shown
from reproductions.shared.method import RewardFunction, Sample
from reproductions.shared.prompts import ANSWER_FORMS, question
from reproductions.shared.rewards.rules import FORMATS
from reproductions.shared.rewards.tags import extract_tag

FACTS_LIMIT = 6000
"""Characters of metadata in a draft's prompt."""

LEAKS = re.compile(
    r"\b(?:(?:the\s+)?(?:given|provided|correct|gold|reference)\s+answer|as\s+(?:stated|given)\s+in\s+"
    r"the\s+(?:draft|metadata|caption)s?|ground[- ]truth|the\s+draft\s+says)\b",
    re.IGNORECASE,
)
"""Reasoning that leans on what a reader of the video cannot know."""

Draft = Literal["model", "given", "none"]
Reason = Literal["kept", "wrong", "format", "short", "long", "leak", "repeated", "empty"]


@dataclass(frozen=True)
class Recipe:
    """How the data are made.

    Attributes:
        draft: "model": the drafter writes one from the metadata; "given": the sample's rationale
            is the draft; "none": the refiner starts from the frames alone.
        show_draft: Whether the refiner reads the draft; otherwise it answers with its own prompt,
            which a model that was trained on one prompt needs.
        candidates: Refined versions a sample; the first that passes is taken.
        keep_draft: Whether a draft that passes is kept where no refined version does.
        least: Reward from which a candidate passes, 0 to 1.
        words: Fewest and most words of the reasoning.
        facts: Keys of `Sample.meta` that the drafter may read.
        max_new_tokens: Tokens a draft or candidate.
        temperature: Of the candidates; drafts are greedy.
        seed: Seed of sampling.
    """

    draft: Draft = "model"
    show_draft: bool = True
    candidates: int = 4
    keep_draft: bool = False
    least: float = 1.0
    words: tuple[int, int] = (3, 800)
    facts: tuple[str, ...] = ("captions", "subtitle_cues", "events", "interval", "seconds")
    max_new_tokens: int = 1024
    temperature: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if (
            self.candidates < 1
            or not 0 < self.least <= 1
            or not 0 <= self.words[0] <= self.words[1]
        ):
            raise ValueError(
                f"{self}: candidates must be at least 1, least above 0 and at most 1, and words "
                "(fewest, most)."
            )


@dataclass(frozen=True)
class Item:
    """What became of one sample.

    Attributes:
        sample: The sample; its `rationale` is the new reasoning if it was kept.
        draft: The draft, "" if there was none.
        kept: Whether a candidate passed.
        reason: "kept", or why the last candidate failed.
        reward: Reward of the candidate that was kept, or the best one.
        origin: "refined", "draft", or "" if nothing was kept.
        tried: How many candidates were looked at.
    """

    sample: Sample
    draft: str
    kept: bool
    reason: Reason
    reward: float
    origin: str
    tried: int


def facts_of(sample: Sample, keys: Sequence[str]) -> str:
    """The metadata a drafter reads: one line a fact, at most `FACTS_LIMIT` characters."""
    lines = []
    for key in keys:
        if key in sample.meta:
            value = sample.meta[key]
            parts = value if isinstance(value, list | tuple) else [value]
            lines += [f"{key}: {_line(part)}" for part in parts]
    return "\n".join(lines)[:FACTS_LIMIT]


def _line(part: Any) -> str:
    if not isinstance(part, Mapping):
        return str(part)
    # Boxes of every frame would drown the rest.
    return ", ".join(f"{k} {v}" for k, v in part.items() if not isinstance(v, list | tuple))


def draft_prompt(sample: Sample, facts: str) -> str:
    """What the drafter is asked."""
    return (
        "Facts about a video that you cannot see:\n"
        f"{facts or 'none'}\n\n"
        f"Question: {question(sample)}\n"
        f"Its answer is {sample.answer}.\n"
        "Write, step by step and with times in seconds, how a viewer finds this answer by looking. "
        "Do not say that the answer or the facts were given. Write only the reasoning."
    )


def refine_prompt(sample: Sample, draft: str) -> str:
    """What the refiner is asked, beside the frames."""
    form = ANSWER_FORMS.get(sample.problem_type, ANSWER_FORMS["free-form"])
    return (
        f"{question(sample)}\n\n"
        "Somebody who did not see the video wrote this draft of the reasoning:\n"
        f"{draft}\n\n"
        "Check each step against the frames, correct what they do not show, and drop what cannot "
        "be seen. Write the corrected reasoning in <think> </think>, then the answer that follows "
        f"from it in <answer> </answer>: {form}."
    )


def distil(
    samples: Sequence[Sample],
    refiner: Generator,
    reward: RewardFunction,
    recipe: Recipe,
    drafter: Generator | None = None,
    progress: Callable[[int], None] | None = None,
    batch: int = 32,
) -> list[Item]:
    """Make reasoning for samples.

    Args:
        samples: Questions with gold answers.
        refiner: Answers with the frames before it.
        reward: Accuracy with TRL's signature; it alone is told the gold answer at the end.
        recipe: How.
        drafter: Writes drafts from text; default the refiner.
        progress: Called with the number of samples done since the last call.
        batch: Samples a call.

    Returns:
        One item a sample, in order.
    """
    seen: set[str] = set()
    items: list[Item] = []
    for start in range(0, len(samples), batch):
        part = samples[start : start + batch]
        drafts = _drafts(part, drafter or refiner, recipe)
        requests = [
            Request(s, n=recipe.candidates, messages=_messages(s, d, recipe))
            for s, d in zip(part, drafts, strict=True)
        ]
        sampling = Sampling(
            temperature=recipe.temperature if recipe.candidates > 1 else 0.0,
            max_new_tokens=recipe.max_new_tokens,
            seed=recipe.seed,
        )
        answers = refiner.generate(requests, sampling)
        for sample, draft, completions in zip(part, drafts, answers, strict=True):
            texts = [(c.text if c.finished else "", "refined") for c in completions]
            if recipe.keep_draft and draft:
                concluded = sample.meta.get("teacher_answer", sample.answer)
                texts.append((f"<think>{draft}</think><answer>{concluded}</answer>", "draft"))
            items.append(_first_that_passes(sample, draft, texts, reward, recipe, seen))
        if progress is not None:
            progress(len(part))
    return items


def _drafts(samples: Sequence[Sample], drafter: Generator, recipe: Recipe) -> list[str]:
    if recipe.draft == "none":
        return [""] * len(samples)
    if recipe.draft == "given":
        return [s.rationale for s in samples]
    requests = [
        Request(
            replace(s, video=None, meta={}),
            messages=(Message("user", draft_prompt(s, facts_of(s, recipe.facts))),),
        )
        for s in samples
    ]
    sampling = Sampling(max_new_tokens=recipe.max_new_tokens, seed=recipe.seed)
    texts = [a[0].text for a in drafter.generate(requests, sampling)]
    return [extract_tag(text, "think", default=text).strip() for text in texts]


def _messages(sample: Sample, draft: str, recipe: Recipe) -> tuple[Message, ...]:
    if not recipe.show_draft or not draft:
        return ()
    shows = Shown() if sample.video is not None else None
    return (Message("user", refine_prompt(sample, draft), shows),)


def _first_that_passes(
    sample: Sample,
    draft: str,
    texts: Sequence[tuple[str, str]],
    reward: RewardFunction,
    recipe: Recipe,
    seen: set[str],
) -> Item:
    """The first candidate that passes every check; else the last reason and the best reward."""
    best, reason = 0.0, "empty"
    for tried, (text, origin) in enumerate(texts, start=1):
        reason, value, thought = _look(sample, text, reward, recipe, seen)
        best = max(best, value)
        if reason == "kept":
            seen.add(_key(sample, thought))
            meta = {k: v for k, v in sample.meta.items() if k != "teacher_answer"}
            made = replace(sample, rationale=thought, meta=meta)
            return Item(made, draft, True, "kept", value, origin, tried)
    return Item(sample, draft, False, reason, best, "", len(texts))  # type: ignore[arg-type]


def _look(
    sample: Sample, text: str, reward: RewardFunction, recipe: Recipe, seen: set[str]
) -> tuple[Reason, float, str]:
    """(reason, reward, reasoning) of one candidate."""
    if not text.strip():
        return "empty", 0.0, ""
    value = reward(
        prompts=[sample.question],
        completions=[text],
        solution=[sample.answer],
        problem_type=[sample.problem_type],
        options=[list(sample.options)],
    )[0]
    if FORMATS["time_r1"](text) < 1:
        return "format", value, ""
    thought = extract_tag(text, "think").strip()
    words = len(thought.split())
    if value < recipe.least:
        return "wrong", value, thought
    if words < recipe.words[0]:
        return "short", value, thought
    if words > recipe.words[1]:
        return "long", value, thought
    if LEAKS.search(thought):
        return "leak", value, thought
    if _key(sample, thought) in seen:
        return "repeated", value, thought
    return "kept", value, thought


def _key(sample: Sample, thought: str) -> str:
    """Reasoning repeats another if words and question are the same: a template, not a look."""
    return " ".join([sample.video or "", sample.question, *thought.lower().split()])


def record_of(item: Item, root: str | Path) -> dict[str, Any]:
    """An item as a record in the published Video-R1 form, its file relative to `root`.

    Raises:
        ValueError: The file does not lie below `root`, or the sample shows nothing.
    """
    sample = item.sample
    image = sample.meta.get("image")
    file = sample.video or image
    if not file:
        raise ValueError(f"{sample.id}: shows no video and no image, which the form cannot say.")
    # An absolute name is told from a relative one without following links: the reader does not.
    path, base = (Path(os.path.normpath(Path(f).absolute())) for f in (file, root or "/"))
    if not path.is_relative_to(base):
        raise ValueError(
            f"{sample.id}: {file} does not lie below {root}. Give a folder that holds all videos."
        )
    record = {
        "problem_id": sample.id,
        "problem": sample.question,
        "data_type": "video" if sample.video else "image",
        "problem_type": sample.problem_type,
        "options": list(sample.options),
        "process": f"<think>{sample.rationale}</think>",
        "solution": f"<answer>{sample.answer}</answer>",
        "path": path.relative_to(base).as_posix(),
        "data_source": "vidpost cot",
    }
    return record | ({"task": sample.task} if sample.task else {})


def summary(items: Sequence[Item]) -> dict[str, Any]:
    """Counts by outcome, origin and task, for people and programs."""
    tasks: dict[str, Counter[str]] = {}
    for item in items:
        tasks.setdefault(item.sample.task or "all", Counter())[item.reason] += 1
    kept = [item for item in items if item.kept]
    return {
        "samples": len(items),
        "kept": len(kept),
        "reasons": dict(Counter(item.reason for item in items)),
        "origins": dict(Counter(item.origin for item in kept)),
        "tried": sum(item.tried for item in items),
        "words": sum(len(item.sample.rationale.split()) for item in kept) / max(1, len(kept)),
        "tasks": {task: dict(counts) for task, counts in sorted(tasks.items())},
    }
