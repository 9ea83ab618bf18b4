"""Where answers come from: a run folder, a checkpoint, a model on the hub, or a server's URL.

`open_source` is the one place where a name on the command line becomes a `Generator`, with the
frames, the wording and the test-time method that go with it. Ask, evaluation, curves and the making
of chain-of-thought data all start here.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from reproductions.shared import processes
from reproductions.shared.data import clip_reader
from reproductions.shared.evaluation.cards import WEIGHT_FILES, weights_sha256
from reproductions.shared.evaluation.protocol import prompt_hash
from reproductions.shared.evaluation.strategies import chooser, contexts, engine_of, sampling_of
from reproductions.shared.finished import open_run
from reproductions.shared.inference.answers import CachedGenerator
from reproductions.shared.inference.engine import (
    Completion,
    Generator,
    Prediction,
    Request,
    Sampling,
)
from reproductions.shared.inference.hf import HFGenerator
from reproductions.shared.inference.lazy import LazyGenerator
from reproductions.shared.inference.meter import Metered
from reproductions.shared.inference.server import ServerError, ServerGenerator
from reproductions.shared.inference.turns import reading
from reproductions.shared.inference.vllm import EngineError, VLLMGenerator
from reproductions.shared.method import Method, Sample
from reproductions.shared.models.encode import Encoder
from reproductions.shared.settings import (
    Options,
    RunError,
    complete,
    device,
    find_method,
    frame_spec,
    limit_threads,
    preset_path,
    settings_of,
)
from reproductions.shared.video.spec import FrameSpec
from vidpost.catalog.loader import CatalogError
from vidpost.catalog.preset import Preset, load_preset, override

Engine = Literal["auto", "hf", "vllm", "server"]
FAMILIES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl")
TINY_BYTES = 100 * 2**20
"""Weights below this size are a small model of ours, whose scores are miniatures."""


class SourceError(Exception):
    """A model cannot be opened. The message names place, fault and remedy."""


class NoAnswerError(RuntimeError):
    """The engine gave up on a request."""


@dataclass(frozen=True)
class Source:
    """A model that is ready to be asked.

    Attributes:
        name: For people: the run and its checkpoint, the hub id, or the model and its URL.
        identity: Hash of the weights, hub id with revision, or URL with name.
        engine: "hf", "vllm" or "server".
        generator: The engine, without a cache.
        encoder: Reads frames and words the prompt; shared with the engine.
        method: The test-time method over its baseline, with the wording of the run.
        preset: Settings, those of the method's test time among them.
        preset_name: Where they come from, "mini" or "paper".
        spec: Which frames are shown.
        checkpoint: Stage of the run, else "published".
        sha256: Hash of the weights, None if they are not here.
        tiny: Whether it is a small model of ours.
        frozen: What the last stage of the run started from.
        run: The run folder.
    """

    name: str
    identity: str
    engine: str
    generator: Any
    encoder: Encoder
    method: Method
    preset: Preset
    preset_name: str
    spec: FrameSpec
    checkpoint: str = "published"
    sha256: str | None = None
    tiny: bool = False
    frozen: Generator | None = None
    run: Path | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def word(self, prompt: Callable[[Sample], str]) -> None:
        """Ask with another wording from now on, for example a benchmark's."""
        self.encoder.prompt = prompt

    @property
    def sampling(self) -> Sampling:
        """How one plain answer is sampled."""
        return sampling_of(self.preset)

    def wording(self) -> str:
        """A hash of all code that words prompts and chooses frames: 16 hex digits.

        It changes more often than prompts do, which costs answers that are asked again, but no
        answer is taken for that to another prompt.
        """
        ours = Path(__file__).parent
        parts = [ours / "prompts.py", *sorted((ours.parent / "benchmarks").glob("_*.py"))]
        parts += [Path(inspect.getfile(h)) for h in (self.encoder.prompt, self.method.frames) if h]
        return prompt_hash({str(i): p.read_text("utf-8") for i, p in enumerate(parts)})

    def cached(self, folder: Path, protocol: str = "") -> CachedGenerator:
        """The engine behind a cache that a killed process does not lose.

        Args:
            folder: Where the journal lies.
            protocol: What else tells answers apart.
        """
        return CachedGenerator(
            self.generator,
            folder,
            model=self.identity,
            protocol=f"{self.wording()}/{protocol}",
            spec=self.spec,
        )

    def strategy(
        self, examples: Sequence[Sample] = (), preset: Preset | None = None
    ) -> Callable[[Sample, Generator], Prediction | str]:
        """(sample, generator) -> answer: the method's `decode`, or one answer to the prompt.

        A request that the engine gave up on is an error, never an empty answer.

        Args:
            examples: Solved questions that the method may show.
            preset: Other settings than the source's.
        """
        preset = preset or self.preset
        hook, sampling = self.method.decode, sampling_of(preset)
        context = contexts(preset, self.encoder.read, examples)

        def plain(sample: Sample, engine: Generator) -> str:
            return checked(engine, self.generator).generate([Request(sample)], sampling)[0][0].text

        def decode(sample: Sample, engine: Generator) -> Prediction | str:
            assert hook is not None
            known = context(sample)
            other = self.frozen or self.generator
            beside = engine.beside(other) if isinstance(engine, Metered) else other
            known = replace(known, frozen=beside)
            found: Prediction | str = hook(sample, checked(engine, self.generator), known)
            return found

        return plain if hook is None else decode

    def close(self) -> None:
        """End the engine."""
        close = getattr(self.generator, "close", None)
        if close is not None:
            close()


class _Checked:
    def __init__(self, generator: Generator, engine: Any) -> None:
        self.inner, self.engine = generator, engine

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion]]:
        answers = self.inner.generate(requests, sampling)
        if any(not a.ids and not a.finished for several in answers for a in several):
            failures = getattr(self.engine, "failures", [])
            said = [f.reason for f in failures if f.sample == requests[0].sample.id]
            raise NoAnswerError(f"the engine gave no answer: {said[-1] if said else 'no reason'}")
        return answers


def checked(generator: Generator, engine: Any) -> Generator:
    """A generator that raises `NoAnswerError` where the engine gave up on a request."""
    return _Checked(generator, engine)


def open_source(
    model: str,
    *,
    method: str = "decode",
    engine: str = "auto",
    frames: int | None = None,
    checkpoint: str | None = None,
    served: str | None = None,
    revision: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    own: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Source:
    """Open a model.

    Args:
        model: A run folder, the folder of a checkpoint, a hub id, or "http(s)://HOST:PORT/v1", of
            several servers with commas between them.
        method: Id of a method with a `decode` hook, or of the plain baseline.
        engine: "hf", "vllm", or "server" for URLs; "auto" is hf where there is no URL.
        frames: Frames a video, evenly spaced; None: as the run or the preset says.
        checkpoint: Stage of a run; None: its last one.
        served: Name of the model on a server with several.
        revision: Of a hub id.
        overrides: Dotted key of the preset -> value, for example {"decode.answers": 8}.
        own: Whether the videos are our synthetic ones, which need no guard against broken files.
        progress: Called with the number of answers finished since the last call.

    Raises:
        SourceError: It cannot be opened; one message says why and what to do.
    """
    url = model.startswith(("http://", "https://"))
    if engine not in get_args(Engine):
        raise SourceError(f"engine '{engine}': write one of {', '.join(get_args(Engine))}.")
    if url != (engine == "server") and engine != "auto":
        raise SourceError(
            f"--engine {engine} does not go with {model}. A URL is a server; a folder or a hub id "
            "is opened with hf or vllm."
        )
    engine = "server" if url else "hf" if engine == "auto" else engine
    if processes.count() > 1:
        if engine == "vllm":
            raise SourceError(
                "--engine vllm is one process. Start one a GPU with --shard I/N, or serve the "
                "model on each (vllm serve) and give the URLs, with commas between them."
            )
        processes.join(device())
    try:
        whole = complete(find_method(method))
        if whole.decode is None and whole.id != "decode":
            raise SourceError(
                f"'{whole.id}' changes training, not how a trained model answers. Leave --method "
                f"away, and give a run of {whole.id} as the model."
            )
        given = dict(overrides or {})
        place = Path(model)
        found = open_run(place) if not url and (place / "config.yaml").is_file() else None
        name, weights, before = "published", place, place
        if found is not None:
            name, weights, before = found.checkpoint(checkpoint)
            preset = method_settings(whole, found.preset, given)
            # The wording is what the checkpoint was trained on; frames the method's, if it says.
            shown = whole.frames or found.method.frames
            whole = replace(whole, prompt=found.method.prompt, frames=shown)
        elif checkpoint is not None:
            raise SourceError(f"--checkpoint: {model} is no run folder. Leave it away.")
        else:
            preset = _published(model, whole, engine, served, revision, given)
        preset, spec = _with_frames(preset, frames)
        read = clip_reader(spec, own)
        limit_threads(preset)
        at = model if found is None else weights
        generator, encoder = _open(at, whole, preset, read, engine, served, progress)
    except (RunError, ServerError, EngineError, CatalogError) as error:
        raise SourceError(str(error)) from None
    folder = weights.is_dir() and engine != "server"
    sha = weights_sha256(weights) if folder else None
    if found is not None:
        title = f"{place.resolve().name} ({name})"
        tiny = preset.model.id == "tiny"
        frozen = LazyGenerator(lambda: engine_of(before, whole, preset, read, device()))
    else:  # a card names no machine
        title = f"{generator.model} at {generator.url}" if engine == "server" else model
        title = place.resolve().name if folder else title
        files = [f for p in WEIGHT_FILES for f in weights.glob(p)] if folder else []
        tiny = 0 < sum(f.stat().st_size for f in files) < TINY_BYTES
    return Source(
        name=title,
        identity=sha or (title if engine == "server" else f"{model}@{revision or 'main'}"),
        engine=engine,
        generator=generator,
        encoder=encoder,
        method=whole,
        preset=preset,
        preset_name="mini" if found is not None and tiny else "paper",
        spec=spec,
        checkpoint=name,
        sha256=sha,
        tiny=tiny,
        frozen=frozen if found is not None else None,
        run=place if found is not None else None,
        overrides=given,
    )


def method_settings(method: Method, preset: Preset, overrides: Mapping[str, Any]) -> Preset:
    """The settings of a run, with those of another test-time method and overrides.

    Args:
        method: The method; its mini preset counts for a small model, else its paper's.
        preset: Settings of the run.
        overrides: Dotted key -> value.

    Raises:
        CatalogError: An override that is no key of a preset, or out of range.
    """
    values = preset.model_dump(mode="json")
    if method.id != preset.method:
        name = "mini" if preset.model.id == "tiny" else "paper"
        decode = load_preset(preset_path(method, name)).decode
        values["decode"] = decode and decode.model_dump(mode="json")
    return override(values, overrides, "settings")


def _with_frames(preset: Preset, frames: int | None) -> tuple[Preset, FrameSpec]:
    chosen = preset.evaluate.frames or preset.frames
    if frames is not None:
        if frames < 2 or frames % 2:
            raise SourceError(f"--frames {frames}: two frames make one step in time; give 2, 4 ..")
        uniform = {"sampling": "uniform", "num_frames": frames}
        unset = dict.fromkeys(("fps", "min_frames", "max_frames"))
        chosen = chosen.model_copy(update=uniform | unset)
        evaluate = preset.evaluate.model_copy(update={"frames": chosen})
        preset = preset.model_copy(update={"evaluate": evaluate})
    return preset, frame_spec(preset, chosen)


def _published(
    model: str,
    whole: Method,
    engine: str,
    served: str | None,
    revision: str | None,
    overrides: Mapping[str, Any],
) -> Preset:
    """The settings of a method's paper, for a model that no run of ours has made."""
    settings = settings_of(whole, Options(preset="paper"))
    keys: dict[str, Any] = {
        "model.id": served or model,
        "model.family": _family(model, revision, served, engine),
        "model.revision": revision or "main",
        "hardware.device": device(),
    }
    if device() == "cpu":
        keys["model.dtype"] = "float32"
    return override(settings.model_dump(mode="json"), {**keys, **overrides}, "settings")


def _open(
    weights: str | Path,
    whole: Method,
    preset: Preset,
    read: Callable[..., Any],
    engine: str,
    served: str | None,
    progress: Callable[[int], None] | None,
) -> tuple[Any, Encoder]:
    """The engine and the encoder that it uses."""
    assert whole.prompt is not None
    choose = chooser(whole, preset, read)
    local = Path(weights).is_dir()
    if engine == "server":
        encoder = reading(read, whole.prompt, choose=choose)
        family = preset.model.family
        return (
            ServerGenerator(str(weights), served, encoder, family=family, progress=progress),
            encoder,
        )
    try:
        if engine == "hf":
            found: HFGenerator = engine_of(weights, whole, preset, read, device())
            found.progress = progress
            return found, found.encoder
        from reproductions.shared.models.load import load_processor

        revision = None if local else preset.model.revision
        encoder = reading(read, whole.prompt, load_processor(weights, revision), choose)
    except OSError as error:
        raise _unknown(str(weights), error) from None
    return (
        VLLMGenerator(
            weights, encoder, dtype=preset.model.dtype, revision=revision, progress=progress
        ),
        encoder,
    )


def _family(model: str, revision: str | None, served: str | None, engine: str) -> str:
    """The architecture, which decides to what multiples frames are sized."""
    if engine == "server":
        return "qwen3_vl" if "qwen3" in (served or "").lower() else "qwen2_5_vl"
    folder = Path(model)
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise SourceError(
                f"{model}: neither a run (config.yaml) nor a checkpoint (config.json). Give the "
                "folder that vidpost run wrote, for example runs/video_r1-20261122-101500."
            )
        try:
            kind = json.loads((folder / "config.json").read_text("utf-8")).get("model_type")
        except (ValueError, AttributeError):
            raise SourceError(
                f"{folder / 'config.json'}: not JSON. Save the model again."
            ) from None
    else:
        if model.startswith(("/", ".", "~", "runs/")) or not re.fullmatch(
            r"[\w.-]+/[\w.-]+", model
        ):
            raise SourceError(
                f"{model}: no such folder. Give a run folder, a hub id (Qwen/Qwen2.5-VL-7B-"
                "Instruct), or a server's URL (http://localhost:8000/v1)."
            )
        _ask_hub(model, revision)
        from transformers import AutoConfig

        try:
            kind = AutoConfig.from_pretrained(model, revision=revision).model_type
        except (OSError, ValueError) as error:
            raise _unknown(model, error) from None
    if kind not in FAMILIES:
        raise SourceError(
            f"{model}: a model of type '{kind}' is not opened here ({', '.join(FAMILIES)} are). "
            "Serve it (vllm serve) and give the URL."
        )
    return str(kind)


def _ask_hub(model: str, revision: str | None) -> None:
    """Asks the hub once for a model that is not on the disk; transformers would try for a minute.

    Raises:
        SourceError: It has none of that name, or does not answer.
    """
    import httpx
    from huggingface_hub import HfApi, try_to_load_from_cache

    if isinstance(try_to_load_from_cache(model, "config.json", revision=revision), str):
        return
    try:
        HfApi().model_info(model, revision=revision, timeout=10)
    except httpx.TransportError:
        raise SourceError(
            f"{model}: no such folder here, and the hub does not answer. Check the path or the "
            "network, or give a run folder or a server's URL."
        ) from None
    except (OSError, ValueError) as error:
        raise _unknown(model, error) from None


def _unknown(model: str, error: Exception) -> SourceError:
    said = " ".join(str(error).split())[:200]
    return SourceError(
        f"{model}: cannot be loaded from the hub or the disk ({said}). Check the name and the "
        "network, or give a run folder or a server's URL."
    )
