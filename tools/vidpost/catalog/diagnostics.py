"""Diagnostics: one line a problem, with place, stable code, and remedy."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

Format = Literal["text", "github", "json"]

CODES: dict[str, str] = {
    # reading
    "yaml": "The file is not valid YAML, not UTF-8, or not a mapping.",
    "unreadable": "The file cannot be read.",
    "too-large": "The file is larger than any entry needs to be.",
    "several-documents": "The file holds more than one YAML document.",
    "duplicate-key": "A key appears twice in one mapping; the last would silently win.",
    "key": "A key is a list or a mapping instead of a word.",
    "alias": "A YAML alias; entries are written out.",
    "anchor": "A YAML anchor or merge key; entries are written out.",
    "tag": "A YAML tag; entries are plain data.",
    "ambiguous-word": "Plain yes, NO, on and the like are booleans to some readers.",
    # fields
    "unknown-field": "The field does not exist; often a slip of spelling.",
    "missing-field": "A field that every such entry needs is missing.",
    "unquoted": "Text that YAML reads as a number or boolean, such as a bare arXiv id.",
    "unknown-value": "The field takes one of a few words, and this is none of them.",
    "bad-format": "The text does not have the form of an id, a URL, a commit and so on.",
    "too-long": "The text or list is longer than allowed.",
    "invalid-value": "The value has the wrong type or lies outside its bounds.",
    "fingerprint": "A card's fingerprint is not that of its protocol.",
    # between entries
    "id-file": "The id differs from the file name.",
    "duplicate-id": "Two entries, or two words, have the same id.",
    "duplicate-alias": "An alias is the id, name or alias of another entry.",
    "duplicate-name": "Two entries have the same name (warning: it happens in the field).",
    "duplicate-arxiv": "Two entries have the same arXiv id.",
    "duplicate-title": "Two papers have the same or nearly the same title.",
    "unknown-id": "A reference to an entry that does not exist.",
    "wrong-kind": "A reference to an entry of another kind.",
    "unknown-word": "A word that is not in the taxonomy, or is of another kind.",
    "unused-word": "A leaf of the taxonomy has no entry (warning).",
    "cycle": "superseded_by or parent leads back to where it started.",
    "no-paper": "A work with neither paper nor released_with.",
    "no-link": "A paper without arXiv id, DOI, OpenReview id or URL (warning).",
    "year-arxiv": "paper.year differs from the year in the arXiv id.",
    "future-date": "`added` lies more than a week ahead.",
    "venue-spelling": "A venue is spelled in two ways.",
    "spelling": "American spelling in our own words, which are British (warning).",
    "out-of-range": "A number lies outside the metric's range.",
    "no-setting": "A reported number without frames, resolution or a note on its protocol.",
    "conflicting-numbers": "Different numbers for the same model, metric and protocol (warning).",
    "status-unmet": "The status claims a rung whose conditions are not met.",
    "no-card": "A runnable method without a miniature result card (warning).",
    "todo": "TODO is left in an entry that is no longer just listed.",
    "unverified-path": "`unverified` names a field that is empty or does not exist.",
    "baseline": "is_baseline and baseline do not fit together.",
    "reward-aspect": "The aspect of a reward is missing in reward_aspects.",
    "pillars": "pillars do not fit the leaves, the stages or used_for.",
    "claim": "A claim does not compare this method, or repeats an id.",
    "card-place": "A result card lies in the folder of another method.",
    "short-run": "A result card of a run with fewer steps or clips than its preset.",
    # entry and code
    "orphan": "An entry without its module, or a module without its entry.",
    "method-differs": "id or baseline in method.py differ from the entry.",
    "hooks-differ": "The hooks in method.py differ from differs_in.",
    "unknown-hook": "differs_in names a hook that does not exist.",
    "no-method": "method.py does not assign METHOD = Method(...) with plain keywords.",
    "docstring": "method.py's docstring lacks one of its fixed lines.",
    "import-direction": "An import against the directions of the house.",
    "preset": "A preset is invalid, lacks a source, or mini.yaml changes a forbidden key.",
}
"""Stable code -> what it means. Codes are never renamed; the site lists them with examples."""


@dataclass(frozen=True, order=True)
class Diagnostic:
    """A problem somewhere in the repository.

    Attributes:
        file: Path relative to the repository root, with forward slashes.
        line: Line, from 1.
        col: Column, from 1.
        code: Stable code, a key of `CODES`.
        where: Dotted path of the field, "" for the whole file.
        message: What is wrong, and what to do.
        severity: Errors fail `vidpost check`; warnings fail it only with --strict.
    """

    file: str
    line: int
    col: int
    code: str
    where: str
    message: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        """The text form: `file:line:col: error[code] path: message`."""
        where = f"{self.where}: " if self.where else ""
        return (
            f"{self.file}:{self.line}:{self.col}: {self.severity}[{self.code}] "
            f"{where}{self.message}"
        )


class CatalogError(Exception):
    """A file, id or folder that cannot be used; the text is meant for the user.

    Attributes:
        diagnostics: The problems, if the error stands for several.
    """

    def __init__(self, message: str = "", diagnostics: Iterable[Diagnostic] = ()) -> None:
        self.diagnostics = tuple(sorted(diagnostics))
        super().__init__(message or "\n".join(map(str, self.diagnostics)))


def render(diagnostics: Iterable[Diagnostic], form: Format = "text") -> str:
    """All diagnostics, sorted by file, line and column.

    Args:
        diagnostics: In any order; equal ones are shown once.
        form: text (clickable), github (workflow annotations) or json (a list of objects).
    """
    items = sorted(set(diagnostics))
    if form == "json":
        return json.dumps([asdict(item) for item in items], indent=2, ensure_ascii=False)
    if form == "github":
        return "\n".join(map(_annotation, items))
    return "\n".join(map(str, items))


def _annotation(item: Diagnostic) -> str:
    # GitHub's own escapes; without them a colon or newline in untrusted text forges an annotation.
    def data(text: str) -> str:
        return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")

    def prop(text: str) -> str:
        return data(text).replace(":", "%3A").replace(",", "%2C")

    message = f"{item.where}: {item.message}" if item.where else item.message
    return (
        f"::{item.severity} file={prop(item.file)},line={item.line},col={item.col},"
        f"title={prop(item.code)}::{data(message)}"
    )


def closest(word: str, choices: Iterable[str]) -> str:
    """A hint like "Did you mean 'year'?", or "" if nothing is near.

    Short words must agree better: any two share half of their letters.
    """
    cutoff = 0.6 if len(word) > 5 else 0.72
    found = difflib.get_close_matches(word.lower(), sorted(choices), n=1, cutoff=cutoff)
    return f"Did you mean '{found[0]}'?" if found else ""
