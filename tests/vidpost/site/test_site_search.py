"""Forty real queries on the whole site: what is wanted stands among the first five."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from small_site import IN_CHROMIUM, ROOT, chromium, served_at

pytest.importorskip("playwright.sync_api")
pytestmark = [*IN_CHROMIUM, pytest.mark.slow]

QUERIES = {
    # names in every spelling
    "video-r1": "methods/video_r1/", "videor1": "methods/video_r1/",
    "time-r1": "methods/time_r1/", "TW-GRPO": "methods/tw_grpo/",
    "deepvideo": "methods/deepvideo_r1/", "videochat-r1": "methods/videochat_r1/",
    "SpaceR": "methods/spacer/", "MUSEG": "methods/museg/", "CyberV": "methods/cyberv/",
    "pixel reasoner": "methods/pixel_reasoner/", "GRPO": "methods/grpo/", "DPO": "methods/dpo/",
    "Video R1": "methods/video_r1/", "deep video r1": "methods/deepvideo_r1/",
    "long video bench": "benchmarks/longvideobench/",
    # aliases
    "T-GRPO": "methods/video_r1/", "Reg-GRPO": "methods/deepvideo_r1/",
    "long-rl": "methods/longvila_r1/",
    # papers and people
    "2503.21776": "methods/video_r1/", "Kaituo Feng": "methods/video_r1/",
    # benchmarks
    "VideoMME": "benchmarks/video_mme/", "Video-MME": "benchmarks/video_mme/",
    "video mme": "benchmarks/video_mme/", "charades": "benchmarks/charades_sta/",
    "Charades-STA": "benchmarks/charades_sta/", "MVBench": "benchmarks/mvbench/",
    "VSI-Bench": "benchmarks/vsi_bench/", "NExT-GQA": "benchmarks/next_gqa/",
    "LongVideoBench": "benchmarks/longvideobench/", "EgoSchema": "benchmarks/egoschema/",
    "MMVU": "benchmarks/mmvu/", "ActivityNet Captions": "activitynet",
    # data and metrics
    "Video-R1-260k": "datasets/video_r1_260k/", "mean relative accuracy": "metrics/mra/",
    "mIoU": "metrics/miou/", "SODA_c": "metrics/soda_c/", "Acc@GQA": "metrics/acc_at_gqa/",
    # words of the field
    "temporal IoU reward": "taxonomy/", "self-consistency": "tts_self_consistency",
    "monte carlo tree search": "tts_mcts", "cold start": "taxonomy/",
    "chain of thought sft": "taxonomy/", "hallucination": "taxonomy/", "length reward": "reward",
}  # fmt: skip
"""What is typed -> part of the address that must be among the first five."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the whole site, built from a copy."""
    from vidpost.site.build import build

    root = tmp_path_factory.mktemp("whole")
    skip = shutil.ignore_patterns("__pycache__", "*.pyc")
    for part in ("catalog", "docs", "reproductions", "tests/data/broken"):
        shutil.copytree(ROOT / part, root / part, ignore=skip)
    shutil.copy(ROOT / "mkdocs.yml", root)
    build(root, draft=True)
    with served_at(root / "site") as address:
        yield address


def first_five(page: Any, query: str) -> list[str]:
    """Addresses of the first five results."""
    box = "input[data-md-component=search-query]"
    # A word that is nowhere empties the list, so that what is read next belongs to the query.
    for text, empty in (("zzqxzzqx", True), (query, False)):
        page.fill(box, text)
        page.dispatch_event(box, "keyup")
        page.wait_for_function(
            "empty => (document.querySelectorAll('.md-search-result__item').length == 0) == empty",
            arg=empty,
            timeout=10_000,
        )
    found: list[str] = page.eval_on_selector_all(
        ".md-search-result__item > a", "all => all.slice(0, 5).map(a => new URL(a.href).pathname)"
    )
    return found


def test_what_is_wanted_is_among_the_first_five(whole: str) -> None:
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(whole)
        page.locator("[data-md-component=search-query]").first.click()
        results = {query: first_five(page, query) for query in QUERIES}
        first_five(page, "Video R1")
        page.keyboard.press("Enter")  # leads to what is named so, not to the highest count of words
        page.wait_for_url("**/catalog/methods/video_r1/**")
    assert len(QUERIES) >= 40
    missed = {q: found for q, found in results.items() if not any(QUERIES[q] in p for p in found)}
    assert missed == {}
