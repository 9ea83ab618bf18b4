"""Contracts between catalogue and code, read with `ast`: no torch, nothing is executed."""

from collections.abc import Iterator

from vidpost.catalog.diagnostics import Diagnostic
from vidpost.catalog.loader import Catalog
from vidpost.contracts import imports, methods


def check(catalog: Catalog) -> Iterator[Diagnostic]:
    """Every contract: entries against modules and presets, and the directions of imports."""
    yield from methods.check(catalog)
    yield from imports.check(catalog.root)
