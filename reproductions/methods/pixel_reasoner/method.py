"""Pixel Reasoner learns to look at frames again, by a bonus for doing so while it is still rare.

Paper: Pixel Reasoner, arXiv 2505.15966.
Catalog: pixel_reasoner
Baseline: grpo
Delta: prompt offers select_frames; prepare_data and format_target warm up on traces with and
    without it; rewards are right answers and calls; shape_rewards adds the curiosity bonus and the
    penalty; decode selects frames, then answers.
Not reproduced: training of the turn after a call (the stage's first checkpoint takes it, so there
    is one call an answer); crop_image; traces with a wrong call; sample replay; boxed answers.
"""

from dataclasses import replace
from typing import Any

from reproductions.shared.decoding.ask import greedy, request
from reproductions.shared.decoding.skills import evidence, target
from reproductions.shared.decoding.tools import Seen, ToolError, call_of, use
from reproductions.shared.inference.engine import Generator, Message, Prediction, Request, Shown
from reproductions.shared.method import Context, Group, Method, Sample
from reproductions.shared.prompts import rationale_target, think_then_answer
from reproductions.shared.rewards import rules
from reproductions.shared.rewards.advantages import curiosity
from reproductions.shared.rewards.tags import text_of

FRAMES, MOST = 16, 8  # App. C.1: of a 16-frame sequence, at most 8
RATE, ALPHA, OPERATIONS, BETA = 0.3, 0.5, 1, 0.05  # Eqs. 3 to 5: H, alpha, N, beta; App. C.3
WITH_CALL, TRACES = 11, 15  # Sec. 5: 5,500 of the 7,500 traces use an operation
SCALE = 4.0  # our choice: pixels of a selected frame, as a multiple of the first look's
CALL = '<tool>{{"name": "select_frames", "arguments": {{"target_frames": {}}}}}</tool>'
SEEN = "The selected frames."


def prompt(sample: Sample) -> str:
    """The question, with leave to look closer first (App. E.1, in our words)."""
    text = think_then_answer(sample)
    how = f"{CALL.format([3, 4])}, at most {MOST} of the frames 0 to {FRAMES - 1}"
    return f"{text}\nOr look closer first: {how}." if sample.video is not None else text


def select_frames(arguments: Any, sample: Sample, context: Context) -> Seen:
    """Some frames, larger: select_frames {"target_frames": numbers from 0}."""
    frames, n = arguments.get("target_frames"), len(context.times)
    whole = isinstance(frames, list) and all(type(i) is int and 0 <= i < n for i in frames)
    if not whole or not 1 <= len(frames) <= MOST:
        raise ToolError(f"'target_frames' must be 1 to {MOST} numbers from 0 to {n - 1}.")
    times = tuple(context.times[i] for i in sorted(set(frames)))
    return Seen(SEEN, Shown(times=times, scale=SCALE))


def after(text: str, sample: Sample, context: Context) -> Request | None:
    """The turn after a call, which shows frames or says why it cannot; None after an answer."""
    try:
        wanted = call_of(text) if sample.video is not None else None
        if wanted is None:
            return None
        seen = use(wanted, {"select_frames": select_frames}, sample, context)
    except ToolError as error:
        seen = Seen(f"Error: {error}")
    talk = (Message("user", prompt(sample), Shown()), Message("assistant", text))
    return request(sample, seen.text, seen.shows, before=talk, prefix="<think>")


def prepare_data(samples: list[Sample], context: Context) -> list[Sample]:
    """In the warm start, eleven of fifteen as a turn that calls and a turn that sees and answers.

    Calls select two frames of each event that a question about a synthetic clip is about.
    """
    if context.stage != "sft":
        return samples
    traces = []
    for i, sample in enumerate(samples):
        step = float(sample.meta.get("seconds", 0)) / FRAMES
        spans = [[k for k in range(FRAMES) if a <= k * step < b] for a, b in evidence(sample)]
        frames = sorted({k for span in spans for k in span[:2]})[:MOST]
        if not frames or i % TRACES >= WITH_CALL:
            traces.append(sample)
            continue
        times = tuple(k * step for k in frames)
        said = f"<think>{'; '.join(f'{t:.1f}s' for t in times)}</think>{CALL.format(frames)}"
        ask = Message("user", prompt(sample), Shown())
        shown = Message("user", SEEN, Shown(times=times, scale=SCALE))
        turns = {said: (ask,), rationale_target(sample): (ask, Message("assistant", said), shown)}
        for k, (learnt, talk) in enumerate(turns.items()):
            meta = {**sample.meta, "messages": talk, "target": learnt}
            traces.append(replace(sample, id=f"{sample.id}/{k}", meta=meta))
    return traces


def accuracy(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """1 for a right answer; after a call the frozen checkpoint gives it, greedily."""
    keys = [(s.id, text_of(c)) for s, c in zip(columns["sample"], completions, strict=True)]
    rows = zip(keys, columns["sample"], columns["context"], strict=True)
    turns = {k: turn for k, sample, known in rows if (turn := after(k[1], sample, known))}
    known = columns["context"][0]
    sampling = greedy(known, known.settings.get("max_completion_length"))
    answers = known.frozen.generate(list(turns.values()), sampling) if turns else []
    said = {k: f"<think>{a[0].text}" for k, a in zip(turns, answers, strict=True)}
    return rules.accuracy("video_r1")(prompts, [said.get(k, k[1]) for k in keys], **columns)


def calls(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """Calls in an answer; only the first one is carried out."""
    return [float(text_of(c).count("<tool>")) for c in completions]


def shape_rewards(group: Group, context: Context) -> list[float]:
    """Eq. 3: right + 0.5 max(0.3 - rate, 0) if there is a call + 0.05 min(1 - calls, 0).

    The rate is the share of the group's answers with a call. The official code divides the bonus
    by it (`curiosity`), and a right answer after a failed call is worth nothing.
    """
    made = [int(n) for n in group.scores["calls"]]
    rate = sum(n > 0 for n in made) / len(made)
    totals = []
    for right, n, text in zip(group.scores["accuracy"], made, group.completions, strict=True):
        bonus, penalty = ALPHA * max(RATE - rate, 0) * (n > 0), BETA * min(OPERATIONS - n, 0)
        if context.variant == "official_code":
            turn = after(text, group.sample, context)
            right *= turn is None or turn.messages[-1].shows is not None
            bonus, penalty = curiosity(n, rate, video=group.sample.video is not None)
        totals.append(right + bonus + penalty)
    return totals


def decode(sample: Sample, generator: Generator, context: Context) -> Prediction:
    """Answer, or call and then answer from what it shows."""
    text = generator.generate([request(sample, prompt(sample))], greedy(context))[0][0].text
    turn = after(text, sample, context)
    if turn is None:
        return Prediction(text)
    answer = generator.generate([turn], greedy(context))[0][0].text
    return Prediction(f"<think>{answer}", trace=({"step": "call", "text": text},))


METHOD = Method(
    id="pixel_reasoner",
    baseline="grpo",
    prepare_data=prepare_data,
    prompt=prompt,
    rewards=(accuracy, calls),
    shape_rewards=shape_rewards,
    format_target=target,
    decode=decode,
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
