"""A method's skeleton that passes the contracts: module, presets and a test.

The skeleton runs: it is its baseline with one small hook, which the paper's hooks then replace.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from vidpost.catalog.diagnostics import CatalogError
from vidpost.catalog.models import Paper

BASELINES = {"grpo": "rl", "dpo": "rl", "sft": "sft", "decode": "tts"}
"""Baseline -> its pillar; the first of a pillar is the one that is taken for it."""

_WEIGHTS = """\
from reproductions.shared.method import Method

WEIGHTS = (1.0, 0.5)  # accuracy and format; an example, not the paper's

METHOD = Method(id="{id}", baseline="{baseline}", reward_weights=WEIGHTS)
"""

_PROMPT = '''\
from reproductions.shared.method import Method, Sample
from reproductions.shared.prompts import {prompt}


def prompt(sample: Sample) -> str:
    """The baseline's prompt after one more sentence; an example, not the paper's."""
    return f"Watch the whole video.\\n{{{prompt}(sample)}}"


METHOD = Method(id="{id}", baseline="{baseline}", prompt=prompt)
'''

_MAIN = """
if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
"""

_WEIGHTS_TEST = '''\
"""The reward weights of {id}, worked out by hand."""

from __future__ import annotations

from reproductions.baselines.{baseline}.method import METHOD as BASELINE
from reproductions.methods.{id}.method import METHOD


def test_a_right_answer_in_the_wrong_format():
    """Accuracy 1 and format 0 give 1; the other way round they give 0.5."""
    whole = METHOD.over(BASELINE)
    assert len(whole.reward_weights) == len(whole.rewards)
    totals = [
        sum(w * s for w, s in zip(whole.reward_weights, scores, strict=True))
        for scores in ((1, 0), (0, 1))
    ]
    assert totals == [1.0, 0.5]
'''

_PROMPT_TEST = '''\
"""The prompt of {id}."""

from __future__ import annotations

from reproductions.methods.{id}.method import METHOD
from reproductions.shared.method import Sample


def test_the_prompt_starts_with_the_sentence():
    lines = METHOD.prompt(Sample(id="s", question="Which?", answer="B")).splitlines()
    assert lines[:2] == ["Watch the whole video.", "Which?"]
'''


def hook(baseline: str) -> str:
    """The hook that the skeleton of a baseline sets."""
    return "reward_weights" if baseline in ("grpo", "dpo") else "prompt"


def files(root: Path, paper: Paper, new_id: str, baseline: str) -> dict[Path, str]:
    """Path -> text of the skeleton.

    Args:
        root: Repository root.
        paper: The paper.
        new_id: The method's id, which is checked already.
        baseline: Id of a baseline, a key of `BASELINES`.

    Raises:
        CatalogError: The baseline's presets are not below `root`.
    """
    weights = hook(baseline) == "reward_weights"
    names = {
        "id": new_id,
        "baseline": baseline,
        "prompt": "answer_only" if baseline == "sft" else "think_then_answer",
    }
    body = (_WEIGHTS if weights else _PROMPT).format(**names)
    test = (_WEIGHTS_TEST if weights else _PROMPT_TEST).format(**names)
    folder = root / "reproductions" / "methods" / new_id
    return {
        folder / "__init__.py": "",
        folder / "method.py": _docstring(paper, new_id, baseline) + "\n" + body + _MAIN,
        folder / "paper.yaml": _paper(root, new_id, baseline),
        folder / "mini.yaml": _mini(root, new_id, baseline),
        root / "tests" / "reproductions" / "methods" / f"test_{new_id}.py": test,
    }


def _docstring(paper: Paper, new_id: str, baseline: str) -> str:
    title = paper.title.replace("\\", "").replace('"', "'")
    where = f"arXiv {paper.arxiv_id}, " if paper.arxiv_id else ""
    delta = {
        "reward_weights": "reward_weights let the format reward count half (an example).",
        "prompt": "prompt puts one sentence before the baseline's (an example).",
    }[hook(baseline)]
    lines = [
        f'"""{new_id} is {baseline} with one example hook, which the paper\'s hooks replace.',
        "",
        f"Paper: {where}{title.rstrip('.')}.",
        f"Catalog: {new_id}",
        f"Baseline: {baseline}",
        f"Delta: {delta}",
        "Not reproduced: the paper; this is the skeleton of `vidpost add --scaffold`.",
        '"""',
    ]
    wrapped = (
        textwrap.fill(line, 100, subsequent_indent="    ", break_on_hyphens=False) for line in lines
    )
    return "\n".join(wrapped) + "\n"


def _preset(root: Path, baseline: str, name: str) -> str:
    path = root / "reproductions" / "baselines" / baseline / name
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CatalogError(f"{path}: missing. --scaffold needs a whole checkout.") from error


def _paper(root: Path, new_id: str, baseline: str) -> str:
    """The baseline's settings, and for each section a source that says they are the baseline's."""
    body = _body(_preset(root, baseline, "paper.yaml"), new_id).partition("\nsources:")[0]
    sections = [
        name
        for name in re.findall(r"^(\w+):", body, re.MULTILINE)
        if name not in ("method", "variant", "seed")
    ]
    source = f"our choice: as in the baseline {baseline}, until it is read in the paper"
    lines = [
        f"# The settings of the baseline {baseline}. Replace each by the paper's, with its source.",
        body.rstrip(),
        "",
        "sources:",
        *(f'  {name}: "{source}"' for name in sections),
    ]
    return "\n".join(lines) + "\n"


def _mini(root: Path, new_id: str, baseline: str) -> str:
    body = _body(_preset(root, baseline, "mini.yaml"), new_id)
    return f"# In miniature: the baseline {baseline}'s sizes on synthetic clips.\n{body}"


def _body(text: str, new_id: str) -> str:
    """A preset of the baseline without the comments at its top, as one of the method."""
    text = text[text.index("method:") :]
    return re.sub(r"^method: \w+", f"method: {new_id}", text)
