"""One training stage of a run: settings in, checkpoint folder out, resumable at any time.

The trainers are TRL's with our collators and hooks; this module only translates a preset into TRL's
arguments, keeps a log, and makes checkpoints trustworthy: a checkpoint counts once `COMPLETE` lies
in it, and `final/` appears whole or not at all. A run that was killed goes on from the newest
complete checkpoint to the same weights, to the bit on a CPU, because data order, rollouts and
hooks draw from streams that depend on the step, not on the past of the process.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from transformers import PrinterCallback, TrainerCallback, set_seed
from trl import DPOConfig, GRPOConfig, SFTConfig

from reproductions.shared.inference.engine import Request, Sampling
from reproductions.shared.inference.hf import HFGenerator
from reproductions.shared.method import Context, Method, Sample, Stage
from reproductions.shared.models.encode import Encoder
from reproductions.shared.models.load import load_model, load_processor
from reproductions.shared.progress import Bar, bar
from reproductions.shared.rewards.rules import accuracy
from vidpost.catalog.preset import Preset, StageSettings

COMPLETE = "complete"
"""Name of the file that says that a checkpoint was written to its end."""

CHECKPOINTS = 5
"""Checkpoints a stage, evenly spaced; the two newest are kept."""

LOGGED = (
    *("loss", "learning_rate", "grad_norm", "reward", "kl", "entropy", "mean_token_accuracy"),
    *("frac_reward_zero_std", "step_time", "packed"),
)
"""Values of a trainer's log that are kept, beside all under `rewards/` and `completions/`."""


class StageError(Exception):
    """A stage cannot be trained with what it was given. The message says what to do."""


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint of a stage; unfinished ones are removed."""
    found: dict[int, Path] = {}
    for path in folder.glob("checkpoint-*"):
        if (path / COMPLETE).exists():
            found[int(path.name.rsplit("-", 1)[1])] = path
        else:
            shutil.rmtree(path)
    return found[max(found)] if found else None


def total_steps(settings: StageSettings, samples: int, processes: int = 1) -> int:
    """Optimiser steps of a stage."""
    if settings.max_steps is not None:
        return settings.max_steps
    batch = settings.batch_size * settings.gradient_accumulation * processes
    return max(1, math.ceil(samples * settings.epochs / batch))


def train(
    stage: Stage,
    preset: Preset,
    method: Method,
    samples: Sequence[Sample],
    validation: Sequence[Sample],
    start: str | Path,
    folder: Path,
    *,
    read: Callable[[str], Any],
    log: Path,
    rollouts: Path,
    device: str = "cpu",
    packed: bool = True,
) -> Path:
    """Train one stage.

    Args:
        stage: Which one.
        preset: Settings of the run.
        method: The method over its baseline.
        samples: Training samples.
        validation: Samples that decide about stopping (SFT with `stop_at_accuracy`).
        start: Checkpoint to start from, a folder or a hub id.
        folder: Where the stage keeps its checkpoints.
        read: Reads the frames of a video.
        log: JSON lines file that the stage appends to.
        rollouts: JSON lines file for sampled groups.
        device: "cpu" or "cuda".
        packed: Compute each prompt once a group in the loss.

    Returns:
        The folder of the trained checkpoint (`folder/final`).
    """
    final = folder / "final"
    if final.exists():
        return final
    settings = preset.stages[stage.name]
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = latest_checkpoint(folder)
    at = int(checkpoint.name.rsplit("-", 1)[1]) if checkpoint else 0
    forget_after(log, stage.name, at)
    forget_after(rollouts, stage.name, at)
    context = Context(
        variant=preset.variant,
        stage=stage.name,
        seed=preset.seed,
        settings=settings.model_dump(),
    )
    if method.prepare_data is not None:
        samples = method.prepare_data(list(samples), context)
    set_seed(preset.seed)  # new adapters draw their weights before the trainer sets a seed
    processor = load_processor(start, preset.model.revision if not Path(start).is_dir() else None)
    # AdamW on bfloat16 weights rounds small steps away; ZeRO and FSDP keep float32 copies.
    master = preset.hardware.distributed == "none"
    model = load_model(start, preset.model, train=True, float32=master)
    encoder = Encoder(processor, model, read, method.prompt)
    steps = total_steps(settings, len(samples), int(os.environ.get("WORLD_SIZE", "1")))
    with bar(f"{stage.name} (step)", steps) as shown:
        record = Recorder(stage.name, log, shown, steps)
        callbacks = [record, MarkComplete()]
        common = _arguments(preset, settings, folder, steps, device)
        if stage.kind == "grpo":
            from reproductions.shared.training.grpo import VideoGRPOTrainer

            trainer: Any = VideoGRPOTrainer(
                model=model,
                args=GRPOConfig(**common, **_grpo_arguments(settings)),
                method=method,
                samples=samples,
                encoder=encoder,
                context=context,
                packed=packed,
                on_rollouts=lambda records: _append(
                    rollouts, [{"stage": stage.name, **r} for r in records]
                ),
                callbacks=callbacks,
            )
        elif stage.kind == "sft":
            from reproductions.shared.training.sft import VideoSFTTrainer

            if settings.stop_at_accuracy is not None:
                stop = StopAtAccuracy(settings, validation, encoder, record)
                callbacks.insert(0, stop)
            trainer = VideoSFTTrainer(
                model=model,
                args=SFTConfig(
                    **common,
                    dataset_kwargs={"skip_prepare_dataset": True},
                    max_length=None,
                ),
                method=method,
                samples=samples,
                encoder=encoder,
                max_target_length=settings.max_completion_length or 4096,
                callbacks=callbacks,
            )
        else:
            from reproductions.shared.training.preference import VideoDPOTrainer, sample_pairs

            length = settings.max_completion_length or 1024
            pairs = None
            if not any("chosen" in s.meta for s in samples):
                # Sampled from the stage's first weights with fixed streams: equal on a resumed run.
                sampling = Sampling(
                    settings.temperature, settings.top_p, settings.top_k, length, preset.seed
                )
                generator = HFGenerator(model, encoder)
                pairs = sample_pairs(samples, generator, method, sampling, context=context)
                if not pairs:
                    raise StageError(
                        "the model's answers to each question all score the same, so there is no "
                        "pair to prefer. Train the stage before it longer, or raise temperature."
                    )
            trainer = VideoDPOTrainer(
                model=model,
                args=DPOConfig(
                    **common, beta=settings.beta, loss_type=settings.loss_type, max_length=None
                ),
                method=method,
                samples=samples,
                pairs=pairs,
                encoder=encoder,
                max_answer_length=length,
                callbacks=callbacks,
            )
        trainer.remove_callback(PrinterCallback)
        if checkpoint is not None and master:
            _restore(model, checkpoint, preset)
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if trainer.is_world_process_zero():
        _save_final(trainer, processor, final)
    trainer.accelerator.wait_for_everyone()
    return final


def _restore(model: Any, checkpoint: Path, preset: Preset) -> None:
    """Load the weights of a checkpoint; transformers' trainer, which should, does not.

    It looks for other names than `save_pretrained` writes, finds none of them and goes on with the
    first weights, without a word. Of adapters it loads the reference's alone where there is one.
    """
    if preset.model.lora is not None:
        model.load_adapter(checkpoint, "default", is_trainable=True)
    else:
        model.load_state_dict(load_model(checkpoint, preset.model, float32=True).state_dict())


def _arguments(
    preset: Preset, settings: StageSettings, folder: Path, steps: int, device: str
) -> dict[str, Any]:
    batch = settings.batch_size
    window = 1  # a generated batch is not kept in a checkpoint, so none is written amid its steps
    if settings.kind == "grpo":
        batch *= settings.num_generations or 8
        window = settings.steps_per_generation * settings.num_iterations
    return {
        "output_dir": str(folder),
        "per_device_train_batch_size": batch,
        "gradient_accumulation_steps": settings.gradient_accumulation,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": _scheduler(settings),
        "warmup_steps": round(settings.warmup_ratio * steps),
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "max_steps": steps,
        "seed": preset.seed,
        "data_seed": preset.seed,
        "bf16": preset.model.dtype == "bfloat16",
        "fp16": preset.model.dtype == "float16",
        "gradient_checkpointing": preset.model.gradient_checkpointing,
        "use_cpu": device == "cpu",
        "save_strategy": "steps",
        "save_steps": window * math.ceil(steps / CHECKPOINTS / window),
        "save_total_limit": 2,
        "logging_steps": 1,
        "report_to": [],
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "dataloader_num_workers": 0,
    }


def _scheduler(settings: StageSettings) -> str:
    """Transformers' "constant" ignores the warm-up."""
    if settings.scheduler == "constant" and settings.warmup_ratio:
        return "constant_with_warmup"
    return settings.scheduler


def _grpo_arguments(settings: StageSettings) -> dict[str, Any]:
    return {
        "num_generations": settings.num_generations,
        "max_completion_length": settings.max_completion_length,
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "top_k": settings.top_k,
        "beta": settings.beta,
        "epsilon": settings.epsilon,
        "epsilon_high": settings.epsilon_high,
        "loss_type": settings.loss_type,
        "scale_rewards": settings.scale_rewards,
        "num_iterations": settings.num_iterations,
        "steps_per_generation": settings.steps_per_generation * settings.gradient_accumulation,
        "importance_sampling_level": settings.importance_sampling_level,
    }


def _save_final(trainer: Any, processor: Any, final: Path) -> None:
    """Write the trained checkpoint; adapters are merged, so the result loads like any model."""
    part = final.with_name(".final.partial")
    shutil.rmtree(part, ignore_errors=True)
    model = trainer.accelerator.unwrap_model(trainer.model)
    if hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload()
    model.save_pretrained(part)
    processor.save_pretrained(part)
    part.rename(final)


def forget_after(path: Path, stage: str, step: int) -> None:
    """Drop a log's records of `stage` after `step`: a resumed stage writes them again."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        record = json.loads(line)
        if record.get("stage") != stage or record.get("step", 0) <= step:
            kept.append(line)
    part = path.with_name(f".{path.name}.partial")
    part.write_text("".join(kept), encoding="utf-8")
    part.replace(path)


def _append(path: Path, records: list[dict[str, Any]]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(r) + "\n" for r in records)


class Recorder(TrainerCallback):  # type: ignore[misc]
    """Writes log.jsonl and moves the progress bar.

    Args:
        stage: Name of the stage.
        path: JSON lines file.
        shown: Progress bar.
        steps: Steps of the stage.
    """

    def __init__(self, stage: str, path: Path, shown: Bar, steps: int) -> None:
        self.stage = stage
        self.path = path
        self.shown = shown
        self.steps = steps
        self.note = ""
        self.start = time.time()

    def write(self, step: int, values: dict[str, Any]) -> None:
        """Append one record."""
        seconds = round(time.time() - self.start, 3)
        head = {"stage": self.stage, "step": step, "total_steps": self.steps, "time": seconds}
        _append(self.path, [head | values])

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Keep what a reader of curves needs; TRL prints numbers as text."""
        values = {}
        for key, value in (logs or {}).items():
            if key not in LOGGED and not key.startswith(("rewards/", "completions/")):
                continue
            number = float(value) if value is not None else math.nan
            values[key] = number if math.isfinite(number) else None
        if not values or not state.is_world_process_zero:
            return
        if "completions/mean_length" in values:
            values["completion_length"] = values.pop("completions/mean_length")
        self.write(state.global_step, values)
        if "reward" in values:
            self.note = f"reward {values['reward']:.2f}"
        elif "loss" in values and not self.note.startswith("accuracy"):
            self.note = f"loss {values['loss']:.2f}"

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Move the bar."""
        self.shown.to(state.global_step, self.note)


class MarkComplete(TrainerCallback):  # type: ignore[misc]
    """Marks a checkpoint as complete once all of it is written; the last of the callbacks."""

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """No checkpoint after the last step, because `final/` follows.

        A trainer that is resumed from its last step would do another one.
        """
        if control.should_training_stop:
            control.should_save = False

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Called after the trainer has written weights, optimiser, schedule and random state."""
        if state.is_world_process_zero:
            (Path(args.output_dir) / f"checkpoint-{state.global_step}" / COMPLETE).touch()


class StopAtAccuracy(TrainerCallback):  # type: ignore[misc]
    """Stops a cold start once the model answers well enough to learn by reward.

    A small model from scratch learns to see in one sharp transition; a fixed number of steps would
    stop before it for one seed and long after it for another.

    Args:
        settings: `stop_at_accuracy` and `check_every`.
        validation: Questions; greedy answers.
        encoder: Encodes them.
        record: Takes the accuracy.
    """

    def __init__(
        self,
        settings: StageSettings,
        validation: Sequence[Sample],
        encoder: Encoder,
        record: Recorder,
    ) -> None:
        self.settings = settings
        self.validation = validation
        self.encoder = encoder
        self.record = record

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Check every `check_every` steps."""
        if state.global_step % (self.settings.check_every or 10):
            return
        accuracy = self.measure(kwargs["model"])
        self.record.note = f"accuracy {accuracy:.2f}, stops at {self.settings.stop_at_accuracy}"
        if state.is_world_process_zero:
            self.record.write(state.global_step, {"eval_accuracy": accuracy})
        if accuracy >= (self.settings.stop_at_accuracy or 1.0):
            control.should_training_stop = True

    def measure(self, model: Any) -> float:
        """Greedy accuracy on the validation questions."""
        sampling = Sampling(max_new_tokens=self.settings.max_completion_length or 64)
        requests = [Request(s) for s in self.validation]
        answers = HFGenerator(model, self.encoder).generate(requests, sampling)
        scores = accuracy("video_r1")(
            prompts=[s.question for s in self.validation],
            completions=[a[0].text for a in answers],
            solution=[s.answer for s in self.validation],
            problem_type=[s.problem_type for s in self.validation],
        )
        return sum(scores) / len(scores)
