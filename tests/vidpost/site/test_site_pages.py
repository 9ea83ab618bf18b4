"""Generated pages without a browser: structure, links, weight, and what is written when."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
import xml.etree.ElementTree as ET
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from small_site import ROOT, SPARSE, make_root, write_card, write_entry

from vidpost.catalog.diagnostics import CODES
from vidpost.catalog.loader import CatalogError, load
from vidpost.catalog.models import Claim, Protocol
from vidpost.catalog.module import BASELINE_DOES, read_hooks, read_module
from vidpost.site import build as builder
from vidpost.site import pages as page_maker
from vidpost.site.build import generate
from vidpost.site.context import Site

VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}


class Page(HTMLParser):
    """What the tests look at in a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.assets: list[str] = []
        self.headings: list[int] = []
        self.problems: list[str] = []
        self.open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "caption" and self.open[-1:] == ["table"]:
            self.open[-1] = "table with caption"
        if tag not in VOID:
            self.open.append(tag)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if tag == "a" and given.get("href") is not None:
            self.links.append(str(given["href"]))
        source = given.get("src") or (given.get("href") if tag == "link" else None)
        if source and given.get("rel") not in ("canonical", "prev", "next", "alternate"):
            self.assets.append(source)
        if tag == "img" and "alt" not in given:
            self.problems.append(f"img without alt: {source}")
        if tag == "th" and "scope" not in given and "article" in self.open:
            self.problems.append("th without scope")
        if re.fullmatch(r"h[1-6]", tag) and "article" in self.open:
            self.headings.append(int(tag[1]))
        self.problems += [f"{tag} {name}" for name in given if name.startswith("on")]

    def handle_endtag(self, tag: str) -> None:
        while self.open:
            top = self.open.pop()
            if top == "table" and "article" in self.open:
                self.problems.append("table without caption")
            if top.split()[0] == tag:
                break


def pages(site: Path) -> list[Path]:
    return [p for p in sorted(site.rglob("*.html")) if "<article" in p.read_text(encoding="utf-8")]


# --- the method page ------------------------------------------------------------------------


def test_the_method_page_has_its_parts_in_the_fixed_order(built: Path) -> None:
    text = (built / "docs/catalog/methods/video_r1.md").read_text(encoding="utf-8")
    wanted = [
        "# Video-R1", "chip-", 'class="lead"', "Paper on arXiv 2503.21776", "## What is different",
        "## The idea", "## The module", "## Numbers", "### Reported by the authors",
        "### Reproduced here", "### In miniature", "## Where sources disagree",
        "## Where each hyperparameter comes from", "## Run it", "## Trained on, evaluated on",
        "## Related", "## Openness", "## Cite", "## Something wrong?",
    ]  # fmt: skip
    places = [text.index(part) for part in wanted]
    assert places == sorted(places)
    for part in ("build_group", "G answers to one prompt", "49.8 %", "256x28x28", "stages.rl.beta",
                 "our choice", "vidpost run video_r1", "@inproceedings{video_r1,"):  # fmt: skip
        assert part in text


def test_line_links_point_at_the_hooks(built: Path) -> None:
    module = read_module(built, built / "reproductions/methods/video_r1/method.py")
    assert module is not None
    html = (built / "site/catalog/methods/video_r1/index.html").read_text(encoding="utf-8")
    source = module.source.splitlines()
    for hook in module.hooks:
        assert f'href="#L-0-{hook.lines[0]}"' in html
        assert f'id="L-0-{hook.lines[0]}"' in html
        assert hook.name in source[hook.lines[0] - 1]


def test_absent_facts_are_said_and_never_blank(built: Path) -> None:
    text = (built / "docs/catalog/methods/sparse.md").read_text(encoding="utf-8")
    assert "Not reported</dt><dd>algorithm, stages, base model" in text
    assert not re.search(r"<(td|dd|p|li)>\s*</\1>", text)
    for page in pages(built / "site"):
        blank = re.findall(r"<(?:td|dd|p|li)>\s*</(?:td|dd|p|li)>", page.read_text())
        if page.parent.name != "results":  # there, an empty cell of the coverage grid is the point
            assert not blank, page
        assert not re.search(r"<(td|dd|p|li)[^>]*>None<", page.read_text()), page


def test_reported_reproduced_and_miniature_are_never_in_one_table(built: Path) -> None:
    html = (built / "site/catalog/methods/video_r1/index.html").read_text(encoding="utf-8")
    parts = re.split(r'<h3[^>]*id="(reported|reproduced|miniature)"', html)
    assert parts[1::2] == ["reported", "reproduced", "miniature"]
    reported, reproduced, miniature = parts[2::2]
    assert "57.4" in reported and "0.571" not in reported and "0.613" not in reported
    assert "0.571" in reproduced and "57.4" not in reproduced and "0.613" not in reproduced
    assert "0.613" in miniature and "0.565 to 0.661" in miniature and "0.571" not in miniature
    assert "tests the idea" in miniature
    results = (built / "docs/results/index.md").read_text(encoding="utf-8")
    assert "0.571" in results and "0.613" not in results
    small = (built / "docs/results/miniatures.md").read_text(encoding="utf-8")
    assert "0.613" in small and "0.597" in small and "0.571" not in small and "57.4" not in small


def test_reported_against_measured_under_the_same_protocol_alone(tmp_path: Path) -> None:
    """Two cards, one under the protocol of the reported 64.2 %; other models' rows stay away."""
    root = make_root(tmp_path / "root")
    protocol = {
        "frames": 16, "pixels": 200704, "decoder": "pyav 18", "prompt_hash": "abc123def456",
        "extractor": "tag 1", "sampling": {"temperature": 0.0, "max_new_tokens": 48},
    }  # fmt: skip
    print_ = Protocol.model_validate(protocol).fingerprint()
    same = {"protocol": protocol, "fingerprint": print_, "task": "multiple choice"}
    common = {"benchmark": "mmvu", "metric": "accuracy", "preset": "paper"}
    write_card(root, "same", "reproduction", score=0.613, **common, **same)
    write_card(root, "other", "reproduction", score=0.597, **common)
    (figure,) = page_maker._against(Site(load(root), "https://example.org/", "https://example.org"))
    assert "Reported against measured: mmvu, accuracy" in figure
    cells = re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", figure)
    assert cells[6:11] == ["Video-R1-7B", "0.642", "0.613", "0.565", "0.661"]
    assert figure.count('class="ring"') == 2  # the legend and one number


def test_a_claim_says_what_the_miniature_found(built: Path) -> None:
    html = (built / "site/catalog/methods/video_r1/index.html").read_text(encoding="utf-8")
    assert '<span class="verdict verdict-supported">supported</span>' in html
    evidence = "difference +0.041 [+0.012, +0.070], paired bootstrap over clips, n = 400"
    assert evidence in unescape(html)


@pytest.mark.parametrize(
    ("expect", "low", "high", "verdict"),
    [("greater", 0.01, 0.05, "supported"), ("greater", -0.01, 0.05, "undecided"),
     ("greater", -0.05, -0.01, "not supported"), ("less", -0.05, -0.01, "supported"),
     ("less", 0.01, 0.05, "not supported"), ("equal", -0.01, 0.01, "undecided"),
     ("equal", 0.01, 0.02, "not supported")],
)  # fmt: skip
def test_verdicts(expect: str, low: float, high: float, verdict: str) -> None:
    words = {"id": "better", "statement": "A is better than B.", "source": "a test"}
    claim = Claim(compare=("a", "b"), metric="accuracy", expect=expect, **words)
    assert claim.verdict((low, high)) == verdict


def test_boards_hold_one_protocol_each(built: Path) -> None:
    text = (built / "docs/results/video_mme.md").read_text(encoding="utf-8")
    boards = re.split(r'<h2 id="board-\d+"', text)[1:]
    sixteen = [board for board in boards if "16 frames, 256x28x28" in board.splitlines()[0]]
    assert len(sixteen) == 1
    assert ">57.4<" in sixteen[0] and "59.3" not in sixteen[0]
    for board in boards:
        assert board.count("<table") == 1
    benchmark = (built / "docs/catalog/benchmarks/video_mme.md").read_text(encoding="utf-8")
    assert "results/video_mme/" in benchmark


def test_a_protocol_said_in_two_ways_is_one_board(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    number = {"benchmark": "video_mme", "metric": "accuracy", "source": "its Table 1"}
    reported = [
        {**number, "value": 50.0, "model": "A", "split": "long, without subtitles",
         "setting": {"frames": 7}},
        {**number, "value": 51.0, "model": "B", "split": "long",
         "setting": {"frames": 7, "subtitles": False}},
        {**number, "value": 52.0, "model": "C", "split": "without subtitles",
         "setting": {"frames": 9, "subtitles": False}},
        {**number, "value": 53.0, "model": "D", "setting": {"frames": 9, "subtitles": False}},
    ]  # fmt: skip
    write_entry(root, "methods", {**SPARSE, "reported": reported})
    site = Site(load(root), "https://example.org/", "")
    boards = page_maker.boards(site, "video_mme")
    models = [{row["model"] for row in board["rows"]} for board in boards]
    assert {"A", "B"} in models and {"C", "D"} in models
    titles = [frozenset(board["title"].split(", ")) for board in boards]
    assert len(titles) == len(set(titles))


def test_many_boards_are_folded_but_none_is_lost() -> None:
    boards = [{"stated": bool(n % 2), "anchor": f"board-{n}"} for n in range(30)]
    assert page_maker._parts(boards[:8]) == [("", boards[:8])]
    parts = page_maker._parts(boards)
    assert [heading == "" for heading, _ in parts] == [True, False, False]
    assert all(board["stated"] for board in parts[0][1]) and len(parts[0][1]) == 8
    listed = [board["anchor"] for _, part in parts for board in part]
    assert sorted(listed) == sorted(board["anchor"] for board in boards)


def test_short_cells_of_a_markdown_table_need_no_width(tmp_path: Path) -> None:
    cells = "<td>1</td><td>a longer text</td>"
    (tmp_path / "a.html").write_text(f"<table>\n<tr>{cells}</tr></table>", encoding="utf-8")
    builder.squeeze(tmp_path)
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert '<td class="ref">1</td><td>a longer text</td>' in text


# --- every page -----------------------------------------------------------------------------


def test_links_anchors_ids_captions_and_headings(built: Path) -> None:
    site = built / "site"
    parsed = {page: Page(page) for page in pages(site)}
    wrong = []
    for page, found in parsed.items():
        name = page.relative_to(site).as_posix()
        wrong += [f"{name}: {problem}" for problem in found.problems]
        doubled = {i for i in found.ids if found.ids.count(i) > 1}
        if doubled:
            wrong.append(f"{name}: ids twice: {doubled}")
        if found.headings.count(1) != 1 or any(
            b - a > 1 for a, b in zip(found.headings, found.headings[1:], strict=False)
        ):
            wrong.append(f"{name}: headings {found.headings}")
        for link in found.links:
            if re.match(r"(https?:|mailto:)", link):
                continue
            address, _, anchor = link.partition("#")
            address = address.partition("?")[0]
            start = site if address.startswith("/") else page.parent
            target = (start / address.lstrip("/")).resolve() if address else page
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                wrong.append(f"{name}: {link} leads nowhere")
            elif anchor and target in parsed and anchor not in parsed[target].ids:
                wrong.append(f"{name}: {link} has no such anchor")
    assert not wrong, "\n".join(wrong[:30])


def test_nothing_comes_from_another_host(built: Path) -> None:
    for page in pages(built / "site"):
        outside = [asset for asset in Page(page).assets if re.match(r"(https?:)?//", asset)]
        assert not outside, (page, outside)
    for style in (built / "docs/assets").rglob("*.css"):
        assert "url(" not in style.read_text() and "@import" not in style.read_text()


def test_without_a_home_nothing_links_to_a_repository(built: Path) -> None:
    for page in pages(built / "site"):
        text = page.read_text(encoding="utf-8")
        assert "OWNER" not in text and "example.org/vidpost" not in text, page
        assert not re.search(r"/(edit|blob|issues|new)/(main|new)", text), page
    entry = (built / "site/catalog/methods/video_r1/index.html").read_text(encoding="utf-8")
    assert "catalog/methods/video_r1.yaml" in entry and "Edit the entry" not in entry


def test_with_a_home_every_entry_can_be_edited(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    config = (root / "mkdocs.yml").read_text(encoding="utf-8")
    assert re.findall("OWNER", "".join(re.findall(r"^\w+_url: .*$", config, re.M))) == ["OWNER"] * 2
    (root / "mkdocs.yml").write_text(config.replace("OWNER", "somebody"), encoding="utf-8")
    generate(root, draft=True)
    repo = "https://github.com/somebody/vidpost"
    page = (root / "docs/catalog/methods/video_r1.md").read_text(encoding="utf-8")
    assert f'source_edit_url: "{repo}/edit/main/catalog/methods/video_r1.yaml"' in page
    assert f"{repo}/issues/new?template=correct-entry.yml&amp;entry=video_r1" in page
    table = (root / "docs/methods.md").read_text(encoding="utf-8")
    assert f"{repo}/new/main/catalog/methods?filename=my_method.yaml" in table
    index = json.loads((root / "docs/api/v1/index.json").read_text(encoding="utf-8"))
    assert index["feed"] == "https://somebody.github.io/vidpost/feed.xml"


def test_weight_budgets(built: Path) -> None:
    site = built / "site"
    for page in site.glob("catalog/*/*/index.html"):
        assert page.stat().st_size <= 60 * 1024, (page, page.stat().st_size)
    listed = [site / kind for kind in ("methods", "benchmarks", "datasets", "metrics", "surveys")]
    for folder in (*listed, *site.glob("results/*/"), site / "timeline", site / "compare"):
        assert (folder / "index.html").stat().st_size <= 250 * 1024
    scripts = [path.stat().st_size for path in (ROOT / "docs/assets/js").glob("*.js")]
    assert sum(scripts) <= 18 * 1024
    styles = [path.stat().st_size for path in (ROOT / "docs/assets/css").glob("*.css")]
    assert sum(styles) < 10 * 1024


def test_rows_carry_every_facet_value(built: Path) -> None:
    html = (built / "site/methods/index.html").read_text(encoding="utf-8")
    choices = {
        name: set(re.findall(r'<option value="([^"]+)"', body))
        for name, body in re.findall(r'<select name="(\w+)">(.*?)</select>', html, re.S)
    }
    assert {"pillar", "leaf", "status", "year"} <= choices.keys()
    words = json.loads((built / "docs/api/v1/taxonomy.json").read_text())["words"]
    known = {word["id"] for word in words}
    assert choices["leaf"] <= known
    for name, values in choices.items():
        seen = {v for text in re.findall(rf'<tr [^>]*data-{name}="([^"]*)"', html)
                for v in text.split()}  # fmt: skip
        assert seen == values
    script = (ROOT / "docs/assets/js/table.js").read_text()
    for css in re.findall(r'querySelector\("\.(\w+)"\)', script):
        assert f'class="{css}' in html or f' {css}"' in html


def test_the_page_of_a_script_names_only_what_the_page_has(built: Path) -> None:
    html = (built / "site/compare/index.html").read_text(encoding="utf-8")
    for css in ("compare", "facets", "scroll", "found", "without"):
        assert f'class="{css}' in html
    assert html.count('<option value="video_r1">') == 4


# --- data -----------------------------------------------------------------------------------

KEYS = {
    "index.json": {"version", "updated", "counts", "links", "feed", "bibtex", "license"},
    "methods.json": {
        "id", "name", "aliases", "summary", "added", "url", "status", "taxonomy", "pillars",
        "title", "arxiv_id", "year", "venue", "paper", "code", "bibtex_key", "baseline",
        "is_baseline", "reward_aspects", "challenges", "numbers", "open",
    },
    "methods/video_r1.json": {
        "kind", "url", "entry", "backlinks", "module", "hooks", "hyperparameters", "cards",
    },
    "results.json": {"version", "cards"},
    "reported.json": {"version", "numbers"},
    "taxonomy.json": {"version", "words"},
}  # fmt: skip
"""Keys of version 1; one may be added, none may go."""


@pytest.mark.parametrize("name", KEYS)
def test_the_api_keeps_its_keys(built: Path, name: str) -> None:
    value = json.loads((built / "site/api/v1" / name).read_text(encoding="utf-8"))
    row = value["entries"][0] if "entries" in value else value
    assert KEYS[name] <= row.keys()


def test_the_api_says_what_the_entry_says(built: Path) -> None:
    value = json.loads((built / "site/api/v1/methods/video_r1.json").read_text(encoding="utf-8"))
    source = yaml.safe_load((built / "catalog/methods/video_r1.yaml").read_text(encoding="utf-8"))
    assert value["entry"]["name"] == source["name"]
    assert len(value["entry"]["reported"]) == len(source["reported"])
    assert [hook["name"] for hook in value["hooks"]] == source["differs_in"]
    schema = json.loads((built / "site/api/v1/schema/method.json").read_text(encoding="utf-8"))
    assert set(schema["required"]) <= value.keys()
    assert set(value["entry"]) == set(schema["properties"]["entry"]["properties"])


def test_feeds_and_badges_are_well_formed(built: Path) -> None:
    atom = "{http://www.w3.org/2005/Atom}"
    for path in [built / "site/feed.xml", *sorted((built / "site/api").glob("feed-*.xml"))]:
        feed = ET.parse(path).getroot()
        entries = feed.findall(f"{atom}entry")
        assert len(entries) <= 50
        ids = [entry.findtext(f"{atom}id") for entry in entries]
        assert len(set(ids)) == len(ids)
        assert feed.findtext(f"{atom}updated")
    for path in (built / "site/api/badge").glob("*.svg"):
        assert ET.parse(path).getroot().tag.endswith("svg")


def test_bibtex_has_every_paper_once(built: Path) -> None:
    bib = (built / "site/catalog.bib").read_text(encoding="utf-8")
    marks = re.findall(r"^% (\w+)$", bib, re.M)
    assert len(marks) == len(set(marks)) and "video_r1" in marks and "sparse" in marks
    entry = bib.split("% video_r1\n")[1].split("% ")[0]
    assert entry.startswith("@inproceedings{video_r1,")
    assert entry.count("{") == entry.count("}")


def test_aliases_redirect(built: Path) -> None:
    page = (built / "site/catalog/methods/t_grpo/index.html").read_text(encoding="utf-8")
    assert 'url=../video_r1/"' in page


def test_references_are_complete(built: Path) -> None:
    hooks = (built / "docs/reproduce/hooks.md").read_text(encoding="utf-8")
    for name in BASELINE_DOES:
        assert f"{{ #{name} }}" in hooks
    names = {name for name, _, _ in read_hooks(ROOT)} - {"id", "baseline"}
    assert names == BASELINE_DOES.keys(), "describe each hook in module.BASELINE_DOES"
    codes = (built / "docs/contribute/codes.md").read_text(encoding="utf-8")
    assert all(f'id="{code}"' in codes for code in CODES)
    fields = (built / "docs/contribute/fields.md").read_text(encoding="utf-8")
    assert "differs_in" in fields and "{ #resultcard }" in fields


# --- writing --------------------------------------------------------------------------------


def test_unchanged_sources_rewrite_nothing_and_stale_files_go(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    first = generate(root, draft=True)
    assert first.written == first.files
    page = root / "docs/catalog/methods/sparse.md"
    before = {p: p.stat().st_mtime_ns for p in (root / "docs").rglob("*") if p.is_file()}
    again = generate(root, draft=True)
    assert (again.written, again.removed) == (0, 0)
    assert before == {p: p.stat().st_mtime_ns for p in (root / "docs").rglob("*") if p.is_file()}
    write_entry(root, "methods", {**SPARSE, "summary": "Now there is one."})
    changed = generate(root, draft=True)
    assert 0 < changed.written < 20
    (root / "catalog/methods/sparse.yaml").unlink()
    gone = generate(root, draft=True)
    assert gone.removed >= 3 and not page.exists()


def test_a_forged_manifest_cannot_reach_outside_docs(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    kept = tmp_path / "kept.txt"
    kept.write_text("mine")
    (docs / builder.MANIFEST).write_text(json.dumps({"../kept.txt": "x", str(kept): "y"}))
    assert builder.write(docs, {"a.md": "a"}) == (1, 0)
    assert kept.read_text() == "mine"


def test_errors_of_the_catalogue_stop_the_build(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    write_entry(root, "methods", {**SPARSE, "code": {"url": "javascript:alert(1)"}})
    with pytest.raises(CatalogError, match=r"sparse\.yaml:.*code\.url"):
        generate(root)


@pytest.mark.parametrize(
    ("field", "value"),
    [("id", "../../docs/index"), ("id", "a/b"), ("id", "con.txt"), ("name", "n" * 100_000),
     ("summary", "s" * 100_000), ("idea", "word " * 20_000)],
)  # fmt: skip
def test_what_is_too_long_or_leads_elsewhere_is_refused(
    tmp_path: Path, field: str, value: object
) -> None:
    root = make_root(tmp_path / "root")
    path = root / "catalog/methods/sparse.yaml"
    path.write_text(yaml.safe_dump({**SPARSE, field: value}), encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(CatalogError, match=r"sparse\.yaml:.*(too-long|bad-format|id-file)"):
        generate(root)
    made = [p for p in tmp_path.rglob("*") if p not in before and ".cache" not in p.parts]
    assert made == []


def test_the_page_of_first_papers_says_what_is_missing(built: Path) -> None:
    text = (built / "docs/contribute/first.md").read_text(encoding="utf-8")
    assert "## Listed" in text
    assert re.search(r"<td>a summary; [^<]*an idea; [^<]*pillars \(sft, rl, tts\)", text)
    assert text.index("## Listed") < text.index(">Sparse</a>") < text.index("## Linked")


def test_optional_pages_leave_the_navigation(tmp_path: Path) -> None:
    nav = [{"Home": "index.md"}, {"More": [{"A": "rewards.md"}, {"B": "walkthrough.md"}]}]
    assert builder.present(nav, tmp_path) == [{"Home": "index.md"}]
    (tmp_path / "rewards.md").write_text("# Rewards")
    assert builder.present(nav, tmp_path) == [nav[0], {"More": [{"A": "rewards.md"}]}]


def test_a_thousand_entries_are_generated_in_three_seconds(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    shutil.rmtree(root / "catalog/methods")
    leaves = yaml.safe_load((root / "catalog/taxonomy/leaves.yaml").read_text())["words"]
    for place in range(1000):
        title = " ".join(hashlib.sha256(bytes([place % 256, place >> 8, i])).hexdigest()[:7]
                         for i in range(7))  # fmt: skip
        entry = {
            **SPARSE, "id": f"m{place}", "name": f"Method {place}", "pillars": ["rl"],
            "taxonomy": [leaves[place % len(leaves)]["id"]],
            "summary": "One sentence that says what it is about, in our own words.",
            "paper": {"title": title, "authors": ["Ann A", "Bo B"], "year": 2025,
                      "arxiv_id": f"2501.{place:05d}"},
            "reported": [{"benchmark": "video_mme", "metric": "accuracy", "value": 50.0,
                          "setting": {"frames": 8}, "source": "its Table 1"}],
        }  # fmt: skip
        write_entry(root, "methods", entry)
    generate(root, draft=True)  # reads the YAML cold, fills the cache
    spent = []
    for _ in range(3):  # the best of three: other processes share the cores
        shutil.rmtree(root / "docs/catalog")
        start = time.process_time()
        report = generate(root, draft=True)
        spent.append(time.process_time() - start)
        assert report.written >= 1000
        if spent[-1] <= 3.0:
            break
    assert min(spent) <= 3.0, f"{spent} s of CPU"
