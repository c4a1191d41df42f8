"""Folders of process files, written and compiled."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from context_plane.processes.compiler.catalog import Catalog
from context_plane.processes.compiler.compiler import Compiler
from tests.processes.corpus.world import surroundings


def put(folder: Path, text: str, name: str = "processes.yaml") -> Path:
    """Writes a file; what is indented as the test is, is not in the file."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text).lstrip("\n"))
    return path


def compiled(folder: Path, text: str | None = None) -> Catalog:
    """The catalog of a folder, after a file was written."""
    if text is not None:
        put(folder, text)
    return Compiler(folder, surroundings()).compile()


def sound(folder: Path, text: str | None = None) -> Catalog:
    """The same of a folder in which nothing is wrong."""
    catalog = compiled(folder, text)
    assert [str(each) for each in catalog.diagnostics] == []
    return catalog


def codes(catalog: Catalog) -> list[str]:
    """What is told, by code."""
    return [each.code for each in catalog.diagnostics]
