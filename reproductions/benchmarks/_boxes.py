"""Where: tubes (a box for some frames), tracks (a box for every frame) and masks.

Boxes are [x0, y0, x1, y1]. Logs in [x, y, width, height] are read by the rules named "xywh"; a log
whose boxes have no area under its rule says so.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

from reproductions.benchmarks._base import Graded, Number, Rule, Shape, item_means, means
from reproductions.benchmarks._spans import part
from reproductions.metrics import tracking
from reproductions.metrics.j_and_f import (
    Mask,
    boundary_f,
    decode_rle,
    encode_rle,
    from_rows,
    region_j,
)
from reproductions.metrics.v_iou import box_iou, corners, v_iou
from reproductions.shared.method import Sample
from reproductions.shared.rewards.boxes import literal
from reproductions.shared.rewards.tags import find_tag

Box = list[float]
MAX_TEXT = 2_000_000


def data_of(value: Any) -> Any:
    """The data of a logged answer: as it is, or the JSON or literal in its text or answer tag."""
    if not isinstance(value, str):
        return value
    text = find_tag(value, which="last") or value
    text = text[:MAX_TEXT].strip().removeprefix("```json").removesuffix("```").strip()
    for opening, closing in (("{", "}"), ("[", "]")):
        if opening in text and (closing in text):
            start = min(text.find(c) for c in "[{" if c in text)
            end = max(text.rfind(c) for c in "]}") + 1
            inner = text[start:end]
            try:
                return json.loads(inner)
            except (ValueError, RecursionError):
                return literal(inner, longest=200_000)
    return None


def box_of(value: Any) -> Box | None:
    """Four numbers from a list or from named corners; None if it is anything else."""
    if isinstance(value, Mapping):
        folded = {str(k).lower(): v for k, v in value.items()}
        for names in (("xmin", "ymin", "xmax", "ymax"), ("x1", "y1", "x2", "y2")):
            if all(n in folded for n in names):
                return box_of([folded[n] for n in names])
        for name in ("bbox", "bbox_2d", "box"):
            if name in folded:
                return box_of(folded[name])
        return None
    if isinstance(value, list | tuple) and len(value) == 1:
        return box_of(value[0])
    if isinstance(value, list | tuple) and len(value) == 4:
        try:
            box = [float(v) for v in value]
        except (TypeError, ValueError):
            return None
        return box if all(math.isfinite(v) for v in box) else None
    return None


def tube_of(value: Any) -> dict[float, Box]:
    """Frame -> box, from {frame: box}, [{frame, box}, ..] or {start frame, boxes}.

    Keys are numbers of frames, or times in seconds to a hundredth. Entries that are no box are left
    out.
    """
    value = data_of(value)
    tube: dict[float, Box] = {}
    if isinstance(value, Mapping):
        folded = {str(k).lower(): v for k, v in value.items()}
        for name in ("boxes", "bboxes", "bbox", "tube", "track", "trajectory"):
            if isinstance(folded.get(name), Mapping | list) and box_of(folded[name]) is None:
                starts = ("st_frame", "start_frame", "begin_fid")
                first = next((n for k in starts if (n := _frame(folded.get(k))) is not None), None)
                inner = folded[name]
                if first is not None and isinstance(inner, list):
                    return {first + i: b for i, e in enumerate(inner) if (b := box_of(e))}
                boxes = tube_of(inner)
                sted = folded.get("sted")  # TubeDETR and its kin: boxes count from start to end
                ends = [_frame(v) for v in sted] if isinstance(sted, list) else []
                if len(ends) == 2 and ends[0] is not None and ends[1] is not None:
                    return {t: b for t, b in boxes.items() if ends[0] <= t < ends[1]}
                return boxes
        for key, entry in value.items():
            frame, box = _frame(key), box_of(entry)
            if frame is not None and box is not None:
                tube[frame] = box
    elif isinstance(value, list):
        for i, entry in enumerate(value):
            frame, box = i, box_of(entry)
            if isinstance(entry, Mapping):
                folded = {str(k).lower(): v for k, v in entry.items()}
                for name in ("frame", "frame_id", "frame_index", "fid", "timestamp", "time", "t"):
                    if name in folded:
                        found = _frame(folded[name])
                        frame = i if found is None else found
                        break
            if box is not None:
                tube[frame] = box
    return tube


def _frame(key: Any) -> float | None:
    """A frame as a whole number, a time to a hundredth; None if it is neither."""
    try:
        number = float(key)
    except (TypeError, ValueError, OverflowError):
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else round(number, 2)


def _gold(sample: Sample) -> dict[float, Box]:
    tube = json.loads(sample.answer)
    return {frame: list(v) for k, v in tube.items() if (frame := _frame(k)) is not None}


def tube_gold(value: Any, options: Sequence[str] = ()) -> str:
    """A logged gold tube or track as JSON {frame: box}; ValueError if it holds no box."""
    tube = tube_of(value)
    if not tube:
        raise ValueError(f"the gold {str(value)[:60]!r} holds no box")
    return json.dumps({str(k): v for k, v in tube.items()})


def _tubes(
    sample: Sample, prediction: Any, wide: bool
) -> tuple[dict[float, Box], dict[float, Box], str]:
    """(prediction, gold, what is wrong with them); gold files are in corners already."""
    gold = _gold(sample)
    pred = tube_of(part(prediction, "prediction"))
    if wide:
        pred = {k: corners(b) for k, b in pred.items()}
        if sample.meta.get("boxes") != "corners":
            gold = {k: corners(b) for k, b in gold.items()}
    if not pred:
        return pred, gold, "no box"
    if _times(pred) and not _times(gold):
        return {}, gold, "the answer's boxes are at times, the gold's at frames"
    return pred, gold, _flat(pred.values(), wide) or _flat(gold.values(), wide)


def _times(tube: Mapping[float, Box]) -> bool:
    """Whether keys are times; those of frames are all whole."""
    return any(isinstance(k, float) for k in tube)


def _flat(boxes: Collection[Box], wide: bool) -> str:
    """What to say where most boxes have no area; a single one may stand for a hidden target."""
    other = "corners" if wide else "xywh"
    flat = sum(b[2] <= b[0] or b[3] <= b[1] for b in boxes)
    if 2 * flat <= len(boxes):
        return ""
    return (
        "most boxes are boxes without area, which earn nothing; if they are written otherwise, use "
        f"--rules {other}"
    )


def by_tube(*, wide: bool) -> Rule:
    """A rule for tubes: m_tIoU over frames, vIoU, and vIoU@R.

    Args:
        wide: Boxes are [x, y, width, height].
    """

    def rule(sample: Sample, prediction: Any) -> Graded:
        pred, gold, wrong = _tubes(sample, prediction, wide)
        t_iou = 0.0
        if pred and gold:
            step = 0 if _times(gold) else 1  # a frame has a length, a time has none
            common = min(max(pred), max(gold)) - max(min(pred), min(gold)) + step
            union = max(*pred, *gold) - min(*pred, *gold) + step
            t_iou = max(0.0, common / union) if union else 1.0
        values = {"m_vIoU": v_iou(pred, gold), "m_tIoU": t_iou}
        for r in (0.3, 0.5):
            values[f"vIoU@{r}"] = float(values["m_vIoU"] > r)
        return Graded(None if wrong else f"{len(pred)} boxes", values, wrong)

    return rule


def _several(value: Any) -> dict[float, list[Box]]:
    """Frame -> its boxes, where an answer may name several boxes for a frame."""
    value = data_of(value)
    found = {t: [b] for t, b in tube_of(value).items()}
    for key, entry in value.items() if isinstance(value, Mapping) else ():
        frame = _frame(key)
        boxes = [b for e in entry if (b := box_of(e))] if isinstance(entry, list) else []
        if frame is not None and len(boxes) > 1:
            found[frame] = boxes
    return found


def _v_star(sample: Sample, prediction: Any) -> Graded:
    """V-STaR's rule (`eval.py` @1894682): m_vIoU is the mean IoU over the annotated frames.

    AP is the share of those frames whose IoU reaches m; of several boxes the best one counts.
    """
    gold = _gold(sample)
    pred = _several(part(prediction, "prediction"))
    overlap = [max((box_iou(p, b) for p in pred.get(t, ())), default=0.0) for t, b in gold.items()]
    values = {"m_vIoU": sum(overlap) / len(overlap)}
    for m in (0.1, 0.3, 0.5, 0.7, 0.9):
        values[f"AP@vIoU={m}"] = sum(v >= m for v in overlap) / len(overlap)
    told = [b for boxes in pred.values() for b in boxes]
    wrong = (_flat(told, False) or _flat(gold.values(), False)) if told else "no box"
    return Graded(None if wrong else f"{len(told)} boxes", values, wrong)


TUBE = Shape(
    name="tube",
    rules={
        "corners": by_tube(wide=False),
        "xywh": by_tube(wide=True),
        "v_star": _v_star,
    },
    better="corners",
    numbers=item_means,
    gold=tube_gold,
)


def by_track(*, wide: bool, first: bool) -> Rule:
    """A rule for tracks: AO, SR@0.5, SR@0.75, success AUC and precision at 20 pixels.

    Args:
        wide: Boxes are [x, y, width, height].
        first: Whether the first frame counts; trackers are given its box (GOT-10k leaves it out).
    """

    def rule(sample: Sample, prediction: Any) -> Graded:
        pred, gold, wrong = _tubes(sample, prediction, wide)
        frames = sorted(gold)[0 if first else 1 :]
        said, true = [pred.get(t) for t in frames], [gold[t] for t in frames]
        ious = [tracking.overlaps(said, true)]
        values = {
            "AO": tracking.average_overlap(ious),
            "SR@0.5": tracking.success_rate(ious),
            "SR@0.75": tracking.success_rate(ious, 0.75),
            "success AUC": tracking.success_auc(ious),
            "precision@20": tracking.tracking_precision([said], [true]),
            "frames": float(len(frames)),
        }
        return Graded(None if wrong else f"{len(pred)} boxes", values, wrong)

    return rule


def _track_numbers(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    """Means over sequences, and AO and SR@0.5 over all frames, as the GOT-10k toolkit prints them.

    The toolkit (got-10k/toolkit @62b8fa0) also cuts boxes at the image and leaves out frames
    without a visible target; a log does not say either.
    """
    found = {k: v for k, v in means(graded).items() if k != "frames"}
    frames = sum(g.values["frames"] for g in graded)
    for name in ("AO", "SR@0.5"):
        total = sum(g.values[name] * g.values["frames"] for g in graded)
        found[f"{name} over frames"] = Number(
            total / frames if frames else 0.0, int(frames), unit="frames"
        )
    return found


TRACK = Shape(
    name="track",
    rules={
        "xywh": by_track(wide=True, first=False),
        "corners": by_track(wide=False, first=False),
        "all_frames": by_track(wide=False, first=True),
        "all_frames_xywh": by_track(wide=True, first=True),
    },
    better="",
    numbers=_track_numbers,
    gold=tube_gold,
)


# -- masks -----------------------------------------------------------------------------------------


def masks_of(value: Any) -> dict[str, Mask]:
    """Frame -> mask: run-length codes {"size", "counts"}, or nested rows of 0 and 1.

    Raises:
        ValueError: A mask is broken.
    """
    value = data_of(value)
    if isinstance(value, Mapping) and not {"size", "counts"} <= set(value):
        pairs = [(str(k), v) for k, v in value.items()]
    elif isinstance(value, list):
        pairs = [(str(i), v) for i, v in enumerate(value)]
    else:
        raise ValueError("masks are a list, or a mapping of frames, of run-length codes or rows")
    found = {}
    for frame, entry in pairs:
        if entry is None:
            continue
        if isinstance(entry, Mapping):
            found[frame] = decode_rle(entry["size"], entry["counts"])
        else:
            found[frame] = from_rows(entry)
    return found


def expressions(record: Mapping[str, Any]) -> Iterator[Sample]:
    """The expressions of a video of Ref-YouTube-VOS, Ref-DAVIS17, MeViS or ReVOS.

    Masks come from mask_dict.json beside the file: annotation id -> a run-length code a frame
    (MeViS, ReVOS); several objects of one expression are one mask. Without it the answer is "".
    """
    for name, entry in record["expressions"].items():
        ids = entry.get("anno_id", entry.get("obj_id"))
        ids = ids if isinstance(ids, list) else [ids]
        tracks = [t for i in ids if (t := record["_extra"].get(str(i)))]
        yield Sample(
            f"{record['key']}-{name}", entry["exp"], json.dumps(_union(tracks)) if tracks else "",
            "segmentation", video=record["key"], task=str(entry.get("type_id", "")),
            meta={"frames": list(record["frames"])},
        )  # fmt: skip


def segment(sample: Sample) -> str:
    """Our own wording for sets that publish none."""
    return f"Segment in every frame: {sample.question}"


def _union(tracks: Sequence[Sequence[Any]]) -> list[Any]:
    """One run-length code a frame for several objects."""
    if len(tracks) == 1:
        return list(tracks[0])
    joined: list[Any] = []
    for codes in zip(*tracks, strict=True):
        masks = [decode_rle(c["size"], c["counts"]) for c in codes if c]
        if not masks:
            joined.append(None)
            continue
        rows = tuple(reduce(int.__or__, row) for row in zip(*(m.rows for m in masks), strict=True))
        whole = Mask(rows, masks[0].width)
        joined.append({"size": [len(rows), whole.width], "counts": encode_rle(whole)})
    return joined


def masks_gold(value: Any, options: Sequence[str] = ()) -> str:
    """Logged gold masks as JSON; ValueError if they cannot be read."""
    try:
        masks = masks_of(value)
    except (KeyError, TypeError) as error:
        raise ValueError(f"the gold masks cannot be read: {error}") from None
    if not masks:
        raise ValueError("the gold holds no mask")
    return json.dumps(data_of(value))


def _segmented(sample: Sample, prediction: Any) -> Graded:
    """J, F and J&F of one object, means over the frames of the gold; a missing mask is empty."""
    gold = masks_of(sample.answer)
    note = ""
    try:
        pred = masks_of(prediction) if prediction is not None else {}
    except (ValueError, KeyError, TypeError) as error:
        pred, note = {}, f"masks that cannot be read ({error})"
    j = f = 0.0
    for frame, truth in gold.items():
        mask = pred.get(frame, Mask((0,) * len(truth.rows), truth.width))
        if len(mask.rows) != len(truth.rows) or mask.width != truth.width:
            note = "masks of another size than the gold"
            mask = Mask((0,) * len(truth.rows), truth.width)
        j += region_j(mask, truth)
        f += boundary_f(mask, truth)
    n = len(gold) or 1
    values = {"J&F": (j + f) / 2 / n, "J": j / n, "F": f / n}
    if prediction is None:  # no answer at all earns nothing where the truth is empty
        return Graded(None, dict.fromkeys(values, 0.0), "no answer")
    return Graded(f"{len(pred)} masks" if pred and not note else None, values, note)


MASK = Shape("mask", {"davis": _segmented}, "davis", item_means, masks_gold)
