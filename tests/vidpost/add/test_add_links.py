"""The nightly look at links, on a transport that answers like hosts of every kind."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from vidpost.add import links
from vidpost.catalog.loader import load
from vidpost.cli.main import main

HOSTS = {
    "ok.example.org": (200, {}),
    "moved.example.org": (301, {"location": "https://new.example.org/"}),
    "slash.example.org": (301, {"location": "https://slash.example.org/x/"}),
    "gone.example.org": (404, {}),
    "closed.example.org": (403, {}),
    "busy.example.org": (429, {}),
}
ENTRY = """id: {id}
name: "{id}"
status: listed
taxonomy: [leaf_a]
added: 2026-01-01
paper:
  title: About {id}
  url: https://{host}/x
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    methods = tmp_path / "catalog/methods"
    methods.mkdir(parents=True)
    hosts = [*HOSTS, "dead.example.org", "127.0.0.1", "metadata.internal"]
    for i, host in enumerate(hosts):
        (methods / f"m{i}.yaml").write_text(ENTRY.format(id=f"m{i}", host=host))
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Web(httpx.MockTransport):
    def __init__(self) -> None:
        self.asked: list[str] = []
        super().__init__(self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.host)
        if request.url.host == "archive.org":
            closest = {"available": True, "url": "https://web.archive.org/web/1/x"}
            found = {"closest": closest} if "gone" in str(request.url) else {}
            return httpx.Response(200, json={"archived_snapshots": found})
        if request.url.host not in HOSTS:
            raise httpx.ConnectError("no such host")
        status, headers = HOSTS[request.url.host]
        return httpx.Response(status, headers=headers)


def test_states(root: Path) -> None:
    web, waits = Web(), []
    results = links.check_all(load(root), transport=web, wait=waits.append)
    states = {r.url.split("/")[2]: (r.state, r.status) for r in results}
    assert states == {
        "ok.example.org": ("ok", 200),
        "moved.example.org": ("moved", 301),
        "slash.example.org": ("ok", 301),
        "gone.example.org": ("gone", 404),
        "closed.example.org": ("blocked", 403),
        "busy.example.org": ("busy", 429),
        "dead.example.org": ("unreachable", 0),
        "127.0.0.1": ("refused", 0),
        "metadata.internal": ("refused", 0),
    }
    assert web.asked.count("busy.example.org") == links.TRIES
    assert "127.0.0.1" not in web.asked and "metadata.internal" not in web.asked
    assert {2.0, 4.0} <= set(waits)
    gone = next(r for r in results if r.state == "gone")
    assert gone.to == "https://web.archive.org/web/1/x"


def test_what_was_fine_is_not_asked_again(root: Path) -> None:
    links.check_all(load(root), transport=Web(), wait=lambda _: None)
    again = Web()
    links.check_all(load(root), transport=again, wait=lambda _: None)
    assert set(again.asked) == set()  # all of today
    path = root / links.CACHE
    old = [{**item, "checked": "2020-01-01"} for item in json.loads(path.read_text())]
    path.write_text(json.dumps(old))
    few = Web()
    links.check_all(load(root), limit=2, transport=few, wait=lambda _: None)
    assert len(set(few.asked) - {"archive.org"}) <= 2
    path.write_text("{damaged")
    assert links.read(path) == []


def test_one_host_is_asked_once_a_second(root: Path) -> None:
    for i in (20, 21):
        text = ENTRY.format(id=f"m{i}", host="ok.example.org").replace("/x", f"/{i}")
        (root / f"catalog/methods/m{i}.yaml").write_text(text)
    waits: list[float] = []
    links.check_all(load(root), transport=Web(), wait=waits.append)
    assert sum(0.5 < w <= links.PAUSE for w in waits) >= 2


def test_the_report_and_the_command(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "PAUSE", 0.0)
    monkeypatch.setattr(links, "TRIES", 1)
    result = CliRunner().invoke(main, ["links", "--strict"], obj=Web())
    assert result.exit_code == 1
    assert "## Gone (1)" in result.output
    assert "- `https://gone.example.org/x` (404, see `https://web.archive.org/web/1/x`):" in (
        result.output
    )
    assert "closed.example.org` (" not in result.output  # a refusal is no death


@pytest.mark.parametrize(
    "url",
    ["http://localhost/x", "http://10.0.0.1/", "http://[::1]/", "https://a.b:22/", "http://a/",
     "https://x.local/", "https://1.1.1.1/", "http://0x7f000001/", "https://"],
)  # fmt: skip
def test_addresses_that_are_not_asked(url: str) -> None:
    assert not links.public(url)


def test_public() -> None:
    assert links.public("https://www.example.org:443/a?b#c")
