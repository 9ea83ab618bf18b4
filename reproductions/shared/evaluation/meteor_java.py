"""METEOR 1.5, the Java program behind published scores of dense captions, where it is installed.

The program and its tables come with the package pycocoevalcap; it is driven as the published
evaluators do (`-stdio -l en -norm`). Nothing here runs unless it is asked for.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

from reproductions.metrics.captions import tokens

__all__ = ["JavaMeteor", "MeteorMissing"]


class MeteorMissing(RuntimeError):
    """Java or the program is not there; the message says how to get it."""


class JavaMeteor:
    """The running program, as a context.

    Raises:
        MeteorMissing: Java or the package pycocoevalcap is not installed, or the program died.
    """

    def __init__(self) -> None:
        java, spec = shutil.which("java"), find_spec("pycocoevalcap")
        places = (spec.submodule_search_locations if spec else None) or ()
        jars = [jar for p in places if (jar := Path(p) / "meteor" / "meteor-1.5.jar").is_file()]
        if java is None or not jars:
            raise MeteorMissing(
                "METEOR 1.5 needs Java and the package pycocoevalcap. Install both, or leave out "
                "--meteor-java."
            )
        self._command = [java, "-Xmx2G", "-jar", jars[0].name, "-", "-", "-stdio", "-l", "en"]
        self._folder = jars[0].parent

    def __enter__(self) -> JavaMeteor:
        self._process = subprocess.Popen(
            [*self._command, "-norm"], cwd=self._folder, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8",
        )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._process.kill()
        self._process.wait()

    def _ask(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except OSError:
            raise MeteorMissing("METEOR 1.5 stopped. Has Java two gigabytes of memory?") from None

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise MeteorMissing("METEOR 1.5 stopped. Has Java two gigabytes of memory?")
        return line.strip()

    def scores(self, pairs: Sequence[tuple[str, Sequence[str]]]) -> tuple[float, list[float]]:
        """(score of all, score of each) of pairs of a caption and its references, in [0, 1]."""
        statistics = []
        for caption, references in pairs:
            texts = [" ".join(tokens(t)) for t in (*references, caption)]
            self._ask(" ||| ".join(("SCORE", *texts)))
            statistics.append(self._answer())
        if not statistics:
            return 0.0, []
        self._ask(" ||| ".join(("EVAL", *statistics)))
        each = [float(self._answer()) for _ in statistics]
        return float(self._answer()), each

    def similarity(self, caption: str, references: Sequence[str]) -> float:
        """The score of one caption, as `soda_c` takes it."""
        return self.scores([(caption, references)])[1][0]
