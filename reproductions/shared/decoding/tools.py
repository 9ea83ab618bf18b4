"""Tools that a model may call while it answers. Calls are JSON data with bounds, never code."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reproductions.shared.decoding.text import first_json, retrieve, speech
from reproductions.shared.inference.engine import Shown
from reproductions.shared.method import Context, Sample
from reproductions.shared.rewards.tags import unclosed_tag

MAX_CALL = 4000
"""Characters of a call that are read."""


class ToolError(ValueError):
    """A call that cannot be carried out. The message goes back to the model."""


@dataclass(frozen=True)
class Seen:
    """What a tool gives back.

    Attributes:
        text: For the model to read.
        shows: Frames for it to see, None if there are none.
    """

    text: str
    shows: Shown | None = None


Tool = Callable[[Mapping[str, Any], Sample, Context], Seen]


def call_of(text: str) -> tuple[str, Mapping[str, Any]] | None:
    """The tool that a text calls and its arguments; None if it calls none.

    A call is `<tool>{"name": ..., "arguments": {...}}</tool>`; the closing tag may be missing.

    Raises:
        ToolError: There is a tool tag, but no call in it.
    """
    body = unclosed_tag(text, "tool")
    if body is None:
        return None
    try:
        call = first_json(body[:MAX_CALL])
    except ValueError as error:
        raise ToolError(f"{error}.") from None
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        raise ToolError('the call has no "name".')
    arguments = call.get("arguments", {})
    if not isinstance(arguments, dict):
        raise ToolError('"arguments" is not an object.')
    return call["name"], arguments


def use(
    call: tuple[str, Mapping[str, Any]], tools: Mapping[str, Tool], sample: Sample, context: Context
) -> Seen:
    """Carry out a call.

    Raises:
        ToolError: No such tool, or arguments out of bounds.
    """
    name, arguments = call
    if name not in tools:
        raise ToolError(f"no tool '{name[:40]}'. There are: {', '.join(tools)}.")
    return tools[name](arguments, sample, context)


def number(arguments: Mapping[str, Any], name: str, low: float, high: float) -> float:
    """An argument that must be a number from `low` to `high`.

    Raises:
        ToolError: It is missing, no number or outside.
    """
    value = arguments.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ToolError(f"'{name}' must be a number from {low:g} to {high:g}.")
    if not low <= value <= high:
        raise ToolError(f"'{name}' is {value:g}, outside {low:g} to {high:g}.")
    return float(value)


def span_of(arguments: Mapping[str, Any], context: Context) -> tuple[float, float]:
    """Arguments `start` and `end` in seconds, inside the video and in order.

    Raises:
        ToolError: They are not.
    """
    start = number(arguments, "start", 0.0, context.duration)
    end = number(arguments, "end", 0.0, context.duration)
    if start >= end:
        raise ToolError(f"'start' {start:g} is not before 'end' {end:g}.")
    return start, end


def frames_of(context: Context) -> int:
    """Frames of a look, from the settings."""
    return int(context.settings.get("frames") or 8)


def seek(arguments: Mapping[str, Any], sample: Sample, context: Context) -> Seen:
    """Frames of some seconds: seek {"start", "end"}."""
    span = span_of(arguments, context)
    shown = Shown(frames=frames_of(context), span=span)
    return Seen(f"Frames from {span[0]:.1f} to {span[1]:.1f} s.", shown)


def zoom(arguments: Mapping[str, Any], sample: Sample, context: Context) -> Seen:
    """A part of one frame, larger: zoom {"time", "box": [left, top, right, bottom]}."""
    time = number(arguments, "time", 0.0, context.duration)
    box = arguments.get("box")
    if not isinstance(box, list) or len(box) != 4:
        raise ToolError("'box' must be four fractions: left, top, right, bottom.")
    sides = [number({"box": side}, "box", 0.0, 1.0) for side in box]
    left, top, right, bottom = sides
    if left >= right or top >= bottom:
        raise ToolError("'box' must have left before right and top before bottom.")
    return Seen(f"A part of the frame at {time:.1f} s.", Shown(times=(time,), box=(*sides,)))  # type: ignore[arg-type]


def subtitles(arguments: Mapping[str, Any], sample: Sample, context: Context) -> Seen:
    """What is said in some seconds: subtitles {"start", "end"}."""
    lines = speech(sample, span_of(arguments, context))
    return Seen("\n".join(lines) or "Nothing is said.")


def memory(notes: Sequence[str]) -> Tool:
    """The three notes that fit a query best: search {"query"}."""

    def search(arguments: Mapping[str, Any], sample: Sample, context: Context) -> Seen:
        query = arguments.get("query")
        if not isinstance(query, str) or not query.strip():
            raise ToolError("'query' must be a text.")
        found = sorted(retrieve(query[:MAX_CALL], notes, 3))
        return Seen("\n".join(notes[i] for i in found) or "Nothing was noted.")

    return search
