"""Parquet files as rows of JSON values, read by DuckDB.

Here belongs what each Parquet type becomes: dates and times ISO 8601 text (with ``Z`` where the type has a zone),
decimals numbers, NaN no value, bytes base64, lists and structs the JSON they are. A NULL is no value.
"""

from __future__ import annotations

import glob
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import duckdb

from context_plane.errors import InputError
from context_plane.log import strict
from context_plane.log.compressed import plain
from context_plane.log.readers import Bad, open_chunks
from context_plane.log.row_filter import typed, unfit
from context_plane.sql import engine, guard

if TYPE_CHECKING:
    from context_plane.sql.guard import Expression

_BATCH: Final = 8_192
_MAGIC: Final = b"PAR1"
_NESTED: Final = ("STRUCT", "MAP", "UNION", "JSON", "VARIANT")
_PLAIN: Final = frozenset("BOOLEAN TINYINT SMALLINT INTEGER BIGINT UTINYINT USMALLINT UINTEGER UBIGINT VARCHAR".split())
_ISO: Final = "strftime({0}, '%Y-%m-%dT%H:%M:%S.%f')"
_AS_JSON: Final = {
    "DOUBLE": "CASE WHEN NOT isnan({0}) THEN {0} END",
    # Through text, so that 0.1 stays 0.1 and does not become 0.10000000149011612.
    "FLOAT": "CASE WHEN NOT isnan({0}) THEN CAST(CAST({0} AS VARCHAR) AS DOUBLE) END",
    "TIMESTAMP": _ISO,
    "TIMESTAMP_S": _ISO,
    "TIMESTAMP_MS": _ISO,
    "TIMESTAMP_NS": "strftime(CAST({0} AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%f')",
    "TIMESTAMP WITH TIME ZONE": "strftime({0}, '%Y-%m-%dT%H:%M:%S.%fZ')",
    "BLOB": "to_base64({0})",
}


class ParquetRows:
    """The rows of a Parquet file, filtered by a `where` if there is one. A row's line is its number, from 1."""

    def __init__(self, path: str, where: Expression | None, place: str) -> None:
        self._path = path
        self._place = place
        with self._open() as (con, table):
            described = con.execute(f"DESCRIBE SELECT * EXCLUDE (file_row_number) FROM {table}").fetchall()
        self._types = {str(name): str(kind) for name, kind, *_ in described}
        self.columns = tuple(self._types)
        self._nested = {name for name, kind in self._types.items() if kind.endswith("]") or kind.startswith(_NESTED)}
        self._where = where

    def read(self) -> Iterator[tuple[int, dict[str, Any] | Bad]]:
        """``(row number, row)``. Raises `InputError` where the file is damaged or the SQL does not fit it."""
        columns = ", ".join(_json_sql(name, kind) for name, kind in self._types.items())
        condition = ""
        if self._where is not None:
            kinds = {name: "text" if kind == "VARCHAR" else "" for name, kind in self._types.items()}
            names = {name: typed(self._where, name, engine.identifier(name), kinds) for name in self.columns}
            condition = f" WHERE {guard.rename(self._where, names)}"
        with self._open() as (con, table):
            try:
                found = con.execute(f"SELECT file_row_number + 1, {columns} FROM {table}{condition}")
                while batch := found.fetchmany(_BATCH):
                    for number, *values in batch:
                        yield number, self._row(number, values)
            except duckdb.Error as error:
                raise unfit(error, self._place) if condition else self._damaged(error) from error

    def _row(self, number: int, values: list[Any]) -> dict[str, Any] | Bad:
        row = {name: value for name, value in zip(self.columns, values, strict=True) if value is not None}
        try:
            for name in self._nested & row.keys():
                row[name] = strict.loads(row[name])
        except strict.NotJSON as error:
            return Bad(number, f"column {name}: {error}", str(row[name])[:1_000])
        return row

    @contextmanager
    def _open(self) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
        """A connection that can read nothing but the folder of this file, and the file as a table."""
        with self._uncompressed() as path:
            con = engine.connect(threads=1, folders=[os.path.dirname(path)])
            engine.lock(con)
            # A file's name is not a pattern.
            name = engine.literal(glob.escape(path))
            try:
                yield con, f"read_parquet({name}, file_row_number = true, hive_partitioning = false)"
            except (duckdb.IOException, duckdb.InvalidInputException) as error:
                raise self._damaged(error) from error
            finally:
                con.close()

    @contextmanager
    def _uncompressed(self) -> Iterator[str]:
        """The path of the Parquet file itself: where it was compressed as a whole, that of a temporary copy."""
        where, chunks = open_chunks(self._path)
        stream = plain(chunks, where)
        first = next(stream, b"")
        with open(self._path, "rb") as file:
            if file.read(4) == _MAGIC:
                yield os.path.realpath(self._path)
                return
        if not first.startswith(_MAGIC):
            raise InputError("not a Parquet file", where=where, remedy="correct format: in the mapping, or the file")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(os.path.realpath(folder), "rows.parquet")
            with open(path, "wb") as copy:
                copy.write(first)
                for chunk in stream:
                    copy.write(chunk)
            yield path

    def _damaged(self, error: duckdb.Error) -> InputError:
        what = str(error).partition("\n")[0]
        return InputError(f"the Parquet file cannot be read: {what}", where=self._path, remedy="write it again")


def _json_sql(name: str, kind: str) -> str:
    """SQL of a column as a JSON value."""
    column = engine.identifier(name)
    if kind in _PLAIN:
        return column
    if kind.startswith(_NESTED) or kind.endswith("]"):
        return f"CAST(to_json({column}) AS VARCHAR)"
    if kind.startswith("DECIMAL"):
        return f"CAST({column} AS DOUBLE)"
    return _AS_JSON.get(kind, "CAST({0} AS VARCHAR)").format(column)
