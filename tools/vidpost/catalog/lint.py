"""Checks between entries: everything a single file cannot say about itself.

Each check is a generator of diagnostics over the whole catalogue. `check` runs them all, adds what
the loader found, drops what a line excuses with `# vidpost: ignore[code] reason`, and sorts.
"""

from __future__ import annotations

import datetime
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from vidpost.catalog import graph
from vidpost.catalog.diagnostics import Diagnostic, closest
from vidpost.catalog.loader import Catalog, normalise, split_path
from vidpost.catalog.models import (
    FOLDERS,
    RUNGS,
    BenchmarkEntry,
    DatasetEntry,
    Entry,
    MethodEntry,
    MetricEntry,
    ReportedNumber,
    ResultCard,
    Work,
)

NEAR_TITLE = 0.8
"""Two titles are near-duplicates if they share this share of their words (Jaccard index)."""

TOLERANCE = 0.01
"""A reproduction may miss the reported number by this much (1 point) beyond its interval."""

_IGNORE = re.compile(r"#\s*vidpost:\s*ignore\[([a-z-]+)\]\s+\S")

Found = Iterator[Diagnostic]


class Report(NamedTuple):
    """All diagnostics, sorted, and how many were excused by a comment on their line."""

    diagnostics: list[Diagnostic]
    ignored: int

    def errors(self) -> list[Diagnostic]:
        """Only the errors."""
        return [item for item in self.diagnostics if item.severity == "error"]


def check(catalog: Catalog, more: Iterable[Diagnostic] = ()) -> Report:
    """Runs every check over a catalogue.

    Args:
        catalog: The loaded catalogue.
        more: Diagnostics of other checkers (contracts), excused and sorted with the rest.
    """
    found = {*catalog.diagnostics, *more}
    for one in CHECKS:
        found.update(one(catalog))
    kept = [item for item in found if not _excused(catalog, item)]
    return Report(sorted(kept), len(found) - len(kept))


def _excused(catalog: Catalog, item: Diagnostic) -> bool:
    try:
        lines = (catalog.root / item.file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    match = _IGNORE.search(lines[item.line - 1]) if item.line <= len(lines) else None
    return match is not None and match[1] == item.code


def _works(catalog: Catalog) -> Iterator[tuple[str, str, Work]]:
    """(kind, file, entry) of every published work."""
    for kind, entry in catalog.entries():
        if isinstance(entry, Work):
            yield kind, catalog.files[kind, entry.id], entry


# --- identity -------------------------------------------------------------------------------


def unique_ids(catalog: Catalog) -> Found:
    """Ids are unique over all kinds, so that every command and link is unambiguous."""
    first: dict[str, str] = {}
    for kind, entry in catalog.entries():
        file = catalog.files[kind, entry.id]
        if entry.id in first:
            message = f"'{entry.id}' is {first[entry.id]} already. Choose another id."
            yield catalog.problem(file, "duplicate-id", "id", message)
        first.setdefault(entry.id, file)


def unique_names(catalog: Catalog) -> Found:
    """An alias belongs to one entry. Equal names are only warned about: the field has them."""
    owners: dict[str, tuple[str, str]] = {}
    for kind, entry in catalog.entries():
        for name in (entry.id, entry.name):
            owners.setdefault(normalise(name), (entry.id, catalog.files[kind, entry.id]))
    for kind, entry in catalog.entries():
        file = catalog.files[kind, entry.id]
        owner, where = owners[normalise(entry.name)]
        if owner != entry.id:
            message = f"'{entry.name}' is also the name of {where}. Make sure they are two works."
            yield catalog.problem(file, "duplicate-name", "name", message, warn=True)
        for i, alias in enumerate(entry.aliases):
            owner, where = owners.setdefault(normalise(alias), (entry.id, file))
            if owner != entry.id:
                message = f"'{alias}' belongs to {where} already. Remove it."
                yield catalog.problem(file, "duplicate-alias", f"aliases[{i}]", message)


def unique_papers(catalog: Catalog) -> Found:
    """One entry a paper: arXiv ids and titles are unique; near-duplicates of titles are shown."""
    arxiv: dict[str, str] = {}
    titles: list[tuple[frozenset[str], str, str]] = []
    for _, file, entry in _works(catalog):
        paper = entry.paper
        if paper is None:
            continue
        if paper.arxiv_id:
            if other := arxiv.get(paper.arxiv_id):
                message = (
                    f"'{paper.arxiv_id}' is the paper of {other} already. "
                    "Merge the two, or use released_with."
                )
                yield catalog.problem(file, "duplicate-arxiv", "paper.arxiv_id", message)
            arxiv.setdefault(paper.arxiv_id, file)
        titles.append((frozenset(normalise(paper.title).split("_")), file, paper.title))
    for (words, file, _), (other_words, other, other_title) in _near(titles):
        same = words == other_words
        what = "the same title as" if same else "nearly the title of"
        message = f"{what} {other} ('{other_title}'). Merge them if they are one paper."
        yield catalog.problem(file, "duplicate-title", "paper.title", message, warn=not same)


Title = tuple[frozenset[str], str, str]


def _near(titles: list[Title]) -> Iterator[tuple[Title, Title]]:
    """Pairs (later, earlier) of titles whose words have a Jaccard index of NEAR_TITLE or more."""
    # Prefix filtering: near titles share a word among the rarest few of each, so almost no pair
    # is compared.
    count = Counter(word for words, _, _ in titles for word in words)
    by_word: dict[str, list[Title]] = defaultdict(list)
    for title in titles:
        words = sorted(title[0], key=lambda word: (count[word], word))
        prefix = words[: len(words) - math.ceil(NEAR_TITLE * len(words)) + 1]
        earlier = {other[1]: other for word in prefix for other in by_word[word]}
        for other in earlier.values():
            if len(title[0] & other[0]) >= NEAR_TITLE * len(title[0] | other[0]):
                yield title, other
        for word in prefix:
            by_word[word].append(title)


def papers(catalog: Catalog) -> Found:
    """Every work has a paper with a link; its year fits the arXiv id; `added` is not ahead."""
    horizon = datetime.date.today() + datetime.timedelta(days=7)
    for _, file, entry in _works(catalog):
        paper = entry.paper
        baseline = isinstance(entry, MethodEntry) and entry.is_baseline
        if paper is None:
            if not entry.released_with and not baseline:
                message = "no paper. Add paper, or released_with: the entry whose paper it is."
                yield catalog.problem(file, "no-paper", "", message)
            continue
        if paper.link is None:
            message = "no link. Add arxiv_id, doi, openreview or url."
            yield catalog.problem(file, "no-link", "paper", message, warn=True)
        prefix = (paper.arxiv_id or "")[:2]
        if paper.year and prefix.isdigit() and paper.year != 2000 + int(prefix):
            message = (
                f"{paper.year}, but arXiv id {paper.arxiv_id} is of {2000 + int(prefix)}. "
                "Correct one of them, or excuse the line with a reason."
            )
            yield catalog.problem(file, "year-arxiv", "paper.year", message)
    for kind, any_entry in catalog.entries():
        if any_entry.added > horizon:
            file = catalog.files[kind, any_entry.id]
            message = f"{any_entry.added} lies ahead. Write the day you add the entry."
            yield catalog.problem(file, "future-date", "added", message)


def venues(catalog: Catalog) -> Found:
    """One spelling a venue: "NeurIPS 2025", not "NIPS 2025" or "NeurIPS2025"."""
    spelled: dict[str, Counter[str]] = defaultdict(Counter)
    places = []
    for _, file, entry in _works(catalog):
        if entry.paper and (venue := entry.paper.venue):
            # The order of the words does not make another venue: "CVPR Findings 2026".
            words = re.findall(r"[a-z]+|\d+", venue.lower().replace("nips", "neurips"))
            key = " ".join(sorted(words))
            spelled[key][venue] += 1
            places.append((key, venue, file))
    for key, venue, file in places:
        best = min(spelled[key], key=lambda v: ("NIPS" in v, -spelled[key][v], -len(v), v))
        best = re.sub(r"\bNIPS\b", "NeurIPS", best)
        best = re.sub(r"(?<=[A-Za-z])(?=(19|20)\d\d\b)", " ", best)
        if venue != best:
            message = f"'{venue}' is spelled '{best}' here. Use that."
            yield catalog.problem(file, "venue-spelling", "paper.venue", message)


OWN_WORDS = frozenset({"summary", "idea", "description", "definition", "text", "note", "statement",
                       "task_note", "metric_note", "edge_rules"})  # fmt: skip
"""Fields in our own words; titles, names and venues are spelled as their owners do."""

_AMERICAN = re.compile(
    r"\b(?:(?P<ize>(?:optim|local|general|summar|normal|organ|recogn|visual|token|synthes|maxim|"
    r"minim|penal|emphas|categor|util|initial|regular|standard|discret|quant)iz)\w*"
    r"|(?P<yze>analyz)\w*|(?P<our>(?:behavi|col|fav)or)\w*|(?P<ll>(?:model|label)(?=ed\b|ing\b))"
    r"\w*|(?P<er>center)(?:s|ed)?\b)",
    re.IGNORECASE,
)
_BRITISH = {"ize": ("iz", "is"), "yze": ("yz", "ys"), "our": ("or", "our"), "ll": ("l", "ll"),
            "er": ("er", "re")}  # fmt: skip


def spelling(catalog: Catalog) -> Found:
    """One spelling of our own words: British."""
    for kind, entry in catalog.entries():
        file = catalog.files[kind, entry.id]
        for path, text in graph.texts(entry):
            if path.rpartition(".")[2].partition("[")[0] not in OWN_WORDS:
                continue
            for match in _AMERICAN.finditer(text):
                group = match.lastgroup or ""
                stem, word = match[group], match[0]
                old, new = _BRITISH[group]
                rest = word[len(stem) :]
                ours = (
                    stem[: -len(old)] + new + (rest[1:] if group == "er" and rest == "ed" else rest)
                )
                message = f"'{word}' is spelled '{ours}' here. Use that."
                yield catalog.problem(file, "spelling", path, message, warn=True)


# --- references -----------------------------------------------------------------------------


def references(catalog: Catalog) -> Found:
    """References name existing entries of the right kind, and words of the right kind."""
    kinds: dict[str, str] = {}
    for kind, entry in catalog.entries():
        kinds.setdefault(entry.id, kind)
    for item in catalog.diagnostics:  # a file that failed still holds its id
        path = PurePosixPath(item.file)
        if (folder := path.parent.name) in FOLDERS:
            kinds.setdefault(path.stem, FOLDERS[folder])
    for kind, entry in catalog.entries():
        file = catalog.files[kind, entry.id]
        for ref in graph.references(entry):
            yield from _reference(catalog, kinds, file, ref.field, ref.target, ref.kinds)
        for field, word, word_kind in graph.words(entry):
            yield from _word(catalog, file, field, word, word_kind)
    for index, word_entry in enumerate(catalog.words.values()):
        parent = word_entry.parent
        if parent is not None and parent not in catalog.words:
            file = catalog.files["word", word_entry.id]
            position = [w for w in catalog.words if catalog.files["word", w] == file]
            index = position.index(word_entry.id)
            message = f"no word '{parent}'. {closest(parent, catalog.words)}".rstrip()
            yield catalog.problem(file, "unknown-word", f"words[{index}].parent", message)
    for key, card in catalog.results.items():
        file = catalog.files["result", key]
        yield from _reference(catalog, kinds, file, "method", card.method, {"method"})
        yield from _reference(catalog, kinds, file, "metric", card.metric, {"metric"})
        if card.benchmark != "synthetic" and card.benchmark not in kinds:
            hint = closest(card.benchmark, catalog.benchmarks)
            remedy = hint or "A card on your own records stays in the run's folder."
            message = f"no benchmark '{card.benchmark}'. {remedy}"
            yield catalog.problem(file, "unknown-id", "benchmark", message)
        elif card.benchmark != "synthetic":
            yield from _reference(catalog, kinds, file, "benchmark", card.benchmark, {"benchmark"})


def _reference(
    catalog: Catalog,
    known: dict[str, str],
    file: str,
    field: str,
    target: str,
    kinds: Iterable[str],
) -> Found:
    wanted = sorted(kinds)
    name = wanted[0] if len(wanted) == 1 else "work"
    if target not in known:
        hint = closest(target, (each for each, kind in known.items() if kind in wanted))
        remedy = hint or f"Add it first: vidpost add --kind {wanted[0]}."
        yield catalog.problem(file, "unknown-id", field, f"no {name} '{target}'. {remedy}")
    elif known[target] not in wanted:
        message = f"'{target}' is a {known[target]}, not a {name}. Name a {name}."
        yield catalog.problem(file, "wrong-kind", field, message)


def _word(catalog: Catalog, file: str, field: str, word: str, kind: str) -> Found:
    found = catalog.words.get(word)
    if found is None or found.kind != kind:
        what = f"'{word}' is not a {kind} in catalog/taxonomy"
        if found is not None:
            what = f"'{word}' is a {found.kind}, not a {kind}"
        hint = closest(word, (each.id for each in catalog.words.values() if each.kind == kind))
        remedy = hint or "`vidpost list words` shows all."
        yield catalog.problem(file, "unknown-word", field, f"{what}. {remedy}")


def no_cycles(catalog: Catalog) -> Found:
    """`superseded_by` and the taxonomy's `parent` never lead back."""
    edges: dict[str, str | None] = {}
    file_of = {}
    for _, file, entry in _works(catalog):
        edges[entry.id] = entry.related.superseded_by
        file_of[entry.id] = file
    for cycle in graph.cycles(edges):
        path = " -> ".join([*cycle, cycle[0]])
        message = f"{path} is a circle. Remove one link."
        yield catalog.problem(file_of[cycle[0]], "cycle", "related.superseded_by", message)
    for cycle in graph.cycles({word.id: word.parent for word in catalog.words.values()}):
        path = " -> ".join([*cycle, cycle[0]])
        message = f"{path} is a circle of parents. Remove one."
        yield catalog.problem(catalog.files["word", cycle[0]], "cycle", "words", message)


def unused_words(catalog: Catalog) -> Found:
    """A leaf of the taxonomy without any entry is shown, as a gap to fill or a word to drop."""
    used = {word for _, entry in catalog.entries() for _, word, _ in graph.words(entry)}
    above = {word.parent for word in catalog.words.values()}
    index: Counter[str] = Counter()
    for word in catalog.words.values():
        file = catalog.files["word", word.id]
        if word.kind == "leaf" and word.id not in used and word.id not in above:
            message = f"no entry has the leaf '{word.id}'. Add one, or drop the word."
            yield catalog.problem(file, "unused-word", f"words[{index[file]}]", message, warn=True)
        index[file] += 1


# --- numbers --------------------------------------------------------------------------------


def numbers(catalog: Catalog) -> Found:
    """Reported numbers lie in their metric's range, state a protocol, and do not contradict."""
    seen: dict[tuple[object, ...], tuple[float, str]] = {}
    for method in catalog.methods.values():
        file = catalog.files["method", method.id]
        for i, number in enumerate(method.reported):
            where = f"reported[{i}]"
            metric = catalog.metrics.get(number.metric)
            if metric and (outside := _outside(metric, number.in_metric_unit())):
                message = f"{number.value:g} {number.unit} is {outside}. Check value and unit."
                yield catalog.problem(file, "out-of-range", f"{where}.value", message)
            if number.setting.is_empty():
                message = "nothing about the protocol. Add frames, resolution or a note."
                yield catalog.problem(file, "no-setting", f"{where}.setting", message)
            key = _conditions(method, number)
            value = number.in_metric_unit()
            before, other = seen.setdefault(key, (value, f"{file} {where}"))
            if not math.isclose(before, value, abs_tol=1e-9):
                message = (
                    f"{number.value:g} {number.unit}, but {other} gives another value for the same "
                    "model, metric and protocol. Note the difference in setting, or a discrepancy."
                )
                yield catalog.problem(
                    file, "conflicting-numbers", f"{where}.value", message, warn=True
                )
    for key_, card in catalog.results.items():
        yield from _card_numbers(catalog, catalog.files["result", key_], card)


def _conditions(method: MethodEntry, number: ReportedNumber) -> tuple[object, ...]:
    setting = number.setting
    return (
        normalise(number.model or method.name),
        number.benchmark,
        number.metric,
        number.split,
        str(setting.frames),
        setting.fps,
        setting.resolution,
        setting.subtitles,
        setting.note,
    )


def _outside(metric: MetricEntry, value: float) -> str:
    low, high = metric.range
    if (low is None or value >= low) and (high is None or value <= high):
        return ""
    shown = ["-inf" if low is None else f"{low:g}", "inf" if high is None else f"{high:g}"]
    return f"outside the range [{shown[0]}, {shown[1]}] {metric.unit} of {metric.id}"


def _card_numbers(catalog: Catalog, file: str, card: ResultCard) -> Found:
    metric = catalog.metrics.get(card.metric)
    if metric is None:
        return
    values = [("score", card.score), ("interval[0]", card.interval[0])]
    values.append(("interval[1]", card.interval[1]))
    values += [(f"scores[{i}].score", each.score) for i, each in enumerate(card.scores)]
    for where, value in values:
        if outside := _outside(metric, value):
            message = f"{value:g} is {outside}. Write cards with the tool, not by hand."
            yield catalog.problem(file, "out-of-range", where, message)
    if not card.interval[0] <= card.score <= card.interval[1]:
        message = f"{card.score:g} is outside its own interval. Write cards with the tool."
        yield catalog.problem(file, "out-of-range", "interval", message)


# --- ladder ---------------------------------------------------------------------------------


def ladder(catalog: Catalog) -> Found:
    """A status is refused while one of its conditions, or of a lower rung, is not met."""
    for kind, file, entry in _works(catalog):
        rung = RUNGS.index(entry.status)
        if rung == 0 and entry.paper and entry.paper.title.startswith("TODO"):
            message = "TODO is left. Write the paper's title."
            yield catalog.problem(file, "todo", "paper.title", message, warn=True)
        for needed, missing in requirements(catalog, kind, entry):
            if missing and RUNGS.index(needed) <= rung:
                message = f"'{entry.status}' needs {missing}. Add it, or lower the status."
                yield catalog.problem(file, "status-unmet", "status", message)
        for where, text in graph.texts(entry) if rung >= RUNGS.index("described") else ():
            if "TODO" in text:
                message = f"TODO is left, but the status is '{entry.status}'. Fill it in."
                yield catalog.problem(file, "todo", where, message)
        if isinstance(entry, MethodEntry) and not entry.is_baseline and rung >= 3:
            cards = catalog.cards_of(entry.id).values()
            if not any(card.kind == "miniature" for card in cards):
                message = f"no miniature card in catalog/results/{entry.id}/. Promote one."
                yield catalog.problem(file, "no-card", "status", message, warn=True)


def requirements(catalog: Catalog, kind: str, entry: Work) -> Iterator[tuple[str, str]]:
    """(rung, what is missing, "" if met) for every condition of the ladder."""
    method = entry if isinstance(entry, MethodEntry) else None
    yield "described", "" if entry.summary else "a summary"
    if method is not None:
        yield "described", "" if method.idea else "an idea"
        yield "described", "" if method.pillars else "pillars (sft, rl, tts)"
        if not method.is_baseline:
            known = ", ".join(sorted(m.id for m in catalog.methods.values() if m.is_baseline))
            yield "described", "" if method.baseline else f"a baseline ({known})"
            hooks = "differs_in (hooks, such as rewards, loss or decode)"
            yield "described", "" if method.differs_in else hooks
    if isinstance(entry, BenchmarkEntry | DatasetEntry):
        yield "described", "" if entry.sizes else "sizes with source"
    if isinstance(entry, BenchmarkEntry):
        yield "described", "" if entry.metrics else "metrics"
    if (paper := entry.paper) is not None:
        named = paper.authors or paper.first_author
        yield "described", "" if named else "an author (paper.authors, or first_author)"
    pinned = bool((entry.code and entry.code.commit) or entry.no_code)
    if isinstance(entry, BenchmarkEntry | DatasetEntry):
        pinned = pinned or bool(entry.hf_ids)
    if not (method and method.is_baseline):
        yield "linked", "" if pinned else "code with a commit (or no_code: why there is none)"
    folder = f"reproductions/{kind}s"
    files = [f"{folder}/{entry.id}.py"]
    if method is not None and method.is_baseline:
        files = [f"reproductions/baselines/{entry.id}/method.py"]
    elif method is not None:
        names = ("method.py", "paper.yaml", "mini.yaml")
        files = [f"{folder}/{entry.id}/{name}" for name in names]
        yield "runnable", "" if method.claims else "a claim that the mini preset tests"
    for path in files if kind != "survey" else ():  # nothing of a survey runs
        yield "runnable", "" if (catalog.root / path).is_file() else f"{path} (missing)"
    if method is not None:
        missing = "a reproduction card within tolerance of a reported number, same protocol"
        yield "reproduced", "" if reproduced(catalog, method) else missing
    else:
        yield "reproduced", "to be a method"


def ahead(catalog: Catalog, kind: str, entry: Work) -> tuple[str, list[str]]:
    """(the rung above an entry's, what is missing for it); ("", []) at the top of the ladder."""
    rung = RUNGS.index(entry.status) + 1
    if rung == len(RUNGS):
        return "", []
    return RUNGS[rung], [m for r, m in requirements(catalog, kind, entry) if r == RUNGS[rung] and m]


def reproduced(catalog: Catalog, method: MethodEntry) -> bool:
    """Whether a reproduction card comes within tolerance of a reported number, same protocol."""
    return any(
        card.kind == "reproduction" and any(_agree(card, number) for number in method.reported)
        for card in catalog.cards_of(method.id).values()
    )


def same_protocol(card: ResultCard, number: ReportedNumber) -> bool:
    """Whether a card measured what a reported number is about, as far as the paper says."""
    setting, protocol = number.setting, card.protocol
    frames = {protocol.frames, protocol.max_frames} - {None}
    return (
        (card.benchmark, card.metric) == (number.benchmark, number.metric)
        and (card.task if card.task != "all" else None) == number.split
        and (setting.frames is None or setting.frames in frames)
        and (setting.subtitles is None or setting.subtitles == protocol.subtitles)
        and (pixels(setting.resolution) in (None, protocol.pixels))
    )


def _agree(card: ResultCard, number: ReportedNumber) -> bool:
    low, high = card.interval
    value = number.in_metric_unit()
    return same_protocol(card, number) and low - TOLERANCE <= value <= high + TOLERANCE


def pixels(resolution: str | None) -> int | None:
    """Pixels of "256x28x28" or "448x448", None if it is another text."""
    if resolution is None or not re.fullmatch(r"\d+(x\d+)+", resolution):
        return None
    return math.prod(int(part) for part in resolution.split("x"))


# --- single entries -------------------------------------------------------------------------


def consistent(catalog: Catalog) -> Found:
    """Fields of one entry that must fit together."""
    for kind, entry in catalog.entries():
        file = catalog.files[kind, entry.id]
        for path in entry.unverified:
            if not _has_value(entry, path):
                message = f"'{path}' is empty or no field of the entry. Correct the path."
                yield catalog.problem(file, "unverified-path", f"unverified.{path}", message)
    for method in catalog.methods.values():
        file = catalog.files["method", method.id]
        base = catalog.methods.get(method.baseline or "")
        if method.is_baseline and (method.baseline or method.differs_in):
            message = "a baseline has neither baseline nor differs_in. Remove them."
            yield catalog.problem(file, "baseline", "is_baseline", message)
        elif base is not None and not base.is_baseline:
            message = f"'{base.id}' is no baseline. Name one, or use related.extends."
            yield catalog.problem(file, "baseline", "baseline", message)
        for i, reward in enumerate(method.rewards):
            if reward.aspect not in method.reward_aspects:
                message = f"'{reward.aspect}' is not in reward_aspects. Add it there."
                yield catalog.problem(file, "reward-aspect", f"rewards[{i}].aspect", message)
        ids = [claim.id for claim in method.claims]
        for i, claim in enumerate(method.claims):
            if method.id not in claim.compare or len(set(claim.compare)) < 2:
                message = f"compares {list(claim.compare)}. Compare {method.id} with another."
                yield catalog.problem(file, "claim", f"claims[{i}].compare", message)
            if ids.index(claim.id) != i:
                message = f"'{claim.id}' is used twice. Choose another id."
                yield catalog.problem(file, "claim", f"claims[{i}].id", message)
    for key, card in catalog.results.items():
        if key.split("/")[0] != card.method:
            message = f"a card of {card.method}. Move it to catalog/results/{card.method}/."
            file = catalog.files["result", key]
            yield catalog.problem(file, "card-place", "method", message)
        if cut := shortened(card):
            message = f"a run that was cut ({cut}) is no result of the preset. Remove the card."
            file = catalog.files["result", key]
            yield catalog.problem(file, "short-run", "overrides", message)


TRAINED_IN = {"sft": "sft", "grpo": "rl", "ppo": "rl", "rl": "rl", "preference": "rl"}
"""Kind of a stage, or use of a data set -> pillar; other kinds and evaluation say nothing."""


def pillars(catalog: Catalog) -> Found:
    """Stated pillars cover those of leaves and stages, and a data set is used for its own.

    An entry without pillars is left to the ladder.
    """
    known = {word.id for word in catalog.words.values() if word.kind == "pillar"}
    above = {
        word.id: known.intersection(graph.ancestors(catalog, word.id))
        for word in catalog.words.values()
        if word.kind == "leaf"
    }
    for _, file, entry in _works(catalog):
        if not isinstance(entry, MethodEntry | BenchmarkEntry | DatasetEntry) or not entry.pillars:
            continue
        stages = entry.stages if isinstance(entry, MethodEntry) else ()
        uses = entry.used_for if isinstance(entry, DatasetEntry) else ()
        needed = [
            (f"leaf {word}", pillar) for word in entry.taxonomy for pillar in above.get(word, ())
        ]
        needed += [(f"stage {s.kind}", TRAINED_IN[s.kind]) for s in stages if s.kind in TRAINED_IN]
        needed += [(f"used_for {use}", TRAINED_IN[use]) for use in uses if use in TRAINED_IN]
        for reason, pillar in dict.fromkeys(needed):
            if pillar not in entry.pillars:
                message = f"no '{pillar}', but {reason}. Add the pillar, or correct that."
                yield catalog.problem(file, "pillars", "pillars", message)
        trained = {TRAINED_IN[use] for use in uses if use in TRAINED_IN}
        for i, pillar in enumerate(entry.pillars):
            if trained and pillar in TRAINED_IN.values() and pillar not in trained:
                message = f"'{pillar}', but used_for names no such stage. Correct one of the two."
                yield catalog.problem(file, "pillars", f"pillars[{i}]", message)


def shortened(card: ResultCard) -> str:
    """What makes a card's run shorter than its preset, "" if nothing does."""
    keys = [k for k in card.overrides if re.fullmatch(r"stages\.\w+\.max_steps|synthetic\..+", k)]
    return ", ".join(keys) or ("smoke" if "smoke" in card.preset else "")


def _has_value(entry: Entry, path: str) -> bool:
    value: object = entry
    for part in split_path(path):
        if isinstance(part, int):
            if not isinstance(value, tuple) or part >= len(value):
                return False
            value = value[part]
        else:
            value = getattr(value, part, None)
    return value not in (None, (), "", {})


CHECKS: tuple[Callable[[Catalog], Found], ...] = (
    unique_ids,
    unique_names,
    unique_papers,
    papers,
    venues,
    spelling,
    references,
    no_cycles,
    unused_words,
    numbers,
    ladder,
    consistent,
    pillars,
)
"""All checks between entries."""
