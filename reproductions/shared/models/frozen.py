"""What a frozen vision tower makes of a view is computed once and taken from memory afterwards.

While no weight of the tower is trained, its features of a view are always the same. They then
travel in place of the pixels: the tower, given features, hands them on. They are kept under a name
that holds a hash of the weights, so that nothing is found once the weights are others, and a tower
that is trained refuses them.
"""

from __future__ import annotations

import hashlib
from types import MethodType
from typing import TYPE_CHECKING, Any

from reproductions.shared.models.memory import View

if TYPE_CHECKING:
    import torch

PIXELS = ("pixel_values_videos", "pixel_values")


class Tower:
    """The vision tower of a model, asked for features that are kept.

    Args:
        base: The model's module that has the tower, as its attribute `visual`.
        autocast: Lower precision in which the model computes; None: that of its weights.
    """

    def __init__(self, base: Any, autocast: torch.dtype | None = None) -> None:
        self.module = base.visual
        self.autocast = autocast
        self._state: tuple[tuple[int, int], ...] | None = None
        self._hash = ""

    def frozen(self) -> str | None:
        """A hash of the tower's weights if none of them is trained, else None."""
        parameters = list(self.module.parameters())
        if any(p.requires_grad for p in parameters):
            return None
        state = tuple((id(p), p._version) for p in parameters)  # changes with every write
        if state != self._state:
            self._state, self._hash = state, _digest(self.module)
        return self._hash

    def features(self, view: View) -> View:
        """The view with the tower's features, float [tokens, widths of all layers used]."""
        import torch

        accept_features(self.module)
        name = next(p for p in PIXELS if p in view)
        grid = next(k for k in view if k != name)
        weight = next(self.module.parameters())
        with (
            torch.no_grad(),
            torch.autocast(weight.device.type, self.autocast, enabled=self.autocast is not None),
        ):
            pixels = view[name].to(weight.device, self.module.dtype)
            out = self.module(pixels, grid_thw=view[grid].to(weight.device), return_dict=True)
        layers = [out.pooler_output, *(getattr(out, "deepstack_features", None) or ())]
        return {name: torch.cat(layers, dim=-1).cpu(), grid: view[grid]}


def accept_features(tower: Any) -> None:
    """Let a vision tower hand on features that it is given in place of pixels."""
    tower.forward = MethodType(_forward, tower)


def _forward(tower: Any, hidden_states: Any, grid_thw: Any, *args: Any, **kwargs: Any) -> Any:
    """The tower's own forward, or its output made of features."""
    import torch

    tokens = int(grid_thw.prod(-1).sum()) // tower.spatial_merge_size**2
    if len(hidden_states) != tokens:  # a token is several patches
        return type(tower).forward(tower, hidden_states, grid_thw, *args, **kwargs)
    if torch.is_grad_enabled() and any(p.requires_grad for p in tower.parameters()):
        raise RuntimeError(
            "the vision tower is trained, but was given features of its frozen weights, which "
            "would get no gradient. Encode the prompts again."
        )
    layers = 1 + len(getattr(tower.config, "deepstack_visual_indexes", ()))
    first, *deep = hidden_states.chunk(layers, dim=-1)
    return _output(first, deep)


def _output(first: Any, deep: Any) -> Any:
    """What the towers of the families return."""
    from transformers.modeling_outputs import BaseModelOutputWithPooling

    out = BaseModelOutputWithPooling(last_hidden_state=None, pooler_output=first)
    if deep:
        from transformers.models.qwen3_vl import modeling_qwen3_vl

        out = modeling_qwen3_vl.BaseModelOutputWithDeepstackFeatures(
            pooler_output=first, deepstack_features=deep
        )
    return out


def _digest(module: Any) -> str:
    """blake2b of all weights and buffers, names included."""
    import torch

    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in module.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().contiguous().cpu().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
