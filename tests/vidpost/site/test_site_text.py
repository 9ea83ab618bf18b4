from __future__ import annotations

import re
import string

import markdown
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vidpost.export.text import plain
from vidpost.site.latex import formula
from vidpost.site.text import escape, number, outside

PIECES = st.sampled_from(
    ["<", ">", "&", '"', "'", "`", "*", "_", "[", "]", "(", ")", "!", "#", "|", "{", "}", ":",
     "$", "\\", "\n", "\t", "=", "-", "+", ".", "1", "a", " ", "~", "^", "javascript:", "<script>",
     "\u202e", "\x02", "\x03", "klzzwxh:0", "&#60;", "http://x.invalid", "    ", "```", "---"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@example(text="__1__")
@given(text=st.lists(PIECES, min_size=1, max_size=12).map("".join))
def test_any_text_is_shown_as_itself_and_makes_no_markup(text: str) -> None:
    shown = plain(text)
    if not shown:
        return
    extensions = ["attr_list", "tables", "admonition", "toc"]
    html = markdown.markdown(f"{escape(text)}\n\nx {escape(text)} y", extensions=extensions)
    assert set(re.findall(r"</?([a-z0-9]+)", html)) == {"p"}
    first = re.match(r"<p>(.*?)</p>", html, re.DOTALL)
    assert first is not None
    import html as entities

    assert " ".join(entities.unescape(first[1]).split()) == shown


@given(st.text(alphabet=string.printable, max_size=30))
def test_a_value_cannot_leave_an_attribute(text: str) -> None:
    assert not set('"<>`{}') & set(str(escape(text or "x")))


def test_absent_values_say_so() -> None:
    assert "not reported" in escape(None)
    assert escape(0) == "0"


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "//host/x", "/x", "http://",
     "\x01javascript:alert(1)", "https://[broken", "file:///etc/passwd"],
)  # fmt: skip
def test_only_http_addresses_become_links(address: str) -> None:
    assert outside(address) is None


def test_addresses_are_quoted() -> None:
    assert outside("https://a.org/x?a=1&b=\"'<>`(") == (
        "https://a.org/x?a=1&amp;b=%22%27%3C%3E%60%28"
    )


def test_numbers() -> None:
    assert number(260000) == "260,000"
    assert number(35.8) == "35.8"
    assert number(0.000001) == "0.000001"
    assert number(None) is None


def test_latex_becomes_mathml() -> None:
    shown = formula(r"$\frac{1}{n}\sum_i s_i^2$, where $s_i \in [0, 1]$")
    assert "<mfrac><mrow><mn>1</mn></mrow><mrow><mi>n</mi></mrow></mfrac>" in shown
    assert "<munder><mo>∑</mo><mi>i</mi></munder>" in shown
    assert "<msubsup><mi>s</mi><mi>i</mi><mn>2</mn></msubsup>" in shown
    assert ", where <math>" in shown


@settings(max_examples=200, deadline=500)
@given(st.text(alphabet="\\{}_^$ab1 <>&fractexhis", max_size=60))
def test_any_latex_gives_closed_mathml_only(text: str) -> None:
    opened: list[str] = []
    for closing, tag in re.findall(r"<(/?)([a-zA-Z]+)[^>]*?(?<!/)>", str(formula(text))):
        if closing:
            assert opened.pop() == tag
        else:
            opened.append(tag)
            assert tag.startswith("m") or tag in ("span",)
    assert not opened


def test_phrases_in_a_formula_can_break_and_keep_their_blanks() -> None:
    shown = formula(r"$1[\text{both captions of pair } i \text{ if so}]$")
    assert "</math>both captions of pair <math><mi>i</mi></math> if so<math>" in shown
    assert formula(r"$\text{a b c}_i$").count("<math>") == 1
