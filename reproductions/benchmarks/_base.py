"""What a benchmark is: where its questions lie, how they are asked, read and scored.

A module of this package holds one `BENCHMARK`. What several benchmarks share - how a file is read,
how a letter or a span is understood - lives in the modules with an underscore, so that a benchmark
is one short file. Standard library only, apart from parquet files (pyarrow, imported when needed).
"""

from __future__ import annotations

import difflib
import importlib
import json
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from reproductions.benchmarks._files import FileProblem, inside, read_records, read_subtitles
from reproductions.shared.method import Sample

LMMS_EVAL = "EvolvingLMMs-Lab/lmms-eval@75571cf lmms_eval/tasks/"
"""Where formats and prompts of lmms-eval were read."""
HARNESSES = ("paper", "lmms_eval", "vlmevalkit")
"""Names under which a benchmark's own rule and the two harnesses' rules are found."""


@dataclass(frozen=True)
class Graded:
    """One answer under one rule.

    Attributes:
        read: What was understood, for example a letter or spans; None if nothing was.
        values: Name -> value of this answer, for example {"accuracy": 1.0}.
        note: Why nothing was read, or what the published code does here ("guesses at random").
    """

    read: Any
    values: Mapping[str, float]
    note: str = ""


@dataclass(frozen=True)
class Number:
    """A score of a set of answers.

    Attributes:
        value: The score, a fraction if `percent`.
        n: Over how many units it was computed (answers, steps, pairs or groups).
        percent: Whether it is printed times 100.
        unit: What `n` counts.
    """

    value: float
    n: int
    percent: bool = True
    unit: str = "items"

    @property
    def printed(self) -> float:
        """The value as tables print it."""
        return 100 * self.value if self.percent else self.value


Rule = Callable[[Sample, Any], Graded]
"""(sample, prediction) -> the graded answer; a prediction of None is one that was not given."""
Numbers = Callable[[Sequence[Sample], Sequence[Graded]], dict[str, Number]]


def means(
    graded: Sequence[Graded], unit: str = "items", names: Sequence[str] | None = None
) -> dict[str, Number]:
    """Means over all answers of their values, or of those with the names."""
    n = len(graded)
    names = list(graded[0].values if graded else ()) if names is None else names
    return {
        name: Number(sum(g.values[name] for g in graded) / n if n else 0.0, n, unit=unit)
        for name in names
    }


def item_means(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    """`Shape.numbers` of shapes whose scores are means over the items."""
    return means(graded)


@dataclass(frozen=True)
class Shape:
    """How answers of one form are read and scored.

    Attributes:
        name: "choice", "span", "open", ...
        rules: Name -> rule.
        better: The rule that reads most of what models write without guessing.
        numbers: (samples, graded answers) -> name -> score; the first one is the headline.
        gold: Normalises a gold value of a log into `Sample.answer`; ValueError says what is wrong.
        parts: Further fields of a log that belong to the answer ("span", "verdict"). Rules of such
            a shape get {"prediction": .., part: ..} where the log has them.
        judged: Rules that read the verdict alone and so need neither answer nor gold.
        inline: Splits a question that holds its options; ValueError if it holds none.
    """

    name: str
    rules: Mapping[str, Rule]
    better: str
    numbers: Numbers
    gold: Callable[[Any, Sequence[str]], str]
    parts: tuple[str, ...] = ()
    judged: tuple[str, ...] = ()
    inline: Callable[[str], tuple[str, Sequence[str]]] | None = None


@dataclass(frozen=True)
class Split:
    """A published split.

    Attributes:
        files: Glob patterns of the question files below the benchmark's folder, as alternatives:
            the first pattern that finds any file counts.
        size: Number of questions as published, None if unknown.
        where: Keeps a record of the files in this split; None keeps all.
        gold: Whether the answers are public.
    """

    files: tuple[str, ...]
    size: int | None = None
    where: Callable[[Mapping[str, Any]], bool] | None = None
    gold: bool = True


@dataclass(frozen=True)
class Benchmark:
    """A benchmark, ready to be asked and scored.

    Attributes:
        id: Id of the entry in the catalogue and name of the module.
        metrics: Metric ids, the headline first.
        shape: How answers are read and scored.
        sample: (record of a question file) -> one or several samples. `Sample.video` is the name of
            the video as the record gives it; `load` looks for the file.
        prompt: (sample) -> the published prompt.
        splits: Name -> split; the first one is the default.
        videos: Patterns of the video file below the folder, "{video}" is the record's name.
        rules: "paper", "lmms_eval", "vlmevalkit" -> a rule of the shape.
        by: Breakdown -> group of a sample ("" leaves it out), for example by family of questions.
        totals: Further scores over the answers, for example means over tasks or pairs.
        hub: Data set repository with the questions.
        subtitles: Patterns of subtitle files; () if the benchmark has none.
        license: As published; "" if none was found.
        source: Where format and prompt were read.
        prompt_source: Where the prompt was read, if elsewhere; "ours" if none is published.
        extra: Name of a second file beside the question file, "{stem}" is the name of the first;
            its JSON is put into each record under "_extra" ({} where there is none).
        records: Reads a question file, where it is not in one of the usual formats.
        variants: Other tasks on the same videos, asked for as "id:variant".
    """

    id: str
    metrics: tuple[str, ...]
    shape: Shape
    sample: Callable[[Mapping[str, Any]], Sample | Iterable[Sample]]
    prompt: Callable[[Sample], str]
    splits: Mapping[str, Split]
    source: str
    videos: tuple[str, ...] = ("{video}", "videos/{video}", "{video}.mp4", "videos/{video}.mp4")
    rules: Mapping[str, str] = field(default_factory=dict)
    by: Mapping[str, Callable[[Sample], str]] = field(default_factory=dict)
    totals: Numbers | None = None
    hub: str = ""
    subtitles: tuple[str, ...] = ()
    license: str = ""
    prompt_source: str = ""
    extra: str = ""
    records: Callable[[Path], Iterator[tuple[int, dict[str, Any]]]] = read_records
    variants: Mapping[str, Benchmark] = field(default_factory=dict)

    def rule(self, name: str) -> tuple[str, Rule]:
        """The rule's own name and the rule, for a harness's name or a rule's.

        Raises:
            KeyError: Unknown; the message lists what there is.
        """
        own = self.rules.get(name, name)
        if own in self.shape.rules:
            return own, self.shape.rules[own]
        known = ", ".join([*self.rules, *self.shape.rules])
        if name in HARNESSES:
            raise KeyError(f"{self.id}: no rule of {name} is known here. There are: {known}.")
        raise KeyError(f"{self.id}: no rule '{name}'. There are: {known}.")

    def split(self, name: str) -> tuple[str, Split]:
        """The split of a name, "" for the first one, with its name.

        Raises:
            KeyError: Unknown; the message lists what there is.
        """
        name = name or next(iter(self.splits))
        if name not in self.splits:
            known = ", ".join(self.splits)
            raise KeyError(f"{self.id}: no split '{name}'. There are: {known}.")
        return name, self.splits[name]

    def numbers(self, samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
        """All scores: those of the shape, then the benchmark's own totals."""
        found = self.shape.numbers(samples, graded)
        return {**found, **(self.totals(samples, graded) if self.totals else {})}

    def read(
        self, file: Path, split: str = "", seen: dict[str, str] | None = None
    ) -> Iterator[Sample]:
        """The samples of one question file, without looking for videos.

        Args:
            file: The file.
            split: Its records alone; "": all records.
            seen: Ids that were read before -> their place, to be shared by the files of a split.

        Raises:
            FileProblem: The file, or a record in it, is not as published.
        """
        where = self.splits[split].where if split else None
        seen = {} if seen is None else seen
        added = {"_file": file.name.partition(".")[0], "_folder": file.parent.name}
        beside = self._beside(file)
        for place, record in self.records(file):
            record = {**added, "_place": place, "_extra": beside, **record}
            if where is not None and not where(record):
                continue
            try:
                made = self.sample(record)
                made = [made] if isinstance(made, Sample) else list(made)
            except KeyError as error:
                raise FileProblem(
                    f"{file}:{place}: no field {error} in "
                    f"{sorted(k for k in record if k[0] != '_')[:12]}. Is this the "
                    f"question file of {self.id} ({self.source})?"
                ) from None
            except (ValueError, TypeError, IndexError, AttributeError) as error:
                raise FileProblem(
                    f"{file}:{place}: {error}. Compare the record with {self.source}."
                ) from None
            for sample in made:
                if sample.id in seen:
                    raise FileProblem(
                        f"{file}:{place}: the id {sample.id!r} stands at {seen[sample.id]} too. "
                        "Remove one of the two."
                    )
                seen[sample.id] = f"{file.name}:{place}"
                yield sample

    def _beside(self, file: Path) -> Any:
        """The JSON of the second file, {} if there is none."""
        if not self.extra:
            return {}
        other = file.with_name(self.extra.replace("{stem}", file.name.partition(".")[0]))
        if not other.is_file():
            return {}
        try:
            return json.loads(other.read_text(encoding="utf-8"))
        except (ValueError, RecursionError, OSError) as error:
            raise FileProblem(f"{other}: not JSON ({error}). Download it again.") from None


@dataclass(frozen=True)
class Loaded:
    """The questions of a split, with what is not there.

    Attributes:
        samples: Questions that can be asked; `video` is a path.
        missing: Names of videos that were not found -> number of questions about them.
        total: Questions in the files.
        expected: Questions of the split as published, None if unknown.
    """

    samples: list[Sample]
    missing: dict[str, int]
    total: int
    expected: int | None

    def sentence(self) -> str:
        """Over how many questions a score will be computed, and why not all."""
        lost = sum(self.missing.values())
        text = f"{len(self.samples)} of {self.total} questions can be asked"
        if lost:
            names = ", ".join(list(self.missing)[:5])
            more = f" and {len(self.missing) - 5} more" if len(self.missing) > 5 else ""
            text += f"; {lost} need {len(self.missing)} videos that are missing ({names}{more})"
        if self.expected is not None and self.expected != self.total:
            text += f"; {self.expected} are published for this split"
        return text + "."


def load(
    benchmark: Benchmark,
    folder: Path,
    split: str = "",
    *,
    subtitles: bool = False,
    videos: Path | None = None,
) -> Loaded:
    """Read a split and find its videos.

    Args:
        benchmark: The benchmark.
        folder: Where its question files lie.
        split: Name of the split; "" is the first one.
        subtitles: Look for subtitle files too: `meta["subtitles"]` is the path and
            `meta["subtitle_text"]` the whole text, which prompts with subtitles hold.
        videos: Where the videos lie, if not in `folder`.

    Raises:
        KeyError: No such split.
        FileProblem: No question file, or one that is not as published.
    """
    split, chosen = benchmark.split(split)
    files: list[Path] = []
    for pattern in chosen.files:
        files = files or [f for f in sorted(folder.glob(pattern)) if f.is_file()]
    if not files:
        raise FileProblem(
            f"{folder}: no {' or '.join(chosen.files)} of {benchmark.id} ({split}). Download it "
            f"from {benchmark.hub or benchmark.source}."
        )
    found: dict[str, Path | None] = {}
    samples: list[Sample] = []
    missing: dict[str, int] = {}
    total = 0
    seen: dict[str, str] = {}
    for file in files:
        for sample in benchmark.read(file, split, seen):
            total += 1
            name = sample.video
            if name is not None:
                if name not in found:
                    found[name] = inside(videos or folder, benchmark.videos, sample)
                if found[name] is None:
                    missing[name] = missing.get(name, 0) + 1
                    continue
                sample = replace(sample, video=str(found[name]))
            if subtitles and benchmark.subtitles:
                text = inside(folder, benchmark.subtitles, replace(sample, video=name))
                if text is not None:
                    told = {"subtitles": str(text), "subtitle_text": read_subtitles(text)}
                    sample = replace(sample, meta={**sample.meta, **told})
            samples.append(sample)
    return Loaded(samples, missing, total, chosen.size)


def names() -> list[str]:
    """Ids of all benchmarks with a module."""
    package = importlib.import_module("reproductions.benchmarks")
    return sorted(m.name for m in pkgutil.iter_modules(package.__path__) if m.name[0] != "_")


def get(name: str) -> Benchmark:
    """The benchmark with this id, or "id:variant"; hyphens count as underscores.

    Raises:
        KeyError: There is no such module or variant; the message lists the nearest.
    """
    name, _, variant = name.replace("-", "_").partition(":")
    known = names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(known)}."
        raise KeyError(f"no benchmark module '{name}'. {hint}")
    found = importlib.import_module(f"reproductions.benchmarks.{name}").BENCHMARK
    assert isinstance(found, Benchmark)
    if variant and variant not in found.variants:
        there = ", ".join(found.variants) or "none"
        raise KeyError(f"{name} has no variant '{variant}'. There are: {there}.")
    return found.variants[variant] if variant else found
