"""MSRVTT-QA: short open questions generated from captions of web clips."""

from __future__ import annotations

from reproductions.benchmarks._base import Benchmark, Split
from reproductions.benchmarks._open import OPEN, about_clip

BENCHMARK = Benchmark(
    id="msrvtt_qa",
    metrics=("judge_accuracy", "judge_score_5", "exact_match"),
    shape=OPEN,
    sample=about_clip("video"),
    prompt=lambda s: s.question,
    splits={"test": Split(("test_qa.json", "test.json"), 72821)},
    videos=("{video}.mp4", "{video}.avi", "videos/{video}.mp4", "videos/{video}.avi"),
    rules={"paper": "exact_match", "lmms_eval": "judge"},
    by={"word": lambda s: s.task},
    source="xudejing/video-question-answering@462f6e5 preprocess_msrvttqa.py, util/dataset.py",
    prompt_source="ours",
)
