"""What different projects call right: one completion, every rule; and the page about it.

    python -m reproductions.shared.rewards.compare > docs/rewards.md

The page is generated from our functions, which agree with the published ones on every recorded
case; nothing in it is written by hand except the prose.
"""

from __future__ import annotations

import math
import sys
from typing import Any

from reproductions.shared.rewards import intervals, numbers, rules
from reproductions.shared.rewards.boxes import parse_region, track_score
from reproductions.shared.rewards.numbers import mra, mra_float32, relative_score
from reproductions.shared.rewards.official import TABLE, answers, grounding

GOLD = "B"
FIFTEEN = (
    ("video_r1", "Video-R1, VideoRFT"),
    ("viarl", "ViaRL"),
    ("tw_grpo", "TW-GRPO"),
    ("seed_bench_r1", "SEED-Bench-R1"),
    ("tinyllava_video_r1", "TinyLLaVA-Video-R1"),
    ("video_rts", "Video-RTS"),
    ("videochat_r1", "VideoChat-R1, VAU-R1"),
    ("time_r1", "Time-R1"),
    ("next_event", "Next-Event Prediction"),
    ("ego_r1", "Ego-R1"),
    ("long_rl", "Long-RL"),
    ("temporal_r1", "Temporal-R1"),
    ("av_reasoner", "AV-Reasoner"),
    ("veripo", "VerIPO (evaluation)"),
    ("vidbridge_r1", "VidBridge-R1"),
)
"""The rules of the matrix, and whose they are."""
ANSWERS = (
    "B",
    "b",
    "B.",
    "(B)",
    "B. a red car",
    "\nB\n",
    "**B**",
    "$B$",
    "\\text{B}",
    "Option B",
    "The answer is B",
    "The best answer is B.",
    "Answer: B",
    "Because the man is red",
    "A",
    "A,B",
    "B,A",
    "B/C",
    "not A but B",
    "",
)
"""Contents of the answer tag; the thought before it is "r"."""
WHOLE = (
    "B",
    "Final answer: B",
    "<answer>B</answer>",
    "<answer>B",
    "<think>r<answer>B</answer>",
    "<think>maybe <answer>A</answer></think><answer>B</answer>",
    "<think>r</think><answer>B</answer><answer>A</answer>",
    "<think>r</think><answer>B</answer>\n",
    "prefix <think>r</think><answer>B</answer>",
)
"""Completions whose tags are the point."""
SPANS = (((12, 18), (10, 20)), ((0, 5), (10, 20)), ((20, 10), (10, 20)), ((15, 15), (15, 15)))
NUMBERS = ((9.5, 10), (8.5, 10), (5, 10), (0.95, 1), (10, -10))


NUMBERED = ("video_r1", "vsi_bench", "long_rl", "temporal_r1")
BY_TYPE = {"multiple choice": tuple(rules.ACCURACY), "numerical": NUMBERED, "regression": NUMBERED}
"""Problem type -> accuracy rules that read it; for all others Video-R1's alone does."""


def compare(
    completion: str,
    gold: str,
    problem_type: str = "multiple choice",
    duration: float | None = None,
) -> list[Any]:
    """Scores of one completion under every rule that applies to the type, safe and as published.

    Args:
        completion: What the model wrote.
        gold: The right answer, with or without tags.
        problem_type: A key of `prompts.ANSWER_FORMS`.
        duration: Of the video, seconds; Time-R1's and Temporal-R1's rewards by it need it.

    Returns:
        Rows with the keys rule, reward ("accuracy", "format" or the reward's own name), safe,
        published.

    Raises:
        ValueError: The gold is no number, span or box list where the type asks for one.
    """
    rows = []
    for rule in sorted(BY_TYPE.get(problem_type, ("video_r1",))):
        want = rules.published_gold(rule, gold)
        safe, published = (
            rules.score(rule, completion, want, problem_type, safe=s) for s in (True, False)
        )
        rows.append({"rule": rule, "reward": "accuracy", "safe": safe, "published": published})
    for rule, check in sorted(rules.FORMATS.items()):
        value = check(completion)
        rows.append({"rule": rule, "reward": "format", "safe": value, "published": value})
    bare = rules.gold_of(gold)
    if problem_type in ("numerical", "regression"):
        extra = _numbers(completion, bare)
    elif problem_type == "temporal grounding":
        extra = _spans(completion, bare, duration)
    else:
        extra = _boxes(completion, bare) if problem_type == "tracking" else []
    for rule, reward, safe, published in extra:
        rows.append({"rule": rule, "reward": reward, "safe": safe, "published": published})
    return rows


Extra = list[tuple[str, str, float, float]]
"""(rule, reward, safe, published)."""


def _score(value: float, top: float = 1.0) -> float:
    return min(top, max(0.0, value)) if math.isfinite(value) else 0.0


def _numbers(text: str, gold: str) -> Extra:
    """Rewards on numbers: the count of AV-Reasoner, SpaceR's MRA, Video-R1's evaluation."""
    number = numbers.finite(gold)
    if number is None:
        raise ValueError(f"{gold[:40]!r} is no finite number. Write digits alone, as in 42.")
    count = answers.av_accuracy(text, [{"answer": gold}], "dvd_count") / 10
    answer = rules.answer_of(text)
    spacer = answers.spacer_numerical(answer, gold)
    told = numbers.finite(answer)
    mean = 0.0 if told is None else mra_float32(told, number)
    return [
        ("av_reasoner", "count", _score(count), count),
        ("spacer", "mra", _score(spacer), spacer),
        ("video_r1", "evaluation mra", mean, mean),
    ]


def _spans(text: str, gold: str, duration: float | None) -> Extra:
    """Rewards on spans, seconds: Time-R1, VideoChat-R1, Temporal-R1, MUSEG."""
    golds = intervals.parse_spans(gold)
    if not golds:
        raise ValueError(f"{gold[:40]!r} is no span. Write 12.3 to 15.0, several with commas.")
    one = golds[-1]

    def time_r1(boundary: bool) -> tuple[float, float]:
        known = {"solution": [one], "durations": [duration or 0.0]}
        (safe,) = rules.temporal_iou(boundary=boundary)([], [text], **known)
        found = grounding.leaking_iou({"completions": [text], **known}, boundary=boundary)
        return safe, found if isinstance(found, float) else found[0]

    rows = [("time_r1", "iou", *time_r1(boundary=False))]
    if duration:
        rows.append(("time_r1", "iou_v2", *time_r1(boundary=True)))
    ordered = grounding.ordered_iou(text, one)
    rows.append(("videochat_r1", "iou", ordered if one[0] < one[1] else 0.0, ordered))
    if duration:
        share = (one[0] / duration, one[1] / duration)
        half = grounding.tvg_score(text, share, duration)
        rows.append(("temporal_r1", "iou and format", _score(half), half))
    short = rules.bounded(text)
    match = grounding.museg_global(short, golds) + grounding.museg_local(short, golds)
    rows.append(("museg", "segments", _score(match, 2.0), match))
    for reward, cited in (("format, times cited", True), ("format", False)):
        form = grounding.museg_format(short, cited=cited)
        rows.append(("museg", reward, form if rules.answer_of(text) else 0.0, form))
    return rows


def _boxes(text: str, gold: str) -> Extra:
    """Rewards on boxes: VideoChat-R1's eight a track, UniVG-R1's first one in pixels."""
    golds = parse_region(gold)
    if not golds:
        raise ValueError(f"{gold[:40]!r} is no list of boxes. Write [[x0, y0, x1, y1], ...].")
    message = {"completions": [text], "image_path": ["video"], "single_img_with_cot": True}
    iou = grounding.tracking_iou(text, {"answer": golds})
    (pixels,) = grounding.univg_iou({**message, "solution": [golds[0]]})
    (form,) = grounding.univg_format(message)
    track = parse_region(rules.answer_of(text)) or []
    return [
        ("videochat_r1", "iou", track_score(track, golds), iou),
        ("videochat_r1", "track format", float(bool(track)), grounding.tracking_format(text)),
        ("univg_r1", "iou", track_score(track[:1], golds[:1]), pixels),
        ("univg_r1", "box format", form, form),
    ]


def bank() -> list[str]:
    """The completions of the matrix."""
    return [f"<think>r</think><answer>{a}</answer>" for a in ANSWERS] + list(WHOLE)


def matrix() -> list[tuple[str, list[float]]]:
    """(completion, published accuracy under each of the fifteen rules) for the gold "B"."""
    golds = [(rule, rules.published_gold(rule, GOLD)) for rule, _ in FIFTEEN]
    return [
        (c, [rules.score(r, c, gold, "multiple choice", safe=False) for r, gold in golds])
        for c in bank()
    ]


def _code(text: str) -> str:
    shown = text.replace("\n", "⏎").replace("|", "¦")
    return f"`{shown}`" if shown else "(empty)"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _label(completion: str) -> str:
    if completion in WHOLE:
        return "whole: " + _code(completion)
    return _code(completion[len("<think>r</think><answer>") : -len("</answer>")])


def page() -> str:
    """The page as Markdown; the same text on every machine."""
    cells = matrix()
    split = sum(len(set(row)) > 1 for _, row in cells)
    accepted = [sum(row[i] > 0 for _, row in cells) for i in range(len(FIFTEEN))]
    most, least = max(accepted), min(accepted)
    names = [name for _, name in FIFTEEN]
    strictest = ", ".join(n for n, a in zip(names, accepted, strict=True) if a == least)
    matrix_rows = [
        [_label(c), *("1" if v else "0" for v in row), str(sum(v > 0 for v in row))]
        for c, row in cells
    ]
    matrix_rows.append(["accepted", *map(str, accepted), ""])
    numbered = "\n".join(f"{i}. {name}: `{r}`" for i, (r, name) in enumerate(FIFTEEN, 1))
    formats = _table(
        ["completion", *(f"`{f}`" for f in rules.FORMATS)],
        [[_code(c), *(f"{check(c):.3g}" for check in rules.FORMATS.values())] for c in WHOLE],
    )
    changed = _table(
        ["problem type", "gold", "answer", "published", "ours"],
        [
            [kind, _code(gold), _code(answer), *(f"{v:.3g}" for v in both)]
            for kind, gold, answer, both in _repairs()
        ],
    )
    repositories = sorted({repository for repository, _ in TABLE})
    return f"""# Rewards compared

A model writes one answer. Is it right? Published video methods give different replies, and the
reply is both what a model learns from and what a table reports. This page lets the same
completions run through the rules of different projects. It is generated by
`python -m reproductions.shared.rewards.compare`.

Our functions agree with the published ones on every recorded case: {len(TABLE)} functions of
{len(repositories)} repositories, checked by `vidpost rewards verify tests/data/golden/*.jsonl`.

## Try a completion

{explorer()}

## Fifteen accuracy rewards, one completion bank

The right option is {GOLD}. Rows show what stands in the answer tag after a short thought; the last
{len(WHOLE)} rows the whole completion. 1 is right, 0 is wrong, ⏎ is a line feed. The rules:

{numbered}

{_table(["answer", *map(str, range(1, len(FIFTEEN) + 1)), "right in"], matrix_rows)}

On {split} of {len(cells)} completions the projects do not agree. The strictest accept {least}
({strictest}), the most lenient {most}.

## What this means when you compare papers

- **Two accuracies are comparable only under one rule.** A model that writes "B. a red car" is
  right for some projects and wrong for others, without seeing the video any differently. Result
  cards here carry the extractor's version in the protocol for this reason.
- **A strict rule pays for obedience first.** Where only the bare letter counts, early gains in
  training may only be the model learning to write the bare letter. Read the format reward beside
  the accuracy before crediting reasoning.
- **A lenient rule pays for guessing.** Where the first capital counts, "Because the man is red"
  earns the point for B, and "B,A" earns it too. A model can be rewarded without committing to an
  option.
- **The first tag and the last tag are different answers.** A thought that quotes an answer tag
  decides the reward in projects that read the first one.
- **Training and evaluation may differ inside one paper.** The reward above and the benchmark's own
  parser are two rules. lmms-eval changed its parser for several benchmarks in August 2026: the
  letter's place now counts before its form, so verbose outputs score differently than in 2025.
- **math_verify depends on its version.** Five projects ask it first, on the whole completion.

## Format rewards

{formats}

`video_r1` refuses a line feed after the last tag. `tinyllava_video_r1` grows with the length of
the thought.

## Time spans

{
        _table(
            [
                "prediction, gold [s]",
                "hull IoU",
                "union IoU",
                "IoP",
                "(1 + GIoU) / 2",
                "coverage F1",
            ],
            [
                [
                    f"{p} , {g}",
                    f"{intervals.tiou(p, g):.3f}",
                    f"{intervals.union_iou(p, g):.3f}",
                    f"{intervals.iop(p, g):.3f}",
                    f"{(1 + intervals.giou(p, g)) / 2:.3f}",
                    f"{intervals.coverage_f1([p], [g]):.3f}" if p[0] < p[1] else "0.000",
                ]
                for p, g in SPANS
            ],
        )
    }

A span far off the mark scores 0 by IoU, but a positive value by the GIoU term of MUSEG's local
reward. Two equal points score 0 here, 1 in VideoChat-R1 and VAU-R1, and an exception in Time-R1.
Time-R1 counts recall with "greater than", lmms-eval with "at least".

## Numbers

{
        _table(
            ["prediction, gold", "MRA, VSI-Bench", "MRA, Video-R1", "reward, Video-R1"],
            [
                [
                    f"{p}, {g}",
                    f"{mra(p, g):.2f}",
                    f"{mra_float32(p, g):.2f}",
                    f"{relative_score(p, g):.3f}",
                ]
                for p, g in NUMBERS
            ],
        )
    }

The two MRA variants differ on the boundaries, and VSI-Bench divides by the signed gold, so that
any larger prediction passes for a negative gold.

## What `safe=True` changes

Published rewards hold some holes that a model could find. Our default closes them;
`accuracy(rule, safe=False)` is the published behaviour.

{changed}

Safe rules also score each sample by its own type, pay nothing where there is no gold, never call
math_verify, and take milliseconds on any output: they read at most {rules.ANSWER_LIMIT} characters
of an answer, however long the thought before it is.
"""


NOT_IN_THE_PAGE = ("long_rl", "temporal_r1")
"""Rules that compare exact values of expressions, which the page's script does not."""
EXAMPLE = "<think>The car on the right is red.</think><answer>B. a red car</answer>"


def explorer() -> str:
    """The form and its table, filled for `EXAMPLE`; docs/assets/js/rewards.js makes it live."""
    rows = [r for r in compare(EXAMPLE, GOLD) if r["rule"] not in NOT_IN_THE_PAGE]
    cells = "\n".join(
        f'<tr id="{r["reward"]}-{r["rule"]}"><th scope="row"><code>{r["rule"]}</code></th>'
        f"<td>{r['reward']}</td>"
        + "".join(
            f'<td class="{"paid" if v else "unpaid"}">{round(v, 3):g}</td>'
            for v in (r["safe"], r["published"])
        )
        + "</tr>"
        for r in rows
    )
    return f"""Write a completion and the gold letter of a multiple-choice question; the table says
what every rule pays. Nothing leaves this page.

<form id="explorer" class="explorer" hidden>
<label>Completion <textarea name="completion" rows="4" maxlength="20000" spellcheck="false">
{EXAMPLE.replace("<", "&lt;")}</textarea></label>
<label>Gold <input name="gold" value="{GOLD}" size="8" maxlength="200" autocomplete="off"></label>
</form>

<div class="scroll" role="region" aria-label="What every rule pays" tabindex="0">
<table class="plain" id="explorer-table" aria-live="polite">
<caption>What every rule pays; without JavaScript for the answer
<code>{EXAMPLE.replace("<", "&lt;")}</code> and the gold {GOLD}</caption>
<thead><tr><th scope="col">Rule</th><th scope="col">Reward</th><th scope="col">Ours, safe</th>
<th scope="col">As published</th></tr></thead>
<tbody>
{cells}
</tbody></table>
</div>
<script src="../assets/js/rewards.js" defer></script>

Rules that first ask math_verify (TW-GRPO, SEED-Bench-R1, TinyLLaVA-Video-R1, Video-RTS,
VidBridge-R1) are shown without it. `long_rl` and `temporal_r1` compare exact values of expressions;
for them there is `vidpost rewards compare "<completion>" --gold B`. With `--type numerical`,
`--type "temporal grounding" --duration 30` or `--type tracking` it shows the rewards for counts,
spans and boxes instead of the rules for letters."""


def _repairs() -> list[tuple[str, str, str, list[float]]]:
    cases = (
        ("regression", "42", "nan"),
        ("multiple choice", "", ""),
        ("numerical", "inf", "inf"),
        ("temporal grounding", "10 to 20", "12 to 18"),
    )
    rows = []
    for kind, gold, answer in cases:
        pred, want = (f"<answer>{x}</answer>" for x in (answer, gold))
        both = [rules.score("video_r1", pred, want, kind, safe=s) for s in (False, True)]
        rows.append((kind, gold, answer, both))
    return rows


if __name__ == "__main__":
    sys.stdout.write(page())
