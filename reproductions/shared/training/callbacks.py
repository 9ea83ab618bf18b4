"""What happens between the steps of a trainer: the log, marks on checkpoints, stopping early."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from reproductions.shared import processes
from reproductions.shared.files import write_text
from reproductions.shared.inference.engine import Request, Sampling
from reproductions.shared.inference.hf import HFGenerator
from reproductions.shared.method import Sample
from reproductions.shared.models.encode import Encoder
from reproductions.shared.progress import Bar
from reproductions.shared.rewards.rules import accuracy
from reproductions.shared.training.checkpoints import COMPLETE, append
from vidpost.catalog.preset import StageSettings

LOGGED = (
    *("loss", "learning_rate", "grad_norm", "reward", "kl", "entropy", "mean_token_accuracy"),
    *("frac_reward_zero_std", "step_time", "shared_prefix"),
)
"""Values of a trainer's log that are kept, beside all under `rewards/` and `completions/`."""


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
        append(self.path, [head | values])

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
        if values.get("reward") is not None:
            self.note = f"reward {values['reward']:.2f}"
        elif values.get("loss") is not None and not self.note.startswith("accuracy"):
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
            mark = Path(args.output_dir) / f"checkpoint-{state.global_step}" / COMPLETE
            write_text(mark, str(processes.count()))


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
        self.trainer: Any = None

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Check every `check_every` steps."""
        if state.global_step % (self.settings.check_every or 10):
            return
        from reproductions.shared.training.grpo import whole_model

        with whole_model(self.trainer) as model:
            accuracy = self.measure(model)
        self.record.note = f"accuracy {accuracy:.2f}, stops at {self.settings.stop_at_accuracy}"
        if state.is_world_process_zero:
            self.record.write(state.global_step, {"eval_accuracy": accuracy})
        if accuracy >= (self.settings.stop_at_accuracy or 1.0):
            control.should_training_stop = True

    def measure(self, model: Any) -> float:
        """Greedy accuracy on the validation questions; each process answers a share of them.

        All processes get the same number, so that they stop together.
        """
        sampling = Sampling(max_new_tokens=self.settings.max_completion_length or 64)
        part = self.validation[processes.rank() :: processes.count()]
        requests = [Request(s) for s in part]
        answers = HFGenerator(model, self.encoder).generate(requests, sampling)
        scores = accuracy("video_r1")(
            prompts=[s.question for s in part],
            completions=[a[0].text for a in answers],
            solution=[s.answer for s in part],
            problem_type=[s.problem_type for s in part],
        )
        scores = processes.collect(list(scores))
        return sum(scores) / len(scores)
