"""Reader of published Video-R1 records (JSON list or JSON lines) into samples.

The files come from strangers: sizes are bounded, nothing is evaluated, and no path leaves the video
root. All problems are found in one pass, as `file:line: field: what is wrong. What to do.`
"""

from __future__ import annotations

import json
import logging
import math
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from string import ascii_uppercase
from typing import Any, Literal

from reproductions.shared.method import Sample
from reproductions.shared.prompts import ANSWER_FORMS
from reproductions.shared.rewards.boxes import parse_region
from reproductions.shared.rewards.intervals import parse_spans

_log = logging.getLogger(__name__)

MAX_FILE_BYTES = 4 * 2**30
MAX_RECORD_BYTES = 4 * 2**20
MAX_TEXT = 200_000
"""Longest text field, in characters."""
SHOWN = 20
"""How many problems an error lists; all are counted."""

PROBLEM_TYPES = tuple(ANSWER_FORMS)
"""Video-R1's types, and "temporal grounding" and "tracking", which are ours."""
_KNOWN = {
    "problem_id", "problem", "data_type", "problem_type", "options", "solution", "path", "process",
    "task", "meta", "subtitles",
}  # fmt: skip
_LETTERED = re.compile(r"\s*\(?([A-Z])[.):]")
_ANY_LETTER = tuple(f"{letter}." for letter in ascii_uppercase)
_SPACE = re.compile(r"[ \t\r\n]*")


class RecordError(ValueError):
    """A record file with problems.

    Attributes:
        problems: The first `SHOWN` messages.
        count: How many problems there are in all.
    """

    def __init__(self, path: Path, problems: list[str], count: int) -> None:
        self.problems, self.count = problems, count
        shown = f", the first {len(problems)} of them" if count > len(problems) else ""
        super().__init__("\n".join([f"{path}: {count} problem(s){shown}:", *problems]))


class _Bad(Exception):
    """One problem of one record: "field: what is wrong", and what to do."""


class _Broken(_Bad):
    """A problem after which the rest of the file cannot be read; never skipped."""


def load(
    path: str | Path,
    video_root: str | Path,
    *,
    require_process: bool = False,
    images: Literal["keep", "skip"] = "keep",
    on_problem: Literal["raise", "skip"] = "raise",
    adapt: Callable[[dict[str, Any], int], dict[str, Any]] | None = None,
    options_inside: bool = False,
) -> list[Sample]:
    """Read Video-R1 records, or others that are made such, into samples in the file's order.

    How many records were left out, and why, goes into the log. A data set's module fixes the form
    of its records and leaves the rest to its caller.

    Args:
        path: JSON list or JSON lines; told apart by the first character.
        video_root: Folder to which the records' `path` is relative.
        require_process: Whether each record must have a chain of thought (`process`).
        images: "keep" gives image records as samples with `video` None and `meta["image"]`;
            "skip" leaves them out and counts them.
        on_problem: "skip" leaves bad records out and counts them, for a partial download.
        adapt: (record, line) -> Video-R1 record, for other published forms. What is wrong with the
            values it copies is found afterwards.
        options_inside: The options stand in the question: a record need not have any, and every
            letter is an answer.

    Raises:
        RecordError: The file or any record has problems (with "skip": the file alone).
    """
    path, root = Path(path), Path(video_root)
    samples: list[Sample] = []
    skipped: Counter[str] = Counter()
    problems: list[str] = []
    count = 0
    seen: dict[str, int] = {}
    fatal = False
    for line, record in _records(path):
        if isinstance(record, _Bad):
            problem, fatal = record, fatal or isinstance(record, _Broken)
        else:
            try:
                if adapt is not None and isinstance(record, dict):
                    record = adapt(record, line)
                sample = _sample(record, root, require_process, options_inside)
                if sample.id in seen:
                    raise _Bad(
                        f"problem_id: {sample.id!r} is that of line {seen[sample.id]} too",
                        "Give each record its own",
                    )
                seen[sample.id] = line
                if sample.video is None and images == "skip":
                    skipped["image record (images='skip')"] += 1
                else:
                    samples.append(sample)
                continue
            except _Bad as bad:
                problem = bad
        count += 1
        what, remedy = problem.args
        place = f"{path}:{line}" if line else f"{path}"
        if len(problems) < SHOWN:
            problems.append(f"{place}: {what}. {remedy}.")
        skipped[f"problem with {what.split(':')[0]}"] += 1
    if count and (fatal or on_problem == "raise"):
        raise RecordError(path, problems, count)
    for reason, left_out in skipped.items():
        _log.warning("%s: %d record(s) left out: %s", path, left_out, reason)
    return samples


# --- files -> records -----------------------------------------------------------------------------


def _records(path: Path) -> Iterator[tuple[int, Any]]:
    """(line, record or problem) of a file; line 0 is the file as a whole."""
    try:
        status = path.stat()
        size = status.st_size
        if not stat.S_ISREG(status.st_mode):
            yield 0, _Broken("file: is a folder or device", "Name the record file itself")
            return
        if size > MAX_FILE_BYTES:
            yield (
                0,
                _Broken(
                    f"file: {size} bytes are more than {MAX_FILE_BYTES}",
                    "Split the file, or write JSON lines and raise MAX_FILE_BYTES",
                ),
            )
            return
        with path.open("rb") as file:
            start = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError as error:
        reason = error.strerror or "not readable"
        yield 0, _Broken(f"file: {reason}", "Check the path; download the records first")
        return
    if not start:
        yield 0, _Broken("file: holds no records", "Download it again")
    elif start.startswith(b"["):
        yield from _list(path)
    else:
        yield from _lines(path)


def _lines(path: Path) -> Iterator[tuple[int, Any]]:
    """JSON lines, one at a time; a bad line does not hide the next one."""
    line, cut = 0, False
    with path.open("rb") as file:
        while data := file.readline(MAX_RECORD_BYTES + 1):
            if cut:  # the rest of a line that was too long
                cut = not data.endswith(b"\n")
                continue
            line += 1
            if len(data) > MAX_RECORD_BYTES:
                cut = not data.endswith(b"\n")
                yield line, _too_long()
                continue
            try:
                text = data.decode("utf-8-sig" if line == 1 else "utf-8").strip(" \t\r\n")
            except UnicodeDecodeError as error:
                yield line, _Bad(f"json: byte {error.start + 1} is no UTF-8", "Save it as UTF-8")
                continue
            if text:
                yield line, _parse(text, 0)[0]


def _list(path: Path) -> Iterator[tuple[int, Any]]:
    """A JSON list, parsed record by record so that each one has its line."""
    data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        yield line, _Broken("json: is no UTF-8", "Save the file as UTF-8")
        return
    del data
    at, line, counted = _skip(text, text.index("[") + 1), 1, 0
    if text[at : at + 1] == "]":
        yield 0, _Broken("file: holds an empty list", "Download it again")
        return
    while True:
        line += text.count("\n", counted, at)
        counted = at
        record, end = _parse(text, at)
        if end < 0:  # no telling where the next record starts
            yield line, _Broken(*record.args)
            return
        yield line, record
        end = _skip(text, end)
        mark, at = text[end : end + 1], _skip(text, end + 1)
        if mark == "]":
            if at < len(text):
                yield (
                    line + text.count("\n", counted, at),
                    _Broken("json: text follows the list", "Remove it, or write JSON lines"),
                )
            return
        if mark != ",":
            line += text.count("\n", counted, end)
            yield line, _Broken("json: no comma or ] after a record", "Repair the list here")
            return


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _parse(text: str, at: int) -> tuple[Any, int]:
    """(record or problem, end) of the JSON value at `at`; end is -1 when it cannot be known."""
    try:
        record, end = _DECODER.raw_decode(text, at)
    except RecursionError:
        return _Bad("json: is nested too deeply", "Flatten the record"), -1
    except json.JSONDecodeError as error:
        column = error.pos - text.rfind("\n", 0, error.pos)
        return _Bad(f"json: {error.msg} at column {column}", "Repair the JSON"), -1
    except ValueError as error:
        return _Bad(f"json: {error}", "Repair the JSON"), -1
    if end - at > MAX_RECORD_BYTES:
        return _too_long(), end
    # JSON lines: one record must fill the line. In a list the caller looks at what follows.
    if at == 0 and end != len(text):
        return _Bad("json: text follows the record", "Write one record a line"), -1
    return record, end


def _too_long() -> _Bad:
    return _Bad(f"json: the record has more than {MAX_RECORD_BYTES} bytes", "Remove or shorten it")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {twice[:40]!r} stands twice in one object")
    return record


_DECODER = json.JSONDecoder(parse_constant=_no_constant, object_pairs_hook=_unique)


def numbered(record: dict[str, Any], line: int) -> dict[str, Any]:
    """A record in Video-R1's form, named by its line where it has no id."""
    return {"problem_id": line} | record


def tagged(value: Any) -> Any:
    """A gold answer in the tags that Video-R1 puts around it; other values are left as they are."""
    if not isinstance(value, str) or value.lstrip().startswith("<answer>"):
        return value
    return f"<answer>{value}</answer>"


def pair(chosen: Any, rejected: Any) -> dict[str, str]:
    """A published pair of answers as `Sample.meta` holds it for preference stages.

    Raises:
        _Bad: One is no text, or both are the same.
    """
    if not all(isinstance(t, str) and t.strip() for t in (chosen, rejected)) or chosen == rejected:
        raise _Bad("pair: the answers are no two different texts", "Remove the record")
    return {"chosen": chosen, "rejected": rejected}


def spans(value: Any, name: str) -> str:
    """Published spans [[s, e], ..], or one [s, e], as a gold answer: "1.0 to 2.0, 5.0 to 6.0".

    Raises:
        _Bad: They are no such list.
    """
    several = value if isinstance(value, list) and value and isinstance(value[0], list) else [value]
    for span in several:
        if not isinstance(span, list) or [type(t) in (int, float) for t in span] != [True, True]:
            raise _Bad(f"{name}: is no list of spans", "Write [[1.0, 2.0], [5.0, 6.0]] (seconds)")
    return ", ".join(f"{float(start)} to {float(end)}" for start, end in several)


# --- records -> samples ---------------------------------------------------------------------------


def _sample(record: Any, root: Path, require_process: bool, options_inside: bool) -> Sample:
    """One record as a sample; raises `_Bad` for its first problem."""
    if not isinstance(record, dict):
        raise _Bad("record: is no object", "Write {...} with the fields of a Video-R1 record")
    number = record.get("problem_id")
    if isinstance(number, bool) or not isinstance(number, int | str) or number == "":
        raise _Bad("problem_id: is no number or text", "Give the record an id")
    problem_type = _text(record, "problem_type")
    if problem_type not in PROBLEM_TYPES:
        raise _Bad(
            f"problem_type: {problem_type[:40]!r} is unknown",
            f"Use one of {', '.join(PROBLEM_TYPES)}",
        )
    question = _text(record, "problem")
    options = () if options_inside else _options(record, problem_type)
    answer = _tagged(_text(record, "solution"), "solution", "answer")
    answer = _checked(answer, problem_type, _ANY_LETTER if options_inside else options)
    rationale = ""
    if record.get("process") or require_process:
        rationale = _tagged(_text(record, "process"), "process", "think")

    meta = record.get("meta", {})
    if not isinstance(meta, dict):
        raise _Bad("meta: is no object", "Write {...} or leave it out")
    extra = {
        k: v for k, v in record.items() if k not in _KNOWN and isinstance(v, str | int | float)
    }
    meta = {**extra, **meta}
    file = str(_below(root, _text(record, "path"), "path"))
    data_type = _text(record, "data_type")
    if data_type not in ("image", "video"):
        raise _Bad(f"data_type: {data_type[:40]!r} is unknown", "Use video or image")
    if data_type == "image":
        meta["image"] = file
    if "subtitles" in record:
        meta["subtitles"] = str(_below(root, _text(record, "subtitles"), "subtitles"))
    return Sample(
        id=_printable(str(number), "problem_id"),
        question=question,
        answer=answer,
        problem_type=problem_type,
        options=options,
        video=file if data_type == "video" else None,
        rationale=rationale,
        task=_text(record, "task") if "task" in record else "",
        meta=meta,
    )


def _printable(text: str, name: str) -> str:
    """The text, if it is of bearable length and can be written as UTF-8."""
    if len(text) > MAX_TEXT:
        raise _Bad(f"{name}: has more than {MAX_TEXT} characters", "Shorten it")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _Bad(f"{name}: holds half a surrogate pair", "Write the character itself") from None
    return text


def _text(record: dict[str, Any], name: str) -> str:
    text = record.get(name)
    if not isinstance(text, str) or not text.strip():
        raise _Bad(f"{name}: is missing, empty or no text", f"Give the record its {name}")
    return _printable(text, name)


def _options(record: dict[str, Any], problem_type: str) -> tuple[str, ...]:
    options = record.get("options") or []
    if not isinstance(options, list) or not all(isinstance(o, str) and o.strip() for o in options):
        raise _Bad("options: is no list of texts", 'Write ["A. ...", "B. ..."]')
    if problem_type == "multiple choice" and len(options) < 2:
        raise _Bad(f"options: {len(options)} for multiple choice", "Give at least two")
    return tuple(_printable(option, "options") for option in options)


def _tagged(text: str, name: str, tag: str) -> str:
    """The text between one pair of tags that encloses everything, stripped."""
    inner = text.strip()
    opening, closing = f"<{tag}>", f"</{tag}>"
    if not inner.startswith(opening) or not inner.endswith(closing):
        raise _Bad(f"{name}: is not enclosed in {opening} and {closing}", "Add the tags")
    inner = inner[len(opening) : -len(closing)].strip()
    if not inner or opening in inner or closing in inner:
        raise _Bad(f"{name}: is empty or has a tag twice", f"Write one {opening}text{closing}")
    return inner


def _checked(answer: str, problem_type: str, options: tuple[str, ...]) -> str:
    """The answer in our form; one that no completion could match is a problem of the record."""
    shown = repr(answer[:40])
    if problem_type == "multiple choice":
        letters = [match.group(1) for o in options if (match := _LETTERED.match(o))]
        named = [letter.strip() for letter in answer.split(",")]  # TW-GRPO: one or more
        if len(letters) < len(options):
            return answer
        if not set(named) <= set(letters) or len(named) > len(set(named)):
            raise _Bad(
                f"solution: {shown} is no option's letter", f"Use some of {letters}, with commas"
            )
        return ",".join(named)
    if problem_type in ("numerical", "regression"):
        try:
            finite = math.isfinite(float(answer.replace(",", "")))
        except ValueError:
            finite = False
        if not finite:
            raise _Bad(f"solution: {shown} is no finite number", "Write digits alone")
    elif problem_type == "temporal grounding":
        found = parse_spans(answer)
        if not found or not all(0 <= start < end < 1e9 for start, end in found):
            raise _Bad(
                f"solution: {shown} is no interval",
                'Write "12.3 to 15.0" (seconds), several with commas',
            )
        if "-" in answer or "[" in answer:
            return ", ".join(f"{start} to {end}" for start, end in found)
    elif problem_type == "tracking":
        boxes = parse_region(answer)
        if not boxes or not all(abs(v) < 1e9 for box in boxes for v in box):
            raise _Bad("solution: is no list of boxes", "Write [[x0, y0, x1, y1], ...]")
    return answer


def _below(root: Path, path: str, name: str) -> Path:
    """The file that a record names, if it is a file below the root, symbolic links followed."""
    shown = repr(path[:120])
    pure = PurePosixPath(path)
    if "\0" in path or "\\" in path or pure.is_absolute() or ".." in pure.parts:
        raise _Bad(f"{name}: {shown} leaves the video root", "Write ./folder/file below it")
    file = root / path
    try:
        if not file.resolve().is_relative_to(root.resolve()):
            raise _Bad(f"{name}: {shown} is a link that leaves the video root", "Copy the file")
        there = file.is_file()
    except (OSError, RuntimeError):  # a name too long, a loop of links
        there = False
    if not there:
        raise _Bad(f"{name}: {shown} is no file below {root}", "Fetch it or correct video_root")
    return file
