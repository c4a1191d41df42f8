"""docs/spec/processes.md says what the code does: its tables are those that files are checked by."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from context_plane.processes.language.codes import CODES
from context_plane.processes.language.keys import STEP
from context_plane.processes.language.kinds import ACTION, GATE, INTERFACE, PROCESS
from context_plane.processes.language.reading import read
from context_plane.processes.language.shapes import Record

SPEC = (Path(__file__).parents[3] / "docs" / "spec" / "processes.md").read_text()


def section(title: str) -> str:
    """The text below a heading."""
    return re.split(r"^## ", SPEC.split(f"## {title}\n", 1)[1], maxsplit=1, flags=re.M)[0]


def rows(text: str) -> list[list[str]]:
    """The rows of the tables in a text, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


@pytest.mark.parametrize(
    ("title", "record"),
    [("`process`", PROCESS), ("Steps", STEP), ("`interface`", INTERFACE), ("`action`", ACTION), ("`gate`", GATE)],
)
def test_the_keys_are_those_of_the_tables(title: str, record: Record) -> None:
    """The same keys in the same order, in the same words."""
    assert [[key, about] for key, about in rows(section(title))] == [
        [f"`{name}`", key.doc] for name, key in record.keys.items()
    ]


def test_the_codes_are_those_that_are_told() -> None:
    """Each code with how bad it is and what it means."""
    assert [[name, *rest] for name, *rest in rows(section("Codes"))] == [
        [f"`{name}`", info.severity, info.meaning] for name, info in sorted(CODES.items())
    ]


def test_examples_are_what_they_seem() -> None:
    """Every block of YAML in the page is read without a fault."""
    blocks = re.findall(r"```yaml\n(.*?)```", SPEC, re.S)
    assert len(blocks) >= 2
    for block in blocks:
        for text in [block] if "---" in block or not block.startswith("trigger") else block.splitlines():
            assert read(text.encode(), "processes.md").findings == (), text
