"""From measurements to docs/performance.json and docs/performance.md.

The page is a function of the JSON file alone, so the two cannot drift apart (a test compares them).
Each part keeps the machine and the date of its own measurement.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks import cli, long_video, questions, rollout, step, update

DOCS = Path(__file__).resolve().parents[1] / "docs"
PACKAGES = ("torch", "transformers", "trl", "av")
Record = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """What the page says about one part.

    Attributes:
        title: Heading.
        text: What is compared with what, Markdown.
        headers: For each of its tables, key of a record -> heading of its column.
    """

    title: str
    text: str
    headers: tuple[Mapping[str, str], ...]


PARTS = {
    "update": Part(
        "The update",
        "Forward and backward of one group, the part that grows with the prompt. *packed* is what "
        "runs by default: one row `[prompt, answer 1 .. answer G]` and the vision tower once. "
        "*rows* is `--set train.shared_prefix=false`: the prompt G times, the tower once. *naive* "
        "is what trainers do that know no groups: prompt and pixels G times; stock TRL's own "
        "update is in the next section. The token limit is G (P + R) / (P + G R). The FLOP "
        "limits count attention pairs and the vision tower as well; the tower is the same work in "
        "*packed* and *rows*, so that limit is lower, and it is G times the work in *naive*, so "
        "that one is higher. Limits count operations, not memory traffic or how well kernels use "
        "the core, so a ratio can exceed its limit; what is lost below it is mostly the tower, "
        "whose attention over windows of 64 patches is hundreds of small calls, equally many in "
        "*packed* and *rows*. MiB is the growth of the peak memory during "
        "forward and backward; *needs more*: than 60 % of the machine's memory.",
        (update.TIME, update.MEMORY),
    ),
    "update_cuda": Part(
        "The update on a GPU",
        "The same with a model of the sizes of Qwen2.5-VL-3B, random weights, bfloat16 and "
        "gradient checkpointing; seconds of the clock. Tokens a second are those of the packed "
        "row. MFU counts one forward and one backward, so that checkpointing lowers it.",
        (update.GPU,),
    ),
    "step": Part(
        "A whole GRPO step",
        "Rollout, rewards, update and optimiser; first in groups of eight answers, then one group "
        "a step in every size of the first section, ours against stock TRL. Stock TRL takes no "
        "video; for video work it gets half as many images as the clip has frames, which are as "
        "many vision tokens. All variants write the same number of tokens. Decoding and processing "
        "of the clip are left out everywhere, which flatters the naive variant: real ones decode "
        "each clip again. *update* is all but the rollout. The limits are those of the update and "
        "the rollout's as well: it reads and writes the same tokens, without a backward. A "
        "rollout can exceed them, because stock TRL copies the keys of the prompt for every token "
        "of every answer. *needs more*: than 60 % of the machine's memory.",
        (step.HEADER, step.GRID_HEADER),
    ),
    "rollout": Part(
        "A token of a rollout",
        "All answers of a batch one token further. *shared* keeps the keys of a prompt once a "
        "group; *copied* is the cache of transformers with a row an answer, which is copied whole "
        "for each token. Both prefill a prompt once.",
        (rollout.HEADER,),
    ),
    "long_video": Part(
        "Long videos",
        "Memory of the packed update grows with P + G R, that of rows with G (P + R). First a "
        "whole training step in a process that may take 8 GiB; then the update alone for growing "
        "P. The plain path can be made to fit by taking one answer at a time, at G times the "
        "seconds shown.",
        (long_video.STEP, long_video.UPDATE),
    ),
    "questions": Part(
        "Questions about a video",
        "Evaluation with three questions a video, greedy answers of 16 tokens, decoding included. "
        "*ours* asks them together: the video is decoded and encoded once, and the language model "
        "reads it once. *apart* asks as many questions about as "
        "many videos, so that nothing is shared: one encoding a question. CPU seconds of the "
        "process, all its threads.",
        (questions.HEADER,),
    ),
    "decode": Part(
        "Decoding",
        "32 frames at full size out of a 60 s clip of 1280 x 720 at 30 fps, H.264, one thread, "
        "wall seconds, each library as its documentation shows it. Ratio: how many times as "
        "long as ours.",
        (
            {
                "reader": "reader",
                "gop_30": "key frame each 30, s",
                "gop_30_ratio": "ratio",
                "gop_250": "key frame each 250, s",
                "gop_250_ratio": "ratio",
            },
        ),
    ),
    "rewards": Part(
        "Rewards",
        "The reward stack of Video-R1 (accuracy by problem type, format, length bonus) on "
        "completions of 50 to 400 words, and math_verify on the same completions, which several "
        "published rewards ask for every answer. Wall seconds, one thread.",
        (
            {
                "name": "rewards",
                "completions": "completions",
                "seconds": "s",
                "per_second": "completions a second",
            },
        ),
    ),
    "cli": Part(
        "The command line",
        "CPU seconds of the whole process, start of Python included. *Warm* means that the parsed "
        "catalogue is cached.",
        (cli.HEADER,),
    ),
}
"""In the order of the page."""


def machine() -> Record:
    """Where and with what it was measured."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text(encoding="utf-8").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gib": round(memory),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions,
    }


def part(command: str, records: Sequence[Record], load: float) -> Record:
    """One measured part with everything that is needed to judge it.

    Args:
        command: The shell line that repeats it.
        records: Its rows.
        load: The machine's load average when it began.
    """
    return {
        "command": command,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "load": round(load, 1),
        "machine": machine(),
        "records": list(records),
    }


def tables(name: str, records: Sequence[Record]) -> str:
    """The rows of a part as Markdown tables; columns that no row has are left out."""
    lines: list[str] = []
    for columns in PARTS[name].headers:
        header = {k: h for k, h in columns.items() if any(k in r for r in records)}
        first = next(iter(columns))
        lines += [
            f"| {' | '.join(header.values())} |",
            f"|{'|'.join('---' if _is_text(records, k) else '--:' for k in header)}|",
            *(
                f"| {' | '.join(_cell(r.get(k), k) for k in header)} |"
                for r in records
                if first in r
            ),
            "",
        ]
    return "\n".join(lines[:-1])


def remarks(name: str, records: Sequence[Record]) -> list[str]:
    """What a reader must not overlook: where ours is not the fastest, and targets that are missed.

    Derived from the rows, so that a new measurement cannot leave an old claim behind.
    """
    found = []
    for r in records:
        if name == "step" and r.get("ratio", 1.0) < 1:
            found.append(f"{r['variant']} is faster than ours on {r['work']} ({r['ratio']:.2f}).")
        if name == "step" and (r.get("step_ratio") or 1.0) < 1:
            size = f"P={r['grid_p']}, R={r['r']}, G={r['g']}"
            found.append(f"Stock TRL is faster than ours at {size} ({r['step_ratio']:.2f}).")
        if name == "update" and r["rows_ratio"] is not None and r["rows_ratio"] < 1:
            found.append(f"Packing is slower than rows at P={r['p']}, R={r['r']}, G={r['g']}.")
        if name == "rollout" and r["ratio"] < 1:
            found.append(f"Copied keys are faster than shared ones: {r['work']}, G={r['g']}.")
        if name == "questions" and r["ratio"] < 1:
            found.append(f"One encoding a question is faster than ours on {r['engine']}.")
        if name == "cli" and r.get("target") and r["seconds"] > r["target"]:
            found.append(f"{r['command']} misses its target of {r['target']} s.")
        for gop in (30, 250):
            if (
                name == "decode"
                and r.get(f"gop_{gop}_ratio", 1.0) < 1
                and "ours" not in r["reader"]
            ):
                found.append(f"{r['reader']} is faster than ours with a key frame each {gop}.")
        if r.get("not_run"):
            found.append(f"Not measured: {r['reader']}, {r['not_run']}.")
    return found


def section(name: str, measured: Record) -> str:
    """One part as Markdown: text, table, remarks, command, machine."""
    words = PARTS[name]
    where = measured["machine"]
    versions = ", ".join(f"{k} {v}" for k, v in where["versions"].items())
    rows = [r for r in measured["records"] if not r.get("not_run")]
    notes = remarks(name, measured["records"])
    lines = [f"## {words.title} {{ #{name} }}", "", words.text, "", tables(name, rows), ""]
    if notes:
        lines += [*(f"- {note}" for note in notes), ""]
    lines += [
        f"`{measured['command']}`, {measured['date']}: {where['cpu']}, {where['cores']} cores, "
        f"{where['memory_gib']} GiB, {where['system']}; {versions}. "
        f"Load average at the start: {measured['load']}.{measured.get('note', '')}",
        "",
    ]
    return "\n".join(lines)


def page(parts: Mapping[str, Record]) -> str:
    """docs/performance.md."""
    head = """---
description: Time and memory of a GRPO step, of decoding, of rewards and of the command line.
---

# Performance

<!-- Written by `python -m benchmarks --write` from performance.json; do not edit. -->

Times of one machine say little about another one, so read the ratios. Everything in a table was
measured in one run, the variants in turn, and medians of the rounds are shown. Training is counted
in CPU seconds of one thread, which hardly grow when the machine has other work; it had, see the
load averages. The model of the first two tables is small (4.2 M parameters in the language model,
1 M in the vision tower, random weights) and has the proportions of Qwen2.5-VL-3B; in a larger one
attention weighs less beside the linear layers, so ratios come closer to the token limit.
"""
    if "update_cuda" not in parts:
        head += """
Nothing here was measured on a GPU. `python -m benchmarks --only update --device cuda --write`
measures the update there on a model of the sizes of Qwen2.5-VL-3B; it has not been run.
"""
    return "\n".join([head, *(section(n, parts[n]) for n in PARTS if n in parts)])


def write(parts: Mapping[str, Record], folder: Path = DOCS) -> None:
    """Merge parts into performance.json and write the page anew."""
    path = folder / "performance.json"
    known: dict[str, Record] = {}
    if path.exists():
        known = json.loads(path.read_text(encoding="utf-8"))
    known |= parts
    ordered = {name: known[name] for name in PARTS if name in known}
    path.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
    (folder / "performance.md").write_text(page(ordered), encoding="utf-8")


def _is_text(records: Sequence[Record], key: str) -> bool:
    return any(isinstance(r.get(key), str) for r in records)


def _cell(value: Any, key: str = "") -> str:
    if value is None:
        return "needs more" if key.endswith("_mib") or key == "stock_s" else ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
