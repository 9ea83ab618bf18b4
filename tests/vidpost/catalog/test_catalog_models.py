from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from vidpost.catalog import models
from vidpost.catalog.diagnostics import CODES, Diagnostic, closest, render
from vidpost.catalog.models import KINDS, Paper, Protocol, ResultCard, Sampling, WordFile

ALL = [
    model
    for model in vars(models).values()
    if isinstance(model, type) and issubclass(model, BaseModel) and model is not BaseModel
]


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.__name__)
def test_models_are_strict_and_every_field_is_described(model: type[BaseModel]) -> None:
    assert model.model_config["extra"] == "forbid"
    assert model.model_config["frozen"] is True
    for name, field in model.model_fields.items():
        assert field.description, f"{model.__name__}.{name}"


@pytest.mark.parametrize("model", [*KINDS.values(), ResultCard, WordFile], ids=lambda m: m.__name__)
def test_schemas_can_be_written(model: type[BaseModel]) -> None:
    schema = model.model_json_schema()
    assert schema["additionalProperties"] is False
    assert all("description" in field for field in schema["properties"].values())


PROTOCOL = Protocol(
    frames=8,
    decoder="pyav",
    prompt_hash="abc",
    extractor="tags",
    sampling=Sampling(temperature=0.0, max_new_tokens=8),
)


def test_fingerprint_is_stable_and_tells_protocols_apart() -> None:
    # Stored on published cards: a new field with a default would change it and break them.
    assert PROTOCOL.fingerprint() == "462e5cc1d8e8"
    same = Protocol.model_validate({**PROTOCOL.model_dump(), "subtitles": False})
    assert same.fingerprint() == PROTOCOL.fingerprint()
    for change in ({"frames": 16}, {"subtitles": True}, {"judge": "x"}):
        other = Protocol.model_validate({**PROTOCOL.model_dump(), **change})
        assert other.fingerprint() != PROTOCOL.fingerprint()


@pytest.mark.parametrize(
    ("fields", "link"),
    [
        ({"arxiv_id": "2503.21776"}, "https://arxiv.org/abs/2503.21776"),
        ({"arxiv_id": "cs/0506001"}, "https://arxiv.org/abs/cs/0506001"),
        ({"doi": "10.1/x"}, "https://doi.org/10.1/x"),
        ({"openreview": "abc"}, "https://openreview.net/forum?id=abc"),
        ({}, None),
    ],
)
def test_paper_link(fields: dict[str, str], link: str | None) -> None:
    assert Paper.model_validate({"title": "T", **fields}).link == link


@pytest.mark.parametrize("bad", ["javascript:alert(1)", 'https://x/"onload', "ftp://x", "https://"])
def test_urls_are_http_and_cannot_leave_an_attribute(bad: str) -> None:
    with pytest.raises(ValidationError):
        models.Link(url=bad)


def test_github_annotations_cannot_be_forged() -> None:
    evil = Diagnostic("a,b:c.yaml", 1, 2, "yaml", "x", "one\n::error::two 100%")
    line = render([evil], "github")
    assert "\n" not in line
    assert line.startswith("::error file=a%2Cb%3Ac.yaml,line=1,col=2,title=yaml::")
    assert line.endswith("x: one%0A::error::two 100%25")


def test_diagnostics_are_sorted_and_unique() -> None:
    items = [Diagnostic(f, n, 1, "yaml", "", "m.") for f, n in (("b", 1), ("a", 9), ("a", 2))]
    assert [line[:5] for line in render([*items, *items]).splitlines()] == [
        "a:2:1",
        "a:9:1",
        "b:1:1",
    ]


def test_closest() -> None:
    assert closest("yaer", ["year", "venue"]) == "Did you mean 'year'?"
    assert closest("zzz", ["year"]) == ""


def test_codes_are_explained() -> None:
    assert all(meaning.endswith((".", ").")) for meaning in CODES.values())
