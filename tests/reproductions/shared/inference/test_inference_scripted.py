"""The generator with prepared texts, for tests of strategies."""

from __future__ import annotations

import sys

from reproductions.shared.inference.engine import Generator, Request, Sampling
from reproductions.shared.inference.scripted import ScriptedGenerator
from reproductions.shared.method import Sample

SAMPLE = Sample(id="s", question="How many?", answer="2")


def majority(generator: Generator, sample: Sample) -> str:
    """A strategy as a method would write it: against the protocol alone."""
    answers = generator.generate([Request(sample, 3)], Sampling(temperature=1.0))[0]
    texts = [a.text for a in answers]
    return max(texts, key=texts.count)


def test_answers_follow_the_script():
    generator = ScriptedGenerator(lambda request, i: f"{request.sample.id}{i}{request.order}")
    asked = [Request(SAMPLE, 2), Request(SAMPLE, 1, order=(1, 0))]
    answers = generator.generate(asked, Sampling())
    assert [[a.text for a in g] for g in answers] == [["s0None", "s1None"], ["s0(1, 0)"]]
    assert generator.calls == [asked]
    for answer in answers[0]:
        assert "".join(map(chr, answer.ids)) == answer.text
        assert len(answer.logprobs) == len(answer.ids) and answer.finished


def test_a_strategy_runs_on_it():
    generator = ScriptedGenerator(lambda request, i: "2" if i else "3")
    assert majority(generator, SAMPLE) == "2"
    assert len(generator.calls) == 1


def test_it_needs_no_torch():
    import subprocess

    code = (
        "import sys, reproductions.shared.inference.scripted as s;"
        "assert not {'torch', 'transformers', 'trl', 'av'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
