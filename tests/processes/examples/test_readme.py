"""The commands of the example's README are run in order, and print what it shows.

After a change of what is printed, write the blocks anew with ``CONTEXT_PLANE_WRITE_DOCS=1``, and read the difference.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from tests.cli.test_docs import blocks, comparable, execute
from tests.processes.examples.conftest import EXAMPLE, ROOT, alone

README = EXAMPLE / "README.md"
_ID = re.compile(r"\b(?:acme\.|growth\.)?(?:[0-9a-f]{12}|[0-9a-f]{24})\b|x-[0-9a-f]{20}|(?<=: commit )\d+")
"""Of executions, commits and memories; and the log's numbers, because records may be sealed in one commit or two."""


def test_what_the_readme_shows_is_what_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a reader would, beside the folder `examples`."""
    alone(monkeypatch, tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "120"}
    del env["CONTEXT_PLANE_EMBEDDER"]  # the home says it
    text = README.read_text()
    written, end = "", 0
    differing: list[tuple[list[str], list[str]]] = []
    for block in blocks(text):
        printed = execute(block, tmp_path, env)
        if block.output is None:
            continue
        written += text[end : block.at[0]] + printed
        end = block.at[1]
        shown, seen = (comparable(_ID.sub("N", each)) for each in (block.output, printed))
        if shown != seen:
            differing.append((shown, seen))
    if os.environ.get("CONTEXT_PLANE_WRITE_DOCS"):
        README.write_text(written + text[end:])
        return
    assert not differing, differing[0]


def test_its_files_are_there() -> None:
    """What the table names, and the documents that it leads to."""
    for name in re.findall(r"^\| `([\w./*]+)` \|", README.read_text(), re.M):
        assert list(EXAMPLE.glob(name.rstrip("/"))), name
    for name in re.findall(r"\((docs/[\w/.-]+)\)", README.read_text()):
        assert (ROOT / name).exists(), name
