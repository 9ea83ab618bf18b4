"""Answers from a transformers model: each prompt is prefilled once, however many answers it gets.

`transformers.generate` repeats the prompt (and the vision tower) for each of n answers. Here the
distinct prompts are prefilled, the cache is expanded to one row an answer, and rows leave the batch
as they finish. Sampling draws from a random stream of its own for each request, so an answer
depends neither on the batch it is computed in nor on where an interrupted run was resumed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from reproductions.shared.inference.engine import Completion, Request, Sampling
from reproductions.shared.models.encode import Encoder, Prompt, images_of, shared_vision, videos_of

if TYPE_CHECKING:
    import torch

COMPACT_BELOW = 0.75
"""Finished rows leave the batch once less than this share is still running (copying costs too)."""


class HFGenerator:
    """A `Generator` on a transformers vision-language model.

    Args:
        model: The model, unwrapped; evaluated without gradient and in eval mode.
        encoder: Encodes samples.
        rows: Answers computed side by side, at most.
        progress: Called with the number of answers finished since the last call.
    """

    def __init__(
        self,
        model: Any,
        encoder: Encoder,
        rows: int = 256,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self.model = model
        self.encoder = encoder
        self.rows = rows
        self.progress = progress

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion]]:
        """See `Generator.generate`."""
        import torch

        was_training = self.model.training
        self.model.eval()
        try:
            with torch.inference_mode():
                done: list[list[Completion]] = []
                for batch in _batches([r for r in requests if r.n], self.rows):
                    done += self._batch(batch, sampling)
                    if self.progress is not None:
                        self.progress(sum(r.n for r in batch))
                answers = iter(done)
                return [next(answers) if r.n else [] for r in requests]
        finally:
            self.model.train(was_training)

    def _batch(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion]]:
        import torch

        prompts = [self.encoder(r.sample, r.order) for r in requests]
        owner = [i for i, r in enumerate(requests) for _ in range(r.n)]  # row -> prompt
        ids, logprobs = self._sample(requests, prompts, owner, sampling)
        tokenizer = self.encoder.tokenizer
        eos = set(self._eos())
        answers: list[list[Completion]] = [[] for _ in requests]
        for row, i in enumerate(owner):
            tokens = ids[row]
            finished = bool(tokens) and tokens[-1] in eos
            text = tokenizer.decode(
                torch.tensor(tokens, dtype=torch.long), skip_special_tokens=True
            )
            answers[i].append(
                Completion(
                    text,
                    tuple(tokens),
                    tuple(logprobs[row]),
                    finished,
                    len(prompts[i].ids),
                    len(prompts[i].times),
                )
            )
        return answers

    def _eos(self) -> list[int]:
        eos = self.model.generation_config.eos_token_id
        eos = [] if eos is None else [eos] if isinstance(eos, int) else list(eos)
        return eos or [self.encoder.tokenizer.eos_token_id]

    def _prefill(self, prompts: Sequence[Prompt]) -> tuple[Any, torch.Tensor, torch.Tensor]:
        """Run the prompts once; returns (cache, mask [N, P], last logits [N, V])."""
        import torch
        from transformers import DynamicCache

        device = self.model.device
        longest = max(len(p.ids) for p in prompts)
        ids = torch.full((len(prompts), longest), self.encoder.tokenizer.pad_token_id)
        mask = torch.zeros((len(prompts), longest), dtype=torch.long)
        positions = torch.zeros((3, len(prompts), longest), dtype=torch.long)
        for row, prompt in enumerate(prompts):
            ids[row, longest - len(prompt.ids) :] = prompt.ids
            mask[row, longest - len(prompt.ids) :] = 1
            positions[:, row, longest - len(prompt.ids) :] = prompt.positions
        mask = mask.to(device)
        cache = DynamicCache(config=self.model.config.get_text_config())
        # One vision pass a distinct video; the rows then pick their features.
        unique = {id(p.video): p for p in prompts if p.video}
        index = {key: i for i, key in enumerate(unique)}
        rows = [index[id(p.video)] for p in prompts if p.video]
        with shared_vision(self.model, rows, images_of(list(unique.values()))):
            out = self.model(
                input_ids=ids.to(device),
                attention_mask=mask,
                position_ids=positions.to(device),
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
                **videos_of(list(unique.values()), device),
            )
        return cache, mask, out.logits[:, -1]

    def _sample(
        self,
        requests: Sequence[Request],
        prompts: Sequence[Prompt],
        owner: list[int],
        sampling: Sampling,
    ) -> tuple[list[list[int]], list[list[float]]]:
        """Sample all rows; returns token ids and log-probabilities, one list a row."""
        import torch

        cache, mask, logits = self._prefill(prompts)
        device = logits.device
        rows = torch.tensor(owner, device=device)
        cache.batch_select_indices(rows)
        mask, logits = mask[rows], logits[rows]
        start = torch.tensor([prompts[i].next_position for i in owner], device=device)
        noise = _noise(requests, sampling).to(device) if sampling.temperature > 0 else None
        forbidden = torch.tensor(self.encoder.forbidden_ids(), device=device)
        eos = torch.tensor(self._eos(), device=device)
        alive = torch.arange(len(owner), device=device)  # rows of the batch -> answers
        running = torch.ones(len(owner), dtype=torch.bool, device=device)
        tokens: list[list[int]] = [[] for _ in owner]
        scores: list[list[float]] = [[] for _ in owner]
        for step in range(sampling.max_new_tokens):
            uniform = noise[alive, step] if noise is not None else None
            token, score = _draw(logits.float(), uniform, sampling, forbidden)
            for answer, now, value, is_running in zip(
                alive.tolist(), token.tolist(), score.tolist(), running.tolist(), strict=True
            ):
                if is_running:
                    tokens[answer].append(now)
                    scores[answer].append(value)
            running &= ~torch.isin(token, eos)
            left = int(running.sum())
            if left == 0 or step + 1 == sampling.max_new_tokens:
                break
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
            if left < COMPACT_BELOW * len(running):
                keep = running.nonzero().squeeze(1)
                cache.batch_select_indices(keep)
                mask, alive, running = mask[keep], alive[keep], running[keep]
                token, start = token[keep], start[keep]
            position = (start + step).view(1, -1, 1).expand(3, -1, 1)
            logits = self.model(
                input_ids=token.unsqueeze(1),
                attention_mask=mask,
                position_ids=position,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            ).logits[:, -1]
        return tokens, scores


def _draw(
    logits: torch.Tensor,
    uniform: torch.Tensor | None,
    sampling: Sampling,
    forbidden: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """One token a row and its log-probability; logits float32 [R, V], uniform float64 [R].

    The log-probability is the model's own, before vision tokens are struck out and before top-k and
    top-p: the same number that the trainer computes for the token.
    """
    import torch

    logprobs = (logits / (sampling.temperature or 1.0)).log_softmax(-1)
    allowed = logprobs.index_fill(-1, forbidden, float("-inf"))
    if uniform is None:
        token = allowed.argmax(-1)
        return token, logprobs.gather(-1, token.unsqueeze(-1)).squeeze(-1)
    probs, order = allowed.double().exp().sort(dim=-1, descending=True, stable=True)
    if sampling.top_k:
        probs[:, sampling.top_k :] = 0
    if sampling.top_p < 1:
        share = probs / probs.sum(-1, keepdim=True)  # of what top-k and the vision tokens left
        before = share.cumsum(-1) - share
        probs = probs.masked_fill(before >= sampling.top_p, 0)  # the first token always stays
    edges = probs.cumsum(-1)
    rank = torch.searchsorted(edges, uniform.unsqueeze(-1) * edges[:, -1:], right=True)
    rank = rank.minimum((probs > 0).sum(-1, keepdim=True) - 1)
    token = order.gather(-1, rank).squeeze(-1)
    return token, logprobs.gather(-1, token.unsqueeze(-1)).squeeze(-1)


def _noise(requests: Sequence[Request], sampling: Sampling) -> torch.Tensor:
    """Uniform numbers, float64 [answers, tokens]: one stream a request."""
    import torch

    parts = []
    for request in requests:
        name = f"{sampling.seed}/{request.sample.id}/{request.order}/{request.stream}"
        seed = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") >> 1
        stream = torch.Generator().manual_seed(seed)
        shape = (request.n, sampling.max_new_tokens)
        parts.append(torch.rand(shape, generator=stream, dtype=torch.float64))
    return torch.cat(parts)


def _batches(requests: Sequence[Request], rows: int) -> list[list[Request]]:
    """Cut requests, in order, into batches of at most `rows` answers (a request stays whole)."""
    batches: list[list[Request]] = []
    size = rows + 1
    for request in requests:
        if size + request.n > rows:
            batches.append([])
            size = 0
        batches[-1].append(request)
        size += request.n
    return batches
