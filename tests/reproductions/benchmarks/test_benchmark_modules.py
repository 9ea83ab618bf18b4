"""Every benchmark module against records in its published form (tests/data/benchmarks)."""

from __future__ import annotations

import csv
import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from reproductions.benchmarks import _base
from reproductions.benchmarks._base import Benchmark, load
from reproductions.benchmarks._files import FileProblem
from reproductions.shared.evaluation.headline import headline_of
from vidpost.catalog.loader import load as load_catalog

DATA = Path(__file__).parents[2] / "data" / "benchmarks"
SNAPSHOT = DATA / "snapshot.jsonl"
NAMES = _base.names()
FORMS = [
    name if not variant else f"{name}:{variant}"
    for name in NAMES
    for variant in ("", *_base.get(name).variants)
]


def write(folder: Path, name: str, records: Any) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    elif path.suffix in (".csv", ".tsv"):
        buffer = io.StringIO()
        table = csv.DictWriter(buffer, records[0], delimiter="\t" if path.suffix == ".tsv" else ",")
        table.writeheader()
        table.writerows(records)
        path.write_text(buffer.getvalue(), encoding="utf-8")
    elif path.suffix == ".txt":
        path.write_text("\n".join(records) + "\n", encoding="utf-8")
    elif path.suffix == ".parquet":
        pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pa.Table.from_pylist(records), path)
    else:
        path.write_text(json.dumps(records), encoding="utf-8")


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Benchmark -> a folder with its question files and (empty) videos."""
    made = {}
    for name in NAMES:
        folder = tmp_path_factory.mktemp(name)
        data = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
        for file, records in data["files"].items():
            write(folder, file, records)
        for video in data["videos"]:
            (folder / video).parent.mkdir(parents=True, exist_ok=True)
            (folder / video).write_bytes(b"")
        made[name] = folder
    return made


@cache
def entries() -> Any:
    return load_catalog()


def samples_of(benchmark: Benchmark, folder: Path) -> tuple[str, _base.Loaded]:
    """The first split whose files are in the fixture."""
    for split in benchmark.splits:
        try:
            return split, load(benchmark, folder, split)
        except FileProblem as problem:
            if "no " not in str(problem):
                raise
    raise AssertionError(f"{benchmark.id}: the fixture fits no split")


def everything(benchmark: Benchmark, folder: Path) -> list[Any]:
    """Samples of a split with or without their videos."""
    for split, facts in benchmark.splits.items():
        for pattern in facts.files:
            files = sorted(f for f in folder.glob(pattern) if f.is_file())
            if files:
                return [s for f in files for s in benchmark.read(f, split)]
    raise AssertionError(f"{benchmark.id}: the fixture fits no split")


def test_there_are_enough() -> None:
    assert len(NAMES) >= 40


@pytest.mark.parametrize("form", FORMS)
def test_questions_are_read_as_published(form: str, folders: dict[str, Path]) -> None:
    """Id, answer, options, video and prompt of every sample equal the reviewed snapshot."""
    benchmark = _base.get(form)
    want = {r["form"]: r["samples"] for r in map(json.loads, SNAPSHOT.read_text().splitlines())}
    assert [describe(benchmark, s) for s in everything(benchmark, folders[benchmark.id])] == want[
        form
    ]


def describe(benchmark: Benchmark, sample: Any) -> dict[str, Any]:
    return {
        "id": sample.id,
        "question": sample.question,
        "answer": sample.answer,
        "type": sample.problem_type,
        "options": list(sample.options),
        "video": sample.video,
        "task": sample.task,
        "prompt": benchmark.prompt(sample),
    }


@pytest.mark.parametrize("form", FORMS)
def test_the_gold_answer_earns_the_full_score(form: str, folders: dict[str, Path]) -> None:
    benchmark = _base.get(form)
    if benchmark.shape.name == "open":
        pytest.skip("a judge says what is right")
    samples = [s for s in everything(benchmark, folders[benchmark.id]) if s.answer]
    better = benchmark.shape.better or next(iter(benchmark.shape.rules))
    rule = benchmark.shape.rules[better]
    graded = [rule(s, perfect(benchmark, s)) for s in samples]
    for sample, answer in zip(samples, graded, strict=True):
        # METEOR keeps a penalty even for equal texts.
        slack = 0.05 if benchmark.shape.name in ("dense", "caption") else 1e-9
        assert next(iter(answer.values.values())) == pytest.approx(1.0, abs=slack), sample
    for sample in samples:
        nothing = rule(sample, None)
        assert next(iter(nothing.values.values())) == 0.0
        assert nothing.read is None
    numbers = benchmark.numbers(samples, graded) if samples else {}
    assert all(n.n >= 0 for n in numbers.values())


def perfect(benchmark: Benchmark, sample: Any) -> Any:
    """What a model would write, or log, to be right."""
    kind = benchmark.shape.name
    if kind in ("span", "moments"):
        spans = [s.split(" to ") for s in sample.answer.split(", ")]
        return [[float(a), float(b)] for a, b in spans]
    if kind == "dense":
        return [{"timestamp": [s, e], "sentence": t} for s, e, t in json.loads(sample.answer)[0]]
    if kind == "track":
        boxes = json.loads(sample.answer)
        return {k: [b[0], b[1], b[2] - b[0], b[3] - b[1]] for k, b in boxes.items()}
    if kind in ("tube", "mask", "order"):
        return json.loads(sample.answer)
    if kind == "caption":
        return sample.answer
    return f"<think>So it is this.</think>\n<answer>{sample.answer}</answer>"


@pytest.mark.parametrize("form", FORMS)
def test_the_entry_and_its_metrics_exist(form: str) -> None:
    benchmark, catalog = _base.get(form), entries()
    assert benchmark.id in catalog.benchmarks
    assert benchmark.metrics
    unknown = [m for m in benchmark.metrics if m not in catalog.metrics]
    assert not unknown, f"no metric entry: {unknown}"
    assert benchmark.source
    for name in benchmark.rules:
        assert name in _base.HARNESSES
        benchmark.rule(name)
    assert "paper" in benchmark.rules
    assert not benchmark.shape.better or benchmark.shape.better in benchmark.shape.rules


@pytest.mark.parametrize("name", NAMES)
def test_missing_videos_are_listed_and_counted(name: str, folders: dict[str, Path]) -> None:
    benchmark = _base.get(name)
    split, loaded = samples_of(benchmark, folders[name])
    lost = sum(loaded.missing.values())
    assert len(loaded.samples) + lost == loaded.total
    videos = json.loads((DATA / f"{name}.json").read_text())["videos"]
    if videos:
        assert any(s.video and Path(s.video).is_file() for s in loaded.samples)
    empty = folders[name] / "nothing here"
    empty.mkdir(exist_ok=True)
    gone = load(benchmark, folders[name], split, videos=empty)
    asked = [s for s in everything(benchmark, folders[name]) if s.video]
    if asked and split == next(iter(benchmark.splits)):
        assert sum(gone.missing.values()) == gone.total
        assert "missing" in gone.sentence()


def test_a_split_and_a_variant_that_do_not_exist_are_named(folders: dict[str, Path]) -> None:
    with pytest.raises(KeyError, match=r"no split 'x'.*val"):
        load(_base.get("next_qa"), folders["next_qa"], "x")
    with pytest.raises(KeyError, match=r"no variant 'x'.*dense"):
        _base.get("youcook2:x")
    with pytest.raises(KeyError, match=r"Did you mean.*video_mme"):
        _base.get("videomme")
    assert _base.get("next-qa").id == "next_qa"


def test_a_wrong_file_is_refused_with_its_place(tmp_path: Path) -> None:
    benchmark = _base.get("next_qa")
    (tmp_path / "val.csv").write_text("video,question\n1,why\n")
    with pytest.raises(FileProblem, match=r"val.csv:2: no field 'qid' in \['question', 'video'\]"):
        load(benchmark, tmp_path, "val")
    (tmp_path / "val.csv").write_text("")
    with pytest.raises(FileProblem, match="is empty"):
        load(benchmark, tmp_path, "val")
    with pytest.raises(FileProblem, match=r"no test.csv of next_qa \(test\)"):
        load(benchmark, tmp_path, "test")


def test_a_gold_that_is_no_option_is_refused(tmp_path: Path) -> None:
    record = {
        "video": "a.mp4",
        "question": "what?",
        "candidates": ["left", "right"],
        "answer": "up",
    }
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / "action_count.json").write_text(json.dumps([record]))
    with pytest.raises(FileProblem, match=r"action_count.json:1: .*'up' is no option"):
        load(_base.get("mvbench"), tmp_path)


def test_no_name_leads_out_of_the_folder(tmp_path: Path) -> None:
    """A record of a stranger cannot point at a file elsewhere."""
    (tmp_path / "secret.mp4").write_bytes(b"x")
    folder = tmp_path / "benchmark"
    folder.mkdir()
    (folder / "charades_sta_test.txt").write_text("../secret 1.0 2.0##a person waves.\n")
    loaded = load(_base.get("charades_sta"), folder)
    assert loaded.missing == {"../secret": 1}
    assert loaded.samples == []


def test_subtitles_are_found_beside_the_video(folders: dict[str, Path]) -> None:
    with_text = load(_base.get("video_mme"), folders["video_mme"], subtitles=True)
    assert Path(with_text.samples[0].meta["subtitles"]).name == "abcdefghijk.srt"
    assert "subtitles" not in load(_base.get("video_mme"), folders["video_mme"]).samples[0].meta


def test_subtitles_become_part_of_the_prompt(tmp_path: Path) -> None:
    data = json.loads((DATA / "video_mme.json").read_text())
    for file, records in data["files"].items():
        write(tmp_path, file, records)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "abcdefghijk.mp4").write_bytes(b"")
    (tmp_path / "subtitle").mkdir()
    (tmp_path / "subtitle" / "abcdefghijk.srt").write_text(
        "1\n00:00:01,000 --> 00:00:02,000\n<i>Hello</i> there.\n\n"
        "2\n00:00:02,000 --> 00:00:03,000\nHello there.\nTwo 2\n"
    )
    benchmark = _base.get("video_mme")
    plain = load(benchmark, tmp_path).samples[0]
    told = load(benchmark, tmp_path, subtitles=True).samples[0]
    assert told.meta["subtitle_text"] == "Hello there.\nTwo 2"
    assert "subtitles are listed below: \nHello there.\nTwo 2\n" in benchmark.prompt(told)
    assert "listed below" not in benchmark.prompt(plain)


HEADLINES = {
    ("accuracy", "accuracy"),
    ("average_overlap", "AO"),
    ("bleu", "BLEU-4"),
    ("cider", "CIDEr"),
    ("circular_accuracy", "circular accuracy"),
    ("f1", "F1"),
    ("group_score", "group score"),
    ("j_and_f", "J&F"),
    ("macro_accuracy", "macro accuracy"),
    ("macro_accuracy", "mean over modes"),
    ("macro_accuracy", "overall"),
    ("map_at_iou", "mAP"),
    ("miou", "mIoU"),
    ("multi_binary_accuracy", "multi-binary accuracy"),
    ("ndcg", "NDCG"),
    ("nonlinear_group_score", "group score"),
    ("pair_accuracy", "pair accuracy"),
    ("pauc", "PAUC"),
    ("recall_at_iou", "R@1 IoU=0.3"),
    ("soda_c", "SODA_c"),
    ("token_f1", "F1"),
    ("v_iou", "m_vIoU"),
}
"""(metric, number) that belong together, from the definitions in catalog/metrics."""


@pytest.mark.parametrize("form", FORMS)
def test_the_metric_of_a_card_is_that_of_its_number(form: str, folders: dict[str, Path]) -> None:
    """Under every named rule that needs no judge; a published metric that is there comes first."""
    benchmark = _base.get(form)
    samples = [s for s in everything(benchmark, folders[benchmark.id]) if s.answer]
    for name in benchmark.rules:
        rule_name, rule = benchmark.rule(name)
        if not samples or rule_name in benchmark.shape.judged:
            continue
        numbers = benchmark.numbers(samples, [rule(s, perfect(benchmark, s)) for s in samples])
        metric, number = headline_of(benchmark, numbers)
        assert number in numbers and (metric, number) in HEADLINES
        assert metric in entries().metrics
        own = [m for m in benchmark.metrics if any((m, n) in HEADLINES for n in numbers)]
        # F1 of the words of a text is no F1 of the benchmark's, unless it says so.
        assert metric == next(iter(own), metric) or {metric, *own} == {"token_f1", "f1"}


def test_an_id_that_stands_in_two_files_is_refused(tmp_path: Path) -> None:
    record = {"qid": 7, "q": "Which?", "answer_idx": 0, "vid_name": "v"}
    record |= {f"a{i}": f"option {i}" for i in range(5)}
    (tmp_path / "LongTVQA_val.json").write_text(json.dumps([record]))
    (tmp_path / "LongTVQA_val.jsonl").write_text("\n" + json.dumps(record))
    with pytest.raises(FileProblem, match=r"'7' stands at LongTVQA_val\.json:\d too"):
        load(_base.get("longtvqa"), tmp_path, "val")


def snapshot() -> None:
    """Write the snapshot anew (after a review): python tests/.../test_benchmark_modules.py."""
    import tempfile

    rows = []
    for form in FORMS:
        benchmark = _base.get(form)
        data = json.loads((DATA / f"{benchmark.id}.json").read_text(encoding="utf-8"))
        with tempfile.TemporaryDirectory() as folder:
            for file, records in data["files"].items():
                write(Path(folder), file, records)
            samples = everything(benchmark, Path(folder))
            rows.append({"form": form, "samples": [describe(benchmark, s) for s in samples]})
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    SNAPSHOT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    snapshot()
