"""The fields of the catalogue's models as rows: name, type in words, meaning."""

from __future__ import annotations

import datetime
import types
import typing
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from vidpost.catalog.models import KINDS, Entry, ResultCard, TaxonomyWord, Work
from vidpost.site.context import ONE, PLURAL

_TYPES = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    datetime.date: "day, 2025-11-22",
    types.NoneType: "nothing",
}


_TITLES: dict[type[BaseModel], tuple[str, str]] = {
    Entry: ("Every entry", "Fields that each file below catalog/ has"),
    Work: ("Every work: method, benchmark, data set, survey", "Fields that come with a paper"),
    **{
        model: (f"A {ONE[kind]}", f"Further fields of catalog/{PLURAL[kind]}/ID.yaml")
        for kind, model in KINDS.items()
    },
    TaxonomyWord: ("A word of the taxonomy", "Fields of a word"),
    ResultCard: ("A result card", "Fields of catalog/results/METHOD/NAME.yaml"),
}
"""Models of whole files, and what two or more of them have in common -> heading, caption."""


def describe_models() -> list[dict[str, Any]]:
    """What all entries share, the entry models, then every part they use; each field once."""
    queue: list[type[BaseModel]] = list(_TITLES)
    described = []
    for model in queue:
        rows = []
        shared = {
            name for base in (Entry, Work) if model is not base and issubclass(model, base)
            for name in base.model_fields
        }  # fmt: skip
        for name, field in model.model_fields.items():
            if name in shared:
                continue
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
        title, caption = _TITLES.get(model, (model.__name__, "Fields of this part"))
        described.append(
            {"title": title, "anchor": model.__name__.lower(), "about": about,
             "caption": caption, "fields": rows}
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
