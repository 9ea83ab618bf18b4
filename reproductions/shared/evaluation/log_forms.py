"""Other people's forms of prediction logs: their records opened, sheets, tracks.

lmms-eval writes one JSON line a question (`--log_samples`) with the question's record under "doc",
the raw answers under "resps", those after its filters under "filtered_resps" and the gold under
"target". VLMEvalKit writes a table (xlsx, tsv or json) with the columns index, question, the
options A, B, .., answer and prediction. Formats as of EvolvingLMMs-Lab/lmms-eval@75571cf and
open-compass/VLMEvalKit@e8e78f0.
"""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

MAX_SHEET = 256 * 2**20
"""Largest unpacked part of a spreadsheet, in bytes."""
_SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


class InteropError(ValueError):
    """A foreign file that cannot be read: place, what is wrong, what to do."""


ANSWERS = frozenset(
    {
        *("prediction", "pred", "response", "predicted_answer", "pred_answer", "answer_pred"),
        *("model_output", "model_answer", "model_response", "model_prediction", "output"),
        *("video_llm_prediction", "generated", "generated_text", "raw_output", "completion"),
    }
)
"""Names of a model's answer that say by themselves what they are."""
DEPTH = 5


def fold(name: str) -> str:
    """A field name in lower case, with "_" for every mark."""
    return "".join(c if c.isalnum() else "_" for c in str(name).strip().lower())


def answered(record: Mapping[str, Any]) -> bool:
    """Whether a record holds a model's answer under a plain name."""
    return not ANSWERS.isdisjoint(map(fold, record))


def flatten(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record as scoring reads it: lmms-eval's are opened, all others stay as they are.

    Of an lmms-eval record the filtered answer counts, as in lmms-eval itself. Its `doc` is kept, so
    that a benchmark can read the question from it.
    """
    if not isinstance(record.get("doc"), Mapping) or not {"resps", "filtered_resps"} & set(record):
        return dict(record)
    answers = record.get("filtered_resps") or record.get("resps")
    return {
        "id": record.get("doc_id", record["doc"].get("id")),
        "prediction": answers,
        "gold": record.get("target"),
        "doc": record["doc"],
    }


def explode(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The answers of a record that holds many.

    TempCompass: {video: {dimension: [answer, ..]}}, each gets the id "video/dimension/number";
    OVO-Bench: the points in time of a forward question, with the ids "id_number". Of other records
    without an answer of their own the answers within are taken, with the fields around them
    (Video-MME's questions of a video, EventHallusion's of a part).
    """
    points = record.get("test_info")
    if isinstance(points, list) and points and all("response" in p for p in points):
        for i, point in enumerate(points):  # OVO-Bench: a forward question is asked several times
            gold = point.get("count", "Yes" if point.get("type") else "No")
            yield {
                "id": f"{record['id']}_{i}",
                "task": record["task"],
                "video": record["video"],
                "response": point["response"],
                "ground_truth": gold,
                "problem_type": "numerical" if "count" in point else "yes or no",
            }
        return
    if answered(record):
        yield dict(record)
        return
    lists = {
        k: v
        for k, v in record.items()
        if isinstance(v, list) and v and all(isinstance(e, Mapping) for e in v)
    }
    plain = lists and "key" in record and len(lists) == len(record) - 1
    if plain and all(answered(e) or "answer" in e for v in lists.values() for e in v):
        for dimension, entries in lists.items():
            for i, entry in enumerate(entries):
                yield {
                    "id": f"{record['key']}/{dimension}/{i}",
                    "video": record["key"],
                    "task": dimension,
                    **entry,
                }  # fmt: skip
        return
    questions = {k: v for k, v in record.items() if k != "key"}
    if "key" in record and questions and all(k.isdigit() for k in questions):
        for number, answer in questions.items():  # NExT-QA's {video: {question: answer}}
            if not isinstance(answer, Mapping):
                yield {"id": f"{record['key']}_{number}", "video": record["key"], "pred": answer}
            else:
                yield {"id": f"{record['key']}_{number}", "video": record["key"], **answer}
        return
    place = str(record.get("key", record.get("id", "")))
    inner = list(_within(record, (place,) if place else (), {}, DEPTH))
    yield from inner or [dict(record)]


def _within(
    value: Any, path: tuple[str, ...], facts: Mapping[str, Any], depth: int
) -> Iterator[dict[str, Any]]:
    """Answered records below a value; each gets its path as id unless it has one."""
    if isinstance(value, Mapping):
        if answered(value):
            yield {**facts, "id": "/".join(path), **value}
            return
        facts = {**facts, **{k: v for k, v in value.items() if isinstance(v, str | int | float)}}
        parts = [(str(k), v) for k, v in value.items() if isinstance(v, Mapping | list)]
    elif isinstance(value, list) and all(isinstance(v, Mapping) for v in value):
        parts = [(str(i), v) for i, v in enumerate(value)]
    else:
        return
    for name, inner in parts if depth else ():
        yield from _within(inner, (*path, name), facts, depth - 1)


def judged_pairs(value: Any) -> Iterator[dict[str, Any]]:
    """CVRR-ES' and MovieChat's result files: [[{"pred": "correct", "score": 4}, {"q", "a", ..}]].

    Lists within lists are opened; the verdict is also found under "type".
    """
    for place, pair in enumerate(value if isinstance(value, list) else [], 1):
        parts: list[Mapping[str, Any]] = []
        rest = [pair]
        while rest and len(parts) < 8:
            part = rest.pop(0)
            if isinstance(part, Mapping):
                parts.append({str(k).lower(): v for k, v in part.items()})
            elif isinstance(part, list):
                rest = [*part[:8], *rest]
        said = next((p for p in parts if "q" not in p and "score" in p), None)
        about = next((p for p in parts if "q" in p), {})
        if said is None:
            raise InteropError(
                f"record {place} holds no verdict with a score. Is it a file of judged answers?"
            )
        yield {
            "verdict": {"pred": said.get("pred", said.get("type")), "score": said["score"]},
            "question": about.get("q"),
            "gold": about.get("a"),
            "prediction": about.get("pred"),
        }


def joined(records: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Video-ChatGPT's result files: {id: [{"pred": "yes", "score": 4}, {"q", "a", "pred"}]}."""
    held: dict[str, Any] | None = None
    for record in records:
        keys = set(record) - {"key"}
        folded = {str(k).lower(): v for k, v in record.items()}
        asked = {"q", "q1"} & set(folded)
        if held is not None and record.get("key") == held["id"] and asked and "a" in folded:
            yield {
                **held,
                "question": folded[min(asked)],
                "gold": folded["a"],
                "prediction": folded.get("pred", folded.get("pred1")),
            }
            held = None
            continue
        if held is not None:
            yield held
            held = None
        if "key" in record and keys <= {"pred", "score", "reason"} and "score" in keys:
            held = {"id": record["key"], "verdict": {k: record[k] for k in keys - {"reason"}}}
            continue
        yield dict(record)
    if held is not None:
        yield held


# -- spreadsheets ----------------------------------------------------------------------------------


def read_xlsx(path: Path) -> list[dict[str, Any]]:
    """The records of the first sheet of a workbook, by its head row; empty cells are None.

    Raises:
        InteropError: It is no workbook, or one that is too large.
    """
    try:
        with zipfile.ZipFile(path) as book:
            names = book.namelist()
            sheets = sorted(n for n in names if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", n))
            if not sheets:
                raise InteropError(f"{path}: holds no sheet. Save the log as .tsv or .json.")
            shared = _shared(book) if "xl/sharedStrings.xml" in names else []
            rows = list(_rows(_xml(book, sheets[0]), shared))
    except (zipfile.BadZipFile, OSError, ElementTree.ParseError) as error:
        raise InteropError(f"{path}: no workbook ({error}). Save the log as .tsv.") from None
    if not rows:
        return []
    head = [str(c or f"column {i + 1}") for i, c in enumerate(rows[0])]
    return [
        {name: row[i] if i < len(row) else None for i, name in enumerate(head)} for row in rows[1:]
    ]


def _xml(book: zipfile.ZipFile, name: str) -> ElementTree.Element:
    if book.getinfo(name).file_size > MAX_SHEET:
        raise InteropError(f"{name} has more than {MAX_SHEET} bytes. Save the log as .tsv.")
    data = book.read(name)
    if b"<!DOCTYPE" in data[:2000] or b"<!ENTITY" in data:
        raise InteropError(f"{name} declares entities, which no spreadsheet needs. Refused.")
    return ElementTree.fromstring(data)


def _shared(book: zipfile.ZipFile) -> list[str]:
    root = _xml(book, "xl/sharedStrings.xml")
    return ["".join(t.text or "" for t in item.iter(f"{_SHEET}t")) for item in root]


def _rows(sheet: ElementTree.Element, shared: Sequence[str]) -> Iterator[list[Any]]:
    for row in sheet.iter(f"{_SHEET}row"):
        cells: list[Any] = []
        for cell in row:
            column = _column(cell.get("r", ""))
            column = len(cells) if column is None else column
            if column > 16_384:
                break
            cells += [None] * (column - len(cells))
            cells.append(_cell(cell, shared))
        yield cells


def _column(place: str) -> int | None:
    letters = re.match(r"[A-Z]{1,3}", place)
    if not letters:
        return None
    number = 0
    for letter in letters.group():
        number = 26 * number + ord(letter) - 64
    return number - 1


def _cell(cell: ElementTree.Element, shared: Sequence[str]) -> Any:
    kind, value = cell.get("t", "n"), cell.find(f"{_SHEET}v")
    if kind == "inlineStr":
        return "".join(t.text or "" for t in cell.iter(f"{_SHEET}t"))
    if value is None or value.text is None:
        return None
    if kind == "s":
        return shared[int(value.text)]
    if kind in ("str", "e"):
        return value.text
    number = float(value.text)
    return int(number) if number.is_integer() else number


# -- tracks ----------------------------------------------------------------------------------------


def read_track(path: Path) -> dict[str, Any]:
    """A tracker's text file: a box "x,y,width,height" a line, with commas, tabs or spaces.

    GOT-10k's "seq/seq_001.txt" is the first run of "seq"; further runs get the id "seq#2". Lines
    with one number (VOT's marks of a restart) and boxes with NaN are frames without a box.

    Raises:
        InteropError: A line holds something else.
    """
    boxes = [list(b) if b else None for b in _boxes(path)]
    run = re.fullmatch(rf"{re.escape(path.parent.name)}_(\d{{1,4}})", path.stem)
    name = path.parent.name if run else path.stem
    if run and int(run.group(1)) > 1:
        name += f"#{int(run.group(1))}"
    return {"id": name, "prediction": {str(i): b for i, b in enumerate(boxes) if b}}


def _boxes(path: Path) -> Iterator[tuple[float, float, float, float] | None]:
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        if not line.strip():
            continue
        try:
            values = [float(v) for v in re.split(r"[,;\s]+", line.strip().strip(",;"))]
        except ValueError:
            values = []
        if len(values) == 1:
            yield None
        elif len(values) == 4:
            yield (
                (values[0], values[1], values[2], values[3])
                if all(map(math.isfinite, values))
                else None
            )
        else:
            raise InteropError(f'{path}:{number}: not "x,y,width,height". Repair the line.')


def track_golds(folder: Path) -> dict[str, dict[str, Any]]:
    """The true tracks of a folder: sequence -> boxes [x, y, width, height] a frame, size, cover.

    A sequence is a folder with groundtruth.txt (GOT-10k, LaSOT) or groundtruth_rect.txt (OTB), or a
    file "sequence.txt". GOT-10k's meta_info.ini tells the size of the picture, cover.label how much
    of the target is visible.

    Raises:
        InteropError: A line is no box.
    """
    files = {
        f.parent.name: f
        for name in ("groundtruth.txt", "groundtruth_rect.txt")
        for f in sorted(folder.rglob(name))
    } or {f.stem: f for f in sorted(folder.glob("*.txt"))}
    found: dict[str, dict[str, Any]] = {}
    for name, file in files.items():
        meta, cover = file.with_name("meta_info.ini"), file.with_name("cover.label")
        size = re.search(
            r"resolution\s*[:=]\s*\(?\s*(\d{1,6})\D{1,4}(\d{1,6})",
            meta.read_text(encoding="utf-8", errors="replace") if meta.is_file() else "",
        )
        found[name] = {
            "boxes": list(_boxes(file)),
            "size": tuple(map(int, size.groups())) if size else None,
            "cover": [float(x) for x in cover.read_text().split()] if cover.is_file() else None,
        }
    return found


def within(box: Sequence[float], size: Sequence[float] | None) -> list[float]:
    """A box [x, y, width, height] cut at the picture as the GOT-10k toolkit does.

    The corner is moved into the picture and the width stays, so that a box that sticks out on the
    left moves to the right.
    """
    if size is None:
        return list(box)
    x, y = min(max(box[0], 0.0), size[0]), min(max(box[1], 0.0), size[1])
    return [x, y, min(max(box[2], 0.0), size[0] - x), min(max(box[3], 0.0), size[1] - y)]
