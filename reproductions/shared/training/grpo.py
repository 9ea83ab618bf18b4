"""GRPO on video: TRL's trainer with the group as the unit of work, and the method's hooks.

`VideoGRPOTrainer` does two jobs. It carries a video through rollout and loss, decoded, processed
and encoded once a group. And it calls the hooks of `reproductions.shared.method.Method`. The loss
itself, its clipping, normalisation and KL, is TRL's (`trl.GRPOTrainer._compute_loss`), as are
checkpoints, accumulation, mixed precision and distribution.

TRL's private methods that are overridden are listed in `OVERRIDES`; a surface test fails when a new
TRL version changes one of them. Stock TRL cannot be used on video: it generates with the pixels and
computes log-probabilities without them.
"""

from __future__ import annotations

import hashlib
import logging
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from statistics import fmean
from typing import Any

import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer
from trl.models.utils import disable_gradient_checkpointing, unwrap_model_for_generation
from trl.trainer.utils import RepeatSampler, pad

from reproductions.shared import processes
from reproductions.shared.inference.engine import Generator, Request, Sampling
from reproductions.shared.inference.hf import HFGenerator
from reproductions.shared.method import Context, Group, Method, Rollouts, Sample
from reproductions.shared.models.encode import Encoder, base_of
from reproductions.shared.models.frozen import accept_features
from reproductions.shared.models.lockstep import keep_in_step
from reproductions.shared.training.forward import Part, score_packed, score_rows
from reproductions.shared.training.scoring import checked, reward_columns
from reproductions.shared.training.tokens import Tokens, Vocabulary

OVERRIDES = (
    "_get_train_sampler",
    "_prepare_inputs",
    "_generate_and_score_completions",
    "_get_per_token_logps_and_entropies",
    "_compute_loss",
)
"""The private methods of `trl.GRPOTrainer` that this module replaces."""

PACKED_TOLERANCE = {"float32": 1e-3, "low": 0.25}
"""Largest difference of a log-probability between the two forwards, nats; "low" is 16 bit."""

logger = logging.getLogger(__name__)


@dataclass
class _Rows:
    """The trained answers of one group, ready for the loss."""

    parts: list[Part]  # rows counted from 0 within the group
    ids: list[list[int]]
    advantages: list[float]
    rewards: list[float]


class VideoGRPOTrainer(GRPOTrainer):  # type: ignore[misc]
    """`trl.GRPOTrainer` for video, with a method's hooks.

    Args:
        model: A vision-language model (or a PEFT model).
        args: TRL's configuration; `per_device_train_batch_size` must be a multiple of
            `num_generations`, so that a group is never split.
        method: The method over its baseline: every hook that the baseline sets is set.
        samples: Training samples.
        encoder: Encodes them; its processor is the trainer's processing class.
        context: What hooks may know; step and rng are filled in.
        shared_prefix: Compute each prompt once a group in the loss (`score_packed`) instead of
            once an answer (`score_rows`).
        on_rollouts: Called with a list of dicts, one an answer, after each rollout.
        engine: Makes the engine that answers rollouts, a `Generator` with `follow(model)`, when the
            first one is due; None: the policy itself answers, on transformers.
        **kwargs: Passed to `trl.GRPOTrainer`.

    Raises:
        ValueError: Groups would be split over batches.
    """

    def __init__(
        self,
        *,
        model: Any,
        args: GRPOConfig,
        method: Method,
        samples: Sequence[Sample],
        encoder: Encoder,
        context: Context,
        shared_prefix: bool = True,
        on_rollouts: Callable[[list[dict[str, Any]]], None] | None = None,
        engine: Callable[[], Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if args.per_device_train_batch_size % args.num_generations:
            raise ValueError(
                f"per_device_train_batch_size={args.per_device_train_batch_size} splits groups of "
                f"num_generations={args.num_generations}. Use a multiple of it."
            )
        self.method = method
        self.samples = list(samples)
        self.encoder = encoder
        self.context = context
        self.shared_prefix = shared_prefix
        self._checked = False
        self.on_rollouts = on_rollouts
        self._make_engine = engine
        self.engine: Any = None
        self._followed = -1  # the step whose weights the engine holds
        dataset = Dataset.from_dict(
            {"prompt": [s.question for s in samples], "sample": list(range(len(samples)))}
        )
        super().__init__(
            model=model,
            reward_funcs=list(method.rewards or ()),
            args=args,
            train_dataset=dataset,
            processing_class=encoder.processor,
            **kwargs,
        )
        if self.ref_model is not None:
            accept_features(base_of(self.ref_model).visual)
            keep_in_step(self.ref_model)
        self.data_collator = self._look_ahead
        if method.reward_weights is not None:
            self.reward_weights = torch.tensor(method.reward_weights, dtype=torch.float32)

    def _look_ahead(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Rows stay as they are; accelerate fetches them a step early, so encoding can begin."""
        self.encoder.ahead([self.samples[i] for i in dict.fromkeys(row["sample"] for row in rows)])
        return rows

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        """TRL's order of prompts, dealt out to processes, each epoch's order by its number.

        A run that is resumed in a later epoch then finds the same order.
        """
        sampler = Dealt(
            data_source=dataset if dataset is not None else self.train_dataset,
            mini_repeat_count=self.num_generations,
            batch_size=self.args.generation_batch_size // self.num_generations,
            repeat_count=self.num_iterations * self.args.steps_per_generation,
            shuffle=self.shuffle_dataset,
            seed=self.args.seed,
        )
        sampler.processes = self.accelerator.num_processes
        sampler.parts = self.args.steps_per_generation
        if self.shuffle_dataset:
            sampler.set_epoch = lambda epoch: sampler.generator.manual_seed(self.args.seed + epoch)
        return sampler

    # -- rollout ----------------------------------------------------------------------------

    def _prepare_inputs(self, generation_batch: Any) -> Any:
        """As TRL's, but a generation batch is cut between groups and never shuffled."""
        if not self.model.training:
            return self._collate(self._generate_and_score_completions(generation_batch))
        steps = self.args.steps_per_generation
        if self._step % (steps * self.num_iterations) == 0 or self._buffered_inputs is None:
            rows = self._generate_and_score_completions(generation_batch)
            per_step = len(rows) // steps
            self._buffered_inputs = [
                self._collate(rows[i * per_step : (i + 1) * per_step]) for i in range(steps)
            ]
            tokens = sum(b["completion_mask"].sum() for b in self._buffered_inputs)
            total = self.accelerator.gather(tokens).sum()
            for batch in self._buffered_inputs:
                batch["num_items_in_batch"] = total
        return self._buffered_inputs[self._step % steps]

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> list[_Rows]:
        """Roll out and score whole groups; `inputs` repeats each sample once an answer."""
        mode = "train" if self.model.training else "eval"
        size = self.num_generations if mode == "train" else self.num_generations_eval
        if any(row != inputs[i - i % size] for i, row in enumerate(inputs)):
            raise ValueError(
                f"a batch of process {processes.rank()} holds a part of a group. Groups of {size} "
                "answers stay on one process: leave accelerate's split_batches and "
                "dispatch_batches off."
            )
        samples = [self.samples[inputs[i]["sample"]] for i in range(0, len(inputs), size)]
        contexts = [self._context_for(sample) for sample in samples]
        build = self.method.build_group or _plain_group
        plans = [build(s, c) for s, c in zip(samples, contexts, strict=True)]
        groups, ids, rollout_rows = self._roll_out(samples, contexts, plans)
        self._score(groups, contexts, ids, rollout_rows)
        shape = self.method.shape_rewards or self._weighted_sum
        totals = [
            checked(shape, shape(g, c), [g.sample] * sum(g.trained))
            for g, c in zip(groups, contexts, strict=True)
        ]
        for group, total in zip(groups, totals, strict=True):
            group.totals, group.batch = total, groups
        advantages = self._advantages(groups, contexts)
        self._log_rollouts(mode, groups, totals, advantages, contexts[0].step + 1)
        return [
            _Rows(*self._trained(group, rows, tokens), advantage, total)
            for group, rows, tokens, advantage, total in zip(
                groups, rollout_rows, ids, advantages, totals, strict=True
            )
        ]

    def _context_for(self, sample: Sample) -> Context:
        step = self.state.global_step
        name = f"{self.args.seed}/{step}/{self._step % self.args.gradient_accumulation_steps}"
        seed = int.from_bytes(
            hashlib.blake2b(f"{name}/{sample.id}".encode(), digest_size=7).digest()
        )
        return replace(
            self._context(), rng=random.Random(seed), times=tuple(self.encoder(sample).times)
        )

    def _context(self) -> Context:
        """What hooks may know at this step, whatever the sample."""
        return replace(
            self.context,
            seed=self.args.seed,
            step=self.state.global_step,
            total_steps=max(1, self.state.max_steps),
            num_generations=self.num_generations,
            scale_rewards=self.scale_rewards,
        )

    def _roll_out(
        self, samples: list[Sample], contexts: list[Context], plans: list[list[Rollouts]]
    ) -> tuple[list[Group], list[list[list[int]]], list[list[tuple[Any, int]]]]:
        """Sample every part of every group.

        Returns:
            The groups; for each group the token ids of its answers; for each group a list of
            (prompt, number of answers) in the order of the answers.
        """
        requests: list[Request] = []
        for sample, context, plan in zip(samples, contexts, plans, strict=True):
            # The stream makes answers differ between steps and between parts of a group.
            streams = [context.rng.getrandbits(48) for _ in plan]
            requests += [
                Request(sample, part.n, self._order(sample, part), stream)
                for part, stream in zip(plan, streams, strict=True)
            ]
        sampling = Sampling(
            self.args.temperature,
            self.args.top_p,
            max(0, self.args.top_k or 0),
            self.args.max_completion_length,
            self.args.seed,
        )
        with whole_model(self) as model:
            answers = iter(self._generator(model).generate(requests, sampling))
        wanted = iter(requests)
        groups, all_ids, all_rows = [], [], []
        for sample, plan in zip(samples, plans, strict=True):
            group = Group(sample, [], [], [], [])
            ids: list[list[int]] = []
            rows: list[tuple[Any, int]] = []
            for part in plan:
                texts, tokens = [], []
                for completion in next(answers):
                    texts.append(completion.text)
                    tokens.append(list(completion.ids))
                for text in part.given:
                    texts.append(text)
                    tokens.append(self._answer_ids(text))
                group.completions += texts
                group.views += [part.view] * len(texts)
                group.trained += [part.trained] * len(texts)
                group.lengths += [len(t) for t in tokens]
                ids += tokens
                rows.append((self.encoder(sample, next(wanted).order), len(texts)))
            groups.append(group)
            all_ids.append(ids)
            all_rows.append(rows)
        return groups, all_ids, all_rows

    def _generator(self, model: Any) -> Generator:
        """What answers rollouts, with the policy's present weights."""
        if self._make_engine is None:
            return HFGenerator(model, self.encoder)
        self.engine = self.engine or self._make_engine()
        if self._followed != self.state.global_step:
            self.engine.follow(model)
            self._followed = self.state.global_step
        generator: Generator = self.engine
        return generator

    def _order(self, sample: Sample, part: Rollouts) -> tuple[int, ...] | None:
        if part.frames is None or sample.video is None:
            return None
        return tuple(part.frames(len(self.encoder(sample).times)))

    def _answer_ids(self, text: str) -> list[int]:
        ids = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return [*ids, self._tokenizer.eos_token_id][: self.args.max_completion_length]

    # -- rewards ----------------------------------------------------------------------------

    def _score(
        self,
        groups: list[Group],
        contexts: list[Context],
        ids: list[list[list[int]]],
        rows: list[list[tuple[Any, int]]],
    ) -> None:
        """Call every reward function once on all answers and fill `Group.scores`."""
        flat = [(g, i) for g in groups for i in range(len(g.completions))]
        known = [c for g, c in zip(groups, contexts, strict=True) for _ in g.completions]
        columns = reward_columns([g.sample for g, _ in flat], known)
        columns["completion_ids"] = [tokens for group in ids for tokens in group]
        columns["view"] = [g.views[i] for g, i in flat]
        columns["length"] = [g.lengths[i] for g, i in flat]
        prompts = [p.text for group in rows for p, n in group for _ in range(n)]
        completions = [g.completions[i] for g, i in flat]
        for name, function in zip(self.reward_func_names, self.reward_funcs, strict=True):
            values = function(
                prompts=prompts, completions=completions, trainer_state=self.state, **columns
            )
            for (group, _), value in zip(
                flat, checked(function, values, columns["sample"]), strict=True
            ):
                group.scores.setdefault(name, []).append(value)

    def _weighted_sum(self, group: Group, context: Context) -> list[float]:
        weights = self.reward_weights.tolist()
        return [
            sum(
                w * group.scores[n][i] for w, n in zip(weights, self.reward_func_names, strict=True)
            )
            for i in range(len(group.completions))
            if group.trained[i]
        ]

    def _advantages(self, groups: list[Group], contexts: list[Context]) -> list[list[float]]:
        """The method's advantages, or (r - mean) / (std + 1e-4) with TRL's three scalings."""
        if (own := self.method.advantages) is not None:
            return [
                checked(own, own(g, c), [g.sample] * sum(g.trained))
                for g, c in zip(groups, contexts, strict=True)
            ]
        device = self.accelerator.device
        totals = [torch.tensor(g.totals, dtype=torch.float32, device=device) for g in groups]
        everything = torch.cat(totals)
        if self.scale_rewards == "batch":
            std = torch.tensor(processes.collect(everything.tolist())).std()
        result = []
        for rewards in totals:
            advantage = rewards - rewards.mean()
            if self.scale_rewards == "group":
                std = rewards.std() if len(rewards) > 1 else rewards.new_zeros(())
            if self.scale_rewards != "none":
                advantage = advantage / (std + 1e-4)
            result.append(advantage.tolist())
        return result

    def _log_rollouts(
        self,
        mode: str,
        groups: list[Group],
        totals: list[list[float]],
        advantages: list[list[float]],
        step: int,
    ) -> None:
        metrics = self._metrics[mode]
        own = list(zip(groups, totals, advantages, strict=True))
        if processes.count() > 1:
            # In the order in which one process would have had them, see `Dealt`.
            parts = self.args.steps_per_generation if mode == "train" else 1
            everyone, n = processes.collect(own), len(own) // parts
            starts = [
                (process * parts + part) * n
                for part in range(parts)
                for process in range(processes.count())
            ]
            own = [row for start in starts for row in everyone[start : start + n]]
            groups, totals, advantages = (list(column) for column in zip(*own, strict=True))
        for name in self.reward_func_names:
            scores = [
                s for g in groups for s, t in zip(g.scores[name], g.trained, strict=True) if t
            ]
            metrics[f"rewards/{name}/mean"].append(fmean(scores))
        spread = [max(r) - min(r) for r in totals]
        metrics["reward"].append(fmean(x for r in totals for x in r))
        metrics["frac_reward_zero_std"].append(fmean(float(s < 1e-8) for s in spread))
        lengths = [n for g in groups for n, t in zip(g.lengths, g.trained, strict=True) if t]
        metrics["completions/mean_length"].append(fmean(lengths))
        cut = fmean(float(n >= self.args.max_completion_length) for n in lengths)
        metrics["completions/clipped_ratio"].append(cut)
        if self.on_rollouts is None or not self.accelerator.is_main_process:
            return
        records = []
        for number, (group, total, advantage) in enumerate(own):
            trained = iter(zip(total, advantage, strict=True))
            for i, text in enumerate(group.completions):
                reward, value = next(trained) if group.trained[i] else (None, None)
                records.append(
                    {
                        "step": step,
                        "group": number,
                        "sample": group.sample.id,
                        "completion": text,
                        "view": group.views[i],
                        "scores": {n: s[i] for n, s in group.scores.items()},
                        "total": reward,
                        "advantage": value,
                    }
                )
        self.on_rollouts(records)

    # -- loss -------------------------------------------------------------------------------

    def _trained(
        self, group: Group, rows: list[tuple[Any, int]], ids: list[list[int]]
    ) -> tuple[list[Part], list[list[int]]]:
        """The prompts and token ids of the answers that enter the loss, in order."""
        parts: list[Part] = []
        kept: list[list[int]] = []
        first = 0
        for prompt, n in rows:
            inside = [ids[i] for i in range(first, first + n) if group.trained[i]]
            if inside:
                parts.append(Part(prompt, len(kept), len(kept) + len(inside)))
                kept += inside
            first += n
        return parts, kept

    def _collate(self, rows: list[_Rows]) -> dict[str, Any]:
        """One batch of whole groups in the layout that TRL's loss reads."""
        device = self.accelerator.device
        tokens = [torch.tensor(t, dtype=torch.long) for r in rows for t in r.ids]
        ids = pad(tokens, padding_value=self._tokenizer.pad_token_id).to(device)
        mask = pad([torch.ones_like(t) for t in tokens], padding_value=0).to(device)
        if self.mask_truncated_completions:
            ends = {*self.eos_token_ids, self._tokenizer.pad_token_id}
            whole = torch.tensor([int(t[-1]) in ends for t in tokens], device=device)
            mask = mask * whole.unsqueeze(1)
        parts, groups, start = [], [], 0
        for row in rows:
            parts += [Part(p.prompt, p.start + start, p.stop + start) for p in row.parts]
            groups.append((start, start + len(row.ids)))
            start += len(row.ids)
        batch: dict[str, Any] = {
            # TRL concatenates prompt and answer; the prompts travel in `parts` instead.
            "prompt_ids": ids[:, :0],
            "prompt_mask": mask[:, :0],
            "completion_ids": ids,
            "completion_mask": mask,
            "advantages": torch.tensor([a for r in rows for a in r.advantages], device=device),
            "rewards": torch.tensor([x for r in rows for x in r.rewards], device=device),
            "parts": parts,
            "groups": groups,
            "num_items_in_batch": mask.sum(),
        }
        every = self.args.steps_per_generation * self.num_iterations
        with torch.no_grad(), disable_gradient_checkpointing(self.model, None):
            if self.args.gradient_accumulation_steps % every:  # the policy moves between the parts
                batch["old_per_token_logps"] = self._logps(self.model, batch)[0]
            if self.beta:
                batch["ref_per_token_logps"] = self._reference_logps(batch)
        return batch

    def _reference_logps(self, batch: Mapping[str, Any]) -> torch.Tensor:
        if self.ref_model is not None:
            return self._logps(self.ref_model, batch)[0]
        from trl.trainer.utils import use_adapter

        model = self.accelerator.unwrap_model(self.model)
        with use_adapter(model, adapter_name="ref" if "ref" in model.peft_config else None):
            return self._logps(self.model, batch)[0]

    def _logps(
        self, model: Any, batch: Mapping[str, Any], states: list[torch.Tensor] | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        tensors = (batch["parts"], batch["completion_ids"], batch["completion_mask"])
        with self.accelerator.autocast():
            if self.shared_prefix and not self._checked:
                self._check_shared_prefix(model, tensors)
            return (score_packed if self.shared_prefix else score_rows)(model, *tensors, states)

    def _check_shared_prefix(self, model: Any, tensors: tuple[Any, ...]) -> None:
        """Compare both paths on the first batch of a run; fall back, and say so, if they differ.

        A model whose layers see more than attention mask and positions (another kind of mask, a
        recurrent state) would silently train on something else.
        """
        self._checked = True
        training = model.training
        model.eval()  # dropout would differ between the two, and draw from the run's random stream
        try:
            with torch.no_grad(), disable_gradient_checkpointing(self.model, None):
                packed = score_packed(model, *tensors)[0]
                rows, some = _longest_and_last(*tensors)
                difference = packed[rows] - score_rows(model, *some)[0]
            worst = float(difference.abs().max())
        except (TypeError, ValueError, RuntimeError) as error:
            self.shared_prefix, why = False, f"{type(error).__name__}: {error}"
        else:
            limit = PACKED_TOLERANCE["low" if self.args.bf16 or self.args.fp16 else "float32"]
            self.shared_prefix = worst <= limit
            why = f"log-probabilities differ by up to {worst:.1e}"
        finally:
            model.train(training)
        if not all(processes.collect([self.shared_prefix])) and self.shared_prefix:
            self.shared_prefix, why = False, "another process had to"
        if not self.shared_prefix:
            logger.warning(
                "train.shared_prefix is switched off for this run, which computes every prompt "
                "once an answer and takes longer: %s.",
                why,
            )

    def _get_per_token_logps_and_entropies(self, model: Any, *args: Any, **kwargs: Any) -> Any:
        """Score the batch that `_compute_loss` holds; TRL passes the same one without video."""
        batch = self._batch
        if self.method.token_weights is None:
            return *self._logps(model, batch), None
        states: list[torch.Tensor] = []
        logps, entropies = self._logps(model, batch, states)
        # TRL reads the advantages after this call and takes them per token as well.
        weights = torch.ones_like(logps)
        tokens = self._tokens(batch, logps, entropies, states[0])
        for start, stop in batch["groups"]:
            weights[start:stop] = self.method.token_weights(tokens.of_group(start, stop))
        batch["advantages"] = tokens.advantages.unsqueeze(1) * weights
        return logps, entropies, None

    def _tokens(
        self, batch: Mapping[str, Any], logps: Any, entropies: Any, states: torch.Tensor
    ) -> Tokens:
        old = batch.get("old_per_token_logps")
        head = self.accelerator.unwrap_model(self.model).get_output_embeddings()
        return Tokens(
            ids=batch["completion_ids"],
            logps=logps,
            old_logps=logps.detach() if old is None else old,
            ref_logps=batch.get("ref_per_token_logps"),
            entropies=entropies,
            mask=batch["completion_mask"],
            advantages=batch["advantages"],
            rewards=batch["rewards"],
            groups=batch["groups"],
            context=self._context(),
            vocabulary=Vocabulary(states, head, self.temperature),
        )

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        """TRL's loss on this batch, or the method's own."""
        self._batch = dict(inputs)
        mode = "train" if self.model.training else "eval"
        if self.method.loss is None:
            loss = super()._compute_loss(model, self._batch)
            self._metrics[mode]["shared_prefix"].append(float(self.shared_prefix))
            return loss
        states: list[torch.Tensor] = []
        logps, entropies = self._logps(model, inputs, states)
        self._metrics[mode]["shared_prefix"].append(float(self.shared_prefix))
        mask = inputs["completion_mask"]
        mean_entropy = (entropies.detach() * mask).sum() / mask.sum().clamp(min=1)
        self._metrics[mode]["entropy"].append(mean_entropy.item())
        loss = self.method.loss(self._tokens(inputs, logps, entropies, states[0]))
        return loss / (self.current_gradient_accumulation_steps if mode == "train" else 1)


class Dealt(RepeatSampler):  # type: ignore[misc]
    """TRL's sampler, its prompts dealt out so that the number of processes does not matter.

    A generated batch of W processes and S micro-batches is W S chunks. Each process takes S of them
    in a row, and TRL lets it take the next S in turn. Here micro-batch s of process r is chunk
    s W + r: what W processes compute side by side, one process computes one after the other.

    Attributes:
        processes: W.
        parts: S.
    """

    processes: int
    parts: int

    def __iter__(self) -> Iterator[int]:
        """Indices of samples, each repeated for its answers."""
        rows = super().__iter__()
        while whole := list(islice(rows, self.batch_size * self.mini_repeat_count)):
            n = len(whole) // (self.processes * self.parts)
            for process in range(self.processes):
                for part in range(self.parts):
                    start = (part * self.processes + process) * n
                    yield from whole[start : start + n]


@contextmanager
def whole_model(trainer: Any) -> Iterator[Any]:
    """The bare model of a trainer with all weights in place, for generation.

    Each process generates as long as its own answers need, so no forward may ask the others for
    weights.
    """
    with unwrap_model_for_generation(trainer.model_wrapped, trainer.accelerator) as model:
        spread = [m for m in model.modules() if hasattr(m, "unshard")]  # FSDP2
        for module in spread:
            module.set_reshard_after_forward(False, recurse=False)
            module.unshard()
        yield model
        for module in spread:
            module.set_reshard_after_forward(True, recurse=False)
            module.reshard()


def _longest_and_last(
    parts: Sequence[Part], ids: torch.Tensor, mask: torch.Tensor
) -> tuple[list[int], tuple[list[Part], torch.Tensor, torch.Tensor]]:
    """Two answers of a batch: whole groups without a shared prefix may need too much memory."""
    rows = [int(mask.sum(1).argmax()), len(ids) - 1]
    prompts = [p.prompt for row in rows for p in parts if p.start <= row < p.stop]
    return rows, ([Part(p, i, i + 1) for i, p in enumerate(prompts)], ids[rows], mask[rows])


def _plain_group(sample: Sample, context: Context) -> list[Rollouts]:
    return [Rollouts(context.num_generations)]
