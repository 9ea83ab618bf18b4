"""Give Qwen2-VL and Qwen2.5-VL the time positions that they were trained with.

transformers 5.3 and later place the text after a video at the video's start plus its longer side
in tokens. The published rule, which earlier transformers and vLLM follow, is one after the largest
position of the video, and for a video of any length that is its last moment: with 5.3 and later
the question stands in the middle of the video. Up to 5.18 the step between frames is also cut to
whole seconds before it is multiplied (four frames a second: all at the same time).
See docs/upstream/transformers-qwen2-5-vl-text-after-video.md.

Qwen3-VL is not affected: its frames are separate pictures with time stamps between them.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

FAMILIES = ("qwen2_vl", "qwen2_5_vl")


def apply(model: Any) -> bool:
    """Replace the position rule of a model; returns whether it is of an affected family.

    Args:
        model: A `...ForConditionalGeneration` of transformers, wrapped or not.
    """
    from reproductions.shared.models.encode import base_of

    base = base_of(model)
    if base.config.model_type not in FAMILIES:
        return False
    vision = base.config.vision_config
    merge = vision.spatial_merge_size
    rate = getattr(vision, "tokens_per_second", None)

    def get_rope_index(
        input_ids: torch.Tensor,
        mm_token_type_ids: torch.Tensor,
        image_grid_thw: torch.Tensor | None = None,
        video_grid_thw: torch.Tensor | None = None,
        second_per_grid_ts: Any = None,
        attention_mask: torch.Tensor | None = None,
        **_: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        grids = {1: iter(_list(image_grid_thw)), 2: iter(_list(video_grid_thw))}
        seconds = iter(_list(second_per_grid_ts) or itertools.repeat(1.0))
        positions = torch.zeros(3, *input_ids.shape, dtype=torch.long)
        deltas = []
        for row, types in enumerate(mm_token_type_ids.cpu()):
            shown = slice(None) if attention_mask is None else attention_mask[row].bool().cpu()
            parts, start = [], 0
            for kind, run in itertools.groupby(types[shown].tolist()):
                length = sum(1 for _ in run)
                if kind == 0:
                    part = torch.arange(length).expand(3, -1)
                else:
                    time, height, width = next(grids[kind])
                    step = next(seconds) * rate if kind == 2 and rate else 1.0
                    # Rounded down after the product, so that half seconds add up.
                    axes = (
                        (torch.arange(time) * step).long(),
                        torch.arange(height // merge),
                        torch.arange(width // merge),
                    )
                    part = torch.stack(torch.meshgrid(*axes, indexing="ij")).reshape(3, -1)
                parts.append(part + start)
                start = int(parts[-1].max()) + 1
            whole = torch.cat(parts, dim=1)
            positions[:, row, shown] = whole
            deltas.append(start - whole.shape[1])
        device = input_ids.device
        return positions.to(device), torch.tensor(deltas, device=device).unsqueeze(1)

    base.get_rope_index = get_rope_index
    return True


def _list(values: Any) -> list[Any]:
    """A tensor, a list or None as a list."""
    if values is None:
        return []
    return list(values.tolist()) if hasattr(values, "tolist") else list(values)
