"""VideoQA-SC learns to write evidence with places and times first, then to answer from it.

Paper: VideoEspresso, arXiv 2411.14794: framework VideoQA-SC and its two-stage fine-tuning.
Catalog: videoqa_sc
Baseline: sft
Delta: stages are evidence and answer; format_target is the core frames' objects with time and box,
    then the answer; prepare_data and prompt show the second stage the evidence; decode asks twice,
    for evidence and for the answer from it.
Not reproduced: the frame selector (a captioner and a small language model that pick the core
    frames; the model sees all sampled frames here).
"""

from dataclasses import replace
from typing import Any

from reproductions.shared.decoding.ask import greedy, request
from reproductions.shared.inference.engine import Generator, Prediction
from reproductions.shared.method import Context, Method, Sample, Stage
from reproductions.shared.prompts import answer_only, answer_target, question

TENTHS = 10  # our choice: boxes in tenths of the frame, short enough for a small model


def core_frames(event: dict[str, Any], alone: bool) -> list[list[float]]:
    """[t, x0, y0, x1, y1] where an event starts and, if it is the only one, where it ends."""
    boxes: list[list[float]] = event["boxes"]
    return [boxes[0], boxes[-1]] if alone and len(boxes) > 1 else boxes[:1]


def evidence(sample: Sample) -> str:
    """Time, object and box of each core frame, in order of time; else the given rationale."""
    if "events" not in sample.meta:
        return sample.rationale
    events = [e for e in sample.meta["events"] if not e.get("distractor")]
    seen = sorted(
        (time, event["object"], box)
        for event in events
        for time, *box in core_frames(event, alone=len(events) == 1)
    )
    lines = [
        " ".join([f"{time:.1f}s", name, *(str(round(TENTHS * edge)) for edge in box)])
        for time, name, box in seen
    ]
    return "; ".join(lines) or "none"


def knowing(sample: Sample, found: str) -> Sample:
    """The sample with evidence to answer from."""
    return replace(sample, meta={**sample.meta, "evidence": found})


def prepare_data(samples: list[Sample], context: Context) -> list[Sample]:
    """In the second stage samples that show their evidence, and each of them as it is as well.

    Our choice: without the latter a small model forgets in that stage how to write evidence.
    """
    if context.stage != "answer":
        return samples
    return [each for s in samples for each in (knowing(s, evidence(s)), s)]


def prompt(sample: Sample) -> str:
    """Asks for the evidence, or for the answer if the evidence is known."""
    if "evidence" not in sample.meta:
        return f"{question(sample)}\nWrite the evidence: times, objects and boxes."
    return f"Evidence: {sample.meta['evidence']}\n{answer_only(sample)}"


def format_target(sample: Sample) -> str:
    """The evidence, or the answer if the evidence is known."""
    return answer_target(sample) if "evidence" in sample.meta else evidence(sample)


def decode(sample: Sample, generator: Generator, context: Context) -> Prediction:
    """Write the evidence, then answer from it; both greedily."""
    asked = request(sample, prompt(sample))
    found = generator.generate([asked], greedy(context))[0][0].text
    asked = request(sample, prompt(knowing(sample, found)))
    answer = generator.generate([asked], greedy(context))[0][0].text
    return Prediction(answer, trace=({"step": "evidence", "text": found},))


METHOD = Method(
    id="videoqa_sc",
    baseline="sft",
    stages=(Stage("evidence", "sft"), Stage("answer", "sft")),
    prepare_data=prepare_data,
    prompt=prompt,
    format_target=format_target,
    decode=decode,
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
