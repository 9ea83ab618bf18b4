"""3DSRBench: spatial relations in images; a question counts if all its rotations are right.

A record names its image by address; the last part is the file's name in the published archive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from reproductions.benchmarks._base import LMMS_EVAL, Benchmark, Graded, Number, Split
from reproductions.benchmarks._choice import CHOICE, ask, mcq
from reproductions.benchmarks._open import all_right_numbers
from reproductions.shared.method import Sample


def _rotations(sample: Sample) -> str:
    """The question that an item rotates; its mirrored form ("-flip") is a question of its own."""
    qid = str(sample.meta["qid"])
    return qid[:13] if "-flip" in qid else qid[:8]


_TOTALS = (
    all_right_numbers(_rotations, "circular accuracy", "questions"),
    all_right_numbers(lambda s: s.meta["qid"].replace("-flip", ""), "flip accuracy", "questions"),
    all_right_numbers(lambda s: s.meta["qid"][:8], "flip and circular accuracy", "questions"),
)


def _numbers(samples: Sequence[Sample], graded: Sequence[Graded]) -> dict[str, Number]:
    """All rotations, both mirrored forms, and all of these right."""
    return {name: n for total in _TOTALS for name, n in total(samples, graded).items()}


def _sample(record: Mapping[str, Any]) -> Sample:
    options = [record[x] for x in "ABCD" if record.get(x) not in (None, "", "nan")]
    index = record.get("index", record["_place"])
    url = record.get("image_url")
    # Without an address (pictures within the table) the name is that of VLMEvalKit's cache.
    image = PurePosixPath(urlsplit(str(url)).path).name if url else f"{index}.jpg"
    return mcq(
        index, record["question"], options, letter=record["answer"], video=image,
        task=record.get("category", ""), qid=str(record.get("qid") or ""),
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="threedsr_bench",
    metrics=("circular_accuracy", "accuracy"),
    shape=CHOICE,
    sample=_sample,
    prompt=lambda s: (
        f"Question: {s.question}\nOptions:\n{ask(s)}\nPlease select the correct answer from the "
        "options above. \n"
    ),
    splits={
        "test": Split(("*circular*.tsv", "3dsrbench_v1-*.parquet", "**/test-*.parquet")),
    },
    videos=("coco_images/{video}", "images/3DSRBench/{video}", "images/{video}", "{video}"),
    rules={"paper": "careful", "lmms_eval": "lmms_eval_threedsr_bench"},
    by={"category": lambda s: s.task},
    totals=_numbers,
    hub="ccvl/3DSRBench",
    license="CC-BY-4.0",
    source=f"{LMMS_EVAL}3dsrbench; dataset card and file list of ccvl/3DSRBench",
)
