"""A small repository (real entries, a sparse one, one that tries every trick), and who looks at it.

What looks is Chromium, at a server on this machine.
"""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from vidpost.catalog.models import Protocol

ROOT = Path(__file__).resolve().parents[3]
CHROMIUM = Path("/usr/bin/chromium")
IN_CHROMIUM = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no /usr/bin/chromium"),
]
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]  # fmt: skip

# Every trick that the schema lets through: it refuses other addresses, ids and control of length.
HOSTILE = {
    "id": "hostile",
    "name": "<img src=x onerror=\"window.pwned='name'\"> | `tick` {{ 7*7 }} {% raw %}",
    "aliases": [
        "</title><script>window.pwned='alias'</script>",
        "../../../etc/passwd",
        "# not a heading",
    ],
    "summary": "[click](javascript:window.pwned='summary') ![p](http://evil.invalid/p.png) "
    '<!-- --> \u202egnp.exe\u202c --8<-- "mkdocs.yml" **bold** _em_ x|y|z',
    "added": "2026-11-22",
    "status": "listed",
    "paper": {
        "title": "Quotes \" ' and </script><script>window.pwned='title'</script> &lt;b&gt; $x^2$",
        "authors": ["<b onclick=\"window.pwned='author'\">A</b>", "1. Ordered List"],
        "year": 2025,
        "arxiv_id": "2599.99999",
        "bibtex": "```\n</code></pre><script>window.pwned='bib'</script>\n```\n# heading\n",
    },
    "taxonomy": ["rl_policy_t_grpo"],
    "pillars": ["rl"],
    "idea": "## Heading { onclick=\"window.pwned='idea'\" }\n\n- item\n\n"
    "<iframe src=//evil.invalid></iframe>\n\n[^1]: note\n\n    code\n\n"
    "```html\n<script>window.pwned='fence'</script>\n```",
    "algorithm": "{: .x onmouseover=window.pwned='attr' } <svg onload=\"window.pwned='svg'\">",
    "base_models": ["a | b", "--- ", "+ plus", "=== "],
    "code": {"url": "https://example.org/a)%22onclick=%22window.pwned=1", "commit": "abcdef0"},
    "reported": [
        {
            "benchmark": "video_mme",
            "metric": "accuracy",
            "value": 50.0,
            "model": "<script>window.pwned='model'</script>",
            "split": "</td></tr></table><h1>broken</h1>",
            "setting": {"frames": "16\"><script>window.pwned='frames'</script>"},
            "source": "<a href=javascript:window.pwned='source'>x</a>",
        }
    ],
    "notes": [{"text": "a" * 399, "source": "\u2067rtl\u2069 <style>*{display:none}</style>"}],
    "unverified": {"algorithm": '" onmouseover="window.pwned=1'},
}
SPARSE = {
    "id": "sparse",
    "name": "Sparse",
    "added": "2026-11-22",
    "status": "listed",
    "paper": {"title": "A paper about which nothing else is known"},
    "taxonomy": ["rl_policy_t_grpo"],
}
KEPT = {
    "methods": ["video_r1", "grpo", "sft", "tcot", "decode"],
    "benchmarks": ["vsi_bench", "video_mmmu", "mmvu", "mvbench", "tempcompass", "video_mme"],
    "datasets": ["video_r1_cot_165k", "video_r1_260k"],
    "metrics": ["accuracy", "macro_accuracy", "mra", "tiou"],
    "surveys": ["video_lmm_post_training"],
}


def make_root(root: Path) -> Path:
    """A repository root with the hand-written docs, the taxonomy and the entries above."""
    (root / "docs").mkdir(parents=True)
    for part in ("overrides", "assets"):
        shutil.copytree(ROOT / "docs" / part, root / "docs" / part)
    for page in (
        "reproduce/index",
        "reproduce/presets",
        "reproduce/method",
        "reproduce/engines",
        *(f"upstream/{path.stem}" for path in sorted((ROOT / "docs/upstream").glob("*.md"))),
        "contribute/index",
    ):
        target = root / "docs" / f"{page}.md"
        target.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / "docs" / f"{page}.md", target)
    # The guide links to it; its own text, large tables of golden cases, is tested elsewhere.
    (root / "docs" / "rewards.md").write_text("# Rewards compared\n", encoding="utf-8")
    shutil.copy(ROOT / "mkdocs.yml", root)
    shutil.copytree(ROOT / "catalog" / "taxonomy", root / "catalog" / "taxonomy")
    for folder, names in KEPT.items():
        (root / "catalog" / folder).mkdir(exist_ok=True)
        for name in names:
            shutil.copy(ROOT / "catalog" / folder / f"{name}.yaml", root / "catalog" / folder)
    for part in ("methods/video_r1", "baselines/grpo"):
        shutil.copytree(ROOT / "reproductions" / part, root / "reproductions" / part)
    shared = root / "reproductions" / "shared"
    shared.mkdir()
    shutil.copy(ROOT / "reproductions" / "shared" / "method.py", shared)
    write_entry(root, "methods", SPARSE)
    return root


def write_card(root: Path, name: str, kind: str, **changes: object) -> None:
    """A result card of Video-R1; `changes` replace its fields."""
    protocol = {
        "frames": 8, "pixels": 784, "decoder": "pyav 15", "prompt_hash": "abc123def456",
        "extractor": "tag 1", "sampling": {"temperature": 0.0, "max_new_tokens": 48},
    }  # fmt: skip
    card = {
        "kind": kind, "method": "video_r1", "preset": "mini", "commit": "abcdef0",
        "environment": {"torch": "2.9"}, "hardware": {"device": "cpu"}, "seeds": [0, 1, 2],
        "checkpoint": {"stage": "rl"}, "benchmark": "synthetic", "benchmark_revision": "1",
        "metric": "accuracy", "n": 400, "score": 0.613, "interval": [0.565, 0.661],
        "interval_method": "clustered bootstrap over clips",
        "comparisons": [{"against": "grpo", "difference": 0.041, "interval": [0.012, 0.07],
                         "test": "paired bootstrap over clips", "p_value": 0.01}],
        "scores": [{"name": "base", "n": 9, "score": 0.252}, {"name": "rl", "n": 9, "score": 0.6}],
        "cost": {"tokens_in": 1, "tokens_out": 1, "frames": 1, "seconds": 1.0},
        "protocol": protocol, "fingerprint": Protocol.model_validate(protocol).fingerprint(),
        "date": "2026-11-22", **changes,
    }  # fmt: skip
    path = root / "catalog" / "results" / str(card["method"]) / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(card, sort_keys=False), encoding="utf-8")


def spent(calls: int, tokens_out: int) -> dict[str, object]:
    """The cost of an evaluation with so many calls; one call reads 74 tokens of 8 frames."""
    return {"calls": calls, "tokens_in": 74 * calls, "tokens_out": tokens_out,
            "frames": 8 * calls, "frames_decoded": 8 * calls, "seconds": calls / 100}  # fmt: skip


def write_claim(root: Path) -> None:
    """A claim of a test-time method over two seeds: 0.70 for five times the cost of 0.50."""
    rows = {"tcot": (0.7, spent(50, 180)), "decode": (0.5, spent(10, 140)),
            "self_consistency for as many tokens": (0.54, spent(10, 2900))}  # fmt: skip
    scores = [
        {"name": f"{name}, seed {seed}", "task": "needle", "n": 10, "cost": dict(cost),
         "score": score + (0.02 * (2 * seed - 1) if name == "tcot" else 0.0)}
        for name, (score, cost) in rows.items() for seed in (0, 1)
    ]  # fmt: skip
    write_card(
        root, "claim", "miniature", method="tcot", task="needle", n=20, score=0.7, seeds=[0, 1],
        interval=[0.6, 0.8], model="tiny", engine="hf", scores=scores, cost=spent(100, 360),
        comparisons=[{"against": "decode", "difference": 0.2, "interval": [0.05, 0.35],
                      "test": "paired t over seeds"}],
    )  # fmt: skip


def write_entry(root: Path, folder: str, entry: dict[str, object]) -> None:
    path = root / "catalog" / folder / f"{entry['id']}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(entry, sort_keys=False, allow_unicode=True), encoding="utf-8")


@contextmanager
def served_at(folder: Path) -> Iterator[str]:
    """The address of a folder on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            """Nothing: a page asks for a dozen files."""

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser that asks nobody on its own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()
