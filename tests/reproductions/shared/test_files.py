"""Files that appear whole or not at all."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from reproductions.shared.files import published, write_json, write_text


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "a.json"
    write_text(path, "old")
    write_json(path, {"ä": [1]})
    assert json.loads(path.read_text(encoding="utf-8")) == {"ä": [1]} and "ä" in path.read_text()
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_no_traces(tmp_path):
    path = tmp_path / "a"
    write_text(path, "old")
    with pytest.raises(RuntimeError), published(path) as part:
        part.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_many_writers_leave_one_whole_file(tmp_path):
    path = tmp_path / "a"
    texts = [str(i) * 5000 for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda t: write_text(path, t), texts * 5))
    assert path.read_text() in texts and list(tmp_path.iterdir()) == [path]
