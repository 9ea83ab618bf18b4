"""What an entry of the catalogue may say: pydantic models, one for each kind of file.

The field descriptions are the single source for the JSON Schema (`vidpost schema`), the fields
page of the contributor guide and editor help. Models are frozen and refuse unknown fields; lists
are tuples. Values that only make sense beside other entries (ids, ranges, the ladder) are checked
by `vidpost.catalog.lint`.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

RUNGS = ("listed", "described", "linked", "runnable", "reproduced")
"""The ladder of an entry, lowest rung first."""

ID_PATTERN = r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$"
ARXIV_PATTERN = r"^(\d{4}\.\d{4,5}|[a-z-]+(\.[A-Z]{2})?/\d{7})$"
URL_PATTERN = r"^https?://[^\s<>\"']+$"
COMMIT_PATTERN = r"^[0-9a-f]{7,40}$"
DOI_PATTERN = r"^10\.\S+$"

Id = Annotated[str, StringConstraints(pattern=ID_PATTERN, max_length=60)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=400)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
Url = Annotated[str, StringConstraints(pattern=URL_PATTERN, max_length=500)]
Commit = Annotated[str, StringConstraints(pattern=COMMIT_PATTERN)]
Source = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=3, max_length=400),
    Field(description="Where it was read: paper, version and section or table; file at a commit."),
]
Status = Literal["listed", "described", "linked", "runnable", "reproduced"]
WordKind = Literal["pillar", "leaf", "challenge", "reward_aspect", "task", "protocol_item"]


def _at_most_120_words(text: str) -> str:
    words = len(text.split())
    if words > 120:
        raise ValueError(f"{words} words, at most 120")
    return text


class Model(BaseModel):
    """Base of all models: unknown fields are errors, values cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


# --- shared parts ---------------------------------------------------------------------------


class Paper(Model):
    """The publication an entry stands for."""

    title: Line = Field(description="Title as printed, line breaks removed.")
    arxiv_id: Annotated[str, StringConstraints(pattern=ARXIV_PATTERN)] | None = Field(
        None, description='arXiv id in quotes, without version: "2503.21776".'
    )
    version: int | None = Field(None, ge=1, description="arXiv version the facts were read from.")
    authors: tuple[Line, ...] = Field((), description="Authors in order, given name first.")
    first_author: Line | None = Field(None, description="First author, if the list is not known.")
    year: int | None = Field(None, ge=1950, le=2100, description="Year of the first version.")
    venue: Line | None = Field(None, description='Venue and year, for example "NeurIPS 2025".')
    url: Url | None = Field(None, description="Page of the paper, if it is not on arXiv.")
    doi: Annotated[str, StringConstraints(pattern=DOI_PATTERN)] | None = Field(
        None, description="DOI without resolver."
    )
    openreview: Line | None = Field(None, description="OpenReview forum id.")
    bibtex: Text | None = Field(None, description="BibTeX that replaces the generated one.")

    @property
    def link(self) -> str | None:
        """The best address of the paper, None if there is none."""
        if self.arxiv_id:
            return f"https://arxiv.org/abs/{self.arxiv_id}"
        if self.openreview:
            return f"https://openreview.net/forum?id={self.openreview}"
        if self.doi:
            return f"https://doi.org/{self.doi}"
        return self.url


class Code(Model):
    """Official code."""

    url: Url = Field(description="Repository.")
    commit: Commit | None = Field(None, description="Commit that was read, 7 to 40 hex digits.")
    license: Line | None = Field(None, description='SPDX id, or "none found".')
    note: Line | None = Field(None, description="For example where the licence file lies.")


class Link(Model):
    """An address of weights or data."""

    url: Url = Field(description="Address.")
    name: Line | None = Field(None, description="What is there.")
    revision: Line | None = Field(None, description="Pinned revision.")
    license: Line | None = Field(None, description="SPDX id of what is there.")


class Fact(Model):
    """A statement in our own words, with its source."""

    text: Line = Field(description="The fact.")
    source: Source


class Setting(Model):
    """Under which protocol a reported number was measured."""

    frames: Line | int | None = Field(None, description="Frames a video, or a rule as text.")
    fps: float | None = Field(None, gt=0, description="Frames a second, if sampled by rate.")
    resolution: Line | None = Field(None, description="Pixels a frame, for example 256x28x28.")
    subtitles: bool | None = Field(None, description="Whether subtitles were given; null: unknown.")
    note: Line | None = Field(None, description="Anything else: prompt, judge, decoding.")

    def is_empty(self) -> bool:
        """Whether nothing at all is said about the protocol."""
        return all(value is None for value in (self.frames, self.fps, self.resolution, self.note))


class ReportedNumber(Model):
    """A number somebody published."""

    benchmark: Id = Field(description="Benchmark id.")
    metric: Id = Field(description="Metric id.")
    value: float = Field(description="The number as printed, in `unit`.")
    unit: Literal["%", "fraction", "points", "seconds"] = Field("%", description="Unit of value.")
    split: Line | None = Field(None, description="Split or subset, if not the whole benchmark.")
    setting: Setting = Field(description="Frames, resolution, subtitles: the protocol.")
    model: Line | None = Field(None, description="Model with its size, for example Video-R1-7B.")
    source: Source

    def in_metric_unit(self) -> float:
        """The value on the metric's own scale: percentages become fractions."""
        return self.value / 100 if self.unit == "%" else self.value


class Position(Model):
    """What one side of a discrepancy says."""

    who: Line = Field(description='For example "paper, Eq. 3" or "official code".')
    says: Text = Field(description="What it says, in our own words.")
    source: Source


class Discrepancy(Model):
    """Two sources that disagree."""

    topic: Line = Field(description="What they disagree about.")
    positions: tuple[Position, ...] = Field(min_length=2, description="Who says what.")
    ours: Text | None = Field(None, description="What this repository does about it.")


class Claim(Model):
    """A statement that the mini preset tests."""

    id: Id = Field(description="Id, unique within the method.")
    statement: Line = Field(description="The claim in one sentence.")
    compare: tuple[Id, Id] = Field(description="Two method ids: [a, b]; a is expected to ...")
    metric: Id = Field(description="Metric id.")
    expect: Literal["greater", "less", "equal"] = Field(description="... be greater than b, etc.")
    tasks: tuple[Id, ...] = Field((), description="Only questions of these tasks; empty: all.")
    seeds: tuple[int, ...] = Field((0, 1, 2), min_length=1, description="Seeds of the runs.")
    source: Source

    def verdict(self, interval: tuple[float, float] | None) -> str:
        """What an interval of the difference a - b says: supported, not supported or undecided.

        It decides if it lies on one side of zero. Around zero it leaves every claim undecided: that
        nothing was found does not show that two methods are equal. So does None.
        """
        low, high = interval or (0.0, 0.0)
        if low <= 0 <= high:
            return "undecided"
        return "supported" if self.expect == ("greater" if low > 0 else "less") else "not supported"


class Reward(Model):
    """One reward of a method."""

    aspect: Id = Field(description="Reward aspect, a taxonomy word.")
    description: Line = Field(description="Formula or rule, in our own words.")
    weight: float | None = Field(None, description="Weight in the sum, if stated.")
    source: Source


class StageFact(Model):
    """One training stage as the paper ran it."""

    kind: Literal["sft", "grpo", "preference", "ppo", "other"] = Field(description="Type of stage.")
    text: Line = Field(description="What happens in it.")
    source: Source


class Related(Model):
    """Links to other entries; back-links are computed."""

    extends: tuple[Id, ...] = Field((), description="Works this one builds on.")
    compares_with: tuple[Id, ...] = Field((), description="Works it is compared with.")
    superseded_by: Id | None = Field(None, description="The work that replaces this one.")


class Table1Row(Model):
    """The work's row in Table 1 of the survey."""

    params: Line | None = Field(None, description="Number of parameters.")
    stages: Line | None = Field(None, description="Number of stages.")
    strategy: Line | None = Field(None, description="Training strategy.")
    tts: bool | None = Field(None, description="Whether test-time scaling is ticked.")


class SurveyPlace(Model):
    """Where the survey (arXiv 2510.05034v6) treats the work."""

    sections: tuple[Line, ...] = Field((), description="Sections, figures, tables.")
    refs: tuple[int, ...] = Field((), description="Reference numbers.")
    table1: Table1Row | None = Field(None, description="Row of Table 1.")


class Size(Model):
    """How many of something."""

    of: Line = Field(description="What is counted: videos, questions, pairs, hours, tasks.")
    count: int | None = Field(None, ge=0, description="Number; null if only a text is known.")
    note: Line | None = Field(None, description="About, at least, or how it is made up.")
    source: Source


class RecordField(Model):
    """One field of a published record."""

    name: Line = Field(description="Key as published.")
    meaning: Line = Field(description="Type and meaning.")


class Split(Model):
    """A published split."""

    name: Line = Field(description="Name as published.")
    size: int | None = Field(None, ge=0, description="Number of items.")
    note: Line | None = Field(None, description="What is special about it.")
    source: Source


class ProtocolNote(Model):
    """A protocol somebody used on a benchmark."""

    name: Line = Field(description="Who used it.")
    setting: Setting = Field(description="Frames, resolution, subtitles.")
    source: Source


class HarnessUse(Model):
    """An evaluation harness that computes a metric."""

    name: Line = Field(description="Harness or repository.")
    note: Line | None = Field(None, description="How its rule differs, if it does.")
    source: Source


# --- entries --------------------------------------------------------------------------------


class Entry(Model):
    """What every entry has."""

    id: Id = Field(description="snake_case; equals the file name and never changes meaning.")
    name: Line = Field(description="Name as its authors write it.")
    aliases: tuple[Line, ...] = Field((), description="Other spellings and former names.")
    summary: Annotated[str, StringConstraints(strip_whitespace=True, max_length=280)] | None = (
        Field(None, description="One sentence in our own words, at most 280 characters.")
    )
    added: datetime.date = Field(description="Day the entry was added; feeds What's new.")
    discrepancies: tuple[Discrepancy, ...] = Field((), description="Where sources disagree.")
    unverified: dict[str, Line] = Field(
        {}, description="Dotted path of a field nobody could check -> why; shown so on the site."
    )


class Work(Entry):
    """A published work."""

    paper: Paper | None = Field(None, description="The publication; null for our baselines.")
    released_with: Id | None = Field(
        None, description="Entry whose paper released this, if it has no paper of its own."
    )
    status: Status = Field(description="Rung of the ladder; its conditions are checked.")
    taxonomy: tuple[Id, ...] = Field(description="Leaves of the taxonomy.")
    taxonomy_source: Line | None = Field(
        None, description='Who placed it: "survey, Fig. 3" or "ours".'
    )
    code: Code | None = Field(None, description="Official code, pinned to a commit.")
    no_code: Line | None = Field(
        None, description="Where and when official code was looked for in vain."
    )
    survey: SurveyPlace | None = Field(None, description="Where the survey treats it.")
    related: Related = Field(Related(), description="Links to other entries.")
    notes: tuple[Fact, ...] = Field((), description="Further facts, each with its source.")


class MethodEntry(Work):
    """A post-training or test-time method."""

    pillars: tuple[Id, ...] = Field((), description="sft, rl, tts.")
    challenges: tuple[Id, ...] = Field((), description="Video-specific challenges it addresses.")
    reward_aspects: tuple[Id, ...] = Field((), description="Reward aspects it uses.")
    idea: Annotated[Text, AfterValidator(_at_most_120_words)] | None = Field(
        None, description="The idea in our own words, at most 120 words."
    )
    is_baseline: bool = Field(False, description="Whether it is one of our baselines.")
    baseline: Id | None = Field(None, description="Baseline it is a delta to; null for baselines.")
    differs_in: tuple[Line, ...] = Field((), description="Hooks it replaces, equal to method.py.")
    stages: tuple[StageFact, ...] = Field((), description="Training stages of the paper's run.")
    algorithm: Line | None = Field(None, description="Algorithm by its usual name.")
    rewards: tuple[Reward, ...] = Field((), description="Rewards with formula and source.")
    base_models: tuple[Line, ...] = Field((), description="Models it starts from.")
    trained_on: tuple[Id, ...] = Field((), description="Data set ids.")
    evaluated_on: tuple[Id, ...] = Field((), description="Benchmark ids.")
    frames: Fact | None = Field(None, description="Frames in training and evaluation.")
    resolution: Fact | None = Field(None, description="Pixels a frame.")
    hardware: Fact | None = Field(None, description="Accelerators and time.")
    weights: tuple[Link, ...] = Field((), description="Released weights.")
    data_links: tuple[Link, ...] = Field((), description="Released data.")
    license: Line | None = Field(None, description="Licence of the weights, SPDX id.")
    reported: tuple[ReportedNumber, ...] = Field((), description="Published numbers.")
    claims: tuple[Claim, ...] = Field((), description="What the mini preset tests.")


class BenchmarkEntry(Work):
    """A benchmark."""

    sizes: tuple[Size, ...] = Field((), description="Videos, questions, hours.")
    duration: Fact | None = Field(None, description="How long the videos are.")
    tasks: tuple[Id, ...] = Field((), description="Tasks, taxonomy words.")
    task_note: Line | None = Field(None, description="What it asks, in our own words.")
    answer_formats: tuple[Line, ...] = Field((), description="multiple choice, numerical, ...")
    metrics: tuple[Id, ...] = Field((), description="Metric ids.")
    metric_note: Fact | None = Field(None, description="How the headline number is averaged.")
    splits: tuple[Split, ...] = Field((), description="Published splits.")
    protocols: tuple[ProtocolNote, ...] = Field((), description="Protocols seen.")
    hf_ids: tuple[Line, ...] = Field((), description="Hugging Face data set ids.")
    revision: Line | None = Field(None, description="Pinned data set revision.")
    annotation: tuple[RecordField, ...] = Field((), description="Fields of a published record.")
    annotation_source: Line | None = Field(None, description="Where the fields were read.")
    license: Line | None = Field(None, description="Licence, SPDX id.")
    pillars: tuple[Id, ...] = Field((), description="Pillars it is used for, if stated.")


class DatasetEntry(Work):
    """A training set."""

    pillars: tuple[Id, ...] = Field((), description="sft, rl.")
    sizes: tuple[Size, ...] = Field((), description="Samples, videos.")
    modalities: tuple[Literal["video", "image", "text", "audio"], ...] = Field(
        (), description="What a sample may hold."
    )
    used_for: tuple[Literal["sft", "rl", "preference", "evaluation"], ...] = Field(
        (), description="Stages that train on it."
    )
    hf_ids: tuple[Line, ...] = Field((), description="Hugging Face data set ids.")
    links: tuple[Link, ...] = Field((), description="Other addresses.")
    revision: Line | None = Field(None, description="Pinned revision.")
    license: Line | None = Field(None, description="Licence, SPDX id.")
    record_fields: tuple[RecordField, ...] = Field((), description="Fields of a record.")
    record_source: Line | None = Field(None, description="Where the fields were read.")
    construction: Fact | None = Field(None, description="How it was made.")


class MetricEntry(Entry):
    """A metric."""

    formula: Text = Field(description="Definition; LaTeX between dollar signs is allowed.")
    range: tuple[float | None, float | None] = Field(
        description="Lowest and highest value in `unit`; null for unbounded."
    )
    unit: Line = Field(description='Unit of the code\'s value, usually "fraction".')
    direction: Literal["higher", "lower"] = Field(description="Which way is better.")
    edge_rules: tuple[Line, ...] = Field((), description="What happens at the edges.")
    used_by: tuple[HarnessUse, ...] = Field((), description="Harnesses, each with source.")
    module: Line | None = Field(None, description="Python path of our implementation.")
    source: Source


class SurveyEntry(Work):
    """A survey: ours or a neighbour."""

    scope: Text | None = Field(None, description="What it covers, in our own words.")
    period: Line | None = Field(None, description="Publication months it covers.")
    sections: tuple[Line, ...] = Field((), description="Its sections.")


class TaxonomyWord(Model):
    """One controlled word."""

    id: Id = Field(description="snake_case, unique over all word files.")
    name: Line = Field(description="Name as shown.")
    kind: WordKind = Field(description="What sort of word it is.")
    definition: Text = Field(description="What it means, in our own words.")
    section: Line | None = Field(None, description="Section, figure or table of the survey.")
    origin: Literal["survey", "ours"] = Field("survey", description="Who introduced the word.")
    parent: Id | None = Field(None, description="Word above it in the tree.")
    aliases: tuple[Line, ...] = Field((), description="Other spellings people search for.")


class WordFile(Model):
    """A file under catalog/taxonomy: words of one kind, in the order in which they are shown."""

    words: tuple[TaxonomyWord, ...] = Field(min_length=1, description="The words.")


# --- result cards ---------------------------------------------------------------------------


class Sampling(Model):
    """How answers were sampled."""

    temperature: float = Field(description="0 is greedy.", ge=0)
    top_p: float = Field(1.0, gt=0, le=1, description="Nucleus mass.")
    max_new_tokens: int = Field(gt=0, description="Longest answer.")
    n: int = Field(1, ge=1, description="Answers a question.")


class Protocol(Model):
    """Everything that decides whether two scores may stand beside each other."""

    frames: int | None = Field(None, gt=0, description="Frames a video, if a fixed number.")
    fps: float | None = Field(None, gt=0, description="Frames a second, if sampled by rate.")
    min_frames: int | None = Field(None, gt=0, description="Fewest frames.")
    max_frames: int | None = Field(None, gt=0, description="Most frames.")
    pixels: int | None = Field(None, gt=0, description="Most pixels a frame.")
    decoder: Line = Field(description="Video decoder with its major version.")
    subtitles: bool = Field(False, description="Whether subtitles were given.")
    prompt_hash: Line = Field(description="Hash of the prompt template.")
    extractor: Line = Field(description="Answer extraction and its version.")
    judge: Line | None = Field(None, description="Judge model and version, null if none.")
    sampling: Sampling = Field(description="Temperature, top-p, length, number of answers.")

    def fingerprint(self) -> str:
        """First 12 hex digits of the SHA-256 of the canonical JSON of all fields."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]


Interval = tuple[float, float]


class Hardware(Model):
    """On what a run was made."""

    device: Line = Field(description='For example "cpu" or "NVIDIA H200".')
    count: int = Field(1, ge=1, description="Number of devices.")
    cpus: int | None = Field(None, ge=1, description="CPU cores available.")
    hours: float | None = Field(None, ge=0, description="Wall-clock hours.")


class Checkpoint(Model):
    """The weights that were evaluated."""

    stage: Line = Field(description='Name of the stage, or "base".')
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12,64}$")] | None = Field(
        None, description="Hash of the weights file."
    )


class Comparison(Model):
    """This score against another one under the same protocol and on the same questions."""

    against: Line = Field(description="Method id or checkpoint name.")
    difference: float = Field(description="This score minus the other one.")
    interval: Interval | None = Field(None, description="Confidence interval of the difference.")
    test: Line = Field(description="Name of the test, for example paired bootstrap over clips.")
    p_value: float | None = Field(None, ge=0, le=1, description="Two-sided.")


class Cost(Model):
    """What the evaluation cost, summed over all questions and turns."""

    calls: int | None = Field(None, ge=0, description="Requests: one prompt each.")
    tokens_in: int = Field(ge=0, description="Prompt tokens, visual ones included.")
    tokens_out: int = Field(ge=0, description="Generated tokens.")
    frames: int = Field(ge=0, description="Frames encoded, that is, shown; once a request.")
    frames_decoded: int | None = Field(None, ge=0, description="Frames read from videos.")
    seconds: float = Field(ge=0, description="Seconds of the engine's work.")
    flops: float | None = Field(None, ge=0, description="Estimated floating-point operations.")


class Score(Model):
    """A score of one checkpoint on one task."""

    name: Line = Field(description="Checkpoint: base, sft, rl, or another stage.")
    task: Line = Field("all", description='Task, or "all".')
    n: int = Field(ge=1, description="Number of questions.")
    score: float = Field(description="In the metric's unit.")
    interval: Interval | None = Field(None, description="Confidence interval.")
    cost: Cost | None = Field(None, description="What these n questions cost.")


class ResultCard(Model):
    """A measured result, with all that is needed to judge and repeat it."""

    kind: Literal["miniature", "reproduction"] = Field(
        description="A miniature is never mixed with the paper's numbers."
    )
    method: Id = Field(description="Method id.")
    preset: Line = Field(description="Preset name: mini or paper.")
    variant: Line = Field("paper", description="paper or official_code.")
    overrides: dict[str, Any] = Field({}, description="Keys set on the command line.")
    commit: Line = Field(description='Commit of this repository, "+" appended if changed.')
    environment: dict[str, Line] = Field(description="Package -> version.")
    hardware: Hardware = Field(description="Device, cores, hours.")
    seeds: tuple[int, ...] = Field(min_length=1, description="Seeds of the runs.")
    checkpoint: Checkpoint = Field(description="What was evaluated.")
    model: Line | None = Field(None, description='Hub id of the model, or "tiny".')
    engine: Line | None = Field(None, description="What computed: hf, vllm, or server.")
    benchmark: Id = Field(description='Benchmark id, or "synthetic".')
    benchmark_revision: Line = Field(description="Data set revision, or version of the world.")
    metric: Id = Field(description="Metric id.")
    task: Line = Field("all", description='Task, or "all".')
    n: int = Field(ge=1, description="Number of questions.")
    score: float = Field(description="In the metric's unit.")
    interval: Interval = Field(description="Confidence interval [low, high].")
    level: float = Field(0.95, gt=0, lt=1, description="Level of the intervals.")
    interval_method: Line = Field(description="For example clustered bootstrap over videos.")
    scores: tuple[Score, ...] = Field((), description="Scores by checkpoint and task.")
    comparisons: tuple[Comparison, ...] = Field((), description="Against other runs.")
    cost: Cost = Field(description="Tokens, frames, seconds.")
    protocol: Protocol = Field(description="What makes scores comparable.")
    fingerprint: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")] = Field(
        description="Protocol.fingerprint(); two fingerprints never share an axis."
    )
    notes: tuple[Line, ...] = Field((), description="Remarks.")
    date: datetime.date = Field(description="Day of the run.")

    @model_validator(mode="after")
    def _fingerprint_fits(self) -> ResultCard:
        if self.fingerprint != (right := self.protocol.fingerprint()):
            raise PydanticCustomError(
                "fingerprint", "fingerprint is {given}, the protocol's is {right}",
                {"given": self.fingerprint, "right": right},
            )  # fmt: skip
        return self


KINDS: dict[str, type[Entry]] = {
    "method": MethodEntry,
    "benchmark": BenchmarkEntry,
    "dataset": DatasetEntry,
    "metric": MetricEntry,
    "survey": SurveyEntry,
}
"""Kind of entry -> its model."""

FOLDERS: dict[str, str] = {
    "methods": "method",
    "benchmarks": "benchmark",
    "datasets": "dataset",
    "metrics": "metric",
    "surveys": "survey",
}
"""Folder under catalog/ -> kind of entry."""
