"""Supervised fine-tuning on video: TRL's SFTTrainer with our collator and a method's hooks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import torch
from datasets import Dataset
from trl import SFTConfig, SFTTrainer

from reproductions.shared.method import Method, Sample
from reproductions.shared.models.encode import Encoder, Prompt, videos_of


class VideoCollator:
    """Turns samples into one SFT batch: prompt, target, and loss on the target only.

    Args:
        samples: All training samples; the batch names them by index.
        encoder: Encodes prompts.
        target: (sample) -> the text to learn.
        loss_mask: (target text) -> character spans that count; None: all of it.
        max_length: Longest target in tokens, the end-of-sequence token included.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        encoder: Encoder,
        target: Callable[[Sample], str],
        loss_mask: Callable[[str], list[tuple[int, int]]] | None = None,
        max_length: int = 4096,
    ) -> None:
        self.samples = samples
        self.encoder = encoder
        self.target = target
        self.loss_mask = loss_mask
        self.max_length = max_length

    def labelled(self, sample: Sample) -> tuple[list[int], list[int]]:
        """Token ids of the target and its labels (-100 where the loss does not count)."""
        text = self.target(sample)
        encoded = self.encoder.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=self.loss_mask is not None
        )
        ids = [*encoded["input_ids"], self.encoder.tokenizer.eos_token_id][: self.max_length]
        if self.loss_mask is None:
            return ids, list(ids)
        spans = self.loss_mask(text)
        inside = [
            any(a < stop and start < b for a, b in spans)
            for start, stop in encoded["offset_mapping"]
        ]
        return ids, [t if k else -100 for t, k in zip(ids, [*inside, True], strict=False)]

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Collate rows of the dataset (`{"sample": index}`) into tensors."""
        samples = [self.samples[row["sample"]] for row in rows]
        prompts: list[Prompt] = [self.encoder(s) for s in samples]
        targets = [self.labelled(s) for s in samples]
        total = max(len(p.ids) + len(t) for p, (t, _) in zip(prompts, targets, strict=True))
        shape = (len(rows), total)
        ids = torch.full(shape, self.encoder.tokenizer.pad_token_id)
        mask, labels = torch.zeros(shape, dtype=torch.long), torch.full(shape, -100)
        positions = torch.zeros((3, *shape), dtype=torch.long)
        for row, (prompt, (target, label)) in enumerate(zip(prompts, targets, strict=True)):
            start, stop = len(prompt.ids), len(prompt.ids) + len(target)
            ids[row, :start], ids[row, start:stop] = prompt.ids, torch.tensor(target)
            labels[row, start:stop] = torch.tensor(label)
            mask[row, :stop] = 1
            positions[:, row, :start] = prompt.positions
            positions[:, row, start:stop] = torch.arange(len(target)) + prompt.next_position
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "position_ids": positions,
            "labels": labels,
            **videos_of(prompts, "cpu"),
        }


class CollateLate:
    """For a trainer whose loader gives rows: makes them batches at their step, by `collate`."""

    collate: Callable[[list[dict[str, Any]]], dict[str, Any]]

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: Any) -> Any:
        """As transformers', on batches that are collated now."""
        batches = map(self.collate, islice(epoch_iterator, num_batches))
        return super().get_batch_samples(batches, num_batches, device)  # type: ignore[misc]


class VideoSFTTrainer(CollateLate, SFTTrainer):  # type: ignore[misc]
    """`trl.SFTTrainer` on video samples.

    Args:
        model: A vision-language model (or a PEFT model).
        args: TRL's configuration.
        method: The method over its baseline; `format_target` and `loss_mask` are used.
        samples: Training samples.
        encoder: Encodes them.
        max_target_length: Longest target in tokens.
        cut: A micro-batch is spread over the processes; the loss is the mean over all its tokens.
        **kwargs: Passed to `trl.SFTTrainer`.
    """

    def __init__(
        self,
        *,
        model: Any,
        args: SFTConfig,
        method: Method,
        samples: Sequence[Sample],
        encoder: Encoder,
        max_target_length: int,
        cut: bool = False,
        **kwargs: Any,
    ) -> None:
        if method.format_target is None:
            raise ValueError(
                f"method '{method.id}' sets no format_target; SFT has nothing to learn."
            )
        dataset = Dataset.from_dict({"sample": list(range(len(samples)))})
        self.collate = VideoCollator(
            samples, encoder, method.format_target, method.loss_mask, max_target_length
        )
        super().__init__(
            model=model,
            args=args,
            train_dataset=dataset,
            data_collator=self._look_ahead,
            processing_class=encoder.processor,
            **kwargs,
        )
        if cut:  # transformers divides by the tokens of all processes, by either name
            self.model_accepts_loss_kwargs = self.loss_is_scaled_for_ga = True

    def _look_ahead(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Rows stay as they are; accelerate fetches them a step early, so encoding can begin."""
        self.collate.encoder.ahead([self.collate.samples[row["sample"]] for row in rows])
        return rows
