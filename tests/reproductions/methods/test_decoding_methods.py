"""Control flow of the sixteen test-time methods on scripted answers, worked out by hand."""

from __future__ import annotations

import json
import math
import random

import pytest

from reproductions.methods.akeys.method import decode as akeys
from reproductions.methods.autocaption_mcts.method import decode as autocaption_mcts
from reproductions.methods.autocaption_mcts.method import novelty
from reproductions.methods.beam_search.method import decode as beam_search
from reproductions.methods.best_of_n_verifier.method import decode as best_of_n
from reproductions.methods.cot_prompting.method import decode as cot_prompting
from reproductions.methods.cot_vid.method import clusters
from reproductions.methods.cot_vid.method import decode as cot_vid
from reproductions.methods.cyberv.method import decode as cyberv
from reproductions.methods.cyberv.method import forest, repeats
from reproductions.methods.dive.method import decode as dive
from reproductions.methods.mr_video.method import decode as mr_video
from reproductions.methods.self_consistency.method import decode as self_consistency
from reproductions.methods.silvr.method import clips
from reproductions.methods.silvr.method import decode as silvr
from reproductions.methods.tcot.method import decode as tcot
from reproductions.methods.video_mtr.method import decode as video_mtr
from reproductions.methods.video_rts.method import decode as video_rts
from reproductions.methods.videoicl.method import decode as videoicl
from reproductions.methods.vital.method import decode as vital
from reproductions.shared.inference.scripted import ScriptedGenerator
from reproductions.shared.method import Context, Sample
from vidpost.catalog.preset import Decoding

SAMPLE = Sample(
    id="s",
    question="Which colour flashes?",
    answer="B",
    options=("A. red", "B. blue", "C. green"),
    video="v.mp4",
    task="needle",
)
LIKELY, UNLIKELY = math.log(0.9), math.log(0.1)


def context(duration=48.0, examples=(), **settings):
    preset = Decoding(**settings).model_dump() | {"answer_tokens": 48}
    rng = random.Random(0)
    return Context(settings=preset, rng=rng, duration=duration, examples=examples)


def tagged(letter, thought="t"):
    return f"<think>{thought}</think><answer>{letter}</answer>"


def said(request):
    return request.messages[-1].text


def seen(request):
    return request.messages[-1].shows


def by_part(helpful, answer="B", captions=None):
    """A model to which the parts that begin at `helpful` seconds are relevant."""

    def script(request, i):
        text, shown = said(request), seen(request)
        if "help to answer" in text:
            return ("yes", LIKELY / 3) if shown.span[0] in helpful else ("no", LIKELY / 2)
        if "Is it right" in text:
            return "yes", LIKELY / 3
        if "Describe" in text:
            return (captions or {}).get(shown.span[0], "nothing")
        return tagged(answer)

    return ScriptedGenerator(script)


def test_cot_prompting_thinks_and_then_chooses():
    def script(request, i):
        if request.prefix == "<think>":
            return "1.0s blue: blue</think><answer>C"  # what follows the thought is cut off
        assert request.prefix == "<think>1.0s blue: blue</think><answer>"
        return "B"

    generator = ScriptedGenerator(script)
    answer = cot_prompting(SAMPLE, generator, context())
    assert answer.text == tagged("B", "1.0s blue: blue")
    assert generator.samplings[1].choices == ("A", "B", "C")


def test_self_consistency_counts_and_a_tie_goes_to_the_first():
    votes = ["C", "B", "B", "C", ""]
    generator = ScriptedGenerator(lambda r, i: tagged(votes[i]) if votes[i] else "what?")
    answer = self_consistency(SAMPLE, generator, context(answers=5, temperature=0.7))
    assert answer.text == tagged("C") and answer.trace[0]["votes"] == {"c": 2.0, "b": 2.0}
    assert generator.samplings[0].temperature == 0.7 and len(generator.requests) == 1


def test_best_of_n_checks_each_answer_once():
    texts = [tagged("A"), tagged("B", "one"), "garbage", tagged("B", "two")]

    def script(request, i):
        if not request.messages:
            return texts[i]
        return ("yes", LIKELY / 3) if "answer: B" in said(request) else ("no", LIKELY / 2)

    generator = ScriptedGenerator(script)
    answer = best_of_n(SAMPLE, generator, context(answers=4, temperature=0.7))
    assert answer.text == tagged("B", "one") and len(generator.calls[1]) == 2
    scores = answer.trace[0]["scores"]
    # The script's log-probability is that of each character: three of "yes", two of "no".
    assert scores == pytest.approx({"a": 1 - 0.9, "b": 0.9})
    nothing = best_of_n(
        SAMPLE, ScriptedGenerator(lambda r, i: "?"), context(answers=2, temperature=1)
    )
    assert nothing.text == "?"


def test_beam_search_keeps_the_likeliest_beginnings():
    """Steps of 2 tokens, 2 beams. a: -1 a token, b: -2, c: -3; from a grow x (-3) and y (-9)."""
    first = {0: ("aa", -1.0), 1: ("bb", -2.0)}
    then = {"aa": [("xx", -3.0), ("yy", -9.0)], "bb": [("zz", -1.0), ("zz", -1.0)]}

    def script(request, i):
        if request.prefix in then:
            return then[request.prefix][i]
        return first[i] if not request.prefix else ("!", 0.0)

    class Unfinished(ScriptedGenerator):
        def _one(self, request, index, sampling):
            from dataclasses import replace

            return replace(super()._one(request, index, sampling), finished=bool(request.prefix))

    generator = Unfinished(script)
    settings = context(width=2, temperature=1.0, note_tokens=2)
    answer = beam_search(SAMPLE, generator, settings)
    # aaxx: (-2 - 6) / 4 = -2; bbzz: (-4 - 2) / 4 = -1.5 wins, though bb began worse.
    assert answer.text == "bbzz"
    assert [t["score"] for t in answer.trace] == [-1.5, -2.0]
    assert [r.n for r in generator.requests] == [2, 2, 2] and len(generator.calls) == 2
    assert generator.samplings[0].max_new_tokens == 2


def test_cot_vid_routes_an_easy_question_straight_to_an_answer():
    generator = ScriptedGenerator(lambda r, i: "no" if "need reasoning" in said(r) else tagged("A"))
    answer = cot_vid(SAMPLE, generator, context(answers=3, temperature=0.7, note_tokens=32))
    assert answer.text == tagged("A") and len(generator.requests) == 2
    assert seen(generator.requests[0]) is None  # the router sees the question alone


def test_cot_vid_answers_from_the_description_that_most_samples_agree_on():
    """Ratio of 12.0s blue and 12.5s blue: 2 * 9 / 20 = 0.9; of either and 3.0s red: below 0.8."""
    described = ["3.0s red", "12.0s blue", "12.5s blue"]

    def script(request, i):
        if "need reasoning" in said(request):
            return "yes"
        return described[i] if "Describe" in said(request) else tagged("B")

    generator = ScriptedGenerator(script)
    answer = cot_vid(SAMPLE, generator, context(answers=3, temperature=1.0, note_tokens=32))
    assert answer.text == tagged("B") and len(generator.requests) == 3  # one answer, no vote
    final = generator.requests[-1]
    assert "12.0s blue" in said(final) and "12.5s" not in said(final) and "3.0s" not in said(final)
    assert seen(final) is not None and final.n == 1  # with the video, unlike notes alone
    assert answer.trace[1] == {"step": "seen", "text": "12.0s blue", "votes": 2}
    assert [s.temperature for s in generator.samplings] == [0.0, 1.0, 0.0]


def test_cot_vid_takes_the_first_of_equally_large_clusters():
    assert clusters(["3.0s red", "12.0s blue"]) == [["3.0s red"], ["12.0s blue"]]
    assert clusters(["a" * 10, "a" * 8 + "bb", "a" * 7 + "bbb"]) == [
        ["a" * 10, "a" * 8 + "bb"],  # 0.8 is alike
        ["a" * 7 + "bbb"],  # 0.7 of the first member, though 0.9 of the second
    ]


def test_tcot_answers_from_the_frames_of_the_segments_that_help():
    """Six parts of 8 s, 4 frames of each; 16 and 24 help: their 8 frames, two seconds apart, and
    4 uniform ones, at 6, 18, 30 and 42 s."""
    generator = by_part({16.0, 24.0})
    settings = context(segments=6, frames=4, max_frames=16)
    answer = tcot(SAMPLE, generator, settings)
    assert answer.text == tagged("B") and answer.evidence == ((16.0, 32.0),)
    times = seen(generator.requests[-1]).times
    # Nothing is looked at that was not chosen: 8 of 12 free places are used.
    assert times == (6.0, 17.0, 18.0, 19.0, 21.0, 23.0, 25.0, 27.0, 29.0, 30.0, 31.0, 42.0)
    assert len(generator.calls) == 2 and len(generator.calls[0]) == 6
    none = tcot(SAMPLE, by_part(set()), settings)
    assert none.evidence == ((0.0, 8.0),)  # nothing helps: the first of the equally bad ones


def test_tcot_thins_what_was_chosen_to_the_budget():
    """Of 8 chosen frames 6 have room beside 2 uniform ones, at 12 and 36 s: the 1st, 3rd, 4th,
    5th, 7th and 8th."""
    generator = by_part({16.0, 24.0})
    tcot(SAMPLE, generator, context(segments=6, frames=4, max_frames=8))
    times = seen(generator.requests[-1]).times
    assert times == (12.0, 17.0, 21.0, 23.0, 25.0, 29.0, 31.0, 36.0)


AKEYS = {"segments": 6, "frames": 4, "max_frames": 32, "threshold": 0.5}


def doubting(helpful, doubts):
    """A model that takes its first `doubts` answers for wrong."""
    script, left = by_part(helpful).script, iter([("no", 0.0)] * doubts)

    def asked(request, i):
        said_no = next(left, None) if "Is it right" in said(request) else None
        return said_no or script(request, i)

    return ScriptedGenerator(asked)


def test_akeys_answers_from_the_first_frames_where_they_suffice():
    generator = by_part({24.0})
    answer = akeys(SAMPLE, generator, context(rounds=3, **AKEYS))
    assert answer.text == tagged("B") and answer.evidence == ()
    assert len(generator.requests) == 2  # nothing is searched
    assert seen(generator.requests[0]).times == (4.0, 12.0, 20.0, 28.0, 36.0, 44.0)


def test_akeys_takes_the_cheapest_segment_and_stops_when_sure():
    generator = doubting({24.0, 28.0}, 1)
    answer = akeys(SAMPLE, generator, context(rounds=3, **AKEYS))
    assert answer.evidence == ((24.0, 32.0),)
    assert [t["step"] for t in answer.trace] == ["answer", "cut", "answer"]
    assert seen(generator.requests[-1]).times == (4.0, 12.0, 20.0, 26.0, 28.0, 30.0, 36.0, 44.0)


def test_akeys_goes_down_the_tree_while_it_is_not_sure():
    generator = doubting({24.0, 28.0}, 4)
    answer = akeys(SAMPLE, generator, context(rounds=4, **AKEYS))
    # f of 24-32: 1 - 0.9; of its halves 0.1 + 1 - p: 24-28 and 28-32 help and come next.
    assert answer.evidence == ((24.0, 32.0), (24.0, 28.0), (28.0, 32.0))
    assert [t["depth"] for t in answer.trace if t["step"] == "cut"] == [0, 1, 1]
    assert [t["frames"] for t in answer.trace if t["step"] == "answer"] == [6, 8, 10, 12]


def test_akeys_cuts_several_segments_a_round_within_the_budget():
    generator = doubting({16.0, 24.0}, 9)
    answer = akeys(SAMPLE, generator, context(rounds=9, **AKEYS | {"width": 2, "max_frames": 12}))
    # Two cuts bring 4 frames to the first 6; then there is room for one more.
    assert [t["frames"] for t in answer.trace if t["step"] == "answer"] == [6, 10, 12]
    assert answer.evidence[:2] == ((16.0, 24.0), (24.0, 32.0)) and len(answer.evidence) == 3


def cyber(direct, after_thought, thought="red."):
    """Answers with their probabilities; a look at key frames says B."""

    def script(request, i):
        if "help to answer" in said(request):
            return ("yes", 0.0) if seen(request).span[0] == 16.0 else ("no", 0.0)
        if request.prefix == "<think>":
            return thought + "</think><answer>A"  # what follows the thought is cut off
        if seen(request).times is not None:
            return "B"
        letter, sure = direct if request.prefix == "<think></think><answer>" else after_thought
        return letter, math.log(sure)

    return ScriptedGenerator(script)


CYBER = {"threshold": 0.5, "max_frames": 8, "frames": 2, "segments": 3}


def test_cyberv_scores_answers_by_four_signals():
    """Probability, stability, no repetition, rank; each a quarter."""
    assert forest([0.8, 0.9], ["A", "B"]) == pytest.approx([3.3 / 4, 3.9 / 4])
    assert forest([0.8, 0.3], ["A", "B"]) == pytest.approx([3.8 / 4, 1.8 / 4])  # 0.3 < 0.8 / 2
    again = "I look once more. " * 5
    assert forest([0.8, 0.9], ["A", again]) == pytest.approx([3.3 / 4, 2.9 / 4])
    assert not repeats("I look once more. " * 4)


def test_cyberv_stops_when_both_answers_agree():
    generator = cyber(("A", 0.8), ("A", 0.9))
    answer = cyberv(SAMPLE, generator, context(**CYBER))
    assert answer.text == tagged("A", "red.")  # of the two the one that scores higher
    assert answer.trace[0]["scores"] == pytest.approx({"a": 7.2 / 4})  # 2 * 0.5 is enough
    assert len(generator.requests) == 3
    unsure = cyberv(SAMPLE, cyber(("A", 0.8), ("A", 0.3)), context(**CYBER))
    assert unsure.text == tagged("A", "")  # the direct one


def test_cyberv_asks_again_with_key_frames_when_they_differ():
    """Neither alone reaches 2 * 0.5: 3.3 / 4 and 3.9 / 4."""
    generator = cyber(("A", 0.8), ("C", 0.9))
    answer = cyberv(SAMPLE, generator, context(**CYBER))
    assert answer.trace[0]["scores"] == pytest.approx({"a": 3.3 / 4, "c": 3.9 / 4})
    assert answer.text == tagged("B", "") and (16.0, 32.0) in answer.evidence
    last = generator.requests[-1]
    assert last.prefix == "<think></think><answer>"  # asked directly
    times = seen(last).times
    assert {20.0, 28.0} <= set(times) and len(times) >= 8


def test_cyberv_falls_back_on_the_thought_and_then_on_the_direct_answer():
    free = Sample(**{**SAMPLE.__dict__, "options": (), "problem_type": "free-form"})

    def script(request, i):
        if "help to answer" in said(request):
            return "no", 0.0
        if request.prefix == "<think>":
            return "t"
        if seen(request).times is not None:
            return ""
        return "blue" if request.prefix == first else ""

    first = "<think></think><answer>"
    settings = context(**CYBER | {"threshold": 0.9})
    assert cyberv(free, ScriptedGenerator(script), settings).text == tagged("blue", "")
    first = "<think>t</think><answer>"
    assert cyberv(free, ScriptedGenerator(script), settings).text == tagged("blue", "t")


EXAMPLES = tuple(
    Sample(
        id=f"e{i}", question=q, answer="A", options=("A. red", "B. blue"), video=f"{i}.mp4",
        task=task,
    )
    for i, (q, task) in enumerate(
        [("Which colour is big?", "needle"), ("Which colour flashes?", "needle"),
         ("How many?", "counting"), ("Where?", "needle")]
    )
)  # fmt: skip


def test_videoicl_shows_the_next_examples_until_it_is_sure():
    sure = {"e1": 0.2, "e0": 0.9}

    def script(request, i):
        shown = [m.shows.video for m in request.messages[:-1] if m.role == "user"]
        name = f"e{shown[0][0]}"
        return tagged("A" if name == "e1" else "B"), math.log(sure[name])

    generator = ScriptedGenerator(script)
    settings = context(examples=EXAMPLES)
    settings.settings.update(examples=1, rounds=4, threshold=0.7, frames=8)
    answer = videoicl(SAMPLE, generator, settings)
    # The most similar question first; counting is another task; 0.9 ends it before "Where?".
    assert [t["examples"] for t in answer.trace] == [["e1"], ["e0"]]
    assert answer.text == tagged("B")
    first = generator.requests[0].messages
    assert [m.role for m in first] == ["user", "assistant", "user"]
    assert first[1].text.endswith("<answer>A</answer>")


def test_videoicl_shows_the_most_similar_example_first():
    generator = ScriptedGenerator(lambda r, i: (tagged("B"), math.log(0.9)))
    settings = context(examples=EXAMPLES)
    settings.settings.update(examples=2, rounds=4, threshold=0.7, frames=8)
    videoicl(SAMPLE, generator, settings)
    shown = [m.shows.video for m in generator.requests[0].messages[:-1] if m.role == "user"]
    assert shown == ["1.mp4", "0.mp4"]


def test_videoicl_must_exceed_its_threshold():
    """Algorithm 1 goes on until the confidence is greater."""
    generator = ScriptedGenerator(lambda r, i: tagged("B"))  # probability 1
    settings = context(examples=EXAMPLES)
    settings.settings.update(examples=1, rounds=2, threshold=1.0, frames=8)
    assert len(videoicl(SAMPLE, generator, settings).trace) == 2


def test_videoicl_keeps_the_surest_answer_if_no_round_is_sure():
    seen_ = iter([("A", 0.3), ("B", 0.5), ("C", 0.4)])

    def script(request, i):
        letter, p = next(seen_)
        return tagged(letter), math.log(p)

    settings = context(examples=EXAMPLES)
    settings.settings.update(examples=1, rounds=4, threshold=0.7, frames=8)
    answer = videoicl(SAMPLE, ScriptedGenerator(script), settings)
    assert answer.text == tagged("B") and len(answer.trace) == 3  # three examples of the task
    alone = videoicl(SAMPLE, ScriptedGenerator(lambda r, i: tagged("A")), context_without())
    assert alone.text == tagged("A") and len(alone.trace) == 1


def context_without():
    settings = context()
    settings.settings.update(examples=2, rounds=4, threshold=1.1, frames=8)
    return settings


def rts(levels):
    """Answers a level, by the number of frames."""
    return ScriptedGenerator(lambda r, i: tagged(levels[seen(r).frames][r.stream]))


def test_video_rts_doubles_the_frames_until_all_agree():
    generator = rts({4: "AABAA", 8: "BBBBB", 16: "CCCCC"})
    answer = video_rts(SAMPLE, generator, context(answers=5, frames=4, max_frames=16))
    assert answer.text == tagged("B") and [t["frames"] for t in answer.trace] == [4, 8]
    hot = [round(s.temperature, 2) for s in generator.samplings[:5]]
    assert hot == [0.8, 0.95, 1.1, 1.25, 1.4]
    assert [round(s.top_p, 2) for s in generator.samplings[:5]] == [0.7, 0.75, 0.8, 0.85, 0.9]


def test_video_rts_votes_at_the_cap():
    generator = rts({4: "AABAA", 8: "ABABB", 16: "CACAB"})
    answer = video_rts(SAMPLE, generator, context(answers=5, frames=4, max_frames=16))
    assert answer.text == tagged("C") and len(answer.trace) == 3  # C and A: 2 each, C first


def seek(start, end):
    return "<tool>" + json.dumps({"name": "seek", "arguments": {"start": start, "end": end}})


def test_video_mtr_looks_closer_and_answers():
    turns = [seek(8, 16) + "</tool>", seek(10, 12), tagged("B")]
    generator = ScriptedGenerator(lambda r, i: turns[len(r.messages) // 2])
    answer = video_mtr(SAMPLE, generator, context(rounds=3, max_frames=32, note_tokens=64))
    assert answer.text == "<think>" + tagged("B") and answer.evidence == ((8.0, 16.0), (10.0, 12.0))
    last = generator.requests[-1]
    assert [m.role for m in last.messages] == ["user", "assistant", "user", "assistant", "user"]
    assert seen(last).span == (10.0, 12.0)
    # Half of the budget, then a quarter a turn: 32 in all.
    assert [m.shows.frames for m in last.messages if m.role == "user"] == [16, 8, 8]


def test_video_mtr_must_answer_in_its_last_turn():
    def script(request, i):
        return "red.</think><answer>A</answer>" if request.prefix else seek(8, 16)

    generator = ScriptedGenerator(script)
    answer = video_mtr(SAMPLE, generator, context(rounds=3, max_frames=32, note_tokens=64))
    assert answer.text == "<think>red.</think><answer>A</answer>"
    assert [r.prefix for r in generator.requests] == ["", "", "<think>"]


@pytest.mark.parametrize(
    "call, error",
    [
        ("<tool>seek 8 16</tool>", "no JSON object"),
        ("<tool>{broken</tool>", "not JSON"),
        ('<tool>{"name": "rm", "arguments": {}}</tool>', "no tool 'rm'"),
        (seek(8, 99), "'end' is 99, outside 0 to 48"),
        (seek(16, 8), "'start' 16 is not before"),
        ('<tool>{"name": "seek", "arguments": {"start": "x", "end": 1e999}}', "must be a number"),
        ('<tool>{"name": "zoom", "arguments": {"time": 1}}', "no tool 'zoom'. There are: seek."),
        ('<tool>{"name": "seek", "arguments": [1]}', "not an object"),
    ],
)
def test_vital_gives_an_error_back_to_the_model_and_counts_it(call, error):
    turns = [call, tagged("B")]
    generator = ScriptedGenerator(lambda r, i: turns[len(r.messages) // 2])
    answer = vital(SAMPLE, generator, context(rounds=3, frames=8, note_tokens=64))
    assert answer.text == tagged("B") and answer.trace[0]["step"] == "error"
    assert error in said(generator.requests[1]) and seen(generator.requests[1]) is None


def test_vital_fetches_clips():
    generator = ScriptedGenerator(lambda r, i: (seek(8, 16), tagged("B"))[len(r.messages) // 2])
    answer = vital(SAMPLE, generator, context(rounds=5, frames=16, note_tokens=64))
    assert answer.text == tagged("B") and answer.evidence == ((8.0, 16.0),)
    assert [m.shows.frames for m in generator.requests[1].messages if m.shows] == [16, 16]


def test_dive_explores_the_best_part_first_and_goes_on_in_doubt():
    doubts = iter([("no", 0.0), ("yes", 0.0)])
    script = by_part({16.0}, captions={16.0: "17.0s blue"}).script

    def doubting(request, i):
        return next(doubts) if "Is it right" in said(request) else script(request, i)

    generator = ScriptedGenerator(doubting)
    settings = context(segments=6, frames=8, rounds=3, note_tokens=32)
    answer = dive(SAMPLE, generator, settings)
    assert [t["span"] for t in answer.trace] == [(16.0, 24.0), (0.0, 8.0)]
    final = [r for r in generator.requests if "Notes on the video" in said(r)][-1]
    assert "0.0 to 8.0: nothing\n16.0 to 24.0: 17.0s blue" in said(final)
    assert seen(final) is None and answer.text == tagged("B")


def test_autocaption_counts_new_words():
    assert novelty("12.0s blue", []) == 1.0
    assert novelty("3.0s blue dot", ["12.0s blue"]) == 1 / 2  # times are no words
    assert novelty("3.0s blue", ["12.0s blue"]) == novelty("", ["x"]) == 0.0


def test_autocaption_searches_where_there_is_something_new():
    """Root, left half and right half are visited; then the half that told more is cut again."""
    captions = {0.0: "nothing", 24.0: "blue square flashes", 36.0: "tiny green dot"}
    generator = by_part(set(), captions=captions)
    settings = context(rounds=5, width=2, frames=8, note_tokens=32)
    answer = autocaption_mcts(SAMPLE, generator, settings)
    spans = {t["span"] for t in answer.trace}
    assert {(0.0, 48.0), (0.0, 24.0), (24.0, 48.0)} <= spans
    assert any(low >= 24.0 and high - low == 12.0 for low, high in spans)
    assert sum(t["visits"] for t in answer.trace if t["span"] == (0.0, 48.0)) == 5
    assert "blue square flashes" in said(generator.requests[-1]) and answer.text == tagged("B")


def test_mr_video_maps_and_reduces():
    generator = by_part({16.0, 40.0}, captions={16.0: "17.0s blue"})
    answer = mr_video(SAMPLE, generator, context(segments=6, frames=8, note_tokens=32))
    assert [len(c) for c in generator.calls] == [6, 6, 2, 1]
    assert answer.evidence == ((16.0, 24.0), (40.0, 48.0)) and answer.text == tagged("B")
    final = said(generator.requests[-1])
    assert final.count("\n") >= 6
    assert "16.0 to 24.0: 17.0s blue; answer here: B. blue\n" in final
    assert final.count("answer here") == 2  # of the clips that help


def test_silvr_takes_the_shortest_clips_whose_captions_fit():
    tight = {"frames": 8, "note_tokens": 32}
    assert clips(context(context_tokens=48 * 32, **tight)) == 48
    assert clips(context(context_tokens=48 * 32 - 1, **tight)) == 6
    assert clips(context(context_tokens=5 * 32, **tight)) == 1
    assert clips(context(context_tokens=1, **tight)) == 1


def test_silvr_reasons_over_text_alone():
    cues = [{"start": 1.0, "end": 2.0, "text": "The box is blue."}]
    sample = Sample(**{**SAMPLE.__dict__, "meta": {"subtitle_cues": cues}})
    generator = by_part(set(), captions={8.0: "9.0s blue"})
    settings = context(frames=8, note_tokens=32, context_tokens=6 * 32)
    answer = silvr(sample, generator, settings)
    assert len(generator.calls) == 2 and len(generator.calls[0]) == 6
    final = generator.requests[-1]
    assert "8.0 to 16.0: 9.0s blue" in said(final) and "1.0s: The box is blue." in said(final)
    assert seen(final) is None and answer.text == tagged("B")


def test_no_method_needs_torch():
    import subprocess
    import sys

    code = (
        "import sys, pathlib, importlib;"
        "root = pathlib.Path('reproductions/methods');"
        "[importlib.import_module(f'reproductions.methods.{p.parent.name}.method')"
        " for p in root.glob('*/method.py')];"
        "assert not {'torch', 'transformers', 'trl', 'av'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
