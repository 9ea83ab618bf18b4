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

import hashlib
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any, Literal

import httpx

from reproductions.shared.inference.chat_api import (
    continues_at,
    enumeration,
    message_of,
    named,
    picture,
    scores_within,
    seconds_of,
    times_of,
)
from reproductions.shared.inference.engine import Completion, Request, Sampling, Streaming
from reproductions.shared.inference.turns import Turn, frames_in, seed_of, turns_of
from reproductions.shared.inference.vllm import SLOWER
from reproductions.shared.models.encode import VISION_TOKENS, Encoder

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


class ServerGenerator(Streaming):
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

    def each(
        self, requests: Sequence[Request], sampling: Sampling
    ) -> Iterator[tuple[int, list[Completion]]]:
        """(number of the request, its answers) as they arrive; see `Streaming.each`.

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
            after = seconds_of(response.headers.get("retry-after"))
            raise _Again(f"status {response.status_code}: {message_of(content)}", after)
        if response.status_code != 200:
            message = message_of(content)
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
            body["response_format"] = enumeration(sampling.choices)
        seed = seed_of(request, sampling)
        seed = seed if self.is_vllm else seed % 2**31  # what every endpoint's integers hold

        def make(there: int) -> dict[str, Any]:
            n = request.n - there if sampling.temperature else 1
            return body | {"n": n, "seed": seed + there}

        return make

    def _messages(self, turns: Sequence[Turn]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Messages of the API, and vLLM's further arguments for their frames."""
        clips = [t.clip for t in turns if t.clip is not None and t.kind == "video"]
        times = [times_of(clip, self._slower) for clip in clips]
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
                pictures = ",".join(picture(f, self.picture) for f in turn.clip.frames)
                url = f"data:video/jpeg;base64,{pictures}"
                content.append({"type": "video_url", "video_url": {"url": url}})
            elif turn.clip is not None:
                for frame, at in zip(turn.clip.frames, turn.clip.times, strict=True):
                    if turn.kind == "video":
                        content.append({"type": "text", "text": f"{at:.1f} s"})
                    url = f"data:image/{self.picture};base64,{picture(frame, self.picture)}"
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
                    if text not in named(body["response_format"]):
                        raise ValueError
                    written = next(w for w in (text, json.dumps(text)[1:-1], "") if w in whole)
                    scores = scores_within(scores, whole[: whole.rindex(written)], written)
                elif request.prefix and not self.is_vllm:
                    text = whole[continues_at(whole, request.prefix) :]
                    scores = scores_within(scores, whole[: len(whole) - len(text)], text)
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


def _base(url: str) -> str:
    """The base URL of the API, "http://host:8000" becoming "http://host:8000/v1"."""
    try:
        parsed = httpx.URL(url.rstrip("/"))
    except (httpx.InvalidURL, TypeError) as error:
        raise ServerError(f"{url}: no URL ({error}). Write http://HOST:PORT/v1.") from None
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo:
        raise ServerError(f"{parsed.host or url}: no server's URL. Write http://HOST:PORT/v1.")
    return str(parsed.copy_with(path="/v1") if parsed.path in ("", "/") else parsed).rstrip("/")
