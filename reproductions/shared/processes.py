"""The processes of one run: who am I, wait for the others, collect what they hold.

`accelerate launch` starts the processes and says in the environment how many there are. Process 0
writes logs, cards and progress. What one process has to do before the others is done under
`main_first`; what they share is put together with `collect`. With one process all of this is a
plain function call, and torch is not imported.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

T = TypeVar("T")

MINUTES = "VIDPOST_TIMEOUT"
"""Environment variable: minutes that a process waits for the others before it gives up."""


def rank() -> int:
    """Number of this process, from 0."""
    return int(os.environ.get("RANK", "0"))


def count() -> int:
    """How many processes there are."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def spread() -> str:
    """How `accelerate launch` spreads weights: a word of `hardware.distributed`, "" if unknown."""
    if os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true":
        stage = os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE")  # not with a file of DeepSpeed's
        return f"deepspeed_zero{stage}" if stage else ""
    if os.environ.get("ACCELERATE_USE_FSDP") == "true":
        return f"fsdp{os.environ.get('FSDP_VERSION', '1')}"
    return "none"


def free_cores() -> int:
    """Cores of this machine beyond one for each process on it."""
    known = hasattr(os, "sched_getaffinity")  # not on macOS
    cores = len(os.sched_getaffinity(0)) if known else os.cpu_count() or 1
    return cores - int(os.environ.get("LOCAL_WORLD_SIZE") or count())


def timeout() -> timedelta:
    """How long a process waits for the others; 30 minutes if `VIDPOST_TIMEOUT` is not set."""
    return timedelta(minutes=float(os.environ.get(MINUTES) or 30))


def join(device: str) -> Any:
    """Connect this process with the others, once, and return its device.

    Args:
        device: "cpu" or "cuda".
    """
    from accelerate import PartialState

    if count() == 1:
        return PartialState(cpu=device == "cpu").device
    # FSDP would load weights on the first process alone and leave zeros on the others, also in
    # models that are only asked: to evaluate, to sample pairs.
    os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] = "false"
    if device == "cpu":  # accelerate says "cpu:0", where torch.load can put nothing
        os.environ["ACCELERATE_TORCH_DEVICE"] = "cpu"
    return PartialState(cpu=device == "cpu", timeout=timeout()).device


@contextmanager
def whole_weights() -> Iterator[None]:
    """Models that are loaded inside are whole on every process.

    Once there is a trainer with ZeRO-3, transformers splits all that it loads, also models that
    no trainer will put together again: to evaluate, to answer as the stage's first weights.
    """
    if count() == 1:
        yield
        return
    from transformers.integrations import deepspeed

    found = deepspeed._hf_deepspeed_config_weak_ref
    deepspeed.unset_hf_deepspeed_config()
    try:
        yield
    finally:
        deepspeed._hf_deepspeed_config_weak_ref = found


def wait() -> None:
    """Wait until all processes have come here."""
    if count() > 1:
        from accelerate import PartialState

        PartialState().wait_for_everyone()


@contextmanager
def main_first() -> Iterator[None]:
    """Process 0 runs the block before the others, who then find what it has written."""
    if rank():
        wait()
    yield
    if not rank():
        wait()


def collect(values: list[T]) -> list[T]:
    """The lists of all processes, one after the other, on every process."""
    if count() == 1:
        return values
    from accelerate.utils import gather_object

    return gather_object(values)  # type: ignore[no-any-return]


def lost(error: Exception) -> bool:
    """Whether an error says that another process ended or did not come in time."""
    import torch

    words = "gloo|timed out|connection (closed|reset|refused)"
    of_torch = count() > 1 and isinstance(error, RuntimeError)
    return of_torch and (
        isinstance(error, torch.distributed.DistError) or bool(re.search(words, str(error), re.I))
    )


def leave() -> None:
    """Part from the others: from here on nobody waits for anybody."""
    if count() > 1:
        import torch

        wait()
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
