"""Read untrusted video files in a worker process that may be killed.

Decoders hang, crash and eat memory on damaged files, and no exception handler helps then. Here
one warm worker process decodes (it imports numpy and PyAV, never torch), with a limit on time and
memory; whatever happens to it, the caller gets a `Clip` or a `Quarantined` with the reason, never
an exception about the file and never other frames in place of the asked ones. The worker answers
in JSON and raw pixels: nothing it sends is executed.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import json
import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from reproductions.shared.video.decode import Clip, VideoError, probe, read_frames
from reproductions.shared.video.spec import FrameSpec, VideoInfo

TIMEOUT = 60.0
"""Seconds a file may take; 32 frames of an hour of 1080p take about ten."""

START_TIMEOUT = 120.0
"""Seconds that the worker may take to import its libraries, on a busy machine."""

MEMORY_LIMIT = 4 * 1024**3
"""Bytes that decoding one file may need beside the worker itself."""


@dataclass(frozen=True)
class Quarantined:
    """A file that gave no frames.

    Attributes:
        path: As it was asked for.
        kind: One word, see `VideoError.kind`.
        reason: What is wrong and what to do.
    """

    path: str
    kind: str
    reason: str


class Quarantine:
    """The files of a run that gave no frames; kept in memory and, with a path, on disk.

    Args:
        path: JSON-lines file to append to, one record a file: path, kind, reason.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path) if path is not None else None
        self._items: dict[str, Quarantined] = {}

    def add(self, item: Quarantined) -> None:
        """Note a file; a file that is noted already is not written again."""
        if item.path in self._items:
            return
        self._items[item.path] = item
        if self.path is not None:
            # One write of one line: processes that append to the same file do not mix.
            with self.path.open("a", encoding="ascii") as file:
                file.write(json.dumps(asdict(item)) + "\n")

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Quarantined]:
        return iter(list(self._items.values()))

    def __contains__(self, path: str | Path) -> bool:
        return str(path) in self._items


class Worker:
    """One warm decoding process; restarted after it was killed, safe to share by threads.

    A forked child starts a process of its own.

    Args:
        memory_limit: Bytes that decoding one file may need.
    """

    def __init__(self, memory_limit: int = MEMORY_LIMIT) -> None:
        self.memory_limit = memory_limit
        self._forget()
        this = weakref.ref(self)

        def after_fork() -> None:
            worker = this()
            if worker is not None:
                worker._forget()

        os.register_at_fork(after_in_child=after_fork)

    def _forget(self) -> None:
        """Begin without a process; a forked child must not talk into its parent's pipes."""
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the process if it does not run; a call does it by itself."""
        if self._process is not None:
            if self._process.poll() is None:
                return
            self.stop()
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
            # Thread pools would reserve address space, which the memory limit counts.
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        command = f"from {__name__} import serve; serve({self.memory_limit})"
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            bufsize=0,
        )
        assert self._process.stdout is not None
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            with contextlib.suppress(OSError):  # only slower without it
                fcntl.fcntl(self._process.stdout, fcntl.F_SETPIPE_SZ, 2**20)
        try:
            _receive(self._process.stdout.fileno(), 1, time.monotonic() + START_TIMEOUT)
        except (TimeoutError, EOFError) as error:
            self.stop()
            raise RuntimeError(
                "the decoding process does not start. Check that `import av` works in "
                f"{sys.executable}."
            ) from error

    def stop(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def call(
        self, path: str | Path, spec: FrameSpec | None, timeout: float
    ) -> Clip | VideoInfo | Quarantined:
        """Decode, or probe if `spec` is None; see `safe_read` and `safe_probe`."""
        with self._lock:
            name = os.fspath(path)
            self.start()
            request = {
                # Decoded names may hold surrogates; JSON escapes them and gives them back.
                "path": os.path.abspath(name),  # noqa: PTH100 (Path would not accept a zero byte)
                "spec": None if spec is None else spec.to_dict(),
                "timeout": timeout,
            }
            try:
                return self._exchange(name, request, time.monotonic() + timeout)
            except TimeoutError:
                self.stop()
                return Quarantined(
                    name, "timeout", f"{name}: not decoded within {timeout:g} s. Leave it out."
                )
            except (EOFError, OSError, ValueError) as error:
                code = self._process.wait() if self._process and self._died() else None
                self.stop()
                if code == -signal.SIGALRM:
                    kind, how = "timeout", f"took over {timeout:g} s"
                elif code is not None and code < 0:
                    kind, how = "crashed", f"ended the decoder with {signal.Signals(-code).name}"
                else:
                    kind, how = "crashed", f"ended the decoder ({error or type(error).__name__})"
                return Quarantined(name, kind, f"{name}: {how}. Leave it out.")
            except ImportError:
                raise
            except BaseException:
                self.stop()  # an interrupted answer must not be read by the next call
                raise

    def _died(self) -> bool:
        """Whether the process ends by itself within a moment."""
        assert self._process is not None
        try:
            self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _exchange(
        self, name: str, request: dict[str, Any], deadline: float
    ) -> Clip | VideoInfo | Quarantined:
        """Send one request and read its answer."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        pipe = self._process.stdout.fileno()
        length = int.from_bytes(_receive(pipe, 8, deadline), "little")
        answer = json.loads(_receive(pipe, length, deadline))
        if "import_error" in answer:
            raise ImportError(answer["import_error"])
        if "kind" in answer:
            return Quarantined(name, answer["kind"], answer["reason"])
        if "shape" not in answer:
            return VideoInfo.from_dict(answer)
        frames = np.empty(answer["shape"], np.uint8)
        _receive_into(pipe, frames.reshape(-1).data, deadline)
        return Clip.from_header(answer, frames)


def _receive(pipe: int, length: int, deadline: float) -> bytes:
    """Read so many bytes before the deadline."""
    data = bytearray(length)
    _receive_into(pipe, memoryview(data), deadline)
    return bytes(data)


def _receive_into(pipe: int, target: memoryview, deadline: float) -> None:
    """Fill `target` before the deadline.

    Raises:
        TimeoutError: If the deadline passes.
        EOFError: If the worker ends.
    """
    done = 0
    while done < len(target):
        ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        count = os.readv(pipe, [target[done:]])
        if not count:
            raise EOFError
        done += count


def serve(memory_limit: int) -> None:
    """The worker's loop: requests on stdin, answers on stdout, until stdin ends."""
    import av

    av.logging.set_level(None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not disturb the protocol
    if sys.platform == "linux":  # elsewhere address space cannot be limited
        used = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + memory_limit,) * 2)
    answers.write(b"!")  # ready: from here on a caller's seconds count
    answers.flush()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        # If the parent is gone, nobody else ends a decoder that hangs.
        signal.alarm(int(request["timeout"]) + 2)
        _answer(request, answers)
        signal.alarm(0)


def _answer(request: dict[str, Any], answers: IO[bytes]) -> None:
    """Decode and write one answer."""
    path = request["path"]
    frames = None
    try:
        if request["spec"] is None:
            record: dict[str, Any] = probe(path).to_dict()
        else:
            clip = read_frames(path, FrameSpec.from_dict(request["spec"]))
            record, frames = clip.header(), clip.frames
    except VideoError as error:
        record = {"kind": error.kind, "reason": str(error)}
    except ImportError as error:  # a fault of the installation: no file is to blame
        record = {"import_error": str(error)}
    except MemoryError:
        record = {"kind": "memory", "reason": f"{path}: needs too much memory. Leave it out."}
    except Exception as error:
        record = {"kind": "crashed", "reason": f"{path}: {type(error).__name__}: {error}"}
    data = json.dumps(record).encode()
    answers.write(len(data).to_bytes(8, "little") + data)
    if frames is not None:
        answers.write(frames.data)
    answers.flush()


_worker = Worker()
atexit.register(_worker.stop)


def safe_read(
    path: str | Path, spec: FrameSpec, timeout: float = TIMEOUT, worker: Worker | None = None
) -> Clip | Quarantined:
    """Decode in the worker process.

    Args:
        path: A local file; anything may be wrong with it.
        spec: Which frames, how large.
        timeout: Seconds for this file; starting the worker is not counted.
        worker: The process to use; default one for the whole program.

    Returns:
        The frames that were asked for, or why there are none.

    Raises:
        FrameSpecError: If the spec is wrong in itself: a mistake of the caller, not of the file.
        ImportError: If the spec asks for torchcodec and it is not installed.
    """
    spec.validate()
    answer = (worker or _worker).call(path, spec, timeout)
    assert not isinstance(answer, VideoInfo)
    return answer


def safe_probe(
    path: str | Path, timeout: float = TIMEOUT, worker: Worker | None = None
) -> VideoInfo | Quarantined:
    """Probe in the worker process; arguments and errors as in `safe_read`."""
    answer = (worker or _worker).call(path, None, timeout)
    assert not isinstance(answer, Clip)
    return answer
