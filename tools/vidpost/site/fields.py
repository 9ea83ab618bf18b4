"""The fields of the catalogue's models as rows: name, type in words, meaning."""

from __future__ import annotations

import datetime
import types
import typing
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from vidpost.catalog.models import KINDS, ResultCard, TaxonomyWord

_TYPES = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    datetime.date: "day, 2025-11-22",
    types.NoneType: "nothing",
}


def describe_models() -> list[dict[str, Any]]:
    """The entry models first, then every part they use, each once."""
    queue: list[type[BaseModel]] = [*KINDS.values(), TaxonomyWord, ResultCard]
    tops = len(queue)
    described = []
    for place, model in enumerate(queue):
        rows = []
        for name, field in model.model_fields.items():
            described_type, parts = _words(field.annotation)
            for part in parts:
                if part not in queue:
                    queue.append(part)
            default = field.default
            required = default is PydanticUndefined and field.default_factory is None
            rows.append(
                {"name": name, "type": described_type, "required": required,
                 "about": field.description or _inherited(field.metadata)}
            )  # fmt: skip
        about = " ".join((model.__doc__ or "").split())
        described.append(
            {"title": model.__name__, "anchor": model.__name__.lower(), "about": about,
             "caption": "Fields of the file" if place < tops else "Fields of this part",
             "fields": rows}
        )  # fmt: skip
    return described


def _inherited(metadata: list[Any]) -> str:
    return next((m.description for m in metadata if getattr(m, "description", None)), "see type")


def _words(annotation: Any) -> tuple[str, list[type[BaseModel]]]:
    """A type in words, and the models in it."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _words(args[0])
    if origin is typing.Literal:
        return "one of " + ", ".join(map(str, args)), []
    if origin in (typing.Union, types.UnionType):
        inner = [_words(arg) for arg in args if arg is not types.NoneType]
        return " or ".join(word for word, _ in inner), [part for _, ps in inner for part in ps]
    if origin is tuple:
        if args[-1] is Ellipsis:
            word, parts = _words(args[0])
            return f"list of {word}", parts
        inner = [_words(arg) for arg in args]
        words = ", ".join(word for word, _ in inner)
        return f"list of {len(args)}: {words}", [part for _, ps in inner for part in ps]
    if origin is dict:
        word, parts = _words(args[1])
        return f"mapping to {word}", parts
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation.__name__, [annotation]
    return _TYPES.get(annotation, "anything"), []
