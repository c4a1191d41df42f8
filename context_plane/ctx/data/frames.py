"""Frames: the columns of a table as a tree, for objects within objects are columns of a group.

Here belong what a head says and how cells become rows. Which codec a column has is told by who plans it (`planning`) or
by the head that is read (`heads`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from context_plane.ctx.data import flow
from context_plane.ctx.data.columns import Codec, Given
from context_plane.ctx.data.marks import Marks, cut

Path = tuple[str, ...]
ABSENT: Final = object()
"""In a column: the row has no such key."""


@dataclass(frozen=True)
class Leaf:
    """One column."""

    name: str
    codec: Codec


@dataclass(frozen=True)
class Group:
    """Columns of an object within the rows."""

    name: str
    columns: tuple[Column, ...]


Column = Leaf | Group


@dataclass(frozen=True)
class Records:
    """The codec of lists of objects: a frame within a cell."""

    frame: Frame
    written: bool = True

    @property
    def head(self) -> str:
        """The columns of the records."""
        return f"[]{{{self.frame.head}}}"

    def values(self, cells: Sequence[str]) -> list[Any]:
        """The lists."""
        marks = self.frame.marks
        split = [[] if cell == "[]" else cut(cell, marks.item, marks.cell) for cell in cells]
        rows = iter(self.frame.rows([cut(item, marks.cell) for items in split for item in items]))
        return [[next(rows) for _ in items] for items in split]


@dataclass(frozen=True)
class Frame:
    """The columns of a table."""

    columns: tuple[Column, ...]
    marks: Marks

    @property
    def head(self) -> str:
        """What stands between the braces."""
        return _head(self.columns, self.marks)

    @property
    def leaves(self) -> list[tuple[Path, Codec]]:
        """The columns in their order, groups opened."""
        return list(_leaves(self.columns, ()))

    def rows(self, lines: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
        """The rows of these cells. Raises `ValueError`."""
        leaves = self.leaves
        written = [path for path, codec in leaves if codec.written]
        for number, cells in enumerate(lines, 1):
            if len(cells) != len(written):
                raise ValueError(f"row {number} has {len(cells)} cells, the head has {len(written)} columns")
        cells_of = dict(zip(written, zip(*lines, strict=True), strict=True)) if lines else dict.fromkeys(written, ())
        found: dict[Path, list[Any]] = {}
        for path, codec in leaves:
            if not isinstance(codec, Given):
                found[path] = _values(codec, cells_of.get(path, ("",) * len(lines)))
        for path, codec in leaves:
            if isinstance(codec, Given):
                if codec.by not in found:
                    raise ValueError(f"there is no column {'.'.join(codec.by)}")
                found[path] = codec.values(found[codec.by])
        return _objects(self.columns, (), found, len(lines))


def _values(codec: Codec, cells: Sequence[str]) -> list[Any]:
    """Values of a column; `ABSENT` where a cell is empty."""
    if not codec.written or "" not in cells:
        return codec.values(cells)
    values = iter(codec.values([cell for cell in cells if cell]))
    return [next(values) if cell else ABSENT for cell in cells]


def _objects(columns: Sequence[Column], path: Path, found: dict[Path, list[Any]], count: int) -> list[dict[str, Any]]:
    names = [each.name for each in columns]
    values: list[list[Any]] = []
    for each in columns:
        below = (*path, each.name)
        if isinstance(each, Leaf):
            values.append(found[below])
        else:
            values.append([inner or ABSENT for inner in _objects(each.columns, below, found, count)])
    if not any(_absent(column) for column in values):
        return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)] if count else []
    return [
        {name: value for name, value in zip(names, row, strict=True) if value is not ABSENT}
        for row in zip(*values, strict=True)
    ]


def _absent(column: Sequence[Any]) -> bool:
    return any(value is ABSENT for value in column)


def _leaves(columns: Sequence[Column], path: Path) -> Iterator[tuple[Path, Codec]]:
    for each in columns:
        if isinstance(each, Leaf):
            yield (*path, each.name), each.codec
        else:
            yield from _leaves(each.columns, (*path, each.name))


def _head(columns: Sequence[Column], marks: Marks) -> str:
    return marks.cell.join(
        flow.key(each.name) + (each.codec.head if isinstance(each, Leaf) else f"{{{_head(each.columns, marks)}}}")
        for each in columns
    )
