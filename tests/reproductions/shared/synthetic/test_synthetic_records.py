"""Published record formats written from synthetic samples: form, and agreement with the sample."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reproductions.shared.synthetic import records
from reproductions.shared.synthetic.dataset import build
from reproductions.shared.synthetic.world import QUESTION_TYPES, TASKS, Knobs

MCQ_TASKS = [task for task in TASKS if "mcq" in QUESTION_TYPES[task]]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("records")


@pytest.fixture(scope="module")
def natural(root):
    samples = build(root / "natural", TASKS, 2 * len(TASKS), 0, "train", Knobs(size=16))
    return {sample.task: sample for sample in samples}, root / "natural"


@pytest.fixture(scope="module")
def mcq(root):
    knobs = Knobs(size=16, question_type="mcq", option_order="shuffled")
    samples = build(root / "mcq", MCQ_TASKS, 2 * len(MCQ_TASKS), 0, "test", knobs)
    return {sample.task: sample for sample in samples}, root / "mcq"


def test_video_r1_and_back(natural, mcq):
    for samples, root in (natural, mcq):
        for sample in samples.values():
            record = json.loads(json.dumps(records.video_r1(sample, root)))
            assert record["path"].startswith("./") and (root / record["path"]).is_file()
            assert record["solution"] == f"<answer>{sample.answer}</answer>"
            assert record["process"] == f"<think>{sample.rationale}</think>"
            assert str(root) not in json.dumps(record)
            assert records.from_video_r1(record, root) == sample


def test_time_r1_and_charades(natural):
    samples, root = natural
    sample = samples["temporal_grounding"]
    record = records.time_r1(sample, root)
    assert (root / record["video"]).is_file()
    start, end = record["timestamp"]
    assert 0 <= start < end <= record["duration"] == 8.0
    assert sample.answer == f"{start:.1f} to {end:.1f}"
    colour = record["sentence"].split()[0]
    assert colour in sample.question and record["sentence"] == f"{colour} appears"
    assert records.charades_sta(sample) == f"{sample.id} {start} {end}##{colour} appears."
    with pytest.raises(ValueError, match="has no interval"):
        records.time_r1(samples["direction"], root)


def test_videochat_r1(natural, mcq):
    samples, root = natural
    grounding = records.videochat_r1(samples["temporal_grounding"], root)
    assert grounding["data_type"] == "tg" and len(grounding["solution"]) == 2
    tracking = records.videochat_r1(samples["tracking"], root)
    boxes = tracking["solution"]["answer"]
    assert tracking["problem"]["start"] == boxes[0] and len(boxes) == 8
    # One box a second, eight seconds: the record's boxes are those of the answer.
    for box, known in zip(boxes, json.loads(samples["tracking"].answer), strict=True):
        assert box == pytest.approx(known, abs=0.006)
    samples, root = mcq
    needle = samples["needle"]
    gqa = records.videochat_r1(needle, root)
    assert gqa["solution"]["glue"] == [needle.meta["interval"]]
    assert gqa["solution"]["answer"] == f"({needle.answer}) {needle.meta['answer_text']}"
    assert gqa["solution"]["answer"] in gqa["problem"]["options"]


def test_benchmark_rows_hold_the_answer(mcq, natural):
    samples, root = mcq
    for task, sample in samples.items():
        text = sample.meta["answer_text"]
        row = records.mvbench(sample, root)
        assert row["answer"] == text and row["candidates"].count(text) == 1
        assert (root / row["video"]).is_file()
        row = records.video_mme(sample, root)
        assert dict(o.split(". ") for o in row["options"])[row["answer"]] == text
        assert (root / "videos" / f"{row['videoID']}.mp4").is_file()
        row = records.mmvu(sample, root)
        assert row["choices"][row["answer"]] == text and list(row["choices"]) == list("ABCDE")
        row = records.video_mmmu(sample, root)
        assert row["options"]["ABCDE".index(row["answer"])] == text
        if task in ("spatial_relation", "order"):
            row = records.vsi_bench(sample, root)
            assert dict(o.split(". ") for o in row["options"])[row["ground_truth"]] == text
            assert (root / row["dataset"] / f"{row['scene_name']}.mp4").is_file()
    ids = [records.video_mme(sample, root)["question_id"] for sample in samples.values()]
    assert len(set(ids)) == len(ids)
    row = records.vsi_bench(natural[0]["counting_objects"], natural[1])
    assert row["question_type"] == "object_counting" and row["options"] is None
    assert row["ground_truth"] == natural[0]["counting_objects"].answer
    row = records.mmvu(natural[0]["counting"], natural[1])
    assert row["question_type"] == "open-ended" and set(row["choices"].values()) == {""}


def test_tempcompass_file(mcq):
    samples, root = mcq
    chosen = [samples[task] for task in ("direction", "speed", "order", "reversal", "counting")]
    file = records.tempcompass(chosen, root)
    assert len(file) == 5
    for sample in chosen:
        ((aspect, [question]),) = file[Path(sample.video).stem].items()
        assert aspect in {"direction", "speed", "order", "attribute_change", "action"}
        assert question["answer"] in question["question"].split("\n")[1:]
        assert question["answer"].endswith(sample.meta["answer_text"])


def test_what_a_format_cannot_hold_is_refused(natural, mcq):
    samples, root = natural
    with pytest.raises(ValueError, match="multiple choice alone"):
        records.mvbench(samples["tracking"], root)
    with pytest.raises(ValueError, match="VSI-Bench has nothing like 'direction'"):
        records.vsi_bench(samples["direction"], root)


def test_write_jsonl(tmp_path):
    path = records.write_jsonl(tmp_path / "a.jsonl", [{"a": "é"}, {"b": 2}])
    assert [json.loads(line) for line in path.read_text().splitlines()] == [{"a": "é"}, {"b": 2}]
