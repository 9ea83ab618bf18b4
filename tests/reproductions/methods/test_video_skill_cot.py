"""Video-Skill-CoT: taxonomy, filter and rationale, with numbers worked out by hand."""

from __future__ import annotations

from math import sqrt

import pytest

from reproductions.methods.video_skill_cot.method import (
    cosine,
    description,
    embed,
    format_target,
    prepare_data,
    taxonomy,
)
from reproductions.shared.method import Context, Sample


def sample(skill, rationale="1.0s red; 4.0s blue: red first", **meta):
    meta = {"skill": skill, **meta}
    return Sample(id=skill, question="?", answer="A", rationale=rationale, meta=meta)


def test_similarity_counts_shared_words():
    assert embed("count red") == pytest.approx({"count": 1 / sqrt(2), "red": 1 / sqrt(2)})
    # One of two words shared: 1 / sqrt(2) x 1 / sqrt(2).
    assert cosine(embed("count red"), embed("Count_blue")) == pytest.approx(0.5)
    assert cosine(embed("order"), embed("count")) == 0


def test_skills_of_one_kind_share_a_cluster():
    texts = ["count red", "count blue", "order events", "count red", "order shots"]
    skills = taxonomy(texts, k=2)
    assert list(skills) == ["count red", "order events"]
    # "count red" twice and "count blue" once: (3 count + 2 red + 1 blue) / sqrt(9 + 4 + 1).
    wanted = {"count": 3 / sqrt(14), "red": 2 / sqrt(14), "blue": 1 / sqrt(14)}
    assert skills["count red"] == pytest.approx(wanted)
    assert taxonomy(["a", "b"]) == {"a": {"a": 1.0}, "b": {"b": 1.0}}


def test_each_cluster_is_named_by_a_member_of_its_own():
    """The last one lies next to both centroids (cosines 0.781 and 0.839) but in one cluster."""
    skills = taxonomy(["red speed", "blue", "shots", "shots red blue shots"], k=2)
    assert list(skills) == ["shots", "shots red blue shots"]


def test_a_sample_gets_its_closest_skills_and_wrong_conclusions_go():
    data = [
        sample("count red"),
        sample("count red events"),
        sample("order events"),
        sample("speed"),
        sample("order shots", teacher_answer="B"),
        sample("speed", rationale=""),
    ]
    kept = prepare_data(data, Context())
    assert [s.id for s in kept] == ["count red", "count red events", "order events", "speed"]
    # To "count red": itself 1, "count red events" 2 / sqrt(6); nothing shared with the others.
    assert kept[0].meta["skills"] == ["count red", "count red events"]
    # To "order events": itself 1, "order shots" 1/2, "count red events" 1 / sqrt(6) = 0.41.
    assert kept[2].meta["skills"] == ["order events", "order shots", "count red events"]
    assert kept[3].meta["skills"] == ["speed"]


def test_the_target_names_skills_and_numbers_steps():
    (one,) = prepare_data([sample("order_events")], Context())
    assert format_target(one) == (
        "<think>order events: 1. 1.0s red; 2. 4.0s blue: red first</think><answer>A</answer>"
    )


def test_without_a_description_the_task_is_the_skill():
    assert description(Sample(id="t", question="?", answer="1", task="counting")) == "counting"
    assert description(Sample(id="p", question="?", answer="A")) == "multiple choice"
