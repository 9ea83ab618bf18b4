"""Writes a run folder as the engine would leave it: real clips and, on request, hostile text."""

from __future__ import annotations

import json
import math
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from reproductions.shared.evaluation.cards import run_facts, write_card
from reproductions.shared.evaluation.protocol import build_protocol
from reproductions.shared.evaluation.statistics import compare, score_interval
from reproductions.shared.synthetic.dataset import build
from reproductions.shared.synthetic.world import Knobs
from reproductions.shared.video.spec import FrameSpec

HOSTILE = (
    "<script>document.title='pwned';fetch('https://evil.example/x')</script>"
    "<img src=x onerror=\"document.title='pwned'\"> {{ 7*7 }} & \u202egnp.exe\u202c "
    "\u05e9\u05dc\u05d5\u05dd \x1b[31m \u0000 "
)
LONG = "W" * 4_000
TASKS = ("counting", "temporal_grounding", "direction")
RATES = {"base": (0.22, 0.26, 0.25), "sft": (0.62, 0.58, 0.27), "rl": (0.86, 0.80, 0.29)}


def write_fake_run(
    folder: Path, n: int = 300, hostile: bool = False, rates: dict[str, Any] = RATES
) -> Path:
    rng = random.Random(7)
    folder.mkdir(parents=True, exist_ok=True)
    knobs = Knobs(question_type="mcq")
    clips = build(folder / "clips", TASKS, min(n, 24), seed=3, split="test", knobs=knobs)
    spec = FrameSpec(num_frames=8)
    checkpoints = list(rates)
    records: dict[str, list[dict[str, Any]]] = {name: [] for name in checkpoints}
    ease = [rng.random() for _ in range(n)]  # one for all checkpoints: the answers are correlated
    for i in range(n):
        clip = clips[i % len(clips)]
        for name in checkpoints:
            rate = rates[name][TASKS.index(clip.task)]
            right = 0.7 * ease[i] + 0.3 * rng.random() < rate
            wrong = [o for o in clip.options if not o.startswith(clip.answer)]
            answer = clip.answer if right else rng.choice(wrong)[0]
            think = clip.rationale if right else "2.0s blue; 3.0s blue; 6.0s blue: 3"
            completion = f"<think>{think}</think><answer>{answer}</answer>"
            if name == "base":
                completion, answer = "blue blue 2.0s the the <answer>", answer if right else ""
            records[name].append(
                {
                    "id": f"{clip.id}-{i}",
                    "task": clip.task,
                    "problem_type": clip.problem_type,
                    "question": clip.question,
                    "prompt": f"<|im_start|>user\n<|video_pad|>{clip.question}\n<|im_end|>",
                    "options": list(clip.options),
                    "gold": clip.answer,
                    "completion": completion,
                    "answer": answer,
                    "score": float(right),
                    "tokens_in": 60,
                    "tokens_out": len(completion) // 4,
                    "seconds": 0.02,
                    "video": str(Path(str(clip.video)).relative_to(folder)),
                    "times": [float(t) for t in range(8)],
                }
            )
    if hostile:
        # The first question is failed by the last checkpoint, so it is among the samples.
        for name in checkpoints:
            records[name][0] |= {"question": HOSTILE, "completion": HOSTILE + LONG, "score": 0.0}
            records[name][0] |= {"options": [HOSTILE, LONG], "gold": LONG, "answer": HOSTILE}
            records[name][0] |= {"id": HOSTILE, "prompt": HOSTILE}
            records[name][1] |= {"video": "../" * 9 + "etc/passwd", "score": 0.0}
            records[name][2] |= {"completion": "lone \ud800 surrogate", "score": 0.0}
    (folder / "predictions").mkdir(exist_ok=True)
    for name in checkpoints:
        header = {"fingerprint": "a0acded2fbc5/weights"}
        lines = "".join(json.dumps(r) + "\n" for r in [header, *records[name]])
        (folder / "predictions" / f"{name}.jsonl").write_text(lines)
    evaluation = _evaluation(records, HOSTILE if hostile else None)
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    _write_log(folder / "log.jsonl", rng, HOSTILE if hostile else None)
    _write_rollouts(folder / "rollouts.jsonl", rng, HOSTILE if hostile else "")
    _write_config(folder / "config.yaml", HOSTILE if hostile else "our choice: learns in a minute")
    total = next(r for r in evaluation["rows"] if r["checkpoint"] == checkpoints[-1])
    write_card(
        folder / "card.yaml",
        {
            **run_facts(hours=0.034),
            "kind": "miniature",
            "method": "video_r1",
            "preset": "mini",
            "overrides": {"stages.rl.max_steps": 60},
            "seeds": [0],
            "checkpoint": {"stage": checkpoints[-1], "sha256": "0f" * 32},
            "benchmark": "synthetic",
            "benchmark_revision": "world 1",
            "metric": "accuracy",
            "n": n,
            "score": total["score"],
            "interval": total["interval"],
            "interval_method": "Wilson score interval",
            "cost": {"tokens_in": 54_000, "tokens_out": 20_100, "frames": 7_200, "seconds": 14.2},
            "protocol": build_protocol(
                spec.to_dict(),
                prompt_template="{question}\nAnswer with the letter.",
                extractor="answer_tag",
                extractor_version=1,
                sampling={"temperature": 0.0, "max_new_tokens": 48},
            ),
            "notes": [HOSTILE.replace("\x00", "").replace("\x1b", "")[:390]] if hostile else [],
        },
    )
    return folder


def _evaluation(records: dict[str, list[dict[str, Any]]], hostile: str | None) -> dict[str, Any]:
    names = list(records)
    rows, comparisons = [], []
    for task in ("all", *TASKS):
        keep = [i for i, r in enumerate(records[names[0]]) if task in ("all", r["task"])]
        label = hostile if hostile and task == TASKS[-1] else task
        scores = {name: [records[name][i]["score"] for i in keep] for name in names}
        for name in names:
            interval = score_interval(scores[name])
            rows.append(
                {
                    "checkpoint": name,
                    "task": label,
                    "n": interval.n,
                    "score": interval.estimate,
                    "interval": [interval.low, interval.high],
                }
            )
        for a, b in [*pairwise(names), (names[0], names[-1])]:
            test = compare(scores[a], scores[b])
            comparisons.append(
                {
                    "a": a,
                    "b": b,
                    "task": label,
                    "difference": test.difference,
                    "interval": [test.low, test.high],
                    "test": test.test,
                    "p_value": test.p_value,
                }
            )
    return {
        "checkpoints": names,
        "metric": "accuracy",
        "rows": rows,
        "comparisons": comparisons,
        "unfinished": {name: 0.9 if name == "base" else 0.0 for name in names},
        "seconds": {"data": 4.1, "SFT": 38.2, "RL": 61.5, "evaluation": 14.2},
    }


def _write_log(path: Path, rng: random.Random, hostile: str | None) -> None:
    lines = []
    for step in range(1, 141):
        record: dict[str, Any] = {"stage": "sft", "step": step, "total_steps": 140}
        record |= {"time": 0.27 * step, "loss": 2.6 * math.exp(-step / 30) + 0.1 * rng.random()}
        if step % 10 == 0:
            record["eval_accuracy"] = 0.25 + 0.35 / (1 + math.exp((90 - step) / 9))
        lines.append(record)
    for step in range(1, 61):
        accuracy = min(1, 0.55 + 0.3 * step / 60 + rng.gauss(0, 0.06))
        record = {"stage": "rl", "step": step, "total_steps": 60, "time": 40 + step}
        record |= {"loss": rng.gauss(0, 0.02), "rewards/accuracy_reward/mean": accuracy}
        record |= {"rewards/format_reward/mean": min(1, 0.9 + step / 600), "kl": step * 3e-4}
        record |= {
            "reward": accuracy + min(1, 0.9 + step / 600),
            "completion_length": 19 + step / 9,
        }
        record |= {"entropy": 0.9 * math.exp(-step / 40) + 0.03 * rng.random()}
        if hostile:
            record["rewards/" + hostile + "/mean"] = rng.random()
            record["loss"] = math.nan if step == 7 else record["loss"]
        lines.append(record)
    text = "".join(json.dumps(record) + "\n" for record in lines)
    path.write_text(text + '{"stage": "rl", "st')  # killed in the middle of a line


def _write_rollouts(path: Path, rng: random.Random, extra: str) -> None:
    lines = []
    for step in (1, 30, 60):
        for i in range(8):
            right = float(rng.random() < 0.3 + step / 100)
            lines.append(
                {
                    "stage": "rl",
                    "step": step,
                    "group": 0,
                    "sample": "train-0-counting-000017",
                    "completion": f"<think>2.0s blue: 1</think><answer>B</answer>{extra}",
                    "view": "ordered" if i < 6 else "shuffled",
                    "scores": {"accuracy_reward": right, "format_reward": 1.0},
                    "total": right + 1 if i < 6 else None,
                    "advantage": (right - 0.5) * 2 if i < 6 else None,
                }
            )
    path.write_text("".join(json.dumps(record) + "\n" for record in lines))


def _write_config(path: Path, source: str) -> None:
    config = {
        "method": "video_r1",
        "variant": "paper",
        "seed": 0,
        "model": {"id": "tiny", "family": "qwen2_5_vl", "dtype": "float32"},
        "frames": {"sampling": "uniform", "num_frames": 8, "decoder": "pyav"},
        "stages": {
            "sft": {"kind": "sft", "data": "synthetic", "learning_rate": 2e-3},
            "rl": {"kind": "grpo", "learning_rate": 5e-4, "num_generations": 8, "max_steps": 60},
        },
        "sources": {"stages.rl.num_generations": "official grpo.py at 59d65c3", "stages": source},
    }
    path.write_text(yaml.safe_dump({"method": "video_r1", "settings": config}, sort_keys=False))
