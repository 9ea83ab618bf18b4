"""Agreement of our functions with recorded results of published ones (the golden files)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reproductions.shared.rewards.official import TABLE, Failed

TOLERANCE = 1e-6
FLOAT32 = 1e-5
"""Relative tolerance for results that the published code computes in float32."""
ROUNDING_NOISE = 5e-3
"""Absolute tolerance of advantages: in a group of equal rewards they are rounding noise."""
_FLOAT32_FUNCTIONS = re.compile(
    r"loss|RRPO|compute_token|semantic|nncore|compute_iou|eval MRA|eval_bench|eval_grounding"
)
_UNORDERED = re.compile(r"parse_open_response")
_MAPS = re.compile(r"MAP_DATA is a global: (\{.*\})")
_FIELDS = {"repo": str, "function": str, "input": dict, "note": str, "error": str}
_OPTIONAL = ("note", "error")
LINE_LIMIT = 2_000_000


@dataclass
class Result:
    """Agreement of one function.

    Attributes:
        repository: "owner/name".
        function: Its name in the golden file.
        cases: Recorded cases.
        agreed: Cases in which ours returns the same.
        covered: Whether we have the function at all.
        differences: The first differing cases as text.
    """

    repository: str
    function: str
    cases: int = 0
    agreed: int = 0
    covered: bool = True
    differences: list[str] = field(default_factory=list)


def decode(value: Any) -> Any:
    """Golden JSON as Python: `{"__float__": "nan"}` and `{"__set__": [..]}`."""
    if isinstance(value, dict):
        if set(value) == {"__float__"}:
            return float(value["__float__"])
        if set(value) == {"__set__"}:
            return {json.dumps(decode(v)) for v in value["__set__"]}
        return {k: decode(v) for k, v in value.items()}
    return [decode(v) for v in value] if isinstance(value, list) else value


def close(ours: Any, theirs: Any, relative: float = TOLERANCE, absolute: float = TOLERANCE) -> bool:
    """Whether two results agree: numbers within tolerance, True is 1, tuples are lists."""
    if isinstance(ours, int | float) and isinstance(theirs, int | float):
        if math.isnan(ours) or math.isnan(theirs):
            return math.isnan(ours) and math.isnan(theirs)
        return ours == theirs or math.isclose(ours, theirs, rel_tol=relative, abs_tol=absolute)
    if isinstance(ours, dict) and isinstance(theirs, dict):
        advantages = theirs.get("advantages", [1.0])
        if all(abs(a) < ROUNDING_NOISE for a in advantages):
            absolute = ROUNDING_NOISE
        return ours.keys() == theirs.keys() and all(
            close(ours[k], theirs[k], relative, absolute) for k in ours
        )
    if isinstance(ours, list | tuple) and isinstance(theirs, list | tuple):
        return len(ours) == len(theirs) and all(
            close(a, b, relative, absolute) for a, b in zip(ours, theirs, strict=True)
        )
    return type(ours) is type(theirs) and bool(ours == theirs)


def agrees(row: dict[str, Any]) -> tuple[bool, Any]:
    """Whether ours gives the recorded result; and what ours gives."""
    adapter = TABLE[row["repo"], row["function"]]
    arguments = dict(decode(row["input"]))
    maps = _MAPS.search(row.get("note") or "")
    if maps:
        arguments["maps"] = json.loads(maps.group(1))
    ours = adapter(arguments)
    if row.get("error") or isinstance(ours, Failed):
        return getattr(ours, "error", None) == row.get("error"), getattr(ours, "error", ours)
    theirs = decode(row["output"])
    if _UNORDERED.search(row["function"]) and isinstance(ours, list) and isinstance(theirs, list):
        ours, theirs = sorted(ours, key=repr), sorted(theirs, key=repr)
    tolerance = FLOAT32 if _FLOAT32_FUNCTIONS.search(row["function"]) else TOLERANCE
    return close(ours, theirs, tolerance, tolerance), ours


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The cases of a golden file.

    Raises:
        ValueError: Naming file and line of anything that is not a case.
    """
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(LINE_LIMIT + 1), b""), 1):
            if not line.strip():
                continue
            place = f"{path}:{number}"
            if len(line) > LINE_LIMIT:
                raise ValueError(f"{place}: line over {LINE_LIMIT} bytes; split the case")
            try:
                row = json.loads(line.decode("utf-8"))
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"{place}: byte {error.start + 1} is no UTF-8; save the file as UTF-8"
                ) from error
            except (ValueError, RecursionError) as error:
                raise ValueError(f"{place}: not JSON ({error}); write one case a line") from error
            missing = {"repo", "function", "input", "output"} - set(
                row if isinstance(row, dict) else ()
            )
            if missing:
                raise ValueError(f"{place}: no {', '.join(sorted(missing))}; see golden/README.md")
            for key, kind in _FIELDS.items():
                value = row.get(key)
                if not isinstance(value, kind) and not (value is None and key in _OPTIONAL):
                    raise ValueError(
                        f"{place}: {key} is {type(value).__name__}, not {kind.__name__}; "
                        "see golden/README.md"
                    )
            yield row


def verify(path: Path, show: int = 3) -> list[Result]:
    """Agreement of each function in a golden file, in order of appearance.

    Args:
        path: A JSON-lines file of cases.
        show: Differences kept for each function.
    """
    results: dict[tuple[str, str], Result] = {}
    for row in rows(path):
        name = row["repo"], row["function"]
        result = results.setdefault(name, Result(*name, covered=name in TABLE))
        result.cases += 1
        if not result.covered:
            continue
        try:
            same, ours = agrees(row)
        except Exception as error:
            # A crash of ours is a difference like any other, unless the published code died of it.
            same = row.get("error") == type(error).__name__
            ours = f"{type(error).__name__}: {error}"
        result.agreed += same
        if not same and len(result.differences) < show:
            asked = json.dumps(row["input"], ensure_ascii=False)[:300]
            wanted = row.get("error") or json.dumps(row["output"], ensure_ascii=False)[:200]
            result.differences.append(f"{asked}: published {wanted}, ours {str(ours)[:200]}")
    return list(results.values())
