"""VidBridge-R1 puts two tasks between answering and captioning: dark events and mixed videos.

Paper: VidBridge-R1 (VersaVid-R1 in version 1), arXiv 2506.09079.
Catalog: vidbridge_r1
Baseline: grpo
Delta: prepare_data turns questions into captions, clips with a dark part and interleaved clips;
    rewards score each task by its own rule; shape_rewards multiplies that by the format.
Not reproduced: the judges (scripted ones compare words and listed events), the filter by five
    sampled answers, and events dark as a whole (here their ends show: nothing foretells a colour).
"""

import hashlib
import os
from collections import Counter
from dataclasses import replace
from typing import Any

from reproductions.shared.decoding.skills import caption
from reproductions.shared.method import Context, Group, Method, Sample
from reproductions.shared.rewards import rules
from reproductions.shared.rewards.judge import by_words, events_named
from reproductions.shared.rewards.official.answers import keywords
from reproductions.shared.rewards.tags import text_of, unclosed_tag

DARK, MIX, CAPTION = "DarkEventInfer", "MixVidQA", "caption"  # official code @def7bfb, problem_type
TURNS = {"needle": ("", DARK), "counting": ("", MIX)}  # our choice: what questions become, in turns
SECONDS, PRECISION = 2.0, 0.5  # paper: a clip goes on for 1.5 to 2 s; alpha of captions


def prepare_data(samples: list[Sample], context: Context) -> list[Sample]:
    """Clips of the synthetic world become captions and proxies in turns; other records stay."""
    counts: Counter[str] = Counter()
    prepared = []
    for i, sample in enumerate(samples):
        turns = TURNS.get(sample.task, ("", CAPTION)) if sample.meta.get("events") else ("",)
        kind, counts[sample.task] = turns[counts[sample.task] % len(turns)], counts[sample.task] + 1
        prepared.append(turned(sample, kind, samples[i + 1 : i + 50]) if kind else sample)
    return prepared


def turned(sample: Sample, kind: str, others: list[Sample]) -> Sample:
    """The question as one of another kind; it stays where no clip of another object follows."""
    ask, answer, second = sample.question, sample.rationale.rpartition(": ")[2], None
    if kind == CAPTION:
        ask, answer = "Describe the video.", caption(sample, (0.0, float(sample.meta["seconds"])))
    elif kind == DARK:
        ask = "What flashes in the dark?"
    else:
        alike = (s for s in others if s.task == sample.task and s.meta.get("events"))
        name = sample.meta["events"][0]["object"]
        second = next((s for s in alike if s.meta["events"][0]["object"] != name), None)
        if second is None:
            return sample
    video = sample.video if kind == CAPTION else composed(sample, second)
    meta = {**sample.meta, "teacher_answer": answer}
    new = replace(sample, id=f"{sample.id}-{kind}", video=video, meta=meta)
    return replace(new, question=ask, answer=answer, problem_type=kind, options=())


def composed(sample: Sample, second: Sample | None) -> str:
    """The path of a new clip: two of them interleaved, or one whose event is dark inside."""
    import numpy as np

    from reproductions.shared.settings import cache_folder
    from reproductions.shared.video import decode, frames, spec

    fps = float(sample.meta["fps"])
    every = spec.FrameSpec(sampling="fps", fps=fps, max_pixels=None, size_factor=1)
    clips = [decode.read_frames(str(s.video), every).frames for s in (sample, second) if s]
    starts = range(0, max(map(len, clips)), step := max(1, round(SECONDS * fps)))
    shown = np.concatenate([c[i : i + step] for i in starts for c in clips])
    if second is None:
        start, end = (round(t * fps) for t in sample.meta["interval"])
        shown[start + 1 : end - 1] = 0
    name = f"{hashlib.sha256(shown.tobytes()).hexdigest()[:32]}-{fps:g}.mp4"
    path = cache_folder() / "vidbridge_r1" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():  # whole or not at all, also when runs share the cache
        frames.write_mp4(part := path.with_suffix(f".{os.getpid()}.mp4"), shown, fps)
        part.replace(path)
    return str(path)


def score(text: str, sample: Sample, official: bool) -> float:
    """The rule of a task; captions: recall, half of precision, and the official words of order."""
    kind, answer = sample.problem_type, (unclosed_tag(text) or "")[: rules.ANSWER_LIMIT]
    if kind == CAPTION:
        recall, precision = events_named(answer, sample.answer)
        return recall + PRECISION * precision + keywords(f"<answer>{answer}")
    if kind in (DARK, MIX):
        grade = by_words(sample.question, answer, sample.answer, lenient=official)
        return 2 * grade if kind == DARK else float(grade == 1)
    return rules.score("vidbridge_r1", text, sample.answer, kind, safe=not official)


def task(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """0, 1 or 2 for a dark event, 0 or 1 for a mixed clip or an option, the sum of a caption."""
    rows, official = zip(completions, columns["sample"], strict=True), rules.is_official(columns)
    return [score(text_of(completion), sample, official) for completion, sample in rows]


def form(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """1 if the output is thought and answer in tags; in the official code text may follow."""
    rule = "vidbridge_r1" if rules.is_official(columns) else "video_r1"
    return [rules.FORMATS[rule](text_of(c)) for c in completions]


def shape_rewards(group: Group, context: Context) -> list[float]:
    """The task's reward times the format: without the format all is lost."""
    return [t * f for t, f in zip(group.scores["task"], group.scores["form"], strict=True)]


METHOD = Method(
    id="vidbridge_r1",
    baseline="grpo",
    prepare_data=prepare_data,
    rewards=(task, form),
    shape_rewards=shape_rewards,
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
