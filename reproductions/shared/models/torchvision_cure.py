"""Make `torchvision.transforms.v2` importable where torchvision is linked to CUDA and torch is not.

Every Qwen video processor needs `torchvision.transforms.v2`. The registries' torchvision is built
against CUDA; on a CPU build of torch its import fails with "operator torchvision::nms does not
exist", because the compiled library that declares the operators cannot be loaded. Declaring the
missing schemas before the import is enough: transforms do not use them. Where the real operators
exist, nothing is touched.
"""

from __future__ import annotations

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_libraries: list[object] = []  # a torch.library.Library lives as long as a reference to it


def apply() -> list[str]:
    """Declare the operators that are missing; returns their names ([] where all is well)."""
    import torch

    if torch.version.cuda is not None or _libraries:
        return []
    missing = [n for n in _SCHEMAS if not hasattr(torch.ops.torchvision, n)]
    if missing:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in missing:
            library.define(_SCHEMAS[name])
        _libraries.append(library)
    return missing
