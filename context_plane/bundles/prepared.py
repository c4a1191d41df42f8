"""Statements that are planned once and run over many Arrow tables.

Planning a spec's SQL takes DuckDB several milliseconds, running it over one entity's events less than one. So each
statement is prepared over a source whose content is exchanged between runs; nothing else about it may change, neither
its columns nor a parameter (a parameter makes DuckDB plan again).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import duckdb

from context_plane.errors import Corrupt, Infeasible
from context_plane.sql.engine import identifier

if TYPE_CHECKING:
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
    """One statement over one source, named `source` in its SQL, on a connection. `where` names its spec in errors."""

    def __init__(self, con: duckdb.DuckDBPyConnection, source: str, schema: pa.Schema, sql: str, where: str) -> None:
        self._con = con
        self._source = _Source(schema)
        self._where = where
        self._call = f"EXECUTE {identifier(f'over_{source}')}"
        con.register(source, self._source)
        con.execute(f"PREPARE {identifier(f'over_{source}')} AS {sql}")

    def rows(self, content: Stream) -> list[tuple[Any, ...]]:
        """The result over `content`, which has the source's columns, as Python values.

        Raises `Infeasible` where memory does not suffice, `Corrupt` where the content cannot be read.
        """
        with self._over(content):
            return self._con.execute(self._call).fetchall()

    def table(self, content: Stream) -> pa.Table:
        """The result over `content` as Arrow; raises like `rows`."""
        with self._over(content):
            return self._con.sql(self._call).to_arrow_table()

    @contextmanager
    def _over(self, content: Stream) -> Iterator[None]:
        self._source.content = content
        try:
            yield
        except (duckdb.OutOfMemoryException, MemoryError) as error:
            raise Infeasible("the events do not fit into memory", where=self._where, remedy="load fewer") from error
        except (duckdb.Error, OSError, ValueError, KeyError) as error:
            what = f"the timeline cannot be read: {error}"
            raise Corrupt(what, where=self._where, remedy="materialize it again") from error
        finally:
            self._source.content = None
