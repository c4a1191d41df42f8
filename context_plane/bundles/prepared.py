"""Statements that are planned once and run over many Arrow tables.

Planning a spec's SQL takes DuckDB several milliseconds, running it over one entity's events less than one. So each
statement is prepared over a source whose content is exchanged between runs; nothing else about it may change, neither
its columns nor a parameter (a parameter makes DuckDB plan again).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from context_plane.sql.engine import identifier

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


class Stream(Protocol):
    """A table or reader of Arrow data."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The data as an Arrow C stream."""


class _Source:
    """What DuckDB scans: whatever lies in `content` at the time."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self.content: Stream | None = None  # only while a statement runs

    def __arrow_c_schema__(self) -> object:
        return self._schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        assert self.content is not None
        return self.content.__arrow_c_stream__(requested_schema)


class Prepared:
    """One statement over one source, named `source` in its SQL, on a connection."""

    def __init__(self, con: duckdb.DuckDBPyConnection, source: str, schema: pa.Schema, sql: str) -> None:
        self._con = con
        self._source = _Source(schema)
        self._call = f"EXECUTE {identifier(f'over_{source}')}"
        con.register(source, self._source)
        con.execute(f"PREPARE {identifier(f'over_{source}')} AS {sql}")

    def rows(self, content: Stream) -> list[tuple[Any, ...]]:
        """The result over `content`, which has the source's columns, as Python values."""
        self._source.content = content
        try:
            return self._con.execute(self._call).fetchall()
        finally:
            self._source.content = None

    def table(self, content: Stream) -> pa.Table:
        """The result over `content` as Arrow."""
        self._source.content = content
        try:
            return self._con.sql(self._call).to_arrow_table()
        finally:
            self._source.content = None
