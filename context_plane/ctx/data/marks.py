"""Marks: the signs that separate the cells of a row, the items of a list in a cell, and the fields of records there.

Here belongs cutting at them. No mark stands in a string without quotes, so that most rows are cut by `str.split`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from context_plane.ctx.data import flow
from context_plane.ctx.data.scalars import Style


@dataclass(frozen=True)
class Marks:
    """The signs that separate: cells of a row, items of a list, fields of a record in a list."""

    cell: str
    item: str
    field: str

    @property
    def within(self) -> Marks:
        """The marks of records within a cell: their fields are the cells there."""
        return Marks(self.field, self.item, self.cell)

    @property
    def style(self) -> Style:
        """Scalars in a cell."""
        return style_of(self.cell, self.item + self.field)

    @property
    def inner(self) -> Style:
        """Scalars in a list within a cell."""
        return style_of(self.cell + self.item + self.field)

    def row(self, line: str) -> list[str]:
        """The cells of a row. Raises `ValueError`."""
        return cut(line, self.cell, self.item + self.field)


MARKS: Final = {cell: Marks(cell, item, field) for cell, item, field in (",|;", "\t|;", "|;,", ";|,")}
style_of: Final = lru_cache(maxsize=64)(Style)


@lru_cache(maxsize=64)
def _cells(cell: str, inner: str) -> re.Pattern[str]:
    """What one cell of a row is: pieces, in quotes or without, parted by the inner marks."""
    inside = re.escape(cell + inner)
    piece = rf'(?:"(?:[^"\\]|\\.)*+"|[^{inside}"]?[^{inside}]*+)'
    return re.compile(rf"{piece}(?:[{re.escape(inner)}]{piece})*+" if inner else piece)


def cut(line: str, mark: str, inner: str = "") -> list[str]:
    """What a mark separates in a line, but not within quotes nor within flow. Raises `ValueError`."""
    if '"' not in line and "{" not in line and "[" not in line:
        return line.split(mark)
    found, at, pattern = [], 0, _cells(mark, inner)
    while True:
        if line[at : at + 1] in ("{", "["):
            _, end = flow.scan(line, at)
        else:
            match = pattern.match(line, at)
            assert match is not None
            end = match.end()
        found.append(line[at:end])
        if end == len(line):
            return found
        if line[end] != mark:
            raise ValueError(f"expected {mark!r} at character {end + 1}")
        at = end + 1
