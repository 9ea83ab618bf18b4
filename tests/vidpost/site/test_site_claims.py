"""The page of claims: which cards answer them, the picture, what is not tested."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from small_site import make_root, write_claim

from vidpost.catalog.loader import load
from vidpost.site import claims, figures
from vidpost.site.context import Site
from vidpost.site.render import Renderer


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_root(tmp_path / "root")


def site_of(root: Path) -> Site:
    return Site(load(root), "https://example.org/", "https://example.org")


def test_a_claim_with_a_card_has_a_verdict_a_line_and_a_row(root: Path) -> None:
    site = site_of(root)
    before, open_ = claims.tested(site)
    assert "tcot" in open_ and "tcot" not in [t.entry.id for t in before]
    write_claim(root)
    site = site_of(root)
    done, open_ = claims.tested(site)
    (mine,) = [t for t in done if t.entry.id == "tcot"]
    assert "tcot" not in open_
    comparison = mine.card.comparisons[0]
    assert mine.found.difference == comparison.difference
    assert mine.found.interval == comparison.interval
    path, text = claims.page(site, Renderer(site))
    assert path == "claims.md"
    row = re.search(r'<tr><th scope="row"><a [^>]*>TCoT.*?</tr>', text)
    assert row is not None and f">{mine.found.verdict}</span>" in row[0]
    assert f"{comparison.difference:+.3f}" in unescape(row[0]) and "tcot/claim" in row[0]
    assert f"Of {len(done)} claims tested so far" in text
    part = text[text.index("## Test-time methods") : text.index("## Rules of the official code")]
    lines = re.findall(r'class="(?:box )?verdict-([\w-]+)"><title>', part)
    expected = [t.found.verdict for t in done if "decode" in t.found.claim.compare]
    assert [line.replace("-", " ") for line in lines] == expected


def test_the_variants_of_a_method_stand_apart_from_its_claim(root: Path) -> None:
    write_claim(root)
    card = next((root / "catalog/results/tcot").glob("claim*.yaml"))
    text = card.read_text(encoding="utf-8")
    other = text.replace("preset: mini", "preset: mini\nvariant: official_code")
    other = other.replace("against: decode", "against: tcot")
    assert other.count("official_code") == 1 == other.count("against: tcot")
    (card.parent / "variant_official_code.yaml").write_text(other, encoding="utf-8")
    site = site_of(root)
    assert [t.entry.id for t in claims.tested(site)[0]].count("tcot") == 1
    (mine,) = (t for t in claims.variants(site) if t.entry.id == "tcot")
    assert mine.found.claim.compare == ("tcot", "tcot") and mine.found.claim.expect == "equal"
    assert mine.found.difference == mine.card.comparisons[0].difference
    _, page = claims.page(site, Renderer(site))
    part = page[page.index("## Rules of the official code") :]
    assert "tcot/variant_official_code" in part and 'class="span"' in part


def test_the_largest_difference_stands_first(root: Path) -> None:
    write_claim(root)
    done, _ = claims.tested(site_of(root))
    differences = [t.found.difference for t in done]
    assert differences == sorted(differences, reverse=True)


def test_lines_lie_where_their_numbers_are() -> None:
    spans = [
        figures.Span("a", 0.2, (0.1, 0.4), "supported"),
        figures.Span("<b>", -0.1, (-0.2, 0.0), "undecided"),
    ]
    svg = figures.forest("differences", "difference", spans)
    first, second = re.findall(r'd="M([\d.]+) [\d.]+H([\d.]+)" class="span"', svg)
    (zero,) = re.findall(r'd="M([\d.]+) [^"]*" class="arrow"', svg)
    assert float(first[0]) > float(zero) > float(second[0])
    assert float(second[1]) == pytest.approx(float(zero), abs=0.1)
    width = float(first[1]) - float(first[0])
    assert width == pytest.approx(1.5 * (float(second[1]) - float(second[0])), abs=0.3)
    assert "<b>" not in svg and "verdict-supported" in svg
    assert claims.forest("none", []) is None


def test_verdicts_differ_in_shape_not_only_in_colour() -> None:
    looks = ("supported", "not-supported", "undecided")
    svg = figures.forest("t", "d", [figures.Span(each, 0.1, (0, 0.2), each) for each in looks])
    found = re.findall(r'<(\w+) [^>]*class="((?:box )?verdict-[\w-]+)"><title>', svg)
    assert len({(tag, css.startswith("box")) for tag, css in found}) == len(looks)
    key = re.findall(r'class="(?:box )?verdict-([\w-]+)"></', svg)
    assert tuple(key) == looks
    assert all(f">{each.replace('-', ' ')}</text>" in svg for each in looks)


def test_a_figure_of_claims_is_as_narrow_as_a_phone() -> None:
    spans = [figures.Span("a name that is much too long for a phone", 0.2, (0.1, 0.4), "undecided")]
    svg = figures.forest("t", "d", spans)
    (width,) = re.findall(r'viewBox="0 0 (\d+) ', svg)
    assert int(width) <= 400 and 'class="plot narrow"' in svg
    assert "<title>a name that is much too long for a phone: +0.200" in svg
