"""Accuracy against compute: what is read from cards, what shares a picture, what is drawn."""

from __future__ import annotations

import re
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
from small_site import ROOT, make_root, spent, write_card, write_claim

from vidpost.catalog.loader import load
from vidpost.catalog.models import ResultCard
from vidpost.site import compute, figures
from vidpost.site.context import Site
from vidpost.site.render import Renderer


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_root(tmp_path / "root")


def site_of(root: Path) -> Site:
    return Site(load(root), "https://example.org/", "https://example.org")


def card_of(root: Path, key: str) -> dict[str, ResultCard]:
    return {key: load(root).results[key]}


def test_a_claim_tells_of_the_method_its_baseline_and_votes(root: Path) -> None:
    write_claim(root)
    found = compute.points(card_of(root, "tcot/claim"))
    assert [(p.method, p.equal_to, p.seeds, p.n) for p in found] == [
        ("tcot", "", 2, 20),
        ("decode", "", 2, 20),
        ("self_consistency", "tcot", 2, 20),
    ]
    mine, greedy, votes = found
    assert mine.score == pytest.approx(0.7) and mine.ends == pytest.approx((0.68, 0.72))
    assert mine.interval == (0.6, 0.8) and greedy.interval is None
    # 2 x 50 calls for 2 x 10 questions, 74 tokens each, and 2 x 180 written.
    assert mine.cost["calls"] == 5 and mine.cost["frames_decoded"] == 40
    assert mine.along("Tokens a question, read and written") == 5 * 74 + 18
    assert greedy.cost["calls"] == 1
    assert votes.along("Tokens a question, read and written") == 74 + 290


def test_a_single_run_tells_of_its_last_checkpoint_alone(root: Path) -> None:
    names = ["base", "sft", "sft+self_consistency", "sft+tcot"]
    rows = [{"name": n, "n": 10, "score": i / 10, "cost": spent(10 + i, 100)}
            for i, n in enumerate(names)]  # fmt: skip
    task = {"name": "sft+tcot", "task": "order", "n": 5, "score": 1.0}  # of a part: no cost
    write_card(root, "run", "miniature", method="tcot", seeds=[0], checkpoint={"stage": "sft"},
               scores=[*rows, task])  # fmt: skip
    found = compute.points(card_of(root, "tcot/run"))
    assert [(p.method, p.equal_to, p.score) for p in found] == [
        ("decode", "", 0.1),
        ("self_consistency", "tcot", 0.2),
        ("tcot", "", 0.3),
    ]


def test_runs_that_differ_in_their_seed_are_one_point(root: Path) -> None:
    for seed, score in ((0, 0.4), (1, 0.6), (1, 0.8), (2, 0.6)):
        rows = [{"name": f"sft{plus}", "n": 10, "score": score if plus else 0.3,
                 "cost": spent(10 + seed, 100)} for plus in ("", "+tcot")]  # fmt: skip
        write_card(
            root, f"run_{seed}_{score}", "miniature", method="tcot", seeds=[seed], scores=rows,
            checkpoint={"stage": "sft"}, overrides={"seed": seed} if seed else {},
            date="2026-11-22" if score != 0.8 else "2026-11-23",
        )  # fmt: skip
    (group,) = compute.groups(site_of(root), "miniature")
    greedy, mine = group.points
    assert (mine.method, mine.seeds, mine.n) == ("tcot", 3, 30)  # the newest with seed 1
    assert mine.score == pytest.approx(0.6) and mine.ends == (0.4, 0.8)
    assert mine.interval is None and mine.cost["calls"] == pytest.approx(33 / 30)
    assert greedy.seeds == 3


def test_cards_of_before_have_one_point_and_unknown_costs(root: Path) -> None:
    write_card(root, "old", "miniature", method="tcot")
    (point,) = compute.points(card_of(root, "tcot/old"))
    assert point.cost["calls"] is None and point.cost["frames"] == 1 / 400
    assert point.along("Model calls a question") is None


def test_kinds_protocols_and_models_never_share_a_picture(root: Path) -> None:
    write_claim(root)
    text = (root / "catalog/results/tcot/claim.yaml").read_text()
    for name, old, new in (("other", "model: tiny", "model: other/model"),
                           ("full", "kind: miniature", "kind: reproduction")):  # fmt: skip
        assert old in text
        (root / f"catalog/results/tcot/{name}.yaml").write_text(text.replace(old, new))
    # What trains a model is no test-time method, whatever its card costs.
    write_card(root, "run", "miniature", scores=[{"name": "rl", "n": 9, "score": 0.6,
                                                  "cost": spent(9, 9)}])  # fmt: skip
    site = site_of(root)
    assert len(compute.groups(site, "reproduction")) == 1
    small = compute.groups(site, "miniature")
    assert [len(group.points) for group in small] == [3, 3]
    assert {"model tiny" in group.facts for group in small} == {True, False}
    # The same method under the same protocol counts once.
    (root / "catalog/results/tcot/again.yaml").write_text(text)
    assert sum(len(g.points) for g in compute.groups(site_of(root), "miniature")) == 6


def test_rules_of_the_official_code_are_no_method(root: Path) -> None:
    """Nor do their seeds hide the runs by the paper's rules."""
    write_claim(root)
    (before,) = compute.groups(site_of(root), "miniature")
    card = root / "catalog/results/tcot/claim.yaml"
    text = card.read_text().replace("name: tcot,", "name: tcot-official_code,")
    assert "tcot-official_code, seed" in text
    (card.parent / "variant_official_code.yaml").write_text(f"variant: official_code\n{text}")
    site = site_of(root)
    assert compute.groups(site, "miniature") == [before]
    assert "official_code" not in compute.page(site, Renderer(site))[1]
    card.unlink()
    names = ["sft", "sft+tcot"]
    rows = [{"name": n, "n": 10, "score": 0.5, "cost": spent(10, 100)} for n in names]
    write_card(root, "run", "miniature", method="tcot", seeds=[0], checkpoint={"stage": "sft"},
               scores=rows)  # fmt: skip
    assert [len(g.points) for g in compute.groups(site_of(root), "miniature")] == [2]


def test_the_page_has_pictures_and_the_numbers_below(root: Path) -> None:
    write_claim(root)
    site = site_of(root)
    path, text = compute.page(site, Renderer(site))
    assert path == "compute.md"
    published, miniatures = text.split("## Miniatures")
    assert "No card yet" in published and "<svg" not in published
    # Calls, tokens, frames (twice) and seconds; then one table.
    assert miniatures.count("<svg") == 5 and miniatures.count("<table") == 1
    assert miniatures.rindex("<svg") < miniatures.index("<table")
    row = re.search(r'<tr><th scope="row"><a [^>]*>TCoT.*?</tr>', miniatures)
    assert row is not None
    cells = re.findall(r'class="num">(.*?)</td>', row[0])
    assert cells == ["0.700", "0.600 to 0.800", "0.680, 0.720", "2", "20",
                     "5", "370", "18", "40", "40", "0.05"]  # fmt: skip
    assert "var(" not in text and "#" not in re.sub(r"&#\d+;", "", "".join(_svgs(miniatures)))


def _svgs(text: str) -> list[str]:
    return re.findall(r"<svg.*?</svg>", text, re.DOTALL)


def test_without_cards_the_page_says_so_and_names_what_is_missing(root: Path) -> None:
    shutil.copytree(ROOT / "reproductions/methods/tcot", root / "reproductions/methods/tcot")
    site = site_of(root)
    _, text = compute.page(site, Renderer(site))
    assert text.count("No card yet") == 2 and "<svg" not in text
    assert "TCoT" in text.partition("## Not measured yet")[2]
    assert "vidpost claim tcot" in text


def test_names_in_a_picture_do_not_cover_each_other() -> None:
    spots = [figures.Spot(f"Method {i}", 0.5 + 0.001 * i, (0.5, 0.52), 100 + i, "method")
             for i in range(6)]  # fmt: skip
    drawn = figures.compute("A", "Tokens", spots)
    places = re.findall(r'<text x="([\d.]+)" y="([\d.]+)"[^>]*>Method', drawn)
    assert len(places) == 6
    heights = sorted(float(y) for _, y in places)
    same = [b - a for a, b in pairwise(heights) if b - a < 11]
    assert len(same) <= 3  # such stand left and right of the points
