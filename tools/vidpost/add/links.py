"""Do the catalogue's links still lead somewhere? For the nightly job, never for a pull request.

A refusal is no death: 401, 403, 429 and server errors say "blocked" or "busy". What is gone (404,
410, no such host) is looked for in the Internet Archive. Results are volatile facts: they go to
catalog/cache/links.json, which bots write and the site may show.

Addresses come from strangers, so only public names are asked: no numbers, no names without a dot,
no redirect is followed (where it leads is written down).
"""

from __future__ import annotations

import datetime
import json
import re
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import urlsplit

from vidpost.add.web import TIMEOUT, USER_AGENT
from vidpost.catalog.graph import texts
from vidpost.catalog.loader import Catalog
from vidpost.catalog.places import write_text

if TYPE_CHECKING:
    import httpx

State = Literal["ok", "moved", "blocked", "busy", "gone", "unreachable", "refused"]

ARCHIVE = "https://archive.org/wayback/available"
PAUSE = 1.0  # seconds between two requests to one host
TRIES = 3
CACHE = "catalog/cache/links.json"
FRESH = {"ok": 30, "moved": 30, "blocked": 14, "refused": 30}
"""State -> days for which a result is kept; others are asked every night."""

_PUBLIC = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}", re.ASCII)
_PRIVATE = (".local", ".internal", ".localhost", ".lan", ".home.arpa")


class Result(NamedTuple):
    """What became of one address.

    Attributes:
        url: The address.
        state: See `State`.
        status: HTTP status, 0 if there was no answer.
        checked: ISO day.
        to: Where a moved page is, or the archive's copy of one that is gone; "" if unknown.
    """

    url: str
    state: State
    status: int
    checked: str
    to: str = ""


def links_of(catalog: Catalog) -> dict[str, list[str]]:
    """Address -> files of the entries that have it, sorted."""
    found: dict[str, set[str]] = defaultdict(set)
    for kind, entry in catalog.entries():
        for _, text in texts(entry):
            if re.fullmatch(r"https?://[^\s<>\"']{3,500}", text):
                found[text].add(catalog.files[kind, entry.id])
    return {url: sorted(files) for url, files in sorted(found.items())}


def public(url: str) -> bool:
    """Whether an address names a public host on a usual port."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return False
    return bool(_PUBLIC.fullmatch(host)) and not host.endswith(_PRIVATE) and port in (None, 80, 443)


def check(
    client: httpx.Client, url: str, today: str, wait: Callable[[float], None] = time.sleep
) -> Result:
    """Asks one address; a busy one up to three times.

    Args:
        client: Follows no redirects.
        url: The address.
        today: ISO day, for the result.
        wait: Called with seconds; for tests.
    """
    import httpx

    if not public(url):
        return Result(url, "refused", 0, today)
    status, to = 0, ""
    for attempt in range(TRIES):
        if attempt:
            wait(2.0**attempt)
        try:
            with client.stream("GET", url) as response:  # some hosts answer HEAD with 404
                status, to = response.status_code, response.headers.get("location", "")[:500]
        except (httpx.HTTPError, httpx.InvalidURL):
            status = 0
        if status and status != 429 and status < 500:
            break
    if status in (404, 410):
        return Result(url, "gone", status, today, archived(client, url))
    if status == 0:
        return Result(url, "unreachable", 0, today, archived(client, url))
    if 300 <= status < 400:
        same = to.rstrip("/") == url.rstrip("/") or not to
        return Result(url, "ok" if same else "moved", status, today, to)
    if status == 429 or status >= 500:
        return Result(url, "busy", status, today)
    return Result(url, "ok" if status < 400 else "blocked", status, today)


def archived(client: httpx.Client, url: str) -> str:
    """The archive's copy of a page; "" if there is none or the archive does not answer."""
    import httpx

    try:
        answer = client.get(ARCHIVE, params={"url": url})
        closest = answer.json()["archived_snapshots"]["closest"]
        return str(closest["url"])[:500] if closest["available"] else ""
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return ""


def check_all(
    catalog: Catalog,
    *,
    limit: int | None = None,
    transport: httpx.BaseTransport | None = None,
    wait: Callable[[float], None] = time.sleep,
    progress: Callable[[Result], None] | None = None,
) -> list[Result]:
    """Asks every address that was not asked lately and writes the results.

    Args:
        catalog: The catalogue.
        limit: At most so many requests; the longest unchecked first.
        transport: For tests.
        wait: Called with seconds; for tests.
        progress: Called with each result.

    Returns:
        One result an address that the catalogue has, old ones included, sorted by address.
    """
    import httpx

    path = catalog.root / CACHE
    now = datetime.datetime.now(datetime.UTC).date()
    wanted = links_of(catalog)
    known = {r.url: r for r in read(path) if r.url in wanted}
    due = [url for url in wanted if url not in known or _stale(known[url], now)]
    due.sort(key=lambda url: known[url].checked if url in known else "")
    last: dict[str, float] = {}
    headers = {"User-Agent": USER_AGENT}
    with httpx.Client(timeout=TIMEOUT, transport=transport, headers=headers) as client:
        for url in due[:limit]:
            host = urlsplit(url).hostname or ""
            wait(max(0.0, last.get(host, -PAUSE) + PAUSE - time.monotonic()))
            known[url] = check(client, url, now.isoformat(), wait)
            last[host] = time.monotonic()
            if progress is not None:
                progress(known[url])
    results = [known[url] for url in sorted(known)]
    write_text(path, json.dumps([r._asdict() for r in results], indent=0) + "\n")
    return results


def _stale(result: Result, now: datetime.date) -> bool:
    age = (now - datetime.date.fromisoformat(result.checked)).days
    return age >= FRESH.get(result.state, 1)


def read(path: Path) -> list[Result]:
    """Earlier results; a missing or damaged file is none."""
    try:
        found = [Result(**item) for item in json.loads(path.read_text(encoding="utf-8"))]
        for item in found:
            datetime.date.fromisoformat(item.checked)
        return found
    except (OSError, ValueError, TypeError):
        return []


def report(catalog: Catalog, results: list[Result]) -> str:
    """Markdown about what needs a person: gone, unreachable, refused, moved; "" if nothing does."""
    files = links_of(catalog)
    lines = []
    for state, title in (
        ("gone", "Gone"),
        ("unreachable", "No such host, or no answer"),
        ("refused", "No public address"),
        ("moved", "Moved"),
    ):
        these = [r for r in results if r.state == state]
        if these:
            lines += [f"## {title} ({len(these)})", ""]
            for r in these:
                where = ", ".join(f"`{file}`" for file in files[r.url])
                to = f", see `{r.to}`" if r.to else ""
                lines.append(f"- `{r.url}` ({r.status or 'no answer'}{to}): {where}")
            lines.append("")
    return "\n".join(lines)
