"""Load a model and its processor, from the hub or from a folder, as a preset asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vidpost.catalog.preset import ModelSettings


def load_processor(source: str | Path, revision: str | None = None) -> Any:
    """The processor of a checkpoint; also makes torchvision importable on a CPU build of torch."""
    from transformers import AutoProcessor

    from reproductions.shared.models import torchvision_cure

    torchvision_cure.apply()
    processor = AutoProcessor.from_pretrained(source, revision=revision)
    processor.tokenizer.padding_side = "left"
    return processor


def load_model(
    source: str | Path,
    settings: ModelSettings,
    *,
    device: str = "cpu",
    train: bool = False,
    float32: bool = False,
) -> Any:
    """The model of a checkpoint.

    Args:
        source: Folder or hub id.
        settings: Precision, attention, adapters, what is frozen.
        device: "cpu" or "cuda"; trainers place the model themselves, then leave "cpu".
        train: Add adapters and freeze what the preset freezes.
        float32: Keep weights in float32; `settings.dtype` then only rules autocast.
    """
    import torch
    from transformers import AutoModelForImageTextToText

    from reproductions.shared import processes
    from reproductions.shared.models import rope_cure, torchvision_cure

    torchvision_cure.apply()
    local = Path(source).is_dir()
    with processes.whole_weights():
        model = AutoModelForImageTextToText.from_pretrained(
            source,
            revision=None if local else settings.revision,
            dtype=torch.float32 if float32 else getattr(torch, settings.dtype),
            attn_implementation=settings.attention,
        ).to(device)
    rope_cure.apply(model)  # transformers 5.3 and later place the question inside the video
    if not train:
        return model.eval()
    if settings.freeze_vision:
        model.model.visual.requires_grad_(False)
    if settings.lora is not None:
        from peft import LoraConfig, get_peft_model

        targets = settings.lora.target_modules
        model = get_peft_model(
            model,
            LoraConfig(
                r=settings.lora.rank,
                lora_alpha=settings.lora.alpha,
                lora_dropout=settings.lora.dropout,
                target_modules=targets if isinstance(targets, str) else list(targets),
                exclude_modules=r".*\.visual\..*" if settings.freeze_vision else None,
                task_type="CAUSAL_LM",
            ),
        )
    return model.train()
