"""Small models of the real architectures, built locally: the ones that learn on a laptop.

The classes, the processor and the file formats are those of the published checkpoints
(`Qwen2_5_VLForConditionalGeneration`, `Qwen2_5_VLProcessor`, ...), only the sizes are small and the
tokenizer is trained on the texts at hand. A folder written here is loaded by `AutoProcessor` and
`from_pretrained` like any checkpoint, so nothing downstream knows that the model is small.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

Family = Literal["qwen2_5_vl", "qwen3_vl"]

SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
# Tags of the reasoning format as single tokens: a small model should spend its capacity on what it
# sees, not on spelling "</answer>". Published tokenizers split them; the text is the same.
ADDED_TOKENS = ("<think>", "</think>", "<answer>", "</answer>")
# Normalisation by what the synthetic world looks like: a dark ground is then close to zero. With
# the published (CLIP) mean the ground is a large constant that hides the objects, and a small model
# is still at chance after 600 steps; with this one counting is learnt in 100. The same values for
# images and videos, because vLLM uses the image processor's for both.
PIXEL_MEAN, PIXEL_STD = [0.08] * 3, [0.25] * 3


@dataclass(frozen=True)
class TinyConfig:
    """Sizes of a small model.

    Attributes:
        family: Which architecture.
        hidden_size: Width of the language model; head size is `hidden_size / heads` (vLLM wants at
            least 32).
        layers: Language-model layers.
        heads: Attention heads of the language model, as many key-value heads.
        intermediate_size: Width of the MLP.
        vision_hidden_size: Width of the vision tower.
        vision_layers: Vision blocks, the last one with full attention.
        vision_heads: Attention heads of the vision tower.
        vocab_size: Upper bound of the tokenizer's vocabulary, special tokens included.
        initializer_range: Standard deviation of the initial weights (0.02 learns later, STACK.md).
        max_positions: Longest sequence.
        seed: Seed of the weights.
    """

    family: Family = "qwen2_5_vl"
    hidden_size: int = 64
    layers: int = 3
    heads: int = 2
    intermediate_size: int = 192
    vision_hidden_size: int = 64
    vision_layers: int = 2
    vision_heads: int = 2
    vocab_size: int = 640
    initializer_range: float = 0.08
    max_positions: int = 4096
    seed: int = 0

    def __post_init__(self) -> None:
        if self.family not in get_args(Family):
            raise ValueError(f"no small model of family '{self.family}'. Use {get_args(Family)}.")
        for size, heads in (("hidden_size", "heads"), ("vision_hidden_size", "vision_heads")):
            value, by = getattr(self, size), 4 * getattr(self, heads)
            if value % by:  # rotary positions turn pairs of pairs
                raise ValueError(f"{size}={value} is not a multiple of 4 x {heads} = {by}.")


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> Any:
    """Train a byte-level BPE tokenizer with Qwen's special tokens; digits stay single.

    Returns:
        A `transformers.PreTrainedTokenizerFast`.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r" ?\p{L}+|\d| ?[^\s\p{L}\d]+|\s+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(SPECIAL_TOKENS) - len(ADDED_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(t, special=True) for t in SPECIAL_TOKENS])
    tokenizer.add_tokens([AddedToken(t, normalized=False) for t in ADDED_TOKENS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=list(SPECIAL_TOKENS[1:]),
        padding_side="left",
    )


def _processor(config: TinyConfig, tokenizer: Any) -> Any:
    import transformers as tf

    template = files("trl").joinpath("chat_templates", f"{config.family}.jinja").read_text("utf-8")
    pixels = {"image_mean": PIXEL_MEAN, "image_std": PIXEL_STD}
    if config.family == "qwen2_5_vl":
        image = tf.Qwen2VLImageProcessor(min_pixels=28 * 28, max_pixels=448 * 448, **pixels)
        video = tf.Qwen2VLVideoProcessor(min_pixels=28 * 28, max_pixels=448 * 448, **pixels)
        return tf.Qwen2_5_VLProcessor(
            image_processor=image,
            tokenizer=tokenizer,
            video_processor=video,
            chat_template=template,
        )
    image = tf.Qwen2VLImageProcessor(
        patch_size=16, min_pixels=32 * 32, max_pixels=448 * 448, **pixels
    )
    budget = {"shortest_edge": 32 * 32, "longest_edge": 448 * 448 * 64}
    video = tf.Qwen3VLVideoProcessor(size=budget, **pixels)
    return tf.Qwen3VLProcessor(
        image_processor=image, tokenizer=tokenizer, video_processor=video, chat_template=template
    )


def _model_config(config: TinyConfig, tokenizer: Any) -> Any:
    import transformers as tf

    ids = {t: tokenizer.convert_tokens_to_ids(t) for t in SPECIAL_TOKENS}
    head = config.hidden_size // config.heads
    time_part = head // 2 // 4  # the time, height and width parts of M-RoPE, as 16:24:24 in Qwen
    space_part = (head // 2 - time_part) // 2
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.heads,
        "max_position_embeddings": config.max_positions,
        "initializer_range": config.initializer_range,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10000.0,
            "mrope_section": [head // 2 - 2 * space_part, space_part, space_part],
        },
        "bos_token_id": None,
        "eos_token_id": ids["<|im_end|>"],
        "pad_token_id": ids["<|endoftext|>"],
        "tie_word_embeddings": False,
    }
    vision = {
        "depth": config.vision_layers,
        "hidden_size": config.vision_hidden_size,
        "intermediate_size": 2 * config.vision_hidden_size,
        "num_heads": config.vision_heads,
        "out_hidden_size": config.hidden_size,
        "initializer_range": config.initializer_range,
    }
    common = {
        "text_config": text,
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
        "tie_word_embeddings": False,
    }
    if config.family == "qwen2_5_vl":
        vision |= {"fullatt_block_indexes": [config.vision_layers - 1], "tokens_per_second": 2}
        return tf.Qwen2_5_VLConfig(vision_config=vision, **common)
    text |= {"head_dim": head}
    text["rope_parameters"] |= {"mrope_interleaved": True}
    vision |= {"deepstack_visual_indexes": [0], "num_position_embeddings": 64}
    return tf.Qwen3VLConfig(vision_config=vision, **common)


def build(folder: Path, config: TinyConfig, texts: Iterable[str]) -> Path:
    """Write a small model with its processor into `folder` / <key>, once.

    The key is a hash of the sizes and of the tokenizer's training texts, so equal calls share one
    checkpoint and different ones never collide. The folder appears whole or not at all.

    Args:
        folder: Where small models are kept.
        config: Sizes and seed.
        texts: Texts that the tokenizer is trained on (prompts and reference answers).

    Returns:
        The checkpoint folder.
    """
    import torch
    import transformers as tf

    from reproductions.shared.models import torchvision_cure

    corpus = sorted(set(texts))
    payload = json.dumps({"config": asdict(config), "texts": corpus, "code": 2}, sort_keys=True)
    key = hashlib.sha256(payload.encode()).hexdigest()[:16]
    target = folder / f"{config.family}-{key}"
    if target.exists():
        return target
    torchvision_cure.apply()
    tokenizer = train_tokenizer(corpus, config.vocab_size)
    state = torch.random.get_rng_state()
    torch.manual_seed(config.seed)
    name = {
        "qwen2_5_vl": "Qwen2_5_VLForConditionalGeneration",
        "qwen3_vl": "Qwen3VLForConditionalGeneration",
    }[config.family]
    model = getattr(tf, name)(_model_config(config, tokenizer))
    torch.random.set_rng_state(state)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    part = folder / f".{target.name}.{os.getpid()}"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    model.save_pretrained(part)
    _processor(config, tokenizer).save_pretrained(part)
    try:
        part.rename(target)
    except OSError:  # another process was quicker; its result is the same
        shutil.rmtree(part)
    return target
