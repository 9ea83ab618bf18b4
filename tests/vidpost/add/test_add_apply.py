"""`/add apply`: payloads in the code host's form, and each way in which one may be forged."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from add_fixtures import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from vidpost.add.apply import PATH, decide, main
from vidpost.add.issue_form import REPLY

EVENTS = ROOT / "tests/data/events"
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/add-apply.yml").read_text(encoding="utf-8"))


def read(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))


EVENT, PULLS, PERMISSION = read("issue_comment"), read("pulls"), read("permission")


def changed(data: Any, *path: Any, to: Any) -> Any:
    """A copy with one value replaced."""
    data = copy.deepcopy(data)
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return data


def test_a_maintainers_comment_merges_the_entry() -> None:
    found = decide(EVENT, PULLS, PERMISSION)
    assert (found.outcome, found.pull) == ("merge", 13)
    assert found.head == "0123456789abcdef0123456789abcdef01234567"
    assert found.comment == f"{REPLY}\nMerged as #13.\n"


@pytest.mark.parametrize(
    "body",
    ["", "/add", "/add apply now", "please /add apply", "> /add apply", "/ADD APPLY",
     "`/add apply`", "/add apply\n/add apply", "/add  apply", "/add\u00a0apply", "\ufeff/add apply",
     "/add apply; rm -rf ~", "$(/add apply)", "<!-- -->/add apply"],
)  # fmt: skip
def test_nothing_but_the_two_words_is_the_command(body: str) -> None:
    assert (
        decide(changed(EVENT, "comment", "body", to=body), PULLS, PERMISSION).outcome == "ignored"
    )


@pytest.mark.parametrize(
    "who", ["NONE", "CONTRIBUTOR", "FIRST_TIMER", "MANNEQUIN", "owner", "", "*"]
)
def test_only_associates_are_heard(who: str) -> None:
    event = changed(EVENT, "comment", "author_association", to=who)
    assert decide(event, PULLS, PERMISSION).outcome == "ignored"


@pytest.mark.parametrize("right", ["read", "none", "triage", "Admin", ""])
def test_an_associate_without_the_right_to_write_is_not(right: str) -> None:
    event = changed(EVENT, "comment", "author_association", to="COLLABORATOR")
    rights = changed(PERMISSION, "permission", to=right)
    assert decide(event, PULLS, rights).outcome == "ignored"
    assert decide(event, PULLS, changed(PERMISSION, "permission", to="write")).outcome == "merge"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("action",), "edited"),
        (("action",), "deleted"),
        (("comment", "user", "type"), "Bot"),
        (("comment", "user", "login"), "somebody-else"),
        (("comment", "user", "login"), "a/../b?x=$(id)"),
        (("comment", "body"), None),
        (("comment", "body"), ["/add apply"]),
        (("comment", "created_at"), "tomorrow"),
        (("comment",), None),
        (("issue", "number"), "12; echo"),
        (("issue", "number"), -12),
        (("issue", "pull_request"), {"url": "https://api.github.com/repos/s/v/pulls/12"}),
    ],
)
def test_other_events_are_ignored(path: tuple[str, ...], value: Any) -> None:
    assert decide(changed(EVENT, *path, to=value), PULLS, PERMISSION).outcome == "ignored"


@pytest.mark.parametrize("event", [None, [], "x", 1, {}, {"comment": {"body": "/add apply"}}])
def test_what_is_no_event_is_ignored(event: Any) -> None:
    assert decide(event, PULLS, PERMISSION).outcome == "ignored"
    assert decide(EVENT, PULLS, event).outcome == "ignored"


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        (("issue", "state"), "closed", "an open issue"),
        (("issue", "body"), "a bug", "written with a form"),
        (("issue", "body"), None, "written with a form"),
        (("issue", "number"), 7, "0 open pull requests"),
        (("comment", "created_at"), "2026-11-22T08:59:59Z", "changed after your comment"),
    ],
)
def test_a_maintainer_is_told_why_not(path: tuple[str, ...], value: Any, why: str) -> None:
    found = decide(changed(EVENT, *path, to=value), PULLS, PERMISSION)
    assert (found.outcome, found.pull, found.head) == ("refused", 0, "")
    assert found.comment.startswith(REPLY) and why in found.comment


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("headRefName", "issue/12-pebbles/../../main", "0 open pull requests"),
        ("headRefName", "issue/12-x$(id)", "0 open pull requests"),
        ("isCrossRepository", True, "0 open pull requests"),
        ("baseRefName", "release", "does not go to main"),
        ("isDraft", True, "is a draft"),
        ("headRefOid", "main", "could not be read"),
        ("files", [], "more than entries"),
        ("files", [{"path": "catalog/methods/pebbles.yaml"}, {"path": "Makefile"}], "more than"),
        ("files", [{"path": "catalog/methods/../../.github/workflows/ci.yaml"}], "more than"),
        ("files", [{"path": "catalog/taxonomy/rl.yaml"}], "more than entries"),
        ("statusCheckRollup", [{"conclusion": "FAILURE"}], "not green"),
        ("statusCheckRollup", [{"conclusion": "", "status": "IN_PROGRESS"}], "not done"),
        ("statusCheckRollup", [{"state": "PENDING"}], "not done"),
    ],
)
def test_a_pull_request_that_is_not_ready_is_refused(key: str, value: Any, why: str) -> None:
    found = decide(EVENT, changed(PULLS, 0, key, to=value), PERMISSION)
    assert found.outcome == "refused" and why in found.comment


def test_two_pull_requests_of_an_issue_are_not_chosen_between() -> None:
    twice = [*PULLS, changed(PULLS[0], "headRefName", to="issue/12-pebbles_2")]
    assert "2 open pull requests" in decide(EVENT, twice, PERMISSION).comment


def test_result_cards_may_come_in_and_paths_are_whole() -> None:
    assert PATH.fullmatch("catalog/results/video_r1/mini_seed_0.yaml")
    for path in ("catalog/results/x.yaml", "catalog/methods/x.yml", "catalog/methods/x.yaml\n",
                 "catalog/methods/é.yaml", "a/catalog/methods/x.yaml"):  # fmt: skip
        assert not PATH.fullmatch(path), path


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@settings(max_examples=80, deadline=None)
@given(JSON, JSON, JSON)
def test_any_data_is_answered_and_none_merges(event: Any, pulls: Any, permission: Any) -> None:
    assert decide(event, pulls, permission).outcome == "ignored"
    assert decide(EVENT, pulls, PERMISSION).outcome == "refused"


def test_the_workflows_call(tmp_path: Path) -> None:
    args = ["--pulls", str(EVENTS / "pulls.json"), "--permission", str(EVENTS / "permission.json"),
            "--comment", str(tmp_path / "reply.md"), "--output", str(tmp_path / "out")]  # fmt: skip
    main([str(EVENTS / "issue_comment.json"), *args])
    assert (tmp_path / "out").read_text() == (
        "outcome=merge\npull=13\nhead=0123456789abcdef0123456789abcdef01234567\n"
    )
    deep = tmp_path / "deep.json"
    for text in ("[" * 200_000, "{", '"\udcff"'.encode("utf-8", "surrogateescape")):
        (tmp_path / "out").unlink()
        deep.write_bytes(text if isinstance(text, bytes) else text.encode())
        main([str(deep), *args])
        assert (tmp_path / "out").read_text() == "outcome=ignored\npull=0\nhead=\n"
        assert (tmp_path / "reply.md").read_text() == ""


def test_only_a_new_comment_starts_the_workflow_and_only_its_decision_merges() -> None:
    assert WORKFLOW[True] == {"issue_comment": {"types": ["created"]}}  # YAML reads `on` as True
    (job,) = WORKFLOW["jobs"].values()
    assert "!github.event.issue.pull_request" in job["if"]
    merging = [step for step in job["steps"] if "gh pr merge" in step.get("run", "")]
    assert [step["if"] for step in merging] == ["steps.decision.outputs.outcome == 'merge'"]
    assert merging[0]["run"].index("vidpost check") < merging[0]["run"].index("gh pr merge")
    others = [p for p in (ROOT / ".github/workflows").glob("*.yml") if p.name != "add-apply.yml"]
    assert not [p.name for p in others if "pr merge" in p.read_text(encoding="utf-8")]
