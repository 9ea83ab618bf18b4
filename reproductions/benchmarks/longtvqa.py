"""LongTVQA: TVQA's questions asked of a whole episode; options are called a0 to a4."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._choice import CHOICE, LETTERS, by_letter, careful, mcq, texts
from reproductions.shared.method import Sample
from reproductions.shared.rewards.tags import find_tag


def _sample(record: Mapping[str, Any]) -> Sample:
    clip = record.get("occur_clip") or record["vid_name"]
    gold = str(record["answer_idx"] if "answer_idx" in record else record["answer"])
    episode = record.get("episode_name") or clip.partition("_seg")[0]
    return mcq(
        record.get("qid", record["_place"]), record.get("question") or record["q"],
        [record[f"a{i}"] for i in range(5)], index=gold.strip().lower().removeprefix("a"),
        video=str(episode), clip=clip,
    )  # fmt: skip


def _numbered(text: str, letters: Sequence[str], contents: Mapping[str, str]) -> str:
    """The option of "<answer>a3. why</answer>"; without such an answer what `careful` reads."""
    said = find_tag(text, which="last") or text
    found = re.match(r"\s*\(?a([0-4])\b", said, re.IGNORECASE)
    return LETTERS[int(found[1])] if found else careful(text, letters, contents)


def _prompt(sample: Sample) -> str:
    options = "\n".join(f"a{i}: {t}" for i, t in enumerate(texts(sample.options)))
    told = (
        f"\nSubtitles: {sample.meta['subtitle_text']}\n" if "subtitle_text" in sample.meta else ""
    )
    return (
        f"\nQuestion: {sample.question}\nOptions:\n{options}\n{told}\nPlease provide the answer in "
        "the format: <answer>aX. Explanation</answer> where X is 0-4 and Explanation is your "
        "reasoning.\n"
    )


def _benchmark(name: str, **rest: Any) -> Benchmark:
    return Benchmark(
        id="longtvqa",
        metrics=("accuracy",),
        shape=replace(
            CHOICE, rules={"numbered": by_letter(_numbered), **CHOICE.rules}, better="numbered"
        ),
        sample=_sample,
        prompt=_prompt,
        splits={"val": Split((f"{name}_val*.json*",))},
        videos=("{video}.mp4", "videos/{video}.mp4"),
        rules={"paper": "numbered"},
        hub=f"longvideoagent/{name}",
        subtitles=("subtitles/{video}.srt",),
        source="longvideoagent/LongTVQA (card); longvideoagent/LongVideoAgent@3a80ba8",
        prompt_source="src/evaluation/baseline/utils.py, less its sentence on picture order",
        **rest,
    )


BENCHMARK = _benchmark("LongTVQA", variants={"plus": _benchmark("LongTVQA_plus")})
