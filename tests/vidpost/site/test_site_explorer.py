"""The reward explorer's script gives what the Python rules give, in a real browser."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from small_site import IN_CHROMIUM, ROOT, chromium

from reproductions.shared.rewards import compare, maths

pytest.importorskip("playwright.sync_api")
pytestmark = IN_CHROMIUM
SCRIPT = (ROOT / "docs/assets/js/rewards.js").read_text(encoding="utf-8")
TAGS = [f"<{end}{name}>" for name in ("think", "answer", "index") for end in ("", "/")]
PARTS = [
    *TAGS, *"BbACDGH.,:()!*_1-/", *("answer", "option", "is", "choice:", "{B}", "$B$", "B)", "B:"),
    "\\text{B}", "é", "😀", " ", "\n", "\t", "\u2003", "\x1c", "\x85", "\ufeff", "Answer is ",
    "The best answer is", "The answer", "Final answer: ", "correct answer:", "a red car",
    "Best answer:Best option:", "not A but B", "<answer>B</answer>", "<think>r</think>",
]  # fmt: skip
GOLDS = ("B", "b", "A", "D", "A,B", "C. red", "", " B ")


def random_cases(count: int) -> list[tuple[str, str]]:
    dice = random.Random(20261122)
    return [
        ("".join(dice.choices(PARTS, k=dice.randint(0, 9))), dice.choice(GOLDS))
        for _ in range(count)
    ]


def golden_cases() -> Iterator[tuple[str, str]]:
    """Every text with a tag in the recorded cases of the official functions."""

    def texts(value: Any) -> Iterator[str]:
        if isinstance(value, str) and "<" in value and len(value) < 3000:
            yield value
        elif isinstance(value, dict | list):
            for each in value.values() if isinstance(value, dict) else value:
                yield from texts(each)

    for path in sorted((ROOT / "tests/data/golden").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield from ((text, "B") for text in texts(json.loads(line)))


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with chromium() as browser:
        tab = browser.new_page()
        tab.set_content("<p>")
        tab.add_script_tag(content=SCRIPT)
        yield tab


def test_the_script_equals_the_rules(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maths, "math_verify", lambda pred, gold: False)  # the page says so
    cases = [*random_cases(3000), *dict.fromkeys(golden_cases())]
    assert len(cases) > 3400
    found = page.evaluate("cases => cases.map(c => vidpostRewards.compare(c[0], c[1]))", cases)
    wrong = []
    for (text, gold), rows in zip(cases, found, strict=True):
        here = {(r["reward"], r["rule"]): (r["safe"], r["published"]) for r in rows}
        for row in compare.compare(text, gold):
            if row["rule"] in compare.NOT_IN_THE_PAGE:
                continue
            mine = here.pop((row["reward"], row["rule"]))
            if max(abs(mine[0] - row["safe"]), abs(mine[1] - row["published"])) > 1e-9:
                wrong.append((text, gold, row, mine))
        assert not here
    assert wrong[:3] == []


def test_the_page_answers_what_is_typed(page: Any) -> None:
    from markdown import markdown

    body = markdown(compare.explorer(), extensions=["md_in_html"])
    tab = page.context.browser.new_page()
    tab.set_content(body.replace('<script src="../assets/js/rewards.js" defer></script>', ""))
    before = tab.locator("#explorer-table").inner_text()
    assert tab.locator("#explorer").is_hidden()  # without JavaScript the example stands alone
    tab.add_script_tag(content=SCRIPT)
    assert tab.locator("#explorer-table").inner_text() == before
    tab.fill("textarea", "<answer>B</answer>")
    cells = tab.locator("#accuracy-video_r1 td").all_inner_texts()
    assert cells == ["accuracy", "1", "1"]
    assert tab.locator("#format-video_r1 td").all_inner_texts() == ["format", "0", "0"]
    tab.fill("textarea", "<img src=x onerror=alert(1)>")
    assert tab.locator("#accuracy-video_r1 td").last.inner_text() == "0"
    tab.close()
