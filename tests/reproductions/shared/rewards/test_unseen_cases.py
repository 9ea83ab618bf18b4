from __future__ import annotations

from pathlib import Path

import pytest

from reproductions.shared.rewards.verify import rows, verify

FILES = sorted((Path(__file__).parents[3] / "data" / "unseen").glob("*.jsonl"))
NEEDS = {
    "pixel-reasoner": "math_verify",
    "seed-bench-r1": "math_verify",
    "spacer": "nltk",
    "time-r1": "nltk",
}
"""Files whose published scores rest on another library."""


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_our_functions_agree_where_they_once_differed(path: Path) -> None:
    if path.stem in NEEDS:
        pytest.importorskip(NEEDS[path.stem])
    assert not [r for r in verify(path) if r.agreed < r.cases]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_row_says_where_it_comes_from(path: Path) -> None:
    for row in rows(path):
        assert {"repo", "commit", "source_file"} <= set(row)
        assert "measured by running the official function" in row["note"]
