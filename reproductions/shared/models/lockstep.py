"""Let processes that train a model together use all of its weights together.

**The vision tower** runs equally often on all of them, whatever their samples show. Where weights
are split (ZeRO-3, FSDP2) each layer of the tower waits for its pieces from the other processes, and
in the backward pass for their gradients; DDP waits for the gradients alone. A process whose batch
shows nothing skips the tower, one with pictures and videos runs it twice, and then they wait for
different things, for ever. So at the start of a forward the processes agree on the largest number
of passes; those that are short of it run the tower on one black token and add its features times
zero. Where no process sees anything the tower is left out, so that losses, gradients, and what an
optimiser makes of a missing gradient are those of one process.

Generation is left alone: there each process runs as often as it likes, on gathered weights.

**The output layer** is used without a call of it: TRL's fused head reads its weight. accelerate
makes it a unit of its own for FSDP2, which gathers it when it is called. The fused head then finds
a piece, and gathers it so that each piece gets the gradient of one process in place of the mean of
all. Here it is gathered for a whole forward and backward pass, and gets the mean. Its own hooks go:
they would split it after the backward pass of a call (a loss over the vocabulary makes one), before
that of the fused head.
"""

from __future__ import annotations

from typing import Any

from reproductions.shared import processes
from reproductions.shared.models.frozen import PIXELS


class Lockstep:
    """Fills a model's passes through its vision tower up to the other processes' number.

    Args:
        model: The model, wrapped or not; hooks are put on it. A copy of it has hooks of its own.
        least: Passes a forward, at least.
    """

    def __init__(self, model: Any, least: int = 0) -> None:
        from reproductions.shared.models.encode import base_of

        self.least = least
        self.base = base_of(model)
        self.zero: Any = None
        self.base.register_forward_pre_hook(self._fill, with_kwargs=True)
        self.base.language_model.register_forward_pre_hook(self._add, with_kwargs=True)

    def _fill(self, base: Any, args: Any, kwargs: dict[str, Any]) -> None:
        """Agree on the number of passes, and run those that this batch has no use for."""
        import torch

        self.zero = None
        if torch.is_inference_mode_enabled():  # generation
            return
        own = sum(kwargs.get(name) is not None for name in PIXELS)
        most = torch.tensor(max(own, self.least), device=kwargs["input_ids"].device)
        torch.distributed.all_reduce(most, torch.distributed.ReduceOp.MAX)
        if missing := int(most) - own:
            self.zero = sum(self._nothing() for _ in range(missing))

    def _add(self, language_model: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Hang the zero onto the embeddings, so that the tower's weights get their gradient."""
        zero, self.zero = self.zero, None
        if zero is None:
            return None
        embeddings = kwargs["inputs_embeds"]
        return args, kwargs | {"inputs_embeds": embeddings + zero.to(embeddings.dtype)}

    def _nothing(self) -> Any:
        """Zero, computed from every weight of the tower."""
        import torch

        tower = self.base.visual
        side, config = tower.spatial_merge_size, tower.config
        values = config.in_channels * config.temporal_patch_size * config.patch_size**2
        device = next(tower.parameters()).device
        pixels = torch.zeros(side * side, values, dtype=tower.dtype, device=device)
        grid = torch.tensor([[1, side, side]], device=device)
        out = tower(pixels, grid_thw=grid, return_dict=True)
        layers = [out.pooler_output, *(getattr(out, "deepstack_features", None) or ())]
        return 0 * sum(layer.sum() for layer in layers)


def _gather_head(model: Any, args: Any) -> None:
    """Have the output layer in one piece, until the backward pass has ended."""
    head = model.get_output_embeddings()
    if hasattr(head, "unshard"):  # FSDP2
        head._forward_pre_hooks.clear()
        head._forward_hooks.clear()
        head.set_reshard_after_forward(False)
        head.unshard()


def keep_in_step(model: Any, *, every_gradient: bool = False) -> None:
    """Let a model's forwards match those of the other processes; nothing with one process.

    Args:
        model: A vision-language model that all processes train, or ask together.
        every_gradient: DDP was told that each weight gets a gradient each time (transformers does
            with gradient checkpointing), so the tower runs where nobody sees anything as well.
    """
    if processes.count() > 1:
        Lockstep(model, int(every_gradient))
        model.register_forward_pre_hook(_gather_head)
