"""Reads catalog/ into a `Catalog`: strict, fast, and with the place of every problem.

Parsed files are cached under `.cache/` by the hash of their content, so that adding an entry reads
only that entry. The cache holds plain JSON and is validated like the YAML itself; deleting it is
always safe. Positions are worked out only for files with a problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from vidpost.catalog import models, strict_yaml
from vidpost.catalog.cache import ContentCache, content_hash
from vidpost.catalog.diagnostics import CatalogError, Diagnostic, closest
from vidpost.catalog.models import (
    FOLDERS,
    KINDS,
    BenchmarkEntry,
    DatasetEntry,
    Entry,
    MethodEntry,
    MetricEntry,
    ResultCard,
    SurveyEntry,
    TaxonomyWord,
    WordFile,
)
from vidpost.catalog.places import find_root

__all__ = ["Catalog", "CatalogError", "find_root", "load", "load_mapping", "load_model"]

M = TypeVar("M", bound=BaseModel)
_CACHE_FILE = Path(".cache") / "catalog.json"


@dataclass
class Catalog:
    """All entries by kind and id.

    Attributes:
        root: Repository root, the folder that holds catalog/.
        methods: Methods, baselines included.
        benchmarks: Benchmarks.
        datasets: Training sets.
        metrics: Metrics.
        surveys: Surveys.
        words: Taxonomy words of all kinds, in file order.
        results: Result cards by "<method>/<file name without .yaml>".
        files: (kind, id) -> path relative to the root; kinds are those of the entries, "word" and
            "result".
        diagnostics: Problems found while reading; files with errors have no entry.
    """

    root: Path
    methods: dict[str, MethodEntry] = field(default_factory=dict)
    benchmarks: dict[str, BenchmarkEntry] = field(default_factory=dict)
    datasets: dict[str, DatasetEntry] = field(default_factory=dict)
    metrics: dict[str, MetricEntry] = field(default_factory=dict)
    surveys: dict[str, SurveyEntry] = field(default_factory=dict)
    words: dict[str, TaxonomyWord] = field(default_factory=dict)
    results: dict[str, ResultCard] = field(default_factory=dict)
    files: dict[tuple[str, str], str] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    _positions: dict[str, strict_yaml.Positions] = field(default_factory=dict, repr=False)

    def of_kind(self, kind: str) -> Mapping[str, Entry]:
        """The entries of one kind ("method", "benchmark", ...)."""
        entries: Mapping[str, Entry] = getattr(self, f"{kind}s")
        return entries

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """(kind, entry) of every entry, sorted by kind and id."""
        for kind in KINDS:
            for _, entry in sorted(self.of_kind(kind).items()):
                yield kind, entry

    def words_of(self, kind: models.WordKind) -> list[TaxonomyWord]:
        """The taxonomy words of one kind, in file order."""
        return [word for word in self.words.values() if word.kind == kind]

    def cards_of(self, method: str) -> dict[str, ResultCard]:
        """The result cards of a method, by card id."""
        return {key: card for key, card in self.results.items() if card.method == method}

    def find(self, name: str, kind: str | None = None) -> tuple[str, Entry]:
        """Looks an entry up by id, name, alias or arXiv id; case, hyphens and blanks do not matter.

        With `kind`, the id of the work that released the entry does as well, if it released one.

        Returns:
            (kind, entry).

        Raises:
            CatalogError: Nothing is called so; the message suggests the closest id.
        """
        wanted = normalise(name)
        known: dict[str, tuple[str, Entry]] = {}
        for entry_kind, entry in self.entries():
            if kind is None or entry_kind == kind:
                for spelling in spellings(entry):
                    known.setdefault(spelling, (entry_kind, entry))
        if wanted in known:
            return known[wanted]
        if kind is not None and wanted:
            released = [
                each
                for each in self.of_kind(kind).values()
                if getattr(each, "released_with", None) == wanted
            ]
            if len(released) == 1:
                return kind, released[0]
        if re.fullmatch(models.ARXIV_PATTERN, name):  # another paper's number is no hint
            raise CatalogError(f"no {kind or 'entry'} has arXiv id {name}. vidpost add {name}")
        hint = closest(wanted, (entry.id for _, entry in known.values()))
        hint = hint or closest(wanted, known) or "`vidpost list` shows all ids."
        raise CatalogError(f"no {kind or 'entry'} is called '{name}'. {hint}")

    def place(self, file: str, path: str = "", *, key: bool = False) -> tuple[int, int]:
        """(line, col), from 1, of a dotted path such as `reported[2].value` in a catalogue file.

        Args:
            file: Path relative to the root.
            path: Dotted path; a path that is not in the file gives its nearest parent.
            key: Whether the key's place is wanted instead of the value's.
        """
        if file not in self._positions:
            positions = strict_yaml.Positions()
            strict_yaml.parse((self.root / file).read_text(encoding="utf-8"), positions)
            self._positions[file] = positions
        return self._positions[file].of(split_path(path), key=key)

    def problem(
        self, file: str, code: str, where: str, message: str, *, warn: bool = False
    ) -> Diagnostic:
        """A diagnostic about a dotted path of one of the catalogue's files."""
        line, col = self.place(file, where)
        severity = "warning" if warn else "error"
        return Diagnostic(file, line, col, code, where, message, severity)  # type: ignore[arg-type]


def normalise(name: str) -> str:
    """The form in which names are compared: lower case, letters and digits only, "_" between.

    A final plus is part of a name ("MECD+" is not "MECD").
    """
    name = re.sub(r"\+(?=\W|$)", " plus ", name.lower())
    return re.sub(r"[^a-z0-9]+", "_", name).strip("_")


def spellings(entry: Entry) -> list[str]:
    """All normalised spellings under which an entry is found, its id first."""
    names = [entry.id, entry.name, *entry.aliases]
    paper = getattr(entry, "paper", None)
    if paper is not None and paper.arxiv_id:
        names.append(paper.arxiv_id)
    return list(dict.fromkeys(map(normalise, names)))


def split_path(path: str) -> strict_yaml.Path:
    """`reported[2].value` -> ("reported", 2, "value"); plain numbers between dots work too."""
    parts = re.findall(r"[^.\[\]]+", path)
    return tuple(int(part) if part.isdigit() else part for part in parts)


def join_path(parts: tuple[Any, ...]) -> str:
    """("reported", 2, "value") -> `reported[2].value`."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")


def load_mapping(path: Path) -> dict[str, Any]:
    """Reads one strict YAML file that holds a mapping.

    Raises:
        CatalogError: With one line for each problem.
    """
    data, problems = _read(path, str(path))
    if problems:
        raise CatalogError(diagnostics=problems)
    return data


def load_model(path: Path, model: type[M]) -> M:
    """Reads one strict YAML file and validates it, for example a `ResultCard`.

    Raises:
        CatalogError: With one line for each problem.
    """
    data = load_mapping(path)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        text = path.read_text(encoding="utf-8")
        raise CatalogError(diagnostics=explain(error, text, str(path))) from None


def load(root: Path | None = None, *, cache: bool = True) -> Catalog:
    """Reads the whole catalogue. Problems are in `Catalog.diagnostics`; nothing is raised for them.

    Args:
        root: Repository root; found from the current folder if not given.
        cache: Whether to use and refresh `.cache/catalog.json`.

    Raises:
        CatalogError: There is no catalogue.
    """
    root = find_root() if root is None else root.resolve()
    catalog = Catalog(root)
    store = ContentCache(root / _CACHE_FILE if cache else None, strict_yaml.__file__)
    base = root / "catalog"
    if not base.is_dir():
        raise CatalogError(f"no catalog/ folder in {root}. Name the repository root.")
    for folder, kind in FOLDERS.items():
        table: dict[str, Any] = getattr(catalog, folder)
        for path in _yaml_files(base / folder):
            entry = _load_file(catalog, store, path, KINDS[kind])
            if entry is not None:
                table[entry.id] = entry
                file = catalog.files[kind, entry.id] = path.relative_to(root).as_posix()
                if entry.id != path.stem:
                    message = (
                        f"'{entry.id}' is not the file name. Rename the file or correct the id."
                    )
                    catalog.diagnostics.append(catalog.problem(file, "id-file", "id", message))
    for path in _yaml_files(base / "taxonomy"):
        words = _load_file(catalog, store, path, WordFile)
        relative = path.relative_to(root).as_posix()
        for index, word in enumerate(words.words if words else ()):
            if word.id in catalog.words:
                other = catalog.files["word", word.id]
                message = f"'{word.id}' is a word of {other} already. Choose another id."
                problem = catalog.problem(relative, "duplicate-id", f"words[{index}].id", message)
                catalog.diagnostics.append(problem)
                continue
            catalog.words[word.id] = word
            catalog.files["word", word.id] = relative
    for path in sorted((base / "results").glob("*/*.yaml")):
        card = _load_file(catalog, store, path, ResultCard)
        if card is not None:
            key = f"{path.parent.name}/{path.stem}"
            catalog.results[key] = card
            catalog.files["result", key] = path.relative_to(root).as_posix()
    store.save()
    return catalog


def explain(error: ValidationError, text: str, file: str) -> list[Diagnostic]:
    """A validation error as diagnostics with line, column, code and remedy.

    Args:
        error: What pydantic said about the data of `text`.
        text: The YAML text.
        file: Name shown in the messages.
    """
    positions = strict_yaml.Positions()
    strict_yaml.parse(text, positions)
    return [_explain_one(dict(item), positions, file, error.title) for item in error.errors()]


# Union branches add their own names to pydantic's location; they are no part of the file's path.
_BRANCHES = re.compile(r"^(constrained-)?(str|int|float|bool|none)$|^function-|\[")


def _explain_one(
    item: dict[str, Any], positions: strict_yaml.Positions, file: str, title: str
) -> Diagnostic:
    kind, given = item["type"], item["input"]
    known = {*positions.keys, *positions.values}
    path = tuple(item["loc"])
    while path and path not in known and _BRANCHES.search(str(path[-1])):
        path = path[:-1]
    where = join_path(path)
    line, col = positions.of(path, key=kind == "extra_forbidden")
    message: str = item["msg"]
    if kind == "extra_forbidden":
        code = "unknown-field"
        fields = list(_fields_at(title, path[:-1]))
        message = "not a field here. "
        message += closest(str(path[-1]), fields) or "Remove it; `vidpost schema` lists all fields."
    elif kind == "missing":
        code, message = "missing-field", f"missing. Add it. {_help(title, path)}".rstrip()
    elif kind == "string_type" and path in positions.plain:
        written = positions.plain[path]
        code = "unquoted"
        message = f'YAML does not read {written} as text. Quote it: "{written}".'
    elif kind in ("literal_error", "enum"):
        code = "unknown-value"
        message = f"{given!r} is not allowed. Use {item['ctx']['expected']}."
        message = f"{message[:-1]}." if message.endswith("..") else message
    elif kind in ("string_too_long", "too_long"):
        code = "too-long"
        length = f"{len(given)} characters" if isinstance(given, str) else f"{len(given)} items"
        message = f"{length}, at most {item['ctx']['max_length']}. Shorten it."
    elif kind == "value_error" and "at most" in message:
        code, message = "too-long", f"{item['ctx']['error']}. Shorten it."
    elif kind == "string_pattern_mismatch":
        code = "bad-format"
        message = _form(str(given), item["ctx"]["pattern"])
    elif kind == "fingerprint":
        code = "fingerprint"
        message = f"{message}. Write the card with the tool, not by hand."
    else:
        code = "invalid-value"
        message = f"{message.replace('valid tuple', 'list')}. Correct it. {_help(title, path)}"
    return Diagnostic(file, line, col, code, where, message.rstrip())


_FORMS = {
    models.ARXIV_PATTERN: "an arXiv id. Write it without version, as in 2503.21776.",
    models.URL_PATTERN: "an address. Begin with https:// and leave no blanks.",
    models.COMMIT_PATTERN: "a commit. Give 7 to 40 hexadecimal digits; a branch or tag moves.",
    models.DOI_PATTERN: "a DOI. Write it without resolver, as in 10.48550/arXiv.2503.21776.",
}


def _form(given: str, pattern: str) -> str:
    """What a text that does not match a pattern should look like."""
    if pattern == models.ID_PATTERN:
        fixed = normalise(given)
        hint = f"Write '{fixed}'" if re.match(pattern, fixed) else "Begin with a letter"
        return f"{given!r} is no id. {hint}: lower-case letters, digits, single underscores."
    if pattern in _FORMS:
        return f"{given!r} is not {_FORMS[pattern]}"
    return f"{given!r} does not match {pattern}. Correct it."


def _help(title: str, path: tuple[Any, ...]) -> str:
    """What the field at `path` of the model called `title` means, "" if nothing is said."""
    while path and isinstance(path[-1], int):
        path = path[:-1]
    field = _fields_at(title, path[:-1]).get(str(path[-1])) if path else None
    return (field.description or "") if field is not None else ""


def _fields_at(title: str, path: tuple[Any, ...]) -> dict[str, FieldInfo]:
    """Fields of the model at `path` below the model called `title`."""
    model: type[BaseModel] | None = getattr(models, title, None)
    for part in path:
        if isinstance(part, str) and model is not None and part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation)
    return dict(model.model_fields) if model is not None else {}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        if (found := _model_in(part)) is not None:
            return found
    return None


def _yaml_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.yaml"))


def _read(path: Path, shown: str) -> tuple[dict[str, Any], list[Diagnostic]]:
    """Data and problems of a file; the data is {} if it is not a mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        return {}, [_unreadable(shown, error)]
    except UnicodeDecodeError:
        return {}, [Diagnostic(shown, 1, 1, "yaml", "", "not UTF-8. Save it as UTF-8.")]
    return _parse(text, shown)


def _unreadable(shown: str, error: OSError) -> Diagnostic:
    reason = error.strerror or "cannot be read"
    return Diagnostic(shown, 1, 1, "unreadable", "", f"{reason}. Check the path.")


def _parse(text: str, shown: str) -> tuple[dict[str, Any], list[Diagnostic]]:
    data, found = strict_yaml.parse(text)
    problems = [
        Diagnostic(shown, p.line, p.col, p.code, join_path(p.path), p.message) for p in found
    ]
    if not isinstance(data, dict):
        if not problems:
            message = "not a mapping. Write `key: value` lines."
            problems = [Diagnostic(shown, 1, 1, "yaml", "", message)]
        data = {}
    return data, problems


def _load_file(catalog: Catalog, store: ContentCache, path: Path, model: type[M]) -> M | None:
    shown = path.relative_to(catalog.root).as_posix()
    try:
        raw = path.read_bytes()
    except OSError as error:
        catalog.diagnostics.append(_unreadable(shown, error))
        return None
    key = content_hash(raw)
    data = store.get(key)
    if not isinstance(data, dict):
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            problem = Diagnostic(shown, 1, 1, "yaml", "", "not UTF-8. Save it as UTF-8.")
            catalog.diagnostics.append(problem)
            return None
        data, problems = _parse(text, shown)
        catalog.diagnostics += problems
        if not problems:
            store.put(key, data)
        elif not data:
            return None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        catalog.diagnostics += explain(error, raw.decode("utf-8"), shown)
        return None
