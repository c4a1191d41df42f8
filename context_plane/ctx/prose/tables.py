"""Tables with pipes: cells of a row, the row that makes a table, and its alignments.

Here belongs the syntax of a table, as GitHub's Markdown has it. Where tables stand is `parse`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from context_plane.ctx.prose.lines import SPACE, words

_CELL: Final = re.compile(r"(?:[^|\\]|\\.|\\$)*+", re.DOTALL)
_DELIMITER: Final = re.compile(r"[ \t]*+\|?+(?:[ \t]*+:?+-++:?+[ \t]*+\|)*+(?:[ \t]*+:?+-++:?+)?+[ \t]*+")
ALIGNMENTS: Final = {"-": "-", "l": ":-", "r": "-:", "c": ":-:"}


def cells(line: str) -> tuple[str, ...]:
    """The cells of a row, without white space around them; a pipe behind a backslash is part of its cell."""
    line = line.strip(SPACE)
    found = _escaped(line) if "\\" in line else line.split("|")
    if len(found) > 1 and not found[0].strip(SPACE):
        del found[0]
    if len(found) > 1 and not found[-1].strip(SPACE):
        del found[-1]
    return tuple(map(words, found))


def _escaped(line: str) -> list[str]:
    found, at = [], 0
    while True:
        match = _CELL.match(line, at)
        end = match.end() if match else at
        found.append(line[at:end])
        if end >= len(line):
            return found
        at = end + 1


def marks(lines: Sequence[str], at: int) -> str | None:
    """The alignment of each column of the table whose header is the line at `at`, or None if it is none."""
    below = lines[at + 1] if at + 1 < len(lines) else ""
    if "-" not in below or "|" not in below or not _DELIMITER.fullmatch(below):
        return None
    found = cells(below)
    if len(found) != len(cells(lines[at])) or not all(found):
        return None
    kinds = {(False, False): "-", (True, False): "l", (False, True): "r", (True, True): "c"}
    return "".join(kinds[cell[0] == ":", cell[-1] == ":"] for cell in found)


def rows(lines: Sequence[str], at: int) -> list[tuple[str, ...]]:
    """The rows of the table whose header is the line at `at`; it goes as far as there are pipes."""
    found = [cells(lines[at])]
    for number in range(at + 2, len(lines)):
        if "|" not in lines[number]:
            break
        found.append(cells(lines[number]))
    return found
