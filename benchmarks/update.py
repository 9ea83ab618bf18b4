"""The update alone: forward and backward of one group's log-probabilities, three ways.

- packed: `score_packed`, the prompt once a group;
- rows: `score_rows`, the prompt once an answer, the vision tower once a group;
- naive: one row an answer with its own copy of the pixels, which is what trainers do that know no
  groups.

Each measurement runs in a forked process, in turn, so that the peak memory is its own. CPU seconds
of one thread are counted: they do not grow when the machine has other work.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import workload

CLIPS = {512: "16x224", 2048: "16x448", 4096: "32x448"}
"""Video tokens -> frames x side in pixels."""
SUBSET = ((512, 64, 16), (512, 128, 8), (2048, 128, 4), (4096, 128, 8))
"""(P, R, G) that are measured in three minutes."""
FULL = tuple((p, r, g) for p in CLIPS for r in (64, 128, 512) for g in (4, 8, 16))
ROUNDS, PATIENCE = 3, 8.0
"""Rounds of each size; after this many CPU seconds no further round is begun."""
WAYS = ("packed", "rows", "naive")
SIZE = {"p": "P", "r": "R", "g": "G"}
TIME = SIZE | {
    "packed_s": "packed, s",
    "rows_ratio": "rows / packed",
    "rows_limit": "FLOP limit",
    "naive_ratio": "naive / packed",
    "naive_limit": "FLOP limit",
}
MEMORY = SIZE | {
    "token_limit": "token limit",
    "packed_mib": "packed, MiB",
    "rows_mib": "rows, MiB",
    "naive_mib": "naive, MiB",
    "rounds": "rounds",
}
"""Key of a record -> heading of its column; each a table of the page."""


def token_limit(prompt: int, answer: int, group: int) -> float:
    """How many times fewer language-model tokens a packed group has than its rows."""
    return group * (prompt + answer) / (prompt + group * answer)


def flops(model: Any, way: str, prompt: int, answer: int, group: int, patches: int) -> float:
    """Floating-point operations that a forward needs, attention pairs counted once each.

    Args:
        model: The model, for its sizes.
        way: One of `WAYS`.
        prompt: P, tokens of the prompt, video tokens included.
        answer: R, tokens of one answer.
        group: G, answers.
        patches: Vision patches of the video.
    """
    text, vision = model.config.get_text_config(), model.config.vision_config
    layers = sum(p.numel() for p in model.model.language_model.layers.parameters())
    tower = sum(p.numel() for p in model.model.visual.blocks.parameters())
    if way == "packed":
        tokens = prompt + group * answer
        pairs = prompt * prompt / 2 + group * (answer * prompt + answer * answer / 2)
    else:
        tokens = group * (prompt + answer)
        pairs = group * (prompt + answer) ** 2 / 2
    language = 2 * layers * tokens + 4 * text.hidden_size * text.num_hidden_layers * pairs
    head = 2 * text.vocab_size * text.hidden_size * group * answer
    window = (vision.window_size / vision.patch_size) ** 2
    attention = 4 * vision.hidden_size * vision.depth * patches * window
    vision_once = 2 * tower * patches + attention
    return float(language + head + vision_once * (group if way == "naive" else 1))


def _forward(model: Any, way: str, prompt: Any, answer: int, group: int) -> Any:
    """Log-probabilities of `group` answers of `answer` tokens, float [G, R]."""
    import torch

    from reproductions.shared.training.forward import Part, score_packed, score_rows

    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(20, 200, (group, answer), generator=generator)
    mask = torch.ones_like(ids)
    parts = [Part(prompt, 0, group)]
    if way == "naive":
        parts = [Part(prompt, i, i + 1) for i in range(group)]
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


_shared: dict[str, Any] = {}  # what forked processes find in memory


def _forked(way: str, answer: int, group: int) -> tuple[float, float]:
    return _update(_shared["model"], way, _shared["prompt"], answer, group)


def measure(full: bool = False) -> list[dict[str, Any]]:
    """One record a size.

    Args:
        full: All 27 sizes instead of four; most of an hour.
    """
    import torch

    with tempfile.TemporaryDirectory() as folder:
        checkpoint = workload.prepare(Path(folder))
        model = workload.load(checkpoint, fused=True)
        encode = workload.encoder(checkpoint, model)
    _shared["model"] = model
    with torch.no_grad():  # load what is loaded lazily; a backward here would not survive the fork
        _forward(model, "packed", encode(workload.question(CLIPS[512])), 8, 2)
    fork = multiprocessing.get_context("fork")
    records = []
    for video_tokens, answer, group in FULL if full else SUBSET:
        prompt = encode(workload.question(CLIPS[video_tokens]))
        _shared["prompt"] = prompt
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        memory: dict[str, list[float]] = {way: [] for way in WAYS}
        while not seconds["naive"] or (
            len(seconds["naive"]) < ROUNDS and sum(map(sum, seconds.values())) < PATIENCE
        ):
            for way in WAYS:
                with ProcessPoolExecutor(1, mp_context=fork) as pool:
                    one = pool.submit(_forked, way, answer, group).result()
                seconds[way].append(one[0])
                memory[way].append(one[1])
        middle = {way: median(seconds[way]) for way in WAYS}
        length = len(prompt.ids)
        patches = len(prompt.video["pixel_values_videos"])
        need = {way: flops(model, way, length, answer, group, patches) for way in WAYS}
        records.append(
            {"p": length, "r": answer, "g": group, "rounds": len(seconds["naive"])}
            | {f"{way}_s": round(middle[way], 3) for way in WAYS}
            | {f"{way}_mib": round(median(memory[way])) for way in WAYS}
            | {f"{way}_ratio": round(middle[way] / middle["packed"], 2) for way in WAYS[1:]}
            | {f"{way}_limit": round(need[way] / need["packed"], 2) for way in WAYS[1:]}
            | {"token_limit": round(token_limit(length, answer, group), 2)}
        )
        print(f"update: P={length} R={answer} G={group} done", file=sys.stderr)
    return records
