from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest
from broken_fixtures import BASE, unpack

from vidpost.catalog import lint, loader
from vidpost.catalog.diagnostics import CatalogError
from vidpost.catalog.loader import find_root, load, load_mapping, load_model
from vidpost.catalog.models import MethodEntry

ROOT = find_root(Path(__file__))


@pytest.fixture
def base(tmp_path: Path) -> Path:
    unpack(BASE, tmp_path)
    return tmp_path


def test_entries_by_kind_and_id(base: Path) -> None:
    catalog = load(base)
    assert list(catalog.methods) == ["grpo"]
    assert catalog.files["method", "grpo"] == "catalog/methods/grpo.yaml"
    assert [kind for kind, _ in catalog.entries()] == ["method", "benchmark", "dataset", "metric"]
    assert [word.id for word in catalog.words_of("leaf")] == ["leaf_a"]


@pytest.mark.parametrize("name", ["video_r1", "video-r1", "Video-R1", "T-GRPO", "2503.21776"])
def test_find_takes_every_spelling(name: str) -> None:
    kind, entry = load(ROOT).find(name)
    assert (kind, entry.id) == ("method", "video_r1")


def test_find_suggests(base: Path) -> None:
    with pytest.raises(CatalogError, match=r"no entry is called 'grop'. Did you mean 'grpo'\?"):
        load(base).find("grop")
    with pytest.raises(CatalogError, match="no benchmark is called 'grpo'"):
        load(base).find("grpo", "benchmark")


def test_root_is_found_from_below(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = base / "catalog" / "methods"
    assert find_root(below) == base.resolve()
    monkeypatch.chdir(below)
    assert find_root() == base.resolve()


def test_without_a_catalogue_nearby_the_package_finds_its_own(tmp_path: Path) -> None:
    assert find_root(tmp_path) == ROOT


def test_cache_rereads_only_what_changed(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    real = loader._parse

    def spy(text: str, shown: str) -> object:
        read.append(shown)
        return real(text, shown)

    monkeypatch.setattr(loader, "_parse", spy)
    first = load(base)
    assert len(read) == 5
    read.clear()
    assert load(base) == first
    assert read == []
    file = base / "catalog/methods/grpo.yaml"
    file.write_text(file.read_text() + "aliases: [G]\n")
    assert load(base).methods["grpo"].aliases == ("G",)
    assert read == ["catalog/methods/grpo.yaml"]
    stored = json.loads((base / ".cache/catalog.json").read_text())
    assert len(stored["files"]) == 5  # the old version of grpo.yaml is gone


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}', "[" * 100_000, '{"files": 3}'])
def test_a_damaged_cache_is_as_good_as_none(base: Path, text: str) -> None:
    first = load(base, cache=False)
    (base / ".cache").mkdir()
    (base / ".cache/catalog.json").write_text(text)
    assert load(base) == first


def test_a_cache_cannot_smuggle_in_an_entry(base: Path) -> None:
    load(base)
    file = base / ".cache/catalog.json"
    stored = json.loads(file.read_text())
    for key in stored["files"]:
        stored["files"][key] = {"id": "evil"}
    file.write_text(json.dumps(stored))
    assert load(base).methods == {}  # validated like YAML


def test_load_mapping_and_load_model(base: Path) -> None:
    file = base / "catalog/methods/grpo.yaml"
    assert load_mapping(file)["id"] == "grpo"
    assert load_model(file, MethodEntry).id == "grpo"
    file.write_text(file.read_text() + "yaer: 1\n")
    with pytest.raises(CatalogError, match=r"grpo.yaml:10:1: error\[unknown-field\] yaer"):
        load_model(file, MethodEntry)
    with pytest.raises(CatalogError, match="unreadable"):
        load_mapping(base / "nothing.yaml")


def test_a_broken_entry_does_not_make_its_references_wrong(base: Path) -> None:
    file = base / "catalog/benchmarks/bench_a.yaml"
    file.write_text(file.read_text() + "yaer: 1\n")
    report = lint.check(load(base))
    assert [d.code for d in report.diagnostics] == ["unknown-field"]


def test_places_of_dotted_paths(base: Path) -> None:
    catalog = load(base)
    file = catalog.files["method", "grpo"]
    assert catalog.place(file, "paper.title") == (8, 10)
    assert catalog.place(file, "taxonomy[0]") == (4, 12)


def test_a_thousand_entries_are_read_in_time(tmp_path: Path) -> None:
    """1.5 s CPU cold and 0.3 s warm on the reference machine; twice that here, for slow ones."""
    unpack(BASE, tmp_path)
    text = (ROOT / "catalog/methods/video_r1.yaml").read_text(encoding="utf-8")
    text = text[:3800].rpartition("\n  - ")[0] + "\n"
    folder = tmp_path / "catalog/methods"
    for i in range(1000):
        body = text.replace("video_r1", f"video_{i}").replace("2503.21776", f"{1000 + i}.00001")
        (folder / f"video_{i}.yaml").write_text(body.replace("id: Video", f"id: Video{i}"))

    def timed() -> float:
        start = time.process_time()
        catalog = load(tmp_path)
        used = time.process_time() - start
        assert len(catalog.methods) == 1001, catalog.diagnostics[:3]
        return used

    cold, warm = timed(), timed()
    print(f"cold {cold:.2f} s, warm {warm:.2f} s")
    assert cold < 3.0
    assert warm < 0.6
    shutil.rmtree(folder)
