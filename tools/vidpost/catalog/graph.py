"""References between entries: what points where, and the back-links computed from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pydantic import BaseModel

from vidpost.catalog.loader import Catalog
from vidpost.catalog.models import (
    BenchmarkEntry,
    DatasetEntry,
    Entry,
    MethodEntry,
    WordKind,
    Work,
)

WORKS = frozenset({"method", "benchmark", "dataset", "survey"})


class Reference(NamedTuple):
    """A field of an entry that names another entry or a word.

    Attributes:
        field: Dotted path of the field.
        target: The id it names.
        kinds: Kinds of entry it may name; for words, the kind of word.
        relation: Name of the back-link, read from the target ("extended_by", ...).
    """

    field: str
    target: str
    kinds: frozenset[str]
    relation: str


_METHOD = frozenset({"method"})
_BENCHMARK = frozenset({"benchmark"})
_METRIC = frozenset({"metric"})


def references(entry: Entry) -> Iterator[Reference]:
    """References of an entry to other entries (not to words)."""
    if not isinstance(entry, Work):
        return
    for i, target in enumerate(entry.related.extends):
        yield Reference(f"related.extends[{i}]", target, WORKS, "extended_by")
    for i, target in enumerate(entry.related.compares_with):
        yield Reference(f"related.compares_with[{i}]", target, WORKS, "compared_with_by")
    if entry.related.superseded_by:
        yield Reference("related.superseded_by", entry.related.superseded_by, WORKS, "supersedes")
    if entry.released_with:
        yield Reference("released_with", entry.released_with, WORKS, "released")
    if isinstance(entry, BenchmarkEntry):
        for i, target in enumerate(entry.metrics):
            yield Reference(f"metrics[{i}]", target, _METRIC, "used_by_benchmarks")
    if isinstance(entry, MethodEntry):
        if entry.baseline:
            yield Reference("baseline", entry.baseline, _METHOD, "baseline_of")
        for i, target in enumerate(entry.trained_on):
            yield Reference(f"trained_on[{i}]", target, frozenset({"dataset"}), "trains")
        for i, target in enumerate(entry.evaluated_on):
            yield Reference(f"evaluated_on[{i}]", target, _BENCHMARK, "evaluates")
        for i, number in enumerate(entry.reported):
            yield Reference(f"reported[{i}].benchmark", number.benchmark, _BENCHMARK, "reported_by")
            yield Reference(f"reported[{i}].metric", number.metric, _METRIC, "reported_by")
        for i, claim in enumerate(entry.claims):
            yield Reference(f"claims[{i}].metric", claim.metric, _METRIC, "claimed_by")
            for j, target in enumerate(claim.compare):
                if target != entry.id:
                    yield Reference(f"claims[{i}].compare[{j}]", target, _METHOD, "claimed_by")


def words(entry: Entry) -> Iterator[tuple[str, str, WordKind]]:
    """(dotted path, word id, kind of word) of every taxonomy word an entry uses."""
    if not isinstance(entry, Work):
        return
    for i, word in enumerate(entry.taxonomy):
        yield f"taxonomy[{i}]", word, "leaf"
    if isinstance(entry, MethodEntry | BenchmarkEntry | DatasetEntry):
        for i, word in enumerate(entry.pillars):
            yield f"pillars[{i}]", word, "pillar"
    if isinstance(entry, BenchmarkEntry):
        for i, word in enumerate(entry.tasks):
            yield f"tasks[{i}]", word, "task"
    if isinstance(entry, MethodEntry):
        for i, word in enumerate(entry.challenges):
            yield f"challenges[{i}]", word, "challenge"
        for i, word in enumerate(entry.reward_aspects):
            yield f"reward_aspects[{i}]", word, "reward_aspect"
        for i, reward in enumerate(entry.rewards):
            yield f"rewards[{i}].aspect", reward.aspect, "reward_aspect"
        for i, claim in enumerate(entry.claims):
            for j, word in enumerate(claim.tasks):
                yield f"claims[{i}].tasks[{j}]", word, "task"


def texts(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """(dotted path, text) of every text in an entry or a part of one."""
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from texts(getattr(value, name), f"{path}.{name}".lstrip("."))
    elif isinstance(value, tuple):
        for i, each in enumerate(value):
            yield from texts(each, f"{path}[{i}]")
    elif isinstance(value, str):
        yield path, value


def backlinks(catalog: Catalog) -> dict[str, dict[str, list[str]]]:
    """For every entry id: relation -> ids of the entries that point at it, sorted."""
    found: dict[str, dict[str, set[str]]] = {}
    for _, entry in catalog.entries():
        for ref in references(entry):
            found.setdefault(ref.target, {}).setdefault(ref.relation, set()).add(entry.id)
    return {
        target: {relation: sorted(ids) for relation, ids in sorted(relations.items())}
        for target, relations in found.items()
    }


def entries_by_word(catalog: Catalog) -> dict[str, list[tuple[str, str]]]:
    """For every word id: (kind, entry id) of the entries that use it or a word below it."""
    found: dict[str, set[tuple[str, str]]] = {word: set() for word in catalog.words}
    for kind, entry in catalog.entries():
        for _, word, _ in words(entry):
            for each in [word, *ancestors(catalog, word)]:
                if each in found:
                    found[each].add((kind, entry.id))
    return {word: sorted(ids) for word, ids in found.items()}


def children(catalog: Catalog, word: str | None) -> list[str]:
    """Ids of the words right below `word` (None: the tops of the trees), in file order."""
    return [each.id for each in catalog.words.values() if each.parent == word]


def ancestors(catalog: Catalog, word: str) -> list[str]:
    """Ids of the words above `word`, nearest first; stops at an unknown id or a cycle."""
    above: list[str] = []
    while word in catalog.words and (parent := catalog.words[word].parent):
        if parent in above or parent == word:
            break
        above.append(parent)
        word = parent
    return above


def cycles(edges: Mapping[str, str | None]) -> list[list[str]]:
    """Cycles in a graph with at most one edge a node, each once, starting at its least id."""
    seen: set[str] = set()
    found = []
    for start in sorted(edges):
        path: list[str] = []
        node: str | None = start
        while node is not None and node not in seen:
            seen.add(node)
            path.append(node)
            node = edges.get(node)
        if node in path:
            cycle = path[path.index(node) :]
            least = cycle.index(min(cycle))
            found.append(cycle[least:] + cycle[:least])
    return found
