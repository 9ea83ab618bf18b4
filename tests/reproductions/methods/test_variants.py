"""Paper and official code: both variants exist, and what the difference does to a fixed group.

Each case scores one scripted group under both and compares what the policy would be trained with.
"""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from reproductions.methods.spacer.method import METHOD as SPACER
from reproductions.methods.time_r1.method import METHOD as TIME_R1
from reproductions.methods.tw_grpo.method import token_weights
from reproductions.methods.univg_r1.method import advantages as univg_advantages
from reproductions.methods.video_r1.method import shape_rewards as video_r1_totals
from reproductions.methods.videochat_r1.method import METHOD as VIDEOCHAT
from reproductions.shared.method import Context, Group, Sample
from reproductions.shared.rewards.advantages import group_relative
from vidpost.catalog.loader import find_root, load

ROOT = find_root(Path(__file__))
PAPER = Context(num_generations=4, rng=random.Random(0))
OFFICIAL = replace(PAPER, variant="official_code")
VIDEO = Sample(id="v", question="?", answer="A", video="v.mp4")

NO_VARIANT = {
    ("av_reasoner", "JSON that does not parse"): "no task is answered in JSON here",
    ("av_reasoner", "Order of the tasks"): "our notes on the code name no order",
    ("av_reasoner", "Weight of the accuracy"): "the paper names no weights",
    ("chain_of_frames", "Base model"): "a preset key, and no loader for InternVL",
    ("museg", "Segment matching"): "the paper's formulas were not to be had; ours is the code's",
    ("museg", "Form of the answer"): "both are read and scored alike",
    ("museg", "Place in the taxonomy"): "where the survey puts it, nothing that runs",
    ("museg", "Prompt of the two phases"): "ours is the official code's",
    ("pixel_reasoner", "Which answers are right"): "answers are in tags here, not in a box",
    ("rrpo", "Phrases without an unmarked token"): "both rules agree on our pairs",
    ("rrpo", "Sign of the KL term"): "a misprint: the formula would train away from the reference",
    ("rrpo", "Where rejected answers come from"): "the official program is not released",
    ("rrpo", "How phrases are found"): "two official codes; tags need a language model",
    ("spacer", "Numbers in words"): 'a fault: words win over digits, and "a" is 1',
    ("spacer", "Whether a map is asked for"): "a prompt sees no variant",
    ("time_r1", "What is asked of the thought"): "no reward looks at the tags",
    ("time_r1", "Longest completion"): "a preset key: --set stages.rl.max_completion_length=20",
    ("time_r1", "Loss"): "a preset key: --set stages.rl.loss_type=bnpo",
    ("time_r1", "Empty span"): "the official code raises, or repeats the sample before",
    ("tinyllava_video_r1", "Clip of the ratio"): "with one update a batch no clip acts",
    ("tinyllava_video_r1", "Weight of the KL term"): "the paper names none",
    ("tpo", "Training settings"): "the official training code is not released",
    ("tw_grpo", "What the weights compare"): "the paper's words and the code's formula agree",
    ("tw_grpo", "Share of inverted questions"): "no share in either source",
    ("univg_r1", "Form of the answer"): "all forms are read and scored alike",
    ("vau_r1", "Reward of a class"): "a prompt; the rewards agree",
    ("vau_r1", "Videos in which nothing is unusual"): "ours is the official code's",
    ("veripo", "The verifier"): "the official training code is not released",
    ("veripo", "Easy questions between rounds"): "the official training code is not released",
    ("viarl", "KL in the reward"): "a fault: in the code padding leaks into the returns",
    ("video_skill_cot", "Experts"): "the official code generates data alone",
    ("video_skill_cot", "Skill descriptions"): "the official code needs the keys of two services",
    ("video_r1", "Clip of the ratio"): "with one update a batch no clip acts",
    ("videochat_r1", "What is asked of the thought"): "no reward looks at the tags",
    ("videoqa_sc", "Training settings"): "the official training code is not released",
    ("videorft", "What is compared with the frames"): "the paper does not publish M",
}
"""(method, topic) -> why there is no variant although the official code says something else."""


def disagreements():
    """(method, topic, ours) of every disagreement of a training method with its official code."""
    for entry in load(ROOT).methods.values():
        module = ROOT / "reproductions/methods" / entry.id / "method.py"
        training = {"sft", "rl"} & set(entry.pillars)
        if not module.is_file() or not training or entry.differs_in == ("decode",):
            continue
        for each in entry.discrepancies:
            if any(p.who.startswith("official code") for p in each.positions):
                yield entry.id, each.topic, each.ours or "", module.read_text(encoding="utf-8")


def test_every_disagreement_has_both_variants_or_a_reason():
    found = set()
    for name, topic, ours, source in disagreements():
        found.add((name, topic))
        if (name, topic) not in NO_VARIANT:
            assert "official_code" in ours, f"{name}, {topic}: say what the variant does"
            assert "official_code" in source or "is_official" in source, name
        else:
            assert "with variant official_code" not in ours, f"{name}, {topic}: not lacking"
    assert set(NO_VARIANT) <= found, set(NO_VARIANT) - found


def test_every_reproduction_is_on_its_rung():
    """Also where the authors published no code: the entry says so (`no_code`)."""
    methods = load(ROOT).methods
    there = {p.parent.name for p in (ROOT / "reproductions/methods").glob("*/mini.yaml")}
    assert not [m for m in sorted(there) if methods[m].status not in ("runnable", "reproduced")]
    assert methods["deepvideo_r1"].no_code and methods["tempsamp_r1"].no_code


def group(accuracy, shuffled=(), **scores):
    n, m = len(accuracy), len(shuffled)
    views = ["ordered"] * n + ["shuffled"] * m
    own = {"accuracy": [*accuracy, *shuffled], "format": [1.0] * (n + m)}
    own |= {k: [*v, *[0.0] * m] for k, v in scores.items()}
    trained = [True] * n + [False] * m
    return Group(VIDEO, [""] * (n + m), views, trained, [9] * (n + m), own)


def advantages(totals):
    return [round(a, 4) for a in group_relative(totals)]


def test_video_r1():
    """Two of four right against two of two: too few for Eq. 1. In the code 0.4875 >= 0.8 x 0.6.

    So the answers above 0.1 gain 0.3 in the code alone; their advantages move together.
    """
    case = group([1.0, 0.8, 0.1, 0.05], shuffled=[0.6, 0.6])
    paper, official = (video_r1_totals(case, c) for c in (PAPER, OFFICIAL))
    assert paper == pytest.approx([2.0, 1.8, 1.1, 1.05])
    assert official == pytest.approx([2.3, 2.1, 1.1, 1.05])
    assert advantages(paper) == [1.0593, 0.6459, -0.801, -0.9043]
    assert advantages(official) == [1.0114, 0.7061, -0.8205, -0.8969]


def test_spacer():
    """No shuffled answers in the paper. In the code: 1/2 right against 0/2, so right ones gain 0.3.

    The right answer with a map of 0.6 then stands out less from the one without.
    """
    plans = [SPACER.build_group(VIDEO, c) for c in (PAPER, OFFICIAL)]
    assert [[part.n for part in plan] for plan in plans] == [[4], [4, 2]]
    own = {"accuracy": [1.0, 1.0, 0.0, 0.0], "cognitive_map": [0.6, -1.0, -1.0, -1.0]}
    paper = SPACER.shape_rewards(group(own["accuracy"], cognitive_map=own["cognitive_map"]), PAPER)
    case = group(own["accuracy"], [0.0, 0.0], cognitive_map=own["cognitive_map"])
    official = SPACER.shape_rewards(case, OFFICIAL)
    assert paper == pytest.approx([2.6, 2.0, 1.0, 1.0])
    assert official == pytest.approx([2.9, 2.3, 1.0, 1.0])
    assert advantages(paper) == [1.2031, 0.4433, -0.8232, -0.8232]
    assert advantages(official) == [1.1509, 0.5231, -0.837, -0.837]


def scored(reward, completions, sample, context):
    n = len(completions)
    columns = {
        "solution": [sample.answer] * n,
        "sample": [sample] * n,
        "meta": [sample.meta] * n,
        "context": [context] * n,
    }
    return reward(prompts=[""] * n, completions=completions, **columns)


def test_time_r1():
    """0 to 1000 in a clip of 10 s, gold 2 to 6: IoU 0.004, factors 0.8 and 1 - 99.4 = -98.4.

    In the code it is worth -0.315, below an answer beside the event; in the paper both are 0.
    """
    sample = replace(VIDEO, answer="2.0 to 6.0", meta={"seconds": 10.0})
    spans = ("2.0 to 6.0", "3.0 to 7.0", "7.0 to 9.0", "0.0 to 1000.0")
    texts = [f"<think>x</think><answer>{s}</answer>" for s in spans]
    paper, official = (scored(TIME_R1.rewards[0], texts, sample, c) for c in (PAPER, OFFICIAL))
    assert paper == pytest.approx([1.0, 0.486, 0.0, 0.0])
    assert official == pytest.approx([1.0, 0.486, 0.0, 0.004 * 0.8 * -98.4])
    assert advantages(paper)[2] == advantages(paper)[3]
    assert advantages(official)[2] - advantages(official)[3] == pytest.approx(0.5474, abs=1e-3)
    # A reward that is called without a context follows the paper; no duration, so plain overlap.
    plain = TIME_R1.rewards[0](prompts=[], completions=texts[3:], solution=["2 to 6"], meta=[{}])
    assert plain == [0.004]


def test_videochat_r1():
    """A gold without a letter and an answer without one are equal in the code; two points too."""
    overlap, letter = VIDEOCHAT.rewards[:2]
    asked = replace(VIDEO, answer="?", options=("A. red", "B. blue"), meta={"interval": [1, 2]})
    texts = ["<answer>the dog</answer>", "<answer>B</answer>"]
    assert scored(letter, texts, asked, PAPER) == [0.0, 0.0]
    assert scored(letter, texts, asked, OFFICIAL) == [1.0, 0.0]
    point = replace(VIDEO, answer="3.0 to 3.0", problem_type="temporal grounding")
    texts = [f"<answer>{s}</answer>" for s in ("3.0 to 3.0", "3.0 to 4.0", "4.0 to 3.0")]
    assert scored(overlap, texts, point, PAPER) == [0.0, 0.0, 0.0]
    assert scored(overlap, texts, point, OFFICIAL) == [1.0, 0.0, 0.0]


def test_univg_r1():
    """Mean IoUs 0.5 and 0.1: weights e^0.5 and e^0.9; over the whole batch both are e^0.7."""
    batch = [group([0.0] * 2, region_iou=iou) for iou in ([0.0, 1.0], [0.0, 0.2])]
    for each in batch:
        each.totals, each.batch = each.scores["region_iou"], batch
    paper, official = ([univg_advantages(g, c)[1] for g in batch] for c in (PAPER, OFFICIAL))
    unweighted = [group_relative(g.totals)[1] for g in batch]
    assert paper == pytest.approx(
        [math.exp(w) * a for w, a in zip((0.5, 0.9), unweighted, strict=True)]
    )
    assert official == pytest.approx([math.exp(0.7) * a for a in unweighted])


def test_tw_grpo():
    """The gradient of sum(w A log p): with w held in the paper, through w as well in the code."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 4, dtype=torch.float64)
    ids, gains = torch.randint(4, (2, 3, 1)), torch.tensor([[1.0], [-1.0]])

    def objective(states, variant, weights=None):
        def vocabulary(first, last):
            return states[:, first:last].log_softmax(-1)

        context = replace(PAPER, variant=variant)
        given = SimpleNamespace(mask=torch.ones(2, 3), context=context, vocabulary=vocabulary)
        w = token_weights(given) if weights is None else weights
        logps = states.log_softmax(-1).gather(-1, ids).squeeze(-1)
        return (w * gains * logps).sum(), w

    gradients = {}
    for variant in ("paper", "official_code"):
        states = logits.clone().requires_grad_()
        value, weights = objective(states, variant)
        value.backward()
        gradients[variant] = states.grad
    held = weights.detach()
    step = torch.zeros_like(logits)
    step[0, 1, 2] = 1e-6
    for variant, constant in (("paper", held), ("official_code", None)):
        high, low = (objective(logits + s, variant, constant)[0] for s in (step, -step))
        slope = (high - low).item() / 2e-6
        assert gradients[variant][0, 1, 2].item() == pytest.approx(slope, abs=1e-5)
    difference = (gradients["paper"] - gradients["official_code"]).norm()
    assert difference / gradients["paper"].norm() > 0.05  # 0.096 here
