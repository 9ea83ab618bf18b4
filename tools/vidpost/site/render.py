"""Jinja with the catalogue's rules: strict about names, and escaping whatever is not our markup."""

from __future__ import annotations

import json
import re
from functools import cached_property
from statistics import fmean
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from vidpost.catalog.loader import CatalogError
from vidpost.catalog.models import Paper, ResultCard, Score, Size
from vidpost.export.text import visible
from vidpost.site import context as ctx
from vidpost.site import latex, text
from vidpost.site.context import PLURAL, Site

DASH = Markup('<span class="absent">\u2013</span>')


def paper_label(paper: Paper) -> str:
    """What the link to a paper says."""
    if paper.arxiv_id:
        return f"Paper on arXiv {paper.arxiv_id}"
    if paper.openreview:
        return "Paper on OpenReview"
    return f"Paper, DOI {paper.doi}" if paper.doi else "Paper"


def quoted(value: object) -> Markup:
    """A value for YAML front matter: escaped text in double quotes."""
    return Markup(json.dumps(str(text.escape(value)), ensure_ascii=False))


def address(value: object) -> Markup:
    """An address for YAML front matter, in double quotes; empty if it is not http or https."""
    return Markup(f'"{text.outside(str(value)) or ""}"')


def raw(value: object) -> Markup:
    """Text inside a code fence: as it is, without characters that could hide or end anything."""
    lines = str(value).replace("\r\n", "\n").split("\n")
    return Markup("\n".join(visible(line) for line in lines))


class Renderer:
    """Renders templates for a site and remembers every address they point at.

    Attributes:
        targets: Page -> addresses below the root that it links to; checked after generation.
        missing: Page -> ids of entries and words that it names and that do not exist.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.targets: dict[str, set[str]] = {}
        self.missing: dict[str, set[str]] = {}
        env = Environment(
            loader=PackageLoader("vidpost.site"),
            undefined=StrictUndefined,
            autoescape=True,  # so that macros return markup; `finalize` escapes more than HTML
            finalize=text.escape,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        env.filters.update(quoted=quoted, raw=raw, address=address)
        env.globals.update(
            STATUS=ctx.STATUS, TITLE=ctx.TITLE, ONE=ctx.ONE, PLURAL=PLURAL, RELATIONS=RELATIONS,
            absent=text.escape(None), absent_text=text.ABSENT, dash=DASH,
            number=text.number, formula=latex.formula,
            authors=ctx.authors, month=ctx.month, setting=ctx.setting, paper_label=paper_label,
            search_words=ctx.search_words,
            go=self._go, link=self._link, word=self._word, outside=self._outside, sizes=_sizes,
            card_table=self._card_table, blob=site.blob, edit_url=self.edit_url,
            issue_url=self.issue_url, issues=f"{site.repo}/issues/new?template=reproduction.yml",
            has_repo=bool(site.repo),
        )  # fmt: skip
        self.env = env

    def page(self, path: str, template: str, /, **values: Any) -> str:
        """Renders one page.

        Args:
            path: The page's file below docs/, ending in `.md`; it decides relative addresses.
            template: Template without `.md.j2`.
            **values: What the template uses.
        """
        values["base"] = base(path)
        values["page_path"] = path
        self.targets.setdefault(path, set())
        rendered = self.env.get_template(f"{template}.md.j2").render(values)
        return re.sub(r"\n{3,}", "\n\n", rendered).lstrip()

    def edit_url(self, file: str) -> str:
        """Where a file of the repository is edited in the browser; "" without a repository."""
        return f"{self.site.repo}/edit/main/{file}" if self.site.repo else ""

    def issue_url(self, name: str) -> str:
        """The form that corrects an entry, with its id filled in."""
        return f"{self.site.repo}/issues/new?template=correct-entry.yml&entry={quote(name)}"

    @cached_property
    def _names(self) -> dict[str, Markup]:
        return {entry.id: text.escape(entry.name) for _, entry in self.site.catalog.entries()}

    @pass_context
    def _go(self, context: Context, path: str) -> Markup:
        path = str(path)
        self.targets[context["page_path"]].add(path)
        return Markup(f"{context['base']}{path}" or "./")

    @pass_context
    def _link(self, context: Context, name: str, label: str | None = None) -> Markup:
        path = self.site.path(name)
        if path is None:
            self.missing.setdefault(context["page_path"], set()).add(name)
            return Markup(f"<code>{text.escape(name)}</code>")
        page: str = context["page_path"]
        self.targets[page].add(path)
        # Between entries the shorter way: pages with many numbers hold hundreds of links.
        near = page.startswith("catalog/")
        address = f"../../{path.removeprefix('catalog/')}" if near else f"{context['base']}{path}"
        shown = text.escape(label) if label else self._names[name]
        return Markup(f'<a href="{address}">{shown}</a>')

    @pass_context
    def _word(self, context: Context, name: str, css: str = "") -> Markup:
        item = self.site.catalog.words.get(name)
        if item is None:
            self.missing.setdefault(context["page_path"], set()).add(name)
            return Markup(f"<code>{text.escape(name)}</code>")
        path = f"taxonomy/{name}/"
        self.targets[context["page_path"]].add(path)
        style = f' class="{css}"' if css else ""
        return Markup(f'<a{style} href="{context["base"]}{path}">{text.escape(item.name)}</a>')

    def _outside(self, address: str, label: str) -> Markup:
        safe = text.outside(str(address))
        shown = text.escape(label)
        return Markup(f'<a href="{safe}">{shown}</a>') if safe else shown

    @pass_context
    def _card_table(self, context: Context, cards: dict[str, ResultCard], caption: str) -> Markup:
        """Cards as a table; what all of them share is said once, in the caption."""
        some = list(cards.values())
        one_method = len({card.method for card in some}) == 1
        one_metric = len({card.metric for card in some}) == 1
        one_protocol = len({card.fingerprint for card in some}) == 1
        one_level = len({card.level for card in some}) == 1
        steps = {
            key: [s for s in card.scores if s.task == card.task] for key, card in cards.items()
        }
        with_steps = any(steps.values())
        interval = f"{100 * some[0].level:g} % interval" if one_level else "Interval"
        columns = ["Card" if one_method else "Method", "Task", *([] if one_metric else ["Metric"])]
        head = "".join(f'<th scope="col">{name}</th>' for name in columns)
        for label in ("Score", interval, "n", "Seeds"):
            head += f'<th scope="col" class="num">{label}</th>'
        head += '<th scope="col">Checkpoints and runs</th>' if with_steps else ""
        head += "" if one_protocol else '<th scope="col">Protocol</th>'
        rows = []
        for key, card in sorted(cards.items(), key=lambda item: (item[1].method, item[0])):
            low, high = card.interval
            where = self.site.blob(f"catalog/results/{key}.yaml")
            file = self._outside(where, key.rpartition("/")[2])
            row = file if one_method else f"{self._link(context, card.method)} ({file})"
            cells = [
                f'<th scope="row">{row}</th><td>{text.escape(card.task)}</td>',
                "" if one_metric else f"<td>{self._link(context, card.metric)}</td>",
                f'<td class="num">{card.score:.3f}</td>',
                f'<td class="num">{low:.3f} to {high:.3f}</td><td class="num">{card.n:,}</td>',
                f'<td class="num">{text.escape(", ".join(map(str, card.seeds)))}</td>',
            ]
            if with_steps:
                cells.append(f"<td>{text.escape(_told(steps[key]) or None)}</td>")
            if not one_protocol:
                protocol = text.escape(ctx.protocol(card))
                cells.append(f"<td>{protocol} <code>{card.fingerprint}</code></td>")
            rows.append(f"<tr>{''.join(cells)}</tr>")
        shown = text.escape(caption)
        shared = f"; {self._link(context, some[0].metric)}" if one_metric else ""
        if one_protocol:
            protocol = text.escape(ctx.protocol(some[0]))
            shared += f"; protocol <code>{some[0].fingerprint}</code>: {protocol}"
        return Markup(
            f'<div class="scroll" role="region" tabindex="0" aria-label="{shown}">'
            f'<table class="plain"><caption>{shown}{shared}</caption><thead><tr>{head}</tr></thead>'
            f"<tbody>{''.join(rows)}</tbody></table></div>"
        )


RELATIONS = {
    "extended_by": "Extended by",
    "compared_with_by": "Compared with by",
    "supersedes": "Supersedes",
    "released": "Released with it",
    "baseline_of": "Baseline of",
    "evaluates": "Evaluates",
    "trains": "Trains",
    "reported_by": "Numbers reported by",
    "claimed_by": "In claims of",
}
"""Back-link -> its name on a page."""


def base(path: str) -> str:
    """The way from a page's address up to the root: "" or "../" repeated."""
    depth = path.count("/") + (0 if path.endswith("index.md") else 1)
    return "../" * depth


def _told(steps: list[Score]) -> str:
    """Checkpoints with their scores; runs that differ in the seed alone as a mean and a range."""
    runs: dict[str, list[float]] = {}
    for step in steps:
        runs.setdefault(re.sub(r", seed \d+$", "", step.name), []).append(step.score)
    return "; ".join(
        f"{name} {fmean(found):.3f}"
        + (f" ({min(found):.3f} to {max(found):.3f})" if len(found) > 1 else "")
        for name, found in runs.items()
    )


def _sizes(items: tuple[Size, ...]) -> Markup:
    if not items:
        return text.escape(None)
    parts = []
    for item in items:
        amount = f"{text.escape(text.number(item.count))} " if item.count is not None else ""
        note = f" ({text.escape(item.note)})" if item.note else ""
        source = f'<span class="source">{text.escape(item.source)}</span>'
        parts.append(f"<div>{amount}{text.escape(item.of)}{note} {source}</div>")
    return Markup("".join(parts))


def check_targets(targets: dict[str, set[str]], known: frozenset[str]) -> None:
    """Every address that a page points at exists.

    Raises:
        CatalogError: With each page and address that does not.
    """
    lost = [
        f"docs/{page}: links to '{target}', which no page or file makes. Mend the template."
        for page, wanted in sorted(targets.items())
        for target in sorted(wanted - known)
    ]
    if lost:
        raise CatalogError("\n".join(lost))
