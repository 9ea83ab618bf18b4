"""`vidpost watch` on a recorded feed."""

from __future__ import annotations

import json

import pytest
from add_fixtures import ROOT, Answers
from click.testing import CliRunner

from vidpost.add import watch, web
from vidpost.catalog.diagnostics import CatalogError
from vidpost.catalog.loader import load
from vidpost.cli.main import main

FEED = ROOT / "tests/data/arxiv/watch.xml"


def test_members_come_first_and_known_ones_not_at_all() -> None:
    found = watch.candidates(load(ROOT), FEED.read_bytes())
    titles = [c.title for c in found]
    assert titles[0] == "River-R1: Reinforced Reasoning for Long-Video Temporal Grounding"
    assert not any("Video-R1: Reinforcing" in t for t in titles)  # in the catalogue
    assert not any("Diffusion" in t for t in titles)
    assert not any("Crystals" in t for t in titles)
    assert "reinforced reasoning for" not in str(found[0].why)
    assert found[0].points > found[-1].points >= watch.NEEDED


def test_since() -> None:
    found = watch.candidates(load(ROOT), FEED.read_bytes(), since="2026-11-10")
    assert [c.published >= "2026-11-10" for c in found] == [True] * len(found)
    assert found


@pytest.mark.parametrize("body", [b"", b"<html>", b"<!DOCTYPE a><feed/>"])
def test_feeds_that_are_refused(body: bytes) -> None:
    with pytest.raises(CatalogError, match="feed"):
        watch.candidates(load(ROOT), body)


def test_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "WAITS", (0.0, 0.0))
    transport = Answers((200, FEED.read_text()))
    result = CliRunner().invoke(main, ["watch", "--count", "5", "--json"], obj=transport)
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)[0]["arxiv_id"] == "2611.90001"
    (request,) = transport.requests
    assert request.url.params["max_results"] == "5"
    busy = CliRunner().invoke(main, ["watch"], obj=Answers((503, "")))
    assert (busy.exit_code, "arXiv is busy" in busy.output) == (2, True)
    text = CliRunner().invoke(main, ["watch", "--feed", str(FEED)])
    assert "vidpost add <id>" in text.output
    for day, count in (("2026-11-01", 1), ("2027-01-01", 0)):
        args = ["watch", "--feed", str(FEED), "--since", day, "--json"]
        assert bool(json.loads(CliRunner().invoke(main, args).output)) == bool(count)
    wrong = CliRunner().invoke(main, ["watch", "--feed", str(FEED), "--since", "yesterday"])
    assert (wrong.exit_code, "%Y-%m-%d" in wrong.output) == (2, True)
