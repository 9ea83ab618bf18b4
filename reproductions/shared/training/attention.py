"""Attention over packed groups without a mask over the whole row.

In a row `[prompt, answer 1, ..., answer G]` the prompt attends causally to itself and each answer
to the prompt and itself. A dense mask computes every pair of the row and keeps half of them at
best. Here the prompt is one causal call (which skips the upper triangle) and all answers are a
second call whose queries are the answers alone: with P = 4096, R = 128 and G = 8 that is half of
the pairs, and the mask has G R (P + G R) entries instead of (P + G R)^2.

`torch.nn.functional.scaled_dot_product_attention` does the work, so this runs wherever it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import pad, scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward


@dataclass(frozen=True)
class Blocks:
    """What the rows of a packed batch may attend to; takes the place of the attention mask.

    Attributes:
        prompts: For each row, the length p of what all its answers share.
        lengths: For each row, its length without padding.
        answers: For each row, which keys an answer token sees: bool [1, 1, n, p + n].
    """

    prompts: tuple[int, ...]
    lengths: tuple[int, ...]
    answers: tuple[torch.Tensor, ...]

    @classmethod
    def of(cls, segment: torch.Tensor) -> Blocks:
        """From the segment of each token: -1 padding, 0 prompt, g > 0 answer g; int [B, L]."""
        prompts = tuple((segment == 0).sum(1).tolist())
        lengths = tuple((segment >= 0).sum(1).tolist())
        answers = []
        for row, p, length in zip(segment, prompts, lengths, strict=True):
            own = row[p:length]
            seen = (own.unsqueeze(1) == own.unsqueeze(0)).tril()
            shared = seen.new_ones(length - p, p)
            answers.append(torch.cat([shared, seen], dim=1)[None, None])
        return cls(prompts, lengths, tuple(answers))

    def as_mask(self, device: torch.device) -> torch.Tensor:
        """A stand-in mask that carries these blocks through the model.

        The text models hand a 4-D tensor to their layers untouched; anything else they would try to
        turn into a mask. It is boolean so that nobody casts it, which would lose the attribute.
        """
        mask = torch.ones(len(self.prompts), 1, 1, 1, dtype=torch.bool, device=device)
        mask.blocks = self  # type: ignore[attr-defined]
        return mask


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
    """The "sdpa" attention of transformers, which also takes masks that carry `Blocks`.

    Args:
        module: The attention layer.
        query: [B, heads, L, head size].
        key: [B, key-value heads, L, head size].
        value: As `key`.
        attention_mask: As ever, or `Blocks.as_mask()`.
        dropout: Attention dropout.
        scaling: Factor of the scores.
        **kwargs: Passed on.

    Returns:
        ([B, L, heads, head size], None); padding gets zeros.
    """
    blocks: Blocks | None = getattr(attention_mask, "blocks", None)
    if blocks is None:
        return sdpa_attention_forward(  # type: ignore[no-any-return]
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
    common = {
        "dropout_p": dropout,
        "scale": scaling,
        "enable_gqa": query.shape[1] != key.shape[1],
    }
    rows = []
    parts_of = zip(blocks.prompts, blocks.lengths, blocks.answers, strict=True)
    for b, (p, length, seen) in enumerate(parts_of):
        q, k, v = (t[b : b + 1, :, :length] for t in (query, key, value))
        parts = [scaled_dot_product_attention(q[:, :, p:], k, v, attn_mask=seen, **common)]
        if p:
            prompt = (t[:, :, :p] for t in (q, k, v))
            parts.insert(0, scaled_dot_product_attention(*prompt, is_causal=True, **common))
        rows.append(pad(torch.cat(parts, dim=2), (0, 0, 0, query.shape[2] - length)))
    return torch.cat(rows).transpose(1, 2).contiguous(), None


AttentionInterface.register("sdpa", packed_sdpa)
