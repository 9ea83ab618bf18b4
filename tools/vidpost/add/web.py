"""One small download, politely: a User-Agent, a time-out, a size limit, and waits when asked to.

arXiv asks for at most one request every three seconds from one connection; the others get the same
manners. No redirect is followed, and only the addresses written in this package are asked.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vidpost.catalog.diagnostics import CatalogError

if TYPE_CHECKING:
    import httpx

USER_AGENT = "vidpost (catalogue of papers; one request a command)"
TIMEOUT = 10.0  # seconds
WAITS = (3.0, 6.0)  # seconds before the second and the third try
BUSY = (429, 503)
LARGEST = 1_000_000  # bytes; an answer about one paper has a few thousand
FRESH = 7 * 24 * 3600  # seconds
OFFLINE = "`--offline` writes the template without asking."


class Unreachable(Exception):
    """A source did not answer, or asked to wait; the message says which."""


def get(
    who: str,
    url: str,
    what: str,
    params: Mapping[str, str] | None = None,
    transport: httpx.BaseTransport | None = None,
) -> bytes:
    """The body of one answer.

    Args:
        who: The source, for messages ("arXiv").
        url: Its address.
        what: What is asked for, for messages (an id).
        params: The query.
        transport: For tests.

    Raises:
        Unreachable: No answer, or 429 or 503 three times.
        CatalogError: Another status than 200, or an answer that is too large.
    """
    import httpx  # half of what `vidpost add` takes to start

    status = 0
    try:
        with httpx.Client(
            timeout=TIMEOUT, transport=transport, headers={"User-Agent": USER_AGENT}
        ) as client:
            for wait in (0.0, *WAITS):
                time.sleep(wait)
                with client.stream("GET", url, params=params) as response:
                    status = response.status_code
                    if status in BUSY:
                        continue
                    if status != 200:
                        break
                    body = b""
                    for chunk in response.iter_bytes():
                        body += chunk
                        if len(body) > LARGEST:
                            raise CatalogError(
                                f"{who}'s answer about {what} is larger than {LARGEST} bytes. "
                                + OFFLINE
                            )
                    return body
    except httpx.HTTPError as error:
        raise Unreachable(f"{who} cannot be reached ({type(error).__name__})") from error
    if status in BUSY:
        raise Unreachable(f"{who} is busy (status {status}, {len(WAITS) + 1} tries)")
    raise CatalogError(f"{who} answered with status {status} about {what}. Check the id; {OFFLINE}")


def kept(path: Path) -> bytes | None:
    """An answer that was kept less than a week ago."""
    try:
        if time.time() - path.stat().st_mtime < FRESH:
            return path.read_bytes()
    except OSError:
        pass
    return None


def keep(path: Path, body: bytes) -> None:
    """Keeps an answer; a read-only checkout works without."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    except OSError:
        pass
