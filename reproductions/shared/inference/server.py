"""Answers from an OpenAI-compatible server: `vllm serve`, or any other endpoint that speaks it.

Frames are sent as data, the same that the other engines see; the server samples nothing. What
travels depends on the endpoint:

| | vLLM | other endpoints |
|---|---|---|
| frames | one video part a clip, with their times | one picture a frame, its time before it |
| beginning of an answer (`prefix`) | continued | asked for in words; a repeated one is cut off |
| `choices` | a grammar | a JSON schema with an enumeration, taken apart again |
| `top_k`, vision tokens struck out | yes | left out: not in the API |
| token ids | yes | -1 for each counted token |

A conversation that shows several clips goes to vLLM as pictures as well, unless all clips have the
same times: its API takes one set of times a request. vLLM takes times only if it was started with
`--trust-request-mm-kwargs`.

What is done otherwise stands in `ServerGenerator.limits`, for cards.

Log-probabilities are the server's: vLLM's own are those of temperature 1 (and of what choices
left), the API says nothing more. Of an answer that was taken apart or cut they are those of the
tokens that were kept, while `ids` counts all. Where none come back, `Completion.logprobs` is ().

A request that fails for good is an empty, unfinished answer and is counted in `failures`; it never
ends the others. Only what concerns all of them (an unreachable server, a wrong model or key, or
nothing but failures) is an error.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal

import httpx

from reproductions.shared import processes
from reproductions.shared.files import published
from reproductions.shared.inference.engine import Completion, Request, Sampling
from reproductions.shared.inference.turns import Turn, frames_in, in_order, seed_of, turns_of
from reproductions.shared.inference.vllm import SLOWER, checkpoint_tensors
from reproductions.shared.models.encode import VISION_TOKENS, Encoder
from reproductions.shared.video.decode import video_metadata

MAX_RESPONSE = 64 * 2**20
"""A longer response is refused, bytes."""

AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Status codes after which a request is sent again."""

LIMITS = (
    "The endpoint is not vLLM: where the method sets top_k it is left out, and where it writes the "
    "beginning of an answer, that is asked for in words. A yes or no without log-probabilities "
    "counts as certain."
)
GO_ON = (
    "\n\nYour answer begins with the text below, which is written already. Write what follows it.\n"
)
"""How an endpoint is asked to continue an answer, if it cannot be made to."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class ServerError(RuntimeError):
    """A server cannot be used. The message names it, the fault and the remedy."""


class _Refused(Exception):
    """A request that this server will never answer."""


class _Again(Exception):
    """A request that may succeed later.

    Attributes:
        after: Seconds that the server asks to wait for, if it does.
    """

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


@dataclass(frozen=True)
class Failure:
    """A request that got no answer.

    Attributes:
        sample: Id of its sample.
        reason: What happened at the last try.
        tries: How often it was sent.
    """

    sample: str
    reason: str
    tries: int


class ServerGenerator:
    """A `Generator` on an OpenAI-compatible endpoint.

    Args:
        url: Base URL, with or without "/v1"; several with commas between them share the work. All
            questions about a video go to one of them, as long as it answers.
        model: Name under which the server offers the model; None: its only one.
        encoder: Words prompts and reads frames; see `turns.reading`.
        frames: "video" or "images" forces how frames travel; "auto" as in the table above.
        picture: "png" keeps the pixels; "jpeg" is a tenth of the size.
        concurrency: Requests under way at once, a server. Frames of further ones are not even read.
        tries: How often a request is sent at most.
        timeout: Seconds a try may take.
        deadline: Seconds a call of `generate` may take; what is open then has failed.
        patience: Longest pause before another try, seconds.
        logprobs: Ask for log-probabilities; some endpoints refuse that.
        family: Architecture of the model where it is known, "qwen2_5_vl" or another.
        key_variable: Environment variable that holds the API key, if the endpoint wants one.
        progress: Called with the number of answers finished since the last call.

    Attributes:
        failures: Requests that got no answer, in the order in which they failed.
        limits: What this endpoint is asked otherwise than vLLM, a sentence for people; "" for vLLM.

    Raises:
        ServerError: The server is not there, refuses the key, or does not offer the model.
    """

    def __init__(
        self,
        url: str,
        model: str | None,
        encoder: Encoder,
        *,
        frames: Literal["auto", "video", "images"] = "auto",
        picture: Literal["png", "jpeg"] = "png",
        concurrency: int = 16,
        tries: int = 5,
        timeout: float = 600.0,
        deadline: float | None = None,
        patience: float = 30.0,
        logprobs: bool = True,
        family: str = "",
        key_variable: str = "OPENAI_API_KEY",
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self.urls = [_base(one.strip()) for one in url.split(",")]
        self.url = ",".join(self.urls)
        self.encoder = encoder
        self.frames = frames
        self.picture = picture
        self.concurrency = max(1, concurrency) * len(self.urls)
        self.tries = max(1, tries)
        self.timeout = timeout
        self.deadline = deadline
        self.patience = patience
        self.logprobs = logprobs
        self.progress = progress
        self._slower = SLOWER if family == "qwen2_5_vl" else 1.0
        self.failures: list[Failure] = []
        self._key = os.environ.get(key_variable, "")
        self._key_variable = key_variable
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=httpx.Timeout(timeout, connect=min(timeout, 10.0)),
            limits=httpx.Limits(max_connections=self.concurrency),
            # A proxy cannot reach this machine's own servers.
            trust_env=LOOPBACK.isdisjoint(httpx.URL(u).host for u in self.urls),
        )
        offered = [self._offered(one, model) for one in self.urls]
        self.model, self.is_vllm = offered[0]
        self.limits = "" if self.is_vllm else LIMITS
        if len(set(offered)) > 1:
            raise ServerError(f"{self.url}: do not serve the same model ({offered}). Name one.")

    # -- the queue --------------------------------------------------------------------------

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion]]:
        """See `Generator.generate`."""
        return in_order(len(requests), self.each(requests, sampling))

    def each(
        self, requests: Sequence[Request], sampling: Sampling
    ) -> Iterator[tuple[int, list[Completion]]]:
        """(number of the request, its answers) as they arrive; see `answers.Streaming`.

        Raises:
            ServerError: No request of this call was answered.
        """
        waiting = iter([i for i, r in enumerate(requests) if r.n])
        end = time.monotonic() + self.deadline if self.deadline is not None else float("inf")
        stop = threading.Event()
        running: dict[Future[list[Completion]], int] = {}
        failed, answered = len(self.failures), 0
        pool = ThreadPoolExecutor(self.concurrency)
        try:
            while True:
                while len(running) < self.concurrency:
                    number = next(waiting, None)
                    if number is None:
                        break
                    # Frames are read and encoded here, in one thread, while others wait for the
                    # server; with all places taken nothing further is read.
                    turns = turns_of(self.encoder, requests[number])
                    bodies = self._bodies(requests[number], turns, sampling)
                    work = pool.submit(
                        self._answer, requests[number], frames_in(turns), bodies, end, stop
                    )
                    running[work] = number
                if not running:
                    break
                for work in wait(running, return_when=FIRST_COMPLETED).done:
                    number = running.pop(work)
                    answers = work.result()
                    answered += any(a.ids or a.finished for a in answers)
                    if self.progress is not None:
                        self.progress(len(answers))
                    yield number, answers
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
        if not answered and len(self.failures) > failed:
            raise ServerError(
                f"{self.url}: none of {len(self.failures) - failed} requests was answered. The "
                f"last one: {self.failures[-1].reason}"
            )

    def _answer(
        self,
        request: Request,
        frames: int,
        bodies: Callable[[int], dict[str, Any]],
        end: float,
        stop: threading.Event,
    ) -> list[Completion]:
        """Ask until all answers of a request are there, or it has failed."""
        found: list[Completion] = []
        tries, reason = 0, ""
        name = str(request.sample.video or request.sample.id)
        place = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=7).digest())
        while len(found) < request.n:
            left = min(self.timeout, end - time.monotonic())
            if left <= 0 or stop.is_set():
                reason = reason or f"the {self.deadline:g} s for all requests are over"
                break
            tries += 1
            try:
                body = bodies(len(found))
                found += self._choices(self._post(place, body, left), body, request, frames)
                if body["n"] == 1 and body["temperature"] == 0:
                    found = found[:1] * request.n  # greedy answers are all alike and asked once
                tries, reason = 0, ""
                continue
            except _Refused as error:
                reason = self._safe(error)
                break
            except _Again as error:
                reason = self._safe(error)
                place += 1  # another server, if there is one
                pause = min(self.patience, 0.5 * 2 ** (tries - 1)) * random.uniform(0.5, 1.0)
                pause = pause if error.after is None else min(self.patience, error.after)
            if tries >= self.tries or time.monotonic() + pause > end:
                break
            stop.wait(pause)
        if len(found) < request.n:
            self.failures.append(Failure(request.sample.id, reason, tries))
            missing = Completion("", (), (), False, 0, frames)
            found += [missing] * (request.n - len(found))
        return found[: request.n]

    def _post(self, place: int, body: dict[str, Any], left: float) -> Any:
        """One try; returns the parsed response."""
        url = self.urls[place % len(self.urls)]
        begin = time.monotonic()
        content = bytearray()
        try:
            with self._client.stream("POST", f"{url}/chat/completions", json=body) as response:
                for piece in response.iter_bytes():
                    content += piece
                    if len(content) > MAX_RESPONSE:
                        raise _Refused(f"the response exceeds {MAX_RESPONSE} bytes")
                    if time.monotonic() - begin > left:  # drop by drop, each in time
                        raise _Again(f"no whole response after {left:.0f} s")
        except httpx.TimeoutException:
            raise _Again(f"no response after {time.monotonic() - begin:.0f} s") from None
        except httpx.TransportError as error:
            raise _Again(f"{type(error).__name__}: {error}") from None
        if response.status_code in AGAIN:
            after = _seconds(response.headers.get("retry-after"))
            raise _Again(f"status {response.status_code}: {_message(content)}", after)
        if response.status_code != 200:
            message = _message(content)
            if "--trust-request-mm-kwargs" in message:
                raise ServerError(
                    f"{self.url}: takes no times for the frames. Start the server with vllm serve "
                    '--trust-request-mm-kwargs, or send pictures (frames="images").'
                )
            raise _Refused(f"status {response.status_code}: {message}")
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise _Again("the response is no JSON") from None

    # -- requests and responses -------------------------------------------------------------

    def _bodies(
        self, request: Request, turns: Sequence[Turn], sampling: Sampling
    ) -> Callable[[int], dict[str, Any]]:
        """(answers that are there already) -> what to send for the others."""
        if request.prefix and not self.is_vllm:
            last = replace(turns[-1], text=f"{turns[-1].text}{GO_ON}{request.prefix}")
            turns = [*turns[:-1], last]
        messages, extra = self._messages(turns)
        body: dict[str, Any] = {
            "model": self.model,
            "messages": messages,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_new_tokens,
        }
        if self.logprobs:
            body["logprobs"] = True
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if self.is_vllm:
            body |= extra
            body |= {"bad_words": list(VISION_TOKENS), "return_token_ids": True}
            # Named even where they do nothing: the checkpoint's defaults would act instead.
            body |= {"top_k": sampling.top_k, "min_p": 0.0, "repetition_penalty": 1.0}
            if sampling.choices:
                body["structured_outputs"] = {"choice": list(sampling.choices)}
                # A choice is written whole; a token is at least one byte.
                longest = max(len(c.encode()) for c in sampling.choices) + 1
                body["max_tokens"] = max(body["max_tokens"], longest)
            if request.prefix:
                messages.append({"role": "assistant", "content": request.prefix})
                body |= {"continue_final_message": True, "add_generation_prompt": False}
        elif sampling.choices:
            body["response_format"] = _enumeration(sampling.choices)
        seed = seed_of(request, sampling)
        seed = seed if self.is_vllm else seed % 2**31  # what every endpoint's integers hold

        def make(there: int) -> dict[str, Any]:
            n = request.n - there if sampling.temperature else 1
            return body | {"n": n, "seed": seed + there}

        return make

    def _messages(self, turns: Sequence[Turn]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Messages of the API, and vLLM's further arguments for their frames."""
        clips = [t.clip for t in turns if t.clip is not None and t.kind == "video"]
        times = [_times(clip, self._slower) for clip in clips]
        as_video = self.frames == "video" or (self.frames == "auto" and self.is_vllm)
        if as_video and any(t != times[0] for t in times):
            if self.frames == "video":
                raise ServerError(
                    f"{self.url}: a request shows clips with different times, and vLLM's API takes "
                    'one set a request. Use frames="auto", or vLLM in this process.'
                )
            as_video = False
        messages = []
        for turn in turns:
            content: list[dict[str, Any]] = []
            if turn.clip is not None and turn.kind == "video" and as_video:
                # The list may hold any picture format, in spite of the name of the type.
                pictures = ",".join(_picture(f, self.picture) for f in turn.clip.frames)
                url = f"data:video/jpeg;base64,{pictures}"
                content.append({"type": "video_url", "video_url": {"url": url}})
            elif turn.clip is not None:
                for frame, at in zip(turn.clip.frames, turn.clip.times, strict=True):
                    if turn.kind == "video":
                        content.append({"type": "text", "text": f"{at:.1f} s"})
                    url = f"data:image/{self.picture};base64,{_picture(frame, self.picture)}"
                    content.append({"type": "image_url", "image_url": {"url": url}})
            content.append({"type": "text", "text": turn.text})
            plain = len(content) == 1
            messages.append({"role": turn.role, "content": turn.text if plain else content})
        extra: dict[str, Any] = {"mm_processor_kwargs": {"do_resize": False}} if clips else {}
        if clips and as_video:
            extra["media_io_kwargs"] = {"video": times[0]}
        return messages, extra

    def _choices(
        self, response: Any, body: dict[str, Any], request: Request, frames: int
    ) -> list[Completion]:
        """The answers of a response, which may hold anything."""
        try:
            choices = response["choices"]
            usage = response.get("usage") or {}
            counted = int(usage.get("completion_tokens") or 0)
            length = int(usage.get("prompt_tokens") or 0)
            answers = []
            for choice in choices:
                text = choice["message"].get("content") or ""
                if not isinstance(text, str):
                    raise TypeError
                text = text.encode("utf-8", "replace").decode()  # half characters fit no file
                scores = (choice.get("logprobs") or {}).get("content") or []
                cut_off = choice.get("finish_reason") == "length"
                # Every answer's own tokens where they are told apart, else their even share; what
                # was written, or cut off within a hidden thought, has at least one.
                tokens = len(scores) or round(counted / len(choices)) or int(bool(text) or cut_off)
                ids = tuple(int(i) for i in choice.get("token_ids") or ()) or (-1,) * tokens
                scores = scores if len(scores) == len(ids) else []
                whole = text
                if "response_format" in body:
                    text = json.loads(whole)["answer"]
                    if text not in _named(body["response_format"]):
                        raise ValueError
                    written = next(w for w in (text, json.dumps(text)[1:-1], "") if w in whole)
                    scores = _within(scores, whole[: whole.rindex(written)], written)
                elif request.prefix and not self.is_vllm:
                    text = whole[_start(whole, request.prefix) :]
                    scores = _within(scores, whole[: len(whole) - len(text)], text)
                answers.append(
                    Completion(
                        text=text,
                        ids=ids,
                        logprobs=tuple(float(s["logprob"]) for s in scores),
                        finished=choice.get("finish_reason") == "stop",
                        prompt_tokens=length,
                        frames=frames,
                    )
                )
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            raise _Again("the response holds no answer in the form of the API") from None
        if not answers:
            raise _Again("the response holds no answer")
        return answers

    # -- the server -------------------------------------------------------------------------

    def _offered(self, url: str, model: str | None) -> tuple[str, bool]:
        """The model's name and whether vLLM serves it, from the server's list."""
        try:
            response = self._client.get(f"{url}/models", timeout=min(self.timeout, 30.0))
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise ServerError(
                f"{url}: no server answers ({type(error).__name__}: {self._safe(error)}). "
                "Start it (vllm serve MODEL), or correct the address."
            ) from None
        if response.status_code in (401, 403):
            raise ServerError(
                f"{url}: the key was refused (status {response.status_code}). Set the "
                f"environment variable {self._key_variable}."
            )
        try:
            entries = [e for e in response.json()["data"] if isinstance(e["id"], str)]
        except (KeyError, TypeError, ValueError):
            raise ServerError(
                f"{url}/models: no list of models (status {response.status_code}), so this "
                "is no OpenAI-compatible server. Correct the address."
            ) from None
        names = [str(e["id"]) for e in entries]
        if model is None and len(names) == 1:
            model = names[0]
        if model not in names:
            asked = f"'{model}' is not among them" if model else "name one of them"
            shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
            raise ServerError(f"{url}: serves {shown or 'no model'}; {asked}.")
        return model, entries[names.index(model)].get("owned_by") == "vllm"

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _safe(self, error: Exception) -> str:
        """An error's text without the key, which a server may echo."""
        text = " ".join(str(error).split())[:400]
        return text.replace(self._key, "***") if self._key else text


class PolicyServer(ServerGenerator):
    """vLLM servers that answer the rollouts of a model that is being trained.

    New weights go through a folder: the first process writes them, each server reads them in place
    (`reload_weights`) and forgets what it computed with the old ones. vLLM's own way, NCCL, needs
    CUDA devices on both sides; a folder needs only that both see it.

    Args:
        url: As of `ServerGenerator`.
        encoder: The trainer's.
        folder: Takes the weights; the servers find it under the same path.
        dtype: Of the weights that are written, for example torch.bfloat16; None: as they are.
        **options: As of `ServerGenerator`.

    Raises:
        ServerError: A server is not vLLM, or was not started so that its weights can be changed.
    """

    def __init__(
        self, url: str, encoder: Encoder, folder: Path, *, dtype: Any = None, **options: Any
    ) -> None:
        super().__init__(url, None, encoder, logprobs=False, **options)
        self.folder = folder.resolve()
        self.dtype = dtype
        if not self.is_vllm:
            raise ServerError(f"{self.url}: is no vLLM server, whose weights could be changed.")
        self._command("reset_encoder_cache")  # there is the command only where it is allowed

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion]]:
        """As of `Generator`, but a request that fails is an error: nothing is trained on it."""
        failed = len(self.failures)
        answers = super().generate(requests, sampling)
        if self.failures[failed:]:
            first = self.failures[failed]
            raise ServerError(f"{self.url}: no answer about {first.sample}: {first.reason}")
        decode = self.encoder.tokenizer.decode
        return [
            [replace(a, text=str(decode(a.ids, skip_special_tokens=True))) for a in several]
            for several in answers
        ]

    def follow(self, model: Any) -> None:
        """Give the servers the present weights of a model; all processes call this together.

        Args:
            model: The policy, unwrapped, with all weights in place.
        """
        if not processes.rank():
            from safetensors.torch import save_file

            self.folder.mkdir(parents=True, exist_ok=True)
            with (
                checkpoint_tensors(model) as weights,
                published(self.folder / "model.safetensors") as part,
            ):
                tensors = {n: t.to(self.dtype or t.dtype).cpu().contiguous() for n, t in weights}
                save_file(tensors, part, metadata={"format": "pt"})
            rpc = {"method": "reload_weights", "kwargs": {"weights_path": str(self.folder)}}
            self._command("collective_rpc", rpc)
            self._command("reset_encoder_cache")
            self._command("reset_prefix_cache")
        processes.wait()

    def _command(self, name: str, body: dict[str, Any] | None = None) -> None:
        """Give every server one of the commands of its developer mode."""
        for url in self.urls:
            address = f"{url.removesuffix('/v1')}/{name}"
            try:
                response = self._client.post(address, json=body)
            except httpx.TransportError as error:
                raise ServerError(
                    f"{address}: {type(error).__name__}: {self._safe(error)}"
                ) from None
            if response.status_code == 404:
                raise ServerError(
                    f"{url}: lets nobody change its weights. Start the server with the environment "
                    "variable VLLM_SERVER_DEV_MODE=1, on a network that you trust."
                )
            failed = response.content.startswith(b'{"success":false')
            if response.status_code != 200 or failed:
                said = self._safe(ValueError(_message(response.content)))
                raise ServerError(
                    f"{address}: status {response.status_code}: {said}. The server must serve the "
                    f"model that is trained, and see {self.folder}."
                )

    def close(self) -> None:
        """Close the connections, and remove what was written for the servers."""
        super().close()
        if not processes.rank():
            (self.folder / "model.safetensors").unlink(missing_ok=True)
            with suppress(OSError):  # it was never made, or holds what is not ours
                self.folder.rmdir()


def _base(url: str) -> str:
    """The base URL of the API, "http://host:8000" becoming "http://host:8000/v1"."""
    try:
        parsed = httpx.URL(url.rstrip("/"))
    except (httpx.InvalidURL, TypeError) as error:
        raise ServerError(f"{url}: no URL ({error}). Write http://HOST:PORT/v1.") from None
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo:
        raise ServerError(f"{parsed.host or url}: no server's URL. Write http://HOST:PORT/v1.")
    return str(parsed.copy_with(path="/v1") if parsed.path in ("", "/") else parsed).rstrip("/")


def _times(clip: Any, slower: float) -> dict[str, Any]:
    """A clip's times as vLLM wants them with a list of pictures; `slower` as `vllm.SLOWER`."""
    about = video_metadata(clip)
    return {
        "num_frames": -1,
        "fps": about["fps"] * slower,
        "duration": about["duration"],
        "total_num_frames": max(about["total_num_frames"], len(clip.times)),
        "frames_indices": about["frames_indices"],
    }


def _picture(frame: Any, kind: str) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    options = {"quality": 95, "subsampling": 0} if kind == "jpeg" else {"compress_level": 1}
    Image.fromarray(frame).save(buffer, kind, **options)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _start(text: str, prefix: str) -> int:
    """Where an answer goes on that was to continue `prefix`, after what it repeats of it.

    One that starts over is taken from the tag on that `prefix` ends with.
    """
    begin = len(text) - len(text.lstrip())
    if text.startswith(prefix, begin):
        return begin + len(prefix)
    tag = prefix[prefix.rfind("<") :] if prefix.endswith(">") else ""
    return text.find(tag) + len(tag) if tag and tag in text else 0


def _within(scores: Sequence[Any], before: str, part: str) -> list[Any]:
    """The scores of the tokens that write `part`, which stands behind `before`."""
    start = len(before.encode())
    end, at, found = start + len(part.encode()), 0, []
    for score in scores:
        size = len(score.get("bytes") or score["token"].encode())
        if at + size > start and at < end:
            found.append(score)
        at += size
    return found


def _enumeration(choices: Sequence[str]) -> dict[str, Any]:
    """A response format that lets the model only name one of the choices."""
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string", "enum": list(choices)}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    described = {"name": "answer", "strict": True, "schema": schema}
    return {"type": "json_schema", "json_schema": described}


def _named(response_format: dict[str, Any]) -> list[str]:
    """The choices in a format of `_enumeration`."""
    schema = response_format["json_schema"]["schema"]
    return list(schema["properties"]["answer"]["enum"])


def _message(content: bytes | bytearray) -> str:
    """What a server says about an error."""
    try:
        error = json.loads(content)
        error = error.get("error", error)
        return str(error.get("message", error) if isinstance(error, dict) else error)
    except (ValueError, AttributeError, RecursionError):
        return bytes(content[:200]).decode("utf-8", "replace")


def _seconds(value: str | None) -> float | None:
    """`Retry-After`: seconds, or a date."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        try:
            at = parsedate_to_datetime(value)
        except ValueError:
            return None
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(0.0, (at - datetime.now(UTC)).total_seconds())
