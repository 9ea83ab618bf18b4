"""Long videos in little memory, on prompts of up to 16 thousand tokens.

- A whole training step (rollout, rewards, update, optimiser) of three variants of `step`, each in a
  process of its own that may take `LIMIT` bytes beside the libraries. What needs more fails there,
  as it would on a GPU of that size.
- The update alone for growing P: packed; rows; and one answer at a time, which is how the plain
  path can be made to fit, at G times the seconds shown.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import step, update, workload

LIMIT = 8 * 2**30
CASE = step.Case("512 frames 224 px", "512x224", groups=1, answer=128)
CLIPS = ("128x224", "256x224", "512x224")
ANSWER, GROUP = 128, 8
STEP = {
    "work": "work",
    "p": "P",
    "r": "R",
    "g": "G",
    "variant": "variant",
    "limit_mib": "may take, MiB",
    "peak": "took, MiB",
    "seconds": "s a step",
}
UPDATE = {
    "update_p": "P",
    "r": "R",
    "g": "G",
    "packed_s": "packed, s",
    "packed_mib": "packed, MiB",
    "rows_s": "rows, s",
    "rows_mib": "rows, MiB",
    "alone_s": "one answer, s",
    "alone_mib": "one answer, MiB",
}
"""Key of a record -> heading of its column."""


def measure(full: bool = False) -> list[dict[str, Any]]:
    """One record a variant of the step, and one a length of the update.

    Args:
        full: Makes no difference.
    """
    records: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = workload.prepare(Path(folder))
        model = workload.load(checkpoint, fused=True)
        encode = workload.encoder(checkpoint, model)
        size = {"r": CASE.answer, "g": GROUP}
        prompt = len(encode(workload.question(CASE.video)).ids)
        for variant in step.VARIANTS["video"][:3]:
            one = update.within(LIMIT, step.alone, CASE, variant, checkpoint)
            record = {
                "work": CASE.name,
                "p": prompt,
                **size,
                "variant": variant,
                "limit_mib": LIMIT >> 20,
            }
            record["peak"] = "needs more" if one is None else f"{one[2]:,.0f}"
            record["seconds"] = None if one is None else round(one[0], 1)
            records.append(record)
            print(f"long video: {variant} done", file=sys.stderr)
    update._shared["model"] = model
    for clip in CLIPS:
        prompt = update._shared["prompt"] = encode(workload.question(clip))
        record = {"update_p": len(prompt.ids), "r": ANSWER, "g": GROUP}
        for name, way, group in (("packed", "packed", GROUP), ("rows", "rows", GROUP),
                                 ("alone", "rows", 1)):  # fmt: skip
            one = update.within(update.memory_limit(), update._forked, way, ANSWER, group)
            record[f"{name}_s"] = None if one is None else round(one[0], 1)
            record[f"{name}_mib"] = None if one is None else round(one[1])
        records.append(record)
        print(f"long video: update at P={len(prompt.ids)} done", file=sys.stderr)
    return records
