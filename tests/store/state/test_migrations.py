"""Tables: made by whoever comes first, and those of the release before brought here with all that is in them."""

from __future__ import annotations

import multiprocessing
from typing import Any

import pytest
from sqlalchemy import create_engine

from context_plane.errors import Conflict, ContextPlaneError
from context_plane.processes.engine.journal import Head, Journal
from context_plane.processes.engine.records import Record
from context_plane.store.state.database import Database
from context_plane.store.state.leases import Leases
from context_plane.store.state.tables import VERSION, metadata
from context_plane.store.state.workers import Worker

_VERSION_1 = """
CREATE TABLE state_version (version INTEGER PRIMARY KEY);
CREATE TABLE executions (
    tenant VARCHAR(64) NOT NULL, id VARCHAR(64) NOT NULL, process VARCHAR(128) NOT NULL, version INTEGER NOT NULL,
    digest VARCHAR(80) NOT NULL, entity TEXT NOT NULL, status VARCHAR(16) NOT NULL, created BIGINT NOT NULL,
    updated BIGINT NOT NULL, wanted VARCHAR(16) NOT NULL, PRIMARY KEY (tenant, id));
CREATE INDEX executions_status ON executions (status, tenant);
CREATE TABLE records (
    tenant VARCHAR(64) NOT NULL, execution VARCHAR(64) NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL,
    sealed INTEGER NOT NULL, PRIMARY KEY (tenant, execution, seq));
CREATE INDEX records_unsealed ON records (tenant) WHERE sealed = 0;
CREATE TABLE leases (
    tenant VARCHAR(64) NOT NULL, execution VARCHAR(64) NOT NULL, worker VARCHAR(64) NOT NULL, token INTEGER NOT NULL,
    "until" FLOAT NOT NULL, PRIMARY KEY (tenant, execution));
INSERT INTO state_version VALUES (1)
"""
"""The DDL of version 1, as it was."""
_CAUSE, _OTHER = "0123456789abcdef", "f" * 16
_FIRST, _SECOND = f"acme.{_CAUSE}00000002", f"acme.{_CAUSE}00000001"
_RECORD = '{"at":5,"body":{},"kind":"accepted"}'


def _old(url: str) -> None:
    """A state of version 1 with two executions of one cause, which was possible, and a lease that somebody has."""
    file = Database(url).file
    if file is not None:
        file.parent.mkdir()
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in _VERSION_1.split(";"):
            connection.exec_driver_sql(statement)
        for id, created in ((_SECOND, 20), (_FIRST, 10), (f"acme.{_OTHER}00000000", 30)):
            connection.exec_driver_sql(
                f"INSERT INTO executions VALUES ('acme', '{id}', 'fix', 1, 'd', 'a/b', 'running', {created}, 40, '')"
            )
            connection.exec_driver_sql(f"INSERT INTO records VALUES ('acme', '{id}', 0, '{_RECORD}', 0)")
        connection.exec_driver_sql(f"INSERT INTO leases VALUES ('acme', '{_FIRST}', '{'a' * 32}', 7, 9000000000.0)")
    engine.dispose()


def test_a_state_of_version_1_is_read_on(url: str) -> None:
    """Nothing is lost; of two executions of one cause the first is the cause's, and the other stays what it is."""
    _old(url)
    database = Database(url)
    journal = Journal(database)
    assert [head.id for head in journal.heads("acme")] == [f"acme.{_OTHER}00000000", _SECOND, _FIRST]
    assert [journal.records("acme", id) for id in (_FIRST, _SECOND)] == [[Record(0, "accepted", 5)]] * 2
    assert journal.waiting() == 3
    found = journal.like("acme", f"acme.{_CAUSE}")
    assert found is not None
    assert found.id == _FIRST
    again = Head("acme", f"acme.{_CAUSE}00000009", "fix", 9, "d", "a/b", "accepted", 50, 50)
    assert journal.create(again, [Record(0, "accepted", 50)]) == (found, False)
    assert journal.head("acme", _SECOND) is not None
    leases = Leases(database, Worker(None), 30)
    with pytest.raises(Conflict, match="another worker"):
        leases.take("acme", _FIRST)
    with pytest.raises(Conflict, match="taken over"):
        journal.append(found, 6, [Record(1, "step", 6)], "running")
    assert journal.append(found, 7, [Record(1, "step", 6)], "running") == ""
    database.close()


def test_a_migrated_state_has_the_tables_of_a_new_one(url: str) -> None:
    """Also the lengths of ids, where the database counts them."""
    from sqlalchemy import inspect

    _old(url)
    Database(url)._open().dispose()
    engine = create_engine(url)
    found = inspect(engine)
    for table in metadata().sorted_tables:
        columns = {each["name"]: each for each in found.get_columns(table.name)}
        assert set(columns) == {column.name for column in table.columns}
        assert {each["name"] for each in found.get_indexes(table.name)} == {index.name for index in table.indexes}
        for column in table.columns:
            assert columns[column.name]["nullable"] == column.nullable
            if url.startswith("postgresql"):
                length = getattr(column.type, "length", None)
                assert getattr(columns[column.name]["type"], "length", None) == length
    engine.dispose()


def test_tables_of_a_newer_release_are_refused(url: str) -> None:
    database = Database(url)
    with database.write() as connection:
        connection.exec_driver_sql(f"UPDATE state_version SET version = {VERSION + 1}")
    database.close()
    with pytest.raises(Conflict, match="use the release that wrote it"), database.read():
        pass


@pytest.mark.parametrize("old", [False, True], ids=["new", "version 1"])
def test_processes_open_a_state_at_once(url: str, old: bool) -> None:
    """All of them find it ready, and what each wrote is there."""
    if old:
        _old(url)
    spawn = multiprocessing.get_context("spawn")
    answers, together = spawn.Queue(), spawn.Barrier(4)
    processes = [spawn.Process(target=_opens, args=(url, n, together, answers)) for n in range(4)]
    for process in processes:
        process.start()
    found = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert found == ["added"] * 4
    database = Database(url)
    assert len(Journal(database).heads("new")) == 4
    database.close()


def _opens(url: str, number: int, together: Any, answers: Any) -> None:
    head = Head("new", f"new.{number:016}00000000", "fix", 1, "d", "a/b", "accepted", 1, 1)
    warm = create_engine(url if url.startswith("postgresql") else "sqlite://")
    with Database("sqlite://").read(), warm.connect():  # so that nothing is imported while the others are at it
        pass
    warm.dispose()
    together.wait()
    try:
        _, new = Journal(Database(url)).create(head, [Record(0, "accepted", 1)])
        answers.put("added" if new else "was there")
    except ContextPlaneError as error:
        answers.put(repr(error))
