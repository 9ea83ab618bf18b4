"""A token of a rollout: the prompt's keys kept once a group, or copied for each answer.

- shared: `PrefixCache`; each token attends to the one copy of its prompt's keys.
- copied: the cache of transformers, expanded to a row an answer. It is copied whole for each token,
  because its tensors grow by concatenation.

Seconds of a token are those from the end of the prefill to the end of the rollout, for all answers
of the batch together. CPU seconds of one thread; memory as in `update`.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import update, workload
from reproductions.shared.inference.engine import Request, Sampling

TOKENS, ROUNDS = 17, 3
CASES: tuple[tuple[str, str | None, int, int], ...] = (
    ("200 text questions", None, 200, 1),
    ("16 frames 224 px", "16x224", 1, 16),
    ("16 frames 448 px", "16x448", 1, 8),
    ("16 frames 448 px", "16x448", 1, 16),
    ("32 frames 448 px", "32x448", 1, 8),
    ("32 frames 448 px", "32x448", 1, 16),
)
"""Name, clip (None: text), prompts, answers a prompt."""
WAYS = ("shared", "copied")
HEADER = {
    "work": "work",
    "p": "P",
    "prompts": "prompts",
    "g": "G",
    "prefill_s": "prefill, s",
    "shared_ms": "shared, ms a token",
    "copied_ms": "copied, ms a token",
    "ratio": "copied / shared",
    "shared_mib": "shared, MiB",
    "copied_mib": "copied, MiB",
}
"""Key of a record -> heading of its column."""


def _roll(way: str, requests: list[Request]) -> tuple[float, float, float]:
    """CPU seconds of the prefill and of a token, and MiB beyond the model."""
    from reproductions.shared.inference.hf import HFGenerator
    from reproductions.shared.models.attention import PrefixCache

    if way == "copied":
        PrefixCache.fits = staticmethod(lambda config: False)  # type: ignore[method-assign]
    model = update._shared["model"]
    ends: list[float] = []  # of each call of the model, the prefill first
    hook = model.register_forward_hook(lambda *_: ends.append(time.process_time()))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.process_time()
    HFGenerator(model, update._shared["encode"]).generate(
        requests, Sampling(1.0, max_new_tokens=TOKENS)
    )
    end = time.process_time()
    hook.remove()
    assert len(ends) == TOKENS, "the answers were computed in several batches"
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    mib = kib / 2 ** (20 if sys.platform == "darwin" else 10)
    return ends[0] - begin, (end - ends[0]) / (TOKENS - 1), mib


def measure(full: bool = False) -> list[dict[str, Any]]:
    """One record a size; `full` makes no difference."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = workload.prepare(Path(folder))
        model = workload.load(checkpoint)
        encode = workload.encoder(checkpoint, model)
    forbidden = [*encode.forbidden_ids(), encode.tokenizer.eos_token_id]
    encode.forbidden_ids = lambda: forbidden  # type: ignore[method-assign]
    update._shared.update(model=model, encode=encode)
    records = []
    for name, clip, prompts, group in CASES:
        requests = [
            Request(workload.question(clip, str(i), f"{workload.INSTRUCTION} {i}"), group)
            for i in range(prompts)
        ]
        length = max(len(encode(r.sample).ids) for r in requests)  # encoded before the fork
        found: dict[str, list[tuple[float, float, float]]] = {way: [] for way in WAYS}
        for _ in range(ROUNDS):
            for way in WAYS:
                one = update.within(update.memory_limit(), _roll, way, requests)
                if one is not None:
                    found[way].append(one)
        token = {way: median(t for _, t, _ in found[way]) for way in WAYS}
        record: dict[str, Any] = {"work": name, "p": length, "prompts": prompts, "g": group}
        record["prefill_s"] = round(median(s for s, _, _ in found["shared"]), 3)
        for way in WAYS:
            record[f"{way}_ms"] = round(1000 * token[way], 1)
            record[f"{way}_mib"] = round(median(m for _, _, m in found[way]))
        record["ratio"] = round(token["copied"] / token["shared"], 2)
        records.append(record)
        print(f"rollout: {name}, G={group} done", file=sys.stderr)
    return records
