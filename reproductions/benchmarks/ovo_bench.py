"""OVO-Bench: questions at a moment of a stream; looking back, at now, and waiting for more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Split
from reproductions.benchmarks._choice import mcq
from reproductions.benchmarks._ovo import OVO, mode_mean
from reproductions.shared.method import Sample

BACKWARD = ("EPM", "ASI", "HLD")
REAL_TIME = ("OCR", "ACR", "ATR", "STU", "FPD", "OJR")


def _sample(record: Mapping[str, Any]) -> Iterator[Sample]:
    task, video = record["task"], record["video"]
    if "options" in record:
        yield mcq(
            record["id"], record["question"], record["options"], index=record["gt"], video=video,
            task=task, asked_at=record["realtime"],
        )  # fmt: skip
        return
    for i, point in enumerate(record["test_info"]):
        facts: dict[str, Any] = {
            "video": video, "task": task, "meta": {"asked_at": point["realtime"]},
        }  # fmt: skip
        if task == "REC":
            question = f"How many times did they {record['activity']}?"
            yield Sample(f"{record['id']}_{i}", question, str(point["count"]), "numerical", **facts)
        else:
            question = record["question"] if task == "CRR" else point["step"]
            answer = "Yes" if point["type"] else "No"
            yield Sample(f"{record['id']}_{i}", question, answer, "yes or no", **facts)


def mode(task: str) -> str:
    """backward, real-time or forward."""
    return "backward" if task in BACKWARD else "real-time" if task in REAL_TIME else "forward"


_END = (
    "Answer only with “Yes” or “No”.\nDo not include any additional text or explanation in your "
    "response.\n"
)


def _prompt(sample: Sample) -> str:
    if sample.options:
        options = "".join(f"{o[0]}. {o.partition('. ')[2]};\n" for o in sample.options)
        return (
            f"\nQuestion: {sample.question}\nOptions:\n{options}\nRespond only with the letter "
            "corresponding to your chosen option (e.g., A, B, C). \nDo not include any additional "
            "text or explanation in your response.\n"
        )
    if sample.task == "REC":
        return (
            "\nYou're watching a video in which people may perform a certain type of action "
            "repetively. \nThe person performing this kind of action are referred to as 'they' in "
            "the following statement.\nYou're task is to count how many times have different "
            "people "
            "in the video perform this kind of action in total.\nOne complete motion counts "
            "as one. "
            f"\nNow, answer the following question: {sample.question}\nProvide your answer as a "
            "single number (e.g., 0, 1, 2, 3…) indicating the total count.\nDo not include any "
            "additional text or explanation in your response.\n"
        )
    if sample.task == "SSR":
        return (
            "\nYou're watching a tutorial video which contain a sequential of steps. \nThe "
            "following "
            f"is one step from the whole procedures: \n{sample.question}\nYour task is to "
            "determine "
            f"if the man or woman in the video is currently performing this step.\n{_END}"
        )
    return (
        "\nYou're responsible of answering questions based on the video content. \nThe following "
        "question are relevant to the latest frames, i.e. the end of the "
        f"video.\n{sample.question}\n"
        "Decide whether existing visual content, especially latest frames, i.e. frames that "
        "near the "
        "end of the video, provide enough information for answering the question.\n" + _END
    )


BENCHMARK = Benchmark(
    id="ovo_bench",
    metrics=("macro_accuracy", "accuracy"),
    shape=OVO,
    sample=_sample,
    prompt=_prompt,
    splits={"test": Split(("ovo_bench_new.json", "data/ovo_bench_new.json"), 3035)},
    videos=("chunked_videos/{id}.mp4", "{video}", "src_videos/{video}"),
    rules={"paper": "ovo", "lmms_eval": "ovo"},
    by={"task": lambda s: s.task, "mode": lambda s: mode(s.task)},
    totals=mode_mean(mode),
    hub="JoeLeelyf/OVO-Bench",
    license="CC-BY-NC-SA-4.0 (README), MIT (code)",
    source="JoeLeelyf/OVO-Bench@c34093f data/ovo_bench_new.json",
    prompt_source=f"{LMMS_EVAL}ovobench",
)
