"""The database of the operational state: SQLite in WAL mode by default, any other by its SQLAlchemy URL.

Here belong opening, transactions, and the translation of what the driver raises. A transaction is durable when it
returns. Nothing else of the plane speaks SQL to it than `journal` and `leases`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from context_plane.errors import Conflict, Corrupt, Infeasible, InputError, Unavailable
from context_plane.store.state.tables import VERSION, metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.exc import SQLAlchemyError

_BUSY: Final = 30_000
"""Milliseconds that a writer waits for another."""


class Database:
    """One operational state. Safe for threads and for processes; opened by the first transaction."""

    def __init__(self, url: str) -> None:
        """Raises nothing: the URL is looked at when the database is opened."""
        self.url = url
        self._engine: Engine | None = None
        self._lock = threading.Lock()

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database; `None` for a server's, and for one in memory."""
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError

        try:
            parts = make_url(self.url)
        except (ArgumentError, ValueError) as error:
            raise _no_url(error) from error
        if parts.get_backend_name() != "sqlite" or not parts.database or parts.database == ":memory:":
            return None
        return Path(parts.database)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes: all of it is durable when the block ends, or nothing of it happened.

        Raises `Unavailable` where the database does not answer, `Infeasible` where there is no room, `Conflict` where
        a row is there already, `Corrupt` for a damaged file.
        """
        with self._translated(), self._opened().connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that reads: what it sees is of one moment."""
        with self._translated(), self._opened().connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN")
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

    def _opened(self) -> Engine:
        with self._lock:
            if self._engine is None:
                self._engine = self._open()
            return self._engine

    def _open(self) -> Engine:
        from sqlalchemy import create_engine
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError
        from sqlalchemy.pool import StaticPool

        try:
            file = self.file
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
            memory = {"poolclass": StaticPool} if file is None and self.url.startswith("sqlite") else {}
            engine = create_engine(self.url, **memory)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise _no_url(error) from error
        except OSError as error:
            what = f"the folder of the state cannot be made: {error.strerror}"
            raise Unavailable(what, where=shown(self.url), remedy="check the path and its permissions") from error
        _prepare(engine)
        return engine

    @contextmanager
    def _translated(self) -> Iterator[None]:
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except SQLAlchemyError as error:
            raise _translate(error, self.url) from error


def _no_url(error: Exception) -> InputError:
    remedy = (
        "give a SQLAlchemy URL such as sqlite:///state.db or postgresql+psycopg2://host/name, and install its driver"
    )
    return InputError(f"the state's URL does not work: {error}", where="CONTEXT_PLANE_STATE", remedy=remedy)


def shown(url: str) -> str:
    """A URL as it may be printed: without its password, and without what cannot be told from one."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return f"{url.partition(':')[0]}:…"


def _prepare(engine: Engine) -> None:
    """Makes what is missing. Two processes may do so at once."""
    from sqlalchemy import event, select, text
    from sqlalchemy.schema import CreateIndex, CreateTable

    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _pragmas)
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS state_version (version INTEGER PRIMARY KEY)")
        held = [row[0] for row in connection.execute(text("SELECT version FROM state_version"))]
        if held and held != [VERSION]:
            what = f"the state has tables of version {held[0]}, this release reads {VERSION}"
            raise Conflict(what, where=shown(str(engine.url)), remedy="use the release that wrote it, or another state")
        for table in metadata().sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
            for index in table.indexes:
                connection.execute(CreateIndex(index, if_not_exists=True))
        if not held and not connection.execute(select(text("1")).select_from(text("state_version"))).first():
            connection.execute(text(f"INSERT INTO state_version VALUES ({VERSION})"))
        connection.commit()


def _pragmas(connection: Any, _: Any) -> None:
    """WAL, so that readers do not wait; FULL, so that a commit is on disk when it returns. Transactions are begun by
    `write` itself: Python's driver would begin them too late, and two writers would deadlock when they upgrade."""
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout={_BUSY}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def _translate(error: SQLAlchemyError, url: str) -> Exception:
    from sqlalchemy.exc import DatabaseError, IntegrityError

    where = shown(url)
    text = str(getattr(error, "orig", None) or error).strip()
    if isinstance(error, IntegrityError):
        return Conflict(f"another wrote the same row: {text}", where=where, remedy="read it again")
    if "full" in text:
        return Infeasible(f"the state cannot be written: {text}", where=where, remedy="free space, then resume the run")
    if isinstance(error, DatabaseError) and ("malformed" in text or "not a database" in text):
        remedy = "move the file away: what was sealed is in the log, and executions go on from there"
        return Corrupt(f"the state is damaged: {text}", where=where, remedy=remedy)
    return Unavailable(f"the state does not answer: {text}", where=where, remedy="check the database; then try again")
