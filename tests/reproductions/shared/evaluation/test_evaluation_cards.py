import hashlib
import subprocess
from pathlib import Path

import pytest
import yaml

from reproductions.shared.evaluation import cards
from reproductions.shared.evaluation.protocol import build_protocol, prompt_hash
from reproductions.shared.video.spec import FrameSpec

SPEC = FrameSpec(num_frames=8)


def protocol(spec=SPEC, **changes):
    arguments = {
        "prompt_template": "{question}",
        "extractor": "answer_tag",
        "extractor_version": 1,
        "sampling": {"temperature": 0.0, "max_new_tokens": 48},
    } | changes
    return build_protocol(spec.to_dict(), **arguments)


def fields(**changes):
    return {
        **cards.run_facts(hours=0.5),
        "kind": "miniature",
        "method": "grpo",
        "preset": "mini",
        "overrides": {"stages.rl.max_steps": 2, "model.revision": "1e5"},
        "seeds": [0, 1],
        "checkpoint": {"stage": "rl"},
        "benchmark": "synthetic",
        "benchmark_revision": "12345678e123",
        "metric": "accuracy",
        "n": 10,
        "score": 0.5,
        "interval": [0.2, 0.8],
        "interval_method": "Wilson score interval",
        "cost": {"tokens_in": 1, "tokens_out": 1, "frames": 1, "seconds": 1e-7},
        "protocol": protocol(),
    } | changes


def test_a_card_survives_the_round_trip(tmp_path):
    path = tmp_path / "new" / "card.yaml"
    written = cards.write_card(path, fields(notes=["NO", "2503.21770", "a: b # c", "é\u202e"]))
    assert cards.read_card(path) == written
    assert written.benchmark_revision == "12345678e123"  # a float to YAML 1.2 unless quoted
    assert written.overrides == {"stages.rl.max_steps": 2, "model.revision": "1e5"}
    assert written.fingerprint == protocol().fingerprint()
    assert yaml.safe_load(path.read_text())["notes"][:2] == ["NO", "2503.21770"]
    assert [p.name for p in path.parent.iterdir()] == ["card.yaml"]


def test_a_bad_card_is_not_written(tmp_path):
    path = tmp_path / "card.yaml"
    cards.write_card(path, fields())
    before = path.read_bytes()
    with pytest.raises(cards.CardError) as error:
        cards.write_card(path, fields(score=float("nan"), method="Not An Id", surprise=1))
    lines = str(error.value).splitlines()
    assert len(lines) == 3 and all(line.startswith(f"{path}: ") for line in lines)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_a_forged_fingerprint_is_refused(tmp_path):
    with pytest.raises(cards.CardError, match="fingerprint"):
        cards.write_card(tmp_path / "card.yaml", fields(fingerprint="0" * 12))


@pytest.mark.parametrize("text", ["[]", "kind: [", "kind: &a miniature\nmethod: *a\n"])
def test_an_unreadable_card_is_an_error_with_its_place(tmp_path, text):
    path = tmp_path / "card.yaml"
    path.write_text(text)
    with pytest.raises(cards.CardError, match=r"card\.yaml"):
        cards.read_card(path)


def test_environment_names_versions_but_not_the_machine():
    found = cards.environment()
    assert found["numpy"].split(".")[0].isdigit() and found["python"].startswith("3.")
    text = str(found) + cards.hardware().device
    assert str(Path.home()) not in text
    assert cards.hardware(1.5).hours == 1.5


def test_repository_commit(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=t", "-c", "user.email=t@t"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True)

    assert cards.repository_commit(tmp_path) == "unknown"
    git("init", "-q")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-qm", "one")
    clean = cards.repository_commit(tmp_path)
    assert len(clean) == 40
    (tmp_path / "b").write_text("2")
    assert cards.repository_commit(tmp_path) == clean + "+"
    inside = tmp_path / "site-packages"
    inside.mkdir()
    assert cards.repository_commit(inside) == "unknown"  # somebody else's repository


def test_weights_hash_is_what_sha256sum_prints(tmp_path):
    with pytest.raises(FileNotFoundError, match="no weights"):
        cards.weights_sha256(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    one = hashlib.sha256(b"weights").hexdigest()
    assert cards.weights_sha256(tmp_path) == one
    (tmp_path / "training_args.bin").write_bytes(b"not weights")
    assert cards.weights_sha256(tmp_path) == one
    (tmp_path / "model-2.safetensors").write_bytes(b"more")
    shell = "sha256sum *.safetensors | sha256sum"
    printed = subprocess.run(
        ["sh", "-c", f"LC_ALL=C; export LC_ALL; {shell}"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert cards.weights_sha256(tmp_path) == printed.stdout.split()[0]


def test_finite_interval():
    assert cards.finite_interval(0.1, 0.2) == (0.1, 0.2)
    assert cards.finite_interval(float("nan"), 0.2) is None


def test_protocol_of_uniform_frames():
    made = protocol()
    assert (made.frames, made.fps, made.max_frames) == (8, None, None)
    assert made.decoder.startswith("pyav ") and made.decoder.split()[1].isdigit()
    assert made.extractor == "answer_tag 1"


def test_protocol_of_sampling_by_rate():
    made = protocol(FrameSpec(sampling="fps", fps=2.0, max_frames=16))
    assert (made.frames, made.fps, made.min_frames, made.max_frames) == (None, 2.0, 4, 16)


def test_other_rules_count_their_frames():
    assert protocol(FrameSpec(sampling="first_middle_last")).frames == 3
    assert protocol(FrameSpec(sampling="indices", indices=(0, 5))).frames == 2
    assert protocol(FrameSpec(num_frames=8, height=56, width=28)).pixels == 56 * 28


@pytest.mark.parametrize(
    "other",
    [
        protocol(FrameSpec(num_frames=16)),
        protocol(FrameSpec(num_frames=8, max_pixels=28 * 28)),
        protocol(FrameSpec(num_frames=8, total_pixels=28 * 28 * 8)),
        protocol(FrameSpec(num_frames=8, min_pixels=28 * 28)),
        protocol(FrameSpec(num_frames=8, timestamps=True)),
        protocol(prompt_template="{question} Think."),
        protocol(extractor_version=2),
        protocol(judge="some-judge 1"),
        protocol(subtitles=True),
        protocol(sampling={"temperature": 0.0, "max_new_tokens": 49}),
    ],
)
def test_whatever_changes_scores_changes_the_fingerprint(other):
    assert other.fingerprint() != protocol().fingerprint()


def test_what_has_no_effect_keeps_the_fingerprint():
    unused = FrameSpec(num_frames=8, min_frames=2, max_frames=99)  # bounds of sampling by rate
    assert protocol(unused).fingerprint() == protocol().fingerprint()
    assert prompt_hash("a \r\nb\n") == prompt_hash("a\nb")
    assert prompt_hash("a b") != prompt_hash("a  b")
    assert prompt_hash({"x": "1", "y": "2"}) == prompt_hash({"y": "2", "x": "1"})
