"""The end of a run: scores, intervals and paired tests by hand; what belongs to the protocol."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("torch")

from reproductions.shared.evaluation.outcome import SCORE, _notes, protocol_of, summarise
from reproductions.shared.evaluation.report import _settings
from reproductions.shared.evaluation.run_folder import Run
from reproductions.shared.evaluation.runner import cost_of
from reproductions.shared.evaluation.statistics import wilson
from reproductions.shared.evaluation.strategies import MOST_VOTES, equal_votes
from reproductions.shared.prompts import answer_only
from reproductions.shared.settings import Options, complete, find_method, frame_spec, settings_of


def records(scores, tasks=None, videos=None, finished=True):
    return [
        {
            "id": str(i),
            "task": tasks[i] if tasks else "",
            "score": s,
            "video": videos[i] if videos else None,
            "finished": finished,
            "tokens_in": 50,
            "tokens_out": 10,
            "frames": 8,
            "seconds": 0.25,
        }
        for i, s in enumerate(scores)
    ]


def test_scores_and_paired_tests_by_hand():
    base = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    sft = [0, 1, 1, 1, 1, 1, 0, 0, 0, 0]
    rl = [1] * 9 + [0]
    result = summarise({"base": records(base), "sft": records(sft), "rl": records(rl)})
    assert [(r["checkpoint"], r["task"], r["n"]) for r in result["rows"]] == [
        ("base", "all", 10),
        ("sft", "all", 10),
        ("rl", "all", 10),
    ]
    assert [r["score"] for r in result["rows"]] == pytest.approx([0.1, 0.5, 0.9])
    expected = wilson(5, 10)
    assert result["rows"][1]["interval"] == pytest.approx((expected.low, expected.high))
    pairs = {(c["a"], c["b"]): c for c in result["comparisons"]}
    assert list(pairs) == [("base", "sft"), ("sft", "rl"), ("base", "rl")]
    step = pairs["base", "sft"]
    assert step["difference"] == pytest.approx(0.4)
    # Discordant pairs 1 against 5: exact binomial, twice (C(6,0) + C(6,1)) / 2^6 = 14 / 64.
    assert "McNemar" in step["test"] or "mcnemar" in step["test"]
    assert step["p_value"] == pytest.approx(14 / 64)
    assert result["checkpoints"] == ["base", "sft", "rl"]


def test_tasks_are_reported_apart_when_there_are_several():
    tasks = ["count", "order"] * 3
    result = summarise({"a": records([1, 0] * 3, tasks), "b": records([1, 1] * 3, tasks)})
    scores = {(r["checkpoint"], r["task"]): (r["score"], r["n"]) for r in result["rows"]}
    assert scores == {
        ("a", "all"): (0.5, 6),
        ("b", "all"): (1.0, 6),
        ("a", "count"): (1.0, 3),
        ("b", "count"): (1.0, 3),
        ("a", "order"): (0.0, 3),
        ("b", "order"): (1.0, 3),
    }
    single = summarise({"a": records([1, 0], ["count"] * 2)})
    assert [r["task"] for r in single["rows"]] == ["all"] and single["comparisons"] == []


def test_questions_about_one_video_are_one_cluster():
    """Ten questions about two videos tell less than ten about ten."""
    scores = [1] * 5 + [0] * 5
    apart = summarise({"a": records(scores, videos=[f"{i}.mp4" for i in range(10)])})
    together = summarise({"a": records(scores, videos=["x.mp4"] * 5 + ["y.mp4"] * 5)})

    def width(result):
        low, high = result["rows"][0]["interval"]
        return high - low

    assert width(together) > width(apart)


def test_how_many_answers_were_cut():
    mixed = records([1, 1]) + records([0, 0], finished=False)
    assert summarise({"a": mixed})["unfinished"] == {"a": 0.5}


def test_cost():
    total = cost_of(records([1, 0, 1]))
    wanted = {"tokens_in": 150, "tokens_out": 30, "frames": 24, "seconds": 0.75}
    assert {k: total[k] for k in wanted} == wanted and total["calls"] == 0
    result = summarise({"a": records([1, 0]), "b": records([1, 1])})
    assert result["cost"]["b"]["tokens_out"] == 20 and result["failed"] == {"a": 0, "b": 0}


def test_votes_that_cost_as_much():
    """Greedy: 50 in, 10 out. A strategy of 200 in and 40 out: 50 + n x 10 >= 240, so n = 19."""
    greedy = records([1])
    spent = [greedy[0] | {"tokens_in": 200, "tokens_out": 40}]
    assert equal_votes(greedy, spent) == 19
    assert equal_votes(greedy, greedy) == 1
    assert equal_votes(greedy, [greedy[0] | {"tokens_in": 10**6}]) == MOST_VOTES


def test_the_protocol_is_what_makes_scores_comparable(clips):
    method = complete(find_method("video_r1"))

    def fingerprint(method=method, samples=clips, **overrides):
        preset = settings_of(
            find_method("video_r1"),
            Options(overrides={k.replace("__", "."): v for k, v in overrides.items()}),
        )
        spec = frame_spec(preset, preset.evaluate.frames)
        return protocol_of(method, preset, samples, spec).fingerprint()

    same = fingerprint()
    assert same == fingerprint() == fingerprint(method=replace(method, id="other"))
    assert same == fingerprint(seed=3, stages__rl__learning_rate=1e-4)
    others = {
        fingerprint(frames__num_frames=4),
        fingerprint(evaluate__temperature=0.5),
        fingerprint(evaluate__max_new_tokens=12),
        fingerprint(method=replace(method, prompt=answer_only)),
    }
    assert len(others) == 4 and same not in others


def test_all_methods_are_scored_alike():
    assert SCORE(prompts=["?"], completions=["<answer>B</answer>"], solution=["B"]) == [1.0]


def test_the_notes_name_the_synthetic_world_only_where_it_was_used():
    preset = settings_of(find_method("video_r1"), Options())
    assert preset.synthetic.teacher_error == 0.5
    synthetic, own = (_notes(preset, True, name) for name in ("synthetic", "own_clips"))
    assert "synthetic clips" in synthetic[0] and synthetic[1].startswith("50 %")
    assert own == ["A small model from random weights; not the paper's numbers."]


def test_a_setting_of_the_miniature_is_not_said_to_be_the_papers(tmp_path):
    preset = settings_of(find_method("video_r1"), Options()).model_dump(mode="json")
    run = Run(tmp_path, config={"preset_name": "mini", "settings": preset})
    sources = {row["key"]: row["source"] for row in _settings(run)}
    assert sources["stages.rl.learning_rate"] == "mini.yaml: not the paper's"
    assert "59d65c3" in sources["stages.rl.num_generations"]
