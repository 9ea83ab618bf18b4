"""CVBench: questions over two to four videos at once, with choices or yes and no.

The videos of a question are asked about as one file: join them as joined/<id>.mp4 first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, mcq, split_row, texts
from reproductions.shared.method import Sample

_LEAD = "Select the best answer to the following {kind} based on the listed all videos. Respond "
_THINK = (
    "Please think about this question as if you were a human pondering deeply. Engage in an "
    "internal dialogue using expressions such as 'let me think', 'wait', 'Hmm', 'oh, I see', "
    "'let's break it down', etc, or other natural language thought expressions It's encouraged to "
    "include self-reflection or verification in the reasoning process. Provide your detailed "
    "reasoning between the <think> and </think> tags, and then give your final answer between the "
    "<answer> and </answer> tags."
)


def _prompt(sample: Sample) -> str:
    options = "\n".join(sample.options)
    lead = _LEAD.format(kind="multiple-choice")
    lead += "with only the letter (A, B, C, or D) of the correct option."
    end = "Please provide only the single option letter (e.g., A, B, C, D)"
    if {t.strip(".").lower() for t in texts(sample.options)} == {"yes", "no"}:
        options = "\n".join(texts(sample.options))
        lead = _LEAD.format(kind="yes-no question")
        lead += "with only the word (Yes or No) of the correct option."
        end = "Please provide only the single option word (e.g., Yes, No)"
    end += " within the <answer> </answer> tags."
    return f"\n{lead}\n{sample.question}\n{options}\n{_THINK}\n{end}"


def _sample(record: Mapping[str, Any]) -> Sample:
    gold = str(record["answer"])
    known = {"letter": gold} if len(gold) == 1 else {"text": gold}
    options = record["options"]
    # One published record has its four options in one text.
    options = split_row(options[0])[1] if len(options) == 1 else options
    return mcq(
        record["id"], record["question"], options, video=f"joined/{record['id']}.mp4",
        task=record["task_type"], **known,
        videos=[record[f"video_{i}"] for i in range(1, 5) if record.get(f"video_{i}")],
    )  # fmt: skip


BENCHMARK = Benchmark(
    id="cvbench_cross_video",
    metrics=("accuracy",),
    shape=CHOICE,
    sample=_sample,
    prompt=_prompt,
    splits={"test": Split(("CVBench.json", "**/test-*.parquet"), 1000)},
    videos=("{video}",),
    rules={"paper": "careful"},
    by={"task": lambda s: s.task},
    hub="Dongyh35/CVBench",
    source="Hokhim2/CVBench@f8dc8f7 Video-R1/src/r1-v/Evaluation/CVBench.json, eval_bench.py",
)
