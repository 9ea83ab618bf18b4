"""The chain-of-thought pipeline on scripted models: who is told what, and what is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reproductions.shared.cot import Recipe, distil, facts_of, record_of, summary
from reproductions.shared.inference.engine import Request
from reproductions.shared.inference.scripted import ScriptedGenerator
from reproductions.shared.method import Sample
from reproductions.shared.rewards.rules import accuracy

REWARD = accuracy("video_r1")


def sample(i: int = 0, **more: object) -> Sample:
    values = {
        "id": f"s{i}",
        "question": "Which way does blue move?",
        "answer": "B",
        "options": ("A. left", "B. right"),
        "video": f"/clips/{i}.mp4",
        "task": "direction",
        "meta": {"events": [{"object": "blue", "start": 1.0, "boxes": [[0.0, 1, 1, 1, 1]]}]},
    }
    return Sample(**{**values, **more})  # type: ignore[arg-type]


def answer(thought: str, letter: str = "B") -> str:
    return f"<think>{thought}</think><answer>{letter}</answer>"


def run(*texts: str, recipe: Recipe | None = None, samples: list[Sample] | None = None):
    """Every sample's candidates are `texts`; the draft is "draft of <id>"."""

    def script(request: Request, index: int) -> str:
        return texts[index] if request.sample.video else f"draft of {request.sample.id}"

    model = ScriptedGenerator(script)
    recipe = recipe or Recipe(candidates=len(texts))
    return distil(samples or [sample()], model, REWARD, recipe), model


def test_the_drafter_knows_the_answer_and_the_refiner_the_frames() -> None:
    _, model = run(answer("blue goes right at 1.0s"))
    (draft,), (refine,) = model.calls
    assert draft.sample.video is None
    assert draft.messages[0].shows is None
    assert "Its answer is B." in draft.messages[0].text
    assert "object blue, start 1.0" in draft.messages[0].text
    assert "boxes" not in draft.messages[0].text
    assert refine.messages[0].shows is not None
    assert "draft of s0" in refine.messages[0].text
    assert "answer is B" not in refine.messages[0].text


def test_the_first_that_passes_is_taken() -> None:
    (item,), _ = run(answer("wrong way", "A"), answer("blue goes right"), answer("x y z"))
    assert (item.kept, item.reason, item.origin, item.tried) == (True, "kept", "refined", 2)
    assert item.sample.rationale == "blue goes right"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (answer("blue goes left", "A"), "wrong"),
        ("blue goes right <answer>B</answer>", "format"),
        (answer("right it"), "short"),
        (answer("word " * 801), "long"),
        (answer("the given answer is B so right"), "leak"),
        (answer("As stated in the draft blue goes right"), "leak"),
        ("", "empty"),
    ],
)
def test_what_is_dropped(text: str, reason: str) -> None:
    (item,), _ = run(text)
    assert (item.kept, item.reason, item.sample.rationale) == (False, reason, "")


def test_the_same_words_about_the_same_clip_count_once() -> None:
    two = [sample(0), sample(1, video="/clips/0.mp4"), sample(2)]
    items, _ = run(answer("blue goes right"), samples=two)
    assert [i.reason for i in items] == ["kept", "repeated", "kept"]


def test_a_given_draft_can_serve_when_nothing_refined_passes() -> None:
    recipe = Recipe(draft="given", candidates=1, keep_draft=True)
    good = sample(0, rationale="blue goes right then stops")
    bad = sample(1, rationale="blue goes left then stops", meta={"teacher_answer": "A"})
    items, model = run(answer("no", "A"), recipe=recipe, samples=[good, bad])
    assert [(i.reason, i.origin) for i in items] == [("kept", "draft"), ("wrong", "")]
    assert len(model.calls) == 1  # no draft was asked for
    assert items[0].sample.rationale == good.rationale


def test_without_a_draft_the_models_own_prompt_is_used() -> None:
    _, model = run(answer("blue goes right"), recipe=Recipe(draft="none", candidates=1))
    ((request,),) = model.calls
    assert request.messages == ()


def test_unfinished_answers_are_not_read() -> None:
    class Cut(ScriptedGenerator):
        def generate(self, requests, sampling):  # type: ignore[no-untyped-def]
            from dataclasses import replace

            out = super().generate(requests, sampling)
            return [[replace(c, finished=False) for c in answers] for answers in out]

    model = Cut(lambda request, _: answer("blue goes right"))
    recipe = Recipe(draft="none", candidates=1)
    (item,) = distil([sample()], model, REWARD, recipe)
    assert item.reason == "empty"


def test_a_text_drafter_of_its_own() -> None:
    writer = ScriptedGenerator(lambda request, _: "<think>a draft</think> rest")
    model = ScriptedGenerator(lambda request, _: answer("blue goes right"))
    (item,) = distil([sample()], model, REWARD, Recipe(candidates=1), drafter=writer)
    assert item.draft == "a draft"
    assert len(writer.calls) == len(model.calls) == 1


def test_facts_are_bounded() -> None:
    long = sample(meta={"captions": ["x" * 10_000]})
    assert len(facts_of(long, ("captions",))) == 6000
    assert facts_of(sample(), ("none",)) == ""


def test_records_are_read_by_the_published_reader(tmp_path: Path) -> None:
    from reproductions.datasets.video_r1_260k import load

    items, _ = run(answer("blue goes right"), samples=[sample(0), sample(1)])
    (tmp_path / "clips").mkdir()
    for i in range(2):
        (tmp_path / f"clips/{i}.mp4").write_bytes(b"x")
    path = tmp_path / "made.jsonl"
    path.write_text("".join(json.dumps(record_of(i, "")) + "\n" for i in items))
    read = load(path, tmp_path)
    assert [s.rationale for s in read] == ["blue goes right"] * 2
    assert [s.answer for s in read] == ["B", "B"]
    counts = summary(items)
    assert (counts["kept"], counts["reasons"]) == (2, {"kept": 2})
    assert counts["tasks"] == {"direction": {"kept": 2}}


@pytest.mark.parametrize("bad", [{"candidates": 0}, {"least": 0.0}, {"words": (5, 2)}])
def test_recipes_that_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="candidates must be"):
        Recipe(**bad)  # type: ignore[arg-type]
