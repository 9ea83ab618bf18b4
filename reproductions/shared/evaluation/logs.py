"""Prediction logs as strangers write them: their files, and items that stand there twice.

A log is a file of records with an answer each (JSON lines, JSON, CSV, TSV, xlsx, gzip), several
such files, or a folder of them; trackers write a text file of boxes a sequence.
"""

from __future__ import annotations

import importlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from reproductions.shared.evaluation.log_fields import FILE, LogError, key_of, seen
from reproductions.shared.evaluation.log_forms import (
    InteropError,
    answered,
    explode,
    flatten,
    joined,
    judged_pairs,
    read_track,
    read_xlsx,
)

# Loaded by name, as hub.py does with data sets: benchmarks lie beside the engine, not below it.
_files: Any = importlib.import_module("reproductions.benchmarks._files")

ENDINGS = (".json", ".jsonl", ".csv", ".tsv", ".xlsx", ".txt", ".log", ".parquet", ".gz")
MAX_FILES = 20_000


# -- files -----------------------------------------------------------------------------------------


def read_logs(
    paths: Sequence[Path], *, tracks: bool = False
) -> tuple[list[dict[str, Any]], list[str]]:
    """The records of files and of all files in folders, and what a reader must know.

    Args:
        paths: Files and folders.
        tracks: Whether text files are tracks: a box a line, a sequence a file.

    Raises:
        LogError: A file cannot be read, or there is no record.
    """
    files = [f for path in paths for f in _below(path, tracks)]
    parts: list[tuple[Path, list[dict[str, Any]]]] = []
    notes: list[str] = []
    for file in files:
        try:
            found = list(_records(file, tracks))
        except (_files.FileProblem, InteropError) as error:
            raise LogError(str(error)) from None
        kept = _without_summary(found)
        if len(kept) < len(found):
            names = ", ".join(sorted({str(r["key"]) for r in found if r not in kept})[:5])
            notes.append(f"{file.name}: {names} holds no answers and was left out.")
        parts.append((file, kept))
    with_answers = [any(map(answered, part)) for _, part in parts]
    if any(with_answers):  # a folder of a run also holds its settings and its scores
        other = [f.name for (f, _), full in zip(parts, with_answers, strict=True) if not full]
        parts = [part for part, full in zip(parts, with_answers, strict=True) if full]
        if other:
            notes.append(f"{', '.join(other[:5])} holds no answers and was left out.")
    records = [
        {FILE: file.name.partition(".")[0], **r} if len(parts) > 1 and not tracks else r
        for file, part in parts
        for r in part
    ]
    if not records:
        raise LogError(f"{', '.join(map(str, paths))}: holds no records.")
    if len(parts) > 1:
        notes.insert(0, f"{len(parts)} files were read as one log.")
    return records, notes


def _below(path: Path, tracks: bool) -> list[Path]:
    """The log files of a folder; a file stands for itself."""
    if not path.is_dir():
        return [path]
    endings = (".txt", ".csv") if tracks else ENDINGS
    found = sorted(f for f in path.rglob("*") if f.name.lower().endswith(endings) and f.is_file())
    if tracks:
        found = [f for f in found if not re.search(r"_(?:time|times|score|confidence)$", f.stem)]
    if not found:
        raise LogError(f"{path}: holds no log ({', '.join(endings)}). Name the folder of the log.")
    if len(found) > MAX_FILES:
        raise LogError(f"{path}: more than {MAX_FILES} files. Name the folder of one run.")
    return found


def _records(path: Path, tracks: bool) -> Iterator[dict[str, Any]]:
    name = path.name.lower()
    if name.endswith(".xlsx"):
        raw: list[dict[str, Any]] = read_xlsx(path)
    elif tracks and name.endswith((".txt", ".csv")):
        raw = [read_track(path)]
    else:
        raw = list(_special(path)) or [record for _, record in _files.read_records(path)]
    raw = [r for r in raw if set(r) != {"fingerprint"}]  # the head line of our own files
    for record in joined(flatten(r) for r in raw):
        yield from explode(record)


def _special(path: Path) -> Iterator[dict[str, Any]]:
    """JSON lines in a text file, and lists of (verdict, question) pairs; else nothing."""
    if not path.is_file() or path.stat().st_size > _files.MAX_BYTES:
        return
    name = path.name.lower()
    if not name.endswith((".txt", ".log", ".json")):
        return
    with path.open("rb") as stream:
        head = stream.read(64).removeprefix(b"\xef\xbb\xbf").split()
    if name.endswith((".txt", ".log")) and head and head[0].startswith(b"{"):
        with path.open(encoding="utf-8", errors="replace") as stream:
            for number, line in enumerate(stream, 1):
                try:
                    record = json.loads(line) if line.strip() else None
                except (ValueError, RecursionError) as error:
                    raise LogError(f"{path}:{number}: not JSON ({error}). Repair it.") from None
                if isinstance(record, dict):
                    yield record
    elif b"".join(head).startswith(b"[["):
        try:
            value = json.loads(path.read_text(encoding="utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise LogError(f"{path}: not JSON ({error}). Download it again.") from None
        yield from judged_pairs(value)


def _without_summary(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leaves out entries beside the answers, such as {"accuracy": .., "results": [..]}."""
    full = [r for r in records if answered(r)]
    if not full or len(full) == len(records):
        return records
    known = {k for r in full for k in r} - {"key", "id"}
    return [r for r in records if "key" not in r or answered(r) or known & set(r)]


# -- fields ----------------------------------------------------------------------------------------


# -- items -----------------------------------------------------------------------------------------


def unique(
    records: Sequence[dict[str, Any]],
    chosen: Mapping[str, str],
    repeats: str,
    counts: Counter[str],
    *,
    fixed: bool,
) -> tuple[dict[str, dict[str, Any]], list[str], Counter[str]]:
    """Item id -> record; the same answer twice counts once, two answers as `repeats` says.

    Also notes, and how often an item was answered in the same way.

    Args:
        records: The log.
        chosen: Role -> field.
        repeats: "refuse", "first", "last", or "all" to count every record.
        counts: Gets the numbers of repeats and conflicts.
        fixed: Whether ids are those of a gold file. If not, records with one id that ask something
            else (another question, gold, video or file) are items of their own.
    """
    name = chosen["id"]
    compared = chosen["prediction"] or chosen.get("verdict", "")
    asked = [chosen[r] for r in ("question", "gold", "video", "options") if chosen[r]]
    kept: dict[str, dict[str, Any]] = {}
    variants: dict[str, dict[str, str]] = {}
    times: Counter[str] = Counter()
    conflicts: list[str] = []
    renamed = 0
    for line, record in enumerate(records, 1):
        key = key_of(record, name) if name else str(line)
        if not fixed:
            what = json.dumps([record.get(f) for f in (*asked, FILE)], default=str, sort_keys=True)
            known = variants.setdefault(key, {})
            if what not in known:
                known[what] = key if not known else f"{key}~{len(known) + 1}"
                renamed += known[what] != key
            key = known[what]
        if key in kept and repeats == "all":
            counts["repeats"] += 1
            times[key] += 1
            kept[f"{key}~{times[key]}again"] = record
            continue
        if key not in kept:
            kept[key] = record
        elif kept[key].get(compared) == record.get(compared):
            counts["repeats"] += 1
            times[key] += 1
        else:
            conflicts.append(key)
            if repeats == "last":
                kept[key] = record
    if conflicts and repeats == "refuse":
        raise LogError(
            f"{len(conflicts)} records answer an item ({name}) once more and differently, for "
            f"example {', '.join(conflicts[:3])}. Choose --repeats first, last or all; or the id "
            f"is another field: --field id=NAME. The log has: {seen(records)}."
        )
    counts["conflicts"] = len(conflicts)
    notes = []
    if renamed:
        notes.append(
            f"{renamed} records share the {name} of another item but ask something else; they "
            "count as items of their own."
        )
    if counts["repeats"]:
        how = "too" if repeats == "all" else "once"
        notes.append(f"{counts['repeats']} repeated records were counted {how}.")
    if conflicts:
        notes.append(f"{len(conflicts)} items have several answers; the {repeats} one counts.")
    return kept, notes, Counter() if repeats == "all" else times


def by_video(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records of single events as one record a video; others stay as they are."""
    single = {"sentence", "caption", "timestamp", "segment", "start", "end"}
    if not all(single & set(r) and "key" in r for r in records):
        return records
    videos: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        videos.setdefault(str(record["key"]), []).append(
            {k: v for k, v in record.items() if k != "key"}
        )
    return [{"key": k, "prediction": events} for k, events in videos.items()]
