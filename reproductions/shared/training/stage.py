"""One training stage of a run: settings in, checkpoint folder out, resumable at any time.

The trainers are TRL's with our collators and hooks; this module only translates a preset into TRL's
arguments, keeps a log, and makes checkpoints trustworthy: a checkpoint counts once `COMPLETE` lies
in it, and `final/` appears whole or not at all. A run that was killed goes on from the newest
complete checkpoint to the same weights, to the bit on a CPU, because data order, rollouts and
hooks draw from streams that depend on the step, not on the past of the process.

The number of processes is not a setting of a run. `batch_size`, `gradient_accumulation` and
`hardware.devices` say what an optimiser step takes; `share` deals it out to the processes there
are, micro-batches in the same order, so that two processes train like one that accumulates twice
as much, and a run may go on with another number of them.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, set_seed
from trl import DPOConfig, GRPOConfig, SFTConfig

from reproductions.shared import processes
from reproductions.shared.evaluation.strategies import chooser
from reproductions.shared.inference.engine import Sampling
from reproductions.shared.inference.hf import HFGenerator
from reproductions.shared.inference.lazy import LazyGenerator
from reproductions.shared.inference.policy_server import PolicyServer
from reproductions.shared.inference.server import ServerError
from reproductions.shared.inference.turns import reading
from reproductions.shared.method import Context, Method, MethodError, Sample, Stage
from reproductions.shared.models.encode import Encoder, PromptTooLong, base_of
from reproductions.shared.models.frozen import Tower
from reproductions.shared.models.load import load_model, load_processor
from reproductions.shared.models.lockstep import keep_in_step
from reproductions.shared.progress import bar
from reproductions.shared.training.callbacks import MarkComplete, Recorder, StopAtAccuracy
from reproductions.shared.training.checkpoints import (
    COMPLETE,
    append,
    forget_after,
    latest_checkpoint,
    restore,
    save_final,
)
from reproductions.shared.training.scoring import try_rewards
from vidpost.catalog.preset import Preset, StageSettings

PREFETCH = "VIDPOST_PREFETCH"
"""Environment variable: 1 encodes the next step's prompts beside the model on a CPU as well."""

SERVERS = "VIDPOST_SERVERS"
"""Environment variable: URLs of the vLLM servers that answer rollouts, commas between them."""

CHECKPOINTS = 5
"""Checkpoints a stage, evenly spaced; the two newest are kept."""


class StageError(Exception):
    """A stage cannot be trained with what it was given. The message says what to do."""


def total_steps(settings: StageSettings, samples: int, devices: int = 1) -> int:
    """Optimiser steps of a stage that is set up for so many training devices."""
    if settings.max_steps is not None:
        return settings.max_steps
    batch = settings.batch_size * settings.gradient_accumulation * devices
    return max(1, math.ceil(samples * settings.epochs / batch))


def share(settings: StageSettings, devices: int, processes: int) -> tuple[int, int]:
    """Deal what an optimiser step takes out to the processes.

    Args:
        settings: `batch_size` and `gradient_accumulation`, for each of `devices`.
        devices: Training devices that the preset is written for.
        processes: Processes that train.

    Returns:
        (samples or groups a micro-batch, micro-batches an optimiser step) of each process. Whole
        micro-batches are dealt out, because losses are means over a micro-batch; a step of only one
        is cut.

    Raises:
        StageError: They cannot be shared equally.
    """
    batches = settings.gradient_accumulation * devices
    if batches % processes == 0:
        return settings.batch_size, batches // processes
    if batches == 1 and settings.batch_size % processes == 0 and settings.loss_type != "bnpo":
        return settings.batch_size // processes, 1
    raise StageError(
        f"an optimiser step takes {batches} micro-batches (gradient_accumulation x "
        f"hardware.devices) of {settings.batch_size}, which {processes} processes cannot share "
        f"equally. Start a number of processes that divides {batches}, or change these settings."
    )


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

    Returns:
        The folder of the trained checkpoint (`folder/final`).
    """
    final = folder / "final"
    here = processes.join(device)
    if final.exists():
        return final
    _check_spread(preset)
    if stage.kind == "sft":
        with _said():
            _try_rewards(preset, method, samples)
    settings = preset.stages[stage.name]
    devices = preset.hardware.training_devices
    batch, accumulation = share(settings, devices, processes.count())
    settings = settings.model_copy(
        update={"batch_size": batch, "gradient_accumulation": accumulation}
    )
    with processes.main_first():
        if not processes.rank():
            folder.mkdir(parents=True, exist_ok=True)
        checkpoint = latest_checkpoint(folder)
        at = int(checkpoint.name.rsplit("-", 1)[1]) if checkpoint else 0
        if not processes.rank():
            forget_after(log, stage.name, at)
            forget_after(rollouts, stage.name, at)
    _check_checkpoint(folder, checkpoint, preset)
    context = Context(
        variant=preset.variant,
        stage=stage.name,
        seed=preset.seed,
        settings=preset.stages[stage.name].model_dump(),
    )
    processor = load_processor(start, preset.model.revision if not Path(start).is_dir() else None)

    def unchanged() -> HFGenerator:
        first = load_model(start, preset.model, device=str(here))
        return HFGenerator(first, Encoder(processor, first, read, method.prompt))

    context = replace(context, frozen=LazyGenerator(unchanged))
    if method.prepare_data is not None:
        samples = method.prepare_data(list(samples), context)
        _check_samples(preset, stage.name, len(samples))
    set_seed(preset.seed)  # new adapters draw their weights before the trainer sets a seed
    # AdamW on bfloat16 weights rounds small steps away; ZeRO and FSDP keep float32 copies.
    master = preset.hardware.distributed == "none"
    model = load_model(start, preset.model, train=True, float32=master)
    keep_in_step(model, every_gradient=master and preset.model.gradient_checkpointing)
    whole = preset.hardware.distributed not in ("deepspeed_zero3", "fsdp2")
    lower = master and preset.model.dtype != "float32"
    encoder = Encoder(
        processor,
        model,
        read,
        method.prompt,
        choose=chooser(method, preset, read),
        # A tower in pieces cannot be asked by one process alone.
        tower=Tower(base_of(model), getattr(torch, preset.model.dtype) if lower else None)
        if whole
        else None,
        max_tokens=settings.max_prompt_length,
        # On a CPU the model needs the cores itself: no gain was measured on two.
        prefetch=device == "cuda" or os.environ.get(PREFETCH) == "1",
    )
    steps = total_steps(preset.stages[stage.name], len(samples), devices)
    with bar(f"{stage.name} (step)", steps) as shown:
        record = Recorder(stage.name, log, shown, steps)
        callbacks = [record, MarkComplete()]
        stop: StopAtAccuracy | None = None
        common = _arguments(preset, settings, folder, steps, device)
        parts = {"model": model, "method": method, "samples": samples, "encoder": encoder}
        if stage.kind == "grpo":
            from reproductions.shared.training.grpo import VideoGRPOTrainer

            trainer: Any = VideoGRPOTrainer(
                **parts,
                args=GRPOConfig(**common, **_grpo_arguments(settings)),
                context=context,
                shared_prefix=preset.train.shared_prefix,
                on_rollouts=lambda records: append(
                    rollouts, [{"stage": stage.name, **r} for r in records]
                ),
                engine=rollout_engine(preset, start, encoder, folder),
                callbacks=callbacks,
            )
        elif stage.kind == "sft":
            from reproductions.shared.training.sft import VideoSFTTrainer

            if settings.stop_at_accuracy is not None:
                stop = StopAtAccuracy(settings, validation, encoder, record)
                callbacks.insert(0, stop)
            trainer = VideoSFTTrainer(
                **parts,
                args=SFTConfig(
                    **common,
                    dataset_kwargs={"skip_prepare_dataset": True},
                    max_length=None,
                ),
                max_target_length=settings.max_completion_length or 4096,
                cut=batch < preset.stages[stage.name].batch_size,
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
                generator = HFGenerator(model.to(here), encoder)
                own = samples[processes.rank() :: processes.count()]
                with _said():
                    made = sample_pairs(own, generator, method, sampling, context=context)
                pairs = processes.collect(made)
                place = {s.id: i for i, s in enumerate(samples)}
                pairs.sort(key=lambda pair: place[pair.sample.id])
                if not pairs:
                    raise StageError(
                        "the model's answers to each question all score the same, so there is no "
                        "pair to prefer. Train the stage before it longer, or raise temperature."
                    )
            trainer = VideoDPOTrainer(
                **parts,
                args=DPOConfig(
                    **common, beta=settings.beta, loss_type=settings.loss_type, max_length=None
                ),
                pairs=pairs,
                max_answer_length=length,
                context=context,
                callbacks=callbacks,
            )
        trainer.remove_callback(PrinterCallback)
        if stop is not None:
            stop.trainer = trainer
        if checkpoint is not None and master:
            restore(model, checkpoint, preset)
        with _said():
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        if getattr(trainer, "engine", None) is not None:
            trainer.engine.close()
    save_final(trainer, preset, processor, start, final)
    return final


@contextmanager
def _said() -> Iterator[None]:
    """Faults that the user can mend end the stage with their message."""
    try:
        yield
    except (MethodError, PromptTooLong, ServerError) as error:
        raise StageError(str(error)) from None


def _try_rewards(preset: Preset, method: Method, samples: Sequence[Sample]) -> None:
    """Ask the method's rewards for once, if a later stage is going to need them."""
    later = next((s for s in method.stages or () if s.kind != "sft"), None)
    if later is None or later.name not in preset.stages:
        return
    settings = preset.stages[later.name]
    context = Context(
        variant=preset.variant,
        stage=later.name,
        seed=preset.seed,
        num_generations=settings.num_generations or 2,
        settings=settings.model_dump(),
    )
    try_rewards(method, samples, context)


def rollout_engine(
    preset: Preset,
    start: str | Path = "",
    encoder: Encoder | None = None,
    folder: Path | None = None,
) -> Callable[[], Any] | None:
    """What makes the engine that answers rollouts; None for transformers.

    Args:
        preset: Settings of the run.
        start: Checkpoint that the stage starts from.
        encoder: Encodes its prompts; None only to check that the engine can be had.
        folder: Of the stage; takes the weights that servers read.

    Raises:
        StageError: The engine cannot be had here.
    """
    asked = preset.hardware.rollout_engine
    if asked == "hf":
        return None
    place = f"hardware.rollout_engine: '{asked}'"
    remedy = "Use --set hardware.rollout_engine=hf."
    if asked == "vllm_server":
        urls = os.environ.get(SERVERS, "")
        if not urls:
            raise StageError(
                f"{place} is at no known address. Start it (docs/reproduce/engines.md says how) "
                f"and set {SERVERS}=http://HOST:8000, several with commas between them. {remedy}"
            )

        def serve() -> Any:
            assert encoder is not None and folder is not None
            dtype, family = getattr(torch, preset.model.dtype), preset.model.family
            return PolicyServer(urls, encoder, folder / "policy", dtype=dtype, family=family)

        if encoder is None:
            try:
                PolicyServer(urls, reading(str, str), Path("policy")).close()
            except ServerError as error:
                raise StageError(f"{place}: {error}") from None
        return serve
    if find_spec("vllm") is None:
        raise StageError(f"{place}: vLLM is not installed (pip install '.[train,vllm]'). {remedy}")
    if processes.count() > 1:
        raise StageError(f"{place} was only made to work in one process. {remedy}")

    def make() -> Any:
        import torch

        from reproductions.shared.inference.vllm import VLLMGenerator

        assert encoder is not None
        local = Path(start).is_dir()
        options = {"gpu_memory_utilization": 0.3} if torch.cuda.is_available() else {}
        return VLLMGenerator(
            start,
            encoder,
            dtype=preset.model.dtype,
            revision=None if local else preset.model.revision,
            **options,
        )

    return make


def _check_samples(preset: Preset, name: str, count: int) -> None:
    """TRL leaves out a batch that is not full; with too few samples it would train nothing."""
    least = preset.questions_a_step(name)
    if count < least:
        raise StageError(
            f"stages.{name}.batch_size: a step takes {least:,} questions, but prepare_data of "
            f"{preset.method} leaves {count:,}. Give it more data, or lower the batch size."
        )


def _check_spread(preset: Preset) -> None:
    """Weights are spread as the preset says, which decides how they are loaded, kept and saved.

    Raises:
        StageError: The processes were started in another way.
    """
    asked, found = preset.hardware.distributed, processes.spread()
    if found not in (asked, ""):
        remedy = f"launch/accelerate/{asked.removeprefix('deepspeed_')}.yaml"
        remedy = f"with --config_file {remedy}" if asked != "none" else "without DeepSpeed and FSDP"
        raise StageError(
            f"hardware.distributed is '{asked}', but the processes were started with '{found}'. "
            f"Start them {remedy}, or add --set hardware.distributed={found}."
        )


def _appears(folder: Path, seconds: float = 60) -> bool:
    """Whether process 0's new folder is here; network file systems may take a while to show it."""
    end = time.monotonic() + seconds
    while not folder.is_dir() and time.monotonic() < end:
        time.sleep(1)
    return folder.is_dir()


def _check_checkpoint(folder: Path, checkpoint: Path | None, preset: Preset) -> None:
    """All processes see the same checkpoint, and it can be read by as many as there are.

    Raises:
        StageError: They do not; or DeepSpeed wrote it, in as many parts as there were processes.
    """
    name = checkpoint.name if checkpoint else "an empty folder"
    seen = processes.collect([name if _appears(folder) else "no folder"])
    if len(set(seen)) > 1:
        raise StageError(
            f"the processes find different things in {folder}: {', '.join(seen)}. The run "
            "folder must lie where all machines see it; give --out on a shared file system."
        )
    if checkpoint is None or "deepspeed" not in preset.hardware.distributed:
        return
    written = int((checkpoint / COMPLETE).read_text("ascii") or processes.count())
    if written != processes.count():
        raise StageError(
            f"{checkpoint.name} was written by {written} processes under DeepSpeed, and only as "
            f"many can read it; there are {processes.count()}. Start {written} processes. (With "
            "hardware.distributed=fsdp2 or none a run goes on with any number.)"
        )


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
