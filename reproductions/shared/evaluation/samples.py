"""What the report shows of single answers: samples by rule, their frames, and rollouts."""

from __future__ import annotations

import base64
import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reproductions.shared.evaluation.run_folder import MAX_TEXT, NAMES, Run, after, cut, number

SAMPLES = {"broken": 4, "wrong": 4, "fixed": 3, "right": 1}
"""How many samples of each outcome are shown."""

OUTCOMES = {
    "broken": "right {before}, wrong {now}",
    "wrong": "wrong {now}",
    "fixed": "wrong {before}, right {now}",
    "right": "right {now}",
}


FRAME_BYTES = 900_000
"""Once this much of a page is frames, the other samples go without."""
MAX_FRAMES = 16
FRAME_PIXELS = 160 * 120


def choose_samples(run: Run) -> list[dict[str, Any]]:
    """Questions to show: first what got worse, then what stayed wrong, then what was fixed.

    Within an outcome, tasks take turns and each task's questions come in file order.
    """
    if not run.predictions:
        return []
    by_id = {
        name: {str(r.get("id")): r for r in records} for name, records in run.predictions.items()
    }
    last = list(by_id)[-1]
    chosen = []
    for outcome, ids in _outcomes(run).items():
        turns = Counter[str]()
        ranked = []
        for position, identity in enumerate(ids):
            task = str(by_id[last][identity].get("task", ""))
            ranked.append((turns[task], position, identity))
            turns[task] += 1
        for _, _, identity in sorted(ranked)[: SAMPLES[outcome]]:
            record = by_id[last][identity]
            chosen.append(
                {
                    "outcome": outcome,
                    "id": identity,
                    "task": str(record.get("task") or ""),
                    "problem_type": str(record.get("problem_type") or ""),
                    "question": cut(str(record.get("question") or "")),
                    "prompt": cut(str(record.get("prompt") or ""), 2 * MAX_TEXT),
                    "options": [cut(str(o), 300) for o in _list(record.get("options"))][:26],
                    "gold": cut(str(record.get("gold", "")), 400),
                    "video": record.get("video"),
                    "times": record.get("times"),
                    "frames": [],
                    "frames_note": "",
                    "answers": [
                        {
                            "checkpoint": name,
                            "completion": cut(str(by_id[name][identity].get("completion") or "")),
                            "answer": cut(str(by_id[name][identity].get("answer") or ""), 400),
                            "score": number(by_id[name][identity].get("score")),
                            "right": _is_right(by_id[name][identity]),
                            "tokens": by_id[name][identity].get("tokens_out"),
                        }
                        for name in by_id
                        if identity in by_id[name]
                    ],
                }
            )
    return chosen


def _outcomes(run: Run) -> dict[str, list[str]]:
    """Outcome -> ids of questions, by the last two checkpoints that answered."""
    names = list(run.predictions)
    if not names:
        return {}
    now = {str(r.get("id")): _is_right(r) for r in run.predictions[names[-1]]}
    before = (
        {str(r.get("id")): _is_right(r) for r in run.predictions[names[-2]]}
        if len(names) > 1
        else {}
    )
    sorted_ids: dict[str, list[str]] = {outcome: [] for outcome in OUTCOMES}
    for identity, right in now.items():
        was = before.get(identity, right)
        outcome = ("right" if was else "fixed") if right else ("broken" if was else "wrong")
        sorted_ids[outcome].append(identity)
    return sorted_ids


def outcome_counts(run: Run) -> dict[str, dict[str, Any]]:
    """Outcome -> its name in words (`title`) and how many questions had it (`count`)."""
    names = list(run.predictions)
    words = {
        "now": after(names[-1]) if names else "",
        "before": after(names[-2]) if len(names) > 1 else "",
    }
    counts = {}
    for outcome, ids in _outcomes(run).items():
        title = OUTCOMES[outcome].format(**words)
        if len(names) > 1 and outcome in ("wrong", "right"):
            title = f"{outcome} both {words['before']} and {words['now']}"
        counts[outcome] = {"title": title, "count": len(ids)}
    return counts


def _is_right(record: Mapping[str, Any]) -> bool:
    """Graded scores such as tIoU count as right from 0.5 on; the page says so."""
    return (number(record.get("score")) or 0.0) >= 0.5


def add_frames(run: Run, samples: Sequence[dict[str, Any]]) -> None:
    """Fill in the frame strips, as long as the page's budget lasts."""
    spent = 0
    for sample in samples:
        times = [t for t in map(number, _list(sample["times"])) if t is not None]
        if not sample["video"] or not times:
            sample["frames_note"] = "No video."
            continue
        if spent > FRAME_BYTES:
            sample["frames_note"] = "Left out to keep this page small."
            continue
        stride = math.ceil(len(times) / MAX_FRAMES)
        if stride > 1:
            sample["frames_note"] = f"Shown: 1 in {stride} of {len(times)} frames."
        try:
            sample["frames"] = frame_strip(_video(run, str(sample["video"])), times[::stride])
        except Exception as error:  # any decoder failure is worth a sentence, none a lost report
            sample["frames_note"] = f"The video could not be decoded: {cut(str(error), 200)}"
        spent += sum(len(frame["uri"]) for frame in sample["frames"])


def _video(run: Run, name: str) -> Path:
    """The file: paths are relative to the run folder, or to where the run was started."""
    inside = run.folder / name
    return inside if inside.exists() else Path(name)


def frame_strip(video: Path, times: Sequence[float]) -> list[dict[str, Any]]:
    """Decode frames and pack them for a page: `time` [s], `uri` (WebP), `width`, `height` [px].

    Decodes in the quarantine process, so a hostile file cannot stop the report.

    Args:
        video: The file.
        times: Seconds from the start of the file; the nearest frames are taken.

    Raises:
        ValueError: The file gives no frames; the message says why.
    """
    from PIL import Image  # decoding and pictures are needed only for runs with videos

    from reproductions.shared.video.quarantine import Quarantined, safe_probe, safe_read
    from reproductions.shared.video.spec import FrameSpec

    info = safe_probe(video)
    if isinstance(info, Quarantined):
        raise ValueError(info.reason)
    spec = FrameSpec(num_frames=2, size_factor=1, max_pixels=FRAME_PIXELS)
    clip = safe_read(video, spec.at(info, times))
    if isinstance(clip, Quarantined):
        raise ValueError(clip.reason)
    strip = []
    for frame, time in zip(clip.frames, clip.times, strict=True):
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "webp", quality=75)
        strip.append(
            {
                "time": time,
                "uri": "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode(),
                "width": frame.shape[1],
                "height": frame.shape[0],
            }
        )
    return strip


def rollout_groups(rollouts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One group of answers from the first, the middle and the last recorded step of each stage.

    Of a step's groups, the first whose totals differ is taken: only such a group teaches anything.
    """
    stages: dict[str, dict[float, dict[str, list[dict[str, Any]]]]] = {}
    for record in rollouts:
        step = number(record.get("step"))
        if step is None:
            continue
        scores = record.get("scores")
        steps = stages.setdefault(str(record.get("stage") or ""), {})
        steps.setdefault(step, {}).setdefault(str(record.get("group")), []).append(
            {
                "sample": str(record.get("sample") or ""),
                "completion": cut(str(record.get("completion") or ""), 600),
                "view": str(record.get("view") or ""),
                "scores": {str(k): number(v) for k, v in scores.items()}
                if isinstance(scores, dict)
                else {},
                "total": number(record.get("total")),
                "advantage": number(record.get("advantage")),
            }
        )
    chosen = []
    for stage, steps in stages.items():
        order = sorted(steps)
        for i in sorted({0, len(order) // 2, len(order) - 1}):
            groups = list(steps[order[i]].values())
            answers = next(
                (g for g in groups if len({a["total"] for a in g} - {None}) > 1), groups[0]
            )
            chosen.append(
                {
                    "stage": NAMES.get(stage, stage),
                    "step": order[i],
                    "sample": answers[0]["sample"],
                    "names": list(dict.fromkeys(name for a in answers for name in a["scores"])),
                    "answers": answers[:16],
                }
            )
    return chosen


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
