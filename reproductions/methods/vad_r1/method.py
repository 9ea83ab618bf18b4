"""Vad-R1 checks its own verdict: without the span it named, an unusual video must look normal.

Paper: Vad-R1, arXiv 2505.19877: P2C chain of thought, AVA-GRPO (Sec. 3.3, Table 7).
Catalog: vad_r1
Baseline: grpo
Delta: rewards add the verification to class and form: the video is asked about again without the
    named span, or without an end of it; and a bonus for the length of the thought. prompt and
    format_target make the thought perceive before it judges, and name the span.
Not reproduced: the policy as its own verifier (the frozen checkpoint that the stage started from
    answers), and the structured answer (what, where, why); only the class is asked for.
"""

from typing import Any

from reproductions.shared.decoding.ask import request
from reproductions.shared.inference.engine import Sampling, Shown
from reproductions.shared.method import Context, Method, Sample
from reproductions.shared.prompts import question
from reproductions.shared.rewards import rules
from reproductions.shared.rewards.intervals import parse_to
from reproductions.shared.rewards.tags import extract_tag, text_of

CONFIRMED, REFUTED = 0.5, -0.2  # Sec. 3.3 and Table 7
LENGTH_BONUS = 0.2  # Table 7
LENGTHS = {True: (140, 261), False: (233, 456)}  # App. C.3: of normal and of unusual videos
END = 0.25  # our choice: the share of a video that is cut from its start or end
NORMAL = frozenset({"normal", "never", "no"})  # our choice: classes that name nothing unusual


def prompt(sample: Sample) -> str:
    """Perceive first, the span last, then judge: the order of the P2C chain."""
    form = "the letter of the right option only" if sample.options else "the class only"
    return (
        f"{question(sample)}\nThink first, in <think> </think>: what is seen, then when it is "
        f"unusual, as in 1.0 to 2.0. Then answer in <answer> </answer>: {form}."
    )


def format_target(sample: Sample) -> str:
    """Seen things, the span of what is unusual, the conclusion, and the class."""
    seen, _, conclusion = sample.rationale.rpartition(": ")
    span = sample.meta.get("interval")
    named = f"; {span[0]:.1f} to {span[1]:.1f}" if span else ""
    answer = sample.meta.get("teacher_answer", sample.answer)
    return f"<think>{seen}{named}: {conclusion}</think><answer>{answer}</answer>"


def verdict(text: str, sample: Sample) -> bool | None:
    """Whether an answer calls the video normal; None if it is none of the options."""
    said = rules.answer_of(text)
    named = {option[0]: option[2:].strip() for option in sample.options}
    if sample.options and said not in named:
        return None
    return named.get(said, said).strip().casefold() in NORMAL if said else None


def kept(text: str, normal: bool, known: Context) -> tuple[float, ...]:
    """The moments that are looked at again, seconds; () where nothing is cut, or nothing is left.

    Args:
        text: The answer.
        normal: Its verdict: one end is cut then, else the span that the thought named last.
        known: Of the answer; its `times` are the moments that it saw.
    """
    times = known.times
    if normal:
        cut = max(1, round(END * len(times)))
        return times[cut:] if known.rng.random() < 0.5 else times[: len(times) - cut]
    span = parse_to(extract_tag(text, "think")[-rules.ANSWER_LIMIT :])
    left = tuple(t for t in times if span and not span[0] <= t < span[1])
    return left if len(left) < len(times) else ()


def verification(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """0.5 if "unusual" turns over without its span, -0.2 if "normal" does without an end, else 0.

    The frozen checkpoint answers once more, greedily, and once for answers that keep the same.
    """
    rows = list(zip(map(text_of, completions), columns["sample"], columns["context"], strict=True))
    first = [verdict(text, sample) for text, sample, _ in rows]
    looks = [
        () if normal is None else kept(text, normal, known)
        for normal, (text, _, known) in zip(first, rows, strict=True)
    ]
    keys = [(sample.id, look) for look, (_, sample, _) in zip(looks, rows, strict=True)]
    by_key = {key: row[1] for key, row in zip(keys, rows, strict=True) if key[1]}
    asked = [request(s, prompt(s), Shown(times=look)) for (_, look), s in by_key.items()]
    known = columns["context"][0]
    sampling = Sampling(max_new_tokens=int(known.settings["max_completion_length"]))
    answers = known.frozen.generate(asked, sampling) if asked else []
    pairs = zip(by_key.items(), answers, strict=True)
    second = {key: verdict(answer[0].text, sample) for (key, sample), answer in pairs}
    paid = {(False, True): CONFIRMED, (True, False): REFUTED}
    return [paid.get((v, second.get(k)), 0.0) for v, k in zip(first, keys, strict=True)]


def length(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """The bonus for a thought as long as the video's label asks for, counted in words."""
    scores = []
    for completion, sample in zip(completions, columns["sample"], strict=True):
        low, high = LENGTHS[verdict(f"<answer>{sample.answer}</answer>", sample) is True]
        words = len(extract_tag(text_of(completion), "think").split())
        scores.append(LENGTH_BONUS * (low <= words <= high))
    return scores


METHOD = Method(
    id="vad_r1",
    baseline="grpo",
    prompt=prompt,
    rewards=(rules.accuracy("video_r1"), rules.format_reward("video_r1"), verification, length),
    format_target=format_target,
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
