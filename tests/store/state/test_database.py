"""The database: opening, transactions, and what failures are called."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy.exc import DatabaseError

from context_plane.errors import Conflict, ContextPlaneError, Corrupt, Infeasible, InputError, Unavailable
from context_plane.store.state.database import Database
from context_plane.store.state.failures import translate
from tests.processes.engine.postgres import cut


def test_a_state_in_memory_is_one_for_all_threads() -> None:
    """One transaction after the other, whichever thread it is of."""
    database = Database("sqlite://")
    errors: list[ContextPlaneError] = []

    def write(number: int) -> None:
        try:
            for turn in range(20):
                with database.write() as connection:
                    connection.exec_driver_sql(f"INSERT INTO leases VALUES ('t{number}', '{turn}', '', 1, 0, 0)")
                with database.read() as connection:
                    connection.exec_driver_sql("SELECT * FROM leases").all()
        except ContextPlaneError as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM leases").scalar() == 80
    database.close()


def test_a_server_that_was_started_again_is_found_by_the_next_call(postgres: str) -> None:
    """Connections that it closed are not used once more."""
    database = Database(postgres)
    with database.read():
        pass
    cut(postgres)
    with database.write() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    database.close()


def test_a_kind_of_database_that_nobody_tried_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is promised of a state was only ever seen on SQLite and PostgreSQL."""
    from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

    monkeypatch.setattr(SQLiteDialect_pysqlite, "name", "oddsql")
    with pytest.raises(InputError, match="sqlite and postgresql, not in oddsql"), Database("sqlite://").read():
        pass


class _Sqlite(sqlite3.Error):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code

    @property
    def sqlite_errorcode(self) -> int:  # type: ignore[override]
        return self.code


class _Server(Exception):
    def __init__(self, pgcode: str | None, text: str) -> None:
        super().__init__(text)
        self.pgcode = pgcode


@pytest.mark.parametrize(
    ("orig", "kind"),
    [
        (_Sqlite(sqlite3.SQLITE_FULL, "database or disk is full"), Infeasible),
        (_Sqlite(sqlite3.SQLITE_ERROR, "no such column: fullname"), Unavailable),
        (_Sqlite(sqlite3.SQLITE_BUSY, "database is locked"), Unavailable),
        (_Sqlite(sqlite3.SQLITE_CORRUPT | 1 << 8, "database disk image is malformed"), Corrupt),
        (_Sqlite(sqlite3.SQLITE_NOTADB, "file is not a database"), Corrupt),
        (_Sqlite(sqlite3.SQLITE_CONSTRAINT_UNIQUE, "UNIQUE constraint failed"), Conflict),
        (_Sqlite(sqlite3.SQLITE_CONSTRAINT_NOTNULL, "NOT NULL constraint failed"), Unavailable),
        (_Server("53100", "could not extend file"), Infeasible),
        (_Server("53200", "out of memory"), Infeasible),
        (_Server("53300", "sorry, too many clients already"), Unavailable),
        (_Server("23505", "duplicate key value"), Conflict),
        (_Server("XX001", "invalid page in block 0"), Corrupt),
        (_Server(None, "connection to server failed: fullhost"), Unavailable),
    ],
)
def test_failures_are_told_by_their_codes(orig: Exception, kind: type[Exception]) -> None:
    """Not by words, which a message may have for another reason."""
    assert type(translate(DatabaseError("…", None, orig), "sqlite:///state.db")) is kind


_FORKS = """
import os, sys
from context_plane.store.state.database import Database
database = Database(sys.argv[1])
with database.write() as connection:
    connection.exec_driver_sql("INSERT INTO leases VALUES ('t', 'parent', '', 1, 0, 0)")
child = os.fork()
with database.write() as connection:
    connection.exec_driver_sql(f"INSERT INTO leases VALUES ('t', 'after {child == 0}', '', 1, 0, 0)")
if child == 0:
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_child_has_connections_of_its_own(url: str) -> None:
    """What parent and child say to the database is not mixed up."""
    subprocess.run([sys.executable, "-c", _FORKS, url], check=True, timeout=60, env=dict(os.environ))
    database = Database(url)
    with database.read() as connection:
        found = connection.exec_driver_sql("SELECT execution FROM leases ORDER BY execution").scalars().all()
    assert found == ["after False", "after True", "parent"]
    database.close()


def test_a_new_file_that_another_opens_at_the_same_time_is_waited_for(tmp_path: Path) -> None:
    """SQLite tells the second of two who make a new file that it is busy, and does not let him wait."""
    for turn in range(30):
        together = threading.Barrier(4)

        def opens(url: str = f"sqlite:///{tmp_path}/{turn}/state.db", together: threading.Barrier = together) -> None:
            database = Database(url)
            together.wait()
            with database.read():
                pass
            database.close()

        with ThreadPoolExecutor(4) as threads:
            for each in [threads.submit(opens) for _ in range(4)]:
                each.result()
