"""Question files as benchmarks publish them: JSON, JSON lines, CSV, TSV, parquet, plain text.

The files come from strangers: sizes are bounded, nothing is evaluated, and no name leaves the
folder of the videos.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any

from reproductions.shared.method import Sample

MAX_BYTES = 2 * 2**30
MAX_FIELD = 20_000_000
"""Longest CSV field, in characters; dense tubes are long."""


class FileProblem(ValueError):
    """A file that cannot be used: place, what is wrong, what to do."""


def read_records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(place, record) of a file; the place is a line, or the number of the record from 1.

    JSON: a list of records; or a mapping of ids to records, to lists of records or to single
    values, where the id is put under "key" (and a value under "value"). A mapping that holds one
    list of records under "data", "annotations", "questions", "results" or "videos" is that list.
    Text: lines of Charades-STA, "video start end##sentence".

    Raises:
        FileProblem: The file is missing, too large, empty, or not what its name says.
    """
    name = path.name.removesuffix(".gz").lower()
    try:
        if path.stat().st_size > MAX_BYTES:
            raise FileProblem(f"{path}: more than {MAX_BYTES} bytes. Split the file.")
        if name.endswith(".parquet"):
            yield from _parquet(path)
            return
        data = _bytes(path)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise FileProblem(
            f"{path}: {error.strerror or 'not readable'}. Check the path; download the file first."
        ) from None
    except UnicodeDecodeError as error:
        raise FileProblem(
            f"{path}: byte {error.start + 1} is no UTF-8. Save it as UTF-8."
        ) from None
    if not text.strip():
        raise FileProblem(f"{path}: is empty. Download it again.")
    if name.endswith((".csv", ".tsv")):
        # TGIF-QA publishes tables with tabs as .csv.
        tabs = name.endswith(".tsv") or "\t" in text.lstrip().partition("\n")[0]
        yield from _table(path, text, "\t" if tabs else ",")
    elif name.endswith(".txt"):
        yield from _sentences(path, text)
    elif not _whole(text) or (name.endswith(".jsonl") and text.lstrip()[0] != "["):
        yield from _lines(path, text)
    else:
        yield from _json(path, text)


def _bytes(path: Path) -> bytes:
    if not path.name.lower().endswith(".gz"):
        return path.read_bytes()
    try:
        with gzip.open(path) as stream:
            data = stream.read(MAX_BYTES + 1)
    except (gzip.BadGzipFile, EOFError) as error:
        raise FileProblem(f"{path}: no whole gzip file ({error}). Download it again.") from None
    if len(data) > MAX_BYTES:
        raise FileProblem(f"{path}: unpacks to more than {MAX_BYTES} bytes. Split the file.")
    return data


def _whole(text: str) -> bool:
    """Whether the text looks like one JSON value and not like JSON lines."""
    head = text.lstrip()
    if head[0] == "[":
        return True
    first = head.splitlines()[0].strip()
    return not (first.startswith("{") and first.endswith("}") and "\n" in head.strip())


def _no_constant(name: str) -> float:
    # NaN is published where a value is missing (pandas writes it); it is kept as a number.
    return float(name.replace("Infinity", "inf").lower())


def _lines(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise FileProblem(f"{path}:{number}: not JSON ({error}). Repair the line.") from None
        if not isinstance(record, dict):
            raise FileProblem(f"{path}:{number}: no object. Write one record a line.")
        yield number, record


_LISTS = (
    *("data", "annotations", "questions", "results", "videos", "database", "anno", "samples"),
    *("predictions", "outputs", "items", "submission"),
)


def _json(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise FileProblem(f"{path}: not JSON ({error}). Download it again.") from None
    if isinstance(value, dict):
        inner = [value[k] for k in _LISTS if isinstance(value.get(k), list | dict)]
        wrapped = len(value) == 1 or not all(isinstance(v, dict) for v in value.values())
        if len(inner) == 1 and inner[0] and wrapped:
            value = inner[0]
    if isinstance(value, dict) and value and _is_columns(value):
        size = len(next(iter(value.values())))
        value = [{k: v[i] for k, v in value.items()} for i in range(size)]
    if isinstance(value, dict):
        place = 0
        listed = any(_is_records(entry) for entry in value.values())
        for key, entry in value.items():
            if listed and entry == []:
                continue  # a part without records, as OVO-Bench's runs have
            for record in entry if _is_records(entry) else [entry]:
                place += 1
                record = record if isinstance(record, dict) else {"value": record}
                yield place, {"key": key, **record}
        return
    if not isinstance(value, list):
        raise FileProblem(f"{path}: neither a list nor a mapping. Is it the question file?")
    for place, record in enumerate(value, 1):
        if not isinstance(record, dict):
            raise FileProblem(f"{path}:{place}: record {place} is no object. Is it the right file?")
        yield place, record


def _is_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _is_columns(value: dict[str, Any]) -> bool:
    columns = list(value.values())
    known = {"id", "video", "question", "qid", "prediction", "answer"} & set(value)
    return (
        len(known) > 1
        and all(isinstance(c, list) for c in columns)
        and len({len(c) for c in columns}) == 1
    )


def _table(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, dict[str, Any]]]:
    csv.field_size_limit(MAX_FIELD)
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    try:
        for record in reader:
            if None in record or None in record.values():
                raise FileProblem(
                    f"{path}:{reader.line_num}: not {len(reader.fieldnames or ())} fields as in "
                    "the head line. Quote texts that hold the separator."
                )
            yield reader.line_num, dict(record)
    except csv.Error as error:
        raise FileProblem(f"{path}:{reader.line_num}: {error}. Repair the line.") from None


def read_columns(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, {"columns": [..]}) of a text file of words with blanks between them.

    Raises:
        FileProblem: It is missing, empty or no text.
    """
    try:
        text = _bytes(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FileProblem(f"{path}: not readable ({error}). Download it again.") from None
    if not text.strip():
        raise FileProblem(f"{path}: is empty. Download it again.")
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield number, {"columns": line.split()}


def _sentences(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        place, separator, sentence = line.strip().partition("##")
        fields = place.split()
        if not separator or len(fields) != 3:
            raise FileProblem(f'{path}:{number}: not "video start end##sentence". Repair the line.')
        yield number, {
            "video": fields[0], "start": fields[1], "end": fields[2], "sentence": sentence,
            "line": number,
        }  # fmt: skip


def _parquet(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise FileProblem(
            f"{path}: parquet files need pyarrow. Install it: pip install 'vidpost[train]'."
        ) from None
    place = 0
    try:
        for batch in parquet.ParquetFile(path).iter_batches(batch_size=256):
            for record in batch.to_pylist():
                place += 1
                yield place, record
    except (arrow.ArrowException, OSError) as error:
        raise FileProblem(f"{path}: not a parquet file ({error}). Download it again.") from None


def inside(root: Path, patterns: Sequence[str], sample: Sample) -> Path | None:
    """The first existing file of the patterns below `root`; None if there is none.

    Patterns may name "{video}", "{stem}" (without its ending), "{id}" and "{task}"; names that
    lead out of the folder are not looked for.
    """
    video = str(sample.video or "")
    parts = {
        "video": video, "stem": str(PurePosixPath(video).with_suffix("")) if video else "",
        "id": sample.id, "task": sample.task,
    }  # fmt: skip
    if any(
        PurePosixPath(p).is_absolute() or ".." in PurePosixPath(p).parts for p in parts.values()
    ):
        return None
    for pattern in patterns:
        name = pattern
        for key, part in parts.items():
            name = name.replace("{" + key + "}", part)
        path = root / name
        if "\0" not in name and path.is_file():
            return path
    return None


_CUE = re.compile(r"\d+|(?:\d+:)?\d+:\d+[.,]\d+\s*-->.*|WEBVTT.*")
MAX_SUBTITLES = 8 * 2**20


def read_subtitles(path: Path) -> str:
    """The spoken text of a subtitle file (srt, vtt, LongVideoBench's JSON), a line a cue.

    JSON lines hold a word each and give one line. Numbers, times and markup are dropped; repeated
    lines, as automatic subtitles have them, stand once.

    Raises:
        FileProblem: It is too large or cannot be read.
    """
    if path.stat().st_size > MAX_SUBTITLES:
        raise FileProblem(
            f"{path}: more than {MAX_SUBTITLES} bytes of subtitles. Shorten the file."
        )
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    if path.suffix == ".jsonl":  # a word a line, as Video-MME-v2 has them
        return " ".join(str(word.get("text", "")) for _, word in _lines(path, text))
    if path.suffix == ".json":
        try:
            cues = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise FileProblem(f"{path}: not JSON ({error}). Download it again.") from None
        lines = [str(c.get("line") or c.get("text") or "") for c in cues if isinstance(c, dict)]
    else:
        lines = [line for line in text.splitlines() if not _CUE.fullmatch(line.strip())]
    kept: list[str] = []
    for line in lines:
        spoken = " ".join(re.sub(r"<[^>]{0,80}>", "", line).split())
        if spoken and spoken not in kept[-1:]:
            kept.append(spoken)
    return "\n".join(kept)
