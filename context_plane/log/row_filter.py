"""The `where` of a source mapping: SQL over the columns of a row, run by DuckDB over batches of rows.

Here belongs the typing of columns for SQL. What the SQL may say is decided in `context_plane.sql.guard`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import duckdb
import pyarrow as pa

from context_plane.canonical import canonical
from context_plane.errors import InputError
from context_plane.sql import engine, guard

if TYPE_CHECKING:
    from context_plane.sql.guard import Expression

BATCH: Final = 4_096
_TYPES: Final = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "text": pa.string(),
    "texts": pa.list_(pa.string()),
    "numbers": pa.list_(pa.float64()),
}
_INT64: Final = range(-(2**63), 2**63)
_REMEDY: Final = "compare a column with values of its own type, or CAST it (TRY_CAST where not every value can be)"


class RowFilter:
    """Keeps the rows for which an expression is true; NULL counts as false, as in SQL.

    `kinds` gives the type of every column path that the expression names. A text column that the expression uses as a
    number or as true/false is read as one, and is NULL where it is neither.
    """

    def __init__(self, expression: Expression, kinds: Mapping[str, str], place: str) -> None:
        self._paths = expression.columns
        self._place = place
        self._schema = pa.schema([(f"c{index}", _TYPES[kinds[path]]) for index, path in enumerate(self._paths)])
        self._kinds = [kinds[path] for path in self._paths]
        names = {path: typed(expression, path, f"c{index}", kinds) for index, path in enumerate(self._paths)}
        self._sql = f"SELECT coalesce(CAST(({guard.rename(expression, names)}) AS BOOLEAN), false) AS keep FROM batch"
        self._con = engine.connect(threads=1)
        engine.lock(self._con)

    def keep(self, rows: Sequence[Mapping[str, Any]]) -> list[bool]:
        """Whether each row is kept. Raises `InputError` where the SQL does not fit the values."""
        columns = [
            pa.array([_value(found(row, path), kind) for row in rows], field.type)
            for path, kind, field in zip(self._paths, self._kinds, self._schema, strict=True)
        ]
        columns.append(pa.array(range(len(rows))))
        self._con.register("batch", pa.table(columns, names=[*self._schema.names, "n"]))
        try:
            return [bool(keep) for (keep,) in self._con.execute(self._sql).fetchall()]
        except duckdb.Error as error:
            raise unfit(error, self._place) from error


def unfit(error: duckdb.Error, place: str) -> InputError:
    """The SQL of a `where` does not fit the values it met."""
    what = str(error).partition("\n")[0].partition(": ")[2] or str(error)
    return InputError(f"the SQL does not fit the rows: {what}", where=place, remedy=_REMEDY)


def found(row: Mapping[str, Any], path: str) -> Any:
    """The value of a column, or along a dotted path inside one."""
    if path in row:
        return row[path]
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def kinds_of(values: Iterable[Any]) -> set[str]:
    """The types that occur among values; nothing and an empty list are of any type."""
    return {_kind(value) for value in values if value is not None and value != []}


def common_kind(kinds: set[str]) -> str:
    """The one type under which values of these can be compared; ``text`` where they have nothing else in common."""
    if kinds and kinds <= {"integer", "number"}:
        return "number" if "number" in kinds else "integer"
    return next(iter(kinds)) if len(kinds) == 1 else "text"


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer" if value in _INT64 else "number"
    if isinstance(value, float):
        return "number"
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "texts"
    if isinstance(value, list) and all(isinstance(item, (int, float)) and item is not True for item in value):
        return "numbers"
    return "text"


def _value(value: Any, kind: str) -> Any:
    if value is None or kind in ("integer", "texts", "numbers"):
        return value
    if kind == "number":
        return float(value)
    if kind == "boolean":
        return value if isinstance(value, bool) else value.lower() == "true"
    return value if isinstance(value, str) else canonical(value).decode()


def typed(expression: Expression, path: str, name: str, kinds: Mapping[str, str]) -> str:
    """The SQL of a column that is called `name`, as the expression uses it."""
    if kinds[path] == "text" and path in expression.numeric:
        return f"TRY_CAST({name} AS DOUBLE)"
    if kinds[path] == "text" and path in expression.boolean:
        return f"TRY_CAST({name} AS BOOLEAN)"
    return name


def kept(rows: Iterable[tuple[int, Any]], keep: RowFilter) -> Iterator[tuple[int, Any]]:
    """The rows that a filter keeps, and whatever could not be read, in their order."""
    for batch in batches(rows):
        verdicts = iter(keep.keep([row for _, row in batch if isinstance(row, dict)]))
        for line, row in batch:
            if not isinstance(row, dict) or next(verdicts):
                yield line, row


def batches(rows: Iterable[tuple[int, Any]]) -> Iterator[list[tuple[int, Any]]]:
    """Rows in lists of up to `BATCH`."""
    source = iter(rows)
    while batch := list(islice(source, BATCH)):
        yield batch
