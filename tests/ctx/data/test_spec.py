"""docs/spec/ctx.md says what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from context_plane.ctx.data.decoding import decode
from context_plane.ctx.data.encoding import encode
from context_plane.ctx.data.marks import MARKS

PAGE = (Path(__file__).parents[3] / "docs/spec/ctx.md").read_text("utf-8")
EXAMPLES = re.findall(r"```json (\w+)\n(.*?)```\n\n```ctx\n(.*?)\n```", PAGE, re.DOTALL)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_examples_are_true(number: int) -> None:
    """Both ways."""
    mode, source, text = EXAMPLES[number]
    value = json.loads(source)
    assert decode(text) == value
    found: Any = encode(value, mode)
    assert found == text


def test_there_are_examples() -> None:
    """Of both modes that are on by default somewhere."""
    assert {mode for mode, _, _ in EXAMPLES} == {"verbatim", "compact"}


def test_the_marks_are_those_of_the_page() -> None:
    """As the table lists them."""
    rows = re.findall(r"^\| (`\S+`|tab) \| (`\S+`) \| (`\S+`) \|$", PAGE, re.MULTILINE)
    listed = [tuple("\t" if cell == "tab" else cell.strip("`").replace("\\|", "|") for cell in row) for row in rows]
    assert listed == [(marks.cell, marks.item, marks.field) for marks in MARKS.values()]
