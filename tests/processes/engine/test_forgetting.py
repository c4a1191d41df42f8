"""Forgetting: the state stays small, and nobody notices but by its size."""

from __future__ import annotations

import pytest
from sqlalchemy.dialects import sqlite

from context_plane.errors import NotFound
from context_plane.processes.engine.forgetting import _droppable
from context_plane.processes.engine.state import Execution
from context_plane.processes.registry.handler import StepFailure
from tests.processes.engine.harness import Harness, process, step

_WEEK = 7 * 86_400_000_000


def _failed(house: Harness) -> Execution:
    """An execution that is over, sealed, and may be resumed."""

    def fails(call: object) -> None:
        raise StepFailure("no", retryable=False)

    house.action("a", lambda call: 1)
    house.action("b", fails)
    done = house.run(process(step("a"), step("b")))
    assert done.status == "failed"
    _seal(house)
    return done


def _seal(house: Harness) -> None:
    """Seals, and ends the thread that would do so a while later."""
    house.engine.seal()
    house.engine._sealer.close()


def _here(house: Harness, *ids: str) -> int:
    """How many records of executions are in the state."""
    return sum(len(house.engine.journal.records("acme", id)) for id in ids)


def test_records_of_an_execution_that_is_over_for_a_week_are_in_the_log_alone(house: Harness) -> None:
    """It is listed, shown and found by its cause as before."""
    done = _failed(house)
    head = house.engine.head(done.id)
    assert house.engine.journal.forgetting.look(house.clock()) == 0
    assert _here(house, done.id) > 0
    house.clock.now += _WEEK + 3_600_000_000
    house.engine.seal()
    assert _here(house, done.id) == 0
    assert head in house.engine.heads("acme", None, None, None)
    assert house.engine.execution(done.id) == done
    assert house.engine.records(done.id) == house.log.records("acme", done.id)


def test_what_was_dropped_can_be_gone_on_with(house: Harness) -> None:
    """Its records come back out of the log, and new ones follow them."""
    done = _failed(house)
    house.clock.now += _WEEK + 3_600_000_000
    house.engine.seal()
    house.action("b", lambda call: 2)
    house.engine.resume(done.id)
    again = house.engine.run(done.id)
    assert (again.status, again.outputs) == ("succeeded", {"a": 1, "b": 2})
    _seal(house)
    assert [record.seq for record in house.log.records("acme", done.id)] == list(range(again.seq))
    assert _here(house, done.id) == again.seq
    house.clock.now += _WEEK + 3_600_000_000
    house.engine.seal()
    assert _here(house, done.id) == 0


def test_what_somebody_still_needs_is_kept(house: Harness) -> None:
    """What is not over, not in the log, put aside, or open in somebody's hands."""
    house.action("a", lambda call: 1)
    waits = house.run(process(step("a", breakpoint=True)))
    unsealed, aside, held = (house.run(process(step("a"))) for _ in range(3))
    _seal(house)
    with house.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE records SET sealed = 0 WHERE execution = '{unsealed.id}' AND seq = 1")
        connection.exec_driver_sql(f"UPDATE records SET sealed = 2 WHERE execution = '{aside.id}' AND seq = 1")
    session = house.engine.open(held.id)
    house.clock.now += _WEEK + 3_600_000_000
    ids = [each.id for each in (waits, unsealed, aside, held)]
    before = _here(house, *ids)
    assert house.engine.journal.forgetting.look(house.clock()) == 0
    assert _here(house, *ids) == before
    house.engine.finish(session)
    assert house.engine.journal.forgetting.look(house.clock()) == 0, "there was little to do: it looks again in an hour"
    house.clock.now += 3_600_000_000
    assert house.engine.journal.forgetting.look(house.clock()) == 1
    assert house.engine.journal.records("acme", held.id) == []
    assert all(house.engine.journal.records("acme", each.id) for each in (waits, unsealed, aside))


def test_many_are_dropped_little_by_little(house: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look is short; where there is more it comes again soon, else after an hour."""
    monkeypatch.setattr("context_plane.processes.engine.forgetting._AT_ONCE", 2)
    for _ in range(3):
        _failed(house)
    house.clock.now += _WEEK + 3_600_000_000
    looked = [house.engine.journal.forgetting.look(house.clock()) for _ in range(3)]
    assert looked == [2, 1, 0]


def test_what_was_erased_cannot_be_gone_on_with(house: Harness) -> None:
    """Neither the state nor the log has what it did."""
    done = _failed(house)
    house.clock.now += _WEEK + 3_600_000_000
    house.engine.seal()
    house.log.events.clear()
    with pytest.raises(NotFound, match="was erased"):
        house.engine.run(done.id)


@pytest.mark.parametrize("house", ["postgresql"], indirect=True)
def test_who_goes_on_waits_for_who_drops(house: Harness) -> None:
    """A lease that is locked, because its execution is about to be gone on with, is left alone."""
    done = _failed(house)
    house.clock.now += _WEEK + 3_600_000_000
    with house.database.write() as connection:
        connection.exec_driver_sql(f"SELECT * FROM leases WHERE execution = '{done.id}' FOR UPDATE")
        assert house.engine.journal.forgetting.look(house.clock()) == 0
    house.clock.now += 3_600_000_000
    assert house.engine.journal.forgetting.look(house.clock()) == 1


@pytest.mark.parametrize("house", ["sqlite"], indirect=True)
def test_a_look_does_not_go_through_what_was_dropped(house: Harness) -> None:
    """Heads stay for good: the index has those alone of which the records are here."""
    query = str(_droppable(house.clock()).compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
    with house.database.read() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}").all()
    assert "executions_whole" in plan[0][3]
