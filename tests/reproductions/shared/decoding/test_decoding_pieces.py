"""Voting, search, choice of frames, texts and tools: every number worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reproductions.shared.decoding import ask, frames, search, text, tools, voting
from reproductions.shared.inference.engine import Completion, Request, Sampling, Shown
from reproductions.shared.inference.scripted import ScriptedGenerator
from reproductions.shared.method import Context, Sample

SAMPLE = Sample(id="s", question="Which?", answer="A", options=("A. x", "B. y"), video="v.mp4")


def done(said, *logprobs):
    return Completion(said, tuple(range(len(logprobs))), logprobs, True)


# --- voting ------------------------------------------------------------------------------------


def test_votes():
    assert voting.majority(["b", "a", "a", "b"]) == "b"  # a tie: the first one given
    assert voting.majority(["", "", "a"]) == "a" and voting.majority(["", ""]) == ""
    assert voting.weighted(["a", "b", "b"], [0.9, 0.3, 0.4]) == "a"
    assert voting.weighted(["a", "b", "b"], [0.6, 0.3, 0.4]) == "b"
    assert voting.unanimous(["a", "a"]) and not voting.unanimous(["a", "b"])
    assert not voting.unanimous(["", ""]) and not voting.unanimous([])
    assert voting.agreement(["a", "b", "a", ""]) == 0.5 and voting.agreement([]) == 0.0


def test_answers_as_votes_compare_them():
    assert ask.answer_of("<think>A</think><answer> B. </answer>") == "b"
    assert ask.answer_of("<answer>Two  Words</answer>") == ask.answer_of("<answer>two words")
    assert ask.answer_of("B") == "" == ask.answer_of("")


def test_similar_paths_weigh_more():
    """red red / red: 1; to blue: 0. Means: (1 + 0) / 2, (1 + 0) / 2, 0."""
    assert voting.path_weights(["red red", "red", "blue"]) == pytest.approx([0.5, 0.5, 0.0])
    assert voting.path_weights(["alone"]) == [1.0]


def test_self_consistency_returns_a_whole_answer():
    texts = ["<answer>B</answer>", "?", "<think>x</think><answer>A</answer>", "<answer>A</answer>"]
    generator = ScriptedGenerator(lambda r, i: texts[i])
    answer = voting.self_consistency(SAMPLE, generator, 4, Sampling(temperature=1.0))
    assert answer.text == texts[2] and answer.trace[0]["votes"] == {"b": 1.0, "a": 2.0}
    assert generator.requests == [Request(SAMPLE, 4)]


# --- confidence --------------------------------------------------------------------------------


def test_what_probabilities_say():
    sure = done("yes", math.log(0.5), math.log(0.8))
    assert ask.probability(sure) == pytest.approx(0.4)
    assert ask.yes(done("yes", math.log(0.9))) == pytest.approx(0.9)
    assert ask.yes(done("no", math.log(0.75))) == pytest.approx(0.25)
    # What is given to neither is not the other's: the likelier of the two has one half at least.
    assert ask.yes(sure) == ask.yes(done("no", math.log(0.3))) == 0.5
    assert ask.least_probability(sure) == pytest.approx(0.5) and ask.mean_logprob(done("")) == 0.0
    assert ask.mean_logprob(sure) == pytest.approx((math.log(0.5) + math.log(0.8)) / 2)


def test_without_probabilities_there_is_no_confidence():
    """Endpoints need not give any: a probability of 1 would be made up."""
    bare = Completion("yes", (-1,), (), True)
    for how in (ask.probability, ask.least_probability):
        with pytest.raises(ValueError, match=r"gives no log-probabilities.*--method"):
            how(bare)
    assert (ask.yes(bare), ask.yes(Completion("no", (-1,), (), True))) == (1.0, 0.0)


def test_requests():
    context = Context(seed=3, settings={"temperature": 0.7, "top_p": 0.9, "answer_tokens": 48})
    assert ask.greedy(context, choices=("a", "b")).choices == ("a", "b")
    how = ask.warm(context, 8)
    assert (how.temperature, how.top_p, how.max_new_tokens, how.seed) == (0.7, 0.9, 8, 3)
    assert ask.request(SAMPLE).messages[0].shows == Shown()
    blind = Sample(id="t", question="?", answer="")
    assert ask.request(blind, "hm", Shown(frames=2)).messages[0].shows is None
    assert ask.short_answers(SAMPLE) == ("A", "B") and ask.short_answers(blind) == ()


# --- search ------------------------------------------------------------------------------------


def test_beams_keep_the_best_and_the_done():
    """Width 2. From "": a 3, b 2, c 1. a -> ax 1, ay 0; b is done and stays."""
    tree = {"": [("a", 3, False), ("b", 2, True), ("c", 1, False)], "a": [("ax", 1, True)]}

    def expand(beams):
        return [[search.Beam(*child) for child in tree[b.state]] for b in beams]

    beams = search.beam_search("", expand, 2, 5)
    assert [(b.state, b.score) for b in beams] == [("b", 2), ("ax", 1)]
    assert [b.state for b in search.beam_search("", expand, 2, 1)] == ["a", "b"]
    assert search.best_of("abc", [1, 3, 3]) == "b"


def test_best_first_is_cheapest_first():
    children = {"a": [(0.5, "aa"), (5.0, "ab")], "b": [], "aa": [], "ab": []}
    order = list(search.best_first([(2.0, "b"), (1.0, "a")], children.__getitem__))
    assert order == ["a", "aa", "b", "ab"]


def test_tree_search_by_hand():
    """Rewards: root 0.5, l 1.0, r 0.0. Iterations: root; l; r; then l again (UCT 1.0 against 0.0
    with equal bonus), which grows ll."""
    rewards = {"": 0.5, "l": 1.0, "r": 0.0, "ll": 1.0}
    top = search.tree_search("", lambda s: [s + "l", s + "r"], lambda s: rewards[s], 4)
    nodes = {n.state: n for n in search.walk(top) if n.visits}
    assert {s: (n.visits, n.value) for s, n in nodes.items()} == {
        "": (4, 2.5), "l": (2, 2.0), "r": (1, 0.0), "ll": (1, 1.0),
    }  # fmt: skip
    assert search.uct(nodes["l"], 0.0) == 1.0
    assert search.uct(nodes["r"], 2.0) == pytest.approx(2 * math.sqrt(math.log(4)))
    count = iter(range(9))
    assert (
        search.tree_search("", lambda s: [], lambda s: 1, 9, done=lambda: next(count) == 2).visits
        == 3
    )


# --- frames ------------------------------------------------------------------------------------


def test_parts_and_moments():
    assert frames.segments(12.0, 3) == [(0.0, 4.0), (4.0, 8.0), (8.0, 12.0)]
    assert frames.segments(2.0, 2, start=5.0) == [(5.0, 6.0), (6.0, 7.0)]
    assert frames.moments((4.0, 8.0), 2) == [5.0, 7.0]
    assert frames.best([0.1, 0.9, 0.9, 0.5], 2) == [1, 2] and frames.best([0.5, 0.5], 1) == [0]
    assert frames.joined([(8, 12), (0, 4), (4, 6)]) == [(0, 6), (8, 12)]


def test_a_budget_goes_where_moments_are_farthest_apart():
    """10 s and 2 s, 4 moments: gaps 5 and 1 -> 10/3 -> 2.5; the long span gets 3."""
    assert frames.shared_out([(0.0, 10.0), (20.0, 22.0)], 4) == [
        pytest.approx(10 / 6, abs=1e-3), 5.0, pytest.approx(50 / 6, abs=1e-3), 21.0,
    ]  # fmt: skip
    assert frames.shared_out([(0, 1), (2, 3), (4, 5)], 2) == [0.5, 2.5]


@given(st.lists(st.tuples(st.floats(0, 90), st.floats(0.1, 10)), min_size=1, max_size=9),
       st.integers(1, 30))  # fmt: skip
def test_a_budget_is_never_exceeded(raw, budget):
    spans = [(a, a + b) for a, b in raw]
    times = frames.shared_out(spans, budget)
    assert 1 <= len(times) <= budget and times == sorted(times)
    assert all(any(a <= t + 1e-3 and t <= b + 1e-3 for a, b in spans) for t in times)


def test_relevance_is_one_call_for_all_parts():
    generator = ScriptedGenerator(
        lambda r, i: ("yes", 0.0) if r.messages[0].shows.span[0] == 4.0 else ("no", math.log(0.75))
    )
    spans = [(0.0, 4.0), (4.0, 8.0)]
    scores = frames.relevance(SAMPLE, generator, Context(), spans, 8)
    assert scores == pytest.approx([1 - 0.75**2, 1.0]) and len(generator.calls) == 1
    assert generator.samplings[0].choices == ("yes", "no")


# --- texts -------------------------------------------------------------------------------------


def test_texts_alike():
    assert text.similarity("red blue", "blue green") == pytest.approx(0.5)
    assert text.similarity("Red", "red.") == 1.0 and text.similarity("", "red") == 0.0
    assert text.retrieve("red car", ["a blue car", "sky", "a red car"], 2) == [2, 0]
    assert text.fits(["x" * 40], 10) and not text.fits(["x" * 41], 10)


def test_speech(tmp_path):
    cues = [{"start": 1.0, "end": 2.0, "text": "a"}, {"start": 5.0, "end": 6.0, "text": "b"}]
    sample = Sample(id="s", question="", answer="", meta={"subtitle_cues": cues})
    assert text.speech(sample) == ["1.0s: a", "5.0s: b"]
    assert text.speech(sample, (2.0, 5.5)) == ["5.0s: b"]
    assert text.speech(SAMPLE) == []
    file = tmp_path / "x.srt"
    file.write_text(
        "1\r\n00:00:01,500 --> 00:00:02,000\r\nHello\r\nthere\r\n\r\n"
        "2\n01:00:00.250 --> 01:00:01.000\n7\n\nbroken --> line\n", encoding="utf-8",
    )  # fmt: skip
    read = text.speech(Sample(id="s", question="", answer="", meta={"subtitles": str(file)}))
    assert read == ["1.5s: Hello there", "3600.2s: 7 broken --> line"]
    assert text.speech(Sample(id="s", question="", answer="", meta={"subtitles": "no.srt"})) == []


def test_srt_of_the_synthetic_world_is_read_back(tmp_path):
    pytest.importorskip("av")
    from reproductions.shared.synthetic.dataset import srt

    cues = [{"start": 0.0, "end": 2.5, "text": "The box is red."},
            {"start": 2.5, "end": 5.0, "text": "The car is blue."}]  # fmt: skip
    (tmp_path / "x.srt").write_text(srt(cues), encoding="utf-8")
    assert text.read_srt(tmp_path / "x.srt") == cues


# --- tools -------------------------------------------------------------------------------------


@given(st.text(max_size=200))
def test_no_text_of_a_model_breaks_the_parser(said):
    try:
        call = tools.call_of(f"<tool>{said}")
    except tools.ToolError as error:
        assert str(error)
    else:
        assert call is None or isinstance(call[0], str)


def test_calls():
    assert tools.call_of("<think>x</think><answer>A</answer>") is None
    call = tools.call_of('so <tool>{"name": "seek", "arguments": {"start": 1}} tail</tool>')
    assert call == ("seek", {"start": 1})
    with pytest.raises(tools.ToolError, match="no JSON"):
        tools.call_of("<tool>" + "[" * 5000)
    with pytest.raises(tools.ToolError, match="not JSON"):
        tools.call_of('<tool>{"a":' * 3000)


def test_memory_finds_notes():
    search_notes = tools.memory(["0 to 4: red car", "4 to 8: sky", "8 to 12: red dot", "12: grey"])
    found = search_notes({"query": "when is the red car seen"}, SAMPLE, Context())
    assert found.text.splitlines()[0] == "0 to 4: red car" and "red dot" in found.text
    with pytest.raises(tools.ToolError, match="must be a text"):
        search_notes({"query": 7}, SAMPLE, Context())


def test_coarse_to_fine_closes_in():
    """Needle at 37 s of 64: quarters 32-48, then 36-40."""

    def score(spans):
        return [float(a <= 37 < b) for a, b in spans]

    found = frames.coarse_to_fine(score, 64.0, 4, 2)
    assert found == [((32.0, 48.0), 1.0), ((36.0, 40.0), 1.0)]


def test_tools_zoom_and_read_subtitles():
    known = Context(duration=48.0, settings={"frames": 8})
    cues = [{"start": 1.0, "end": 2.0, "text": "The box is blue."}]
    sample = Sample("x", "q", "A", meta={"subtitle_cues": cues})
    zoomed = tools.zoom({"time": 3, "box": [0, 0, 0.5, 1]}, sample, known)
    assert zoomed.shows.box == (0.0, 0.0, 0.5, 1.0) and zoomed.shows.times == (3.0,)
    assert tools.subtitles({"start": 0, "end": 10}, sample, known).text == "1.0s: The box is blue."
    for box in ([0, 0, 2, 1], [0.5, 0, 0.5, 1], "all"):
        with pytest.raises(tools.ToolError):
            tools.zoom({"time": 1, "box": box}, sample, known)
