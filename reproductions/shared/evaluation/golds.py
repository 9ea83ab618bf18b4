"""The true answers to a log: from the published question file, any file with ids, or the log."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from reproductions.metrics.v_iou import corners
from reproductions.shared.evaluation.log_fields import (
    CANDIDATES,
    LogError,
    detect,
    key_of,
    seen,
    text_of,
)
from reproductions.shared.evaluation.log_forms import InteropError, fold, track_golds, within
from reproductions.shared.evaluation.logs import read_logs
from reproductions.shared.method import Sample

# Loaded by name, as hub.py does with data sets: benchmarks lie beside the engine, not below it.
_files: Any = importlib.import_module("reproductions.benchmarks._files")
KINDS = ("multiple choice", "numerical", "yes or no", "free-form", "regression")
"""Kinds of question as a log may name them (`problem_type`)."""


def read_golds(
    benchmark: Any, path: Path, records: list[dict[str, Any]]
) -> tuple[dict[str, Sample], str]:  # fmt: skip
    """The gold samples by id, and a note.

    The file is read as the benchmark publishes it; if it is none, or if its ids are not those of
    the log, as any file of records with an id and a gold.
    """
    if benchmark.shape.name == "track" and path.is_dir():
        return _track_samples(path, records), ""
    files = [path]
    if path.is_dir():
        patterns = [p for split in benchmark.splits.values() for p in split.files]
        files = next((f for p in patterns if (f := sorted(path.glob(p)))), [])
        if not files:
            raise LogError(f"{path}: holds no question file ({', '.join(patterns[:6])}).")
    try:
        seen_ids: dict[str, str] = {}
        samples = {s.id: s for file in files for s in benchmark.read(file, "", seen_ids)}
        problem = ""
    except _files.FileProblem as error:
        samples, problem = {}, str(error)
    ids = {text_of(r[n]) for r in records for n in r if isinstance(r[n], str | int | float)}
    video_ids = any("qid" in r or "question_id" in r or "qns_id" in r for r in records)
    if samples and (not ids.isdisjoint(samples) or video_ids):
        return samples, ""
    try:
        other = _plain_golds(benchmark, path, ids)
    except LogError as error:
        if not samples:
            raise LogError(f"{problem}\nAs a plain file of records: {error}") from None
        other = {}
    if not other:
        return samples, ""
    fields = next(iter(benchmark.splits.values())).files[0]
    return other, (
        f"{path.name} is not as {benchmark.id} is published ({fields}); its records were joined "
        "to the log by id."
    )


def _plain_golds(benchmark: Any, path: Path, ids: set[str]) -> dict[str, Sample]:
    """Samples from any file of records whose ids are those of the log."""
    found, _ = read_logs([path])
    dense = benchmark.shape.name == "dense"
    records = [_events(r) for r in found] if dense else found
    names = {n for r in records for n in r if isinstance(r[n], str | int | float)}
    values = {n: [text_of(r.get(n)) for r in records] for n in names}
    hits = {n: len(ids.intersection(values[n])) for n in names}
    order = (*CANDIDATES["id"], *CANDIDATES["video"])
    known = [n for n in names if fold(n) in order and hits[n]]
    best = max(
        known,
        key=lambda n: (len(set(values[n])) == len(records), hits[n], -order.index(fold(n))),
        default="",
    )
    if not best:
        raise LogError(f"no field holds ids of the log. The file has: {seen(records)}.")
    given = {"id": best, **({"gold": "gold"} if dense else {})}
    chosen = detect(records, given, need_prediction=False)
    samples: dict[str, Sample] = {}
    for record in records:
        key = key_of(record, best)
        try:
            samples[key] = sample_of(benchmark, key, record, chosen)
        except (ValueError, KeyError, TypeError) as error:
            raise LogError(f"{path}: item {key}: {error}") from None
    return samples


def _events(record: Mapping[str, Any]) -> dict[str, Any]:
    """The true events of a video under "gold": ActivityNet Captions', or TimeIT's in one text."""
    spans = record.get("timestamps", record.get("segments"))
    texts = record.get("sentences", record.get("captions"))
    if isinstance(spans, list) and not isinstance(texts, list):
        whole = record.get("pure_cap")
        pieces = str(whole if whole is not None else record.get("caption", ""))
        texts = [
            f"{t.strip()}." for t in pieces.split(". " if whole is not None else ".")
            if whole is not None or len(t) > 5
        ]  # fmt: skip
    if not isinstance(spans, list) or len(spans) != len(texts):
        return dict(record)
    return {**record, "gold": {"timestamps": spans, "sentences": texts}}


def _track_samples(folder: Path, records: list[dict[str, Any]]) -> dict[str, Sample]:
    """Samples of a folder of true tracks; predicted boxes are cut at the picture where it is known.

    Frames whose target is not visible do not count, and further runs of a sequence count too, as in
    the GOT-10k toolkit.
    """
    try:
        golds = track_golds(folder)
    except InteropError as error:
        raise LogError(str(error)) from None
    if not golds:
        raise LogError(f"{folder}: holds no groundtruth.txt. Name the folder of the sequences.")
    runs: dict[str, list[str]] = {}
    for record in records:
        name = text_of(record.get("id"))
        runs.setdefault(name.partition("#")[0], []).append(name)
        size = golds.get(name.partition("#")[0], {}).get("size")
        if isinstance(record.get("prediction"), Mapping) and size:
            boxes = record["prediction"].items()
            record["prediction"] = {t: within(b, size) for t, b in boxes}
    samples = {}
    for name, gold in golds.items():
        cover = gold["cover"] or []
        boxes = {
            str(t): corners(within(box, gold["size"]))
            for t, box in enumerate(gold["boxes"])
            if box and (not t or t >= len(cover) or cover[t] > 0)
        }
        for key in runs.get(name, [name]):
            samples[key] = Sample(
                key, "", json.dumps(boxes), "tracking", video=name, meta={"boxes": "corners"}
            )
    return samples


def _options(value: Any) -> tuple[str, ...]:
    choice: Any = importlib.import_module("reproductions.benchmarks._choice")
    if value in (None, "", [], {}):
        return ()
    if isinstance(value, Mapping):
        return tuple(choice.lettered([v for v in value.values() if v not in (None, "")]))
    return tuple(choice.lettered(choice.listed(value)))


def sample_of(
    benchmark: Any, key: str, record: Mapping[str, Any], chosen: Mapping[str, str]
) -> Sample:
    """A sample from the log alone."""
    if "doc" in record and isinstance(record["doc"], Mapping):
        try:  # lmms-eval logs the whole question record
            made = benchmark.sample(record["doc"])
            if isinstance(made, Sample):
                return replace(made, id=key)
        except (KeyError, ValueError, TypeError, IndexError, AttributeError):
            pass  # a copy of the data set with other fields: the target counts
    options = _options(record.get(chosen["options"])) if chosen["options"] else ()
    if not options:  # VLMEvalKit: a column an option
        columns = [record.get(x) for x in "ABCDEFGHIJ"]
        options = _options([c for c in columns if c not in (None, "")])
    question = str(record.get(chosen["question"], "")) if chosen["question"] else ""
    if not options and benchmark.shape.inline is not None and question:
        try:
            question, found = benchmark.shape.inline(question)
            options = tuple(found) if found and ": " in found[0] else _options(list(found))
        except ValueError:
            pass  # a question without its options; letters are read all the same
    gold = record.get(chosen["gold"]) if chosen["gold"] else None
    if gold is None and chosen["gold"]:
        raise ValueError(f"the field {chosen['gold']} is empty")
    plain = {k: v for k, v in record.items() if isinstance(v, str | int | float)}
    kind = record.get("problem_type")
    return Sample(
        id=key,
        question=question,
        answer=benchmark.shape.gold(gold, options) if gold is not None else "",
        problem_type=kind if kind in KINDS else "multiple choice",
        options=options,
        video=text_of(record[chosen["video"]]) if record.get(chosen["video"]) is not None else None,
        task=text_of(record.get(chosen["task"], "")) if chosen["task"] else "",
        meta=plain,
    )


def same_gold(benchmark: Any, value: Any, sample: Sample) -> bool:
    """Whether a logged gold, however written, is the sample's."""
    try:
        return bool(benchmark.shape.gold(value, sample.options) == sample.answer)
    except (ValueError, TypeError):
        return False
