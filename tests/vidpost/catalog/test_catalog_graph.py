from __future__ import annotations

from pathlib import Path

import pytest
from broken_fixtures import BASE, unpack

from vidpost.catalog import graph, lint
from vidpost.catalog.loader import Catalog, find_root, load
from vidpost.catalog.models import BenchmarkEntry, MethodEntry, ResultCard

ROOT = find_root(Path(__file__))


@pytest.fixture(scope="module")
def real() -> Catalog:
    return load(ROOT)


def test_backlinks(real: Catalog) -> None:
    links = graph.backlinks(real)
    assert "video_r1" in links["grpo"]["baseline_of"]
    assert "video_r1" in links["vsi_bench"]["evaluates"]
    assert "video_r1" in links["vsi_bench"]["reported_by"]
    assert "video_r1" in links["video_r1_260k"]["trains"]
    assert links["video_r1"]["released"] == ["video_r1_260k", "video_r1_cot_165k"]
    assert "video_r1" not in links.get("video_r1", {}).get("claimed_by", [])


def test_a_word_counts_the_entries_below_it(real: Catalog) -> None:
    used = graph.entries_by_word(real)
    assert ("method", "video_r1") in used["rl_policy_t_grpo"]
    assert ("method", "video_r1") in used["rl_policy"]
    assert ("method", "video_r1") in used["rl"]
    assert set(used["rl_policy"]) <= set(used["rl"])


def test_children_and_ancestors(real: Catalog) -> None:
    assert "rl_policy_t_grpo" in graph.children(real, "rl_policy")
    assert graph.ancestors(real, "rl_policy_t_grpo") == ["rl_policy", "rl"]
    assert {"sft", "rl", "tts", "bench"} <= set(graph.children(real, None))


def test_cycles() -> None:
    assert graph.cycles({"a": "b", "b": "c", "c": None}) == []
    assert graph.cycles({"b": "c", "c": "b", "a": "b"}) == [["b", "c"]]
    assert graph.cycles({"a": "a"}) == [["a"]]


def test_the_real_catalogue_has_no_errors(real: Catalog) -> None:
    assert [str(d) for d in lint.check(real).errors()] == []


@pytest.mark.parametrize("field", ["definition", "name"])
def test_every_word_is_explained(real: Catalog, field: str) -> None:
    for word in real.words.values():
        assert getattr(word, field)
        assert word.section or word.origin == "ours", word.id


def test_the_taxonomy_is_complete(real: Catalog) -> None:
    """Counts read off the survey: Fig. 3, Sec. 1, Table 3."""
    leaves = {w.id for w in real.words_of("leaf") if "Fig. 3" in (w.section or "")}
    sft, rl, tts, bench = (
        [each for each in leaves if each.startswith(f"{part}_")]
        for part in ("sft", "rl", "tts", "bench")
    )
    assert len(sft) == 7
    assert len(set(rl) - {"rl_policy_vsgrpo"}) == 6
    assert len(tts) == 7
    assert len(bench) == 4
    assert len(real.words_of("pillar")) == 3
    assert len(real.words_of("challenge")) == 4
    aspects = real.words_of("reward_aspect")
    assert sum(word.section == "Table 3" for word in aspects) == 9


def _card(low: float, high: float, **protocol: object) -> ResultCard:
    return ResultCard.model_construct(
        kind="reproduction",
        method="m",
        benchmark="bench_a",
        metric="accuracy",
        task="all",
        interval=(low, high),
        protocol=_Protocol(**{"frames": 8, "max_frames": None, "pixels": 200704, **protocol}),
    )


class _Protocol:
    subtitles = False

    def __init__(self, **fields: object) -> None:
        self.__dict__.update(fields)


@pytest.mark.parametrize(
    ("card", "agrees"),
    [
        (_card(0.45, 0.55), True),
        (_card(0.505, 0.55), True),  # within one point of the interval
        (_card(0.52, 0.55), False),
        (_card(0.45, 0.55, frames=16), False),
        (_card(0.45, 0.55, pixels=100352), False),
    ],
)
def test_reproduced_needs_the_number_and_the_protocol(
    tmp_path: Path, card: ResultCard, agrees: bool
) -> None:
    unpack(BASE, tmp_path)
    catalog = load(tmp_path, cache=False)
    reported = {
        "benchmark": "bench_a",
        "metric": "accuracy",
        "value": 50.0,
        "setting": {"frames": 8, "resolution": "256x28x28", "subtitles": False},
        "source": "Table 1",
    }
    method = MethodEntry.model_validate(
        {
            "id": "m",
            "name": "M",
            "added": "2026-01-01",
            "status": "listed",
            "taxonomy": [],
            "reported": [reported],
        }
    )
    catalog.results["m/a"] = card
    assert lint.reproduced(catalog, method) is agrees


def test_a_benchmark_is_never_reproduced(real: Catalog) -> None:
    entry = real.benchmarks["mmvu"].model_copy(update={"status": "reproduced"})
    assert isinstance(entry, BenchmarkEntry)
    missing = [text for rung, text in lint.requirements(real, "benchmark", entry) if text]
    assert "to be a method" in missing
