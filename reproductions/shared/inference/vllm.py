"""Answers from vLLM in this process: continuous batching, prefix caching, and the same frames.

vLLM has its own processor; it is given the frames that our decoder read, with their times, and is
told not to sample or resize them again. What else is needed so that an answer means the same as
transformers' answer:

- log-probabilities are the model's own, at the sampled temperature, before vision tokens and
  impossible choices are struck out and before top-k and top-p. vLLM gives those of temperature 1;
  a worker extension divides the logits first;
- vision tokens are never sampled;
- each request has a seed of its own, so an answer does not depend on the batch;
- after new weights are loaded (rollouts of a model that is being trained) nothing computed with the
  old ones is used: neither the cached prefixes nor the cached features of videos.

Importing this module does not import vLLM.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from reproductions.shared.inference.engine import Completion, Request, Sampling, Streaming
from reproductions.shared.inference.turns import frames_in, seed_of, turns_of
from reproductions.shared.models.encode import Encoder
from reproductions.shared.video.decode import video_metadata

AHEAD = 2
"""Requests handed to the engine, as a multiple of what it runs at once; more would fill memory with
frames that wait."""

CPU_OPTIONS: dict[str, Any] = {
    "enforce_eager": True,  # compiling takes longer than small models run
    "kv_cache_memory_bytes": 2**29,  # else a large share of the machine's memory is filled
    # A prompt cut in two rewinds the request's random stream, which vLLM cannot do on a CPU.
    "enable_chunked_prefill": False,
}
"""What vLLM is told on a machine without CUDA."""

SLOWER = 1 - 1.5e-7
"""Factor of the rate of a Qwen2.5-VL video. Its time positions are seconds times a rate, rounded
down. The published rule multiplies in 32 bit, so that what is whole stays whole; vLLM multiplies
the 32-bit seconds in 64 bit and falls one short where they were rounded down (1.3 % of common
lengths and numbers of frames; 0.03 % with this factor)."""

CHOICES = "vidpost_choices"
"""Key of `SamplingParams.extra_args` for `vllm_choices.Choices`: {"choices": ids of each choice,
"ends": end-of-sequence ids}."""


class EngineError(RuntimeError):
    """vLLM cannot be used as asked. The message says what to do."""


class WorkerPart:
    """Methods that vLLM adds to its workers (`worker_extension_cls`)."""

    model_runner: Any

    def score_at(self, temperature: float) -> None:
        """Report log-probabilities as `Completion.logprobs` wants them; vLLM's are at 1.

        Args:
            temperature: Of the distribution that is reported.
        """
        import torch

        def compute(logits: torch.Tensor) -> torch.Tensor:
            return (logits.float() / temperature).log_softmax(dim=-1)

        self.model_runner.sampler.compute_logprobs = compute


@contextmanager
def checkpoint_tensors(model: Any) -> Iterator[Iterator[tuple[str, Any]]]:
    """A transformers model's weights, (name, tensor), as a checkpoint of it has them.

    Adapters are merged as long as the block lasts. Weights that are tied come once.

    Args:
        model: The model, unwrapped, with all weights in place.
    """
    peft = getattr(model, "peft_config", None) is not None and hasattr(model, "merge_adapter")
    if peft:
        model.merge_adapter()
    try:
        yield (
            (name.removeprefix("base_model.model.").replace(".base_layer", ""), tensor.detach())
            for name, tensor in model.named_parameters()
            if "lora_" not in name and "modules_to_save" not in name
        )
    finally:
        if peft:
            model.unmerge_adapter()


class VLLMGenerator(Streaming):
    """A `Generator` on vLLM.

    Args:
        model: Folder of a checkpoint, or hub id.
        encoder: Words prompts and reads frames; `turns.reading` makes one without a model.
        dtype: "float32", "bfloat16", ...; "auto" is the checkpoint's.
        max_length: Longest prompt with its answer, in tokens; None: as much as the model
            and the memory allow.
        rows: Answers computed side by side, at most.
        parts: Videos or pictures a prompt may show, at most.
        revision: Of the hub id.
        progress: Called with the number of answers finished since the last call.
        **options: Further arguments of `vllm.LLM`, for example `gpu_memory_utilization`,
            `tensor_parallel_size`.

    Raises:
        EngineError: vLLM is not installed, or does not start with this model.
    """

    def __init__(
        self,
        model: str | Path,
        encoder: Encoder,
        *,
        dtype: str = "auto",
        max_length: int | None = None,
        rows: int = 256,
        parts: int = 16,
        revision: str | None = None,
        progress: Callable[[int], None] | None = None,
        **options: Any,
    ) -> None:
        if importlib.util.find_spec("vllm") is None:
            raise EngineError(
                "vLLM is not installed here. With a CUDA device: pip install '.[train,vllm]'; "
                "on a CPU: make test-vllm builds an environment of its own (.venv-vllm)."
            )
        # One process: weights can be loaded from the trainer's tensors. The second model runner
        # has another sampler, which cannot score at a temperature.
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        os.environ["VLLM_USE_V2_MODEL_RUNNER"] = "0"
        os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
        import torch
        from vllm import LLM  # type: ignore[import-not-found,unused-ignore]

        if not torch.cuda.is_available():
            options = CPU_OPTIONS | options
        # vLLM can normalise pixels on the device, but then videos as the image processor says.
        kinds = (encoder.processor.image_processor, encoder.processor.video_processor)
        if len({(*k.image_mean, *k.image_std) for k in kinds}) > 1:
            options.setdefault("mm_device_do_normalize", False)
        self.encoder = encoder
        self.rows = rows
        self.progress = progress
        self._numbers = itertools.count()
        # vLLM seeds this process' random streams, which belong to the run.
        state, draws = torch.random.get_rng_state(), (random.getstate(), np.random.get_state())
        try:
            self.llm = LLM(
                model=str(model),
                revision=revision,
                dtype=dtype,
                max_model_len=max_length or -1,
                max_num_seqs=rows,
                limit_mm_per_prompt={"video": parts, "image": parts},
                mm_processor_kwargs={"do_resize": False},  # the decoder has resized
                enable_prefix_caching=True,
                logprobs_mode="raw_logprobs",
                worker_extension_cls=f"{__name__}.WorkerPart",
                logits_processors=["reproductions.shared.inference.vllm_choices:Choices"],
                seed=0,
                **options,
            )
        except (ValueError, RuntimeError, OSError) as error:
            raise EngineError(
                f"vLLM does not start with {model} ({type(error).__name__}: {error}). Lower "
                "max_length or gpu_memory_utilization if memory is short; otherwise use "
                "engine: hf."
            ) from error
        finally:
            torch.random.set_rng_state(state)
            random.setstate(draws[0])
            np.random.set_state(draws[1])
        self.engine: Any = self.llm.llm_engine
        qwen2_5 = self.engine.model_config.hf_config.model_type == "qwen2_5_vl"
        self._slower = SLOWER if qwen2_5 else 1.0
        self._scored_at: float | None = None
        ends = self.engine.model_config.try_get_generation_config().get("eos_token_id")
        ends = ends or encoder.tokenizer.eos_token_id
        self._ends = [ends] if isinstance(ends, int) else list(ends)

    def each(
        self, requests: Sequence[Request], sampling: Sampling
    ) -> Iterator[tuple[int, list[Completion]]]:
        """(number of the request, its answers) as they finish; see `Streaming.each`."""
        self._score_at(sampling.temperature or 1.0)
        waiting = deque(i for i, r in enumerate(requests) if r.n)
        running: dict[str, tuple[int, int]] = {}  # engine's name -> request, frames
        rows = 0
        try:
            while waiting or running:
                while waiting and (not running or rows < AHEAD * self.rows):
                    number = waiting.popleft()
                    name = f"vidpost-{next(self._numbers)}"
                    frames = self._add(name, requests[number], sampling)
                    running[name] = (number, frames)
                    rows += requests[number].n
                for output in self.engine.step():
                    if not output.finished:
                        continue
                    number, frames = running.pop(output.request_id)
                    rows -= requests[number].n
                    length = len(output.prompt_token_ids)
                    answers = [
                        self._completion(o, sampling, length, frames) for o in output.outputs
                    ]
                    n = requests[number].n  # greedy answers are all alike and asked once
                    answers = answers if len(answers) == n else answers * n
                    if self.progress is not None:
                        self.progress(n)
                    yield number, answers
        finally:
            if running:  # the caller stopped, or an error came up
                self.engine.abort_request(list(running))

    def load_weights(self, weights: Iterable[tuple[str, Any]]) -> None:
        """Take over new weights, and forget everything that was computed with the old ones.

        Args:
            weights: (name as in the checkpoint, tensor).

        Raises:
            EngineError: vLLM runs in other processes, which these tensors do not reach.
        """
        if os.environ.get("VLLM_ENABLE_V1_MULTIPROCESSING") != "0":
            raise EngineError(
                "weights can only be handed to vLLM in the same process. Unset "
                "VLLM_ENABLE_V1_MULTIPROCESSING, and use one device an engine."
            )
        self.llm.collective_rpc("reload_weights", kwargs={"weights_iterator": iter(weights)})
        self.engine.reset_encoder_cache()
        if not self.llm.reset_prefix_cache():
            raise EngineError("vLLM still runs requests while weights are loaded. Finish them.")

    def follow(self, model: Any) -> None:
        """Take over the present weights of a transformers model, adapters merged in.

        Args:
            model: The policy, unwrapped, with all weights in place.
        """
        with checkpoint_tensors(model) as weights:
            self.load_weights(weights)

    def close(self) -> None:
        """End the engine and free its memory; another one may be made then."""
        from vllm.distributed import (  # type: ignore[import-not-found,unused-ignore]
            cleanup_dist_env_and_memory,
        )

        self.engine.engine_core.shutdown()
        del self.engine, self.llm
        cleanup_dist_env_and_memory()

    def _score_at(self, temperature: float) -> None:
        if temperature != self._scored_at:
            self.llm.collective_rpc("score_at", args=(temperature,))
            self._scored_at = temperature

    def _add(self, name: str, request: Request, sampling: Sampling) -> int:
        """Hand a request to the engine; returns the number of frames it shows."""
        turns = turns_of(self.encoder, request)
        prompt: dict[str, Any] = {
            "prompt": self.encoder.text(request.sample, request.messages, request.prefix)
        }
        data: dict[str, list[Any]] = {}
        for turn in turns:
            if turn.clip is None:
                continue
            if turn.kind == "image":
                from PIL import Image

                data.setdefault("image", []).append(Image.fromarray(turn.clip.frames[0]))
            else:
                # vLLM refuses backends that it does not know; the frames are not read again.
                about = {"do_sample_frames": False, "video_backend": "opencv"}
                about = video_metadata(turn.clip) | about
                about["fps"] *= self._slower
                data.setdefault("video", []).append((turn.clip.frames, about))
        if data:
            prompt["multi_modal_data"] = data
        self.engine.add_request(name, prompt, self._parameters(request, sampling))
        return frames_in(turns)

    def _parameters(self, request: Request, sampling: Sampling) -> Any:
        from vllm import SamplingParams  # type: ignore[import-not-found,unused-ignore]
        from vllm.sampling_params import (  # type: ignore[import-not-found,unused-ignore]
            RequestOutputKind,
        )

        tokenize = self.encoder.tokenizer
        choices = [tokenize(c, add_special_tokens=False)["input_ids"] for c in sampling.choices]
        longest = max([sampling.max_new_tokens, *(len(c) + 1 for c in choices)])  # written whole
        return SamplingParams(
            n=request.n if sampling.temperature else 1,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            max_tokens=longest,
            seed=seed_of(request, sampling),
            stop=list(sampling.stop) or None,
            extra_args={CHOICES: {"choices": choices, "ends": self._ends}} if choices else None,
            logit_bias=dict.fromkeys(self.encoder.forbidden_ids(), float("-inf")),
            logprobs=0,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )

    def _completion(
        self, output: Any, sampling: Sampling, prompt_tokens: int, frames: int
    ) -> Completion:
        ids = list(output.token_ids)
        logprobs = [
            float(at[token].logprob) for at, token in zip(output.logprobs, ids, strict=True)
        ]
        # Our own decoding: vLLM's writes bytes that are no text in another way.
        text = str(self.encoder.tokenizer.decode(ids, skip_special_tokens=True))
        decode = self.encoder.tokenizer.decode
        stopped = any(stop in text for stop in sampling.stop)
        if stopped:  # at the first token that completes a stop text, whatever vLLM saw in the bytes
            while any(s in decode(ids[:-1], skip_special_tokens=True) for s in sampling.stop):
                del ids[-1], logprobs[-1]
            text = text[: min(text.index(stop) for stop in sampling.stop if stop in text)]
        longer = [c for c in sampling.choices if c != text and c.startswith(text)]
        if text in sampling.choices and not longer:
            # The end of sequence was forced, not chosen: transformers' answer ends before it.
            while ids and not decode(ids[-1:], skip_special_tokens=True):
                del ids[-1], logprobs[-1]
        return Completion(
            text=text,
            ids=tuple(ids),
            logprobs=tuple(logprobs),
            finished=stopped or output.finish_reason == "stop",
            prompt_tokens=prompt_tokens,
            frames=frames,
        )
