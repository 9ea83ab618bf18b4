"""Published data sets from the hub, downloaded once and read by their own readers."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from reproductions.shared.method import Sample
from vidpost.catalog.diagnostics import closest


class HubError(Exception):
    """A data set cannot be had here. The message says which, why, and what to do."""


OWN = "own records"
"""What a plan calls the data set and the benchmark of a user's own records."""

SOURCES = {
    "clevrer": ("", "clevrer_counterfactual.json"),
    "museg_stage_1": ("", "stage_1.jsonl"),
    "museg_stage_2": ("", "stage_2.jsonl"),
    "next_qa": ("Zhang199/TinyLLaVA-Video-R1-training-data", "nextqa_0-30s.jsonl"),
    "rrpo_self_alignment": ("", "self-alignment.json"),
    "spacer_151k": ("", "SpaceR-151k.jsonl"),
    "time_r1_data": ("", "train_2k5.json"),
    "video_r1_260k": ("Video-R1/Video-R1-data", "Video-R1-260k.json"),
    "video_r1_cot_165k": ("Video-R1/Video-R1-data", "Video-R1-COT-165k.json"),
    "videorft_cot_102k": ("", "VideoRFT-CoT-102K.json"),
    "videorft_rl_310k": ("", "VideoRFT-RL-310K.json"),
}
"""Dataset id -> (hub repository, record file). Videos lie beside the record file, at the paths that
the records name. Without a repository (its layout is not known here, or the records lie in the code
of the authors) the user puts both into a folder (`missing`), under this name."""


EVALUATION = {
    "mmvu": "eval_mmvu.json",
    "mvbench": "eval_mvbench.json",
    "tempcompass": "eval_tempcompass.json",
    "video_mme": "eval_videomme.json",
    "video_mmmu": "eval_videommmu.json",
    "vsi_bench": "eval_vsibench.json",
}
"""Benchmark id -> questions in Video-R1's record format (tulerfeng/Video-R1@59d65c3
`src/eval_bench.py`), in the repository below; the videos come from each benchmark's own page."""

EVALUATION_REPOSITORY = "Video-R1/Video-R1-eval"


def check_data(dataset: str) -> None:
    """Refuse a data set without a reader.

    Raises:
        HubError: Nothing here reads it.
    """
    if dataset not in SOURCES:
        hint = closest(dataset, SOURCES) or f"There are: {', '.join(SOURCES)}."
        raise HubError(
            f"data set '{dataset}' has no reader under reproductions/datasets. {hint} Or give your "
            "own records: --data FILE."
        )


def missing(dataset: str) -> str:
    """Why a data set with a reader cannot be had here, and what to do; "" if it can."""
    repository, name = SOURCES[dataset]
    if repository or _own(dataset, name) is not None:
        return ""
    return (
        f"data set '{dataset}' is not downloaded by itself. Put {name} and its videos into a "
        f"folder '{dataset}' and name its parent in VIDPOST_DATA."
    )


def check_benchmark(benchmark: str) -> None:
    """Refuse a benchmark without a question file.

    Raises:
        HubError: `run` cannot ask it.
    """
    if benchmark not in EVALUATION:
        hint = closest(benchmark, EVALUATION) or f"There are: {', '.join(EVALUATION)}."
        raise HubError(
            f"benchmark '{benchmark}' has no question file for a run. {hint} Ask it afterwards "
            "(vidpost eval), or give your own records: --data FILE --eval-data FILE."
        )


def published_data(dataset: str, samples: int | None) -> list[Sample]:
    """The samples of a published data set.

    `VIDPOST_DATA` names a folder with `<dataset id>/` copies that are used instead of the hub.

    Args:
        dataset: Id of a dataset with a reader under reproductions/datasets.
        samples: At most this many, from the front; None: all.

    Raises:
        HubError: Unknown here, or it cannot be downloaded.
    """
    check_data(dataset)
    if why := missing(dataset):
        raise HubError(why)
    repository, name = SOURCES[dataset]
    folder = _folder(dataset, repository, name)
    module = importlib.import_module(f"reproductions.datasets.{dataset}")
    records: list[Sample] = module.load(folder / name, folder, images="keep", on_problem="skip")
    return records[:samples]


def published_questions(benchmarks: Sequence[str], samples: int | None) -> list[Sample]:
    """The questions of published benchmarks whose videos are there; `task` is the benchmark.

    Questions whose video is missing are left out and counted in the log of the reader.

    Args:
        benchmarks: Ids of the catalogue.
        samples: At most this many a benchmark; None: all.

    Raises:
        HubError: A benchmark has no question file here, or it cannot be downloaded.
    """
    from reproductions.datasets.video_r1_260k import load

    questions: list[Sample] = []
    for benchmark in benchmarks:
        check_benchmark(benchmark)
        name = EVALUATION[benchmark]
        folder = _folder(benchmark, EVALUATION_REPOSITORY, name)
        read = load(folder / name, folder, images="keep", on_problem="skip")[:samples]
        questions += [replace(s, id=f"{benchmark}-{s.id}", task=benchmark) for s in read]
    return questions


def benchmark_folder(benchmark: Any, split: str, root: Path | None) -> tuple[Path, Path]:
    """Where the question files and the videos of a benchmark lie; questions may be downloaded.

    Looked for in <root>/<benchmark id>, then in `root` itself, then under `VIDPOST_DATA`; else the
    question files alone (never the videos) are taken from the hub.

    Args:
        benchmark: A module's `Benchmark`.
        split: Name of a split; "": the first.
        root: Folder of the user's data; None: `VIDPOST_DATA`, or the hub.

    Returns:
        (folder with the question files, folder with the videos).

    Raises:
        HubError: The folder does not exist, or the questions are neither there nor on the hub.
        KeyError: No such split.
    """
    if root is not None and not root.is_dir():
        raise HubError(f"{root}: no such folder. Give the one that holds {benchmark.id}/.")
    files = benchmark.split(split)[1].files
    own = os.environ.get("VIDPOST_DATA")
    roots = [r for r in (root, Path(own) if own else None) if r is not None]
    places = [place for r in roots for place in (r / benchmark.id, r)]
    for place in places:
        if place.is_dir() and any(next(place.glob(pattern), None) for pattern in files):
            return place, place
    videos = next((p for p in places if p.is_dir()), Path.cwd())
    wanted = " or ".join(files)
    if not benchmark.hub:
        raise HubError(
            f"{benchmark.id}: no {wanted} in {' or '.join(map(str, places)) or 'any folder given'}"
            f". Its questions are not on the hub; see {benchmark.source}, and give --data-root."
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        found = snapshot_download(
            benchmark.hub, repo_type="dataset", allow_patterns=[*files, *_anywhere(files)]
        )
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise HubError(
            f"{benchmark.id}: no {wanted} in {' or '.join(map(str, places)) or 'any folder given'}"
            f", and it cannot be downloaded from {benchmark.hub}: {type(error).__name__}. Check "
            f"the network, or put a copy into a folder '{benchmark.id}' and give its parent "
            "(--data-root)."
        ) from None
    return Path(found), videos


def _anywhere(patterns: Sequence[str]) -> list[str]:
    """The hub matches "**/x" only below a folder; the same files may lie at the top."""
    return [p.removeprefix("**/") for p in patterns if p.startswith("**/")]


def _folder(dataset: str, repository: str, name: str) -> Path:
    """The folder with `name`: the user's own copy, or the hub's."""
    if (own := _own(dataset, name)) is not None:
        return own
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return _snapshot(repository)
    except (HfHubHTTPError, OSError) as error:
        raise HubError(
            f"'{dataset}' cannot be downloaded from {repository}: {type(error).__name__}. Check "
            f"the network, or put a copy with {name} into a folder '{dataset}' and name its parent "
            "in VIDPOST_DATA."
        ) from None


def _own(dataset: str, name: str) -> Path | None:
    """The user's own copy of a data set."""
    own = os.environ.get("VIDPOST_DATA")
    return Path(own) / dataset if own and (Path(own) / dataset / name).is_file() else None


@cache
def _snapshot(repository: str) -> Path:
    """The hub's copy; stages and benchmarks that share a repository ask the hub once."""
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(repository, repo_type="dataset"))
