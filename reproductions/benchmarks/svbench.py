"""SVBench: chains of questions along a stream; "streaming" jumps between linked chains."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._files import FileProblem, read_records
from reproductions.benchmarks._open import OPEN
from reproductions.shared.method import Sample


def _chains(part: str) -> Any:
    """A reader of the list of test videos that adds the file of each under "_chains"."""

    def records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
        for place, record in read_records(path):
            name = str(record["Video_Name"])
            file = path.parents[2] / part / f"{part}_EN" / f"{name}.json"
            if PurePosixPath(name).name != name:
                raise FileProblem(f"{path}:{place}: {name!r} is no name of a file. Correct it.")
            try:
                chains = json.loads(file.read_text(encoding="utf-8"))
            except (OSError, ValueError, RecursionError) as error:
                raise FileProblem(f"{file}: cannot be read ({error}). Download it.") from None
            yield place, {**record, "_chains": chains}

    return records


def _samples(record: Mapping[str, Any]) -> Iterator[Sample]:
    name = record["Video_Name"]
    for i, entry in enumerate(record["_chains"]):
        chain = entry.get("chain", entry)  # a path of the streaming form has the lists itself
        times = entry.get("timestamps")
        rows = zip(chain.get("questions", ()), chain.get("answers", ()), strict=True)
        for j, (question, answer) in enumerate(rows):
            start, end = times[j] if times else (
                entry["qac_timestamps_start"], entry["qac_timestamps_end"]
            )  # fmt: skip
            yield Sample(
                f"{name}-{i}-{j}", str(question), str(answer), "free-form",
                video=PurePosixPath(record["Path_of_Video"]).name,
                task=str(record.get("Source_of_Dataset") or ""),
                meta={"start": start, "asked_at": end, "chain": i},
            )  # fmt: skip


def _benchmark(part: str, **rest: Any) -> Benchmark:
    return Benchmark(
        id="svbench",
        metrics=("judge_score_10",),
        shape=OPEN,
        sample=_samples,
        prompt=lambda s: s.question,
        splits={"test": Split(("Meta/Meta_EN/meta_test.csv",))},
        videos=("Video/{video}", "{video}"),
        rules={"paper": "judge_10"},
        by={"source": lambda s: s.task},
        records=_chains(part),
        hub="yzy666/SVBench",
        license="Apache-2.0",
        source=(
            "sotayang/SVBench@f18d995 construct_data/, evaluation/; dataset page of yzy666/SVBench"
        ),
        prompt_source="ours",
        **rest,
    )


BENCHMARK = _benchmark("Dialogue", variants={"streaming": _benchmark("Streaming")})
