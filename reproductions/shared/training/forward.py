"""Per-token log-probabilities of a batch of groups, with every video encoded once.

Two ways to the same numbers:

- `score_rows`: one row an answer, prompt repeated; the plain path.
- `score_packed`: one row a prompt, `[prompt, answer 1, ..., answer G]`; each answer sees the prompt
  and itself, and its M-RoPE positions start where the prompt ends. The prompt, thousands of video
  tokens, is computed once a group instead of G times. Each answer starts with a copy of the last
  prompt token, because its first token is predicted from there.

Both call the (wrapped) model with TRL's fused head, so DDP, FSDP, PEFT and gradient checkpointing
see an ordinary forward.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reproductions.shared.models.encode import (
    Prompt,
    base_of,
    shared_vision,
    view_tensors,
    views_of,
)

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Part:
    """The rows of a batch that answer the same prompt: rows `start` to `stop - 1`."""

    prompt: Prompt
    start: int
    stop: int


def score_rows(
    model: Any,
    parts: Sequence[Part],
    ids: torch.Tensor,
    mask: torch.Tensor,
    states: list[torch.Tensor] | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Log-probabilities and entropies, one row an answer.

    Args:
        model: A model with TRL's fused head, wrapped or not.
        parts: What each row answers; covers all rows in order.
        ids: Answer tokens, int64 [N, T], right-padded.
        mask: 1 for answer tokens, int64 [N, T].
        states: Takes the hidden states from which the tokens were predicted, float [N, T, D].

    Returns:
        (log-probabilities [N, T] in nats, 0 where masked; entropies [N, T] or None).
    """
    import torch

    device = ids.device
    length = ids.shape[1]
    longest = max(len(p.prompt.ids) for p in parts)
    prompt_ids = ids.new_zeros(len(ids), longest)
    prompt_mask = ids.new_zeros(len(ids), longest)
    positions = ids.new_zeros(3, len(ids), longest + length)
    for part in parts:
        where, prompt = slice(part.start, part.stop), part.prompt
        first = longest - len(prompt.ids)
        prompt_ids[where, first:] = prompt.ids.to(device)
        prompt_mask[where, first:] = 1
        positions[:, where, first:longest] = prompt.positions.to(device).unsqueeze(1)
        positions[:, where, longest:] = torch.arange(length, device=device) + prompt.next_position
    attention = torch.cat([prompt_mask, mask], dim=1)
    labels = torch.cat([torch.full_like(prompt_ids, -100), ids.masked_fill(mask == 0, -100)], dim=1)
    each = [p.prompt for p in parts for _ in range(p.start, p.stop)]
    with _vision(model, each, device) as visual, _hidden(model) as hidden:
        out = model(
            input_ids=torch.cat([prompt_ids, ids], dim=1),
            attention_mask=attention,
            position_ids=positions,
            labels=labels,
            fused_lm_head=True,
            **visual,
        )
    if states is not None:
        states.append(hidden[0][:, -length - 1 : -1])
    entropy = None if out.entropy is None else out.entropy[:, -length:]
    return out.log_probs[:, -length:], entropy


def score_packed(
    model: Any,
    parts: Sequence[Part],
    ids: torch.Tensor,
    mask: torch.Tensor,
    states: list[torch.Tensor] | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The same as `score_rows`, each prompt computed once; see the module's docstring."""
    import torch

    device = ids.device
    lengths = mask.sum(1).tolist()
    sizes = [
        len(p.prompt.ids) - 1 + sum(lengths[p.start : p.stop]) + p.stop - p.start for p in parts
    ]
    total = max(sizes)
    packed = ids.new_zeros(len(parts), total)
    labels = ids.new_full((len(parts), total), -100)
    positions = ids.new_zeros(3, len(parts), total)
    segment = ids.new_full((len(parts), total), -1)  # -1 padding, 0 prompt, g > 0 answer g
    gather_row = torch.zeros_like(ids)
    gather_column = torch.zeros_like(ids)
    for b, part in enumerate(parts):
        prompt = part.prompt
        prompt_ids = prompt.ids.to(device)
        at = len(prompt.ids) - 1
        packed[b, :at] = prompt_ids[:-1]
        positions[:, b, :at] = prompt.positions[:, :-1].to(device)
        segment[b, :at] = 0
        for g, row in enumerate(range(part.start, part.stop), start=1):
            n = int(lengths[row])
            packed[b, at] = prompt_ids[-1]
            packed[b, at + 1 : at + 1 + n] = ids[row, :n]
            labels[b, at : at + n] = ids[row, :n]
            positions[:, b, at] = prompt.positions[:, -1].to(device)
            positions[:, b, at + 1 : at + 1 + n] = (
                torch.arange(n, device=device) + prompt.next_position
            )
            segment[b, at : at + 1 + n] = g
            gather_row[row, :n] = b
            gather_column[row, :n] = torch.arange(at, at + n, device=device)
            at += 1 + n
    with _vision(model, [p.prompt for p in parts], device) as visual, _hidden(model) as hidden:
        out = model(
            input_ids=packed,
            attention_mask=_attention(model, segment),
            position_ids=positions,
            shift_labels=labels,
            fused_lm_head=True,
            **visual,
        )
    if states is not None:
        states.append(hidden[0][gather_row, gather_column])
    keep = mask.bool()
    logps = out.log_probs[gather_row, gather_column].masked_fill(~keep, 0)
    if out.entropy is None:
        return logps, None
    return logps, out.entropy[gather_row, gather_column].masked_fill(~keep, 0)


@contextmanager
def _hidden(model: Any) -> Iterator[list[torch.Tensor]]:
    """Collects the last hidden states of the forwards inside; the fused head keeps them to itself.

    They are in the graph anyway, so holding on to them costs nothing.
    """
    found: list[torch.Tensor] = []
    hook = base_of(model).register_forward_hook(
        lambda module, args, out: found.append(out.last_hidden_state)
    )
    try:
        yield found
    finally:
        hook.remove()


@contextmanager
def _vision(
    model: Any, prompts: Sequence[Prompt], device: torch.device
) -> Iterator[dict[str, torch.Tensor]]:
    """The visual tensors for rows that answer `prompts`, each distinct view encoded once."""
    views, rows = views_of(prompts)
    images = ["pixel_values" in view for view in views]
    with shared_vision(model, rows, images):
        yield view_tensors(views, device)


def _attention(model: Any, segment: torch.Tensor) -> torch.Tensor:
    """What each token sees, in the form that the model's attention takes."""
    import torch

    from reproductions.shared.models.attention import dense_mask, layout_of

    layout = layout_of(segment)
    if base_of(model).config.get_text_config()._attn_implementation == "sdpa":
        return layout
    allowed = dense_mask(layout, segment.shape[1])
    dtype = next(p.dtype for p in model.parameters() if p.is_floating_point())
    return torch.zeros_like(allowed, dtype=dtype).masked_fill(~allowed, torch.finfo(dtype).min)
