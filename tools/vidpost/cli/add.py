"""`vidpost add`: a paper into the catalogue, at the rung `listed`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vidpost.add import arxiv, entry, issue_form, pull_request, scaffold, sources, web
from vidpost.catalog.diagnostics import CatalogError
from vidpost.catalog.loader import Catalog, load
from vidpost.catalog.models import KINDS, Paper

_PILLARS = ("sft", "rl", "tts")


@click.command()
@click.argument("ref", required=False)
@click.option("--kind", type=click.Choice(list(KINDS)), help="Kind of entry; method if not asked.")
@click.option("--id", "new_id", help="Id; proposed from the title if not given.")
@click.option(
    "--pillar",
    "--paradigm",
    "pillars",
    multiple=True,
    type=click.Choice(_PILLARS),
    help="Pillar of the survey; repeat it for more than one.",
)
@click.option(
    "--baseline",
    type=click.Choice(list(scaffold.BASELINES)),
    help="Baseline of the skeleton; grpo, sft or decode by pillar if not given.",
)
@click.option(
    "--from",
    "bib_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="BibTeX file with the paper's entry, instead of REF.",
)
@click.option(
    "--from-issue",
    "issue",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Text of an issue form (or a mail in its layout), instead of REF.",
)
@click.option("--offline", is_flag=True, help="Ask nobody; write the template.")
@click.option("--no-input", is_flag=True, help="Ask nothing; take what is proposed.")
@click.option("--scaffold", "with_code", is_flag=True, help="Write a method's skeleton, too.")
@click.option("--open-pr", is_flag=True, help="Commit on a branch and open a pull request.")
@click.pass_obj
def add(
    transport: Any,
    ref: str | None,
    kind: str | None,
    new_id: str | None,
    pillars: tuple[str, ...],
    baseline: str | None,
    bib_file: Path | None,
    issue: Path | None,
    offline: bool,
    no_input: bool,
    with_code: bool,
    open_pr: bool,
) -> None:
    """Add a paper to the catalogue.

    REF is an arXiv id, a DOI, a .bib file, or an address: arXiv, Hugging Face, OpenReview, the ACL
    Anthology, or any page of the paper.

    \b
    Examples:
      vidpost add 2503.21776
      vidpost add https://arxiv.org/abs/2503.21776v2 --kind benchmark --no-input
      vidpost add 10.18653/v1/2025.acl-long.1 --open-pr
      vidpost add --from paper.bib --scaffold --baseline dpo
      vidpost add --offline --id my_method
    """
    if issue is not None:
        _from_issue(issue, offline, transport)
        return
    if (ref is not None) == (bib_file is not None) and not (offline and new_id and not bib_file):
        raise CatalogError(
            "name one paper: an arXiv id, an address or a DOI, or --from file.bib, or --offline "
            "with --id."
        )
    if with_code and kind not in (None, "method"):
        raise CatalogError(f"--scaffold writes a method's skeleton, not a {kind}'s. Leave it out.")
    if baseline and not with_code:
        raise CatalogError("--baseline chooses the skeleton's baseline. Add --scaffold.")
    catalog = load()
    if bib_file is not None or ref is not None:
        source = sources.Source("bib", str(bib_file)) if bib_file else sources.identify(ref or "")
        found = _found(source, catalog, offline, transport)
    else:
        found = arxiv.Found(Paper(title=f"TODO: title of {new_id}"))
    ask = not no_input
    paper = found.paper
    if ask and paper.title.startswith("TODO"):
        found = found._replace(paper=_titled(paper))
        paper = found.paper
    entry.refuse_known(catalog, paper)
    click.echo(f'paper     {paper.arxiv_id or paper.doi or paper.url or ""}  "{paper.title}"')
    has_title = not paper.title.startswith("TODO")
    for other in entry.similar(catalog, paper.title) if has_title else ():
        click.echo(f'similar   {other.file}  "{other.title}" ({other.share:.2f})')
    if kind is None:
        choice = click.Choice(list(KINDS))
        asked = ask and not with_code
        kind = click.prompt("kind", default="method", type=choice) if asked else "method"
    if new_id is None:
        name = entry.name_of(paper.title) if has_title else _unnamed(paper)
        new_id = entry.id_of(name, kind)
        if ask:
            new_id = click.prompt("id", default=new_id)
    entry.refuse_taken(catalog, new_id, "--id")
    if pillars and "pillars" not in KINDS[kind].model_fields:
        raise CatalogError(f"a {kind} has no pillars. Leave --pillar out.")
    if not pillars and baseline:
        pillars = (scaffold.BASELINES[baseline],)
    elif not pillars and kind == "method" and ask:
        asked_pillar = click.prompt(
            "pillar", default="none", type=click.Choice([*_PILLARS, "none"])
        )
        pillars = () if asked_pillar == "none" else (asked_pillar,)
    files: dict[Path, str] = {}
    more: dict[str, Any] = {}
    if with_code:
        baseline = baseline or next(
            (name for name, pillar in scaffold.BASELINES.items() if pillar in pillars), "grpo"
        )
        more = {"baseline": baseline, "differs_in": [scaffold.hook(baseline)]}
        files = scaffold.files(catalog.root, paper, new_id, baseline)
    text = entry.render(catalog, found, kind=kind, new_id=new_id, pillars=pillars, more=more)
    path = entry.path_of(catalog.root, kind, new_id)
    branch = pull_request.prepare(catalog.root, new_id) if open_pr else ""
    entry.write({**files, path: text})
    shown = path.relative_to(catalog.root).as_posix()
    for each in (*files, path):
        click.echo(f"wrote     {each.relative_to(catalog.root).as_posix()}")
    open_ = " and fill in its TODO" if "TODO" in text else ""
    click.echo(f"next      vidpost check {shown}")
    click.echo(f"          edit the file{open_}; each check says what the next rung needs")
    if with_code:
        click.echo(f"          vidpost run {new_id} --smoke")
    if open_pr:
        title = f"Add {kind} {new_id}"
        for line in pull_request.open_pull_request(catalog.root, branch, [*files, path], title):
            click.echo(line)


def _from_issue(issue: Path, offline: bool, transport: Any) -> None:
    """What the issue's workflow does, at a terminal."""
    with issue.open(encoding="utf-8", errors="replace") as file:
        body = file.read(issue_form.LARGEST + 1)
    catalog = load()
    reply = issue_form.handle(body, catalog, offline=offline, transport=transport)
    entry.write(reply.files)
    for path in reply.files:
        click.echo(f"wrote     {path.relative_to(catalog.root).as_posix()}")
    click.echo(reply.comment.removeprefix(f"{issue_form.REPLY}\n"), nl=False)
    if reply.outcome in ("known", "refused"):
        raise click.exceptions.Exit(1)


def _titled(paper: Paper) -> Paper:
    """The paper with the title that its reader types; Enter leaves it open."""
    title = " ".join(click.prompt("title", default="later").split())
    return paper if title == "later" else paper.model_copy(update={"title": title[:300]})


def _unnamed(paper: Paper) -> str:
    """A name for a paper whose title is not known yet."""
    if paper.arxiv_id:
        return f"arxiv {paper.arxiv_id}"
    return f"paper {paper.doi or paper.openreview or str(paper.url).partition('://')[2]}"


def _found(source: sources.Source, catalog: Catalog, offline: bool, transport: Any) -> arxiv.Found:
    """The paper's metadata, or a template if its source is not asked or does not answer."""
    if source.kind == "bib":
        return sources.fetch(source, catalog.root)
    template = sources.template(source)
    entry.refuse_known(catalog, template.paper)
    if offline:
        return template
    try:
        return sources.fetch(source, catalog.root / ".cache" / "add", transport)
    except web.Unreachable as error:
        click.echo(f"note      {error}; this is the offline template. Fill in title and authors.")
        return template
