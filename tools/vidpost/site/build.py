"""Load, check, write what changed under docs/, remove what is stale, then run mkdocs."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from vidpost.catalog import lint
from vidpost.catalog.loader import CatalogError, load
from vidpost.site import data, pages
from vidpost.site.context import PLURAL, Site
from vidpost.site.render import Renderer, check_targets

MANIFEST = ".generated.json"
OPTIONAL = ("rewards.md", "walkthrough.md", "performance.md", "scaling.md")
"""Hand-written pages that mkdocs.yml lists and that may be missing."""


@dataclass(frozen=True)
class Report:
    """What a build did.

    Attributes:
        files: Generated files.
        written: Those whose text changed.
        removed: Stale files that were removed.
        generating: Seconds from loading to the last file written.
        building: Seconds in mkdocs, 0 if it did not run.
        pages: Pages that mkdocs built.
        warnings: Problems of the catalogue that were passed over (drafts only).
    """

    files: int
    written: int
    removed: int
    generating: float
    building: float = 0.0
    pages: int = 0
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Two lines for the terminal."""
        text = (
            f"{self.files} files made, {self.written} written, {self.removed} removed "
            f"in {self.generating:.2f} s"
        )
        if self.pages:
            each = 1000 * self.building / self.pages
            text += f"\n{self.pages} pages built in {self.building:.1f} s ({each:.0f} ms a page)"
        return "\n".join([*self.warnings, text])


class _Loader(yaml.SafeLoader):
    """Reads mkdocs.yml as plain data; its Python tags are kept as text and never run."""


_Loader.add_multi_constructor("", lambda loader, suffix, node: str(suffix))


def settings(root: Path) -> dict[str, Any]:
    """The plain part of mkdocs.yml."""
    path = root / "mkdocs.yml"
    if not path.is_file():
        raise CatalogError(f"{path}: missing. Build the site inside the repository.")
    loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    return loaded if isinstance(loaded, dict) else {}


NOBODY = "OWNER"
"""Stands in the addresses of mkdocs.yml until the repository has a home."""
HERE = "http://127.0.0.1:8000/"
"""Where `vidpost site serve` shows a site that has no address yet."""


def addresses(config: Mapping[str, Any]) -> tuple[str, str]:
    """The addresses of site and repository in mkdocs.yml; "" for one that is not set yet."""
    site, repo = (str(config.get(key) or "").rstrip("/") for key in ("site_url", "repo_url"))
    site, repo = ("" if NOBODY in address else address for address in (site, repo))
    return f"{site}/" if site else "", repo


def generate(root: Path, *, draft: bool = False) -> Report:
    """Writes the generated part of docs/.

    Args:
        root: Repository root.
        draft: Build in spite of errors in the catalogue; entries that cannot be read are left out.

    Raises:
        CatalogError: The catalogue has errors, or a page would link to nothing.
    """
    start = time.perf_counter()
    catalog = load(root)
    errors = lint.check(catalog).errors()
    if errors and not draft:
        raise CatalogError(diagnostics=errors)
    url, repo = addresses(settings(root))
    site = Site(catalog, url=url or HERE, repo=repo)
    docs = root / "docs"
    made = dict(data.files(site))
    renderer = Renderer(site)
    old = _manifest(docs)
    handwritten = frozenset(
        _address(path.relative_to(docs).as_posix())
        for path in docs.rglob("*")
        if path.is_file() and path.relative_to(docs).as_posix() not in old
    )
    expected = frozenset(_address(path) for path in (*made, *_page_paths(site))) | handwritten
    made |= dict(pages.pages(site, renderer, expected))
    check_targets(
        {page: {t.partition("?")[0] for t in found} for page, found in renderer.targets.items()},
        frozenset(map(_address, made)) | handwritten | {""},
    )
    written, removed = write(docs, made)
    warnings = tuple(map(str, errors))
    return Report(len(made), written, removed, time.perf_counter() - start, warnings=warnings)


def _page_paths(site: Site) -> Iterable[str]:
    """Pages that pictures may link to."""
    for kind, entry in site.catalog.entries():
        yield f"catalog/{PLURAL[kind]}/{entry.id}.md"
    for word in site.catalog.words:
        yield f"taxonomy/{word}.md"


def _address(path: str) -> str:
    """docs/ path -> address below the root: `a/b.md` -> `a/b/`, `a/index.md` -> `a/`."""
    if path.endswith(("/index.md", "/index.html")):
        return path.rpartition("/")[0] + "/"
    if path == "index.md":
        return ""
    return f"{path[:-3]}/" if path.endswith(".md") else path


def _manifest(docs: Path) -> dict[str, str]:
    try:
        stored = json.loads((docs / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(stored, dict):
        return {}
    return {str(k): str(v) for k, v in stored.items()}


def write(docs: Path, made: Mapping[str, str]) -> tuple[int, int]:
    """Writes files whose text changed and removes those that are made no longer.

    Args:
        docs: Folder of the pages.
        made: Path below it -> text.

    Returns:
        (number written, number removed).
    """
    old = _manifest(docs)
    new: dict[str, str] = {}
    written = 0
    folders: set[Path] = set()
    for name, text in made.items():
        content = text.encode()
        new[name] = hashlib.sha256(content).hexdigest()[:16]
        path = docs / name
        if old.get(name) == new[name]:
            with contextlib.suppress(OSError):
                if path.stat().st_size == len(content):
                    continue
        if path.parent not in folders:
            path.parent.mkdir(parents=True, exist_ok=True)
            folders.add(path.parent)
        path.write_bytes(content)
        written += 1
    removed = 0
    top = docs.resolve()
    for name in old.keys() - new.keys():
        path = docs / name
        # The manifest is a file that anyone could edit: it must not reach outside docs/.
        if top in path.resolve().parents and path.is_file():
            path.unlink()
            removed += 1
            with contextlib.suppress(OSError):
                path.parent.rmdir()  # only if it is empty
    if new != old:
        (docs / MANIFEST).write_text(json.dumps(new, indent=0, sort_keys=True), encoding="utf-8")
    return written, removed


class _Said(logging.Handler):
    """Keeps what mkdocs warns about, so that the message of a failed build can repeat it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps one line."""
        self.lines.append(record.getMessage())


def build(root: Path, *, draft: bool = False, out: Path | None = None) -> Report:
    """Generates and runs mkdocs in strict mode.

    Args:
        root: Repository root.
        draft: Build in spite of errors in the catalogue.
        out: Where the site goes; `site/` below the root if not given.

    Raises:
        CatalogError: The catalogue has errors, mkdocs is missing, or it warns.
    """
    report = generate(root, draft=draft)
    start = time.perf_counter()
    os.environ.setdefault("NO_MKDOCS_2_WARNING", "1")
    try:
        from mkdocs.commands.build import build as run
        from mkdocs.config import load_config
        from mkdocs.exceptions import Abort, MkDocsException
    except ImportError:
        raise CatalogError("mkdocs is missing. Install it: pip install -e '.[docs]'.") from None
    place = out or root / "site"
    plain = settings(root)
    url, repo = addresses(plain)
    known = {"site_url": url, "repo_url": repo, **({} if repo else {"edit_uri": ""})}
    said = _Said()
    log = logging.getLogger("mkdocs")
    log.setLevel(logging.WARNING)
    log.addHandler(said)
    with contextlib.chdir(root):
        try:
            config = load_config(
                str(root / "mkdocs.yml"), strict=True, site_dir=str(place),
                nav=present(plain.get("nav"), root / "docs"), **known,
            )  # fmt: skip
            run(config)
        except (Abort, MkDocsException) as error:
            raise CatalogError("\n".join([f"mkdocs: {error}", *said.lines])) from None
        finally:
            log.removeHandler(said)
    built = squeeze(place, repo)
    spent = time.perf_counter() - start
    return Report(
        report.files, report.written, report.removed, report.generating, spent, built,
        report.warnings,
    )  # fmt: skip


_BLANK = re.compile(r"[ \t]*\n\s*")
# Highlighting that the theme shows like plain code: names, punctuation, white space.
_PLAIN_CODE = re.compile(r'<span class="(?:n|p|w|o)">([^<]*)</span>')
_VERBATIM = re.compile(r"(<(pre|script|style|textarea)\b.*?</\2>)", re.DOTALL | re.IGNORECASE)
_NOWHERE = re.compile(
    rf'<a [^>]*href="https://github\.com/{NOBODY}/[^"]*"[^>]*>(.*?)</a>', re.DOTALL
)


# A table: one that scrolls already, one of ours, or what Markdown makes of bars.
_TABLE = re.compile(
    r'(<div class="scroll"[^>]*>\s*)?(<table(?: class="plain[^>]*)?>)(.*?)</table>', re.DOTALL
)
_CAPTION = re.compile(r"<caption[^>]*>(.*?)</caption>", re.DOTALL)


def _table(match: re.Match[str], number: count[int]) -> str:
    """A table that scrolls by itself where the window is narrow, by keyboard, too."""
    around, opening, inner = match.groups()
    if around:
        return match[0]
    caption = _CAPTION.search(inner)
    told = re.sub(r"<[^>]+>", "", caption[1]).replace('"', "&quot;") if caption else ""
    label = f"Table {next(number)}{': ' if told else ''}{told}"
    if opening == "<table>":
        opening = '<table class="plain">'
        inner = re.sub(r"<th\b", r'<th scope="col"', inner)
        # On a phone a cell of text keeps its width; a digit needs none.
        inner = re.sub(r"<td>(?=[^<]{0,6}</td>)", '<td class="ref">', inner)
    return (
        f'<div class="scroll" role="group" tabindex="0" aria-label="{label}">'
        f"{opening}{inner}</table></div>"
    )


def squeeze(place: Path, repo: str = "") -> int:
    """Drops the blank lines and the indentation that the theme's templates leave in pages.

    A third of a page is white space otherwise. Code keeps its text but not the highlighting that
    nobody can see; scripts and styles stay as they are. Tables get what narrow windows and
    assistive technology need; links into a repository that has no home yet become plain text.

    Args:
        place: Folder of the site.
        repo: Address of the repository, "" if it has none yet.

    Returns:
        The number of pages.
    """
    made = 0
    for path in place.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        if not repo:
            text = _NOWHERE.sub(r"\1", text)
        text = _TABLE.sub(partial(_table, number=count(1)), text)
        parts = _VERBATIM.split(text)
        # split() yields text, verbatim block, its tag, text, ...: the tag is dropped.
        kept = [_BLANK.sub("\n", parts[0])]
        for block, rest in zip(parts[1::3], parts[3::3], strict=True):
            kept += [_PLAIN_CODE.sub(r"\1", block), _BLANK.sub("\n", rest)]
        path.write_text("".join(kept), encoding="utf-8")
        made += "<article" in text
    return made


def present(nav: Any, docs: Path) -> Any:
    """The navigation without optional pages that are not there."""
    if isinstance(nav, str):
        return nav if nav not in OPTIONAL or (docs / nav).is_file() else None
    if isinstance(nav, dict):
        kept = {name: present(item, docs) for name, item in nav.items()}
        return {name: item for name, item in kept.items() if item not in (None, [], {})} or None
    if isinstance(nav, list):
        return [item for each in nav if (item := present(each, docs)) is not None]
    return nav
