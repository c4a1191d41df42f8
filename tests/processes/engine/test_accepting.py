"""Acceptance: one execution for a cause, whoever accepts it and when; and bringing back those that only the log has."""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from context_plane.errors import Infeasible, NotFound
from context_plane.processes.engine.engine import Engine, Wish
from context_plane.processes.engine.records import Record
from context_plane.store.state.database import Database
from tests.processes.engine.harness import Harness, gate, process, step
from tests.processes.engine.postgres import fresh

EVENT = {"specversion": "1.0", "id": "1", "source": "ci", "type": "ci.run", "subject": "repository/acme"}


def test_a_key_makes_one_execution_whatever_the_version(house: Harness) -> None:
    """As an event does: a schedule's time is run once, though the process got a new version meanwhile."""
    house.action("a", lambda call: 1)
    first = house.accept(process(step("a")), key="k")
    assert house.accept(process(step("a"), version=2), key="k") == first
    assert house.accept(process(step("a"), version=2), key="l") != first
    assert house.accept(process(step("a"), name="other"), key="k") != first


@pytest.mark.parametrize("cause", [{"event": EVENT}, {"key": "k"}], ids=["event", "key"])
def test_workers_of_two_versions_make_one_execution(
    house: Harness, monkeypatch: pytest.MonkeyPatch, cause: dict[str, Any]
) -> None:
    """Both found that there is none yet; the second gets what the first made."""
    house.action("a", lambda call: 1)
    both, made = threading.Barrier(2), Engine._accepted

    def together(self: Engine, wish: Wish, id: str) -> tuple[Record, str]:
        both.wait(10)
        return made(self, wish, id)

    monkeypatch.setattr(Engine, "_accepted", together)
    with ThreadPoolExecutor(2) as threads:
        wishes = [Wish("acme", process(step("a"), version=n), {}, **cause) for n in (1, 2)]
        answers = list(
            threads.map(lambda pair: pair[0].accept(pair[1]), zip([house.engine, house.another()], wishes, strict=True))
        )
    assert answers[0][0] == answers[1][0]
    assert sorted(new for _, new in answers) == [False, True]
    assert len(house.engine.journal.heads("acme")) == 1
    assert [record.seq for record in house.engine.records(answers[0][0].id)] == [0]


def test_what_is_accepted_in_a_new_state_is_there(postgres: str, tmp_path: Path) -> None:
    """By any number of processes at once, of which each finds a database without tables."""
    spawn = multiprocessing.get_context("spawn")
    url = fresh(postgres)
    answers, together = spawn.Queue(), spawn.Barrier(4)
    workers = [spawn.Process(target=_accepts, args=(url, tmp_path, together, answers)) for _ in range(4)]
    for worker in workers:
        worker.start()
    found = [answers.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    database = Database(url)
    house = Harness(tmp_path)
    house.database = database
    assert {head.id for head in house.another().journal.heads("acme")} == set(found)
    database.close()


def _accepts(url: str, folder: Path, together: Any, answers: Any) -> None:
    house = Harness(folder / str(os.getpid()))
    house.accept(process(step("a")))  # so that nothing is imported while the others are at it
    house.database = Database(url)
    house.engine = house.another()
    together.wait()
    try:
        answers.put(house.accept(process(step("a"))))
    except Exception as error:  # noqa: BLE001 - the test shows it
        answers.put(repr(error))


def test_an_acceptance_that_was_not_written_is_an_error(house: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told of an execution that is not there."""
    house.action("a", lambda call: 1)
    house.accept(process(step("a")), key="before")

    def full(self: Database) -> Any:
        raise Infeasible("no room")

    monkeypatch.setattr(Database, "write", full)
    with pytest.raises(Infeasible):
        house.accept(process(step("a")), key="k")


def test_a_tenant_may_have_the_longest_name(house: Harness) -> None:
    """Its executions' ids are the longest there are."""
    house.action("a", lambda call: 1)
    head, new = house.engine.accept(Wish("t" * 63, process(step("a")), {}))
    assert new
    assert house.engine.run(head.id).status == "succeeded"


def test_gates_are_asked_again_after_the_state_was_lost(house: Harness, tmp_path: Path) -> None:
    """A turn's token is none that a turn before had, also of those that only the log knows of."""
    asked: list[int] = []
    house.action("a", lambda call: 1)
    house.gate("open", lambda call: not asked.append(1))  # type: ignore[func-returns-value]
    id = house.accept(process(step("a", gates=(gate("open"),))))
    for _ in range(2):  # turns in which nothing happened, so that there are fewer records than there were turns
        house.engine.finish(house.engine.open(id))
    session = house.engine.open(id)
    session.advance()
    session.flush()
    house.engine.seal()
    assert len(asked) == 1
    lost = house.database
    house.database = Database(f"sqlite:///{tmp_path}/other/state.db")
    other = house.another()
    assert other.run(id).status == "succeeded"
    assert len(asked) == 2
    other.close()
    house.database = lost


def test_a_worker_of_the_state_that_was_lost_cannot_write_to_the_new_one(house: Harness, tmp_path: Path) -> None:
    """Its token is none that is given again, also where no gate has told of it."""
    house.action("a", lambda call: 1)
    id = house.accept(process(step("a")))
    old = house.engine.open(id)
    house.engine.seal()
    lost = house.database
    house.database = Database(f"sqlite:///{tmp_path}/other/state.db")
    other = house.another()
    session = other.open(id)
    assert session._token > old._token
    other.finish(session)
    other.close()
    house.database = lost


def test_an_erased_execution_is_none(house: Harness) -> None:
    """The log knows that it was there, and has nothing of it: lists go on without it."""
    house.action("a", lambda call: 1)
    id = house.accept(process(step("a")), event=EVENT)
    house.engine.run(id)
    house.engine.seal()
    with house.database.write() as connection:
        for table in ("executions", "records", "leases"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    kept = house.log.records
    house.log.records = lambda tenant, id: []  # type: ignore[method-assign]
    engine = house.another()
    assert not engine.known("acme", "fix", EVENT)
    with pytest.raises(NotFound):
        engine.head(id)
    house.log.records = kept  # type: ignore[method-assign]


def test_what_an_execution_did_may_be_erased_while_it_is_listed(house: Harness) -> None:
    """Its head is in the state, its records are nowhere: that is told, and is no damage."""
    house.action("a", lambda call: 1)
    id = house.run(process(step("a"))).id
    with house.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM records")
    house.log.records = lambda tenant, id: []  # type: ignore[method-assign]
    engine = house.another()
    assert [each.id for each in engine.heads("acme", None, None, None)] == [id]
    with pytest.raises(NotFound, match="was erased"):
        engine.execution(id)


def test_two_executions_that_an_older_release_made_for_a_key_both_come_back(house: Harness) -> None:
    """The log has them for good; a call with the key gets one of them."""
    house.action("a", lambda call: 1)
    first = house.accept(process(step("a")), key="k")
    with house.database.write() as connection:
        connection.exec_driver_sql("UPDATE executions SET cause = NULL")
    second = house.accept(process(step("a"), version=2), key="k")
    assert first != second
    house.engine.seal()
    with house.database.write() as connection:
        for table in ("executions", "records", "leases"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    assert [house.engine.head(id).id for id in (first, second)] == [first, second]
    assert house.accept(process(step("a"), version=3), key="k") == first
    for id in (second, first):
        assert house.engine.run(id).status == "succeeded"
