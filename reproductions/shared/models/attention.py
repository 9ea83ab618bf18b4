"""Attention of groups: one prompt, many answers; no dense mask and no copies of the prompt.

In a packed row `[prompt, answer 1, ..., answer G]` the prompt attends causally to itself, and each
answer to the prompt and causally to itself. A dense mask computes all pairs of the row; here only
the needed ones are computed: all answers attend to the prompt in one call without a mask, each to
itself in another, and the two are merged by their normalisers (log-sum-exp). For the gradient the
merged output and normaliser are handed to the backward of each call, which makes it exactly that of
the whole softmax (FlashAttention-2, arXiv 2307.08691, Sec. 3.1: the backward needs no more).

The same merge serves rollouts: the keys of a prompt stay one copy a group, and each answer keeps
its own (`PrefixCache`), so memory is P + G R instead of G (P + R), and nothing is copied for a
token. Prompts that begin alike share the keys of their beginning in the same way; the rest of a
prompt is then part of each answer's own. These are plain matrix products, on every device.

The fused kernels of the packed row are those that SDPA uses on a CPU. On CUDA the layout becomes a
block mask of flex attention, elsewhere a dense one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch.nn.attention.flex_attention import BlockMask, create_block_mask

from reproductions.shared.models import torchvision_cure

torchvision_cure.apply()  # before transformers imports torchvision

from transformers import AttentionInterface, DynamicCache  # noqa: E402
from transformers.cache_utils import DynamicLayer  # noqa: E402
from transformers.integrations.flex_attention import flex_attention_forward  # noqa: E402
from transformers.integrations.sdpa_attention import (  # noqa: E402
    repeat_kv,
    sdpa_attention_forward,
)

_forward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
FUSED, FLEX = ("cpu",), ("cuda",)
"""Devices with the kernels above, and those whose masks are best given in blocks."""
ROOM = 64
"""Tokens by which the buffer of the answers' keys grows."""
WASTE = 4
"""Prompts are attended to one by one where padding would make this many times more queries."""


def layout_of(segment: torch.Tensor) -> torch.Tensor:
    """Where the prompt and each answer end; passed to the model in place of an attention mask.

    Args:
        segment: Segment of each token: 0 prompt, g > 0 answer g, -1 padding at the end; int [B, L].

    Returns:
        int64 [B, 1, 1, 1 + G], repeating the last end in rows with fewer answers. transformers
        leaves a mask of four dimensions as it is.
    """
    parts = int(segment.max()) + 1
    inside = segment.unsqueeze(1) == torch.arange(parts, device=segment.device).view(1, -1, 1)
    return inside.sum(-1).cumsum(-1)[:, None, None]


def _merge(
    one: torch.Tensor, lse_one: torch.Tensor, other: torch.Tensor, lse_other: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention over two sets of keys from the attention over each; outputs [..., D], lse [...]."""
    lse = torch.logaddexp(lse_one, lse_other)
    both = one * (lse_one - lse).exp().unsqueeze(-1) + other * (lse_other - lse).exp().unsqueeze(-1)
    return both.to(one.dtype), lse


class PackedAttention(torch.autograd.Function):
    """Attention of one packed row: query [1, heads, L, D], key and value with heads / n of them."""

    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        ends: Sequence[int],
        scale: float | None,
    ) -> torch.Tensor:
        """Attend part by part and merge; `ends` is a row of `layout_of`."""
        p, last = ends[0], ends[-1]
        shared = query.shape[1] // key.shape[1]
        out = torch.zeros_like(query)  # padding stays zero
        wide = torch.promote_types(query.dtype, torch.float32)
        lse = torch.zeros(query.shape[:3], dtype=wide, device=query.device)

        def attend(a: int, b: int, c: int, d: int, causal: bool) -> Any:
            k, v = (repeat_kv(t[:, :, c:d], shared) for t in (key, value))
            return _forward(query[:, :, a:b], k, v, is_causal=causal, scale=scale)

        if p:
            out[:, :, :p], lse[:, :, :p] = attend(0, p, 0, p, True)
        if p and last > p:
            seen, lse_seen = attend(p, last, 0, p, False)
        for a, b in pairwise(ends):
            if a == b:
                continue
            own, lse_own = attend(a, b, a, b, True)
            if p:
                at = slice(a - p, b - p)
                own, lse_own = _merge(seen[:, :, at], lse_seen[:, :, at], own, lse_own)
            out[:, :, a:b], lse[:, :, a:b] = own, lse_own
        ctx.save_for_backward(query, key, value, out, lse)
        ctx.ends, ctx.scale = ends, scale
        return out

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:
        """Each part's own backward, with the merged output and normaliser."""
        query, key, value, out, lse = ctx.saved_tensors
        p, last = ctx.ends[0], ctx.ends[-1]
        shared = query.shape[1] // key.shape[1]
        grads = [torch.zeros_like(t) for t in (query, key, value)]

        def attend(a: int, b: int, c: int, d: int, causal: bool) -> None:
            # The kernel wants the normaliser laid out as it writes it: [1, L, heads] in memory.
            normaliser = lse[:, :, a:b].transpose(1, 2).contiguous().transpose(1, 2)
            k, v = (repeat_kv(t[:, :, c:d], shared) for t in (key, value))
            q, o, g = (t[:, :, a:b] for t in (query, out, grad))
            dq, *others = _backward(g, q, k, v, o, normaliser, 0.0, causal, scale=ctx.scale)
            grads[0][:, :, a:b] += dq
            for total, part in zip(grads[1:], others, strict=True):
                total[:, :, c:d] += part.unflatten(1, (-1, shared)).sum(2)

        if p:
            attend(0, p, 0, p, True)
        if p and last > p:
            attend(p, last, 0, p, False)
        for a, b in pairwise(ctx.ends):
            if a < b:
                attend(a, b, a, b, True)
        return (*grads, None, None)


def _attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scale: float | None,
    hidden: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention of a few queries to many keys.

    Args:
        query: [B, heads, n, D].
        key: [B, key-value heads, m, D].
        value: As `key`.
        scale: Factor of the scores; None: 1 / sqrt(D).
        hidden: True for keys that a query does not see, bool [B, 1, 1 or n, m].

    Returns:
        (output [B, heads, n, D], log of the softmax's denominator, float32 [B, heads, n]).
    """
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    # Heads that share keys become queries of one head, so that no key is copied.
    one = (query * scale).reshape(len(query), key.shape[1], -1, query.shape[-1])
    scores = (one @ key.transpose(2, 3)).float()
    if hidden is not None:
        by_query = scores.unflatten(2, (-1, query.shape[2]))
        by_query.masked_fill_(hidden.unsqueeze(1), float("-inf"))
    lse = scores.logsumexp(-1, keepdim=True)
    out = (scores - lse).exp_().to(value.dtype) @ value
    return out.view(query.shape), lse.view(query.shape[:3])


@dataclass(frozen=True)
class Sharing:
    """Which answers share which prompt, or which prompts share which beginning.

    Attributes:
        owner: The prompt of each answer, ascending, int64 [rows].
        starts: Where each prompt starts behind its left padding, int64 [N].
        counts: Answers of each prompt.
        most: Answers of the prompt that has most of them.
        slots: Place of each answer among N x `most`, int64 [rows]; None: the answers' own order.
        hidden: True for the padding of prompts, bool [N, 1, 1, P]; None: there is none.
    """

    owner: torch.Tensor
    starts: torch.Tensor
    counts: tuple[int, ...]
    most: int
    slots: torch.Tensor | None
    hidden: torch.Tensor | None

    @classmethod
    def of(cls, owner: torch.Tensor, starts: torch.Tensor, length: int) -> Sharing:
        """From the prompt of each answer and where prompts of `length` tokens start."""
        if bool((owner.diff() < 0).any()):  # else answers would be given another prompt's slots
            raise ValueError("owner: must ascend; put answers to one prompt side by side.")
        counts = torch.bincount(owner, minlength=len(starts))
        first = counts.cumsum(0) - counts
        most = int(counts.max())
        slots = owner * most + torch.arange(len(owner), device=owner.device) - first[owner]
        hidden = torch.arange(length, device=owner.device) < starts.unsqueeze(1)
        return cls(
            owner,
            starts,
            tuple(counts.tolist()),
            most,
            None if int(counts.min()) == most else slots,
            hidden[:, None, None] if int(starts.max()) else None,
        )


class PrefixLayer(DynamicLayer):
    """One layer's keys: of each prompt once, and of each answer its own.

    Until it is given a `sharing` it is an ordinary layer that is prefilled with the prompts.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.sharing: Sharing | None = None
        self.own: tuple[torch.Tensor, torch.Tensor] | None = None
        self.tokens = 0

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add tokens to each row; returns the rows' own keys and values, which know this layer."""
        key_states = key_states.to(value_states.dtype)  # autocast: rotated keys may be float32
        if self.sharing is None:
            return super().update(key_states, value_states, *args, **kwargs)
        own, new_tokens = self.own, key_states.shape[2]
        if own is None or self.tokens + new_tokens > own[0].shape[2]:
            rows, heads, _, size = key_states.shape
            room = (rows, heads, self.tokens + max(ROOM, new_tokens), size)
            old, own = own, (key_states.new_empty(room), value_states.new_empty(room))
            for new, kept in zip(own, old or (), strict=False):
                new[:, :, : self.tokens] = kept[:, :, : self.tokens]
        at = slice(self.tokens, self.tokens + new_tokens)
        own[0][:, :, at], own[1][:, :, at] = key_states, value_states
        self.own = own
        self.tokens += new_tokens
        keys, values = (t[:, :, : self.tokens] for t in own)
        keys.prefix_layer = self  # type: ignore[attr-defined]
        return keys, values

    def get_seq_length(self) -> int:
        """Tokens of prompt and answer."""
        return int(super().get_seq_length()) + self.tokens

    def attend(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        scale: float | None,
        sees: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Attention of each row's newest tokens over all its keys.

        Args:
            query: [rows, heads, n, D].
            key: The rows' own keys, [rows, key-value heads, m, D].
            value: As `key`.
            scale: Factor of the scores.
            sees: Whether a token sees a key of its own row, bool [rows, 1, n, m]; None: all.
        """
        assert self.sharing is not None
        counts, most, slots = self.sharing.counts, self.sharing.most, self.sharing.slots
        query = query.to(value.dtype)
        own, lse_own = _attend(query, key, value, scale, None if sees is None else ~sees)
        if query.shape[2] > 1 or len(counts) * most > WASTE * len(query):
            # One prompt after the other: less memory, and no empty places.
            parts = [
                self._seen(q.unsqueeze(0), slice(i, i + 1), scale)
                for i, q in enumerate(query.split(counts))
            ]
            seen, lse = (torch.cat(part) for part in zip(*parts, strict=True))
        else:
            asked = query
            if slots is not None:  # empty places, so that prompts have equally many answers
                asked = query.new_zeros(len(counts) * most, *query.shape[1:])
                asked[slots] = query
            seen, lse = self._seen(asked.unflatten(0, (-1, most)), slice(None), scale)
            if slots is not None:
                seen, lse = seen[slots], lse[slots]
        return _merge(seen, lse, own, lse_own)[0]

    def _seen(
        self, query: torch.Tensor, prompts: slice, scale: float | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Attention over prompts, query [prompts, answers, heads, n, D], to (out, lse) a row."""
        assert self.sharing is not None and self.keys is not None and self.values is not None
        hidden = self.sharing.hidden
        out, lse = _attend(
            query.transpose(1, 2).flatten(2, 3),
            self.keys[prompts],
            self.values[prompts],
            scale,
            None if hidden is None else hidden[prompts],
        )
        shape = (query.shape[1], query.shape[3])
        seen, lse = (t.unflatten(2, shape).transpose(1, 2).flatten(0, 1) for t in (out, lse))
        return seen, lse


class PrefixCache(DynamicCache):
    """A cache of `PrefixLayer`s, for models whose attention is `packed_sdpa`.

    Args:
        config: The text model's configuration.
    """

    def __init__(self, config: Any) -> None:
        super().__init__(config=config)
        self.layers = [PrefixLayer() for _ in self.layers]

    @staticmethod
    def fits(config: Any) -> bool:
        """Whether every layer of a text model uses `packed_sdpa` and sees its whole past."""
        plain = all(type(layer) is DynamicLayer for layer in DynamicCache(config=config).layers)
        return plain and config._attn_implementation == "sdpa"

    def expand(self, owner: torch.Tensor, starts: Sequence[int]) -> None:
        """From now on there is a row an answer.

        Args:
            owner: The prompt of each answer, ascending, int64 [rows]; each prompt has one.
            starts: Where each prompt starts behind its left padding.
        """
        self._share(owner, torch.tensor(starts, device=owner.device))

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep or repeat some rows, ascending, and keep the prompts that they have."""
        sharing = self._prefix_layers()[0].sharing
        assert sharing is not None
        prompts, owner = sharing.owner[indices].unique(  # type: ignore[no-untyped-call]
            return_inverse=True
        )
        for layer in self._prefix_layers():
            assert layer.keys is not None and layer.values is not None
            if layer.own is not None:
                layer.own = (layer.own[0][indices], layer.own[1][indices])
            if len(prompts) < len(sharing.starts):
                layer.keys, layer.values = layer.keys[prompts], layer.values[prompts]
        self._share(owner, sharing.starts[prompts])

    def _share(self, owner: torch.Tensor, starts: torch.Tensor) -> None:
        layers = self._prefix_layers()
        assert layers[0].keys is not None
        sharing = Sharing.of(owner, starts, layers[0].keys.shape[2])
        for layer in layers:
            layer.sharing = sharing

    def _prefix_layers(self) -> list[PrefixLayer]:
        return [layer for layer in self.layers if isinstance(layer, PrefixLayer)]


def packed_sdpa(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """The "sdpa" attention of transformers, for a `layout_of` and keys of a `PrefixLayer` too.

    Args:
        module: The attention layer.
        query: [B, heads, L, head size].
        key: [B, key-value heads, L, head size].
        value: As `key`.
        attention_mask: A mask or None, as ever, or a layout (the only int64 tensor). With keys of
            a `PrefixLayer` a mask of the rows' own keys.
        dropout: Attention dropout; a layout ignores it (these models have none).
        scaling: Factor of the scores.
        **kwargs: Passed on.

    Returns:
        ([B, L, heads, head size], None); padding gets zeros.
    """
    layer: PrefixLayer | None = getattr(key, "prefix_layer", None)
    if layer is not None:
        return layer.attend(query, key, value, scaling, attention_mask).transpose(1, 2), None
    if attention_mask is None or attention_mask.dtype != torch.int64:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
    # Under autocast the rotary embedding may leave query and key in float32.
    query, key = query.to(value.dtype), key.to(value.dtype)
    device, length = query.device.type, query.shape[2]
    if device in FLEX:
        blocks = _blocks(attention_mask, length)
        return flex_attention_forward(module, query, key, value, blocks, scaling)[0], None
    if device not in FUSED:
        mask = dense_mask(attention_mask, length)
        return sdpa_attention_forward(module, query, key, value, mask, scaling=scaling)
    rows = []
    for b, ends in enumerate(attention_mask[:, 0, 0].tolist()):
        one = slice(b, b + 1)
        row = PackedAttention.apply(  # type: ignore[no-untyped-call]
            query[one], key[one], value[one], ends, scaling
        )
        rows.append(row)
    return torch.cat(rows).transpose(1, 2), None


def _part(layout: torch.Tensor, length: int) -> torch.Tensor:
    """The part that each token belongs to: 0 prompt, g > 0 answer g; int64 [B, L]."""
    at = torch.arange(length, device=layout.device)
    return (at >= layout[:, 0, 0].unsqueeze(-1)).sum(1)


def dense_mask(layout: torch.Tensor, length: int) -> torch.Tensor:
    """The layout as a mask: True where a token may look, bool [B, 1, L, L]."""
    part = _part(layout, length)
    same = (part.unsqueeze(1) == part.unsqueeze(2)) | (part.unsqueeze(1) == 0)
    return same.tril().unsqueeze(1)


def _blocks(layout: torch.Tensor, length: int) -> BlockMask:
    """The layout as a mask of flex attention, made once for all layers of a forward."""
    found: BlockMask | None = getattr(layout, "block_mask", None)
    if found is None:
        part = _part(layout, length)

        def sees(b: Any, head: Any, query: Any, key: Any) -> Any:
            return ((part[b, query] == part[b, key]) | (part[b, key] == 0)) & (key <= query)

        compiled = layout.device.type == "cuda"  # else the mask is built whole on the way
        found = create_block_mask(
            sees, len(layout), None, length, length, layout.device, _compile=compiled
        )
        layout.block_mask = found  # type: ignore[attr-defined]
    return found


AttentionInterface.register("sdpa", packed_sdpa)
