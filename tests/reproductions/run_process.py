"""Runs `vidpost` in a process of its own that dies, or is interrupted, at a chosen point.

The processes are forked from a server that has imported the heavy libraries once, so a test that
needs eight of them stays quick. Each is a real process: SIGKILL ends it in the middle of its work.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PRELOAD = [
    "reproductions.shared.evaluation.outcome",
    "reproductions.shared.synthetic.dataset",
    "reproductions.shared.training.grpo",
    "reproductions.shared.training.sft",
    "reproductions.shared.training.stage",
]


@dataclass(frozen=True)
class Stop:
    """Where a process ends.

    Attributes:
        where: "step": after an optimiser step, before a checkpoint of it is written; "saving": the
            checkpoint is written but not marked as complete; "saved": it is complete; "rollout":
            answers are sampled and noted, the step is not done; "final": `final/` is being written;
            "evaluating": some answers of a checkpoint are noted.
        name: Name of the stage or checkpoint.
        step: Optimiser step, or call of the generator in "evaluating", from 1.
        signal: What the process gets.
    """

    where: str
    name: str
    step: int = 0
    signal: int = signal.SIGKILL


@dataclass
class Result:
    """How a process ended and what it printed."""

    code: int | None
    output: str


def vidpost(arguments: list[str], folder: Path, stop: Stop | None = None, **environ: str) -> Result:
    """Run `vidpost ARGUMENTS` and wait for its end.

    Args:
        arguments: After the program's name.
        folder: Takes what it prints.
        stop: Where it dies.
        **environ: Environment variables beside this process's own.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    output = folder / f"output{environ.get('RANK', '')}.txt"
    work = (arguments, str(output), stop, {**os.environ, **environ})
    process = context.Process(target=_main, args=work)
    process.start()
    process.join(timeout=240)
    if process.exitcode is None:
        process.kill()
        raise TimeoutError(output.read_text(encoding="utf-8"))
    return Result(process.exitcode, output.read_text(encoding="utf-8"))


def free_port() -> str:
    """A port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def several(
    n: int, arguments: list[str], folder: Path, stop: Stop | None = None, **environ: str
) -> list[Result]:
    """The same command in n processes that train together; the first of them dies at `stop`."""
    port = free_port()
    with ThreadPoolExecutor(n) as pool:
        every = [
            pool.submit(
                vidpost, arguments, folder, None if rank else stop,
                RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(n),
                MASTER_ADDR="127.0.0.1", MASTER_PORT=port, **environ,
            )
            for rank in range(n)
        ]  # fmt: skip
        return [each.result() for each in every]


def _main(arguments: list[str], output: str, stop: Stop | None, environ: dict[str, str]) -> None:
    os.environ.update(environ)
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _enliven()
    if os.environ.get("ACCELERATE_USE_FSDP") == "true":
        _shard_on_cpus()
    if stop is not None:
        _arm(stop)
    from vidpost.cli.main import main

    sys.argv = ["vidpost", *arguments]
    main()


def _enliven() -> None:
    """Let the small, untrained model earn rewards, so that reinforcement learning moves weights."""
    from engine_fixtures import lively

    from reproductions.baselines.grpo import method
    from reproductions.methods.tw_grpo import method as tw_grpo

    method.METHOD = lively(method.METHOD)
    tw_grpo.METHOD = lively(tw_grpo.METHOD)


def fsdp2_environ() -> dict[str, str]:
    """What `accelerate launch --config_file launch/accelerate/fsdp2.yaml` tells processes."""
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils.launch import prepare_multi_gpu_env

    config = Path(__file__).parents[2] / "launch" / "accelerate" / "fsdp2.yaml"
    options = ["--num_processes=2", "--mixed_precision=no", "--main_process_port=0", "x.py"]
    args = launch_command_parser().parse_args(["--config_file", str(config), *options])
    environ = prepare_multi_gpu_env(_validate_launch_command(args)[0])
    return {k: v for k, v in environ.items() if k.startswith(("ACCELERATE_", "FSDP_"))}


def _shard_on_cpus() -> None:
    """accelerate hands models to FSDP2 on accelerators only; gloo is one to it from here on."""
    from accelerate import PartialState
    from accelerate.utils import DistributedType

    real = PartialState.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        real(self, *args, **kwargs)
        if self.distributed_type == DistributedType.MULTI_CPU:
            self.distributed_type = DistributedType.MULTI_GPU

    PartialState.__init__ = init


def _arm(stop: Stop) -> None:
    """Replace one function so that the process ends at `stop`."""
    from reproductions.shared.evaluation import strategies
    from reproductions.shared.training import callbacks, stage
    from reproductions.shared.training.grpo import VideoGRPOTrainer

    def end() -> None:
        sys.stdout.flush()
        os.kill(os.getpid(), stop.signal)

    def after(owner: Any, name: str, matches: Callable[..., bool], before: bool = False) -> None:
        real = getattr(owner, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if before and matches(*args, **kwargs):
                end()
            result = real(*args, **kwargs)
            if not before and matches(*args, **kwargs):
                end()
            return result

        setattr(owner, name, wrapped)

    def of_stage(args: Any, state: Any) -> bool:
        return Path(args.output_dir).name == stop.name and state.global_step == stop.step

    if stop.where == "step":
        after(callbacks.MarkComplete, "on_step_end", lambda me, a, s, c, **_: of_stage(a, s))
    elif stop.where in ("saving", "saved"):
        first = stop.where == "saving"
        after(
            callbacks.MarkComplete, "on_save", lambda me, a, s, c, **_: of_stage(a, s), before=first
        )
    elif stop.where == "rollout":
        matches = lambda me, *_: me.state.global_step + 1 == stop.step  # noqa: E731
        after(VideoGRPOTrainer, "_log_rollouts", matches)
    elif stop.where == "final":
        real = stage.save_final

        def save(trainer: Any, preset: Any, processor: Any, start: Any, final: Path) -> None:
            if final.parent.name == stop.name:
                after(type(processor), "save_pretrained", lambda *_, **__: True)
            real(trainer, preset, processor, start, final)

        stage.save_final = save
    elif stop.where == "evaluating":
        real_evaluate = strategies.evaluate

        def evaluate(generator: Any, samples: Any, score: Any, path: Path, *args: Any, **kw: Any):
            calls = iter(range(1, 999))
            if path.stem == stop.name:
                after(type(generator), "generate", lambda *_: next(calls) == stop.step, before=True)
            return real_evaluate(generator, samples, score, path, *args, **kw)

        strategies.evaluate = evaluate
    else:
        raise ValueError(stop.where)
