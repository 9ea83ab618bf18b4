"""What the comparison page shows of a method, as rows that need only be put side by side."""

from __future__ import annotations

from typing import Any

from vidpost.catalog.loader import normalise
from vidpost.catalog.models import MethodEntry
from vidpost.export.text import plain
from vidpost.site import context as ctx
from vidpost.site.context import Site
from vidpost.site.text import number

_UNITS = {"%": " %", "seconds": " s"}


def column(site: Site, entry: MethodEntry) -> dict[str, Any]:
    """One method's column.

    Returns:
        Its name, address below the root, and sections in a fixed order. A section has rows (name ->
        lines of text), says what stands in a row that another method has and this one lacks, and
        may ask for order ("sorted") or for nothing but rows that differ ("differing").
    """
    names = {work.id: work.name for _, work in site.catalog.entries()}
    facts = {
        "Summary": [entry.summary],
        "Year": [entry.paper and entry.paper.year],
        "Status": [entry.status],
        "Algorithm": [entry.algorithm],
        "Stages": [stage.text for stage in entry.stages],
        "Starts from": entry.base_models,
        "Trained on": [names.get(name, name) for name in entry.trained_on],
        "Frames": [entry.frames and entry.frames.text],
        "Hardware": [entry.hardware and entry.hardware.text],
    }
    hooks = {name: hook.does for name, _, hook in site.differences(entry)}
    rewards: dict[str, list[str]] = {}
    for aspect in entry.reward_aspects:
        rewards[_word(site, aspect)] = ["yes; rule not reported"]
    for reward in entry.rewards:
        lines = [r.description for r in entry.rewards if r.aspect == reward.aspect]
        rewards[_word(site, reward.aspect)] = lines
    settings = {key: [value] for key, value, _, _ in site.hyperparameters(entry)}
    numbers: dict[str, list[str]] = {}
    own = [normalise(name) for name in (entry.name, *entry.aliases)]
    for item in entry.reported:
        # A paper's table lists other models, too.
        if not item.model or any(name in normalise(item.model) for name in own):
            words = ctx.setting(item.setting) or "protocol not reported"
            metric = site.catalog.metrics.get(item.metric)
            parts = (names.get(item.benchmark, item.benchmark), item.split,
                     metric.name if metric else item.metric, words)  # fmt: skip
            model = f" ({item.model})" if item.model else ""
            printed = f"{item.value:g}{_UNITS.get(item.unit, '')}{model}"
            numbers.setdefault(" · ".join(filter(None, parts)), []).append(printed)
    lacking = "as the baseline" if site.module(entry.id) else "no module yet"
    return {
        "name": plain(entry.name),
        "path": site.path(entry.id),
        "sections": [
            _section("Facts", facts, "not reported"),
            _section("Hooks: what each changes", hooks, lacking),
            _section("Rewards by aspect", rewards, "no"),
            _section("Settings that differ in the paper presets", settings, "unset", "differing"),
            _section("Reported numbers, one protocol a row", numbers, "\u2013", "sorted"),
        ],
    }


def _word(site: Site, name: str) -> str:
    return site.catalog.words[name].name if name in site.catalog.words else name


def _section(title: str, rows: Any, absent: str, order: str = "") -> dict[str, Any]:
    shown = {
        plain(name): [plain(number(v) if isinstance(v, float) else str(v)) for v in values if v]
        for name, values in rows.items()
    }
    return {"title": title, "rows": shown, "absent": absent, "order": order}
