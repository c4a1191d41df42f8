"""The database of the operational state: SQLite in WAL mode by default, PostgreSQL by its SQLAlchemy URL.

Here belong opening and transactions. A transaction is durable when it returns. Nothing else of the plane speaks SQL to
it than the engine's journal and `leases`.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from context_plane.errors import Unavailable
from context_plane.store.state import forks
from context_plane.store.state.failures import PRIMARY, no_url, shown, translate
from context_plane.store.state.migrations import prepare

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Table
    from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
    from sqlalchemy.dialects.sqlite import Insert as SqliteInsert

_BUSY: Final = 30_000
"""Milliseconds that a writer waits for another."""
_AGAIN: Final = 0.01
"""Seconds before what cannot be waited for is tried again."""
_KINDS: Final = ("sqlite", "postgresql")


class Database:
    """One operational state. Safe for threads and for processes; opened by the first transaction."""

    def __init__(self, url: str) -> None:
        """Raises nothing: the URL is looked at when the database is opened."""
        self.url = url
        self._engine: Engine | None = None
        self._lock = threading.Lock()
        self._turn: AbstractContextManager[Any] = nullcontext()
        """Held by a transaction in memory: there is one connection, which takes one transaction at a time."""
        self._parents: Engine | None = None
        forks.let_go(self)

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database; `None` for a server's, and for one in memory."""
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError

        try:
            parts = make_url(self.url)
        except (ArgumentError, ValueError) as error:
            raise no_url(error) from error
        if parts.get_backend_name() != "sqlite" or not parts.database or parts.database == ":memory:":
            return None
        return Path(parts.database)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes: all of it is durable when the block ends, or nothing of it happened.

        Raises `Unavailable` where the database does not answer, `Infeasible` where there is no room, `Conflict` where
        a row is there already, `Corrupt` for a damaged file.
        """
        with self._transaction("BEGIN IMMEDIATE") as connection:
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that reads: what it sees is of one moment."""
        with self._transaction("BEGIN") as connection:
            yield connection

    def close(self) -> None:
        """Closes all connections. The database may be used again afterwards."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    def exists(self) -> bool:
        """Whether there is a database to read: a file that nobody made yet is not made by looking at it."""
        file = self.file
        return file is None or file.exists()

    def forked(self) -> None:
        """A child opens connections of its own. Its parent's are kept, unused: to collect them would close them."""
        self._parents, self._engine, self._lock = self._engine, None, threading.Lock()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        from sqlalchemy.exc import SQLAlchemyError

        try:
            engine = self._opened()
            with self._turn, engine.connect() as connection:
                if connection.dialect.name == "sqlite":
                    connection.exec_driver_sql(begin)
                yield connection
        except SQLAlchemyError as error:
            raise translate(error, self.url) from error

    def _opened(self) -> Engine:
        with self._lock:
            if self._engine is None:
                self._engine = self._open()
            return self._engine

    def _open(self) -> Engine:
        from sqlalchemy import create_engine, event
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError
        from sqlalchemy.pool import StaticPool

        how: dict[str, Any] = {}
        try:
            file = self.file
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
            elif self.url.startswith("sqlite"):
                how = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
                self._turn = threading.RLock()
            else:
                # A server that was started again has closed what the pool holds.
                how = {"pool_pre_ping": True}
            engine = create_engine(self.url, **how)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise no_url(error) from error
        except OSError as error:
            what = f"the folder of the state cannot be made: {error.strerror}"
            raise Unavailable(what, where=shown(self.url), remedy="check the path and its permissions") from error
        if engine.dialect.name not in _KINDS:
            raise no_url(f"there are states in {' and '.join(_KINDS)}, not in {engine.dialect.name}")
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _pragmas)
        try:
            prepare(engine, shown(self.url))
        except BaseException:
            engine.dispose()
            raise
        return engine


def insert_absent(connection: Connection, table: Table) -> PostgresInsert | SqliteInsert:
    """An insert that adds nothing where a row with one of its keys is there: its `rowcount` says which."""
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert as of_sqlite

        return of_sqlite(table).on_conflict_do_nothing()
    from sqlalchemy.dialects.postgresql import insert

    return insert(table).on_conflict_do_nothing()


def _pragmas(connection: Any, _: Any) -> None:
    """WAL, so that readers do not wait; FULL, so that a commit is on disk when it returns. Transactions are begun by
    `write` itself: Python's driver would begin them too late, and two writers would deadlock when they upgrade."""
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout={_BUSY}")
    end = time.monotonic() + _BUSY / 1_000
    while not _wal(connection):
        if time.monotonic() > end:
            connection.execute("PRAGMA journal_mode=WAL")  # raises
        time.sleep(_AGAIN)
    connection.execute("PRAGMA synchronous=FULL")


def _wal(connection: sqlite3.Connection) -> bool:
    """Whether the database is in WAL mode now. Where two make a new one so at once, SQLite does not let the second wait
    as it does elsewhere, but tells him at once that it is busy."""
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & PRIMARY != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True
