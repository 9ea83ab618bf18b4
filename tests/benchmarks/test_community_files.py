"""Workflows, forms, CONTRIBUTING and the walkthrough name only what exists."""

from __future__ import annotations

import ast
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from vidpost.cli.main import COMMANDS, main

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(p for p in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if p.stem != "config")
TEXTS = [
    ROOT / "CONTRIBUTING.md",
    ROOT / ".pre-commit-config.yaml",
    ROOT / ".ci/run",
    GITHUB / "PULL_REQUEST_TEMPLATE.md",
    *WORKFLOWS,
    *FORMS,
    ROOT / "docs/walkthrough.md",
]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def name(path: Path) -> str:
    return path.name


def load(path: Path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", TEXTS, ids=name)
def test_make_targets_exist(path):
    for line in re.findall(r"(?<![\w/])make ((?:[a-z]+ ?)+)", code(path)):
        for target in line.split():
            assert target in TARGETS, f"{path.name}: make {target}"


@pytest.mark.parametrize("path", TEXTS, ids=name)
def test_vidpost_subcommands_and_their_options_exist(path):
    for command, rest in re.findall(r"(?<!tests/)\bvidpost ([a-z]+)\b([^\n`|]*)", code(path)):
        assert command in COMMANDS, f"{path.name}: vidpost {command}"
        if find_spec(COMMANDS[command].module) is None:
            continue  # announced in the help, not written yet
        found = main.get_command(None, command)
        parts = [found, *getattr(found, "commands", {}).values()]
        options = {o for c in parts for p in c.params for o in (*p.opts, *p.secondary_opts)}
        for option in re.findall(r"(?<=\s)--[a-z-]+", rest.split("#")[0]):
            assert option in options, f"{path.name}: vidpost {command} {option}"


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_workflows_are_careful(path):
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", ""), "text from outside belongs in env"
            if "uses" in step:
                assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"])
    # A commit says nothing to a reader: its version stands beside it, one commit a version.
    text = path.read_text(encoding="utf-8")
    assert len(re.findall(r"uses: \S+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", text, re.M)) == len(
        re.findall(r"uses:", text)
    )


def test_every_workflow_pins_an_action_to_the_same_commit():
    text = "".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    pins = set(re.findall(r"uses: (\S+)@(\S+ # \S+)", text))
    assert len(pins) == len({action for action, _ in pins}) == 5


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_paths_in_workflows_exist(path):
    for word in re.findall(r"(?<![\w./])(?:tests/[\w/]+|\.ci/run|constraints\.txt)", code(path)):
        assert (ROOT / word).exists(), word


def test_ci_mirrors_the_local_script():
    """Each step of .ci/run has its counterpart in the workflow."""
    local = (ROOT / ".ci/run").read_text(encoding="utf-8")
    remote = (GITHUB / "workflows/ci.yml").read_text(encoding="utf-8")
    for target in re.findall(r"^make ([a-z]+)", local, re.MULTILINE):
        recipe = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
        tools = re.findall(r"\$\(BIN\)/([\w-]+ ?[a-z]*)", recipe.group(1)) if recipe else []
        for tool in tools:
            assert f".venv/bin/{tool.strip()}" in remote or target == "test", tool
    assert ".ci/run" in remote


@pytest.mark.parametrize("path", FORMS, ids=name)
def test_forms_are_valid_and_marked(path):
    form = load(path)
    assert {"name", "description", "body"} <= set(form)
    fields = [item for item in form["body"] if item["type"] != "markdown"]
    assert len({f["id"] for f in fields}) == len(fields)
    assert len({f["attributes"]["label"] for f in fields}) == len(fields)
    for field in fields:
        assert field["type"] in {"input", "textarea", "dropdown", "checkboxes"}
        if field["type"] == "dropdown":
            options = field["attributes"]["options"]
            assert all(isinstance(o, str) for o in options), "YAML reads a bare no as False"
    marker = f"<!-- vidpost:{path.stem}:v1 -->"
    assert sum(f["attributes"].get("value", "").startswith(marker) for f in fields) == 1


def test_forms_that_the_site_links_to_exist():
    used = set()
    for source in (ROOT / "tools/vidpost/site").rglob("*.py"):
        used |= set(re.findall(r"template=([\w-]+\.yml)", source.read_text(encoding="utf-8")))
    assert used <= {p.name for p in FORMS}
    entry = next(f for f in load(GITHUB / "ISSUE_TEMPLATE/correct-entry.yml")["body"])
    assert entry["id"] == "entry"  # the site fills it in by this id


def test_codeowners_name_existing_folders():
    for line in (GITHUB / "CODEOWNERS").read_text(encoding="utf-8").splitlines():
        if line.startswith("/"):
            assert (ROOT / line.split()[0].strip("/")).is_dir(), line


def test_citation_names_the_survey():
    citation = load(ROOT / "CITATION.cff")
    entry = load(ROOT / "catalog/surveys/video_lmm_post_training.yaml")
    (survey,) = citation["references"]
    assert survey["title"] == entry["paper"]["title"]
    assert survey["identifiers"][0]["value"] == f"arXiv:{entry['paper']['arxiv_id']}"
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{citation["version"]}"' in project


def test_pre_commit_runs_what_it_says():
    hooks = {
        h["id"] for repo in load(ROOT / ".pre-commit-config.yaml")["repos"] for h in repo["hooks"]
    }
    assert {"ruff-check", "ruff-format", "typos", "check-yaml", "vidpost-check"} <= hooks


def test_walkthrough_links_lead_to_what_they_name():
    repo = re.search(r"^repo_url: (\S+)", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.M)
    text = (ROOT / "docs/walkthrough.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 250
    links = re.findall(r"\[`(\w+)`\]\(([^)]+)\)", text)
    assert len(links) > 40
    for label, address in links:
        start = f"{repo.group(1)}/blob/main/"
        assert address.startswith(start), address
        path = ROOT / address.removeprefix(start)
        assert label in defined(path), f"{label} is not in {path}"


def defined(path: Path) -> set[str]:
    """Names that a module or its classes define."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {t.id for t in node.targets if isinstance(t, ast.Name)}
    return names


def code(path: Path) -> str:
    """What can be run: all of a script or workflow, in Markdown only what is set as code."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".md":
        return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return "\n".join(a or b for a, b in re.findall(r"^\$ (.*)$|`([^`\n]+)`", text, re.MULTILINE))
