"""Leases: who has an execution, and when it may be taken from him."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from context_plane.errors import Conflict, Infeasible
from context_plane.store.state.database import Database
from context_plane.store.state.leases import Leases
from context_plane.store.state.workers import Worker


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    made = Database(url)
    yield made
    made.close()


def test_a_lease_that_could_not_be_given_back_is_taken_anew(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the worker whose it was: it knows that nobody uses it. For others he lives, and they wait."""
    mine, others = (Leases(database, Worker(None), 30) for _ in range(2))
    token = mine.take("acme", "acme.1")
    with monkeypatch.context() as full:
        full.setattr(Database, "write", _no_room)
        with pytest.raises(Infeasible):
            mine.give_back("acme", "acme.1", token)
    assert mine.orphaned("acme", "acme.1")
    assert not others.orphaned("acme", "acme.1")
    assert mine.take("acme", "acme.1") == token + 1
    with pytest.raises(Conflict, match="another worker"):
        mine.take("acme", "acme.1")


def test_a_lease_that_could_not_be_taken_is_nobodys(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not kept for one who got an error instead of a token."""
    mine = Leases(database, Worker(None), 30)
    with monkeypatch.context() as lost:
        lost.setattr(Database, "write", _answer_lost)
        with pytest.raises(ConnectionError):
            mine.take("acme", "acme.1")
    assert mine.take("acme", "acme.1") == 2


def test_workers_with_other_lease_seconds_leave_each_others_leases(database: Database) -> None:
    """How long a lease was given for is what its worker says, not what the one who wants it would give."""
    long, short = Leases(database, Worker(None), 300), Leases(database, Worker(None), 30)
    long.take("acme", "acme.1")
    with pytest.raises(Conflict, match="another worker"):
        short.take("acme", "acme.1")


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_clock_that_was_set_back_does_not_keep_a_lease(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (Leases(database, Worker(None), 30) for _ in range(2))
    first.take("acme", "acme.1")
    monkeypatch.setattr("time.time", lambda: 1_000_000.0)
    assert second.take("acme", "acme.1") == 2


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_files_of_workers_that_are_gone_are_removed(database: Database, tmp_path: Path) -> None:
    """Who comes removes what others left, but for those who still have a lease: that they are gone is seen by it."""
    folder = tmp_path / "workers"
    holder, idle = "a" * 32, "b" * 32
    dead = Leases(database, Worker(folder), 30)
    dead.take("acme", "acme.1")
    with database.write() as connection:
        connection.exec_driver_sql(f"UPDATE leases SET worker = '{holder}'")
    for each in (holder, idle):
        (folder / f"{each}.lock").touch()
    alive = dead.worker.id
    comes = Leases(database, Worker(folder), 30)
    comes.take("acme", "acme.2")
    assert {file.stem for file in folder.iterdir()} == {holder, alive, comes.worker.id}
    assert comes.take("acme", "acme.1") == 2
    assert {file.stem for file in folder.iterdir()} == {alive, comes.worker.id}
    dead.worker.leave()
    comes.worker.leave()


def _no_room(self: Database) -> contextlib.AbstractContextManager[None]:
    raise Infeasible("the disk is full")


@contextlib.contextmanager
def _answer_lost(self: Database) -> Iterator[object]:
    """The transaction is durable, and who made it is not told."""
    with self._transaction("BEGIN IMMEDIATE") as connection:
        yield connection
        connection.commit()
    raise ConnectionError("lost")
