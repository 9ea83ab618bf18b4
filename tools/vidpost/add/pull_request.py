"""`vidpost add --open-pr`: a branch with the new files, and a pull request where `gh` is there.

Only the files that were just written are committed; what else is changed or staged stays as it is.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from vidpost.catalog.diagnostics import CatalogError


def prepare(root: Path, entry_id: str) -> str:
    """The branch that will hold the entry, after a check that it can be made.

    Raises:
        CatalogError: No git, no repository, staged changes, or the branch exists.
    """
    branch = f"add/{entry_id}"
    if _git(root, "rev-parse", "--is-inside-work-tree", ok_to_fail=True) != "true":
        raise CatalogError("--open-pr needs git and a repository. Leave it out.")
    if _git(root, "diff", "--cached", "--name-only"):
        raise CatalogError("--open-pr: changes are staged. Commit or unstage them first.")
    if _git(root, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", ok_to_fail=True):
        raise CatalogError(
            f"--open-pr: branch {branch} exists. Delete it: git branch -D {branch}, or use --id."
        )
    return branch


def open_pull_request(root: Path, branch: str, files: Sequence[Path], title: str) -> list[str]:
    """Commit the files on a new branch and open the pull request.

    Args:
        root: Repository root.
        branch: From `prepare`.
        files: The files of this entry, below `root`.
        title: Title of commit and pull request.

    Returns:
        What to tell the user: where the pull request is, or the commands that open it.

    Raises:
        CatalogError: git or gh failed, with what it said.
    """
    names = [path.relative_to(root).as_posix() for path in files]
    _git(root, "switch", "--quiet", "--create", branch)
    _git(root, "add", "--", *names)
    _git(root, "commit", "--quiet", "-m", title)
    push = ["git", "push", "--set-upstream", "origin", branch]
    create = ["gh", "pr", "create", "--title", title, "--body", _BODY, "--head", branch]
    remote = _git(root, "remote", "get-url", "origin", ok_to_fail=True)
    if shutil.which("gh") is None or not remote:
        return [
            f"committed on branch {branch}",
            "to open the pull request:",
            f"  {shlex.join(push)}",
            f"  {shlex.join(create)}",
        ]
    _call(root, push)
    return [f"committed on branch {branch}", _call(root, create)]


_BODY = "Adds one entry at the rung `listed`.\n\nValidation: `vidpost check`"


def _git(root: Path, *args: str, ok_to_fail: bool = False) -> str:
    return _call(root, ["git", "-C", str(root), *args], ok_to_fail=ok_to_fail)


def _call(root: Path, command: Sequence[str], *, ok_to_fail: bool = False) -> str:
    try:
        done = subprocess.run(
            command, cwd=root, capture_output=True, text=True, timeout=120, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        if ok_to_fail:
            return ""
        raise CatalogError(f"{shlex.join(command)}: {type(error).__name__}.") from None
    if done.returncode and not ok_to_fail:
        said = (done.stderr or done.stdout).strip()[-500:]
        raise CatalogError(f"{shlex.join(command)} failed: {said}")
    return "" if done.returncode else done.stdout.strip()
