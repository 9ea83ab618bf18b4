"""Reward functions of the repositories that train (commits: `golden` rows and catalogue)."""

from __future__ import annotations

import math
from typing import Any

from reproductions.shared.rewards import (
    boxes,
    choice,
    intervals,
    length,
    numbers,
    rules,
)
from reproductions.shared.rewards.intervals import Pair
from reproductions.shared.rewards.official import answers, grounding
from reproductions.shared.rewards.official.base import (
    Adapter,
    Failed,
    each,
    formatted,
    plain,
    scored,
)


def _cross(pick: dict[str, Any]) -> dict[str, Adapter]:
    """Adapters for the golden file that compares temporal IoUs: (pred, gold, duration)."""

    def adapt(function: Any) -> Adapter:
        return lambda a: function(a["pred"], a["gold"], a["duration"])

    return {f"temporal_iou:{name}": adapt(function) for name, function in pick.items()}


def _to(pred: Pair) -> list[str]:
    return [f"<answer>{pred[0]} to {pred[1]}</answer>"]


def _leaking(pred: Pair, gold: Pair, duration: float, *, boundary: bool = False) -> Any:
    batch = {"completions": _to(pred), "solution": [gold], "durations": [duration]}
    out = grounding.leaking_iou(batch, boundary=boundary)
    return out if isinstance(out, Failed) else out[0]


def _glue(function: Any, spans: str, gold: Any) -> Any:
    return function(f"<glue>{spans}</glue>", {"glue": gold})


def _regression(pred: float, gold: float) -> float:
    return rules.typed_score(str(pred), str(gold), "regression", safe=False)


def _dashed(pred: Pair) -> str:
    return f"<answer>{pred[0]}-{pred[1]}</answer>"


TIME_R1, VIDEOCHAT, VAU = "xiaomi-research/time-r1", "OpenGVLab/VideoChat-R1", "GVCLab/VAU-R1"
MUSEG, SPACER, TEMPORAL = "THUNLP-MT/MUSEG", "OuyangKun10/SpaceR", "appletea233/Temporal-R1"
AV, PIXEL, EGO = "AV-Reasoner/AV-Reasoner", "TIGER-AI-Lab/Pixel-Reasoner", "egolife-ai/Ego-R1"
VIDEO_RTS, LONG_RL, TINY = (
    "Ziyang412/Video-RTS",
    "zcccccz/Long-RL",
    "ZhangXJ199/TinyLLaVA-Video-R1",
)

_BY_REPOSITORY: dict[str, dict[str, Adapter]] = {
    "tulerfeng/Video-R1": {
        "accuracy_reward": scored("video_r1"),
        "format_reward": formatted("video_r1"),
        "eval_bench.reward_fn": plain(answers.video_r1_eval),
        "eval_bench.mean_relative_accuracy": plain(numbers.mra_float32),
        "mra:video-r1 eval MRA": plain(numbers.mra_float32),
        "mra:video-r1 regression reward": plain(_regression),
    },
    "QiWang98/VideoRFT": {
        "accuracy_reward": scored("video_r1"),
        "format_reward": formatted("video_r1"),
        "semantic_reward": answers.videorft_semantic,
    },
    "longmalongma/TW-GRPO": {
        "accuracy_reward": scored("tw_grpo"),
        "origin_accuracy_reward": each(answers.tw_origin, "solution"),
        "format_reward": formatted("tw_grpo"),
    },
    TIME_R1: {
        "iou_timestamp_reward": grounding.leaking_iou,
        "iou_timestamp_reward_v2": lambda a: grounding.leaking_iou(a, boundary=True),
        "parse_timestamp_output": plain(grounding.answered_span),
        "format_reward": formatted("time_r1"),
        "reward_think_length": each(grounding.thought_length),
        "reward_keyword_usage": each(grounding.keyword_usage),
        "reward_paragraph_structure": each(grounding.paragraph_structure),
        "reward_timestep_pair": each(grounding.timestep_pair),
        "diversity_reward_func": grounding.diversity,
        "mqa_answer_reward": scored("time_r1", wrap=False),
        "compute_IoU": plain(lambda p, g: intervals.tiou(p, g, empty=math.nan)),
        "mcq_is_correct": plain(grounding.time_r1_choice),
        "evaluate.extract_answer": plain(grounding.time_r1_extract),
        "extract_answer_force": plain(grounding.forced_span),
        **_cross(
            {
                "time-r1/iou": _leaking,
                "time-r1/iou_v2": lambda p, g, d: _leaking(p, g, d, boundary=True),
                "time-r1/eval compute_IoU": lambda p, g, d: intervals.tiou(p, g, empty=math.nan),
            }
        ),
    },
    VIDEOCHAT: {
        "answer_reward": scored("videochat_r1", wrap=False, field="answer"),
        "format_reward_gqa": each(lambda c: grounding.glue_format(c, single=False)),
        "is_valid_two_d_list_format": plain(lambda s: grounding.tuple_spans(s) is not None),
        "iou_glue_reward": each(grounding.glue_iou, "solution", errors=(TypeError,)),
        "iou_timestamp_reward": grounding.leaking_iou,
        "grpo_tg.iou_timestamp_reward": each(grounding.ordered_iou, "solution"),
        "tracking_format_reward": each(grounding.tracking_format),
        "tracking_iou_reward": each(grounding.tracking_iou, "solution"),
        "grpo_cls.answer_reward": each(grounding.equal_class, "solution"),
        "eval.parse_timestamp_output": plain(lambda s: grounding.time_r1_extract(s, "tg")),
        **_cross(
            {
                "videochat-r1/tg": lambda p, g, d: grounding.ordered_iou(_to(p)[0], g),
                "videochat-r1/glue": lambda p, g, d: _glue(
                    grounding.glue_iou, f"[({p[0]}, {p[1]})]", [g]
                ),
            }
        ),
    },
    VAU: {
        "is_valid_single_interval_format": plain(lambda s: grounding.single_span(s) is not None),
        "iou_glue_reward": each(grounding.vau_iou, "solution", errors=(IndexError, ValueError)),
        "format_reward": each(lambda c: grounding.glue_format(c, single=True)),
        "grpo_cls.answer_reward": each(
            lambda c, g: grounding.equal_class(c, g["answer"]), "solution", errors=(TypeError,)
        ),
        "parse_html": plain(grounding.vau_span),
        "extract_options": plain(grounding.vau_classes),
        **_cross({"vau-r1/glue": lambda p, g, d: _glue(grounding.vau_iou, f"[{p[0]}, {p[1]}]", g)}),
    },
    MUSEG: {
        "reward_local_matching": each(grounding.museg_local, "solution"),
        "reward_global_matching": each(grounding.museg_global, "solution"),
        "reward_segment_matching": each(
            lambda c, g: grounding.museg_global(c, g) + grounding.museg_local(c, g), "solution"
        ),
        "reward_format": each(lambda c: grounding.museg_format(c, cited=True)),
        "reward_format_n_timestamp": each(lambda c: grounding.museg_format(c, cited=False)),
        "eval_grounding.eval": grounding.museg_eval,
        "tvg_format": plain(grounding.told_spans),
        "dvc_format": plain(grounding.dense_captions),
        **_cross(
            {
                "museg/global": lambda p, g, d: grounding.museg_global(_dashed(p), [g]),
                "museg/local": lambda p, g, d: grounding.museg_local(_dashed(p), [g]),
            }
        ),
    },
    SPACER: {
        "accuracy_reward": answers.spacer_accuracy,
        "extract_map_data": plain(answers.spacer_map),
        "calculate_prediction_score": plain(answers.spacer_map_score),
        "mra:spacer grpo.py numerical reward": plain(
            lambda p, g: answers.spacer_numerical(str(p), str(g))
        ),
    },
    TEMPORAL: {
        "tvg_compute_score": plain(grounding.tvg_score),
        "temporal_iou": plain(grounding.hull_iou),
        "r1v_compute_score": answers.half_format,
        "r1v_accuracy_reward": scored("temporal_r1", wrap=False),
        **_cross({"temporal-r1/tvg": lambda p, g, d: intervals.tiou(p, g)}),
    },
    LONG_RL: {
        "compute_score": answers.long_rl,
        "accuracy_reward": scored("long_rl", wrap=False),
        "format_reward": formatted("video_r1"),
        "soft_overlong_punishment": plain(length.soft_overlong),
        "dapo.compute_score": answers.dapo,
    },
    AV: {
        "accuracy_reward": answers.av_batch(answers.av_accuracy, strings=False),
        "accuracy_reward_qa_mcq / 10": scored("av_reasoner", wrap=False),
        "format_reward": answers.av_batch(answers.av_format, strings=True),
        "time_str_to_seconds": plain(answers.av_time),
        "compute_tiou": plain(intervals.union_iou),
        "compute_sIoU": plain(lambda a, b: boxes.box_iou(boxes.sorted_box(a), boxes.sorted_box(b))),
        "compute_cluster_pair_wcs": plain(answers.av_wcs),
        **_cross({"av-reasoner/tiou": lambda p, g, d: intervals.set_iou([p], [g])}),
    },
    "AMAP-ML/UniVG-R1": {
        "format_reward_rec": grounding.univg_format,
        "iou_reward": grounding.univg_iou,
    },
    PIXEL: {
        "rule_reward": plain(
            answers.pixel_rule, "sol", "gt", "eostoken", "format_type", "requires_box"
        )
    },
    EGO: {
        "compute_score": answers.ego_score,
        "compute_score(format_score=0)": answers.ego_score,
        "compute_format_score": plain(lambda s: 0.5 if answers.ego_grammar(s) else 0.0),
        "em_check": plain(answers.exact_match),
        "subem_check": plain(answers.contains_match),
        "extract_solution": plain(answers.ego_last_answer),
    },
    VIDEO_RTS: {
        "accuracy_reward": scored("video_rts"),
        "format_reward": formatted("video_rts"),
        "extract_student_answer": plain(rules.video_rts_student),
        "extract_answer_letter": plain(choice.leading_letter),
        "get_vote_counts": plain(answers.votes),
        "reward_fn": plain(answers.video_rts_eval),
        "compute_accuracies": plain(answers.vote_accuracies),
    },
    "TencentARC/SEED-Bench-R1": {
        "accuracy_reward": scored("seed_bench_r1"),
        "format_reward": formatted("video_rts"),
    },
    TINY: {
        "accuracy_reward": scored("tinyllava_video_r1"),
        "format_reward": formatted("tinyllava_video_r1"),
        "has_repeated_content": plain(answers.repeats),
    },
    "sail-sg/Video-Next-Event-Prediction": {
        "v1_compute_score": answers.next_event,
    },
    "VidBridge-R1/VidBridge-R1": {
        "accuracy_reward": answers.vidbridge,
        "accuracy_reward (x format)": answers.vidbridge,
        "format_reward": formatted("vidbridge_r1"),
        "keywords_reward": plain(answers.keywords),
    },
    "xuzq23/ViaRL": {
        "accuracy_reward": answers.viarl_accuracy,
        "accuracy_reward / 2": answers.viarl_accuracy,
        "index_reward": each(answers.viarl_index),
        "format_reward": formatted("viarl"),
    },
    "HITsz-TMG/VerIPO": {"scoring loop": answers.veripo, "scoring loop (one line)": answers.veripo},
}

TRAINING: dict[tuple[str, str], Adapter] = {
    (repository, function): adapter
    for repository, functions in _BY_REPOSITORY.items()
    for function, adapter in functions.items()
}
"""(repository, function) -> adapter."""
