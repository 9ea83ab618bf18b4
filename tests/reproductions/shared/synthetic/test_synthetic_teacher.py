"""What an imperfect teacher concludes, by question type."""

import pytest

from reproductions.shared.method import Sample
from reproductions.shared.prompts import rationale_target
from reproductions.shared.rewards.intervals import parse_to, tiou
from reproductions.shared.synthetic.teacher import imperfect
from reproductions.shared.synthetic.world import Knobs, make


def taught(task: str, error: float, count: int = 60, **knobs: object) -> list[Sample]:
    clips = [make(task, 0, i, Knobs(**knobs))[1] for i in range(count)]  # type: ignore[arg-type]
    return imperfect(clips, error, seed=0)


@pytest.mark.parametrize("task", ["counting", "temporal_grounding", "needle", "speed"])
def test_a_wrong_rationale_and_its_answer_conclude_the_same(task: str) -> None:
    right, wrong = taught(task, 0.0), taught(task, 1.0)
    for before, after in zip(right, wrong, strict=True):
        assert "teacher_answer" not in before.meta
        assert after.answer == before.answer  # Gold stays.
        said = after.meta["teacher_answer"]
        assert said != after.answer
        shown = dict(o.split(". ") for o in after.options).get(said, said)
        assert after.rationale.endswith(f": {shown}")
        assert f"<answer>{said}</answer>" in rationale_target(after)


def test_a_wrong_number_is_one_too_large() -> None:
    for sample in taught("counting", 1.0):
        assert int(sample.meta["teacher_answer"]) == int(sample.answer) + 1


@pytest.mark.parametrize("fps", [1.0, 2.0])
def test_a_wrong_span_is_one_frame_off_and_inside_the_clip(fps: float) -> None:
    for sample in taught("temporal_grounding", 1.0, fps=fps):
        gold, said = parse_to(sample.answer), parse_to(sample.meta["teacher_answer"])
        assert gold and said
        assert abs(said[0] - gold[0]) == pytest.approx(1 / fps)
        assert said[0] >= 0 and said[1] <= sample.meta["seconds"]
        assert tiou(said, gold) < 1


def test_the_share_of_wrong_rationales_is_the_one_asked_for() -> None:
    wrong = ["teacher_answer" in s.meta for s in taught("counting", 0.5, count=400)]
    assert 150 < sum(wrong) < 250


@pytest.mark.parametrize("task", ["tracking", "order"])
def test_boxes_and_free_answers_stay_right(task: str) -> None:
    knobs = {} if task == "tracking" else {"question_type": "free"}
    assert all("teacher_answer" not in s.meta for s in taught(task, 1.0, **knobs))
