"""Preference optimisation on video: TRL's DPOTrainer with our collator and a method's loss.

TRL's own collator knows images only. Ours puts the two answers of a pair side by side and the video
once: both answers, and all pairs on the same prompt, share one pass of the vision tower. The losses
(sigmoid, ipo and the others of `trl.DPOConfig`) are TRL's; a method may bring its own (`loss`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import torch
from datasets import Dataset
from trl import DPOConfig, DPOTrainer
from trl.trainer.utils import use_adapter

from reproductions.shared.inference.engine import Generator, Request, Sampling
from reproductions.shared.method import Context, Group, Method, Rollouts, Sample, reward_name
from reproductions.shared.models.encode import (
    Encoder,
    Prompt,
    base_of,
    images_of,
    shared_vision,
    videos_of,
)
from reproductions.shared.models.frozen import accept_features
from reproductions.shared.training.scoring import checked, reward_columns
from reproductions.shared.training.sft import CollateLate

OVERRIDES = ("_compute_loss",)
"""The private methods of `trl.DPOTrainer` that this module replaces."""


@dataclass(frozen=True)
class Pair:
    """A better and a worse answer to one question.

    Attributes:
        sample: The question.
        chosen: The better answer, without end-of-sequence token.
        rejected: The worse answer.
    """

    sample: Sample
    chosen: str
    rejected: str

    def __post_init__(self) -> None:
        if self.chosen == self.rejected:
            raise ValueError(
                f"{self.sample.id}: chosen and rejected are the same text. Drop the pair; it "
                "teaches nothing."
            )


@dataclass
class PairTokens:
    """What a method's `loss` sees: per-token tensors of N pairs, N chosen rows, then N rejected.

    Column t is about token t + 1 of the row, as in TRL.

    Attributes:
        logps: Log-probabilities under the policy, with gradient, float [2N, L-1], 0 where masked.
        ref_logps: The same under the reference model, without gradient.
        mask: 1 for answer tokens, [2N, L-1].
        ids: The tokens that the columns are about, int64 [2N, L-1].
        pairs: The N pairs.
        beta: The preset's `beta`.
        context: The run's context.
        ref_kl: Computes KL(reference || policy) over the whole vocabulary for the chosen rows, with
            gradient, float [N, L-1] in nats, 0 where masked. It costs one more pass of both models,
            so only the losses that call it pay.
    """

    logps: torch.Tensor
    ref_logps: torch.Tensor
    mask: torch.Tensor
    ids: torch.Tensor
    pairs: list[Pair]
    beta: float
    context: Context
    ref_kl: Callable[[], torch.Tensor]


def pairs_of(samples: Sequence[Sample]) -> list[Pair]:
    """The pairs that published records hold: `meta["chosen"]` and `meta["rejected"]`.

    Raises:
        ValueError: A sample has none; all such samples are named (five at most).
    """
    without = [s.id for s in samples if not {"chosen", "rejected"} <= set(s.meta)]
    if without:
        raise ValueError(
            f"{len(without)} samples hold no pair: {', '.join(without[:5])}. Set meta['chosen'] "
            "and meta['rejected'] in the dataset's loader, or make pairs with sample_pairs."
        )
    return [Pair(s, str(s.meta["chosen"]), str(s.meta["rejected"])) for s in samples]


def best_and_worst(
    samples: Sequence[Sample],
    answers: Sequence[Sequence[str]],
    scores: Sequence[Sequence[float]],
    trained: Sequence[Sequence[bool]] | None = None,
) -> list[Pair]:
    """Pairs from sampled answers: the first best one against the first worst one.

    Args:
        samples: N questions.
        answers: For each, the sampled answers.
        scores: For each answer, its reward.
        trained: For each answer, whether it may be chosen. Where some may not, the worse answer is
            one of those; None: any answer may be either.

    Returns:
        At most N pairs; questions whose better answer scores no higher give none.
    """
    pairs = []
    marks = trained if trained is not None else [[True] * len(texts) for texts in answers]
    for sample, texts, values, mark in zip(samples, answers, scores, marks, strict=True):
        if not len(texts) == len(values) == len(mark):
            raise ValueError(f"{sample.id}: {len(texts)} answers but {len(values)} scores.")
        better = [i for i, m in enumerate(mark) if m]
        worse = [i for i, m in enumerate(mark) if not m] or better
        if not better:
            continue
        chosen = max(better, key=lambda i: values[i])
        rejected = min(worse, key=lambda i: values[i])
        if values[chosen] > values[rejected]:
            pairs.append(Pair(sample, texts[chosen], texts[rejected]))
    return pairs


def sample_pairs(
    samples: Sequence[Sample],
    generator: Generator,
    method: Method,
    sampling: Sampling,
    n: int = 8,
    context: Context | None = None,
) -> list[Pair]:
    """Pairs that the model makes itself: n answers a question, the best against the worst.

    The method's hooks act as in GRPO: `build_group` may ask for answers on other views of the
    video, or give answers (those of untrained parts can only be rejected); `shape_rewards` totals
    the scores, here of all answers.

    Args:
        samples: Questions with gold answers.
        generator: Writes the answers.
        method: The method over its baseline; its `rewards` and `reward_weights` judge the answers.
        sampling: How answers are sampled; the temperature must be above 0.
        n: Answers a question, if `build_group` does not say otherwise.
        context: What hooks may know; `rng` is set for each question.

    Returns:
        At most one pair a question (see `best_and_worst`).
    """
    if sampling.temperature <= 0:
        raise ValueError("sample_pairs: temperature 0 gives n equal answers. Set it above 0.")
    context = context or Context(seed=sampling.seed, settings={"kind": "preference"})
    contexts = [
        replace(context, num_generations=n, rng=Random(f"pairs/{sampling.seed}/{s.id}"))
        for s in samples
    ]
    build = method.build_group or (lambda sample, context: [Rollouts(context.num_generations)])
    plans = [build(s, c) for s, c in zip(samples, contexts, strict=True)]
    requests = [
        Request(sample, part.n, _order(generator, sample, part), stream)
        for sample, plan in zip(samples, plans, strict=True)
        for stream, part in enumerate(plan)
    ]
    answers = iter(generator.generate(requests, sampling))
    groups = []
    for sample, plan in zip(samples, plans, strict=True):
        group = Group(sample, [], [], [], [])
        for part in plan:
            made = next(answers)
            texts = [*(c.text for c in made), *part.given]
            group.completions += texts
            group.views += [part.view] * len(texts)
            group.trained += [part.trained] * len(texts)
            group.lengths += [*(len(c.ids) for c in made), *(0 for _ in part.given)]
        groups.append(group)
    totals = _totals(groups, contexts, method)
    trained = [g.trained for g in groups]
    return best_and_worst(samples, [g.completions for g in groups], totals, trained)


def _order(generator: Any, sample: Sample, part: Rollouts) -> tuple[int, ...] | None:
    if part.frames is None or sample.video is None:
        return None
    return tuple(part.frames(len(generator.encoder(sample).times)))


def _totals(
    groups: Sequence[Group], contexts: Sequence[Context], method: Method
) -> list[list[float]]:
    """One total for each answer of each group, after filling `Group.scores`."""
    flat = [(g, text) for g in groups for text in g.completions]
    known = [c for g, c in zip(groups, contexts, strict=True) for _ in g.completions]
    columns = reward_columns([g.sample for g, _ in flat], known)
    columns["view"] = [view for g in groups for view in g.views]
    texts = [text for _, text in flat]
    rewards = method.rewards or ()
    names = [reward_name(reward) for reward in rewards]
    for name, reward in zip(names, rewards, strict=True):
        given = reward(prompts=[""] * len(texts), completions=texts, **columns)
        values = iter(checked(reward, given, columns["sample"]))
        for group in groups:
            group.scores[name] = [next(values) for _ in group.completions]
    if method.shape_rewards is not None:
        shape = method.shape_rewards
        return [
            checked(
                shape,
                shape(replace(g, trained=[True] * len(g.completions)), c),
                [g.sample] * len(g.completions),
            )
            for g, c in zip(groups, contexts, strict=True)
        ]
    weights = dict(zip(names, method.reward_weights or (1.0,) * len(rewards), strict=True))
    return [
        [sum(w * g.scores[name][i] for name, w in weights.items()) for i in range(len(g.trained))]
        for g in groups
    ]


class PairCollator:
    """Turns pairs into one batch: all chosen rows, then all rejected rows, each video once.

    Args:
        pairs: All training pairs; the batch names them by index.
        encoder: Encodes prompts.
        max_length: Longest answer in tokens, the end-of-sequence token included.
    """

    def __init__(self, pairs: Sequence[Pair], encoder: Encoder, max_length: int = 1024) -> None:
        self.pairs = pairs
        self.encoder = encoder
        self.max_length = max_length

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Collate rows of the dataset (`{"pair": index}`) into tensors."""
        pairs = [self.pairs[row["pair"]] for row in rows]
        prompts = [self.encoder(pair.sample) for pair in pairs] * 2
        tokenizer = self.encoder.tokenizer
        answers = [
            [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
            for text in [p.chosen for p in pairs] + [p.rejected for p in pairs]
        ]
        answers = [ids[: self.max_length] for ids in answers]
        total = max(len(p.ids) + len(a) for p, a in zip(prompts, answers, strict=True))
        shape = (len(prompts), total)
        ids = torch.full(shape, tokenizer.pad_token_id)
        attention = torch.zeros(shape, dtype=torch.long)
        completion = torch.zeros(shape, dtype=torch.long)
        positions = torch.zeros((3, *shape), dtype=torch.long)
        for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
            start, stop = len(prompt.ids), len(prompt.ids) + len(answer)
            ids[row, :start], ids[row, start:stop] = prompt.ids, torch.tensor(answer)
            attention[row, :stop] = 1
            completion[row, start:stop] = 1
            positions[:, row, :start] = prompt.positions
            positions[:, row, start:stop] = torch.arange(len(answer)) + prompt.next_position
        unique: dict[int, Prompt] = {id(p.video): p for p in prompts if p.video}
        index = {key: i for i, key in enumerate(unique)}
        return {
            "input_ids": ids,
            "attention_mask": attention,
            "completion_mask": completion,
            "position_ids": positions,
            **videos_of(list(unique.values()), "cpu"),
            "pairs": pairs,
            "video_of_row": [index[id(p.video)] for p in prompts if p.video],
            "is_image": images_of(list(unique.values())),
        }


class VideoDPOTrainer(CollateLate, DPOTrainer):  # type: ignore[misc]
    """`trl.DPOTrainer` on video pairs.

    Args:
        model: A vision-language model (or a PEFT model).
        args: TRL's configuration; needs `remove_unused_columns=False, max_length=None`.
        method: The method over its baseline; `loss` is used.
        encoder: Encodes prompts.
        pairs: Training pairs.
        samples: Training samples that hold their pairs (see `pairs_of`), if `pairs` is None.
        max_answer_length: Longest answer in tokens.
        context: What the method's `loss` may know about the run.
        **kwargs: Passed to `trl.DPOTrainer`. Without `ref_model` the reference is a copy of `model`
            as it is now. (TRL would load it from the folder that `model` came from, which after an
            earlier stage is not the same.) Weights that ZeRO-3 has split cannot be copied: save
            the model and load it from there before this stage.

    Raises:
        ValueError: There is no pair, or `args` would drop or cut inputs.
    """

    def __init__(
        self,
        *,
        model: Any,
        args: DPOConfig,
        method: Method,
        encoder: Encoder,
        pairs: Sequence[Pair] | None = None,
        samples: Sequence[Sample] = (),
        max_answer_length: int = 1024,
        context: Context | None = None,
        **kwargs: Any,
    ) -> None:
        if pairs is None:
            pairs = pairs_of(samples)
        if not pairs:
            raise ValueError(
                "no preference pairs: all answers scored the same. Sample more answers a question, "
                "at a higher temperature."
            )
        if args.remove_unused_columns or args.max_length is not None:
            raise ValueError(
                "DPOConfig would drop the video or cut the prompt. Set remove_unused_columns=False "
                "and max_length=None."
            )
        self.method = method
        self.context = context or Context(settings={"kind": "preference"})
        adapters = hasattr(model, "peft_config") or kwargs.get("peft_config") is not None
        split = any(hasattr(p, "ds_id") for p in model.parameters())  # by DeepSpeed's zero.Init
        if not adapters and not split:
            accept_features(base_of(model).visual)  # and so does its copy
            kwargs.setdefault("ref_model", copy.deepcopy(model).eval().requires_grad_(False))
        self.collate = PairCollator(pairs, encoder, max_answer_length)
        # TRL reads the kind of data off the columns; the empty images mark it as visual.
        dataset = Dataset.from_dict(
            {"pair": list(range(len(pairs))), "images": [[] for _ in pairs]}
        )
        super().__init__(
            model=model,
            args=args,
            train_dataset=dataset,
            data_collator=self._look_ahead,
            processing_class=encoder.processor,
            **kwargs,
        )

    def _look_ahead(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Rows stay as they are; accelerate fetches them a step early, so encoding can begin."""
        self.collate.encoder.ahead([self.collate.pairs[row["pair"]].sample for row in rows])
        return rows

    def _compute_loss(
        self, model: Any, inputs: Mapping[str, Any], return_outputs: bool = False
    ) -> Any:
        """TRL's loss on this batch, or the method's own; one vision pass a distinct video."""
        batch = dict(inputs)
        pairs, rows = batch.pop("pairs"), batch.pop("video_of_row")
        images = batch.pop("is_image")
        with ExitStack() as stack:
            stack.enter_context(shared_vision(model, rows, images))
            if self.ref_model is not None:
                stack.enter_context(shared_vision(self.ref_model, rows, images))
            if self.method.loss is None:
                return super()._compute_loss(model, batch, return_outputs)
            logps, ref_logps = self._both(model, self._call(batch), "log_probs")
        tokens = PairTokens(
            logps,
            ref_logps,
            batch["completion_mask"][:, 1:],
            batch["input_ids"][:, 1:],
            pairs,
            self.beta,
            replace(self.context, step=self.state.global_step),
            lambda: self._ref_kl(model, batch, rows, images),
        )
        loss = self.method.loss(tokens)
        return (loss, None) if return_outputs else loss

    def _call(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments of a forward that gives the log-probabilities of the answers' tokens."""
        inputs = {k: v for k, v in batch.items() if k != "completion_mask"}
        labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)
        return {**inputs, "labels": labels, "fused_lm_head": True, "use_cache": False}

    def _both(
        self, model: Any, call: dict[str, Any], output: str
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One output of the policy, with gradient, and of the reference, without."""
        policy = getattr(model(**call), output)
        with torch.no_grad():
            if self.ref_model is not None:
                return policy, getattr(self.ref_model(**call), output)
            base = self.accelerator.unwrap_model(self.model)
            with use_adapter(base, "ref" if "ref" in base.peft_config else None):
                return policy, getattr(self.model(**call), output)

    def _ref_kl(
        self, model: Any, batch: Mapping[str, Any], rows: list[int], images: list[bool]
    ) -> torch.Tensor:
        """See `PairTokens.ref_kl`; full logits are made of the chosen answers alone."""
        n = len(batch["input_ids"]) // 2
        mask = batch["completion_mask"][:n, 1:]
        first = int(mask.any(0).nonzero()[0])  # the column of the first answer token
        # The two answers of a pair share their video, so the chosen half sees all of them.
        call = {k: v for k, v in batch.items() if k != "completion_mask"}
        call |= {k: batch[k][:n] for k in ("input_ids", "attention_mask")}
        call |= {"position_ids": batch["position_ids"][:, :n], "use_cache": False}
        call["logits_to_keep"] = mask.shape[1] - first + 1
        with ExitStack() as stack:
            chosen = rows[: len(rows) // 2]
            stack.enter_context(shared_vision(model, chosen, images))
            if self.ref_model is not None:
                stack.enter_context(shared_vision(self.ref_model, chosen, images))
            logits, ref_logits = self._both(model, call, "logits")
        logps, ref = (x[:, :-1].float().log_softmax(-1) for x in (logits, ref_logits))
        kl = (ref.exp() * (ref - logps)).sum(-1).masked_fill(mask[:, first:] == 0, 0.0)
        return torch.nn.functional.pad(kl, (first, 0))
