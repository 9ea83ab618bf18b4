"""The text of a new entry, and what the catalogue already has that resembles it.

Optional fields are comments, whose help comes from the models' field descriptions, so that the
template cannot fall behind them.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import tempfile
import typing
import unicodedata
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from vidpost.add.arxiv import Found
from vidpost.catalog import lint, strict_yaml
from vidpost.catalog.diagnostics import CatalogError
from vidpost.catalog.loader import Catalog, normalise, spellings
from vidpost.catalog.models import FOLDERS, ID_PATTERN, KINDS, Paper, ResultCard, Work

CLOSE = 0.5
"""Share of common words (Jaccard index) from which a title is shown as similar."""

_TO_DO = {
    "formula": "TODO: the definition; then correct range, unit and direction.",
    "range": [None, None],
    "unit": "fraction",
    "direction": "higher",
}
"""What a new metric starts with; the model requires these fields."""


_NAMES = {"arxiv_id": "arXiv ", "doi": "DOI ", "openreview": "OpenReview ", "url": ""}
"""Fields that tell papers apart -> how they are called in messages."""


class KnownError(CatalogError):
    """The paper is in the catalogue.

    Attributes:
        kind: Kind of its entry.
        id: Its id.
    """

    def __init__(self, what: str, kind: str, entry_id: str, file: str) -> None:
        super().__init__(f"{what} is in the catalogue already: {file}. Edit that file.")
        self.kind, self.id = kind, entry_id


class Similar(NamedTuple):
    """An entry whose title is close.

    Attributes:
        file: Path relative to the root.
        title: Its paper's title.
        share: Share of common words, 0 to 1.
    """

    file: str
    title: str
    share: float


def refuse_known(catalog: Catalog, paper: Paper) -> None:
    """Refuses a paper that the catalogue has, by an id of its or by title.

    Raises:
        CatalogError: With the path of the entry.
    """
    for kind, entry in catalog.entries():
        other = entry.paper if isinstance(entry, Work) else None
        if other is None:
            continue
        same = next((n for n in _NAMES if (v := getattr(paper, n)) and v == getattr(other, n)), "")
        if same or _words(other.title) == _words(paper.title):
            what = f"{_NAMES[same]}{getattr(paper, same)}" if same else f"'{other.title}'"
            raise KnownError(what, kind, entry.id, catalog.files[kind, entry.id])


def similar(catalog: Catalog, title: str) -> list[Similar]:
    """At most three entries with the closest titles, closest first."""
    words, found = _words(title), []
    for kind, entry in catalog.entries():
        if isinstance(entry, Work) and entry.paper:
            other = _words(entry.paper.title)
            share = len(words & other) / (len(words | other) or 1)
            if share >= CLOSE:
                found.append(Similar(catalog.files[kind, entry.id], entry.paper.title, share))
    return sorted(found, key=lambda each: -each.share)[:3]


def _words(title: str) -> frozenset[str]:
    return frozenset(normalise(title).split("_"))


def name_of(title: str) -> str:
    """The name in a title: what stands before its colon, else the title."""
    name, colon, _ = title.partition(": ")
    return name if colon and len(name.split()) <= 5 else title


def id_of(name: str, kind: str) -> str:
    """A snake_case id for a name, of at most five words."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = normalise(plain).split("_")[:5]
    proposed = "_".join(words)[:60].strip("_")
    return proposed if re.match(ID_PATTERN, proposed) else f"{kind}_{proposed}".strip("_")


def refuse_taken(catalog: Catalog, new_id: str, option: str = "id") -> None:
    """Refuses an id that is malformed, or that another entry is found by.

    Args:
        catalog: The catalogue.
        new_id: The id.
        option: What the id is called where it was given.

    Raises:
        CatalogError: With the reason.
    """
    if not re.fullmatch(ID_PATTERN, new_id) or len(new_id) > 60:
        raise CatalogError(
            f"'{new_id[:100]}' is no id. Use lower-case letters, digits and single underscores, "
            "a letter first, at most 60 characters, such as my_method."
        )
    for kind, entry in catalog.entries():
        if new_id in spellings(entry):
            file = catalog.files[kind, entry.id]
            raise CatalogError(f"'{new_id}' means {file} already. Choose another {option}.")


def render(
    catalog: Catalog,
    found: Found,
    *,
    kind: str,
    new_id: str,
    pillars: tuple[str, ...] = (),
    more: Mapping[str, Any] | None = None,
) -> str:
    """The YAML text of a new entry, which validates.

    Args:
        catalog: The catalogue it is for.
        found: What is known about the paper.
        kind: Kind of entry.
        new_id: Its id.
        pillars: Pillars, for kinds that have them.
        more: Further fields, in order.

    Raises:
        CatalogError: A value does not fit its field.
    """
    paper, model = found.paper, KINDS[kind]
    name = name_of(paper.title) if not paper.title.startswith("TODO") else new_id
    if any(normalise(name) in spellings(entry) for _, entry in catalog.entries()):
        name = paper.title  # an alias belongs to one entry
    data: dict[str, Any] = {"id": new_id, "name": name}
    data["added"] = datetime.datetime.now(datetime.UTC).date().isoformat()
    if issubclass(model, Work):
        data |= {"status": "listed", "paper": paper.model_dump(exclude_defaults=True)}
        data["taxonomy"] = []
    else:
        data |= _TO_DO | {"source": f"{paper.title} {paper.link or ''}".strip()}
    if pillars:
        data["pillars"] = list(pillars)
    data |= more or {}
    lines = []
    schema = f"schema/{kind}.schema.json"
    if (catalog.root / "catalog" / schema).is_file():
        lines.append(f"# yaml-language-server: $schema=../{schema}")
    for key, value in data.items():
        if key == "paper":
            lines += ["paper:", *(f"  {k}: {_flow(v)}" for k, v in value.items())]
            lines += [f"  {line}" for line in _comments(Paper, value)]
            if found.remark:
                lines.append(f"  # The paper's source says: {found.remark}")
        elif key == "taxonomy":
            lines.append("taxonomy: [] # Leaves of the taxonomy; `vidpost list words` shows them.")
        else:
            lines.append(f"{key}: {value if key in _PLAIN else _flow(value)}")
    lines += ["", "# Optional. `vidpost check` says which rung of the ladder needs what."]
    lines += _comments(model, data)
    text = "\n".join(lines) + "\n"
    parsed, problems = strict_yaml.parse(text)
    try:
        model.model_validate(parsed)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise CatalogError(f"{new_id}: {where}: {first['msg']}. Add it by hand.") from error
    if problems:
        raise CatalogError(f"{new_id}: {problems[0].message}")
    return text


_PLAIN = ("id", "added", "status", "unit", "direction", "baseline")
"""Fields whose values need no quotes."""


def _flow(value: Any) -> str:
    """A value in YAML's flow style, which JSON is, too."""
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        plain = all(re.fullmatch(ID_PATTERN, each) for each in value)
        return f"[{', '.join(value)}]" if plain else json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False)


def _comments(model: type[BaseModel], given: Mapping[str, Any]) -> list[str]:
    """A comment for each field that is not given: its name, its shape and its help."""
    lines = []
    for name, field in model.model_fields.items():
        if name not in given and name != "is_baseline":
            lines.append(f"# {name}:{_shape(field.annotation)} # {field.description}")
    return lines


def _shape(annotation: Any) -> str:
    """` [{text, source}]` for a list of facts, ` []` for a list, "" for a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields.items()
        lists = {name: " []" if _shape(f.annotation).startswith(" [") else "" for name, f in fields}
        return (
            f" {{{', '.join(f'{name}:{more}' if more else name for name, more in lists.items())}}}"
        )
    parts = typing.get_args(annotation)
    if typing.get_origin(annotation) is tuple:
        return f" [{_shape(parts[0]).strip()}]"
    return next((shape for part in parts if (shape := _shape(part))), "")


def path_of(root: Path, kind: str, new_id: str) -> Path:
    """Where the entry lies."""
    folder = next(folder for folder, each in FOLDERS.items() if each == kind)
    return root / "catalog" / folder / f"{new_id}.yaml"


def card_path(catalog: Catalog, card: ResultCard, taken: Container[Path] = ()) -> Path:
    """Where a promoted card lies: results/<method>/<preset>_seed_<seeds>.yaml, not yet taken.

    Args:
        catalog: The catalogue.
        card: The card.
        taken: Paths that are about to be written.

    Raises:
        CatalogError: It is of a shortened run or of records that the catalogue does not know, or
            the preset's name does not make a file name.
    """
    if cut := lint.shortened(card):
        raise CatalogError(
            f"the card's run was cut ({cut}), so it is no result of the preset. "
            f"Run it whole: vidpost run {card.method}."
        )
    if card.benchmark not in ("synthetic", *catalog.benchmarks):
        raise CatalogError(
            f"the card is of '{card.benchmark}', which is no benchmark of the catalogue. A card on "
            "your own records stays in the run's folder; for benchmarks there is: vidpost eval."
        )
    if card.metric not in catalog.metrics:
        raise CatalogError(
            f"the card's metric '{card.metric}' is unknown. vidpost add --kind metric."
        )
    seeds = "_".join(map(str, card.seeds[:3])) + ("_more" if len(card.seeds) > 3 else "")
    stem = re.sub(r"[^a-z0-9]+", "_", f"{card.preset}_seed_{seeds}".lower()).strip("_")
    if card.benchmark != "synthetic":
        stem = f"{stem}_{card.benchmark}"
    if not stem or len(stem) > 100:
        raise CatalogError(f"the card's preset '{card.preset[:40]}' makes no file name. Rename it.")
    folder = catalog.root / "catalog" / "results" / card.method
    path, number = folder / f"{stem}.yaml", 2
    while path.exists() or path in taken:
        path = folder / f"{stem}_{number}.yaml"
        number += 1
    return path


def write(files: Mapping[Path, str]) -> None:
    """Writes all files or none, each whole or not at all, and never over another.

    Raises:
        CatalogError: One exists, or cannot be written.
    """
    written: list[Path] = []
    made: list[Path] = []
    try:
        for path, text in files.items():
            if not path.parent.exists():
                path.parent.mkdir(parents=True)
                made.append(path.parent)
            handle, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(text)
                Path(name).chmod(0o644)
                path.hardlink_to(name)  # unlike a rename it fails where a file exists
            finally:
                Path(name).unlink()
            written.append(path)
    except OSError as error:
        for each in written:
            each.unlink()
        for folder in made:
            folder.rmdir()
        reason = error.strerror or "cannot be written"
        raise CatalogError(
            f"{path}: {reason}. Nothing was written; choose another --id."
        ) from error
