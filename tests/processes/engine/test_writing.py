"""Writing: a record is added by the execution's worker alone, and follows those that are there."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from context_plane.errors import Conflict
from context_plane.processes.engine import journal
from context_plane.processes.engine.engine import Engine
from context_plane.processes.engine.records import Record
from context_plane.store.state.leases import Leases
from context_plane.store.state.workers import Worker
from tests.processes.engine.harness import Harness, process, step


@pytest.mark.parametrize("house", ["postgresql"], indirect=True)
def test_a_lease_cannot_be_taken_while_its_worker_writes(house: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though its time is over: who takes it waits for what is being written, and reads it."""
    id = house.accept(process(step("a")))
    first, second = (Leases(house.database, Worker(None), seconds) for seconds in (0, 30))
    token = first.take("acme", id)
    head = house.engine.head(id)
    written, go_on, taken = threading.Event(), threading.Event(), threading.Event()

    def reach(point: str) -> None:
        if point == "execution.record-written":
            written.set()
            assert go_on.wait(10)

    def take() -> None:
        second.take("acme", id)
        assert len(house.engine.journal.records("acme", id)) == 2
        taken.set()

    monkeypatch.setattr(journal, "reach", reach)
    writer = threading.Thread(
        target=house.engine.journal.append, args=(head, token, [Record(1, "began", 1)], "running")
    )
    writer.start()
    assert written.wait(10)
    taker = threading.Thread(target=take)
    taker.start()
    assert not taken.wait(0.3)
    go_on.set()
    writer.join()
    taker.join()
    assert taken.is_set()
    with pytest.raises(Conflict, match="taken over"):
        house.engine.journal.append(head, token, [Record(2, "began", 2)], "running")


@pytest.mark.parametrize("seq", [0, 2])
def test_a_record_follows_those_that_are_there(house: Harness, seq: int) -> None:
    """One that leaves a gap, or that is there already, would make the execution unreadable."""
    house.action("a", lambda call: 1)
    id = house.accept(process(step("a")))
    session = house.engine.open(id)
    with pytest.raises(Conflict, match=f"record {seq} .* cannot follow record 0"):
        house.engine.journal.append(house.engine.head(id), session._token, [Record(seq, "began", 1)], "running")
    house.engine.finish(session)
    assert house.engine.run(id).status == "succeeded"


@pytest.mark.parametrize("house", ["sqlite"], indirect=True)
def test_threads_run_their_first_executions_at_once(house: Harness, tmp_path: Path) -> None:
    """The worker enters with the first of them."""
    house.action("a", lambda call: 1)
    for turn in range(10):
        house.folder = tmp_path / str(turn)
        engine = house.another()
        together = threading.Barrier(4)
        ids = [house.accept(process(step("a"))) for _ in range(4)]

        def run(id: str, on: Engine = engine, together: threading.Barrier = together) -> str:
            together.wait()
            return on.run(id).status

        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(run, ids)) == ["succeeded"] * 4
        engine.close()
