"""The program behind `/add apply`: a maintainer's comment on a form's issue merges its entry.

Nothing but that comment does it: these two words alone, newly written by a person who may write to
the repository, on an open issue that came from a form, for the one pull request that the bot opened
for it. That request may touch the catalogue only, may not have changed after the comment, and none
of its checks may have failed. Event and answers of the code host are data: they are validated, and
nothing of them is run or quoted.

    python -m vidpost.add.apply event.json --pulls pulls.json --permission permission.json
        --comment reply.md --output "$GITHUB_OUTPUT"
"""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from vidpost.add.issue_form import MARKER, REPLY

COMMAND = "/add apply"
WRITERS = ("OWNER", "MEMBER", "COLLABORATOR")
"""Associations that can go with a right to write; whether it does, the permission says."""

PATH = re.compile(
    r"catalog/(?:(?:methods|benchmarks|datasets|metrics)/\w{1,80}|results/\w{1,80}/\w{1,80})\.yaml",
    re.ASCII,
)
"""What a pull request made from a form can hold."""

LARGEST = 8_000_000
"""Bytes of a file that is read; an event has at most some hundred thousand."""


class _Data(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class _User(_Data):
    login: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,38}$")]
    type: Literal["User"]


_Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
"""UTC to the second, so that texts compare as times do."""


class _Comment(_Data):
    body: str
    created_at: _Time
    author_association: str
    user: _User


class _Issue(_Data):
    number: Annotated[int, Field(gt=0, lt=10**9)]
    state: str
    body: str | None = None
    pull_request: Any = None


class _Event(_Data):
    action: Literal["created"]
    comment: _Comment
    issue: _Issue


class _File(_Data):
    path: str


class _Commit(_Data):
    when: Annotated[_Time, Field(alias="committedDate")]


class _Check(_Data):
    """A run of a workflow has a conclusion once it has ended; a commit's status has a state."""

    conclusion: str | None = None
    state: str | None = None


class _Pull(_Data):
    number: Annotated[int, Field(gt=0, lt=10**9)]
    head: Annotated[str, Field(alias="headRefOid", pattern=r"^[0-9a-f]{40}$")]
    branch: Annotated[str, Field(alias="headRefName")]
    base: Annotated[str, Field(alias="baseRefName")]
    from_fork: Annotated[bool, Field(alias="isCrossRepository")]
    draft: Annotated[bool, Field(alias="isDraft")]
    files: list[_File]
    commits: list[_Commit]
    checks: Annotated[list[_Check], Field(alias="statusCheckRollup")]


class _Permission(_Data):
    permission: str
    user: _User


@dataclass(frozen=True)
class Decision:
    """What comes of a comment.

    Attributes:
        outcome: "ignored": not this command, or not from somebody who may give it, and nothing is
            said; "refused": the comment says why; "merge": the checks and then the merge follow.
        comment: Markdown, "" if nothing is said.
        pull: Number of the pull request to merge, 0 if there is none.
        head: Commit that was looked at; another one is not merged.
    """

    outcome: Literal["ignored", "refused", "merge"]
    comment: str = ""
    pull: int = 0
    head: str = ""


IGNORED = Decision("ignored")


def decide(event: object, pulls: object, permission: object) -> Decision:
    """Whether a comment merges a pull request.

    Args:
        event: An `issue_comment` event.
        pulls: What `gh pr list --json` says about open pull requests, with the fields of `_Pull`.
        permission: The code host's answer on the commenter's permission for the repository.
    """
    try:
        given = _Event.model_validate(event)
        rights = _Permission.model_validate(permission)
    except ValidationError:
        return IGNORED
    comment, issue = given.comment, given.issue
    allowed = (
        comment.author_association in WRITERS
        and rights.user.login == comment.user.login
        and rights.permission in ("admin", "maintain", "write")
    )
    if comment.body.strip() != COMMAND or not allowed or issue.pull_request is not None:
        return IGNORED
    if issue.state != "open" or not MARKER.search(issue.body or ""):
        return _refused("this works on an open issue that was written with a form")
    branch = re.compile(rf"issue/{issue.number}-[a-z0-9_]{{1,80}}")
    try:
        opened = TypeAdapter(list[_Pull]).validate_python(pulls)
    except ValidationError:
        return _refused("the list of pull requests could not be read; try again")
    ours = [p for p in opened if branch.fullmatch(p.branch) and not p.from_fork]
    if len(ours) != 1:
        return _refused(f"{len(ours)} open pull requests belong to this issue, and it takes one")
    (pull,) = ours
    if pull.draft or pull.base != "main":
        return _refused(f"#{pull.number} is a draft, or does not go to main")
    if not pull.files or not all(PATH.fullmatch(file.path) for file in pull.files):
        return _refused(f"#{pull.number} holds more than entries; merge it by hand")
    if any(commit.when > comment.created_at for commit in pull.commits):
        return _refused(f"#{pull.number} changed after your comment; look again")
    results = {check.conclusion or check.state or "PENDING" for check in pull.checks}
    if not results <= {"SUCCESS", "NEUTRAL", "SKIPPED"}:
        return _refused(f"the checks of #{pull.number} are not green, or not done")
    return Decision("merge", f"{REPLY}\nMerged as #{pull.number}.\n", pull.number, pull.head)


def _refused(why: str) -> Decision:
    return Decision("refused", f"{REPLY}\nNot merged: {why}.\n")


def _load(path: Path) -> object:
    """A file's JSON; None if it is none, or too large."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
        return json.loads(raw) if len(raw) <= LARGEST else None
    except (OSError, ValueError, RecursionError):
        return None


def main(arguments: list[str] | None = None) -> None:
    """The workflow's entry point; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m vidpost.add.apply")
    parser.add_argument("event", type=Path)
    parser.add_argument("--pulls", type=Path, required=True)
    parser.add_argument("--permission", type=Path, required=True)
    parser.add_argument("--comment", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--output", type=Path, required=True, help="file to append the outcome to")
    given = parser.parse_args(arguments)
    found = decide(_load(given.event), _load(given.pulls), _load(given.permission))
    given.comment.write_text(found.comment, encoding="utf-8")
    with given.output.open("a", encoding="utf-8") as file:
        file.write(f"outcome={found.outcome}\npull={found.pull}\nhead={found.head}\n")


if __name__ == "__main__":
    main()
