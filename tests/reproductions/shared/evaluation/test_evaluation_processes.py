"""Two processes ask a half each and end with what one process ends with."""

from __future__ import annotations

import json
import shutil
import signal

import pytest
from run_process import Stop, several, vidpost
from small_run import write_run

pytest.importorskip("torch")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDPOST_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def run(cache, qwen, tmp_path):
    return write_run(tmp_path / "run", qwen.checkpoint, "tcot")


def answers(path):
    """What was answered: all but the seconds, which no two runs share."""
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [{k: v for k, v in r.items() if k != "seconds"} for r in lines]


def result(output):
    """The JSON that a command prints last."""
    found = json.loads(output[output.index("\n{\n") :] if output[0] != "{" else output)
    for cost in found["cost"].values():
        cost.pop("seconds")
    return found


def test_a_run_with_a_strategy_is_shared_and_taken_over(run, tmp_path):
    command = ["eval", str(run), "--seed", "0", "--json"]
    one = vidpost(command, tmp_path)
    assert one.code == 0, one.output
    folder = run / "evaluations" / "seed-0" / "predictions"
    whole = {p.name: answers(p) for p in folder.iterdir()}
    assert set(whole) == {"sft.jsonl", "sft+self_consistency.jsonl", "sft+tcot.jsonl"}

    shutil.rmtree(folder.parent)
    first, second = several(2, command, tmp_path)
    assert (first.code, second.code) == (0, 0), first.output + second.output
    assert result(first.output) == result(one.output) and second.output == ""
    assert {p.name: answers(p) for p in folder.iterdir()} == whole

    # The first process dies before its second call: the other's half is not lost.
    shutil.rmtree(folder.parent)
    first, second = several(2, command, tmp_path, Stop("evaluating", "sft+tcot", 2))
    assert first.code == -signal.SIGKILL and second.code == 2
    assert "another process ended" in second.output and "goes on" in second.output
    half = answers(folder / "sft+tcot.jsonl.part-1")[1:]
    assert [r["id"] for r in half] == [r["id"] for r in whole["sft+tcot.jsonl"][1:]][1::2]
    again = vidpost(command, tmp_path)
    assert again.code == 0 and result(again.output) == result(one.output)
    names = [p.name for p in folder.iterdir()]
    assert sorted(names) == sorted(whole)
    by_id = {r.get("id"): r for r in answers(folder / "sft+tcot.jsonl")}
    assert by_id == {r.get("id"): r for r in whole["sft+tcot.jsonl"]}


def test_benchmarks_are_shared(cache, qwen, clips, tmp_path):
    root = tmp_path / "data" / "charades_sta"
    root.mkdir(parents=True)
    for i in range(3):
        shutil.copy(clips[i].video, root / f"c{i}.mp4")
    lines = [f"c{i % 3} {i}.0 {i + 2}.0##a person sits {i}." for i in range(5)]
    (root / "charades_sta_test.txt").write_text("\n".join(lines))
    command = [
        *("eval", str(qwen.checkpoint), "--benchmark", "charades_sta", "--frames", "4"),
        *("--data-root", str(root.parent), "--set", "evaluate.max_new_tokens=4", "--out"),
    ]
    one = vidpost([*command, str(tmp_path / "one")], tmp_path)
    assert one.code == 0, one.output
    first, second = several(2, [*command, str(tmp_path / "two")], tmp_path)
    assert (first.code, second.code) == (0, 0), first.output + second.output
    assert second.output == "" and first.output.count("over 5 of 5 items") == 1
    here, there = (tmp_path / n / "charades_sta" for n in ("one", "two"))
    for name in ("answers.jsonl", "predictions.jsonl"):
        assert answers(here / name) == answers(there / name)
    assert sorted(p.name for p in there.iterdir()) == sorted(p.name for p in here.iterdir())
