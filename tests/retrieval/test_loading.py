"""Loading: indexes of new snapshots come in beside the searches, once each, and a failure is told to who asks next."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from context_plane import ContextPlane
from context_plane.errors import Corrupt
from context_plane.instants import SECOND
from context_plane.parts.view import View
from context_plane.retrieval.hot import loading
from context_plane.retrieval.hot.base import Base
from context_plane.retrieval.hot.loading import Loader
from context_plane.retrieval.scoring import kernels
from context_plane.retrieval.searcher import Searcher
from tests.retrieval.oracle import Hashed, Note
from tests.retrieval.test_brute_force import START, event, materialize, plane_of

SECONDS = 30  # Nothing here takes as long: a test that hangs should say where.


@pytest.fixture
def plane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ContextPlane]:
    """A plane in memory with one event materialized and searched once."""
    monkeypatch.setenv(kernels.VARIABLE, "plain")
    monkeypatch.setattr(kernels, "choice", kernels.Choice())
    with plane_of(tmp_path, Hashed()) as plane:
        ingest(plane, "1")
        materialize(plane)
        assert found(plane) == ["1"]
        yield plane


def ingest(plane: ContextPlane, *ids: str) -> None:
    """Turns of one conversation, in the order of their ids."""
    notes = [
        Note(id_, "chat", "customer/a", START + int(id_) * SECOND, words=("alpha", f"w{id_}"), chain="s", reach=(2, 1))
        for id_ in ids
    ]  # fmt: skip
    plane.ingest("acme", [event(note) for note in notes])


def found(plane: ContextPlane) -> list[str]:
    return sorted(hit.event_id for hit in plane.search("acme", "alpha", k=100))


def view_of(plane: ContextPlane) -> View:
    return plane._known("acme").view()


def searcher_of(plane: ContextPlane) -> Searcher:
    return plane._searcher(plane._known("acme"))


def loader_of(plane: ContextPlane) -> Loader:
    return searcher_of(plane)._loader


class Gate:
    """Stands before `Loader._load`: holds it up, counts it, and lets it fail."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Event()
        self.calls = 0
        self.error: Exception | None = None

    def around(self, load: Callable[[Loader, View], Base]) -> Callable[[Loader, View], Base]:
        def gated(loader: Loader, view: View) -> Base:
            self.calls += 1
            self.entered.set()
            assert self.open.wait(SECONDS)
            if self.error is not None:
                raise self.error
            return load(loader, view)

        return gated


@pytest.fixture
def gate(plane: ContextPlane, monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate = Gate()
    monkeypatch.setattr(Loader, "_load", gate.around(Loader._load))
    return gate


def settle(gate: Gate) -> None:
    """Lets loading go on and waits for its thread."""
    gate.open.set()
    for thread in threading.enumerate():
        if thread.name == "load-index":
            thread.join(SECONDS)
            assert not thread.is_alive()


def test_the_old_index_serves_while_a_new_snapshot_is_loaded(plane: ContextPlane, gate: Gate) -> None:
    """With the same answer; then the new one does, which was loaded once, and needs no tail."""
    ingest(plane, "2", "3")
    before = plane.search("acme", "alpha w3")
    materialize(plane)
    for _ in range(3):
        assert plane.search("acme", "alpha w3") == before
    assert gate.entered.wait(SECONDS)
    assert plane.search("acme", "alpha w3") == before
    settle(gate)
    assert plane.search("acme", "alpha w3") == before
    assert gate.calls == 1
    base, joined = searcher_of(plane)._current(view_of(plane))
    assert base.snapshot is plane.snapshot("acme")
    assert (joined.tail, [index.rows for index in joined.base]) == (None, [3])


def test_an_event_is_found_while_the_index_is_loaded(plane: ContextPlane, gate: Gate) -> None:
    """What comes after the snapshot cannot be answered by what serves: the search waits, and finds it."""
    ingest(plane, "2")
    found(plane)
    materialize(plane)
    assert found(plane) == ["1", "2"]
    ingest(plane, "3")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(found, plane)
        settle(gate)
        assert waiting.result(SECONDS) == ["1", "2", "3"]
    assert gate.calls == 1


def test_warming_waits_for_the_new_index(plane: ContextPlane, gate: Gate) -> None:
    """So that no search after it has anything to load."""
    ingest(plane, "2")
    found(plane)
    materialize(plane)
    gate.open.set()
    plane.warm("acme")
    calls = gate.calls
    found(plane)
    assert gate.calls == calls == 1


def test_loading_that_fails_is_told_to_who_asks_next(plane: ContextPlane, gate: Gate) -> None:
    """And to everyone after that, until it succeeds: no thread is started again."""
    ingest(plane, "2")
    found(plane)
    materialize(plane)
    gate.error = Corrupt("damaged", where="some/key", remedy="mend it")
    assert found(plane) == ["1", "2"]
    settle(gate)
    for _ in range(2):
        with pytest.raises(Corrupt, match="mend it"):
            plane.search("acme", "alpha")
    gate.error = None
    assert found(plane) == ["1", "2"]
    calls = gate.calls
    assert found(plane) == ["1", "2"]
    assert gate.calls == calls == 4


def test_threads_that_ask_at_once_load_once(plane: ContextPlane, gate: Gate) -> None:
    """All get the one index."""
    ingest(plane, "2")
    materialize(plane)
    loader, view = loader_of(plane), view_of(plane)
    ready = threading.Barrier(8, timeout=SECONDS)

    def ask() -> Base:
        ready.wait()
        return loader.base(view)

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask) for _ in range(8)]
        settle(gate)
        bases = {id(each.result(SECONDS)) for each in asked}
    assert (len(bases), gate.calls) == (1, 1)


def test_two_indexes_are_kept(plane: ContextPlane, gate: Gate) -> None:
    """The newest and the one before, for those who read it still; an older one is loaded again when asked for."""
    gate.open.set()
    for id_ in ("2", "3"):
        ingest(plane, id_)
        materialize(plane)
        plane.files.memory.drop(lambda _: True)
        found(plane)
    assert gate.calls == 2
    for _ in range(2):
        for known_at in (3, 2):
            assert len(plane.search("acme", "alpha", known_at=known_at)) == known_at
    assert gate.calls == 3
    assert len(plane.search("acme", "alpha", known_at=1)) == 1
    assert gate.calls == 4
    assert len(loader_of(plane)._bases) == loading._KEPT


def test_a_vector_that_is_not_there_is_made_by_the_reader_or_waited_for(
    plane: ContextPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot may have words before it has vectors: a few are made, for many the search is by words alone."""
    plane.ingest("other", [event(Note(f"{n}", "crm", "customer/a", START, words=("alpha",))) for n in range(3)])
    builder = plane.builder("other")
    builder.timeline((0, 1 << 20))
    builder.fulltext((0, 1 << 20))
    builder.publish()
    assert all(hit.scores.vector is not None for hit in plane.search("other", "alpha"))
    monkeypatch.setattr(loading, "EMBEDDED_AT_ONCE", 2)
    with ContextPlane(plane.settings) as late:
        late._embedders = plane._embedders
        assert [hit.scores.vector for hit in late.search("other", "alpha")] == [None] * 3


@pytest.mark.parametrize("loops", ["plain", "compiled"])
def test_searches_go_on_while_events_come_and_are_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loops: str
) -> None:
    """Every answer is that of one state, the same from whichever parts, and knows all that was acknowledged before."""
    monkeypatch.setenv(kernels.VARIABLE, loops)
    monkeypatch.setattr(kernels, "choice", kernels.Choice())
    batches, size = 12, 4
    ids = [str(n) for n in range(batches * size)]
    answers: dict[int, dict[str, float]] = {}
    acknowledged, done, problems = [size], threading.Event(), list[str]()

    def search(known_at: int | None) -> int:
        last = searches = 0
        while not done.is_set() or not searches:
            least = size if known_at else max(acknowledged[0], last)
            hits = busy.search("acme", "alpha w7 w11", k=1_000, known_at=known_at)
            got = {hit.event_id: hit.score for hit in hits}
            last, searches = len(got), searches + 1
            if sorted(map(int, got)) != list(range(last)) or last % size or last < least:
                problems.append(f"no state with at least {least}: {got}")
            if answers.setdefault(last, got) != pytest.approx(got, abs=2e-6):
                problems.append(f"two answers: {got} and {answers[last]}")
        return searches

    switching = sys.getswitchinterval()
    with plane_of(tmp_path, Hashed()) as busy, ThreadPoolExecutor(3) as pool:
        ingest(busy, *ids[:size])
        sys.setswitchinterval(1e-5)
        try:
            searching = [pool.submit(search, known_at) for known_at in (None, None, 1)]
            for batch in range(1, batches):
                ingest(busy, *ids[batch * size : (batch + 1) * size])
                acknowledged[0] = (batch + 1) * size
                if batch % 2:
                    materialize(busy)
        finally:
            done.set()
            sys.setswitchinterval(switching)
        assert all(each.result(SECONDS) for each in searching)
        assert found(busy) == sorted(ids)
    assert problems == []
