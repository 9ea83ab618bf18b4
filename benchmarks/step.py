"""A whole GRPO step, rollout to optimiser: ours, and stock `trl.GRPOTrainer` on the same work.

Same model, prompts, group size and number of groups; the end-of-sequence token is suppressed, so
that every answer has R tokens in all variants. Video: stock TRL takes none, so it is given half as
many images as the clip has frames, which makes as many vision tokens (Qwen2.5-VL shows an image as
two equal frames). The naive variant is our trainer without the group: every answer its own request
and row, with its own copy of the pixels. Nobody decodes or resizes anything here.

Variants are trained in turn, two steps each; the second one counts. CPU seconds of one thread.

The grid (`--full`) is one group a step in every size of `update`, ours and stock TRL, each step in
a process of its own, after a small one that loads what is loaded lazily.
"""

from __future__ import annotations

import dataclasses
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import update, workload
from reproductions.shared.method import Context, Method, Rollouts, Sample

HEADER = {
    "work": "work",
    "p": "P",
    "r": "R",
    "groups": "groups",
    "variant": "variant",
    "seconds": "s a step",
    "ratio": "ratio to ours",
    "rollout": "rollout, s",
    "rollout_ratio": "ratio",
    "update": "update, s",
    "update_ratio": "ratio",
}
GRID_HEADER = {
    "grid_p": "P",
    "r": "R",
    "g": "G",
    "ours_s": "ours, s",
    "stock_s": "stock TRL, s",
    "step_ratio": "stock / ours",
    "rollout_ratio": "rollout",
    "update_ratio": "update",
    "token_limit": "token limit",
    "flop_limit": "FLOP limit",
    "rounds": "rounds",
}
"""Key of a record -> heading of its column."""


@dataclass(frozen=True)
class Case:
    """One kind of work.

    Attributes:
        name: In the table.
        video: Frames x side in pixels; None for text.
        repeats: How often the question's text is repeated, to make a long prompt.
        groups: Groups a step.
        answer: R, tokens an answer.
        group: G, answers a group.
    """

    name: str
    video: str | None
    repeats: int = 1
    groups: int = 4
    answer: int = 32
    group: int = 8


CASES = (
    Case("short text", None),
    Case("long text", None, repeats=100, groups=2),
    Case("16 frames 112 px", "16x112", groups=2),
    Case("16 frames 224 px", "16x224", groups=1, answer=64),
)
GRID = tuple(
    Case(update.CLIPS[p], update.CLIPS[p], groups=1, answer=r, group=g) for p, r, g in update.FULL
)
WARM_UP = Case("warm-up", "4x56", groups=1, answer=4, group=2)
ROUNDS, STEPS, PATIENCE = 3, 2, 60.0
"""Rounds, steps of each; after this many seconds no further round is begun."""
OURS = "ours"
STOCK = "stock TRL, frames as images"
VARIANTS: dict[str, tuple[str, ...]] = {
    "text": (OURS, "ours, not shared", "stock TRL"),
    "video": (OURS, "ours, not shared", "naive", STOCK),
}


def reward(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """Half of the answers are right, so that every group has a gradient."""
    return [float(i % 2) for i in range(len(completions))]


def _timed(base: type) -> type:
    """The trainer with a clock around the rollout."""

    class Timed(base):  # type: ignore[misc]
        rollout_seconds = 0.0

        def _generate_and_score_completions(self, inputs: Any) -> Any:
            begin = time.process_time()
            result = super()._generate_and_score_completions(inputs)
            self.rollout_seconds = time.process_time() - begin
            return result

    return Timed


def _clock() -> Any:
    from transformers import TrainerCallback

    class Clock(TrainerCallback):  # type: ignore[misc]
        begin = seconds = 0.0

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.begin = time.process_time()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.seconds = time.process_time() - self.begin

    return Clock()


def _arguments(case: Case, folder: str, steps: int, **more: Any) -> Any:
    from trl import GRPOConfig

    return GRPOConfig(
        output_dir=folder,
        per_device_train_batch_size=case.group * case.groups,
        num_generations=case.group,
        max_completion_length=case.answer,
        max_steps=steps,
        temperature=1.0,
        top_p=1.0,
        top_k=0,
        beta=0.0,
        loss_type="grpo",
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        **more,
    )


def _samples(case: Case, steps: int = STEPS) -> list[Sample]:
    text = " ".join([workload.INSTRUCTION] * case.repeats)
    # Frame sizes make two clips equal in cost; the text makes the samples different prompts.
    return [
        workload.question(case.video, str(i), f"{text} {i}") for i in range(case.groups * steps)
    ]


def _stock(case: Case, checkpoint: Path, folder: str, steps: int) -> Any:
    """`trl.GRPOTrainer` as its documentation shows it."""
    from datasets import Dataset
    from PIL import Image
    from trl import GRPOTrainer

    from reproductions.shared.models.load import load_processor

    rows: list[dict[str, Any]] = []
    for sample in _samples(case, steps):
        rows.append({"prompt": [{"role": "user", "content": sample.question}]})
        if case.video is not None:
            frames, side = (int(n) for n in case.video.split("x"))
            pixels = workload.clip(frames // 2, side).frames
            rows[-1]["images"] = [Image.fromarray(frame) for frame in pixels]
    processor = load_processor(checkpoint)
    forbidden = [processor.tokenizer.eos_token_id, processor.tokenizer.pad_token_id]
    forbidden += processor.tokenizer.convert_tokens_to_ids(["<|image_pad|>", "<|video_pad|>"])
    return _timed(GRPOTrainer)(
        model=workload.load(checkpoint),
        args=_arguments(case, folder, steps, generation_kwargs={"suppress_tokens": forbidden}),
        reward_funcs=[reward],
        train_dataset=Dataset.from_list(rows),
        processing_class=processor,
    )


def _ours(case: Case, checkpoint: Path, folder: str, steps: int, variant: str) -> Any:
    from reproductions.shared.training.grpo import VideoGRPOTrainer

    model = workload.load(checkpoint)
    encode = workload.encoder(checkpoint, model)
    forbidden = [*encode.forbidden_ids(), encode.tokenizer.eos_token_id]
    encode.forbidden_ids = lambda: forbidden  # type: ignore[method-assign]
    method = Method("bench", rewards=(reward,))
    if variant == "naive":
        method = dataclasses.replace(method, build_group=_one_by_one)
        encode = _Copying(encode)  # type: ignore[assignment]
    return _timed(VideoGRPOTrainer)(
        model=model,
        args=_arguments(case, folder, steps),
        method=method,
        samples=_samples(case, steps),
        encoder=encode,
        context=Context(),
        shared_prefix=variant == OURS,
    )


def _one_by_one(sample: Sample, context: Context) -> list[Rollouts]:
    return [Rollouts(1) for _ in range(context.num_generations)]


class _Copying:
    """An encoder that hands out the pixels anew each time, so that no two rows share them."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        prompt = self.inner(*args, **kwargs)
        return dataclasses.replace(prompt, views=tuple(dict(view) for view in prompt.views))


def _one_run(case: Case, variant: str, checkpoint: Path, steps: int = STEPS) -> tuple[float, float]:
    """Train a few steps; returns the CPU seconds of the last one and of its rollout."""
    from transformers import PrinterCallback

    with tempfile.TemporaryDirectory() as folder:
        if variant.startswith("stock"):
            trainer = _stock(case, checkpoint, folder, steps)
        else:
            trainer = _ours(case, checkpoint, folder, steps, variant)
        clock = _clock()
        trainer.add_callback(clock)
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        return clock.seconds, trainer.rollout_seconds


def alone(case: Case, variant: str, checkpoint: Path) -> tuple[float, float, float]:
    """CPU seconds of a step and of its rollout, and MiB of memory beside the libraries."""
    _one_run(WARM_UP, variant, checkpoint, steps=1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, rollout = _one_run(case, variant, checkpoint, steps=1)
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return seconds, rollout, kib / 2 ** (20 if sys.platform == "darwin" else 10)


def measure(full: bool = False) -> list[dict[str, Any]]:
    """One record a kind of work and variant.

    Args:
        full: The grid too.
    """
    records: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = workload.prepare(Path(folder))
        encode = workload.encoder(checkpoint, workload.load(checkpoint))
        for case in CASES:
            prompt = len(encode(_samples(case)[0]).ids)
            variants = VARIANTS["video" if case.video else "text"]
            found: dict[str, list[tuple[float, float]]] = {v: [] for v in variants}
            spent = 0.0
            for turn in range(ROUNDS):
                for variant in variants if not turn or spent < PATIENCE else ():
                    found[variant].append(_one_run(case, variant, checkpoint))
                    spent += found[variant][-1][0]
            middle = {
                v: (
                    median(s for s, _ in found[v]),
                    median(r for _, r in found[v]),
                    median(s - r for s, r in found[v]),
                )
                for v in variants
            }
            for variant in variants:
                record: dict[str, Any] = {
                    "work": case.name,
                    "p": prompt,
                    "r": case.answer,
                    "g": case.group,
                    "groups": case.groups,
                    "variant": variant,
                    "rounds": len(found[variant]),
                }
                for key, value, ours in zip(
                    ("seconds", "rollout", "update"), middle[variant], middle[OURS], strict=True
                ):
                    record[key] = round(value, 3)
                    ratio = "ratio" if key == "seconds" else f"{key}_ratio"
                    record[ratio] = round(value / ours, 2)
                records.append(record)
            print(f"step: {case.name}, R={case.answer} done", file=sys.stderr)
        for case in GRID if full else ():
            records.append(_size(case, checkpoint, encode))
            print(f"step: {case} done", file=sys.stderr)
    return records


def _size(case: Case, checkpoint: Path, encode: Any) -> dict[str, Any]:
    """A row of the grid; a variant that needs more memory than a measurement may take has None."""
    prompt = encode(_samples(case, 1)[0])
    steps, height, width = prompt.video["video_grid_thw"][0].tolist()
    size = (len(prompt.ids), case.answer, case.group)
    # The forward of a rollout is that of the update, so the limit of the update is the step's too.
    need = {
        way: update.flops(workload.SIZES, way, *size, (steps, height * width))
        for way in ("packed", "naive")
    }
    found: dict[str, list[tuple[float, float, float]]] = {OURS: [], STOCK: []}
    spent = 0.0
    for turn in range(ROUNDS):
        for variant, runs in found.items() if not turn or spent < update.PATIENCE else ():
            if turn and not runs:
                continue  # it did not fit
            one = update.within(update.memory_limit(), alone, case, variant, checkpoint)
            if one is not None:
                runs.append(one)
                spent += one[0]
    seconds, rollout, rest = (
        {v: median(of(run) for run in runs) for v, runs in found.items() if runs}
        for of in (lambda run: run[0], lambda run: run[1], lambda run: run[0] - run[1])
    )

    def ratio(of: dict[str, float]) -> float | None:
        return round(of[STOCK] / of[OURS], 2) if len(of) == 2 else None

    return {
        "grid_p": size[0],
        "r": case.answer,
        "g": case.group,
        "ours_s": round(seconds[OURS], 2) if OURS in seconds else None,
        "stock_s": round(seconds[STOCK], 2) if STOCK in seconds else None,
        "step_ratio": ratio(seconds),
        "rollout_ratio": ratio(rollout),
        "update_ratio": ratio(rest),
        "token_limit": round(update.token_limit(*size), 2),
        "flop_limit": round(need["naive"] / need["packed"], 2),
        "rounds": len(found[OURS]),
    }
