"""Which field of a prediction log holds the answer, the gold, the id, and what they say.

Fields are detected from the names that projects use; where that is not certain the log is refused
and the fields are named.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from reproductions.shared.evaluation.log_forms import fold

CANDIDATES: dict[str, tuple[str, ...]] = {
    "id": (
        *("id", "question_id", "problem_id", "qid", "uid", "sample_id", "quesid", "index"),
        *("question_idx", "doc_id", "item_id", "idx", "key", "query_id", "annotation_id"),
        *("q_uid", "name", "query_idx", "seq_name", "sequence"),
    ),
    "prediction": (
        *("model_output", "completion", "raw_output", "raw_response", "raw_prediction"),
        *("model_response", "response", "prediction", "pred", "predicted", "output", "generated"),
        *("generated_text", "model_answer", "model_prediction", "pred_answer", "predicted_answer"),
        *("video_llm_prediction", "pred_relevant_windows", "pred_timestamps", "pred_span"),
        *("pred_windows", "pred_events", "pred_boxes", "pred_tube", "pred_masks", "pred_caption"),
        *("model_pred", "ans", "answer_pred", "pred_text", "generated_cap", "caption_pred"),
        *("llm_output", "output_text", "predicted_option", "final_answer", "extracted_answer"),
        "value",  # of files that map ids to answers
    ),
    "gold": (
        *("ground_truth", "gold", "gt", "target", "solution", "gt_answer", "correct_answer"),
        *("correct_choice", "right_answer", "answer_key", "label", "reference", "references"),
        *("truth", "gt_option", "gold_answer", "relevant_windows", "gt_windows", "gt_timestamps"),
        *("timestamp", "timestamps", "gt_span", "span", "gt_events", "gt_boxes", "gt_tube"),
        *("gt_masks", "gt_caption", "captions", "groundtruth"),
    ),
    "options": ("options", "candidates", "choices", "option"),
    "task": ("task", "task_type", "question_type", "type", "category", "task_category", "dim"),
    "video": (
        *("video", "video_id", "videoid", "vid", "video_name", "video_path", "ori_video"),
        *("video_uid", "video_idx", "vname", "image_id"),
    ),
    "question": ("question", "query", "problem", "prompt"),
    "span": (
        *("pred_relevant_windows", "pred_windows", "pred_span", "pred_timestamps"),
        *("pred_timestamp", "span_pred", "pred_location", "glue", "grounding"),
    ),
    "saliency": ("pred_saliency_scores", "saliency_scores", "pred_saliency"),
    "verdict": (
        *("verdict", "judge", "judgement", "judgment", "judge_response", "judge_output"),
        *("gpt_eval", "gpt_response", "chatgpt_response", "llm_judge", "judge_result", "review"),
        *("grade", "rating", "gpt_score", "judge_score", "is_correct", "correct"),
    ),
}  # fmt: skip
"""Role -> names under which projects log it, lower case, with "_" for every other mark."""
PARTS = ("span", "verdict", "saliency")
"""Roles that only some shapes have."""
SHARED = "answer"
"""The one name that some projects use for the gold and others for the model's answer."""
LAST_RESORT = ("text", "option", "timestamp", "timestamps", "windows", "choice", "caption")
"""Names of the answer where the gold comes from elsewhere and no better name is there."""
RIGHT = ("yn", "yes_no", "is_correct", "correct", "correctness", "match", "acc", "accuracy", "pred")
SCORES = ("score", "rating", "gpt_score", "judge_score", "llm_score", "gpt4_score")
"""Fields into which judges' answers are taken apart: right or not, and a score."""
MARKS = (
    *("rating", "score", "correct", "is_correct", "corr", "acc", "accuracy", "match", "hit"),
    *("reward", "published_score", "judge_score", "eval_score", "eval_result", "result"),
)
"""Fields in which a log says whether it counts an answer as right."""
VALUES = (
    *("iou", "tiou", "temporal_iou", "viou", "gt_viou", "viou_0_3", "viou_0_5", "spatial_miou"),
    *("miou", "iop", "mra", "f1", "meteor", "cider", "soda_c"),
)
"""Fields in which a log gives the value of an answer under its own metric."""
NAMED: dict[str, dict[str, tuple[str, ...]]] = {
    "span": {"prediction": ("answer_temporal",), "gold": ("timestamps",)},
    "tube": {"prediction": ("answer_spatial",), "gold": ("bboxes",)},
    "open": {"prediction": ("answer_vqa",), "verdict": ("vqa_score",), "gold": ("answer",)},
}
"""Kind of answer -> role -> fields, where one record answers several tasks (V-STaR)."""
FILE = "_file"
"""Field that names the file of a record, where a log has several."""


class LogError(ValueError):
    """A log that cannot be scored: what is wrong, and what to do."""


def seen(records: Sequence[Mapping[str, Any]]) -> str:
    """The fields of a log, for messages."""
    names = Counter(k for r in records for k in r if k != FILE)
    return ", ".join(n if c == len(records) else f"{n} (in {c})" for n, c in names.most_common(30))


def detect(
    records: Sequence[Mapping[str, Any]],
    given: Mapping[str, str],
    *,
    need_gold: bool = True,
    gold_ids: Mapping[str, Any] | None = None,
    parts: Sequence[str] = (),
    judged: bool = False,
    need_prediction: bool = True,
) -> dict[str, str]:
    """Role -> field of the log; "" where there is none and none is needed.

    A role with several candidates is settled if they all hold the same values, and an answer also
    if one field holds the whole text and the others parts of it; else it is refused.

    Args:
        records: The log.
        given: Role -> field as named by hand.
        need_gold: Whether the gold must be in the log.
        gold_ids: Ids of the gold file, to find the id field.
        parts: Further roles that belong to the answer.
        judged: Whether the verdict of a judge is all that is needed.
        need_prediction: False for a file of golds.

    Raises:
        LogError: A field named by hand is not there, or a role is missing or ambiguous.
    """
    columns: dict[str, str] = {}
    for record in records:
        for name in record:
            columns.setdefault(name, fold(name))
    for role, name in given.items():
        if role not in CANDIDATES:
            raise LogError(f"no role '{role}'; there are: {', '.join(CANDIDATES)}.")
        if not set(name.split("+")) <= set(columns) and name not in columns:
            raise LogError(f"no field '{name}' for {role}. The log has: {seen(records)}.")
    taken = set(given.values())
    roles = {r: known for r, known in CANDIDATES.items() if r not in PARTS or r in parts}
    for role in parts:  # what is a part of the answer is not the answer
        folded = {f: n for n, f in columns.items()}
        taken |= {folded[k] for k in CANDIDATES[role] if k in folded}
    found: dict[str, list[str]] = {}
    for role, known in roles.items():
        free = taken if role not in parts else set(given.values())
        by_name = {folded: n for n, folded in columns.items() if n not in free}
        found[role] = [given[role]] if role in given else [
            by_name[k] for k in known if k in by_name
        ]  # fmt: skip
    answer = next((n for n, folded in columns.items() if folded == SHARED and n not in taken), "")
    if answer and not found["gold"]:
        found["gold"] = [answer]
    elif answer and not found["prediction"]:
        found["prediction"] = [answer]
    if not need_gold and need_prediction and not found["prediction"]:
        by_name = {folded: n for n, folded in columns.items() if n not in taken}
        names = (SHARED, *LAST_RESORT)
        found["prediction"] = [by_name[k] for k in names if k in by_name][:1]
        found["gold"] = [n for n in found["gold"] if n not in found["prediction"]]
    chosen = {role: names[0] if names else "" for role, names in found.items()}
    if judged:
        chosen["verdict"] = given.get("verdict") or _verdict(records, columns, chosen["verdict"])
        if not chosen["verdict"]:
            raise LogError(
                "no field for the verdict of the judge was recognised. Name it with --field "
                f"verdict=NAME. The log has: {seen(records)}."
            )
        need_gold = False
    for role in ("prediction", "gold"):
        if len(found[role]) > 1 and not _agree(records, found[role]):
            if (role == "gold" and not need_gold) or judged:
                chosen[role] = ""
                continue
            whole = whole_text(records, found[role]) if role == "prediction" else ""
            if role == "prediction" and not need_prediction:
                whole = found[role][0]
            if whole:
                chosen[role] = whole
                continue
            raise LogError(
                f"which field is the {role}? {' and '.join(found[role])} differ. Say it with "
                f"--field {role}={found[role][0]}. The log has: {seen(records)}."
            )
    needed = [] if judged else ["prediction"] * need_prediction + ["gold"] * need_gold
    for role in needed:
        if not chosen[role] and not (role == "prediction" and any(chosen[p] for p in parts)):
            gold = " Or give the benchmark's question file with --gold." if role == "gold" else ""
            raise LogError(
                f"no field for the {role} was recognised. Name it with --field {role}=NAME. The "
                f"log has: {seen(records)}.{gold}"
            )
    if "id" not in given:
        chosen["id"] = _id_field(records, found["id"], chosen, gold_ids)
    return chosen


def _agree(records: Sequence[Mapping[str, Any]], names: Sequence[str]) -> bool:
    return all(
        len({json.dumps(r.get(n), sort_keys=True, default=str) for n in names}) == 1
        for r in records
    )


def whole_text(records: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """The field whose texts hold those of the others, as a raw answer holds the extracted one."""
    for name in names:
        rest = [n for n in names if n != name]
        held = size = part = 0
        for record in records:
            whole = record.get(name)
            others = [str(record[n]).strip() for n in rest if record.get(n) is not None]
            if whole is not None and not isinstance(whole, str):
                break
            held += all(o in (whole or "") for o in others)
            size += len(whole or "") * len(rest)
            part += sum(map(len, others))
        else:
            if held >= 0.95 * len(records) and size > 2 * part:
                return name
    return ""


def other_answers(records: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    """A note where other fields hold parts of the answer that was taken."""
    names = {n for r in records for n in r if fold(n) in CANDIDATES["prediction"]} - {name}
    parts = sorted(n for n in names if any(r.get(n) != r.get(name) for r in records))
    if not name or not parts:
        return []
    return [f"The whole answer is read from {name}; parts of it are in {', '.join(parts)}."]


def named(records: Sequence[Mapping[str, Any]], kind: str) -> dict[str, str]:
    """Role -> field for records that answer several tasks at once; {} for all others."""
    columns = {fold(n): n for r in records for n in r}
    known = NAMED.get(kind, {})
    if not any(n in columns for n in known.get("prediction", ())):
        return {}
    return {role: columns[n] for role, names in known.items() for n in names if n in columns}


def values_of(records: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Metrics that a log itself gives for its answers -> their values, also one level deeper."""
    found: dict[str, list[float]] = {}
    for record in records:
        inner = [v for v in record.values() if isinstance(v, Mapping)]
        for name, value in (pair for part in (record, *inner) for pair in part.items()):
            if fold(name) in VALUES and isinstance(value, int | float) and value == value:
                found.setdefault(str(name), []).append(float(value))
    return found


def marks_of(records: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Fields with which a log marks its answers -> 0.0 or 1.0 for each record."""
    found: dict[str, list[float]] = {}
    for name in dict.fromkeys(n for r in records for n in r if fold(n) in MARKS):
        values = [_mark(r.get(name)) for r in records]
        known = [v for v in values if v is not None]
        if len(known) == len(records) and len(set(known)) > 1:
            found[name] = known
    return found


def _mark(value: Any) -> float | None:
    if isinstance(value, str):
        value = {"true": 1, "false": 0, "yes": 1, "no": 0, "correct": 1, "incorrect": 0}.get(
            value.strip().lower(), value
        )
    try:
        return float(value) if float(value) in (0.0, 1.0) else None
    except (TypeError, ValueError):
        return None


_SAID = {"yes", "no", "true", "false", "correct", "incorrect", "0", "1", "0.0", "1.0", "y", "n"}


def _verdict(
    records: Sequence[Mapping[str, Any]], columns: Mapping[str, str], named: str
) -> str:  # fmt: skip
    """The field with the verdict, or "right+score" where a log has taken it apart."""

    def most(name: str, test: Any) -> bool:
        return sum(bool(test(r.get(name))) for r in records) >= 0.9 * len(records)

    def said(value: Any) -> bool:
        return str(value).strip().strip(".").lower() in _SAID

    by_name = {folded: n for n, folded in columns.items()}
    rights = [by_name[n] for n in RIGHT if n in by_name and most(by_name[n], said)]
    scores = [
        by_name[n]
        for n in SCORES
        if n in by_name and most(by_name[n], lambda v: re.fullmatch(r"-?\d+(\.\d+)?", str(v)))
    ]
    if named and not (named in rights or named in scores):
        return named
    if rights and scores and rights[0] != scores[0]:
        return f"{rights[0]}+{scores[0]}"
    return named or next(iter([*rights, *scores]), "")


def _id_field(
    records: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    chosen: Mapping[str, str],
    gold_ids: Mapping[str, Any] | None,
) -> str:
    """The candidate that names most gold items; without gold the first one that tells items apart.

    Repeats of one and the same record do not speak against a field.
    """
    names = [n for n in names if n not in (chosen["prediction"], chosen["gold"])]
    pairs = [
        f"{v}+{q}"
        for v in (chosen["video"],)
        for q in ("qid", "question_id", "qns_id")
        if v and all(q in r for r in records)
    ]
    if gold_ids is not None:
        alone = [chosen["video"]] if chosen["video"] else []
        every = dict.fromkeys((*names, *pairs, *alone))
        hits = {n: sum(key_of(r, n) in gold_ids for r in records) for n in every}
        best = max(hits, key=lambda n: hits[n], default="")
        if not best or not hits[best]:
            raise LogError(
                f"no field of the log holds the ids of the gold file (such as "
                f"{', '.join(list(gold_ids)[:3])}). Name it with --field id=NAME. The log has: "
                f"{seen(records)}."
            )
        return best
    whole = len({json.dumps(r, sort_keys=True, default=str) for r in records})
    for name in [*names, *pairs]:
        if len({key_of(r, name) for r in records}) >= whole:
            return name
    return names[0] if names else ""


def key_of(record: Mapping[str, Any], name: str) -> str:
    """The id of a record; "a+b" joins two fields with "_"."""
    if "+" in name and name not in record:
        return "_".join(text_of(record.get(part)) for part in name.split("+"))
    return text_of(record.get(name))


def text_of(value: Any) -> str:
    """A number without ".0", anything else as text."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def answer_of(record: Mapping[str, Any], chosen: Mapping[str, str], parts: Sequence[str]) -> Any:
    """The answer, or a mapping of the answer and its parts where the log has those."""
    value = _opened(record.get(chosen["prediction"])) if chosen["prediction"] else None
    own = {p: _part(record, chosen[p]) for p in parts if chosen.get(p)}
    if not own:
        return value
    if value is None and all(v is None for v in own.values()):
        return None
    return {"prediction": value, **own}


def _part(record: Mapping[str, Any], name: str) -> Any:
    if "+" in name and name not in record:
        right, score = name.split("+")
        return {"pred": record.get(right), "score": record.get(score)}
    return record.get(name)


def _opened(value: Any) -> Any:
    """The logged answer; lists around a single text are opened, an empty cell is no answer.

    Blanks and marks of the end around a text are dropped, as most published scripts do first.
    """
    while isinstance(value, list) and len(value) == 1 and isinstance(value[0], str | list):
        if isinstance(value[0], list) and value[0] and not isinstance(value[0][0], str | list):
            break  # a list with one span or one box
        value = value[0]
    if isinstance(value, float) and value != value:
        return None
    return _END.sub("", value).strip() if isinstance(value, str) else value


_END = re.compile(r"(?:\s*(?:</s>|<\|im_end\|>|<\|endoftext\|>|<\|eot_id\|>)){1,9}\s*\Z")
