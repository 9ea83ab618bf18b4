"""Pieces of requests to an OpenAI-compatible server, and of what it sends back."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from reproductions.shared.video.decode import video_metadata


def picture(frame: Any, kind: str) -> str:
    """A frame as PNG or JPEG, in base 64."""
    from PIL import Image

    buffer = io.BytesIO()
    options = {"quality": 95, "subsampling": 0} if kind == "jpeg" else {"compress_level": 1}
    Image.fromarray(frame).save(buffer, kind, **options)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def times_of(clip: Any, slower: float) -> dict[str, Any]:
    """A clip's times as vLLM wants them with a list of pictures; `slower` as `vllm.SLOWER`."""
    about = video_metadata(clip)
    return {
        "num_frames": -1,
        "fps": about["fps"] * slower,
        "duration": about["duration"],
        "total_num_frames": max(about["total_num_frames"], len(clip.times)),
        "frames_indices": about["frames_indices"],
    }


def enumeration(choices: Sequence[str]) -> dict[str, Any]:
    """A response format that lets the model only name one of the choices."""
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string", "enum": list(choices)}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    described = {"name": "answer", "strict": True, "schema": schema}
    return {"type": "json_schema", "json_schema": described}


def named(response_format: dict[str, Any]) -> list[str]:
    """The choices in a format of `enumeration`."""
    schema = response_format["json_schema"]["schema"]
    return list(schema["properties"]["answer"]["enum"])


def continues_at(text: str, prefix: str) -> int:
    """Where an answer goes on that was to continue `prefix`, after what it repeats of it.

    One that starts over is taken from the tag on that `prefix` ends with.
    """
    begin = len(text) - len(text.lstrip())
    if text.startswith(prefix, begin):
        return begin + len(prefix)
    tag = prefix[prefix.rfind("<") :] if prefix.endswith(">") else ""
    return text.find(tag) + len(tag) if tag and tag in text else 0


def scores_within(scores: Sequence[Any], before: str, part: str) -> list[Any]:
    """The scores of the tokens that write `part`, which stands behind `before`."""
    start = len(before.encode())
    end, at, found = start + len(part.encode()), 0, []
    for score in scores:
        size = len(score.get("bytes") or score["token"].encode())
        if at + size > start and at < end:
            found.append(score)
        at += size
    return found


def message_of(content: bytes | bytearray) -> str:
    """What a server says about an error."""
    try:
        error = json.loads(content)
        error = error.get("error", error)
        return str(error.get("message", error) if isinstance(error, dict) else error)
    except (ValueError, AttributeError, RecursionError):
        return bytes(content[:200]).decode("utf-8", "replace")


def seconds_of(value: str | None) -> float | None:
    """`Retry-After`: seconds, or a date."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        try:
            at = parsedate_to_datetime(value)
        except ValueError:
            return None
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(0.0, (at - datetime.now(UTC)).total_seconds())
