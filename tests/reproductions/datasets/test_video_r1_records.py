"""Video-R1 record readers: round trip from the synthetic world, and hostile files."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reproductions.datasets import _records, video_r1_260k, video_r1_cot_165k
from reproductions.datasets._records import RecordError
from reproductions.shared.synthetic.dataset import build
from reproductions.shared.synthetic.records import video_r1
from reproductions.shared.synthetic.world import TASKS, Knobs

READERS = [video_r1_260k, video_r1_cot_165k]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world") / "data"
    return folder, build(folder, TASKS, 2 * len(TASKS), 0, "train", Knobs(size=16))


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    (root / "clips").mkdir(parents=True)
    (root / "clips" / "a.mp4").write_bytes(b"video")
    (root / "clips" / "b.jpg").write_bytes(b"image")
    (tmp_path / "secret.mp4").write_bytes(b"secret")
    return root


def record(**changes):
    good = {
        "problem_id": 1,
        "problem": "Which way?",
        "data_type": "video",
        "problem_type": "multiple choice",
        "options": ["A. left", "B. right"],
        "solution": "<answer>B</answer>",
        "path": "./clips/a.mp4",
        "process": "<think>It goes right.</think>",
    }
    return {k: v for k, v in {**good, **changes}.items() if v is not ...}


def write(root, records, name="records.jsonl"):
    path = root.parent / name
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
    return path


@pytest.mark.parametrize("reader", READERS)
def test_round_trip_from_the_world(world, reader, tmp_path):
    folder, samples = world
    assert reader.load(folder / "records.jsonl", folder) == samples
    whole = tmp_path / "list.json"
    for indent in (None, 2):
        whole.write_text(json.dumps([video_r1(s, folder) for s in samples], indent=indent))
        assert reader.load(whole, folder) == samples


def test_a_published_record(root):
    path = write(root, [record(data_source="NextQA", solution="<answer> B </answer>\n")])
    (sample,) = video_r1_cot_165k.load(path, root)
    assert (sample.id, sample.question, sample.answer) == ("1", "Which way?", "B")
    assert sample.options == ("A. left", "B. right")
    assert sample.rationale == "It goes right."
    assert sample.video == str(root / "clips" / "a.mp4")
    assert sample.task == "" and sample.meta == {"data_source": "NextQA"}


def test_the_cot_set_needs_a_chain_of_thought(root):
    path = write(root, [record(process=...)])
    assert video_r1_260k.load(path, root)[0].rationale == ""
    with pytest.raises(RecordError, match="process: is missing"):
        video_r1_cot_165k.load(path, root)


def test_image_records_are_kept_or_counted(root, caplog):
    image = record(problem_id=2, data_type="image", path="./clips/b.jpg")
    path = write(root, [record(), image])
    kept = video_r1_260k.load(path, root)
    assert kept[1].video is None and kept[1].meta["image"] == str(root / "clips" / "b.jpg")
    skipped = video_r1_260k.load(path, root, images="skip")
    assert [sample.id for sample in skipped] == ["1"]
    assert "1 record(s) left out: image record (images='skip')" in caplog.text


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"problem_id": ...}, "problem_id", "is no number or text"),
        ({"problem_id": True}, "problem_id", "is no number or text"),
        ({"problem_id": {"a": 1}}, "problem_id", "is no number or text"),
        ({"problem": ""}, "problem", "is missing, empty or no text"),
        ({"problem": ["x"]}, "problem", "is missing, empty or no text"),
        ({"problem": "\ud800"}, "problem", "half a surrogate pair"),
        ({"problem": "x" * 300_000}, "problem", "more than 200000 characters"),
        ({"data_type": "audio"}, "data_type", "'audio' is unknown"),
        ({"problem_type": "essay"}, "problem_type", "'essay' is unknown"),
        ({"options": "A. left"}, "options", "is no list of texts"),
        ({"options": ["A. left", 2]}, "options", "is no list of texts"),
        ({"options": []}, "options", "0 for multiple choice"),
        ({"options": None}, "options", "0 for multiple choice"),
        ({"solution": "B"}, "solution", "is not enclosed in <answer> and </answer>"),
        ({"solution": "<answer></answer>"}, "solution", "is empty"),
        ({"solution": "<answer>A</answer><answer>B</answer>"}, "solution", "a tag twice"),
        ({"solution": "<answer>C</answer>"}, "solution", "'C' is no option's letter"),
        ({"solution": "<answer>A,C</answer>"}, "solution", "'A,C' is no option's letter"),
        ({"solution": "<answer>A,A</answer>"}, "solution", "'A,A' is no option's letter"),
        ({"problem_type": "temporal grounding", "solution": "<answer>1 to 2, 4 to 3</answer>"},
         "solution", "no interval"),
        ({"solution": 2}, "solution", "is missing, empty or no text"),
        ({"problem_type": "numerical", "solution": "<answer>nan</answer>"}, "solution", "finite"),
        ({"problem_type": "regression", "solution": "<answer>x</answer>"}, "solution", "finite"),
        ({"problem_type": "temporal grounding", "solution": "<answer>5.0 to 2.0</answer>"},
         "solution", "no interval"),
        ({"problem_type": "tracking", "solution": "<answer>[[1, 2, 3]]</answer>"},
         "solution", "no list of boxes"),
        ({"problem_type": "tracking", "solution": "<answer>[[1, 2, 3, 1e999]]</answer>"},
         "solution", "no list of boxes"),
        ({"process": "I think so."}, "process", "is not enclosed in <think>"),
        ({"meta": [1]}, "meta", "is no object"),
        ({"path": ...}, "path", "is missing"),
        ({"path": "./clips/none.mp4"}, "path", "is no file below"),
        ({"path": "./clips"}, "path", "is no file below"),
        ({"path": "x" * 5000}, "path", "is no file below"),
        ({"path": "../secret.mp4"}, "path", "leaves the video root"),
        ({"path": "./clips/../../secret.mp4"}, "path", "leaves the video root"),
        ({"path": "/etc/passwd"}, "path", "leaves the video root"),
        ({"path": "clips\\..\\a.mp4"}, "path", "leaves the video root"),
        ({"path": "./clips/a\0.mp4"}, "path", "leaves the video root"),
        ({"path": "./link.mp4"}, "path", "is a link that leaves the video root"),
        ({"path": "./folder/secret.mp4"}, "path", "is a link that leaves the video root"),
        ({"path": "./loop"}, "path", "is no file below"),
        ({"subtitles": "../secret.mp4"}, "subtitles", "leaves the video root"),
    ],
)  # fmt: skip
def test_a_malformed_record_gets_one_message(root, changes, field, message):
    (root / "link.mp4").symlink_to(root.parent / "secret.mp4")
    (root / "folder").symlink_to(root.parent)
    (root / "loop").symlink_to(root / "loop")
    path = write(root, [record(), record(**{"problem_id": 2, **changes})])
    with pytest.raises(RecordError) as error:
        video_r1_260k.load(path, root)
    (problem,) = error.value.problems
    assert problem.startswith(f"{path}:2: {field}: ") and message in problem
    assert problem.endswith(".") and len(problem) < 500
    assert len(video_r1_260k.load(path, root, on_problem="skip")) == 1


@pytest.mark.parametrize(
    ("kind", "gold", "answer"),
    [
        ("temporal grounding", "1.0 to 2.0, 5.0 to 6.0", "1.0 to 2.0, 5.0 to 6.0"),
        ("temporal grounding", "1.0-2.0 5.0-6.0", "1.0 to 2.0, 5.0 to 6.0"),
        ("temporal grounding", "[[1.0, 2.0], [5, 6]]", "1.0 to 2.0, 5.0 to 6.0"),
        ("multiple choice", "A, B", "A,B"),
        ("tracking", "(1,2),(30,40)", "(1,2),(30,40)"),
        ("tracking", "[1, 2, 30, 40]", "[1, 2, 30, 40]"),
    ],
)
def test_golds_as_museg_tw_grpo_and_univg_r1_publish_them(root, kind, gold, answer):
    path = write(root, [record(problem_type=kind, solution=f"<answer>{gold}</answer>")])
    (sample,) = video_r1_260k.load(path, root)
    assert sample.answer == answer


def test_a_link_inside_the_root_is_fine(root):
    (root / "inside.mp4").symlink_to(root / "clips" / "a.mp4")
    assert video_r1_260k.load(write(root, [record(path="./inside.mp4")]), root)


def test_all_problems_are_counted_and_twenty_listed(root):
    many = [record(problem_id=i, path=f"./{i}.mp4") for i in range(25)] + [record(problem_id=99)]
    with pytest.raises(RecordError) as error:
        video_r1_260k.load(write(root, many), root)
    assert error.value.count == 25 and len(error.value.problems) == 20
    assert "25 problem(s), the first 20 of them:" in str(error.value)
    assert str(error.value).count("\n") == 20


def test_duplicate_ids_name_both_lines(root):
    with pytest.raises(RecordError, match=r":3: problem_id: '1' is that of line 1 too"):
        video_r1_260k.load(write(root, [record(), record(problem_id=2), record()]), root)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a": 1, "a": 2}', ":1: json: the key 'a' stands twice"),
        (b'{"a": NaN}', ":1: json: NaN is not JSON"),
        (b"{\n", ":1: json: Expecting property name"),
        (b'{"a": 1} {"b": 2}', ":1: json: text follows the record"),
        (b'"text"', ":1: record: is no object"),
        (b'{"a": "\xff"}', ":1: json: byte 8 is no UTF-8"),
        (b'{"a": ' + b"[" * 100_000 + b"\n", ":1: json: is nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", ":1: json: Exceeds the limit"),
        (b"", "file: holds no records"),
        (b"  \n\n", "file: holds no records"),
        (b"[]", "file: holds an empty list"),
        (b"[1, 2]", ":1: record: is no object"),
        (b'[\n{"a": 1}\n,\n{"b" 1}]', ":4: json: Expecting ':' delimiter"),
        (b'[{"a": 1} {"b": 1}]', ":1: json: no comma or ] after a record"),
        (b'[{"a": 1}', ":1: json: no comma or ] after a record"),
        (b'[{"a": 1},]', ":1: json: Expecting value"),
        (b'[{"a": 1}]\n\nmore', ":3: json: text follows the list"),
        (b'[\n"\xff"]', ":2: json: is no UTF-8"),
        (b"[" * 100_000, ":1: json: is nested too deeply"),
    ],
)
def test_malformed_files(root, text, message):
    path = root.parent / "bad.json"
    path.write_bytes(text)
    with pytest.raises(RecordError) as error:
        video_r1_260k.load(path, root)
    assert any(message in problem for problem in error.value.problems), error.value


def test_lines_of_a_list_and_a_bad_line_between_good_ones(root):
    text = json.dumps([record(), record(problem_id=2, path="./no.mp4")], indent=1)
    path = root.parent / "list.json"
    path.write_text(text)
    with pytest.raises(RecordError, match=r"list\.json:15: path: './no.mp4'"):
        video_r1_260k.load(path, root)
    lines = [json.dumps(record()), "{broken", "", json.dumps(record(problem_id=2))]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    with pytest.raises(RecordError, match=r":2: json") as error:
        video_r1_260k.load(path, root)
    assert error.value.count == 1
    assert len(video_r1_260k.load(path, root, on_problem="skip")) == 2


def test_a_cut_list_is_never_skipped_over(root):
    path = root.parent / "cut.json"
    path.write_text(json.dumps([record(), record(problem_id=2)])[:-30])
    with pytest.raises(RecordError, match="json: "):
        video_r1_260k.load(path, root, on_problem="skip")


def test_sizes_are_bounded(root, monkeypatch):
    path = write(root, [record(), record(problem_id=2, note="x" * 5000), record(problem_id=3)])
    monkeypatch.setattr(_records, "MAX_RECORD_BYTES", 2000)
    with pytest.raises(RecordError, match=r":2: json: the record has more than 2000 bytes"):
        video_r1_260k.load(path, root)
    assert [s.id for s in video_r1_260k.load(path, root, on_problem="skip")] == ["1", "3"]
    path.write_text(json.dumps([record(note="x" * 5000), record(problem_id=2)]))
    assert [s.id for s in video_r1_260k.load(path, root, on_problem="skip")] == ["2"]
    monkeypatch.setattr(_records, "MAX_FILE_BYTES", 1000)
    with pytest.raises(RecordError, match="bytes are more than 1000"):
        video_r1_260k.load(path, root, on_problem="skip")


def test_a_missing_file_is_no_traceback(root):
    with pytest.raises(RecordError, match=r"No such file or directory\. Check the path"):
        video_r1_260k.load(root / "none.json", root)


def test_a_pipe_or_folder_is_refused(root):
    os.mkfifo(root / "pipe.mp4")
    for path in (root, root / "pipe.mp4"):
        with pytest.raises(RecordError, match="is a folder or device"):
            video_r1_260k.load(path, root)
    with pytest.raises(RecordError, match="is no file below"):
        video_r1_260k.load(write(root, [record(path="./pipe.mp4")]), root)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(record())), JSON, st.sampled_from(_records.PROBLEM_TYPES), st.text())
def test_no_record_gets_past_the_reader_but_as_sample_or_problem(root, name, value, kind, text):
    solution = f"<answer>{text}</answer>"
    changed = {**record(problem_type=kind, solution=solution), name: value}
    path = root.parent / "fuzz.json"
    path.write_text(json.dumps([changed]))
    try:
        (sample,) = video_r1_cot_165k.load(path, root)
    except RecordError as error:
        assert error.count == 1
    else:
        assert sample.question and sample.answer and sample.problem_type in _records.PROBLEM_TYPES


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=60) | st.text(alphabet='[]{},:"1a \n', max_size=40).map(str.encode))
def test_no_bytes_break_the_reader(root, data):
    path = root.parent / "bytes.json"
    path.write_bytes(data)
    with pytest.raises(RecordError):
        video_r1_260k.load(path, root)
