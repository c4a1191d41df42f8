"""Field values of a batch of entities: from rows of an aggregation to JSON, and from there to expressions.

Here belongs what each operator's columns mean. How a single value is written is `render`; the SQL that made the columns
is `compile`. Expressions are computed from the JSON of the other fields: they see what the bundle shows, nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from context_plane.bundles import render
from context_plane.bundles.compile import Output, Program
from context_plane.bundles.expressions import value_kind
from context_plane.bundles.fields import DATA, Field
from context_plane.bundles.loaded import Loaded
from context_plane.bundles.prepared import Prepared
from context_plane.instants import parse_instant

if TYPE_CHECKING:
    import duckdb
    from numpy.typing import NDArray

    Places = NDArray[np.int64]

Column = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Span:
    """A batch of entities at one instant: for each the places of its events in each window, ``lows[window] … high``."""

    codes: Places
    high: Places
    lows: Mapping[int | None, Places]
    low: Places
    """The lower ends in the widest window."""

    @classmethod
    def of(cls, codes: Places, ends: Places, starts: Mapping[int | None, Places], widest: int | None) -> Span:
        """The span of some entities, given the places of all; an entity of code -1 has no events."""
        high = _of(ends, codes)
        lows = {window: _of(each, codes) for window, each in starts.items()}
        return cls(codes, high, lows, lows[widest])

    @property
    def counts(self) -> Places:
        """Events of each entity in the widest window."""
        return self.high - self.low

    def valid_through(self, times: Places, forever: int) -> list[int]:
        """For each entity the last instant before one of its windows loses an event."""
        last = np.full(len(self.codes), forever, dtype=np.int64)
        for window, low in self.lows.items():
            if window is not None and len(times):
                oldest = times[np.minimum(low, len(times) - 1)] + window
                last = np.where(low < self.high, np.minimum(last, oldest), last)
        found: list[int] = last.tolist()
        return found


def _of(values: Places, codes: Places) -> Places:
    if not len(values):
        return np.zeros(len(codes), dtype=np.int64)
    return np.where(codes >= 0, values[np.maximum(codes, 0)], 0)


def field_values(outputs: Sequence[Output], columns: Sequence[Column], loaded: Loaded, span: Span) -> list[list[str]]:
    """The JSON of each output's values, one an entity of the span. `columns` are those of the aggregation."""
    return [_READERS[output.field.operator](output, columns, loaded, span) for output in outputs]


class Expressions:
    """The `expr` fields of a program, prepared on a connection."""

    def __init__(self, con: duckdb.DuckDBPyConnection, program: Program, fields: Sequence[Field]) -> None:
        import pyarrow as pa

        used = {name for each in program.derived for name in each.uses}
        names = {field.name: f"f{index}" for index, field in enumerate(fields)}
        self._derived = program.derived
        self._inputs = [  # place among the outputs, column, kind
            (place, names[output.field.name], value_kind(output.field))
            for place, output in enumerate(program.outputs)
            if output.field.name in used
        ]
        columns = [("i", pa.int64()), *((name, _arrow_type(kind)) for _, name, kind in self._inputs)]
        self._schema = pa.schema(columns)
        self._prepared = Prepared(con, "fields", self._schema, str(program.derive))

    def values(self, values: Sequence[list[str]], entities: int) -> list[list[str]]:
        """The JSON of the expressions; `values` are those of the program's outputs."""
        import pyarrow as pa

        columns: list[Any] = [range(entities)]
        for place, _, kind in self._inputs:
            plain = _PLAIN[kind]
            columns.append([None if text == render.NULL else plain(text) for text in values[place]])
        arrays = [pa.array(column, field.type) for column, field in zip(columns, self._schema, strict=True)]
        rows = self._prepared.rows(pa.Table.from_arrays(arrays, schema=self._schema))
        return [
            [render.expression(value, each.kind) for value in column]
            for each, column in zip(self._derived, zip(*rows, strict=True), strict=True)
        ]


def _counts(output: Output, columns: Sequence[Column], loaded: Loaded, span: Span) -> list[str]:
    return [str(count or 0) for count in columns[output.at]]


def _exists(output: Output, columns: Sequence[Column], loaded: Loaded, span: Span) -> list[str]:
    return [render.boolean(bool(count)) for count in columns[output.at]]


def _picks(output: Output, columns: Sequence[Column], loaded: Loaded, span: Span) -> list[str]:
    value = output.values[0]
    return render.pick(loaded.table[value.column], value.kind, columns[output.at])


def _sums(output: Output, columns: Sequence[Column], loaded: Loaded, span: Span) -> list[str]:
    rows = zip(columns[output.at], columns[output.at + 1], strict=True)
    return [
        render.double(_inexact(output, loaded, span, index)) if inexact else render.decimal(total or "0")
        for index, (total, inexact) in enumerate(rows)
    ]


def _averages(output: Output, columns: Sequence[Column], loaded: Loaded, span: Span) -> list[str]:
    written = []
    for index, (total, inexact, count) in enumerate(zip(*columns[output.at : output.at + 3], strict=True)):
        exact = Decimal(_inexact(output, loaded, span, index)) if inexact else Decimal(total or 0)
        written.append(render.average(exact, count) if count else render.NULL)
    return written


def _inexact(output: Output, loaded: Loaded, span: Span, index: int) -> float:
    """The sum over doubles, where some value of the group is no exact decimal: correctly rounded in any order."""
    low, high = int(span.lows[output.field.window][index]), int(span.high[index])
    doubles = loaded.numbers(output.doubles, low, high)
    counted = loaded.numbers(output.mask, low, high).astype(np.bool_)
    return render.exact_sum(doubles[counted].tolist())


def _lists(output: Output, columns: Sequence[Column], loaded: Loaded, span: Span) -> list[str]:
    """Items in time order: values where the list names one field, else objects."""
    picked = [sorted(places or ()) for places in columns[output.at]]
    flat = [place for places in picked for place in places]
    values = [render.pick(loaded.table[value.column], value.kind, flat) for value in output.values]
    if isinstance(output.field.target, tuple):
        names = [target.removeprefix(DATA) for target in output.field.target]
        order = sorted(range(len(names)), key=lambda each: names[each].encode("utf-16-be"))
        form = "{" + ",".join(f"{render.quote(names[each]).replace('%', '%%')}:%s" for each in order) + "}"
        items = iter([form % item for item in zip(*(values[each] for each in order), strict=True)])
    else:
        items = iter(values[0])
    return [f"[{','.join(next(items) for _ in places)}]" for places in picked]


_READERS: Final[dict[str, Callable[[Output, Sequence[Column], Loaded, Span], list[str]]]] = {
    "count": _counts, "count_distinct": _counts, "exists": _exists, "latest": _picks, "first": _picks, "min": _picks,
    "max": _picks, "sum": _sums, "avg": _averages, "list": _lists,
}  # fmt: skip


def _number(text: str) -> float | None:
    return None if text.startswith('"') else float(text)


def _text(text: str) -> str:
    if not text.startswith('"'):
        return text
    return str(json.loads(text)) if "\\" in text else text[1:-1]


_PLAIN: Final[dict[str, Callable[[str], Any]]] = {
    "count": int, "number": _number, "boolean": "true".__eq__, "text": _text, "time": lambda text: parse_instant(text[1:-1]),
}  # fmt: skip


def _arrow_type(kind: str) -> Any:
    import pyarrow as pa

    types = {"count": pa.int64(), "number": pa.float64(), "boolean": pa.bool_(), "time": pa.timestamp("us")}
    return types.get(kind, pa.string())
