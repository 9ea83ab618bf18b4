"""The small site, built once a session and served on this machine."""

from __future__ import annotations

import functools
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from small_site import HOSTILE, make_root, write_card, write_entry

os.environ.setdefault("NO_MKDOCS_2_WARNING", "1")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a small site that was generated and built in strict mode."""
    from vidpost.site.build import build

    root = make_root(tmp_path_factory.mktemp("site"))
    write_entry(root, "methods", HOSTILE)
    claim = yaml.safe_load((root / "catalog/methods/video_r1.yaml").read_text())["claims"][0]
    write_card(root, "mini", "miniature", task=", ".join(claim["tasks"]) or "all")
    write_card(root, "other", "miniature", comparisons=[], score=0.597)
    write_card(root, "full", "reproduction", preset="paper", benchmark="video_mme", score=0.571)
    build(root, draft=True)  # a draft: the kept entries point at entries that are not here
    return root


@pytest.fixture(scope="session")
def served(built: Path) -> Iterator[str]:
    """The address of the built site on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            """Nothing: a page asks for a dozen files."""

    handler = functools.partial(Quiet, directory=str(built / "site"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
