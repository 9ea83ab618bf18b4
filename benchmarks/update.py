"""The update alone: forward and backward of one group's log-probabilities, three ways.

- packed: `score_packed`, the prompt once a group;
- rows: `score_rows`, the prompt once an answer, the vision tower once a group;
- naive: one row an answer with its own copy of the pixels, which is what trainers do that know no
  groups (the part `step` measures stock TRL itself).

On a CPU each measurement runs in a forked process, in turn, so that the peak memory is its own, and
under a limit of memory, so that what does not fit fails there and not on the machine. CPU seconds
of one thread are counted: other work on the machine lengthens them little.

`--device cuda` measures a model of the sizes of Qwen2.5-VL-3B with random weights in bfloat16 with
gradient checkpointing instead; seconds are then those of the clock.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import workload
from reproductions.shared.models.sizes import (
    SIZES,
    Architecture,
    Clip,
    text_flops,
    vision_flops,
)

CLIPS = {512: "16x224", 2048: "16x448", 4096: "32x448"}
"""Video tokens -> frames x side in pixels."""
SUBSET = ((512, 64, 16), (512, 128, 8), (2048, 128, 4), (4096, 128, 8))
"""(P, R, G) that are measured in three minutes."""
FULL = tuple((p, r, g) for p in CLIPS for r in (64, 128, 512) for g in (4, 8, 16))
ROUNDS, PATIENCE = 3, 8.0
"""Rounds of each size; after this many seconds no further round of the slow ways is begun."""
MEMORY_SHARE = 0.6
"""Share of the machine's memory that one measurement may take."""
WAYS = ("packed", "rows", "naive")
PEAK = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "A10": 125e12}
"""GPU -> dense bfloat16 operations a second, from the vendor's data sheets."""
SIZE = {"p": "P", "r": "R", "g": "G"}
TIME = SIZE | {
    "packed_s": "packed, s",
    "rows_ratio": "rows / packed",
    "token_limit": "token limit",
    "rows_limit": "FLOP limit",
    "naive_ratio": "naive / packed",
    "naive_limit": "FLOP limit",
}
MEMORY = SIZE | {
    "packed_mib": "packed, MiB",
    "rows_mib": "rows, MiB",
    "naive_mib": "naive, MiB",
    "rounds": "rounds",
}
GPU = TIME | {"tokens_per_s": "tokens a second", "mfu": "MFU, %"} | MEMORY
"""Key of a record -> heading of its column; TIME and MEMORY are a table of the page each."""


def token_limit(prompt: int, answer: int, group: int) -> float:
    """How many times fewer language-model tokens a packed group has than its rows."""
    return group * (prompt + answer) / (prompt + group * answer)


def flops(
    sizes: Architecture, way: str, prompt: int, answer: int, group: int, clip: tuple[int, int]
) -> float:
    """Floating-point operations of a forward and a backward, each attention pair counted once.

    Args:
        sizes: The model's sizes.
        way: One of `WAYS`.
        prompt: P, tokens of the prompt, video tokens included.
        answer: R, tokens of one answer.
        group: G, answers.
        clip: Temporal steps of the video and patches a step.
    """
    if way == "packed":
        tokens = prompt + group * answer
        pairs = prompt * prompt / 2 + group * (answer * prompt + answer * answer / 2)
    else:
        tokens = group * (prompt + answer)
        pairs = group * (prompt + answer) ** 2 / 2
    language = text_flops(sizes.text, tokens, pairs, group * answer)
    steps, patches = clip
    seen = Clip(steps, patches, steps * patches // sizes.vision.merge**2)
    embedding, tower = vision_flops(sizes.vision, seen)
    towers = group if way == "naive" else 1
    # Backward is twice the forward, but nobody needs the gradient of the pixels.
    return 3 * language + towers * (2 * embedding + 3 * tower)


def _forward(model: Any, way: str, prompt: Any, answer: int, group: int) -> Any:
    """Log-probabilities of `group` answers of `answer` tokens, float [G, R]."""
    import torch

    from reproductions.shared.training.forward import Part, score_packed, score_rows

    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(20, 200, (group, answer), generator=generator).to(model.device)
    mask = torch.ones_like(ids)
    parts = [Part(prompt, 0, group)]
    if way == "naive":  # no two rows hold the same view
        parts = [
            Part(replace(prompt, views=tuple(dict(v) for v in prompt.views)), i, i + 1)
            for i in range(group)
        ]
    score = score_packed if way == "packed" else score_rows
    return score(model, parts, ids, mask)[0]


def _update(model: Any, way: str, prompt: Any, answer: int, group: int) -> tuple[float, float]:
    """One forward and backward; returns CPU seconds and MiB of memory beyond the model."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.process_time()
    _forward(model, way, prompt, answer, group).mean().backward()
    seconds = time.process_time() - begin
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return seconds, kib / 2 ** (20 if sys.platform == "darwin" else 10)


def memory_limit() -> int:
    """Bytes that one measurement may take."""
    return int(MEMORY_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def within(limit: int, work: Callable[..., Any], *arguments: Any) -> Any:
    """Do `work` in a forked process that may take `limit` bytes more; None if it needs more.

    `work` is a function of a module, and its arguments can be pickled.
    """
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(1, mp_context=fork) as pool:
        try:
            return pool.submit(_limited, limit, work, *arguments).result()
        except (MemoryError, BrokenProcessPool):
            return None
        except RuntimeError as error:
            if "allocate memory" in str(error):  # torch's own words
                return None
            raise


def _limited(limit: int, work: Callable[..., Any], *arguments: Any) -> Any:
    status = Path("/proc/self/status")
    if status.exists():  # Linux: what malloc and mmap hand out, on top of what is there
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        limit += int(fields["VmData"].split()[0]) * 1024
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    return work(*arguments)


_shared: dict[str, Any] = {}  # what forked processes find in memory


def _forked(way: str, answer: int, group: int) -> tuple[float, float]:
    return _update(_shared["model"], way, _shared["prompt"], answer, group)


Found = dict[str, list[tuple[float, float]]]


def _record(
    sizes: Architecture, prompt: Any, answer: int, group: int, found: Found
) -> dict[str, Any]:
    """A row of the tables from (seconds, MiB) of each way; a way without any does not fit."""
    length = len(prompt.ids)
    steps, height, width = prompt.video["video_grid_thw"][0].tolist()
    clip = (steps, height * width)
    need = {way: flops(sizes, way, length, answer, group, clip) for way in WAYS}
    middle = {way: median(s for s, _ in found[way]) for way in WAYS if found[way]}
    record: dict[str, Any] = {"p": length, "r": answer, "g": group}
    record["rounds"] = max(len(found[way]) for way in WAYS[1:])
    record["token_limit"] = round(token_limit(length, answer, group), 2)
    for way in WAYS:
        fits = way in middle
        record[f"{way}_s"] = round(middle[way], 3) if fits else None
        record[f"{way}_mib"] = round(median(m for _, m in found[way])) if fits else None
        if way != "packed":
            both = fits and "packed" in middle
            record[f"{way}_ratio"] = round(middle[way] / middle["packed"], 2) if both else None
            record[f"{way}_limit"] = round(need[way] / need["packed"], 2)
    return record


def measure(full: bool = False) -> list[dict[str, Any]]:
    """One record a size.

    Args:
        full: All 27 sizes instead of four; about an hour and a half.
    """
    import torch

    with tempfile.TemporaryDirectory() as folder:
        checkpoint = workload.prepare(Path(folder))
        model = workload.load(checkpoint, fused=True)
        encode = workload.encoder(checkpoint, model)
    _shared["model"] = model
    with torch.no_grad():  # load what is loaded lazily; a backward here would not survive the fork
        _forward(model, "packed", encode(workload.question(CLIPS[512])), 8, 2)
    limit = memory_limit()
    records = []
    for video_tokens, answer, group in FULL if full else SUBSET:
        prompt = _shared["prompt"] = encode(workload.question(CLIPS[video_tokens]))
        found: Found = {way: [] for way in WAYS}
        missing: set[str] = set()
        spent = 0.0
        for turn in range(ROUNDS):
            # The quick way is measured in every round, between the slow ones.
            for way in WAYS if not turn or spent < PATIENCE else WAYS[:1]:
                if way in missing:
                    continue
                one = within(limit, _forked, way, answer, group)
                if one is None:
                    missing.add(way)
                    continue
                found[way].append(one)
                spent += one[0]
        records.append(_record(workload.SIZES, prompt, answer, group, found))
        print(f"update: P={len(prompt.ids)} R={answer} G={group} done", file=sys.stderr)
    return records


# --- on a GPU ------------------------------------------------------------------------------------


def measure_cuda(
    full: bool = False, sizes: Architecture = SIZES["qwen2_5_vl", "3B"], device: str = "cuda"
) -> list[dict[str, Any]]:
    """The same on a GPU, with tokens a second (of the packed row) and MFU.

    MFU counts the operations of one forward and one backward; gradient checkpointing, which adds a
    forward, lowers it.

    Args:
        full: All 27 sizes instead of four.
        sizes: The model's sizes.
        device: Where; anything but "cuda" is for tests.

    Raises:
        RuntimeError: There is no GPU.
    """
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise RuntimeError("no GPU here: torch sees no CUDA device. Leave out --device cuda.")
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = workload.prepare(Path(folder))
        model = workload.of_sizes(checkpoint, sizes, device)
        encode = workload.encoder(checkpoint, model)
    name = torch.cuda.get_device_name() if device == "cuda" else device
    peak = next((p for key, p in PEAK.items() if key in name), None)
    records = []
    for video_tokens, answer, group in FULL if full else SUBSET:
        prompt = encode(workload.question(CLIPS[video_tokens]))
        found: Found = {way: [] for way in WAYS}
        for turn in range(ROUNDS + 1):
            for way in WAYS:
                one = _update_cuda(model, way, prompt, answer, group)
                if one is not None and turn:  # the first one compiles
                    found[way].append(one)
        record = _record(sizes, prompt, answer, group, found) | {"gpu": name}
        if record["packed_s"]:
            tokens = record["p"] + group * answer
            record["tokens_per_s"] = round(tokens / record["packed_s"])
            steps, height, width = prompt.video["video_grid_thw"][0].tolist()
            need = flops(sizes, "packed", record["p"], answer, group, (steps, height * width))
            mfu = 100 * need / record["packed_s"] / peak if peak else None
            record["mfu"] = None if mfu is None else round(mfu, 1)
        records.append(record)
        print(f"update on {name}: P={record['p']} R={answer} G={group} done", file=sys.stderr)
    return records


def _update_cuda(
    model: Any, way: str, prompt: Any, answer: int, group: int
) -> tuple[float, float] | None:
    """Seconds and MiB beyond the model of one forward and backward; None: it does not fit."""
    import torch

    gpu = model.device.type == "cuda"
    model.zero_grad(set_to_none=True)
    if gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        torch.cuda.synchronize()
    begin = time.perf_counter()
    try:
        _forward(model, way, prompt, answer, group).float().mean().backward()
    except torch.OutOfMemoryError:
        return None
    if gpu:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - begin
    mib = (torch.cuda.max_memory_allocated() - before) / 2**20 if gpu else 0.0
    return seconds, mib
