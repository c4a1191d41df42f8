"""Field values of a batch of entities: from rows of an aggregation to JSON, and from there to expressions.

Here belongs what each operator's columns mean. How a single value is written is `render`; the SQL that made the columns
is `compile`. Expressions are computed from the JSON of the other fields: they see what the bundle shows, nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from context_plane.bundles import render
from context_plane.bundles.compile import Output, Program
from context_plane.bundles.expressions import value_kind
from context_plane.bundles.fields import DATA
from context_plane.bundles.loaded import Loaded, Span
from context_plane.bundles.prepared import Prepared
from context_plane.instants import parse_instant

if TYPE_CHECKING:
    import duckdb

    from context_plane.bundles.spec import ContextSpec

Column = Sequence[Any]


def field_values(outputs: Sequence[Output], columns: Sequence[Column], loaded: Loaded, span: Span) -> list[list[str]]:
    """The JSON of each output's values, one an entity of the span. `columns` are those of the aggregation."""
    rows = _Rows(columns, loaded, span)
    return [rows.read(output) for output in outputs]


class Expressions:
    """The `expr` fields of a program, prepared on a connection."""

    def __init__(self, con: duckdb.DuckDBPyConnection, program: Program, spec: ContextSpec) -> None:
        import pyarrow as pa

        used = {name for each in program.derived for name in each.uses}
        names = {field.name: f"f{index}" for index, field in enumerate(spec.fields)}
        self._derived = program.derived
        self._inputs = [  # place among the outputs, column, kind
            (place, names[output.field.name], value_kind(output.field))
            for place, output in enumerate(program.outputs)
            if output.field.name in used
        ]
        columns = [("i", pa.int64()), *((name, _arrow_type(kind)) for _, name, kind in self._inputs)]
        self._schema = pa.schema(columns)
        self._prepared = Prepared(con, "fields", self._schema, str(program.derive), f"context {spec.name}")

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


class _Rows:
    """The rows of an aggregation, one an entity of the span."""

    def __init__(self, columns: Sequence[Column], loaded: Loaded, span: Span) -> None:
        self._columns = columns
        self._loaded = loaded
        self._span = span

    def read(self, output: Output) -> list[str]:
        """The JSON of an output's values."""
        column = self._columns[output.at]
        match output.field.operator:
            case "count" | "count_distinct":
                return [str(count or 0) for count in column]
            case "exists":
                return [render.boolean(bool(count)) for count in column]
            case "sum":
                return self._sums(output)
            case "avg":
                return self._averages(output)
            case "list":
                return self._lists(output)
            case _:
                value = output.values[0]
                return render.pick(self._loaded.table[value.column], value.kind, column)

    def _sums(self, output: Output) -> list[str]:
        rows = zip(*self._columns[output.at : output.at + 2], strict=True)
        return [
            render.double(self._inexact(output, index)) if inexact else render.decimal(total or "0")
            for index, (total, inexact) in enumerate(rows)
        ]

    def _averages(self, output: Output) -> list[str]:
        written = []
        for index, (total, inexact, count) in enumerate(zip(*self._columns[output.at : output.at + 3], strict=True)):
            exact = Decimal(self._inexact(output, index)) if inexact else Decimal(total or 0)
            written.append(render.average(exact, count) if count else render.NULL)
        return written

    def _inexact(self, output: Output, index: int) -> float:
        """The sum over doubles, where some number of the group is no exact decimal."""
        low, high = int(self._span.lows[output.field.window][index]), int(self._span.high[index])
        counted = self._loaded.values(output.mask, low, high).astype(np.bool_)
        return render.exact_sum(self._loaded.values(output.doubles, low, high)[counted].tolist())

    def _lists(self, output: Output) -> list[str]:
        """Items in time order: values where the list names one field, else objects."""
        picked = [sorted(places or ()) for places in self._columns[output.at]]
        flat = [place for places in picked for place in places]
        table = self._loaded.table
        values = [render.pick(table[value.column], value.kind, flat) for value in output.values]
        if isinstance(output.field.target, tuple):
            names = [target.removeprefix(DATA) for target in output.field.target]
            items = iter(render.objects(names, values))
        else:
            items = iter(values[0])
        return [f"[{','.join(next(items) for _ in places)}]" for places in picked]


def _number(text: str) -> float | None:
    return None if text.startswith('"') else float(text)


def _text(text: str) -> str:
    if not text.startswith('"'):
        return text
    return str(json.loads(text)) if "\\" in text else text[1:-1]


def _time(text: str) -> int:
    return parse_instant(text[1:-1])


_PLAIN: Final[dict[str, Callable[[str], Any]]] = {
    "count": int, "number": _number, "boolean": "true".__eq__, "text": _text, "time": _time,
}  # fmt: skip


def _arrow_type(kind: str) -> Any:
    import pyarrow as pa

    types = {"count": pa.int64(), "number": pa.float64(), "boolean": pa.bool_(), "time": pa.timestamp("us")}
    return types.get(kind, pa.string())
