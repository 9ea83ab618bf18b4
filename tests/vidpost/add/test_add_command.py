"""`vidpost add` in a copy of the catalogue; arXiv is a transport that answers from a text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from add_fixtures import ROOT, Answers, copy_repository, errors, link_repository
from click.testing import CliRunner, Result

from vidpost.add import arxiv, bib, entry, web
from vidpost.catalog.diagnostics import CatalogError
from vidpost.catalog.loader import load, load_model
from vidpost.catalog.models import KINDS, MethodEntry
from vidpost.cli.main import main

ID = "2611.98765"

ATOM = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:arxiv="http://arxiv.org/schemas/atom">
  <title>answer</title>
  <entry>
    <id>http://arxiv.org/abs/2611.98765v3</id>
    <published>2026-11-02T10:00:00Z</published>
    <title>Pebble-R1: Counting "Pebbles"
      in Slow Rivers with $\\pi$ # rewards</title>
    <summary>Text that belongs to its authors.</summary>
    <author><name>Ada  River</name></author>
    <author><name>Björn Stein: Jr.</name></author>
    <arxiv:comment>12 pages,
      to appear somewhere</arxiv:comment>
  </entry>
</feed>
"""
ERROR = """<feed xmlns="http://www.w3.org/2005/Atom"><entry>
<id>http://arxiv.org/api/errors#incorrect_id_format</id><title>Error</title></entry></feed>"""
TITLE = 'Pebble-R1: Counting "Pebbles" in Slow Rivers with $\\pi$ # rewards'

BIB = """% saved from a proceedings page
@inproceedings{stein2026,
  title = {{Gravel}Net: Sorting {GRAVEL} by Sound},
  author = {Stein, Bj{\\"o}rn and Ada River},
  booktitle = "Proceedings of the Riverbed Conference",
  year = 2026, doi = {https://doi.org/10.1234/abc.5}, url = {https://example.org/gravel}
}
"""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The parts of the repository that checks read, with warm caches."""
    root = copy_repository(tmp_path_factory.mktemp("original"))
    assert errors(root) == []
    return root


@pytest.fixture
def copy(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    link_repository(original, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(web, "WAITS", (0.0, 0.0))
    return tmp_path


def add(*args: str, transport: httpx.BaseTransport | None = None, typed: str = "") -> Result:
    transport = transport or Answers((200, ATOM))
    runner = CliRunner()
    return runner.invoke(main, ["add", *args], prog_name="vidpost", obj=transport, input=typed)


def files(root: Path) -> set[str]:
    return {p.relative_to(root).as_posix() for p in root.rglob("*") if ".cache" not in p.parts}


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (ID, None),
        (f" {ID}v2\n", 2),
        (f"arXiv:{ID}v12", 12),
        (f"arxiv: {ID}", None),
        (f"https://arxiv.org/abs/{ID}v1", 1),
        (f"http://www.arxiv.org/pdf/{ID}.pdf", None),
        (f"https://arxiv.org/pdf/{ID}v2.pdf#page=3", 2),
        (f"arxiv.org/html/{ID}/", None),
        (f"https://huggingface.co/papers/{ID}?a=b", None),
        (f"https://doi.org/10.48550/arXiv.{ID}", None),
    ],
)
def test_every_spelling(text: str, version: int | None) -> None:
    assert arxiv.parse_ref(text) == (ID, version)


def test_an_old_id() -> None:
    assert arxiv.parse_ref("https://arxiv.org/abs/cs.CV/0309021v1") == ("cs.CV/0309021", 1)


@pytest.mark.parametrize(
    "text",
    ["", "2613.00001", "2503.217", "10.1000/xyz", "../../etc/passwd", "٢٥٠٣.21776", "x" * 999],
)
def test_no_spelling(text: str) -> None:
    with pytest.raises(CatalogError, match="no arXiv id or address"):
        arxiv.parse_ref(text)


def test_an_entry_that_checks(copy: Path) -> None:
    transport = Answers((200, ATOM))
    result = add(f"arXiv:{ID}v3", "--pillar", "rl", "--no-input", transport=transport)
    assert result.exit_code == 0, result.output
    path = copy / "catalog/methods/pebble_r1.yaml"
    made = load_model(path, MethodEntry)
    assert made.paper is not None
    assert (made.name, made.status, made.pillars) == ("Pebble-R1", "listed", ("rl",))
    assert made.paper.title == TITLE
    assert made.paper.authors == ("Ada River", "Björn Stein: Jr.")
    assert (made.paper.arxiv_id, made.paper.version, made.paper.year) == (ID, 3, 2026)
    assert errors(copy) == []
    text = path.read_text(encoding="utf-8")
    assert "belongs to its authors" not in text
    assert "# The paper's source says: 12 pages, to appear somewhere" in text
    assert "# rewards: [{aspect, description, weight, source}] # Rewards with formula" in text
    assert path.stat().st_mode & 0o777 == 0o644
    assert "vidpost check catalog/methods/pebble_r1.yaml" in result.output
    (request,) = transport.requests
    assert request.url.params["id_list"] == f"{ID}v3"
    assert request.headers["user-agent"].startswith("vidpost ")


def test_the_optional_fields_are_complete(copy: Path) -> None:
    """Each field of the model is given or explained, so the template follows the schema."""
    for kind, model in KINDS.items():
        args = ["--offline", "--id", f"new_{kind}", "--kind", kind, "--no-input"]
        assert add(*args).exit_code == 0
        text = entry.path_of(copy, kind, f"new_{kind}").read_text()
        names = {line.removeprefix("# ").split(":")[0] for line in text.splitlines()}
        assert set(model.model_fields) - {"is_baseline"} <= names
        if kind == "method":  # what a claim looks like
            assert "\n# claims: [{id, statement, compare: [], metric, " in text
    assert errors(copy) == []


def test_questions(copy: Path) -> None:
    result = add(ID, typed="benchmark\npebbles\n")
    assert result.exit_code == 0, result.output
    assert (copy / "catalog/benchmarks/pebbles.yaml").is_file()
    before = files(copy)
    other = ID.replace("98765", "98764")
    assert add(other, "--offline", typed="").exit_code == 2  # Ctrl-D
    assert files(copy) == before
    result = add(other, "--offline", typed="Gravel-R2:  Reasoning\nmethod\n\nrl\n")
    made = load_model(copy / "catalog/methods/gravel_r2.yaml", MethodEntry)
    assert made.paper is not None and made.paper.title == "Gravel-R2: Reasoning"
    assert (made.name, made.pillars) == ("Gravel-R2", ("rl",)), result.output
    assert "TODO" not in result.output
    result = add(ID.replace("98765", "98763"), "--offline", typed="\n\n\n\n")
    assert "fill in its TODO" in result.output


def test_the_first_line_names_the_schema(copy: Path) -> None:
    assert add(ID, "--no-input").exit_code == 0
    path = copy / "catalog/methods/pebble_r1.yaml"
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=../schema/method.schema.json"
    schema = json.loads((path.parent / first.partition("=")[2]).read_text(encoding="utf-8"))
    assert schema["title"] == "MethodEntry"


def test_a_known_paper_is_refused_before_anything_is_asked(copy: Path) -> None:
    before = files(copy)
    result = add("2503.21776", "--offline", typed="A title\n")
    assert result.exit_code == 2
    assert "is in the catalogue already: catalog/methods/video_r1.yaml" in result.output
    assert "title [" not in result.output
    assert files(copy) == before


def test_an_answer_is_kept_for_a_week(copy: Path) -> None:
    ref, cache, transport = arxiv.Ref(ID), copy / ".cache/add", Answers((200, ATOM))
    first = arxiv.fetch(ref, cache, transport)
    assert arxiv.fetch(ref, cache, transport) == first
    assert len(transport.requests) == 1
    (kept,) = cache.iterdir()
    old = time.time() - 8 * 24 * 3600
    os.utime(kept, (old, old))
    arxiv.fetch(ref, cache, transport)
    kept.write_text("damaged")
    arxiv.fetch(ref, cache, transport)
    assert len(transport.requests) == 3


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, ERROR, f"arXiv knows no paper {ID}. Check the id."),
        (200, ATOM.replace(ID, "2611.11111"), "arXiv knows no paper"),
        (200, '<feed xmlns="http://www.w3.org/2005/Atom"/>', "arXiv knows no paper"),
        (200, ATOM.replace("<feed", '<!DOCTYPE a [<!ENTITY b "c">]><feed', 1), "it has a DTD"),
        (200, "<html>", "no XML"),
        (200, " " * (web.LARGEST + 1), "larger than 1000000 bytes"),
        (200, ATOM.replace("Pebble-R1:", "x" * 500), "title is missing or odd"),
        (404, "", "status 404"),
    ],
    ids=["error", "other", "none", "dtd", "html", "large", "title", "404"],
)
def test_answers_that_are_refused(copy: Path, status: int, body: str, message: str) -> None:
    before = files(copy)
    result = add(ID, "--no-input", transport=Answers((status, body)))
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
    assert files(copy) == before


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_arxiv_leaves_the_template(copy: Path, status: int) -> None:
    transport = Answers((status, ""))
    result = add(ID, "--no-input", transport=transport)
    assert result.exit_code == 0, result.output
    assert len(transport.requests) == 3
    assert (
        f"arXiv is busy (status {status}, 3 tries); this is the offline template" in result.output
    )
    assert "TODO" in (copy / "catalog/methods/arxiv_2611_98765.yaml").read_text()
    assert errors(copy) == []


def test_the_second_try_counts(copy: Path) -> None:
    transport = Answers((429, ""), (200, ATOM))
    assert add(ID, "--no-input", transport=transport).exit_code == 0
    assert len(transport.requests) == 2
    assert (copy / "catalog/methods/pebble_r1.yaml").is_file()


def test_no_network_leaves_the_template(copy: Path) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route")

    result = add(ID, "--no-input", transport=httpx.MockTransport(fail))
    assert result.exit_code == 0
    assert "cannot be reached (ConnectError)" in result.output


def test_offline_asks_nobody(copy: Path) -> None:
    transport = Answers((200, ATOM))
    for each in (ID, "2611.98764"):
        result = add(each, "--offline", "--no-input", transport=transport)
        assert (result.exit_code, "similar" in result.output) == (0, False)
    assert transport.requests == []
    assert errors(copy) == []


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["2503.21776"], "catalog/methods/video_r1.yaml"),
        (["https://arxiv.org/pdf/2503.21776v1", "--id", "other"], "catalog/methods/video_r1.yaml"),
        ([ID, "--id", "video_r1"], "'video_r1' means catalog/methods/video_r1.yaml already"),
        ([ID, "--id", "t_grpo"], "'t_grpo' means catalog/methods/video_r1.yaml already"),
        ([ID, "--id", "../x"], "'../x' is no id"),
        ([ID, "--kind", "dataset", "--scaffold"], "not a dataset's"),
        ([ID, "--kind", "survey", "--pillar", "rl"], "a survey has no pillars"),
        ([ID, "--baseline", "dpo"], "Add --scaffold"),
        ([], "name one paper"),
        (["--from", "none.bib"], "none.bib"),
    ],
)
def test_what_is_refused(copy: Path, args: list[str], message: str) -> None:
    before = files(copy)
    transport = Answers((200, ATOM))
    result = add(*args, "--no-input", transport=transport)
    assert result.exit_code == 2, result.output
    assert message in result.output
    assert files(copy) == before
    if "2503.21776" in str(args):
        assert transport.requests == []


def test_titles_the_catalogue_has(copy: Path) -> None:
    known = load(copy).methods["video_r1"].paper
    assert known is not None
    start, end = ATOM.index("<title>Pebble"), ATOM.index("</title>\n    <summary")
    same = f"{ATOM[:start]}<title>{known.title.upper()}{ATOM[end:]}"
    result = add(ID, "--no-input", transport=Answers((200, same)))
    assert (result.exit_code, "video_r1.yaml. Edit that file." in result.output) == (2, True)
    close = same.replace("2611.98765v3", "2611.98764v1").replace("VIDEO-R1:", "Other:")
    result = add("2611.98764", "--no-input", transport=Answers((200, close)))
    assert result.exit_code == 0, result.output
    assert f'similar   catalog/methods/video_r1.yaml  "{known.title}" (0.' in result.output


def test_a_name_that_is_an_alias_elsewhere(copy: Path) -> None:
    atom = ATOM.replace("Pebble-R1:", "T-GRPO:")
    assert add(ID, "--no-input", "--id", "pebble", transport=Answers((200, atom))).exit_code == 0
    assert load(copy).methods["pebble"].name.startswith("T-GRPO: Counting")
    assert errors(copy) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Video-R1", "video_r1"),
        ("3D-R1", "method_3d_r1"),
        ("Élan", "elan"),
        ("河", "method"),
        ("One Two Three Four Five Six", "one_two_three_four_five"),
    ],
)
def test_proposed_ids(name: str, expected: str) -> None:
    assert entry.id_of(name, "method") == expected


def test_from_bibtex(copy: Path) -> None:
    (copy / "paper.bib").write_text(BIB, encoding="utf-8")
    result = add("--from", "paper.bib", "--kind", "dataset", "--no-input")
    assert result.exit_code == 0, result.output
    paper = load(copy).datasets["gravelnet"].paper
    assert paper is not None
    assert paper.title == "GravelNet: Sorting GRAVEL by Sound"
    assert paper.authors[1] == "Ada River"
    assert paper.authors[0].endswith("Stein")
    assert (paper.year, paper.doi) == (2026, "10.1234/abc.5")
    assert paper.link == "https://doi.org/10.1234/abc.5"
    assert errors(copy) == []


def test_bibtex_of_an_arxiv_paper(tmp_path: Path) -> None:
    path = tmp_path / "a.bib"
    path.write_text(
        f"@misc{{a, title={{A B}}, year={{2027}},\n eprint={{{ID}}}, archivePrefix={{arXiv}}}}"
    )
    paper = bib.read(path).paper
    assert (paper.arxiv_id, paper.year, paper.title) == (ID, 2026, "A B")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "0 entries"),
        (BIB + BIB, "2 entries"),
        ("\n" * 90_000, "0 entries"),  # in no time
        ("@misc{a, year = 2020}", "title is missing"),
        ("@misc{a, title = {never closed", "nothing"),
        (" " * (bib.LARGEST + 1), "larger than"),
    ],
)
def test_bibtex_that_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.bib"
    path.write_text(text)
    if message == "nothing":
        assert bib.read(path).paper.title == "never closed"
        return
    with pytest.raises(CatalogError, match=message):
        bib.read(path)


def test_files_are_written_all_or_none(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("mine")
    new = tmp_path / "folder" / "new"
    with pytest.raises(CatalogError, match="Nothing was written"):
        entry.write({new: "x", there: "y"})
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    assert there.read_text() == "mine"


@pytest.fixture
def skeleton(copy: Path) -> Path:
    (copy / "tests/reproductions/methods").mkdir(parents=True)
    return copy


@pytest.mark.parametrize("baseline", ["grpo", "dpo", "sft", "decode"])
def test_a_skeleton_passes_the_contracts(skeleton: Path, baseline: str) -> None:
    args = [ID, "--id", "pebble", "--scaffold", "--baseline", baseline, "--no-input"]
    result = add(*args)
    assert result.exit_code == 0, result.output
    assert errors(skeleton) == []
    made = load(skeleton).methods["pebble"]
    assert (made.baseline, made.status, len(made.differs_in)) == (baseline, "listed", 1)
    folder = skeleton / "reproductions/methods/pebble"
    assert "TODO" not in "".join(path.read_text() for path in folder.iterdir())
    test = skeleton / "tests/reproductions/methods/test_pebble.py"
    config = ["--no-cache", "--config", str(ROOT / "pyproject.toml")]
    for command in (
        ["pytest", "-q", "-p", "no:cacheprovider", str(test)],
        ["ruff", "check", *config, str(folder), str(test)],
        ["ruff", "format", "--check", *config, str(folder), str(test)],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command],
            capture_output=True,
            text=True,
            cwd=skeleton,
            env={**os.environ, "PYTHONPATH": str(skeleton)},
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_skeleton_by_pillar(skeleton: Path) -> None:
    assert add(ID, "--id", "p", "--scaffold", "--pillar", "tts", "--no-input").exit_code == 0
    assert load(skeleton).methods["p"].baseline == "decode"


def test_a_skeleton_never_overwrites(skeleton: Path) -> None:
    test = skeleton / "tests/reproductions/methods/test_pebble.py"
    test.write_text("mine")
    before = files(skeleton)
    result = add(ID, "--id", "pebble", "--scaffold", "--no-input")
    assert result.exit_code == 2
    assert "test_pebble.py: File exists" in result.output
    assert files(skeleton) == before
    assert test.read_text() == "mine"


def test_help_needs_no_httpx() -> None:
    probe = (
        "import sys; from click.testing import CliRunner; from vidpost.cli.main import main; "
        "r = CliRunner().invoke(main, ['add', '--help']); assert r.exit_code == 0; "
        "assert 'vidpost add 2503.21776\\n' in r.output, r.output; "
        "assert 'httpx' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", probe], check=True)
