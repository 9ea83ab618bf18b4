"""VideoMind plans, grounds, verifies and answers: four roles that one model takes in turn.

Paper: VideoMind, arXiv 2503.13444.
Catalog: videomind
Baseline: sft
Delta: prepare_data and format_target teach planning, grounding and verifying beside answering;
    decode is Algorithm 1: a plan, five moments, the likeliest of them, an answer from it.
Not reproduced: an adapter a role (one model learns all, the paper's All-in-One of Table 7); the
    timestamp decoder (moments are sampled as text); rephrased queries; boundary tokens (said in
    words); a verifier that learns from the grounder's own moments (from moved true ones here).
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from reproductions.shared.decoding.ask import YES_NO, greedy, logprobs, request, tagged, warm
from reproductions.shared.decoding.skills import target
from reproductions.shared.inference.engine import Generator, Message, Prediction, Shown
from reproductions.shared.method import Context, Method, Sample
from reproductions.shared.prompts import answer_only, answer_target, part
from reproductions.shared.rewards.intervals import Span, parse_to, union_iou
from reproductions.shared.rewards.official.evaluation import clamped_span

PLANS = ("grounder, verifier, answerer", "grounder, verifier", "answerer")  # Sec. 3.1
PLANNER, GROUNDER, VERIFIER, ANSWERER = 100, 150, 64, 32  # App. A.2: frames that each role sees
SMALL = 64 / 256  # App. A.2: tokens a frame, of all roles against the answerer
ZOOM, RIGHT, SAME = 0.5, 0.5, 0.75  # Sec. 3.3: margin, IoU of a "yes"; App. A.2: IoU of doubles
MOVED = (0.25, 1.0, 4.0)  # our choice: errors of moved moments, in lengths
SHORTEST, NOTE = 1.0, 24  # our choice: least seconds of a moment, most tokens of a plan or moment


def planner(sample: Sample) -> str:
    """Asks for a plan."""
    return f"{sample.question}\nWhich roles: {'; '.join(PLANS)}?"


def grounder(sample: Sample) -> str:
    """Asks for a moment."""
    return f"{sample.question}\nWhich seconds show it?"


def verifier(sample: Sample, span: Span) -> str:
    """Asks whether a moment, shown with its margins, is the right one."""
    return f"{sample.question}\nIs it at {span[0]:.1f} to {span[1]:.1f}? Say yes or no."


def answerer(sample: Sample, span: Span | None) -> str:
    """Asks the question, about a moment or about the whole video."""
    return f"{part(span)} {answer_only(sample)}" if span else answer_only(sample)


def inside(span: Sequence[float], duration: float, margin: float = 0.0) -> Span:
    """A span in order, with margins in lengths, inside the video and not too short."""
    low, high = sorted(span)
    start, end = low - margin * (high - low), high + margin * (high - low)
    start, end = clamped_span((start, end), duration, min(SHORTEST, duration))
    return round(start, 1), round(end, 1)


def look(frames: int, span: Span | None = None, scale: float = SMALL) -> Shown:
    """What a role sees."""
    return Shown(frames=frames, span=span, scale=scale)


def prepare_data(samples: list[Sample], context: Context) -> list[Sample]:
    """Each sample as one of each role that its annotation teaches.

    Moments to find are planned as the second plan, questions on a known moment as the first, and
    others are answered at once. A moved moment is right from an IoU of 0.5 with the true one.
    """
    roles = []
    for sample in (s for s in samples if s.video is not None):
        rng = Random(f"videomind/{context.seed}/{sample.id}")
        true, duration = sample.meta.get("interval"), float(sample.meta.get("seconds") or 0)
        asks = sample.problem_type == "temporal grounding"
        plan = PLANS[1] if asks else PLANS[0] if true else PLANS[2]
        taught = [(planner(sample), look(PLANNER), plan)]
        if true and duration >= SHORTEST:
            gold = inside(true, duration)
            sigma = rng.choice(MOVED) * (true[1] - true[0])
            moved = inside([end + rng.gauss(0, sigma) for end in true], duration)
            said = YES_NO[union_iou(moved, gold) < RIGHT]
            zoomed = look(VERIFIER, inside(moved, duration, ZOOM))
            taught.append((grounder(sample), look(GROUNDER), f"{gold[0]} to {gold[1]}"))
            taught.append((verifier(sample, moved), zoomed, said))
        if not asks:
            crop = inside(true, duration) if true and duration >= SHORTEST else None
            shown = look(ANSWERER, crop, 1.0)
            taught.append((answerer(sample, crop), shown, answer_target(sample)))
        for k, (text, shown, said) in enumerate(taught):
            talk = {"messages": (Message("user", text, shown),), "target": said}
            roles.append(replace(sample, id=f"{sample.id}/{k}", meta={**sample.meta, **talk}))
    return roles


def moments(sample: Sample, generator: Generator, context: Context) -> list[Span]:
    """The grounder's moments, without those that nearly repeat an earlier one."""
    asked = request(sample, grounder(sample), look(GROUNDER), n=context.settings["answers"])
    found: list[Span] = []
    for answer in generator.generate([asked], warm(context, NOTE))[0]:
        span = parse_to(answer.text)
        span = inside(span, context.duration) if span else None
        if span and all(union_iou(span, other) < SAME for other in found):
            found.append(span)
    return found


def confidence(
    sample: Sample, generator: Generator, context: Context, spans: Sequence[Span]
) -> list[float]:
    """Sec. 3.3: sigmoid(L_yes - L_no) of each moment, by teacher forcing."""
    margins = [look(VERIFIER, inside(span, context.duration, ZOOM)) for span in spans]
    asked = [request(sample, verifier(sample, s), m) for s, m in zip(spans, margins, strict=True)]
    yes, no = (
        [sum(logprobs(a[0])) for a in generator.generate(asked, greedy(context, choices=(word,)))]
        for word in YES_NO
    )
    return [1 / (1 + math.exp(min(n - y, 700.0))) for y, n in zip(yes, no, strict=True)]


def decode(sample: Sample, generator: Generator, context: Context) -> Prediction:
    """Algorithm 1; where nothing can be grounded, the answer is from the whole video."""
    asked = request(sample, planner(sample), look(PLANNER))
    plan = generator.generate([asked], greedy(context, NOTE, choices=PLANS))[0][0].text
    long = context.duration >= SHORTEST
    spans = moments(sample, generator, context) if long and "grounder" in plan else []
    scores = confidence(sample, generator, context, spans) if spans else []
    best = spans[scores.index(max(scores))] if spans else None
    trace = ({"step": "plan", "roles": plan}, {"step": "verify", "moments": spans, "yes": scores})
    if best and "answerer" not in plan:
        return Prediction(tagged(f"{best[0]} to {best[1]}"), (best,), trace)
    asked = request(sample, answerer(sample, best), look(ANSWERER, best, 1.0))
    answer = generator.generate([asked], greedy(context))[0][0].text
    return Prediction(answer, (best,) if best else (), trace)


METHOD = Method(
    id="videomind",
    baseline="sft",
    prepare_data=prepare_data,
    format_target=target,
    decode=decode,
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
