"""Answers that were given before: a response cache around any engine, safe against kill -9.

An answer is found again by everything that decides it: the model, the protocol, the frame spec,
the sampling, and the request with the content (not the name) of its video. The engine is not part
of the key. Answers lie in one journal a model and protocol, which is only ever appended to: a
record is written in one piece as soon as its request is answered, so a process that is killed
loses only what it was working on, and a record that was cut off is passed over. Several processes
may share a journal.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from reproductions.shared.inference.engine import Completion, Generator, Message, Request, Sampling
from reproductions.shared.method import Sample
from reproductions.shared.video.cache import file_hash
from reproductions.shared.video.spec import FrameSpec

VERSION = 1
"""Raise it when the key or the record changes: older journals are then not read any more."""


class AnswersError(ValueError):
    """A journal cannot be used. The message says what to do."""


@dataclass(frozen=True)
class Counts:
    """What a cache holds and what it was good for.

    Attributes:
        requests: Requests whose answers are stored.
        bytes: Size of the journal.
        hits: Requests answered from it by this process.
        misses: Requests passed on by this process.
    """

    requests: int
    bytes: int
    hits: int
    misses: int


class CachedGenerator:
    """A `Generator` that asks another one only what was not asked before.

    Args:
        inner: The engine. One with `each` (`Streaming`) is recorded request by request, another
            one call by call.
        folder: Where journals lie; created if missing.
        model: Identity of the model: hash of the weights, hub id with revision, or URL and name.
        protocol: Fingerprint of the protocol, which covers the wording of the prompts.
        spec: Which frames are shown; None for text alone.
        batch: Requests a call of an engine without `each`.
        fsync_seconds: The disk is told to keep what was written at most this long ago. Against a
            killed process 0 adds nothing; against a power cut it does, at the price of one fsync a
            record.

    Raises:
        AnswersError: The journal belongs to another model or protocol, or cannot be written.
    """

    def __init__(
        self,
        inner: Generator,
        folder: str | Path,
        *,
        model: str,
        protocol: str,
        spec: FrameSpec | None = None,
        batch: int = 32,
        fsync_seconds: float = 5.0,
    ) -> None:
        self.inner = inner
        self.batch = batch
        self.fsync_seconds = fsync_seconds
        self.head = {
            "journal": VERSION,
            "model": model,
            "protocol": protocol,
            "frames": spec.key() if spec is not None else None,
        }
        name = hashlib.blake2b(_canonical(self.head), digest_size=16).hexdigest()
        self.path = Path(folder) / f"{name}.jsonl"
        self._memo = self.path.parent / "videos"  # remembers hashes of files
        self._places: dict[str, tuple[int, int, int]] = {}  # key -> offset, bytes, answers
        self._read = 0
        self._hits = self._misses = 0
        self._synced = time.monotonic()
        self._files: dict[str, tuple[tuple[int, int], str]] = {}
        try:
            self._memo.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._file = os.open(self.path, flags, 0o644)
        except OSError as error:
            raise AnswersError(
                f"{self.path}: cannot be written ({error.strerror}). Choose another folder."
            ) from None
        self._open()

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion]]:
        """See `Generator.generate`. A failed answer (no token, unfinished) is not stored."""
        keys = [self.key(r, sampling) for r in requests]
        answers: list[list[Completion] | None] = [
            self._find(k, r.n) for k, r in zip(keys, requests, strict=True)
        ]
        if None in answers:
            self._catch_up()  # another process may have answered meanwhile
            answers = [
                a if a is not None else self._find(k, r.n)
                for a, k, r in zip(answers, keys, requests, strict=True)
            ]
        wanted: dict[str, int] = {}  # equal requests are asked once, for the most answers wanted
        for number, answer in enumerate(answers):
            if answer is None:
                first = wanted.setdefault(keys[number], number)
                if requests[number].n > requests[first].n:
                    wanted[keys[number]] = number
        self._misses += len(wanted)
        self._hits += len(requests) - len(wanted)
        numbers = list(wanted.values())
        found: dict[str, list[Completion]] = {}
        for place, completions in self._ask([requests[i] for i in numbers], sampling):
            key = keys[numbers[place]]
            found[key] = completions
            if all(a.ids or a.finished for a in completions):
                self._append(key, completions)
        return [
            answer if answer is not None else found[key][: request.n]
            for answer, key, request in zip(answers, keys, requests, strict=True)
        ]

    def _ask(
        self, requests: Sequence[Request], sampling: Sampling
    ) -> Iterator[tuple[int, list[Completion]]]:
        each = getattr(self.inner, "each", None)
        if each is not None:
            yield from each(requests, sampling)
            return
        for start in range(0, len(requests), self.batch):
            part = requests[start : start + self.batch]
            for number, answers in enumerate(self.inner.generate(part, sampling)):
                yield start + number, answers

    def key(self, request: Request, sampling: Sampling) -> str:
        """What an answer depends on, as 32 hexadecimal digits.

        The number of answers is left out: the first n of more answers are those that n would have
        been. All of the sample counts, for a prompt may be made of any of it.
        """
        content = {
            "sample": content_of(request.sample, self._content),
            "order": request.order,
            "stream": request.stream,
            "messages": [self._message(m) for m in request.messages],
            "prefix": request.prefix,
            "sampling": astuple(sampling),
        }
        return hashlib.blake2b(_canonical(self.head | content), digest_size=16).hexdigest()

    def _message(self, message: Message) -> Any:
        shown = message.shows
        if shown is not None and shown.video is not None:
            shown = replace(shown, video=self._content(shown.video))
        return astuple(replace(message, shows=shown))

    def counts(self) -> Counts:
        """What the cache holds; see `Counts`."""
        size = os.fstat(self._file).st_size
        return Counts(len(self._places), size, self._hits, self._misses)

    def close(self) -> None:
        """Let the disk keep everything, and close the journal."""
        if self._file >= 0:
            os.fsync(self._file)
            os.close(self._file)
            self._file = -1

    def _content(self, path: str) -> str:
        """Hash of a file, read again only when it changed; its name if it cannot be read."""
        try:
            status = os.stat(path)  # noqa: PTH116 - half the time of Path.stat, at every hit
            state = (status.st_mtime_ns, status.st_size)
            known = self._files.get(path)
            if known is None or known[0] != state:
                self._files[path] = known = (state, file_hash(path, self._memo))
            return known[1]
        except OSError:
            return path  # the engine says what is wrong with it

    def _open(self) -> None:
        """Write or check the head, then read what is there."""
        head = _canonical(self.head) + b"\n"
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            size = os.fstat(self._file).st_size
            start = os.pread(self._file, len(head), 0)
            if start != head:
                if not head.startswith(start):
                    raise AnswersError(
                        f"{self.path}: belongs to another model or protocol, or is no journal of "
                        "answers. Move it away."
                    )
                # Empty, or cut off within the head: there is nothing to lose.
                os.ftruncate(self._file, 0)
                os.write(self._file, head)
            elif os.pread(self._file, 1, size - 1) != b"\n":
                os.write(self._file, b"\n")  # closes a record that was cut off
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._read = len(head)
        self._catch_up()

    def _catch_up(self) -> None:
        """Note the records that were appended since the last look."""
        end = os.fstat(self._file).st_size
        if end <= self._read:
            return
        with open(self.path, "rb") as file:  # noqa: PTH123
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):
                    break  # being written
                with suppress(ValueError, KeyError, TypeError):  # cut off, by a power cut say
                    record = json.loads(line)
                    key, n = str(record["key"]), len(record["answers"])
                    if n >= self._places.get(key, (0, 0, 0))[2]:
                        self._places[key] = (self._read, len(line), n)
                self._read += len(line)

    def _find(self, key: str, n: int) -> list[Completion] | None:
        if n == 0:
            return []
        offset, size, stored = self._places.get(key, (0, 0, 0))
        if stored < n:
            return None
        try:
            record = json.loads(os.pread(self._file, size, offset))
            return [_completion(a) for a in record["answers"][:n]]
        except (ValueError, KeyError, TypeError):  # the disk lost it since
            del self._places[key]
            return None

    def _append(self, key: str, answers: Sequence[Completion]) -> None:
        record = {"key": key, "answers": [list(vars(a).values()) for a in answers]}
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            size = os.fstat(self._file).st_size
            if os.pread(self._file, 1, size - 1) != b"\n":  # another process died while writing
                line = b"\n" + line
            written = os.write(self._file, line)
            if written != len(line):  # the disk is full: what is there is no record
                raise AnswersError(
                    f"{self.path}: only {written} of {len(line)} bytes were written. Make room on "
                    "the disk; answers so far are kept."
                )
        except OSError as error:
            raise AnswersError(
                f"{self.path}: cannot be written ({error.strerror}). Make room on the disk; "
                "answers so far are kept."
            ) from None
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        if time.monotonic() - self._synced >= self.fsync_seconds:
            os.fsync(self._file)
            self._synced = time.monotonic()
        self._catch_up()


def content_of(sample: Sample, read: Callable[[str], str]) -> dict[str, Any]:
    """All of a sample, with the content of its video or picture in place of the path.

    Args:
        sample: The question.
        read: (path) -> what stands for the content of the file.
    """
    found: dict[str, Any] = vars(sample) | {"meta": dict(sample.meta)}
    for part, name in ((found, "video"), (found["meta"], "image")):
        if part.get(name) is not None:
            part[name] = read(str(part[name]))
    return found


def sample_key(memo: Path) -> Callable[[Sample], str]:
    """(question) -> what tells it from all others, its gold included: 32 hexadecimal digits.

    A video is read when a question about it is looked at, and only once.

    Args:
        memo: As of `file_hash`; not used where there is no such folder.
    """
    known = memo if memo.is_dir() else None

    @cache
    def read(path: str) -> str:
        try:
            return file_hash(path, known)
        except OSError:
            return path  # who decodes it says what is wrong

    def key(sample: Sample) -> str:
        content = _canonical(content_of(sample, read))
        return hashlib.blake2b(content, digest_size=16).hexdigest()

    return key


def _completion(fields: Sequence[Any]) -> Completion:
    text, ids, logprobs, finished, prompt_tokens, frames = fields
    return Completion(text, tuple(ids), tuple(logprobs), finished, prompt_tokens, frames)


def _canonical(value: Any) -> bytes:
    """The same bytes for equal values; what JSON does not know is taken by its repr."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=repr)
    return text.encode()
