"""Tables: lists of objects as rows under a head that names their columns once.

Here belong the two layouts: one frame for all rows, where a row leaves cells empty for what it lacks; and kinds, where
rows of different kinds have frames of their own and begin with their kind's name.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

from context_plane.ctx.data import flow, planning
from context_plane.ctx.data.columns import Plain
from context_plane.ctx.data.frames import ABSENT, Column, Frame, Group, Leaf, Path, Records
from context_plane.ctx.data.marks import MARKS, Marks
from context_plane.ctx.data.planning import Mode, Planned
from context_plane.ctx.data.scalars import Style
from context_plane.ctx.tokens import counter

_MOST_KINDS: Final = 14
_RUNS: Final = 8
_RUN: Final = 16
_DEEPEST: Final = 6
"""Objects within objects that become groups of columns; deeper ones are flow in a cell."""
_CELLS: Final[dict[Mode, tuple[str, ...]]] = {"verbatim": (), "compact": ("\t", "|"), "dense": ("\t", "|")}
_LOWER: Final[dict[Mode, tuple[Mode, ...]]] = {
    "verbatim": (),
    "compact": ("verbatim",),
    "dense": ("compact", "verbatim"),
}
"""Modes whose codecs a mode may use too: where there is little to share, what says so costs more than it saves."""
_SPARSE: Final = 8
_SMALL: Final = 2_000
"""Cells that a table may have for each value in it, and that any may have."""
_TAG: Final = re.compile(r"[A-Za-z][\w.-]*")


@dataclass(frozen=True)
class Table:
    """A table, written."""

    head: str
    """What follows the count: marks, columns and their codecs, up to the colon."""
    lines: list[str]


def table(rows: Sequence[dict[str, Any]], mode: Mode, keys: Sequence[str] | None = None) -> Table | None:
    """Rows (under `keys`, where they are an object's members) in the cheapest layout; `None` where they are none."""
    best = _cheapest(rows, keys, [Layout(",", kinds, mode) for kinds in (False, True)])
    if best is None:
        return None
    others = [replace(best, cell=cell) for cell in _CELLS[mode]] + [replace(best, mode=lower) for lower in _LOWER[mode]]
    best = _cheapest(rows, keys, [best, *others]) or best
    return _laid_out(rows, keys, best) or _laid_out(rows, keys, Layout(",", False, mode))


@dataclass(frozen=True)
class Layout:
    """How a table may be written."""

    cell: str
    """The mark between cells."""
    kinds: bool
    """Whether rows of different kinds have heads of their own."""
    mode: Mode


def _cheapest(rows: Sequence[Any], keys: Sequence[str] | None, layouts: Sequence[Layout]) -> Layout | None:
    """The cheapest of some layouts by a sample; `None` where none is possible."""
    some, names = _some(rows), None if keys is None else _some(keys)
    best: tuple[int, Layout] | None = None
    for layout in layouts:
        made = _laid_out(some, names, layout)
        if made is not None:
            cost = counter()("\n".join([made.head, *made.lines]))
            if best is None or cost < best[0]:
                best = cost, layout
    return None if best is None else best[1]


def _some(rows: Sequence[Any]) -> Sequence[Any]:
    """A sample by which the layout is chosen: runs of neighbours, from all over."""
    if len(rows) <= 2 * _RUNS * _RUN:
        return rows
    starts = [len(rows) * part // _RUNS for part in range(_RUNS)]
    return [row for start in starts for row in rows[start : start + _RUN]]


def _laid_out(rows: Sequence[dict[str, Any]], keys: Sequence[str] | None, layout: Layout) -> Table | None:
    write = _by_kind if layout.kinds else _one_frame
    return write(rows, layout.mode, MARKS[layout.cell], keys)


def _one_frame(rows: Sequence[dict[str, Any]], mode: Mode, marks: Marks, keys: Sequence[str] | None) -> Table | None:
    made = frame(rows, mode, marks, marks.style)
    if made is None:
        return None
    found, cells = made
    annotation = ""
    if keys is not None:
        planned = planning.names(keys, mode, marks)
        annotation = f":{planned.codec.head}"
        cells = [planned.cells, *cells]
    if not cells:
        return None
    lines = [marks.cell.join(row) for row in zip(*cells, strict=True)]
    mark = "" if marks.cell == "," else marks.cell
    return Table(f"{annotation}{mark}]{{{found.head}}}:", lines)


def frame(
    rows: Sequence[dict[str, Any]], mode: Mode, marks: Marks, style: Style
) -> tuple[Frame, list[list[str]]] | None:
    """The frame of rows, and the cells of each column that has some; `None` where keys do not fit columns."""
    plans: dict[Path, Planned] = {}
    values: dict[Path, Sequence[Any]] = {}
    tree = _tree(rows, (), mode, marks, style, plans, values)
    if tree is None:
        return None
    if mode != "verbatim" and len(rows) >= 6:
        plans.update(planning.given(values, plans))
    columns = _columns(tree, (), plans)
    cells = [_filled(plans[path], values[path]) for path in plans if plans[path].codec.written]
    return Frame(columns, marks), cells


def _filled(plan: Planned, values: Sequence[Any]) -> list[str]:
    """The cells of all rows: empty where a row has no value."""
    if len(plan.cells) == len(values):
        return plan.cells
    cells = iter(plan.cells)
    return ["" if value is ABSENT else next(cells) for value in values]


Tree = list[tuple[str, "Tree | None"]]


def _tree(
    rows: Sequence[Any], path: Path, mode: Mode, marks: Marks, style: Style,
    plans: dict[Path, Planned], values: dict[Path, Sequence[Any]],
) -> Tree | None:  # fmt: skip
    """The columns below a path in their order, groups with theirs; plans and values of each are put beside."""
    found: Tree = []
    if _sparse(rows):
        return None
    for name, column in columns_of(rows):
        below = (*path, name)
        present = [value for value in column if value is not ABSENT]
        if len(path) < _DEEPEST and all(type(value) is dict and value for value in present):
            inner = _tree(column, below, mode, marks, style, plans, values)
            if inner is None:
                return None
            found.append((name, inner))
        else:
            planned = _planned(present, mode, marks, style, len(present) == len(column))
            if planned is None:
                return None
            plans[below] = planned
            values[below] = column
            found.append((name, None))
    return found or None


def _sparse(rows: Sequence[Any]) -> bool:
    """Whether a table of these rows would be nearly empty: objects with keys of their own are no records."""
    held = [row for row in rows if row is not ABSENT]
    names = set().union(*held)
    return len(names) * len(held) > _SPARSE * sum(map(len, held)) + _SMALL


def _columns(tree: Tree, path: Path, plans: dict[Path, Planned]) -> tuple[Column, ...]:
    return tuple(
        Leaf(name, plans[*path, name].codec) if inner is None else Group(name, _columns(inner, (*path, name), plans))
        for name, inner in tree
    )


def _planned(values: list[Any], mode: Mode, marks: Marks, style: Style, everywhere: bool) -> Planned | None:
    """The codec of a column; `None` for what has no place in records within a cell."""
    kinds = set(map(type, values))
    if kinds.isdisjoint((dict, list, tuple)):
        return planning.column(values, mode, marks, style, everywhere)
    if style is not marks.style:
        return None
    if kinds <= {list, tuple}:
        flat = [item for value in values for item in value]
        inner_kinds = set(map(type, flat))
        if flat and inner_kinds.isdisjoint((dict, list, tuple)):
            return planning.items(values, marks)
        if inner_kinds == {dict} and all(flat):
            made = _records(values, flat, mode, marks)
            if made is not None:
                return made
    cells = [flow.write(value) if isinstance(value, (dict, list, tuple)) else style.scalar(value) for value in values]
    return Planned(Plain(), cells, 0)


def _records(values: list[Any], flat: list[dict[str, Any]], mode: Mode, marks: Marks) -> Planned | None:
    """Lists of objects, as records within cells."""
    made = frame(flat, mode, marks.within, marks.inner)
    if made is None or not made[1]:
        return None
    records = [marks.field.join(row) for row in zip(*made[1], strict=True)]
    at, cells = 0, []
    for value in values:
        cells.append(marks.item.join(records[at : at + len(value)]) if value else "[]")
        at += len(value)
    return None if "" in cells else Planned(Records(made[0]), cells, 0)


def columns_of(rows: Sequence[Any]) -> list[tuple[str, Sequence[Any]]]:
    """The columns of rows, some of which may be `ABSENT`: names in the order of the rows, where they agree on one."""
    names = next((tuple(row) for row in rows if row is not ABSENT), ())
    if all(row is not ABSENT and tuple(row) == names for row in rows):
        return list(zip(names, zip(*[row.values() for row in rows], strict=True), strict=True))
    ordered = _order([tuple(row) for row in rows if row is not ABSENT])
    return [(name, [ABSENT if row is ABSENT else row.get(name, ABSENT) for row in rows]) for name in ordered]


def _order(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """An order of all names in which those of each row stand as in it, where there is one."""
    after: dict[str, dict[str, None]] = {}
    count: dict[str, int] = {}
    for names in dict.fromkeys(rows):
        for name in names:
            after.setdefault(name, {})
            count.setdefault(name, 0)
        for one, other in pairwise(names):
            if other not in after[one]:
                after[one][other] = None
                count[other] += 1
    rank = {name: number for number, name in enumerate(after)}
    ready = [(rank[name], name) for name in after if not count[name]]
    ordered: list[str] = []
    while ready:
        _, name = heapq.heappop(ready)
        ordered.append(name)
        for other in after[name]:
            count[other] -= 1
            if not count[other]:
                heapq.heappush(ready, (rank[other], other))
    return ordered if len(ordered) == len(after) else list(after)


def _by_kind(rows: Sequence[dict[str, Any]], mode: Mode, marks: Marks, keys: Sequence[str] | None) -> Table | None:
    """Rows under the heads of their kinds: by a column whose value decides which keys a row has, or by their keys."""
    shapes = [tuple(row) for row in rows]
    if not 2 <= len(set(shapes)) <= max(2, len(rows) // 3):
        return None
    by = _discriminator(rows, shapes)
    if by is None and len(set(shapes)) > _MOST_KINDS:
        return None
    letters = {shape: chr(65 + number) for number, shape in enumerate(dict.fromkeys(shapes))}
    tags = [letters[shape] if by is None else row[by] for row, shape in zip(rows, shapes, strict=True)]
    groups: dict[str, list[int]] = {}
    for number, tag in enumerate(tags):
        groups.setdefault(tag, []).append(number)
    if len(groups) > _MOST_KINDS:
        return None
    heads, lines = [], [""] * len(rows)
    named = None if keys is None else planning.names(keys, mode, marks)
    for tag, numbers in groups.items():
        made = frame([{k: v for k, v in rows[n].items() if k != by} for n in numbers], mode, marks, marks.style)
        if made is None:
            return None
        heads.append(f"{tag}{{{made[0].head}}}")
        cells = [[tag] * len(numbers), *([] if named is None else [[named.cells[n] for n in numbers]]), *made[1]]
        for number, row in zip(numbers, zip(*cells, strict=True), strict=True):
            lines[number] = marks.cell.join(row)
    annotation = "" if named is None else f":{named.codec.head}"
    mark = "" if marks.cell == "," else marks.cell
    return Table(f"{annotation}{mark}]<{'' if by is None else flow.key(by)}>\n" + "\n".join(heads) + ":", lines)


def _discriminator(rows: Sequence[dict[str, Any]], shapes: Sequence[tuple[str, ...]]) -> str | None:
    for name in shapes[0]:
        shape_of: dict[str, tuple[str, ...]] = {}
        for row, shape in zip(rows, shapes, strict=True):
            value = row.get(name)
            if type(value) is not str or not _TAG.fullmatch(value) or shape_of.setdefault(value, shape) != shape:
                break
        else:
            if 1 < len(shape_of) <= _MOST_KINDS:
                return name
    return None
