"""Overlap of training and evaluation videos: ids, files, pictures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from reproductions.shared.evaluation.leakage import (
    LeakageError,
    difference,
    overlap,
    plain_id,
    source_id,
)
from vidpost.cli.main import main

av = pytest.importorskip("av")
np = pytest.importorskip("numpy")


def film(
    path: Path, seed: int, size: tuple[int, int] = (160, 120), fps: int = 10, bits: int = 0
) -> None:
    """A short real mp4 of moving blocks; the same seed shows the same scene at any size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    rng = np.random.default_rng(seed)
    scene = rng.integers(0, 255, (4, 6, 8, 3), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": "35" if bits else "18"}
        for i in range(4 * fps):
            block = scene[i // fps]
            frame = np.kron(block, np.ones((height // 6, width // 8, 1), dtype=np.uint8))
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


@pytest.mark.parametrize(
    ("name", "plain", "source"),
    [
        ("videos/v_abc123.mp4", "abc123", "abc123"),
        ("abc123.webm", "abc123", "abc123"),
        ("yt_abc123_720p.mkv", "abc123", "abc123"),
        ("NUsG9BgSes0_210.0_360.0.mp4", "NUsG9BgSes0_210.0_360.0", "NUsG9BgSes0"),
        ("a-b_c-d.mp4", "a-b_c-d", "a-b_c-d"),
    ],
)
def test_ids_without_their_dress(name: str, plain: str, source: str) -> None:
    assert plain_id(name) == plain
    assert source_id(name) == source


def test_records_alone_are_compared_by_id(tmp_path: Path) -> None:
    train = tmp_path / "train.jsonl"
    train.write_text(
        "".join(
            json.dumps({"path": p}) + "\n"
            for p in ("a/v_one.mp4", "two_10.0_20.0.mp4", "three.mp4")
        )
    )
    test = tmp_path / "test.json"
    test.write_text(json.dumps([{"video": v} for v in ("one.webm", "two_30.0_40.0", "four")]))
    found = overlap([train], [test])
    assert [(p.evaluation, p.train, p.detail) for p in found.by_id] == [
        ("one.webm", "a/v_one.mp4", ""),
        ("two_30.0_40.0", "two_10.0_20.0.mp4", "clips of one source"),
    ]
    assert any("Only ids were compared" in n for n in found.notes)


def test_files_and_pictures(tmp_path: Path) -> None:
    film(tmp_path / "train/a.mp4", 1)
    film(tmp_path / "train/b.mp4", 2)
    film(tmp_path / "train/c.mp4", 3)
    (tmp_path / "eval").mkdir()
    shutil.copy(tmp_path / "train/a.mp4", tmp_path / "eval/renamed.mp4")
    film(tmp_path / "eval/encoded.mp4", 2, size=(320, 240), fps=15, bits=1)
    film(tmp_path / "eval/other.mp4", 9)
    (tmp_path / "eval/broken.mp4").write_bytes(b"no video")
    found = overlap([tmp_path / "train"], [tmp_path / "eval"])
    assert [(p.evaluation, p.train) for p in found.by_file] == [("renamed.mp4", "a.mp4")]
    assert [(p.evaluation, p.train) for p in found.by_picture] == [("encoded.mp4", "b.mp4")]
    assert list(found.unread) == ["broken.mp4"]
    assert found.leaked == {"renamed.mp4", "encoded.mp4"}
    without = overlap([tmp_path / "train"], [tmp_path / "eval"], pixels=False)
    assert without.leaked == {"renamed.mp4"}


def test_the_command_says_what_leaks(tmp_path: Path) -> None:
    for name, ids in (("train", "ab"), ("eval", "bc")):
        (tmp_path / f"{name}.json").write_text(json.dumps([{"video": f"{i}.mp4"} for i in ids]))
    leak = CliRunner().invoke(
        main,
        ["score", "leakage", "--train", str(tmp_path / "train.json"), "--eval",
         str(tmp_path / "eval.json")],
    )  # fmt: skip
    assert leak.exit_code == 1
    assert "1 of 2 evaluation videos (50.0 %) are among 2 training videos" in leak.output
    clean = CliRunner().invoke(
        main,
        ["score", "leakage", "--train", str(tmp_path / "train.json"), "--eval",
         str(tmp_path / "train.json"), "--json"],
    )  # fmt: skip
    assert json.loads(clean.output)["leaked"] == 2
    missing = CliRunner().invoke(main, ["score", "leakage", "--train", "x", "--eval", "y"])
    assert missing.exit_code == 2 and "no such file" in missing.output


def test_sets_without_videos_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps([{"colour": "red"}]))
    with pytest.raises(LeakageError, match="no record names a video"):
        overlap([tmp_path / "x.json"], [tmp_path / "x.json"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(LeakageError, match="no video"):
        overlap([tmp_path / "empty"], [tmp_path / "x.json"])


def test_blank_frames_say_nothing() -> None:
    assert difference((0, 0), (0, 0)) == 64.0
    assert difference((0, 0x0F0F0F0F0F0F0F0F), (0, 0x0F0F0F0F0F0F0F0F)) == 0.0
