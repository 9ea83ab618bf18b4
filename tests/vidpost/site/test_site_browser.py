"""The built site in Chromium: hostile text, tables, comparison, both schemes, phone, no network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from small_site import HOSTILE, IN_CHROMIUM, chromium

from vidpost.site import figures

pytest.importorskip("playwright.sync_api")
pytestmark = IN_CHROMIUM
KINDS = {
    "home": "", "survey": "survey/", "table": "methods/", "method": "catalog/methods/video_r1/",
    "sparse": "catalog/methods/sparse/", "benchmark": "catalog/benchmarks/video_mme/",
    "dataset": "catalog/datasets/video_r1_260k/", "metric": "catalog/metrics/mra/",
    "word": "taxonomy/rl/", "compare": "compare/?m=video_r1,grpo", "results": "results/",
    "boards": "results/video_mme/", "compute": "compute/", "claims": "claims/",
    "timeline": "timeline/", "fields": "contribute/fields/", "hooks": "reproduce/hooks/",
}  # fmt: skip
"""One page of each kind."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as one:
        yield one


@pytest.fixture
def page(browser: Any, served: str) -> Iterator[Any]:
    """A page that fails the test if it asks another host or logs an error."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    seen: list[str] = []
    tab.on("request", lambda r: None if r.url.startswith(served) else seen.append(r.url))
    tab.on("pageerror", lambda error: seen.append(str(error)))
    yield tab
    context.close()
    assert not seen


def test_a_hostile_entry_is_plain_text(page: Any, served: str) -> None:
    paths = ["catalog/methods/hostile/", "methods/", "catalog/benchmarks/video_mme/", "whats-new/"]
    for path in [*paths, "taxonomy/rl_policy_t_grpo/", "compare/?m=hostile,video_r1"]:
        page.goto(served + path, wait_until="networkidle")
        assert page.evaluate("window.pwned") is None, path
        found = page.evaluate(
            """() => [...document.querySelectorAll('article *')].flatMap(node => [
                 ...(['SCRIPT', 'IFRAME', 'STYLE', 'OBJECT'].includes(node.tagName) ?
                     [node.outerHTML] : []),
                 ...[...node.attributes].filter(a => a.name.startsWith('on') ||
                     /^\\s*javascript:/i.test(a.value)).map(a => `${a.name}=${a.value}`)])"""
        )
        assert found == [], path
        assert (
            page.evaluate("[...document.images].filter(i => /evil|\\/x$/.test(i.src)).length") == 0
        )
    page.goto(served + "catalog/methods/hostile/")
    heading = page.locator("h1").evaluate("node => node.firstChild.textContent")
    assert heading == HOSTILE["name"]
    assert page.locator("h1").count() == 1
    assert HOSTILE["name"] in page.title()
    text = page.locator("article").inner_text()
    assert "[click](javascript:window.pwned='summary')" in text
    assert "## Heading {" in text and "</td></tr></table><h1>broken</h1>" in text
    assert "\u202e" not in text and "\u2067" not in text
    assert page.locator("article h2").all_inner_texts()[0].startswith("What is different")


def test_search_shows_hostile_text_as_text_and_finds_entries(page: Any, served: str) -> None:
    page.goto(served, wait_until="networkidle")
    page.locator("input.md-search__input").click()
    page.wait_for_function(
        "document.querySelector('.md-search-result__meta').textContent.includes('Type')"
    )
    for query, wanted in (
        ("onerror", "catalog/methods/hostile/"),
        ("T-GRPO", "catalog/methods/video_r1/"),
        ("2503.21776", "catalog/methods/video_r1/"),
        ("Feng", "catalog/methods/video_r1/"),
        ("Video-MME", "catalog/benchmarks/video_mme/"),
    ):
        box = page.locator("input.md-search__input")
        box.click()
        box.fill(query)
        box.dispatch_event("keyup")  # the theme listens to keys, not to input events
        page.wait_for_function(
            """wanted => [...document.querySelectorAll('.md-search-result__item > a')].slice(0, 5)
                         .some(link => link.href.includes(wanted))""",
            arg=wanted, timeout=10_000,
        )  # fmt: skip
    assert page.evaluate("window.pwned") is None


def test_the_table_filters_sorts_and_keeps_its_state_in_the_address(page: Any, served: str) -> None:
    page.goto(served + "methods/", wait_until="networkidle")
    rows = page.locator("table.wide tbody tr:visible")
    total = rows.count()
    assert page.locator("[role=status]").inner_text() == ""
    page.fill("input[name=text]", "feng video-r1")
    assert rows.count() == 1 and "text=feng" in page.url
    assert page.locator("[role=status]").inner_text() == f"1 of {total} methods"
    page.keyboard.press("Escape")
    assert rows.count() == total
    page.select_option("select[name=status]", "listed")
    assert page.url.endswith("?status=listed")
    assert {row.get_attribute("data-status") for row in rows.all()} == {"listed"}
    page.select_option("select[name=status]", "")
    page.get_by_role("button", name="Numbers").click()
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("Numbers")
    page.get_by_role("button", name="Numbers").click()
    assert rows.first.get_attribute("data-id") == "video_r1"
    assert "sort=-numbers" in page.url
    page.goto(served + "methods/?status=listed&sort=-name")
    assert page.locator("select[name=status]").input_value() == "listed"
    assert page.locator("th[aria-sort=descending]").count() == 1
    names = page.locator("table.wide tbody tr:visible th").all_inner_texts()
    assert len(names) == 2


def test_rows_are_copied_as_markdown_csv_and_bibtex(page: Any, served: str) -> None:
    page.add_init_script(
        "navigator.clipboard.writeText = async (text) => { window.copied = text; }"
    )
    page.goto(served + "methods/?text=2503.21776", wait_until="networkidle")
    for button, wanted in (
        ("Markdown", "catalog/methods/video_r1/) |"),
        ("CSV", '"video_r1","Video-R1"'),
        ("BibTeX", "eprint = {2503.21776}"),
    ):
        page.get_by_role("button", name=button).click()
        page.wait_for_function("window.copied !== undefined")
        assert wanted in page.evaluate("window.copied")
        assert "Copied 1 methods" in page.locator("[role=status]").inner_text()
        page.evaluate("window.copied = undefined")


def test_methods_stand_side_by_side(page: Any, served: str) -> None:
    page.goto(served + "compare/?m=video_r1,grpo", wait_until="networkidle")
    page.wait_for_selector(".compare table")  # a busy machine is quiet before it has drawn
    table = page.locator(".compare table")
    assert table.locator("thead th").all_inner_texts() == ["Video-R1", "GRPO"]
    text = table.inner_text()
    assert "build_group" in text and "64.2 %" in text and "without subtitles" in text
    page.select_option("select[name=m1]", "sparse")
    page.wait_for_function(
        "document.querySelector('.compare thead')?.textContent.includes('Sparse')"
    )
    assert page.url.endswith("?m=video_r1,sparse")


def test_it_works_without_javascript(browser: Any, served: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(served + "methods/")
    assert tab.locator("table.wide tbody tr").count() >= 5
    assert not tab.locator("form.facets").is_visible()
    tab.goto(served + "compare/")
    assert tab.locator(".without a").first.is_visible()
    tab.goto(served + "catalog/methods/video_r1/")
    assert tab.locator("#numbers").is_visible()
    context.close()


CONTRAST = """() => {
  const rgb = (text) => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
                          return [r, g, b, a]; };
  const light = (c) => { const [r, g, b] = c.map((v) => (v /= 255) <= 0.04045 ? v / 12.92
                          : ((v + 0.055) / 1.055) ** 2.4); return 0.2126*r + 0.7152*g + 0.0722*b; };
  const over = (top, under) => top.slice(0, 3).map((v, i) => v * top[3] + under[i] * (1 - top[3]));
  const back = (node) => {
    const layers = [];
    for (; node; node = node.parentElement) {
      const color = getComputedStyle(node).backgroundColor;
      if (/^rgb/.test(color)) { layers.push(rgb(color)); if (layers.at(-1)[3] === 1) break; }
    }
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
  };
  const poor = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    const visible = node.checkVisibility({opacityProperty: true, visibilityProperty: true});
    if (!walk.currentNode.textContent.trim() || !visible) continue;
    if (node.closest('svg, script, .md-search, .headerlink')) continue;
    const style = getComputedStyle(node);
    if (!/^rgb/.test(style.color)) continue;
    const under = back(node), text = over(rgb(style.color), under);
    const [a, b] = [light(text), light(under)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = parseFloat(style.fontSize) >= 24 ||
      (parseFloat(style.fontSize) >= 18.6 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5))
      poor.push(`${ratio.toFixed(2)} ${node.className || node.tagName}: ` +
                walk.currentNode.textContent.trim().slice(0, 30));
  }
  return [...new Set(poor)].slice(0, 8);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_and_phones_do_not_scroll_sideways(
    browser: Any, served: str, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, color_scheme=scheme, device_scale_factor=1
    )
    tab = context.new_page()
    outside: list[str] = []
    tab.on("request", lambda r: None if r.url.startswith(served) else outside.append(r.url))
    for kind, path in KINDS.items():
        tab.goto(served + path, wait_until="load")
        if kind == "compare":
            tab.wait_for_selector(".compare table")
        shown = tab.evaluate("document.body.dataset.mdColorScheme")
        assert shown == ("default" if scheme == "light" else "slate")
        wide = tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{kind} is {wide} px too wide"
        assert tab.evaluate(CONTRAST) == [], kind
    context.close()
    assert not outside


def test_names_in_figures_are_not_cut_at_the_edge(page: Any, served: str) -> None:
    names = ["Qwen2.5-VL-7B, 3K samples of captioning", "Chain-of-thought prompting", "W" * 13]
    points = [(name, float(i), "m") for i, name in enumerate(names)]
    spans = [figures.Span(name, 0.1, (0.0, 0.2), "undecided") for name in names]
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(served + "claims/")
    for figure in (figures.dots("t", "%", points), figures.forest("t", "d", spans)):
        page.evaluate("html => { document.querySelector('article').innerHTML = html; }", figure)
        left = page.evaluate("Math.min(...[...document.querySelectorAll('svg text')]"
                             ".map(text => text.getBBox().x))")  # fmt: skip
        assert left >= 0
        assert page.evaluate("(e => e.scrollWidth - e.clientWidth)"
                             "(document.querySelector('.scroll'))") == 0  # fmt: skip


def test_axe_finds_nothing_serious(browser: Any, served: str) -> None:
    script = os.environ.get("VIDPOST_AXE", "")
    if not script:
        pytest.skip("set VIDPOST_AXE to axe.min.js (npm pack axe-core) to run this")
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    for kind, path in KINDS.items():
        for scheme in ("light", "dark"):
            tab.emulate_media(color_scheme=scheme)
            tab.goto(served + path, wait_until="networkidle")
            tab.add_script_tag(path=script)
            result = tab.evaluate("axe.run(document, {resultTypes: ['violations']})")
            serious = [
                (found["id"], found["nodes"][0]["html"][:120])
                for found in result["violations"]
                if found["impact"] in ("serious", "critical")
            ]
            assert serious == [], (kind, scheme)
    context.close()
