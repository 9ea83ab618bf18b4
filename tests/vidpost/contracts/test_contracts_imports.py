from __future__ import annotations

import ast
from pathlib import Path

import pytest

from vidpost.catalog.loader import find_root, load
from vidpost.contracts import imports, methods

ROOT = find_root(Path(__file__))
VC, SH = "vidpost.catalog", "reproductions.shared"


def test_the_whole_tree_keeps_the_directions() -> None:
    assert [str(item) for item in imports.check(ROOT, cache=False)] == []


@pytest.mark.parametrize(
    ("module", "target", "lazy", "allowed"),
    [
        (f"{VC}.lint", f"{VC}.models", False, True),
        (f"{VC}.lint", "vidpost.contracts", True, False),
        (f"{VC}.lint", "torch", True, False),
        ("vidpost.site.pages", f"{VC}.loader", False, True),
        ("vidpost.site.pages", "vidpost.cli.main", False, False),
        ("vidpost.contracts.imports", f"{SH}.method", True, False),
        ("vidpost.cli.train", f"{SH}.run", True, True),
        ("vidpost.cli.train", f"{SH}.run", False, False),
        ("vidpost.cli.train", "torch", True, True),
        ("vidpost.cli.train", "torch", False, False),
        (f"{SH}.method", "dataclasses", False, True),
        (f"{SH}.method", "numpy", True, False),
        (f"{SH}.method", "pydantic", False, False),
        (f"{SH}.rewards.text", f"{SH}.method.Sample", False, True),
        (f"{SH}.rewards.text", "torch", True, False),
        (f"{SH}.rewards.text", f"{SH}.video.decode", True, False),
        (f"{SH}.video.decode", f"{SH}.training.grpo", True, False),
        (f"{SH}.training.grpo", f"{SH}.video.decode", False, True),
        (f"{SH}.training.grpo", f"{SH}.run.main", False, False),
        (f"{SH}.evaluation.cards", f"{VC}.models", False, True),
        (f"{SH}.evaluation.cards", "vidpost.cli.main", True, False),
        (f"{SH}.run", f"{SH}.training.grpo", False, True),
        ("reproductions.methods.a.method", f"{SH}.rewards.text", False, True),
        ("reproductions.methods.a.method", "reproductions.methods.b.method", False, False),
        ("reproductions.methods.a.method", "reproductions.methods.ab", False, False),
        ("reproductions.methods.a.method", "reproductions.methods.a.spans", False, True),
        ("reproductions.methods.a.method", "torch", True, True),
        ("reproductions.methods.a.method", "torch", False, False),
        ("reproductions.methods.a.method", "trl", True, False),
        ("reproductions.benchmarks.mmvu", "reproductions.metrics.accuracy", False, True),
        ("reproductions.datasets.x", f"{SH}.training.sft", False, False),
    ],
)
def test_directions(module: str, target: str, lazy: bool, allowed: bool) -> None:
    assert (imports.verdict(module, target, lazy=lazy) == "") is allowed


def test_imports_are_found_everywhere() -> None:
    source = """
import a
if TYPE_CHECKING:
    import b
try:
    import c
except ImportError:
    import d
else:
    import e
def f():
    with open("x"):
        import g
class C:
    import h
    def m(self):
        import i
match x:
    case 1:
        import j
if __name__ == "__main__":
    import k
for _ in x:
    import l
"""
    found = {
        node.names[0].name: lazy
        for node, lazy in imports.imports(ast.parse(source).body)
        if isinstance(node, ast.Import)
    }
    lazy = {name for name, is_lazy in found.items() if is_lazy}
    assert set(found) == set("abcdeghijkl")
    assert lazy == set("bgik")


def test_relative_imports_are_resolved(tmp_path: Path) -> None:
    folder = tmp_path / "reproductions" / "methods" / "a"
    folder.mkdir(parents=True)
    (folder / "method.py").write_text("from ..b import method\nfrom . import spans\n")
    found = [item.message for item in imports.check(tmp_path, cache=False)]
    assert len(found) == 1
    assert "reproductions.methods.b.method" in found[0]


def test_cached_findings_are_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "reproductions" / "methods" / "a"
    folder.mkdir(parents=True)
    (folder / "method.py").write_text("import torch\n")
    first = list(imports.check(tmp_path))
    assert (tmp_path / ".cache/imports.json").is_file()
    assert list(imports.check(tmp_path)) == first != []


def test_the_real_modules_agree_with_their_entries() -> None:
    assert [str(item) for item in methods.check(load(ROOT))] == []


def test_every_task_of_the_synthetic_world_is_a_taxonomy_word() -> None:
    path = ROOT / "reproductions/shared/synthetic/world.py"
    tasks: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.AnnAssign(target=ast.Name(id="QUESTION_TYPES"), value=ast.Dict(keys=keys)):
                tasks = {ast.literal_eval(key) for key in keys if key is not None}
    assert tasks
    assert tasks <= {word.id for word in load(ROOT).words_of("task")}
