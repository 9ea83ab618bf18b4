"""Answers from a transformers model: each prompt is prefilled once, however many answers it gets.

`transformers.generate` repeats the prompt (and the vision tower) for each of n answers. Here the
distinct prompts are prefilled, answers share the keys of their prompt, and rows leave the batch as
they finish. Where prompts begin alike, as questions about one video do, the beginning is prefilled
once and its keys are shared as well. Sampling draws from a random stream of its own for each
request, so an answer depends neither on the batch it is computed in nor on where an interrupted run
was resumed. A part of a video goes through the vision tower once a batch, however many prompts show
it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from reproductions.shared.inference.engine import Completion, Request, Sampling
from reproductions.shared.models.encode import (
    Encoder,
    Prompt,
    shared_vision,
    view_tensors,
    views_of,
)

if TYPE_CHECKING:
    import torch

COMPACT_BELOW = 0.75
"""Finished rows leave the batch once less than this share is still running (copying costs too)."""
COMMON_SHARE, COMMON_TOKENS = 0.5, 64
"""A common beginning is prefilled once if it is this share of the longest prompt, and this long.

The rests are a call of their own, which a chat template alone is not worth.
"""


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

        asked = [self.encoder(r.sample, r.order, r.messages, r.prefix) for r in requests]
        families = self._families(list({id(p): p for p in asked}.values()))
        prompts = [p for _, members in families for p in members]
        place = {id(p): i for i, p in enumerate(prompts)}
        # Requests that share a prompt side by side: that is how the cache knows whose it is.
        given = sorted(range(len(requests)), key=lambda i: place[id(asked[i])])
        requests, asked = [requests[i] for i in given], [asked[i] for i in given]
        owner = [place[id(p)] for p, r in zip(asked, requests, strict=True) for _ in range(r.n)]
        course = _Course(sampling, self.encoder.tokenizer, self._eos(), len(owner))
        ids, logprobs = self._sample(requests, families, owner, sampling, course)
        texts = [
            course.cut(self.encoder.tokenizer.decode(torch.tensor(tokens, dtype=torch.long),
                                                     skip_special_tokens=True))
            for tokens in ids
        ]  # fmt: skip
        rows = iter(zip(texts, ids, logprobs, course.ended, strict=True))
        answers = [
            [
                Completion(text, tuple(t), tuple(p), done, len(prompt.ids), len(prompt.times))
                for text, t, p, done in islice(rows, request.n)
            ]
            for request, prompt in zip(requests, asked, strict=True)
        ]
        return [
            several for _, several in sorted(zip(given, answers, strict=True), key=itemgetter(0))
        ]

    def _eos(self) -> list[int]:
        eos = self.model.generation_config.eos_token_id
        eos = [] if eos is None else [eos] if isinstance(eos, int) else list(eos)
        return eos or [self.encoder.tokenizer.eos_token_id]

    def _families(self, prompts: Sequence[Prompt]) -> list[tuple[int, list[Prompt]]]:
        """Prompts that begin alike, with the number of tokens that are prefilled once for them.

        If no two do, each prompt is prefilled whole, in the order given; else at least its last
        token is left, so that all have a rest.
        """
        import torch

        from reproductions.shared.models.attention import PrefixCache

        alone = [(len(p.ids), [p]) for p in prompts]
        if not PrefixCache.fits(self.model.config.get_text_config()):
            return alone
        processor = self.encoder.processor
        visual = torch.tensor([processor.image_token_id, processor.video_token_id])
        number: dict[int, int] = {}
        shows = {
            id(p): [number.setdefault(id(view), len(number)) for view in p.views] for p in prompts
        }
        families: list[tuple[int, list[Prompt]]] = []
        for prompt in sorted(prompts, key=lambda p: (shows[id(p)], p.ids.tolist())):
            if families:
                size, members = families[-1]
                if shows[id(members[0])] == shows[id(prompt)]:
                    size = min(size, _common(members[0], prompt, visual))
                    longest = max(len(p.ids) for p in (*members, prompt))
                    if size >= max(COMMON_TOKENS, COMMON_SHARE * longest):
                        families[-1] = (size, [*members, prompt])
                        continue
            families.append((len(prompt.ids) - 1, [prompt]))
        return alone if len(families) == len(prompts) else families

    def _padded(self, prompts: Sequence[Prompt]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Ids [N, P], mask [N, P] and positions [3, N, P] of prompts, padded at the left."""
        import torch

        longest = max(len(p.ids) for p in prompts)
        ids = torch.full((len(prompts), longest), self.encoder.tokenizer.pad_token_id)
        mask = torch.zeros((len(prompts), longest), dtype=torch.long)
        positions = torch.zeros((3, len(prompts), longest), dtype=torch.long)
        for row, prompt in enumerate(prompts):
            ids[row, longest - len(prompt.ids) :] = prompt.ids
            mask[row, longest - len(prompt.ids) :] = 1
            positions[:, row, longest - len(prompt.ids) :] = prompt.positions
        device = self.model.device
        return ids.to(device), mask.to(device), positions.to(device)

    def _prefill(
        self, families: Sequence[tuple[int, list[Prompt]]]
    ) -> tuple[Any, torch.Tensor, torch.Tensor]:
        """Run the beginnings once, then the rests of all prompts against them.

        Returns:
            (cache, mask, logits [N, V] of the last tokens), a row a prompt. The mask is that of all
            keys, [N, P]; with a `PrefixCache` that of the rests, bool [N, 1, 1, rest].
        """
        import torch
        from transformers import DynamicCache

        from reproductions.shared.models.attention import PrefixCache

        config = self.model.config.get_text_config()
        cache = PrefixCache(config) if PrefixCache.fits(config) else DynamicCache(config=config)
        heads = [_part(members[0], slice(size)) for size, members in families]
        ids, mask, positions = self._padded(heads)
        views, rows = views_of(heads)
        with shared_vision(self.model, rows, ["pixel_values" in v for v in views]):
            out = self.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
                **view_tensors(views, self.model.device),
            )
        if not isinstance(cache, PrefixCache):
            return cache, mask, out.logits[:, -1]
        counts = torch.tensor([len(members) for _, members in families], device=ids.device)
        owner = torch.arange(len(families), device=ids.device).repeat_interleave(counts)
        cache.expand(owner, (mask == 0).sum(1).tolist())
        rests = [_part(p, slice(size, None)) for size, members in families for p in members]
        ids, mask, positions = self._padded(rests)
        real, length = mask.bool()[:, None, None], mask.shape[1]
        if length:
            # Padding sees itself: a softmax over nothing would be NaN.
            itself = torch.eye(length, dtype=torch.bool, device=ids.device)
            out = self.model(
                input_ids=ids,
                attention_mask=real.expand(-1, -1, length, -1).tril() | itself,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
        return cache, real, out.logits[:, -1]

    def _sample(
        self,
        requests: Sequence[Request],
        families: Sequence[tuple[int, list[Prompt]]],
        owner: list[int],
        sampling: Sampling,
        course: _Course,
    ) -> tuple[list[list[int]], list[list[float]]]:
        """Sample all rows; returns token ids and log-probabilities, one list a row."""
        import torch

        prompts = [p for _, members in families for p in members]
        cache, mask, logits = self._prefill(families)
        device = logits.device
        rows = torch.tensor(owner, device=device)
        cache.batch_select_indices(rows)
        mask, logits = mask[rows], logits[rows]
        padded = not mask.all()  # never so for the answers' own keys, if no prompts begin alike
        start = torch.tensor([prompts[i].next_position for i in owner], device=device)
        steps = course.steps
        noise = _noise(requests, sampling, steps).to(device) if sampling.temperature > 0 else None
        forbidden = torch.tensor(self.encoder.forbidden_ids(), device=device)
        alive = torch.arange(len(owner), device=device)  # rows of the batch -> answers
        tokens: list[list[int]] = [[] for _ in owner]
        scores: list[list[float]] = [[] for _ in owner]
        for step in range(steps):
            uniform = noise[alive, step] if noise is not None else None
            struck = course.struck(alive.tolist(), logits.shape[-1])
            struck = struck if struck is None else struck.to(device)
            token, score = _draw(logits.float(), uniform, sampling, forbidden, struck)
            for answer, now, value in zip(
                alive.tolist(), token.tolist(), score.tolist(), strict=True
            ):
                if not course.ended[answer]:
                    tokens[answer].append(now)
                    scores[answer].append(value)
                    course.advance(answer, tokens[answer])
            running = torch.tensor([not course.ended[i] for i in alive.tolist()], device=device)
            left = int(running.sum())
            if left == 0 or step + 1 == steps:
                break
            mask = torch.cat([mask, mask.new_ones(*mask.shape[:-1], 1)], dim=-1)
            if left < COMPACT_BELOW * len(running):
                keep = running.nonzero().squeeze(1)
                cache.batch_select_indices(keep)
                mask, alive, token, start = mask[keep], alive[keep], token[keep], start[keep]
            position = (start + step).view(1, -1, 1).expand(3, -1, 1)
            logits = self.model(
                input_ids=token.unsqueeze(1),
                attention_mask=mask if padded else None,
                position_ids=position,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            ).logits[:, -1]
        return tokens, scores


class _Course:
    """How answers grow: end of sequence, stop texts, and the choices that are left.

    Choices are a trie of token ids. An answer ends where only one choice is left and it is whole;
    where a choice is the beginning of another one, the end of sequence closes it.

    Attributes:
        ended: For each answer, whether it is complete.
        steps: Tokens an answer, at most.
    """

    def __init__(self, sampling: Sampling, tokenizer: Any, eos: Sequence[int], n: int) -> None:
        self.sampling, self.tokenizer, self.eos = sampling, tokenizer, set(eos)
        self.ended = [False] * n
        self.steps = sampling.max_new_tokens
        # A byte-level token is at least one byte, and may hang over either end of the text.
        self._tail = max((len(s.encode()) for s in sampling.stop), default=0) + 1
        self._trie: dict[int, Any] = {}
        for choice in sampling.choices:
            ids = tokenizer(choice, add_special_tokens=False)["input_ids"]
            node = self._trie
            for token in ids:
                node = node.setdefault(token, {})
            node[-1] = {}  # a choice ends here
            self.steps = max(self.steps, len(ids) + 1)
        self._nodes = [self._trie] * n

    def struck(self, answers: Sequence[int], vocabulary: int) -> torch.Tensor | None:
        """For each answer the tokens that no choice goes on with, bool [answers, V]."""
        if not self._trie:
            return None
        import torch

        struck = torch.ones(len(answers), vocabulary, dtype=torch.bool)
        for row, answer in enumerate(answers):
            node = self._nodes[answer]
            nexts = [t for t in node if t >= 0] + (list(self.eos) if -1 in node else [])
            struck[row, nexts or [0]] = False  # an answer that has ended only keeps its row filled
        return struck

    def advance(self, answer: int, tokens: Sequence[int]) -> None:
        """Take note of an answer's last token."""
        last = tokens[-1]
        if last in self.eos:
            self.ended[answer] = True
        elif self._trie:
            self._nodes[answer] = node = self._nodes[answer][last]
            self.ended[answer] = set(node) == {-1}
        elif self.sampling.stop:
            tail = self.tokenizer.decode(list(tokens[-self._tail :]), skip_special_tokens=True)
            self.ended[answer] = any(stop in tail for stop in self.sampling.stop)

    def cut(self, text: str) -> str:
        """The text before the first stop text."""
        ends = [text.index(stop) for stop in self.sampling.stop if stop in text]
        return text[: min(ends, default=len(text))]


def _common(one: Prompt, other: Prompt, visual: torch.Tensor) -> int:
    """Tokens with which two prompts begin alike, all but the last; 0 if later ones are `visual`."""
    import torch

    n = min(len(one.ids), len(other.ids)) - 1
    same = (one.ids[:n] == other.ids[:n]) & (one.positions[:, :n] == other.positions[:, :n]).all(0)
    n = int(same.cumprod(0).sum())
    return 0 if torch.isin(torch.cat([one.ids[n:], other.ids[n:]]), visual).any() else n


def _part(prompt: Prompt, tokens: slice) -> Prompt:
    """Some tokens of a prompt."""
    return replace(prompt, ids=prompt.ids[tokens], positions=prompt.positions[:, tokens])


def _draw(
    logits: torch.Tensor,
    uniform: torch.Tensor | None,
    sampling: Sampling,
    forbidden: torch.Tensor,
    struck: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """One token a row and its log-probability; logits float32 [R, V], uniform float64 [R].

    The log-probability is the model's own, before vision tokens and impossible choices are struck
    out (bool [R, V]) and before top-k and top-p: the same number that the trainer computes.
    """
    import torch

    logprobs = (logits / (sampling.temperature or 1.0)).log_softmax(-1)
    allowed = logprobs.index_fill(-1, forbidden, float("-inf"))
    if struck is not None:
        allowed = allowed.masked_fill(struck, float("-inf"))
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


def _noise(requests: Sequence[Request], sampling: Sampling, steps: int) -> torch.Tensor:
    """Uniform numbers, float64 [answers, steps]: one stream a request."""
    import torch

    parts = []
    for request in requests:
        name = f"{sampling.seed}/{request.sample.id}/{request.order}/{request.stream}"
        if request.messages or request.prefix:
            name += f"/{request.messages}/{request.prefix}"
        seed = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") >> 1
        stream = torch.Generator().manual_seed(seed)
        parts.append(torch.rand((request.n, steps), generator=stream, dtype=torch.float64))
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
