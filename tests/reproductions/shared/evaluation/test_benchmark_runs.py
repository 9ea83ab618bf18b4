"""Published benchmarks through the command: cards, missing videos, failures, shards, rules."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from dataclasses import replace

import pytest
from small_run import Server, reply, vidpost, write_run

pytest.importorskip("torch")

from reproductions.benchmarks._base import get, load
from reproductions.shared.evaluation.benchmark import Asked, run_benchmark, template
from reproductions.shared.evaluation.cards import read_card
from reproductions.shared.evaluation.headline import BenchmarkError, interval_of
from reproductions.shared.evaluation.runner import shard_of
from reproductions.shared.inference.engine import Request, Sampling
from reproductions.shared.inference.scripted import ScriptedGenerator
from reproductions.shared.method import Sample
from reproductions.shared.video.spec import FrameSpec

VIDEOS, QUESTIONS = 4, 2
FACTS = {
    "kind": "miniature",
    "method": "decode",
    "preset": "mini",
    "seeds": [0],
    "checkpoint": {"stage": "sft"},
    "notes": ["Model: scripted."],
}


@pytest.fixture
def data(tmp_path, clips):
    """Video-MME with one of four videos missing, and Charades-STA with one of two."""
    root = tmp_path / "data"
    (root / "video_mme" / "data").mkdir(parents=True)
    rows = []
    for v in range(VIDEOS):
        if v < VIDEOS - 1:
            shutil.copy(clips[v].video, root / "video_mme" / "data" / f"v{v}.mp4")
        rows += [
            {
                "video_id": str(v), "duration": "short" if v < 2 else "long", "domain": "d",
                "sub_category": "s", "url": "u", "videoID": f"v{v}", "question_id": f"{v}-{q}",
                "task_type": "Counting Problem", "question": f"How many {q}?",
                "options": ["A. 1.", "B. 2.", "C. 3.", "D. 4."], "answer": "AB"[q],
            }
            for q in range(QUESTIONS)
        ]  # fmt: skip
    (root / "video_mme" / "video_mme.json").write_text(json.dumps(rows))
    (root / "charades_sta").mkdir()
    shutil.copy(clips[0].video, root / "charades_sta" / "c0.mp4")
    lines = "c0 1.0 3.0##a person sits.\nc1 0.0 2.0##a door opens.\n"
    (root / "charades_sta" / "charades_sta_test.txt").write_text(lines)
    return root


def asked(script, **more):
    model = ScriptedGenerator(script)

    def plain(sample, engine):
        return engine.generate([Request(sample)], Sampling())[0][0].text

    fields = {
        "generator": model, "decode": plain, "spec": FrameSpec(num_frames=4),
        "sampling": Sampling(), "facts": FACTS, "identity": "one",
    }  # fmt: skip
    return Asked(**fields | more), model


def questions(data, name="video_mme"):
    benchmark = get(name)
    return benchmark, load(benchmark, data / name)


def test_the_score_says_over_how_many_items(data, tmp_path):
    model, engine = asked(lambda r, i: "A")  # right for the first question of every video
    found = run_benchmark(*questions(data), model, tmp_path / "out")
    assert found.numbers["accuracy"].value == 0.5 and found.numbers["accuracy"].n == 6
    assert "over 6 of 8 items; 2 need 1 videos that are missing (v3)" in found.sentence
    assert found.groups["duration"]["short"].n == 4 and found.groups["duration"]["long"].n == 2
    card = read_card(found.card)
    assert (card.kind, card.n, card.score, card.benchmark) == ("miniature", 6, 0.5, "video_mme")
    assert card.interval_method == "Wilson score interval over 3 videos"  # one of two right in each
    assert any("over 6 of 8 items" in note for note in card.notes)
    missing = json.loads((tmp_path / "out" / "missing.json").read_text())
    assert missing["videos"] == {"v3": 2}
    rows = [json.loads(r) for r in (tmp_path / "out" / "predictions.jsonl").open()]
    assert [r["score"] for r in rows] == [1.0, 0.0] * 3 and {r["read"] for r in rows} == {"A"}
    assert len(engine.requests) == 6


def test_other_rules_read_the_same_answers_and_other_models_ask_again(data, tmp_path):
    model, engine = asked(lambda r, i: "The best answer is (A)")
    first = run_benchmark(*questions(data), model, tmp_path)
    again = run_benchmark(*questions(data), model, tmp_path, rules="vlmevalkit")
    assert len(engine.requests) == 6 and again.rule != first.rule
    assert read_card(tmp_path / "card.yaml").fingerprint
    other, engine = asked(lambda r, i: "A", identity="two")
    run_benchmark(*questions(data), other, tmp_path)
    assert len(engine.requests) == 6
    with pytest.raises(BenchmarkError, match="no rule 'mine'"):
        run_benchmark(*questions(data), model, tmp_path, rules="mine")


def test_failures_are_counted_as_wrong_and_named(data, tmp_path):
    def decode(sample, engine):
        if sample.id == "0-0":
            raise RuntimeError("the engine gave no answer: too long")
        return "A"

    model, _ = asked(lambda r, i: "A", decode=decode)
    found = run_benchmark(*questions(data), model, tmp_path)
    assert found.counts["failed"] == 1 and found.numbers["accuracy"].value == pytest.approx(2 / 6)
    notes = " ".join(read_card(found.card).notes)
    assert "1 failed and count as wrong" in notes and "too long" in notes


def test_shards_are_whole_videos_and_are_merged(data, tmp_path):
    benchmark, loaded = questions(data)
    parts = [shard_of(loaded.samples, (i, 2)) for i in (1, 2)]
    assert sorted(s.id for p in parts for s in p) == sorted(s.id for s in loaded.samples)
    assert not {s.video for s in parts[0]} & {s.video for s in parts[1]}
    model, engine = asked(lambda r, i: "A")
    for i in (1, 2):
        part = run_benchmark(benchmark, loaded, model, tmp_path, shard=(i, 2))
        assert part.card is None and not part.numbers
    assert len(engine.requests) == 6
    whole = run_benchmark(benchmark, loaded, model, tmp_path)
    assert len(engine.requests) == 6 and whole.numbers["accuracy"].value == 0.5


def test_a_mean_over_one_question_a_video_takes_wilsons_interval(data, tmp_path):
    benchmark, loaded = questions(data, "charades_sta")
    model, _ = asked(lambda r, i: "from 1.0 to 3.0 seconds")
    found = run_benchmark(benchmark, loaded, model, tmp_path)
    assert next(iter(found.numbers.values())).value == 1.0
    assert found.counts["missing"] == 1
    samples = [
        s.__class__(**{**vars(s), "video": str(i)}) for i in range(8) for s in loaded.samples
    ]
    rule = benchmark.rule("paper")[1]
    graded = [rule(s, "1.0 to 3.0" if i % 2 else "") for i, s in enumerate(samples)]
    ends, how = interval_of(benchmark, samples, graded, "R@1 IoU=0.3")
    assert ends[0] < 0.5 < ends[1] and how == "Wilson score interval"


def test_scores_that_are_no_mean_are_resampled_by_video():
    """VSI-Bench: 4 of 4 and 0 of 2 right are 1/2 over tasks, not 2/3."""
    benchmark = get("vsi_bench")
    samples = [
        Sample(f"{i}", "How many?", "2", "regression", video=f"{i}.mp4", task=task)
        for i, task in enumerate(["object_counting"] * 4 + ["room_size_estimation"] * 2)
    ]
    rule = benchmark.rule("paper")[1]
    graded = [rule(s, "2" if i < 4 else "9") for i, s in enumerate(samples)]
    assert next(iter(benchmark.numbers(samples, graded).values())).value == 0.5
    ends, how = interval_of(benchmark, samples, graded, "overall")
    # A resample of counting alone has 1, (2/3)^6 = 9 % of them; of the other task alone 0, 0.1 %.
    assert ends == (0.5, 1.0) and how == "bootstrap over 6 videos, 400 draws"


def test_the_card_names_the_metric_of_its_score(tmp_path):
    """MVBench is a mean over tasks: 1 of 3 and 1 of 1 are 2/3, not 1/2."""
    row = {"question": "What?", "candidates": ["red", "blue"], "start": 0, "end": 1}
    right, wrong = ({"answer": a, "video": f"{a}.mp4"} for a in ("red", "blue"))
    tasks = {"action_sequence": [right, wrong, wrong], "moving_count": [right]}
    (tmp_path / "json").mkdir()
    for task, rows in tasks.items():
        rows = [row | r for r in rows]
        (tmp_path / "json" / f"{task}.json").write_text(json.dumps(rows))
    folders = ("star/Charades_v1_480", "clevrer/video_validation")
    for place in folders:
        (tmp_path / "video" / place).mkdir(parents=True)
        for name in ("red.mp4", "blue.mp4"):
            (tmp_path / "video" / place / name).write_bytes(b"")
    benchmark = get("mvbench")
    model, _ = asked(lambda r, i: "A")
    found = run_benchmark(benchmark, load(benchmark, tmp_path), model, tmp_path / "out")
    card = read_card(found.card)
    assert card.metric == "macro_accuracy" and next(iter(found.numbers)) == "macro accuracy"
    assert card.score == pytest.approx(2 / 3) and card.n == 4
    assert "Headline macro accuracy" in card.notes[0]
    shown = {s.task: s.score for s in card.scores}
    assert shown["accuracy"] == 0.5 and shown["macro accuracy"] == card.score
    # A group's number says what it is, where it is not the headline.
    assert all("(accuracy)" in title for title in found.groups)


def test_an_answer_on_which_the_rule_fails_is_counted(data, tmp_path, monkeypatch):
    benchmark, loaded = questions(data)
    name, rule = benchmark.rule("paper")

    def breaks(sample, answer):
        return rule(sample, answer) if answer != "{}" else {}["timestamps"]

    shape = replace(benchmark.shape, rules={**benchmark.shape.rules, name: breaks})
    model, _ = asked(lambda r, i: "{}" if r.sample.id == "0-0" else "A")
    found = run_benchmark(replace(benchmark, shape=shape), loaded, model, tmp_path)
    assert found.numbers["accuracy"].value == pytest.approx(2 / 6) and found.counts["unread"] == 1
    notes = read_card(found.card).notes
    assert "1 of them: the rule cannot read it (KeyError)." in notes


def test_an_answer_that_is_right_was_read(data, tmp_path):
    """Rules of training code give no letter, only a score."""
    model, _ = asked(lambda r, i: "<think>hm A <think>hm A")
    found = run_benchmark(*questions(data), model, tmp_path)
    assert found.numbers["accuracy"].value == 0.5
    assert found.counts["unread"] == 3  # the wrong ones alone


def test_variants_have_folders_and_cards_of_their_own(qwen, clips, tmp_path):
    """LongTVQA's two sets use the same ids."""
    root = tmp_path / "data" / "longtvqa"
    root.mkdir(parents=True)
    shutil.copy(clips[0].video, root / "e.mp4")
    for name, question in (("LongTVQA", "comes first?"), ("LongTVQA_plus", "flashes?")):
        row = {"qid": 1, "q": f"Which colour {question}", "answer_idx": 0, "vid_name": "e"}
        row |= {f"a{i}": f"c{i}" for i in range(5)}
        (root / f"{name}_val.json").write_text(json.dumps([row]))
    names = "longtvqa,longtvqa:plus"
    command = ["eval", qwen.checkpoint, "--benchmark", names, "--data-root", root.parent]
    out, short = tmp_path / "out", ["--set", "evaluate.max_new_tokens=3", "--frames", 4]
    result = vidpost(*command, *short, "--out", out)
    assert result.exit_code == 0, result.output
    first, second = (
        json.loads((out / n / "predictions.jsonl").read_text())["question"]
        for n in ("longtvqa", "longtvqa-plus")
    )
    assert ("first" in first, "flashes" in second) == (True, True)
    assert "longtvqa:plus  rule" in result.stdout
    plus = read_card(out / "longtvqa-plus" / "card.yaml")
    assert (plus.benchmark, plus.task) == ("longtvqa", "plus")
    assert plus.notes[0] == "Variant plus of longtvqa."


def test_the_wording_is_in_the_protocol(data):
    benchmark, loaded = questions(data)
    (text,) = template(benchmark, loaded.samples).values()
    assert "{question}" in text and "{option}" in text


def test_a_run_on_two_benchmarks(small, data):
    command = ["eval", small, "--benchmark", "video-mme,charades_sta", "--data-root", data]
    result = vidpost(*command, "--frames", 4, "--json")
    assert result.exit_code == 0, result.output
    first, second = json.loads(result.stdout)
    assert (first["counts"]["asked"], second["counts"]["asked"]) == (6, 1)
    card = read_card(small / "evaluations" / "sft" / "video_mme" / "card.yaml")
    assert (card.kind, card.protocol.frames, card.cost.frames) == ("miniature", 4, 6 * 4)
    assert not any(str(small.parent) in note for note in card.notes)
    before = (small / "evaluations" / "sft" / "video_mme" / "answers.jsonl").read_text()
    again = vidpost(*command, "--frames", 4, "--rules", "lmms_eval")
    assert again.exit_code == 0 and "rule lmms_eval_position  over 6 of 8 items" in again.output
    after = (small / "evaluations" / "sft" / "video_mme" / "answers.jsonl").read_text()
    assert after == before  # seconds and all: nothing was asked again
    fresh = vidpost(*command, "--frames", 4, "--fresh", "--limit", 2)
    assert "over 2 of 8 items" in fresh.output


def test_a_strategy_on_a_checkpoint_folder(qwen, data, tmp_path, small):
    command = ["eval", qwen.checkpoint, "--benchmark", "video_mme", "--data-root", data]
    more = ["--method", "self_consistency", "--set", "decode.answers=3", "--limit", 2]
    short = ["--set", "evaluate.max_new_tokens=4", "--frames", 4, "--out", tmp_path / "out"]
    result = vidpost(*command, *more, *short)
    assert result.exit_code == 0, result.output
    card = read_card(tmp_path / "out" / "video_mme" / "card.yaml")
    assert card.method == "self_consistency" and card.kind == "miniature"
    assert any("answers 3" in note for note in card.notes)
    assert card.cost.tokens_out > 2 * 4


@pytest.fixture
def server():
    """An OpenAI-compatible server that answers B, but refuses every first question."""
    refusal = (400, {}, {"error": {"message": "context too long"}})
    with closing(Server()) as made:
        made.models = [{"id": "org/model"}]
        made.answer = lambda body, _: refusal if "How many 0?" in str(body) else reply(body, "B")
        yield f"{made.url}/v1"


def test_a_server_is_evaluated_and_what_it_refuses_is_counted(server, data, tmp_path):
    command = ["eval", server, "--benchmark", "video_mme", "--data-root", data, "--frames", 4]
    result = vidpost(*command, "--out", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.stdout)
    # Each video's first question is refused, its second answered right.
    assert found["counts"]["failed"] == 3
    assert found["numbers"]["accuracy"] == {"value": 50.0, "n": 6}
    card = read_card(tmp_path / "out" / "video_mme" / "card.yaml")
    assert card.kind == "reproduction" and card.checkpoint.sha256 is None
    notes = " ".join(card.notes)
    assert "org/model" in notes and "http" not in notes  # a card names no place
    assert "3 failed" in notes and "context too long" in notes


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--benchmark", "video_mmee"], "no benchmark module 'video_mmee'. Did you mean video_mme"),
        (["--benchmark", "video_mme", "--shard", "3/2"], "--shard 3/2"),
        (["--benchmark", "video_mme", "--rules", "mine"], "no rule 'mine'"),
        (["--benchmark", "video_mme", "--split", "dev"], "no split 'dev'"),
        (["--benchmark", "video_mme", "--seed", "1"], "ask a run's own questions"),
    ],
)
def test_what_is_wrong_is_said_before_a_model_is_opened(data, arguments, said):
    result = vidpost("eval", "nothing/there", "--data-root", data, *arguments)
    assert result.exit_code == 2 and said in result.stderr


def test_a_folder_without_videos_is_refused(data, tmp_path):
    shutil.rmtree(data / "video_mme" / "data")
    result = vidpost("eval", "a/b", "--benchmark", "video_mme", "--data-root", data)
    assert result.exit_code == 2 and "no question can be asked" in result.stderr
    result = vidpost("eval", tmp_path / "none")
    assert result.exit_code == 2 and "--benchmark" in result.stderr


def test_a_test_time_run_is_evaluated_with_its_strategy(qwen, tmp_path, monkeypatch):
    monkeypatch.setenv("VIDPOST_CACHE", str(tmp_path / "cache"))
    run = write_run(tmp_path / "run", qwen.checkpoint, "tcot")
    result = vidpost("eval", run, "--limit", 4, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["checkpoints"] == ["sft", "sft+self_consistency", "sft+tcot"]
    assert found["cost"]["sft+tcot"]["calls"] == 4 * 5
    assert found["predictions"].endswith("sft+tcot.jsonl")
