"""From a sample to tensors, once for training, rollout and evaluation.

An `Encoder` turns (sample, view) into a `Prompt`: token ids, M-RoPE positions and video patches.
Everything that later needs them (the GRPO forward, the sampler, the SFT collator, the evaluator)
takes them from here, so the three can only disagree if this module is wrong; `vidpost doctor
--parity` checks that they do not.

The group is the unit: a prompt with its video is encoded once, however many answers it gets, and
`shared_vision` lets one vision-tower pass serve all rows that look at the same video.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from reproductions.shared import processes
from reproductions.shared.inference.engine import Message, Shown
from reproductions.shared.method import Sample
from reproductions.shared.models.memory import Memory
from reproductions.shared.video.decode import video_metadata

if TYPE_CHECKING:
    import torch

    from reproductions.shared.models.frozen import Tower

VISION_TOKENS = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>")
"""Never sampled: a video token in an answer would ask the next forward for pixels."""


@dataclass(frozen=True)
class Prompt:
    """An encoded prompt.

    Attributes:
        text: The prompt as text, chat template applied, video tokens still single.
        ids: Token ids, int64 [P], video tokens expanded.
        positions: M-RoPE positions (time, height, width), int64 [3, P].
        next_position: Position of the first answer token, in all three axes.
        views: What the model sees, in the order of the text, one part of a video each:
            `pixel_values_videos` float [patches, patch size] and `video_grid_thw` int64 [1, 3];
            for an image `pixel_values` and `image_grid_thw`. Prompts that show the same part of
            the same video hold the very same dictionary, as long as it is remembered.
        times: Times of all frames in seconds from the start of the file.
    """

    text: str
    ids: torch.Tensor
    positions: torch.Tensor
    next_position: int
    views: tuple[dict[str, torch.Tensor], ...] = ()
    times: tuple[float, ...] = ()

    @cached_property
    def video(self) -> dict[str, torch.Tensor]:
        """The tensors of all views, one after the other; {} for a text-only prompt."""
        return self.views[0] if len(self.views) == 1 else _joined(self.views)


def _joined(views: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    import torch

    parts: dict[str, list[torch.Tensor]] = {}
    for view in views:
        for name, tensor in view.items():
            parts.setdefault(name, []).append(tensor)
    return {name: torch.cat(tensors) for name, tensors in parts.items()}


def base_of(model: Any) -> Any:
    """The module that has `get_rope_index`, below the wrappers of PEFT and DDP."""
    while not hasattr(model, "get_rope_index"):
        if hasattr(model, "get_base_model"):
            model = model.get_base_model()
        model = getattr(model, "module", None) or model.model
    return model


class PromptTooLong(ValueError):
    """A prompt has more tokens than the stage allows; the message says what to do."""


class Encoder:
    """Encodes prompts, with a bounded memory of what was read and encoded before.

    Args:
        processor: The model's processor.
        model: The model; only its position rule (`get_rope_index`) is used.
        read: (path) -> Clip: reads the frames of a video by the run's one FrameSpec. For messages
            that show parts, (path, Shown) -> Clip as well; see `models.show.reader`. Encoders
            whose `read` has a `memory` share it.
        prompt: (sample) -> user text after the video.
        keep_bytes: How much to keep in memory of what was encoded, in bytes of tensors and frames;
            None: as `Memory` says.
        choose: (sample) -> seconds of the frames to show with the run's prompt, None for those of
            the spec (the hook `frames`).
        tower: The model's vision tower. While it is frozen, prompts hold its features in place of
            pixels.
        max_tokens: Longest prompt that is let through.
        prefetch: Whether `ahead` does anything.
    """

    def __init__(
        self,
        processor: Any,
        model: Any,
        read: Callable[..., Any],
        prompt: Callable[[Sample], str],
        keep_bytes: int | None = None,
        choose: Callable[[Sample], Sequence[float] | None] | None = None,
        tower: Tower | None = None,
        max_tokens: int | None = None,
        prefetch: bool = False,
    ) -> None:
        self.processor = processor
        self.tokenizer = processor.tokenizer
        self.read = read
        self.prompt = prompt
        self.choose = choose
        self.tower = tower
        self.max_tokens = max_tokens
        self.prefetch = prefetch
        self.memory: Memory = getattr(read, "memory", None) or Memory(keep_bytes)
        self._rope = base_of(model).get_rope_index
        self._pending: dict[tuple[Any, ...], Future[Any]] = {}
        self._thread: ThreadPoolExecutor | None = None

    def conversation(self, sample: Sample) -> tuple[Message, ...]:
        """The run's prompt for a sample as a conversation of one message.

        Training samples may bring a conversation of their own, in `meta["messages"]`.
        """
        if "messages" in sample.meta:
            return tuple(sample.meta["messages"])
        seen = sample.video or sample.meta.get("image")
        shown = None if seen is None else Shown()
        if sample.video is not None and self.choose is not None:
            times = self.choose(sample)
            shown = shown if times is None else Shown(times=tuple(times))
        return (Message("user", self.prompt(sample), shown),)

    def text(self, sample: Sample, messages: Sequence[Message] = (), prefix: str = "") -> str:
        """The prompt with the chat template applied, and the beginning of the answer."""
        turns = []
        for message in messages or self.conversation(sample):
            content: list[dict[str, str]] = [{"type": "text", "text": message.text}]
            if message.shows is not None:
                is_video = sample.video is not None or message.shows.video is not None
                content.insert(0, {"type": "video" if is_video else "image"})
            turns.append({"role": message.role, "content": content})
        text = self.processor.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return str(text) + prefix

    def __call__(
        self,
        sample: Sample,
        order: Sequence[int] | None = None,
        messages: Sequence[Message] = (),
        prefix: str = "",
    ) -> Prompt:
        """Encode a sample, its frames in another order if `order` is given.

        Args:
            sample: The question.
            order: Indices into the sampled frames. Time positions stay those of the slots; a
                subset takes the slots of its frames.
            messages: The conversation, in place of the run's prompt.
            prefix: The beginning of the answer.

        Raises:
            ValueError: The model would not see the video (no video token, or no pixels), a message
                shows something of a sample that has nothing to see, a moment lies outside the
                video, or the prompt is longer than `max_tokens`.
        """
        messages = tuple(messages) or self.conversation(sample)
        seen = sample.video or sample.meta.get("image")
        shows = [m.shows for m in messages if m.shows is not None]
        if seen is None and any(shown.video is None for shown in shows):
            raise ValueError(f"{sample.id}: a message shows a video, but the sample has none.")
        look = (seen, tuple(order or ()))
        weights = self.tower.frozen() if self.tower is not None and shows else None
        key = ("prompt", weights, messages, prefix, *look)
        with_pixels = ("prompt", None, *key[2:])
        self._await(with_pixels)
        prompt: Prompt | None = self.memory.get(key)
        if prompt is None:
            prompt = self.memory.get(with_pixels)
            if prompt is None:
                import torch

                # A prompt first met in a rollout is trained on as well.
                with torch.inference_mode(False):
                    prompt = self._encode(sample, order, messages, prefix, shows)
            if weights is not None or with_pixels not in self.memory:
                names = [(weights, s, *look) for s, _ in zip(shows, prompt.views, strict=False)]
                prompt = self._remember(key, prompt, names)
            if weights is not None:
                self.memory.forget(with_pixels)
        if self.max_tokens is not None and len(prompt.ids) > self.max_tokens:
            raise PromptTooLong(
                f"{sample.id}: its prompt has {len(prompt.ids):,} tokens, and max_prompt_length "
                f"allows {self.max_tokens:,}. Show fewer or smaller frames (frames.max_frames, "
                "frames.max_pixels, frames.total_pixels), leave the sample out, or raise the limit."
            )
        return prompt

    def _remember(self, key: Any, prompt: Prompt, names: Sequence[Any]) -> Prompt:
        """Keep a prompt and its views, of a frozen tower the features."""
        views = list(prompt.views)
        if key[1] is not None:
            import torch

            assert self.tower is not None
            with torch.inference_mode(False):
                for i, name in enumerate(names):
                    views[i] = self.memory.view(name) or self.tower.features(views[i])
        prompt = replace(prompt, views=self.memory.hold(names, views))
        self.memory.keep(key, prompt, prompt.ids.nbytes + prompt.positions.nbytes, names)
        return prompt

    def ahead(self, samples: Sequence[Sample]) -> None:
        """Start to encode prompts that will soon be asked for, in a thread beside the model.

        Pays where a core is free for it and the model does not need Python's lock all the time, as
        on a GPU. Views on other frames (`order`) are left to be encoded when they are asked for.
        """
        if not self.prefetch or self.choose is not None or processes.free_cores() < 1:
            return
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "encoder")
            self._helper = copy.copy(self)
            self._helper.processor = copy.deepcopy(self.processor)  # tokenizers take one caller
            self._helper.tokenizer = self._helper.processor.tokenizer
            self._helper.tower = None  # features are the model's own work
            self._helper._pending = {}
        weights = self.tower.frozen() if self.tower is not None else None
        for sample in samples:
            look = (sample.video or sample.meta.get("image"), ())
            rest = (self.conversation(sample), "", *look)
            keys = [("prompt", w, *rest) for w in (weights, None)]
            if keys[1] not in self._pending and not any(k in self.memory for k in keys):
                self._pending[keys[1]] = self._thread.submit(self._helper, sample)

    def _await(self, key: tuple[Any, ...]) -> None:
        """Wait for a prompt that the thread has begun; what it has not is done here at once."""
        future = self._pending.pop(key, None)
        if future is not None and not future.cancel():
            wait([future])  # an error in it comes again when the prompt is encoded here

    def _clip(self, path: str, shown: Shown) -> Any:
        """The frames of a part of a video, from memory if they are there."""
        key = ("clip", path, shown)
        clip = self.memory.get(key)
        if clip is None:
            clip = self.read(path) if shown == Shown() else self.read(path, shown)
            self.memory.keep(key, clip, clip.frames.nbytes)
        return clip

    def _encode(
        self,
        sample: Sample,
        order: Sequence[int] | None,
        messages: Sequence[Message],
        prefix: str,
        shows: Sequence[Shown],
    ) -> Prompt:
        import torch

        text = self.text(sample, messages, prefix)
        if not shows:
            ids = self.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
            length = ids.shape[1]
            return Prompt(text, ids[0], torch.arange(length).expand(3, -1), length)
        if sample.video is None and "image" in sample.meta:
            image = self.read(str(sample.meta["image"])).frames[0]
            inputs = self.processor(
                text=[text], images=[image] * len(shows), do_resize=False, return_tensors="pt"
            )
            return self._prompt(sample, text, inputs, "image", ())
        from transformers.video_utils import VideoMetadata

        clips = []
        for shown in shows:
            clip = self._clip(str(shown.video or sample.video), replace(shown, video=None))
            if order is not None:
                slots = tuple(clip.times[i] for i in sorted(order))
                clip = replace(clip, frames=clip.frames[list(order)], times=slots)
            clips.append(clip)
        # The processor repeats the last frame of an odd clip; the spec gives even counts.
        inputs = self.processor(
            text=[text],
            videos=[clip.frames for clip in clips],
            video_metadata=[VideoMetadata(**video_metadata(clip)) for clip in clips],
            do_sample_frames=False,
            do_resize=False,  # the decoder has resized; a second budget would change the pixels
            return_tensors="pt",
        )
        times = tuple(float(t) for clip in clips for t in clip.times)
        return self._prompt(sample, text, inputs, "video", times)

    def _prompt(
        self, sample: Sample, text: str, inputs: Any, kind: str, times: tuple[float, ...]
    ) -> Prompt:
        """Positions of a processor's output, after a check that the model will see it."""
        pixels = {"image": "pixel_values", "video": "pixel_values_videos"}[kind]
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
        patches = inputs[grid].prod(-1).tolist()
        if len(patches) == 1:
            views = [{pixels: inputs[pixels], grid: inputs[grid]}]
        else:
            parts = zip(inputs[pixels].split(patches), inputs[grid].split(1), strict=True)
            views = [{pixels: p.clone(), grid: g.clone()} for p, g in parts]
        return Prompt(
            text, ids, positions[:, 0], ids.shape[0] + int(delta.item()), tuple(views), times
        )

    def forbidden_ids(self) -> list[int]:
        """Ids of the vision tokens, which no answer may contain."""
        vocabulary = self.tokenizer.get_vocab()
        return [vocabulary[t] for t in VISION_TOKENS if t in vocabulary]


def views_of(prompts: Sequence[Prompt]) -> tuple[list[dict[str, torch.Tensor]], list[int]]:
    """The distinct views of prompts, and for each view of each prompt, in order, its number.

    Together with `shared_vision` and `view_tensors`: one vision pass a distinct view.
    """
    unique = {id(v): v for p in prompts for v in p.views}
    number = {key: i for i, key in enumerate(unique)}
    return list(unique.values()), [number[id(v)] for p in prompts for v in p.views]


def view_tensors(views: Sequence[dict[str, torch.Tensor]], device: Any) -> dict[str, torch.Tensor]:
    """The tensors of views, one after the other."""
    return {name: tensor.to(device) for name, tensor in _joined(views).items()}


def videos_of(prompts: Sequence[Prompt], device: Any) -> dict[str, torch.Tensor]:
    """The visual tensors of prompts, one after the other; {} if none has a video or an image."""
    return view_tensors([v for p in prompts for v in p.views], device)


def images_of(prompts: Sequence[Prompt]) -> list[bool]:
    """For each view of the prompts, whether it is an image."""
    return ["pixel_values" in v for p in prompts for v in p.views]


@contextmanager
def shared_vision(model: Any, rows: Sequence[int], images: Sequence[bool] = ()) -> Iterator[None]:
    """Let one vision-tower pass serve several rows.

    Inside the block the model is called with the tensors of the distinct videos only; row r of the
    batch gets the features of video `rows[r]` (rows without a video are left out of `rows`).
    Features are repeated after the tower, so their gradient is summed over rows by autograd.

    Args:
        model: The model, wrapped or not.
        rows: For each view of each row, in order, its number among the distinct ones.
        images: For each distinct view whether it is an image (`images_of`); (): all are videos.
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
