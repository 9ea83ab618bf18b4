from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from vidpost.catalog.loader import Catalog, find_root, load
from vidpost.catalog.models import (
    Code,
    MethodEntry,
    Paper,
    ReportedNumber,
    Setting,
    TaxonomyWord,
)
from vidpost.cli.main import main
from vidpost.cli.stats import cells, state, unverified

ROOT = find_root(Path(__file__))
CATALOG = load(ROOT)
DATA = state(CATALOG)


def method(name: str, **fields: object) -> MethodEntry:
    return MethodEntry.model_validate(
        {"id": name, "name": name, "added": datetime.date(2026, 1, 1), "status": "listed",
         "taxonomy": ("leaf",), **fields}
    )  # fmt: skip


def test_a_small_catalogue_worked_out_by_hand(tmp_path: Path) -> None:
    number = ReportedNumber(
        benchmark="b", metric="m", value=50.0, setting=Setting(frames=16), source="Table 1"
    )
    a = method(
        "a", paper=Paper(title="T", year=2025), reported=(number, number), status="described",
        code=Code(url="https://github.com/a/a", license="MIT"),
        unverified={"reported[1]": "why", "hardware": "why"}, added=datetime.date(2026, 2, 1),
    )  # fmt: skip
    b = method("b", code=Code(url="https://github.com/b/b", license="none found"))
    base = method("base", is_baseline=True)
    words = {
        name: TaxonomyWord(id=name, name=name, kind=kind, definition="d", parent=parent)  # type: ignore[arg-type]
        for name, kind, parent in (
            ("top", "pillar", None), ("leaf", "leaf", "top"), ("bare", "leaf", "top"),
            ("aspect", "reward_aspect", None), ("item", "protocol_item", None),
        )
    }  # fmt: skip
    data = state(Catalog(tmp_path, methods={"a": a, "b": b, "base": base}, words=words))
    assert data["entries"]["methods"] == {
        "total": 3, "listed": 2, "described": 1, "linked": 0, "runnable": 0, "reproduced": 0,
    }  # fmt: skip
    assert data["openness"]["methods"] == {
        "of": 2, "code": 2, "weights": 0, "data": 0, "licence": 1, "recipe": 0,
    }  # fmt: skip
    assert [(row["id"], row["depth"], row["entries"]) for row in data["leaves"]] == [
        ("top", 0, 3), ("leaf", 1, 3), ("bare", 1, 0),
    ]  # fmt: skip
    assert data["empty_words"] == ["bare", "aspect"]
    assert data["numbers"] == {
        "total": 2, "methods": 1, "methods_of": 3, "benchmarks": 1, "metrics": 1, "with_frames": 2,
    }  # fmt: skip
    # name, taxonomy, title, year, url and licence of the code, and four values for each number;
    # one more for the hardware that is not known. Open: the second number's four, the hardware.
    assert len(list(cells(a.model_dump(exclude_defaults=True)))) == 14
    assert unverified(a) == (15, 5)
    assert data["newest"][0]["id"] == "a"


def test_the_parts_add_up() -> None:
    entries = DATA["entries"]
    assert sum(row["total"] for row in entries.values()) == sum(1 for _ in CATALOG.entries())
    for kind, row in entries.items():
        if kind != "metrics":
            assert sum(row.values()) == 2 * row["total"]
    assert sum(DATA["years"].values()) == sum(
        row["total"] for kind, row in entries.items() if kind != "metrics"
    )
    seen = DATA["unverified"]
    assert seen["all"]["unverified"] == sum(
        row["unverified"] for kind, row in seen.items() if kind != "all"
    )
    for kind, row in seen.items():
        assert row["share"] == pytest.approx(row["unverified"] / row["cells"], abs=1e-4), kind
        assert row["entries"] <= row["unverified"] <= row["cells"]
    leaves = {row["id"]: row["entries"] for row in DATA["leaves"]}
    assert leaves.keys() == {w.id for w in CATALOG.words.values() if w.kind in ("pillar", "leaf")}
    assert {name for name, n in leaves.items() if not n} <= set(DATA["empty_words"])
    assert DATA["numbers"]["total"] == sum(len(m.reported) for m in CATALOG.methods.values())


def test_it_fits_100_columns_and_says_what_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "100")
    data = state(load(ROOT))
    result = CliRunner().invoke(main, ["stats", "--newest", "3"])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert max(map(len, lines)) <= 100
    assert "…" not in result.output  # nothing is cut off
    for row in data["leaves"]:
        if not row["entries"]:
            assert any(row["name"] in line and "empty" in line for line in lines)
    assert f"{data['numbers']['total']:,} reported numbers" in result.output
    parsed = json.loads(CliRunner().invoke(main, ["stats", "--json"]).stdout)
    assert parsed == json.loads(json.dumps(data, default=str))


def test_it_is_quick() -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "vidpost.cli.main", "stats"]
    best = 9.9
    for _ in range(3):  # the best of three: the machine has other work, too
        before = os.times()
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=environment)
        after = os.times()
        user = after.children_user - before.children_user
        best = min(best, user + after.children_system - before.children_system)
    assert best < 0.6, f"{best:.2f} s of processor time"
