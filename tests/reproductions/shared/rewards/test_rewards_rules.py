from __future__ import annotations

from pathlib import Path

import pytest

from reproductions.shared.rewards import (
    advantages,
    boxes,
    compare,
    intervals,
    judge,
    length,
    maths,
    numbers,
    rules,
    tags,
    text,
)

THINK = "<think>r</think><answer>{}</answer>"


def _accuracy(answer: str, gold: str, kind: str = "multiple choice", **options: object) -> float:
    reward = rules.accuracy(**options)  # type: ignore[arg-type]
    (score,) = reward([], [THINK.format(answer)], solution=[gold], problem_type=[kind])
    return score


def test_a_reward_takes_strings_and_messages() -> None:
    reward = rules.accuracy()
    text_form = THINK.format("B")
    messages = [{"role": "assistant", "content": text_form}]
    parts = [{"role": "assistant", "content": [{"type": "text", "text": text_form}]}]
    columns = {
        "solution": ["B", "<answer>B</answer>", "A"],
        "problem_type": ["multiple choice"] * 3,
    }
    assert reward([], [text_form, messages, parts], **columns) == [1.0, 1.0, 0.0]
    assert rules.format_reward()([], [text_form, messages, parts]) == [1.0, 1.0, 1.0]


def test_rewards_carry_the_name_under_which_they_are_logged() -> None:
    assert rules.accuracy("time_r1").__name__ == "accuracy"
    assert rules.accuracy("time_r1", name="letter").__name__ == "letter"
    assert rules.format_reward().__name__ == "format"


def test_an_unknown_rule_is_named_with_its_alternatives() -> None:
    with pytest.raises(KeyError, match=r"unknown accuracy rule 'x'.*video_r1"):
        rules.accuracy("x")
    with pytest.raises(KeyError, match=r"unknown format rule 'x'.*time_r1"):
        rules.format_reward("x")


@pytest.mark.parametrize("rule", rules.ACCURACY)
@pytest.mark.parametrize("completion", ["!!!", "<answer>.</answer>", "<answer>7</answer>", "."])
def test_nothing_is_right_without_a_gold(rule: str, completion: str) -> None:
    for gold in ("", " ", "<answer> </answer>"):
        for kind in ("multiple choice", "numerical", "OCR", "free-form", "regression"):
            assert rules.score(rule, completion, gold, kind) == 0.0


@pytest.mark.parametrize(
    ("gold", "spans"),
    [
        ("1.0 to 2.0", [(1.0, 2.0)]),
        ("1.0 to 2.0, 5 to 6.0", [(1.0, 2.0), (5.0, 6.0)]),
        ("1.0-2.0 5.0-6.0", [(1.0, 2.0), (5.0, 6.0)]),
        ("[[1.0, 2.0], [5, 6]]", [(1.0, 2.0), (5.0, 6.0)]),
        ("[1, 2]", [(1.0, 2.0)]),
        ("1.0 to 2.0, later", []),
        ("[[1, 2], [3]]", []),
        ("[[1, NaN]]", []),
        ("[" * 100_000, []),
        ("", []),
        ("B", []),
    ],
)
def test_published_golds_with_one_or_more_spans(
    gold: str, spans: list[tuple[float, float]]
) -> None:
    assert intervals.parse_spans(gold) == spans


def test_several_spans_are_scored_by_their_union() -> None:
    """Of 2 seconds 1 is found, and nothing beside it."""
    gold = "1.0 to 2.0, 5.0 to 6.0"
    assert _accuracy(gold, gold, "temporal grounding") == 1.0
    assert _accuracy("5.0 to 6.0", gold, "temporal grounding") == 0.5


@pytest.mark.parametrize("text", ["(1,2),(30,40)", "[1, 2, 30, 40]", "[[1, 2, 30, 40]]"])
def test_a_box_is_read_in_every_published_form(text: str) -> None:
    assert boxes.parse_region(text) == [[1, 2, 30, 40]]
    assert _accuracy(text, "(1, 2), (30, 40)", "tracking") == 1.0
    assert boxes.parse_region(f"{text} or so") is None
    assert boxes.parse_region("[(1, 2, 30, 40), (0, 0, 1, 1)]") == [[1, 2, 30, 40], [0, 0, 1, 1]]
    assert boxes.parse_region("[]") is None


def test_only_the_answer_is_cut() -> None:
    text = f"<think>{'x' * 5000}</think><answer>{'y' * 5000}</answer>z"
    limit = rules.ANSWER_LIMIT
    assert rules.answer_of(text) == "y" * limit
    assert rules.bounded(text) == text.replace("y" * 5000, "y" * limit)
    assert rules.bounded(text, "map") == text
    assert rules.bounded("<answer>" + "y" * 5000) == "<answer>" + "y" * 5000


def test_each_sample_has_its_own_problem_type() -> None:
    columns = {"solution": ["2", "B"], "problem_type": ["numerical", "multiple choice"]}
    completions = [THINK.format("2"), THINK.format("B")]
    assert rules.accuracy()([], completions, **columns) == [1.0, 1.0]
    # The published code reads the first type only, so that "B" is taken for a number.
    columns["solution"] = ["<answer>2</answer>", "<answer>B</answer>"]
    assert rules.accuracy(safe=False)([], completions, **columns) == [1.0, 0.0]


@pytest.mark.parametrize(
    ("answer", "gold", "kind", "safe", "published"),
    [
        ("nan", "<answer>42</answer>", "regression", 0.0, 1.0),
        ("", "<answer></answer>", "multiple choice", 0.0, 1.0),
        ("B", "B", "multiple choice", 1.0, 0.0),
        ("3 to 5", "<answer>3 to 5</answer>", "temporal grounding", 1.0, 0.0),
    ],
)
def test_safe_repairs_the_published_rule(
    answer: str, gold: str, kind: str, safe: float, published: float
) -> None:
    assert _accuracy(answer, gold, kind) == safe
    assert _accuracy(answer, gold, kind, safe=False) == published


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("B.", "next_event seed_bench_r1 viarl"),
        ("b", "long_rl temporal_r1 veripo video_rts"),
        ("(B)", "ego_r1 long_rl temporal_r1 videochat_r1"),
        ("B,A", "seed_bench_r1 tinyllava_video_r1 video_rts"),
    ],
)
def test_rules_disagree_as_their_authors_do(answer: str, right: str) -> None:
    for rule in ("video_r1", *right.split()):
        assert _accuracy(answer, "B", rule=rule) == float(rule != "video_r1"), rule


@pytest.mark.parametrize(
    ("answer", "letter"),
    [("A or B", "A"), ("ABC", "C"), ("I think (A) but finally (C)", "C"), ("Best option: D", "D")],
)
def test_lmms_eval_reads_the_place_before_the_form(answer: str, letter: str) -> None:
    assert _accuracy(answer, letter, rule="lmms_eval_videomme") == 1.0


def test_tags() -> None:
    nested = "<answer>A</answer> <answer>B\n</answer>"
    assert tags.extract_tag(nested) == "A"
    assert tags.extract_tag(nested, which="last") == "B"
    assert tags.extract_tag(nested, which="last", dotall=False) == "A"
    assert tags.extract_tag("<answer>x", default="none") == "none"
    assert tags.unclosed_tag("<answer> x ") == "x"
    assert tags.find_tag("<answer></answer>") == ""
    assert tags.find_tag("</answer><answer>") is None


@pytest.mark.parametrize(
    ("completion", "anchors"),
    [
        ("<think>a</think>\n<answer>b</answer>", "full prefix suffix search"),
        ("x<think>a</think><answer>b</answer>", "suffix search"),
        ("<think>a</think><answer>b</answer>x", "prefix search"),
        ("<think>a</think>x<answer>b</answer>", ""),
        ("<think></think><answer>", ""),
        ("<think></answer>", ""),
        ("", ""),
    ],
)
def test_a_sequence_is_anchored(completion: str, anchors: str) -> None:
    for anchor in ("full", "prefix", "suffix", "search"):
        assert tags.is_sequence(completion, anchor=anchor) == (anchor in anchors.split())  # type: ignore[arg-type]


def test_intervals_by_hand() -> None:
    assert intervals.tiou((12, 18), (10, 20)) == pytest.approx(0.6)
    assert intervals.tiou((0, 5), (15, 20)) == 0.0
    assert intervals.iop((8, 12), (10, 20)) == pytest.approx(0.5)
    # IoU 0, hull 20, uncovered 10: GIoU = -10/20.
    assert intervals.giou((0, 5), (15, 20)) == pytest.approx(-0.5)
    # IoU .6, both ends off by 2 of 40 s.
    assert intervals.boundary_iou((12, 18), (10, 20), 40) == pytest.approx(0.6 * 0.95**2)
    assert intervals.set_iou([(0, 4), (2, 6)], [(5, 8)]) == pytest.approx(1 / 8)
    assert intervals.coverage_f1([(0, 5)], [(0, 10)]) == pytest.approx(2 / 3, abs=1e-5)
    assert intervals.parse_to("from 3 to 7 and 9 to 11") == (9.0, 11.0)
    assert intervals.clock("1:02:03.5") == 3723.5


def test_numbers_by_hand() -> None:
    assert numbers.same_number("1,000", "1000") is False
    assert numbers.same_number("3.001", "3.0") is True
    assert numbers.mra(9, 10) == pytest.approx(0.9)
    assert (numbers.mra(8.5, 10), numbers.mra_float32(8.5, 10)) == (0.8, 0.7)
    assert numbers.mra(1, 0) == 0.0
    assert numbers.composed_number("twenty-one chairs") == 21.0
    assert numbers.relative_score(9, 10) == pytest.approx(0.9)


def test_boxes_by_hand() -> None:
    assert boxes.box_iou([0, 0, 2, 2], [1, 1, 3, 3]) == pytest.approx(1 / 7)
    assert boxes.pixel_iou([10, 20, 110, 220], [10, 20, 110, 220]) == 1.0
    assert boxes.pixel_iou([0, 0, 1, 9], [0, 0, 1, 9]) == 0.0
    assert boxes.track_iou([[0, 0, 1, 1]], [[0, 0, 1, 1], [0, 0, 1, 1]]) == 0.0
    assert boxes.parse_boxes("[[1, 2, 3, True]]") is None
    assert boxes.map_score({"chair": [[1, 2]]}, {"chair": [[1, 2], [3, 4]]}) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("pred", "gold", "equal"),
    [
        ("1/2", "0.5", True),
        ("\\frac{1}{2}", "0.5", True),
        ("\\frac{84}{2}", "42", False),
        ("(B)", "B", True),
        ("x^2", "x**2", True),
        ("2*(x+1)", "2*x+2", True),
        ("42.0", "42", True),
        ("41", "42", False),
        ("9^9^9^9", "1", False),
        ("__import__('os')", "1", False),
    ],
)
def test_mathematical_equality(pred: str, gold: str, equal: bool) -> None:
    assert maths.grade_answer(pred, gold) is equal


def test_rouge_is_that_of_rouge_score() -> None:
    scorer = pytest.importorskip("rouge_score.rouge_scorer").RougeScorer(
        ["rouge1", "rouge2", "rougeL"], use_stemmer=True
    )
    pairs = [
        ("The men were opening red doors!", "the man opens the red door"),
        ("dying lying skies", "die lie sky"),
        ("a b c a b", "a b a b c"),
        ("", "nothing"),
        ("the the the", "the"),
        ("x " * 50 + "door", "door x x"),
    ]
    for pred, gold in pairs:
        wanted = {k: v.fmeasure for k, v in scorer.score(gold, pred).items()}
        assert text.rouge(pred, gold) == pytest.approx(wanted)


def test_texts_by_hand() -> None:
    assert text.word_accuracy("the red door", "the red doors") == pytest.approx(2 / 3)
    assert text.word_accuracy("a b c d e f", "a") == 0.0
    assert text.token_f1("the red car", "a red bus") == pytest.approx(0.5)
    assert text.anls("hello", ["hallo"]) == pytest.approx(0.8)
    assert text.anls("xyz", ["hallo"]) == 0.0
    assert text.lcs_length("abcbdab", "bdcaba") == 4


def test_lengths_by_hand() -> None:
    right = [1.0, 1.0, 0.05, 1.0]
    assert length.length_window([320, 512, 400, 513], right) == [0.2, 0.2, 0.0, 0.0]
    assert length.length_window([400, 400], [1.0, 0.0]) == [0.0, 0.0]
    assert [length.soft_overlong(n, 100, 20) for n in (80, 90, 100, 120)] == [0.0, -0.5, -1.0, -1.0]


def test_advantages_by_hand() -> None:
    assert advantages.group_relative([0.0, 2.0]) == pytest.approx([-0.70705, 0.70705], abs=1e-4)
    assert advantages.group_relative([1.0]) == [0.0]
    assert advantages.comparison_bonus([1, 0], [1, 0]) == [0.3, 0.0]
    assert advantages.comparison_bonus([1, 0, 0, 0], [1, 1]) == [0.0] * 4
    # 0 >= .8 * 0 holds, but nobody is right.
    assert advantages.comparison_bonus([0, 0], [0, 0]) == [0.0, 0.0]
    assert advantages.signed_format(0, 0) == -2.0
    assert advantages.k3(-1.0, -1.0) == 0.0
    assert advantages.up_to_first([5, 2, 5, 2], 2) == [1, 1, 0, 0]


def test_the_gradient_is_the_slope_of_the_loss() -> None:
    reference = [[-0.3, -0.9], [-0.5, -0.1]]
    mask = [[1.0, 1.0], [1.0, 0.0]]
    values, beta = [0.7, -0.7], 0.1

    def loss(flat: list[float]) -> float:
        logps = [flat[:2], flat[2:]]
        ratios = [[logps[i][t] - at[i][t] for t in (0, 1)] for i in (0, 1)]
        kl = [[advantages.k3(logps[i][t], reference[i][t]) for t in (0, 1)] for i in (0, 1)]
        per_token = [
            [-values[i] * (1 + ratios[i][t]) + beta * kl[i][t] for t in (0, 1)] for i in (0, 1)
        ]
        return advantages.reduce_tokens(per_token, mask)

    at = [[-0.4, -0.2], [-0.8, -0.6]]
    slopes = [[advantages.k3_gradient(at[i][t], reference[i][t]) for t in (0, 1)] for i in (0, 1)]
    ours = advantages.on_policy_gradient(values, slopes, mask, beta=beta)
    wanted = advantages.numeric_gradient(loss, [x for row in at for x in row])
    assert [x for row in ours for x in row] == pytest.approx(wanted, abs=1e-6)


def test_a_recorded_judge_asks_once(tmp_path: Path) -> None:
    asked = []

    def expensive(question: str, answer: str, reference: str) -> float:
        asked.append(answer)
        return float(answer.lower() == reference.lower())

    path = tmp_path / "judge.jsonl"
    reward = judge.judged(judge.Recorded(path, expensive))
    completions = [THINK.format("Red car"), THINK.format("bus"), THINK.format("Red car")]
    assert reward([], completions, solution=["red car"] * 3) == [1.0, 0.0, 1.0]
    assert asked == ["Red car", "bus"]
    replay = judge.judged(judge.Recorded(path))
    assert replay([], completions, solution=["red car"] * 3) == [1.0, 0.0, 1.0]
    with pytest.raises(KeyError, match=r"judge.jsonl: no recorded score"):
        replay([], [THINK.format("new")], solution=["red car"])


def test_the_page_is_the_generated_one() -> None:
    page = Path(__file__).parents[4] / "docs" / "rewards.md"
    assert page.read_text(encoding="utf-8") == compare.page(), (
        "run: python -m reproductions.shared.rewards.compare > docs/rewards.md"
    )


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("[[0, 0, 2, 4], [0, 0, 1, 1]]", 1.0),
        # IoU 2 x 2 of 2 x 4, and 1: the mean.
        ("[[0, 0, 2, 2], [0, 0, 1, 1]]", 0.75),
        ("[[2, 4, 0, 0], [0, 0, 1, 1]]", 1.0),  # the same corners in another order
        ("[[0, 0, 2, 4]]", 0.0),
        ("[]", 0.0),
        ("left", 0.0),
        ("[[0, 0, 1e400, 4], [0, 0, 1, 1]]", 0.0),
    ],
)
def test_tracks_score_their_mean_box_iou(answer: str, expected: float) -> None:
    completion, gold = f"<answer>{answer}</answer>", "[[0, 0, 2, 4], [0, 0, 1, 1]]"
    assert rules.score("video_r1", completion, gold, "tracking") == pytest.approx(expected)
    assert rules.score("video_r1", completion, gold, "tracking", safe=False) == 0.0  # as published


def test_a_map_with_cells_beyond_all_numbers() -> None:
    for huge in ("1e400", "1" + "0" * 400):
        assert boxes.parse_map(f'{{"chair": [[{huge}, 2], [1, 2]]}}', ["chair"]) == {
            "chair": [[1, 2]]
        }


@pytest.mark.parametrize("rule", [r for r in rules.ACCURACY if r != "veripo"])
@pytest.mark.parametrize("solution", ["B", "<answer>B</answer>"])
def test_a_bare_gold_and_a_tagged_one_are_the_same(rule: str, solution: str) -> None:
    reward = rules.accuracy(rule, safe=True)
    right = (
        "<think>r</think><answer>B. </answer>" if rule == "vidbridge_r1" else "<answer>B</answer>"
    )
    assert reward([], [right], solution=[solution]) == [1.0]
    if rule in rules.BARE_GOLDS:
        assert rules.accuracy(rule, safe=False)([], [right], solution=[solution]) == [1.0]
