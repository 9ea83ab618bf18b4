"""From a sample to tensors, once for training, rollout and evaluation.

An `Encoder` turns (sample, view) into a `Prompt`: token ids, M-RoPE positions and video patches.
Everything that later needs them (the GRPO forward, the sampler, the SFT collator, the evaluator)
takes them from here, so the three can only disagree if this module is wrong; `vidpost doctor
--parity` checks that they do not.

The group is the unit: a prompt with its video is encoded once, however many answers it gets, and
`shared_vision` lets one vision-tower pass serve all rows that look at the same video.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from reproductions.shared.method import Sample
from reproductions.shared.video.decode import video_metadata

if TYPE_CHECKING:
    import torch

VISION_TOKENS = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>")
"""Never sampled: a video token in an answer would ask the next forward for pixels."""


@dataclass(frozen=True)
class Prompt:
    """An encoded prompt.

    Attributes:
        text: The prompt as text, chat template applied, the video token still single.
        ids: Token ids, int64 [P], the video token expanded.
        positions: M-RoPE positions (time, height, width), int64 [3, P].
        next_position: Position of the first answer token, in all three axes.
        video: `pixel_values_videos` float [patches, patch size] and `video_grid_thw` int64 [1, 3];
            for an image `pixel_values` and `image_grid_thw`; empty for a text-only prompt.
        times: Times of the frames in seconds from the start of the file.
    """

    text: str
    ids: torch.Tensor
    positions: torch.Tensor
    next_position: int
    video: dict[str, torch.Tensor] = field(default_factory=dict)
    times: tuple[float, ...] = ()


def base_of(model: Any) -> Any:
    """The module that has `get_rope_index`, below the wrappers of PEFT and DDP."""
    while not hasattr(model, "get_rope_index"):
        if hasattr(model, "get_base_model"):
            model = model.get_base_model()
        model = getattr(model, "module", None) or model.model
    return model


class Encoder:
    """Encodes prompts, with a bounded memory of what was encoded before.

    Args:
        processor: The model's processor.
        model: The model; only its position rule (`get_rope_index`) is used.
        read: (path) -> Clip: reads the frames of a video by the run's one FrameSpec.
        prompt: (sample) -> user text after the video.
        keep_bytes: How much to keep in memory of what was encoded, in bytes of tensors.
    """

    def __init__(
        self,
        processor: Any,
        model: Any,
        read: Callable[[str], Any],
        prompt: Callable[[Sample], str],
        keep_bytes: int = 2**30,
    ) -> None:
        self.processor = processor
        self.tokenizer = processor.tokenizer
        self.read = read
        self.prompt = prompt
        self._rope = base_of(model).get_rope_index
        self._kept: OrderedDict[tuple[str, str | None, tuple[int, ...]], Prompt] = OrderedDict()
        self._left = keep_bytes

    def text(self, sample: Sample) -> str:
        """The prompt with the chat template applied."""
        content: list[dict[str, str]] = [{"type": "text", "text": self.prompt(sample)}]
        if sample.video is not None:
            content.insert(0, {"type": "video"})
        elif "image" in sample.meta:
            content.insert(0, {"type": "image"})
        message = [{"role": "user", "content": content}]
        return str(
            self.processor.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
        )

    def __call__(self, sample: Sample, order: Sequence[int] | None = None) -> Prompt:
        """Encode a sample, its frames in another order if `order` is given.

        Args:
            sample: The question.
            order: Indices into the sampled frames. Time positions stay those of the slots; a
                subset takes the slots of its frames.

        Raises:
            ValueError: The model would not see the video (no video token, or no pixels).
        """
        seen = sample.video or sample.meta.get("image")
        key = (self.prompt(sample), seen, tuple(order or ()))
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        import torch

        with torch.inference_mode(False):  # a prompt first met in a rollout is trained on as well
            prompt = self._encode(sample, order)
        self._kept[key] = prompt
        self._left -= _bytes(prompt)
        while self._left < 0:
            self._left += _bytes(self._kept.popitem(last=False)[1])
        return prompt

    def _encode(self, sample: Sample, order: Sequence[int] | None) -> Prompt:
        import torch

        text = self.text(sample)
        if "image" in sample.meta and sample.video is None:
            return self._encode_image(sample, text)
        if sample.video is None:
            ids = self.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
            length = ids.shape[1]
            return Prompt(text, ids[0], torch.arange(length).expand(3, -1), length)
        from transformers.video_utils import VideoMetadata

        clip = self.read(sample.video)
        if order is not None:
            slots = tuple(clip.times[i] for i in sorted(order))
            clip = replace(clip, frames=clip.frames[list(order)], times=slots)
        # The processor repeats the last frame of an odd clip; the spec gives even counts.
        inputs = self.processor(
            text=[text],
            videos=[clip.frames],
            video_metadata=[VideoMetadata(**video_metadata(clip))],
            do_sample_frames=False,
            do_resize=False,  # the decoder has resized; a second budget would change the pixels
            return_tensors="pt",
        )
        times = tuple(float(t) for t in clip.times)
        return self._prompt(sample, text, inputs, "pixel_values_videos", "video", times)

    def _encode_image(self, sample: Sample, text: str) -> Prompt:
        image = self.read(str(sample.meta["image"])).frames[0]
        inputs = self.processor(text=[text], images=[image], do_resize=False, return_tensors="pt")
        return self._prompt(sample, text, inputs, "pixel_values", "image", ())

    def _prompt(
        self,
        sample: Sample,
        text: str,
        inputs: Any,
        pixels: str,
        kind: Literal["image", "video"],
        times: tuple[float, ...],
    ) -> Prompt:
        """Positions of a processor's output, after a check that the model will see it."""
        tokens = inputs["input_ids"] == getattr(self.processor, f"{kind}_token_id")
        if pixels not in inputs or not tokens.any():
            raise ValueError(
                f"{sample.id}: the processor made no {kind} tensors or no {kind} tokens, and the "
                f"model would answer from the text alone. Check the chat template's {kind} token."
            )
        grid = f"{kind}_grid_thw"
        extra = {k: inputs[k] for k in (grid, "second_per_grid_ts") if k in inputs}
        positions, delta = self._rope(
            inputs["input_ids"], mm_token_type_ids=inputs["mm_token_type_ids"], **extra
        )
        ids = inputs["input_ids"][0]
        visual = {k: inputs[k] for k in (pixels, grid)}
        return Prompt(text, ids, positions[:, 0], ids.shape[0] + int(delta.item()), visual, times)

    def forbidden_ids(self) -> list[int]:
        """Ids of the vision tokens, which no answer may contain."""
        vocabulary = self.tokenizer.get_vocab()
        return [vocabulary[t] for t in VISION_TOKENS if t in vocabulary]


def _bytes(prompt: Prompt) -> int:
    return sum(t.nbytes for t in (prompt.ids, prompt.positions, *prompt.video.values()))


def videos_of(prompts: Sequence[Prompt], device: Any) -> dict[str, torch.Tensor]:
    """The visual tensors of prompts, one after the other; {} if none has a video or an image."""
    import torch

    parts: dict[str, list[torch.Tensor]] = {}
    for prompt in prompts:
        for name, tensor in prompt.video.items():
            parts.setdefault(name, []).append(tensor)
    return {name: torch.cat(tensors).to(device) for name, tensors in parts.items()}


def images_of(prompts: Sequence[Prompt]) -> list[bool]:
    """For each prompt that has something to see, whether it is an image."""
    return ["pixel_values" in p.video for p in prompts if p.video]


@contextmanager
def shared_vision(model: Any, rows: Sequence[int], images: Sequence[bool] = ()) -> Iterator[None]:
    """Let one vision-tower pass serve several rows.

    Inside the block the model is called with the tensors of the distinct videos only; row r of the
    batch gets the features of video `rows[r]` (rows without a video are left out of `rows`).
    Features are repeated after the tower, so their gradient is summed over rows by autograd.

    Args:
        model: The model, wrapped or not.
        rows: For each row with something to see, the number of what it sees.
        images: For each distinct thing whether it is an image (`images_of`); (): all are videos.
    """
    base = base_of(model)
    kinds = list(images) or [False] * (max(rows, default=-1) + 1)
    rank = [sum(k == kind for k in kinds[:i]) for i, kind in enumerate(kinds)]
    busy = False  # Qwen3-VL encodes videos with the image method

    def repeating(original: Callable[..., Any], wanted: list[int]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal busy
            if busy:
                return original(*args, **kwargs)
            busy = True
            try:
                return _repeated(original(*args, **kwargs), wanted)
            finally:
                busy = False

        return call

    originals = {False: base.get_video_features, True: base.get_image_features}
    for kind, name in ((False, "get_video_features"), (True, "get_image_features")):
        wanted = [rank[r] for r in rows if kinds[r] == kind]
        setattr(base, name, repeating(originals[kind], wanted))
    try:
        yield
    finally:
        del base.get_video_features, base.get_image_features


def _repeated(out: Any, wanted: Sequence[int]) -> Any:
    """A vision tower's output with the features of each wanted video, in that order."""
    import torch

    sizes = [len(e) for e in out.pooler_output]
    out.pooler_output = tuple(out.pooler_output[i] for i in wanted)
    deep = getattr(out, "deepstack_features", None)
    if deep is not None:  # Qwen3-VL adds features of inner layers to the first text layers
        parts = [torch.split(layer, sizes) for layer in deep]
        out.deepstack_features = [torch.cat([p[i] for i in wanted]) for p in parts]
    return out
