"""The guide on the real catalogue: what it names exists, what it counts is counted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from vidpost.catalog.loader import find_root, load
from vidpost.site import guide
from vidpost.site.context import Site
from vidpost.site.render import Renderer

ROOT = find_root(Path(__file__))
CATALOG = load(ROOT)
SITE = Site(CATALOG, "https://example.org/", "https://example.org/repo")
RENDERER = Renderer(SITE)
WORDS = frozenset(f"taxonomy/{name}/" for name in CATALOG.words)
TEXTS = dict(guide.pages(SITE, RENDERER, WORDS))
TEMPLATES = ROOT / "tools/vidpost/site/templates"


def source(page: str) -> str:
    return (TEMPLATES / f"{guide.PAGES[page][0]}.md.j2").read_text(encoding="utf-8")


def test_no_page_names_a_missing_entry_or_word() -> None:
    assert {page: RENDERER.missing.get(page) for page in TEXTS} == dict.fromkeys(TEXTS)


@pytest.mark.parametrize("page", guide.PAGES)
def test_every_section_rests_on_entries(page: str) -> None:
    """Each section with text of its own links to an entry or a word, or to another page."""
    body = TEXTS[page].split("---\n", 2)[2]
    for section in re.split(r"^## ", body, flags=re.M)[1:]:
        assert re.search(r"/(methods|benchmarks|datasets|metrics|surveys)/|taxonomy/|\.md", section)
    named = re.findall(r'link\("(\w+)"', source(page))
    assert len(set(named)) >= 15, "few statements lead to an entry"


@pytest.mark.parametrize("page", guide.PAGES)
def test_addresses_between_the_pages_exist(page: str) -> None:
    for target in re.findall(r"\]\(([^)#]+\.md)\)", TEXTS[page]):
        path = (ROOT / "docs" / page).parent / target
        made = path.resolve().relative_to(ROOT / "docs").as_posix()
        # Resolved: in a fresh clone the folder of the page itself does not exist yet.
        assert made in guide.PAGES or path.resolve().is_file() or made in (
            "timeline.md", "compare.md", "results/index.md", "whats-new.md",
        ), target  # fmt: skip


@pytest.mark.parametrize("page", guide.PAGES)
def test_markdown_stands_outside_of_html(page: str) -> None:
    """Markdown inside an HTML block would be shown as it is written."""
    for line in TEXTS[page].splitlines():
        if line.startswith(("<p", "<li", "<td", "<tr")):
            assert not re.search(r"\]\(|\*\*|`", line), line


def test_all_pages_are_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    nav = yaml.safe_load(text.split("\nnav:\n")[1].split("\ntheme:")[0])
    listed = {page: title for item in nav[1]["Survey"] for title, page in item.items()}
    assert {page: listed.get(page) for page in guide.PAGES} == {
        page: title for page, (_, title) in guide.PAGES.items()
    }
    assert "/docs/survey/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_no_count_is_written_by_hand() -> None:
    """Counts of the catalogue come from the builder, so that they cannot grow stale."""
    for page in guide.PAGES:
        assert not re.search(r"\b\d+ (methods|benchmarks|entries|reported numbers)\b", source(page))
    methods = len({n for kind, n in SITE.by_word["rl"] if kind == "method"})
    assert f"{methods} methods of the catalogue" in TEXTS["survey/rl.md"]
    total = sum(len(method.reported) for method in CATALOG.methods.values())
    assert f"holds {total:,} reported numbers" in TEXTS["survey/protocol.md"]


def test_every_leaf_and_axis_is_on_a_page() -> None:
    shown = set(re.findall(r"taxonomy/(\w+)/", "".join(TEXTS.values())))
    wanted = {
        word.id
        for word in CATALOG.words.values()
        if word.kind in ("challenge", "reward_aspect", "protocol_item", "pillar")
        or (word.kind == "leaf" and word.parent in ("sft", "rl", "tts", "bench", "rl_reward"))
    }
    assert wanted - shown - {"sft", "rl", "tts"} == set()


def test_the_pipeline_has_a_text_and_links_to_words() -> None:
    text = TEXTS["survey.md"]
    assert "The picture in words" in text and "Domain adaptation" not in text.split("<svg")[0]
    drawing = text.split("<svg")[1].split("</svg>")[0]
    assert len(re.findall(r'<a href="\.\./taxonomy/\w+/">', drawing)) == 8
    assert not re.search(r'(fill|stroke)="', drawing), "colours come from the style sheet"
