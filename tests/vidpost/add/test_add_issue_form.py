"""The issue forms: real bodies, hostile bodies, and the templates that they come from."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from add_fixtures import ROOT, Answers, copy_repository, errors, link_repository
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from vidpost.add import entry, issue_form
from vidpost.add.issue_form import FIELDS, REPLY, handle, parse
from vidpost.catalog.diagnostics import CatalogError
from vidpost.catalog.loader import Catalog, load
from vidpost.cli.main import main

FORMS = {"add-paper": "add-paper", "correct-entry": "correct-entry", "reproduction": "reproduction"}


def body(form: str, **fields: str) -> str:
    """An issue as GitHub writes it; keys are headings' first words."""
    parts = []
    for heading in FIELDS[form]:
        key = heading.split()[0].lower()
        parts.append(f"### {heading}\n\n{fields.get(key, '_No response_')}\n")
    return "\n".join(parts) + f"\n<!-- vidpost:{form}:v1 -->\n"


ADD = body(
    "add-paper",
    paper="https://example.org/pebbles",
    kind="method",
    family="RL",
    what="Counts pebbles\nwith a reward.",
    code="https://example.org/code",
    reported="Video-MME 61.0, Table 3",
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_repository(tmp_path_factory.mktemp("original"))


@pytest.fixture(scope="module")
def catalog(original: Path) -> Catalog:
    return load(original)


@pytest.mark.parametrize("form", FORMS)
def test_the_headings_are_those_of_the_template(form: str) -> None:
    template = yaml.safe_load((ROOT / f".github/ISSUE_TEMPLATE/{form}.yml").read_text())
    labels = [f["attributes"]["label"] for f in template["body"] if f["type"] != "markdown"]
    assert labels == list(FIELDS[form])
    values = [str(f["attributes"].get("value", "")) for f in template["body"]]
    assert sum(f"<!-- vidpost:{form}:v1 -->" in value for value in values) == 1


def test_a_paper(original: Path, tmp_path: Path) -> None:
    root = link_repository(original, tmp_path)
    reply = handle(ADD, load(root), offline=True)
    assert (reply.outcome, reply.id) == ("written", "paper_https_example_org_pebbles")
    entry.write(reply.files)
    made = load(root).methods[reply.id]
    assert made.idea == "Counts pebbles with a reward."
    assert made.pillars == ("rl",)
    assert made.code is not None
    assert made.code.url == "https://example.org/code"
    assert errors(root) == []
    assert reply.comment.startswith(REPLY)
    assert "Video-MME 61.0, Table 3" in reply.comment
    assert "title, authors and year" in reply.comment


def test_a_known_paper_is_not_asked_for(catalog: Catalog) -> None:
    transport = Answers((200, ""))
    text = body("add-paper", paper="arxiv.org/abs/2503.21776", kind="method")
    reply = handle(text, catalog, transport=transport)
    assert (reply.outcome, reply.id, reply.files) == ("known", "video_r1", {})
    assert "catalog/methods/video_r1.yaml" in reply.comment
    assert transport.requests == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Please add my paper", "not written with one of the forms"),
        ("x" * 70_000, "at most 65536"),
        (body("add-paper", paper="../../etc/passwd", kind="method"), "no paper's id or address"),
        (body("add-paper", paper="secret.bib", kind="method"), "cannot be read from here"),
        (body("add-paper", paper="https://a.b/c", kind="survey"), "none of method"),
        (body("add-paper", paper="https://a.b/c", what="x" * 1501), "has 1501 characters"),
        (body("add-paper", paper="https://a.b/c", what="word " * 200), "idea"),
        (body("correct-entry", entry="no_such_entry_at_all"), "no entry is called"),
        (body("reproduction", method="video_r1", result="a: [1"), "Result card"),
        (body("reproduction", method="video_r1", result="!!python/object:os.x {}"), "Result card"),
    ],
)
def test_what_is_refused(catalog: Catalog, text: str, message: str) -> None:
    reply = handle(text, catalog, offline=True)
    assert (reply.outcome, reply.files) == ("refused", {})
    assert message in reply.comment


def test_text_stays_in_its_block(catalog: Catalog) -> None:
    """Mentions, HTML and a fence of its own cannot leave the code block."""
    nasty = "````\n@everyone <img src=x onerror=alert(1)>\n```\n![a](http://evil.example/x.png)"
    text = body("add-paper", paper="https://a.b/c", kind="method", reported=nasty)
    reply = handle(text, catalog, offline=True)
    start = reply.comment.index("`````text\n" + nasty)
    assert reply.comment[start:].rstrip().endswith("`````")


def test_a_heading_in_a_field_replaces_nothing() -> None:
    forged = "fine\n\n### Kind\n\nsurvey\n\n### Paper link\n\nhttps://evil.example"
    text = body("add-paper", paper="https://a.b/c", kind="method", what=forged)
    _, fields = parse(text)
    assert (fields["Kind"], fields["Paper link"]) == ("method", "https://a.b/c")


def test_hostile_yaml_is_text(original: Path, tmp_path: Path) -> None:
    root = link_repository(original, tmp_path)
    delta = 'x"\nstatus: reproduced\nid: ../../evil # ${{ secrets.TOKEN }} `id` $(id)'
    text = body("add-paper", paper="https://a.b/c", kind="method", what=delta)
    reply = handle(text, load(root), offline=True)
    entry.write(reply.files)
    (path,) = reply.files
    assert path.parent == root / "catalog/methods"
    made = load(root).methods[reply.id]
    assert (made.status, made.idea) == ("listed", " ".join(delta.split()))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=100))
def test_any_text_is_answered(catalog: Catalog, link: str, delta: str, code: str) -> None:
    text = body("add-paper", paper=link, kind="method", what=delta, code=code)
    reply = handle(text, catalog, offline=True)
    assert reply.outcome in ("written", "refused", "known")
    for path in reply.files:
        assert path.parent == catalog.root / "catalog/methods"


def test_a_correction_shows_the_place(catalog: Catalog) -> None:
    text = body("correct-entry", entry="Video-R1", field="paper.title", what="w", are="no")
    reply = handle(text, catalog)
    assert (reply.outcome, reply.id) == ("noted", "video_r1")
    assert "catalog/methods/video_r1.yaml#L" in reply.comment
    assert "Video-R1: Reinforcing Video Reasoning in MLLMs" in reply.comment


def test_a_reproduction_is_a_valid_card(original: Path, tmp_path: Path) -> None:
    root = link_repository(original, tmp_path)
    card = next((ROOT / "catalog/results/video_r1").glob("mini_seed_0.yaml")).read_text()
    text = body("reproduction", method="video_r1", result=f"```yaml\n{card}\n```")
    reply = handle(text, load(root))
    assert reply.outcome == "written"
    (path,) = reply.files
    assert path.relative_to(root).as_posix() == "catalog/results/video_r1/mini_seed_0_2.yaml"
    entry.write(reply.files)
    assert errors(root) == []
    other = handle(text.replace("video_r1", "time_r1", 1), load(root))
    assert (other.outcome, "not of 'time_r1'" in other.comment) == ("refused", True)


def test_the_workflows_call(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = link_repository(original, tmp_path)
    monkeypatch.chdir(root)
    Path("body.md").write_text(ADD)
    args = ["body.md", "--comment", "reply.md", "--output", "out", "--offline"]
    issue_form.main(args)
    assert Path("out").read_text() == "outcome=written\nid=paper_https_example_org_pebbles\n"
    assert Path("reply.md").read_text().startswith(REPLY)
    again = CliRunner().invoke(main, ["add", "--from-issue", "body.md", "--offline"])
    assert (again.exit_code, "in the catalogue already" in again.output) == (1, False)
    assert "is in the catalogue" in again.output


def test_parse_refuses_a_field_that_is_too_long() -> None:
    with pytest.raises(CatalogError, match="'Kind' has 21 characters"):
        parse(body("add-paper", kind="k" * 21))


def test_the_workflow_never_puts_the_issue_into_a_command() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/add-paper.yml").read_text())
    for step in workflow["jobs"]["answer"]["steps"]:
        assert "${{" not in step.get("run", "")
