"""A copy of the catalogue to add to, and a transport that answers from texts."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import httpx

from vidpost import contracts
from vidpost.catalog import lint
from vidpost.catalog.loader import find_root, load

ROOT = find_root(Path(__file__))


class Answers(httpx.MockTransport):
    """Answers with (status, body) in turn, the last one for ever, and keeps the requests."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.requests: list[httpx.Request] = []
        self.answers = list(answers)
        super().__init__(self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        status, body = self.answers[min(len(self.requests), len(self.answers)) - 1]
        return httpx.Response(status, text=body)


def copy_repository(root: Path) -> Path:
    """The parts of the repository that checks read."""
    for part in ("catalog", "reproductions"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def link_repository(original: Path, root: Path) -> Path:
    """A quick copy by hard links; safe, because files are replaced and never changed in place."""
    shutil.copytree(original, root, dirs_exist_ok=True, copy_function=os.link)
    return root


def errors(root: Path) -> list[str]:
    catalog = load(root)
    return [str(each) for each in lint.check(catalog, contracts.check(catalog)).errors()]
