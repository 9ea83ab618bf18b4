"""The program behind the three issue forms: a body comes in, files and one comment go out.

The body is a stranger's: it is cut at the form's headings, measured, and used as data alone. What
is quoted in the comment stands in a code block that it cannot leave. Which form it is, a hidden
marker says; a label can be forgotten.

    python -m vidpost.add.issue_form body.md --comment reply.md --output "$GITHUB_OUTPUT"
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vidpost.add import entry, sources, web
from vidpost.catalog.diagnostics import CatalogError
from vidpost.catalog.loader import Catalog, load, load_model
from vidpost.catalog.models import KINDS, ResultCard

if TYPE_CHECKING:
    import httpx

LARGEST = 65_536
"""Characters of a body; GitHub's own limit."""

MARKER = re.compile(r"<!-- vidpost:(add-paper|correct-entry|reproduction):v1 -->")
REPLY = "<!-- vidpost:reply:v1 -->"
"""First line of the comment, by which the workflow finds it again."""

FIELDS = {
    "add-paper": {
        "Paper link": 500,
        "Kind": 20,
        "Family": 20,
        "What does it change?": 1500,
        "Code link": 500,
        "Reported numbers": 5000,
        "Are you an author?": 60,
        "Before you send": 200,
    },
    "correct-entry": {
        "Entry": 80,
        "Field": 200,
        "What is wrong?": 5000,
        "What is right, and where does it stand?": 5000,
        "Are you an author of the work?": 20,
    },
    "reproduction": {
        "Method": 80,
        "Command": 1000,
        "Commit of vidpost": 80,
        "Result card": 50_000,
        "Hardware and hours": 1000,
        "Log and report": 5000,
        "Are you an author of the method?": 20,
    },
}
"""Form -> its headings in order, as in .github/ISSUE_TEMPLATE, and the characters allowed."""

PILLARS = {"RL": ("rl",), "preference": ("rl",), "SFT": ("sft",), "test-time": ("tts",)}
"""Word of the form's family -> pillars."""


@dataclass(frozen=True)
class Reply:
    """What came of an issue.

    Attributes:
        outcome: "written": files are there for a pull request; "known": the catalogue has it;
            "noted": a comment alone; "refused": the comment says what to correct.
        comment: Markdown, `REPLY` on its first line.
        id: Id of the entry; "" if there is none.
        files: Path -> text, to be written.
    """

    outcome: Literal["written", "known", "noted", "refused"]
    comment: str
    id: str = ""
    files: Mapping[Path, str] = field(default_factory=dict)


def parse(body: str) -> tuple[str, dict[str, str]]:
    """The form and its filled fields.

    Raises:
        CatalogError: It is too long, has no marker, or a field is too long.
    """
    if len(body) > LARGEST:
        raise CatalogError(f"the issue has {len(body)} characters, at most {LARGEST}. Shorten it.")
    marker = MARKER.search(body)
    if marker is None:
        raise CatalogError("the issue was not written with one of the forms. Use a form.")
    limits = FIELDS[marker[1]]
    body = body.replace("\r\n", "\n")
    heading = re.compile(rf"^### ({'|'.join(map(re.escape, limits))})[ \t]*$", re.MULTILINE)
    found = list(heading.finditer(body))
    fields: dict[str, str] = {}
    for match, after in zip(found, [*found[1:], None], strict=True):
        text = body[match.end() : after.start() if after else len(body)]
        text = MARKER.sub("", text).strip()
        if text in ("_No response_", "None"):
            text = ""
        if len(text) > limits[match[1]]:
            raise CatalogError(
                f"'{match[1]}' has {len(text)} characters, at most {limits[match[1]]}. Shorten it."
            )
        fields.setdefault(match[1], text)  # a heading typed into a field cannot replace one
    return marker[1], fields


def handle(
    body: str,
    catalog: Catalog,
    *,
    offline: bool = False,
    transport: httpx.BaseTransport | None = None,
) -> Reply:
    """What an issue asks for; nothing is written yet.

    Args:
        body: The issue's text.
        catalog: The catalogue.
        offline: Ask no source about the paper.
        transport: For tests.
    """
    try:
        form, fields = parse(body)
        if form == "add-paper":
            return _add(fields, catalog, offline, transport)
        return (_correct if form == "correct-entry" else _reproduction)(fields, catalog)
    except entry.KnownError as error:
        text = f"This paper is in the catalogue: `{error.kind}` [`{error.id}`](../blob/main/"
        text += f"{catalog.files[error.kind, error.id]}). To correct it, use the form for that."
        return Reply("known", _comment(text), error.id)
    except CatalogError as error:
        text = "This could not be used yet. Edit the issue, and I look again.\n\n"
        return Reply("refused", _comment(text + _quote(str(error))))


def _add(
    fields: Mapping[str, str],
    catalog: Catalog,
    offline: bool,
    transport: httpx.BaseTransport | None,
) -> Reply:
    kind = fields.get("Kind", "") or "method"
    if kind not in KINDS or kind == "survey":
        raise CatalogError(f"Kind: '{kind}' is none of method, benchmark, dataset, metric.")
    source = sources.identify(fields.get("Paper link", ""))
    if source.kind == "bib":
        raise CatalogError("Paper link: a file cannot be read from here. Give an address or DOI.")
    found = sources.template(source)
    entry.refuse_known(catalog, found.paper)
    note = ""
    if not offline:
        try:
            found = sources.fetch(source, catalog.root / ".cache" / "add", transport)
        except web.Unreachable as error:
            note = f"{error}; title and authors are still to be filled in.\n\n"
    entry.refuse_known(catalog, found.paper)
    title = found.paper.title
    name = entry.name_of(title) if not title.startswith("TODO") else f"paper {source.id}"
    new_id = entry.id_of(name, kind)
    entry.refuse_taken(catalog, new_id)
    pillars = PILLARS.get(fields.get("Family", ""), ())
    if "pillars" not in KINDS[kind].model_fields:
        pillars = ()
    more: dict[str, Any] = {}
    delta = " ".join(fields.get("What does it change?", "").split())
    if delta and kind == "method":
        more["idea"] = delta
    code = re.fullmatch(r"(https?://[^\s<>\"'#?]+)", fields.get("Code link", ""))
    if code and "code" in KINDS[kind].model_fields:
        more["code"] = {"url": code[1]}
    text = entry.render(catalog, found, kind=kind, new_id=new_id, pillars=pillars, more=more)
    path = entry.path_of(catalog.root, kind, new_id)
    shown = path.relative_to(catalog.root).as_posix()
    people = ", ".join(found.paper.authors[:3]) + (
        " and others" if len(found.paper.authors) > 3 else ""
    )
    rows = {
        "Title": title,
        "Authors": people or "to be filled in",
        "Year": str(found.paper.year or "to be filled in"),
        "Kind": kind,
        "Pillar": ", ".join(pillars) or "to be chosen",
        "File": shown,
    }
    lines = [f"{note}Thank you. This is the entry as I understand it:", ""]
    lines += [_quote("\n".join(f"{k:8} {v}" for k, v in rows.items())), ""]
    close = entry.similar(catalog, title) if not title.startswith("TODO") else []
    if close:
        lines += ["Entries with a close title; is it one of them?", ""]
        lines += [_quote("\n".join(f"{s.file}  {s.title}" for s in close)), ""]
    lines += ["Still open, for the rung `described`:", ""]
    lines += [f"- {question}" for question in _open_questions(kind, fields, found.paper.title)]
    if fields.get("Reported numbers"):
        lines += ["", "Numbers to enter with their table and protocol:", ""]
        lines += [_quote(fields["Reported numbers"])]
    return Reply("written", _comment("\n".join(lines)), new_id, {path: text})


def _open_questions(kind: str, fields: Mapping[str, str], title: str) -> list[str]:
    questions = []
    if title.startswith("TODO"):
        questions.append("title, authors and year")
    questions.append("which leaves of the taxonomy (`vidpost list words`)?")
    if kind == "method":
        questions.append("which hooks differ from the baseline (`differs_in`)?")
        questions.append("trained on what, evaluated on what, with how many frames?")
        if not fields.get("Code link"):
            questions.append("is there code, and under which licence?")
    return questions


def _correct(fields: Mapping[str, str], catalog: Catalog) -> Reply:
    kind, found = catalog.find(fields.get("Entry", ""))
    file = catalog.files[kind, found.id]
    where = fields.get("Field", "")
    line, _ = catalog.place(file, where)
    lines = [f"That is [`{file}`, line {line}](../blob/main/{file}#L{line})."]
    if where:
        text = (catalog.root / file).read_text(encoding="utf-8").splitlines()
        lines += ["", "It says now:", "", _quote("\n".join(text[line - 1 : line + 4]))]
    lines += [
        "",
        "Proposed, with its source:",
        "",
        _quote(fields.get("What is right, and where does it stand?", "") or "nothing"),
        "",
        f"To propose it as a change: [edit the file](../edit/main/{file}).",
    ]
    return Reply("noted", _comment("\n".join(lines)), found.id)


def _reproduction(fields: Mapping[str, str], catalog: Catalog) -> Reply:
    _, found = catalog.find(fields.get("Method", ""), "method")
    text = fields.get("Result card", "")
    text = re.sub(r"\A```(?:ya?ml)?\n|\n```\Z", "", text.strip()) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "card.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            card = load_model(path, ResultCard)
        except CatalogError as error:
            raise CatalogError(str(error).replace(str(path), "Result card")) from None
    target = entry.card_path(catalog, card)
    if card.method != found.id:
        raise CatalogError(f"Result card: it is of '{card.method}', not of '{found.id}'.")
    lines = [
        f"A valid card of `{card.method}`: {card.metric} {card.score:.3f} on `{card.benchmark}`, "
        f"n = {card.n}, protocol `{card.fingerprint}`, {card.kind}.",
        "",
        f"It becomes `{target.relative_to(catalog.root).as_posix()}`.",
    ]
    return Reply("written", _comment("\n".join(lines)), found.id, {target: text})


def _quote(text: str) -> str:
    """A code block that its text cannot end."""
    fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", text)), default=0))
    return f"{fence}text\n{text}\n{fence}"


def _comment(text: str) -> str:
    return f"{REPLY}\n{text}\n"


def main(arguments: list[str] | None = None) -> None:
    """The workflow's entry point; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m vidpost.add.issue_form")
    parser.add_argument("body", type=Path)
    parser.add_argument("--comment", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--output", type=Path, help="file to which outcome= and id= are appended")
    parser.add_argument("--offline", action="store_true")
    given = parser.parse_args(arguments)
    with given.body.open(encoding="utf-8", errors="replace") as file:
        body = file.read(LARGEST + 1)
    reply = handle(body, load(), offline=given.offline)
    entry.write(reply.files)
    given.comment.write_text(reply.comment, encoding="utf-8")
    if given.output:
        with given.output.open("a", encoding="utf-8") as file:
            file.write(f"outcome={reply.outcome}\nid={reply.id}\n")


if __name__ == "__main__":
    main()
