"""Publication and views: what readers see is one snapshot plus the tail, never a mix."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from context_plane.errors import InputError, NotFound
from context_plane.log.commits import CommitRecord
from context_plane.parts import publish as publish_module
from context_plane.parts.notes import Note
from context_plane.parts.part import Part
from context_plane.parts.snapshots import Snapshots
from context_plane.store import keys
from context_plane.store.base import Store
from context_plane.store.local import LocalStore
from tests.parts.conftest import FIRST_DAY, World, event


def test_events_are_seen_before_anything_is_built(world: World) -> None:
    """The tail is the whole log."""
    world.ingest([event(1), event(2, day=2)])
    assert world.ids() == ["1", "2"]


def test_publishing_moves_events_from_the_tail_into_parts(world: World) -> None:
    """The same events, from parts now."""
    world.ingest([event(1), event(2, day=2)])
    world.build()
    snapshot = world.publish()
    assert snapshot is not None
    assert (snapshot.number, snapshot.log, snapshot.newest) == (1, 1, 1)
    view = world.view()
    assert not view.tail.segments
    assert world.ids() == ["1", "2"]


def test_publishing_nothing_new_makes_no_snapshot(world: World) -> None:
    """Snapshots are numbered by what changed, not by how often somebody asked."""
    world.ingest([event(1)])
    world.build()
    assert world.publish() is not None
    assert world.publish() is None
    assert World(world.store, Path("unused")).publish() is None


def test_one_of_three_changed_days_materialized(world: World) -> None:
    """The log number stays where all is complete; the built day is taken, and no event is missing or doubled."""
    world.ingest([event(n, day=n) for n in (1, 2, 3)])
    world.build()
    world.publish()
    world.ingest([event(10 + n, day=n) for n in (1, 2, 3)])
    world.build(2, 2)
    snapshot = world.publish()
    assert snapshot is not None
    assert (snapshot.log, snapshot.newest) == (1, 2)
    assert world.ids() == ["1", "2", "3", "11", "12", "13"]
    assert world.view().tail.touched == {"customer/a"}
    assert world.ids(known_at=1) == ["1", "2", "3"]
    world.build()
    done = world.publish()
    assert done is not None
    assert (done.log, world.ids(known_at=1)) == (2, ["1", "2", "3"])


def test_known_at_shows_what_was_known(world: World) -> None:
    """Late events do not change what was known before them, whatever was published since."""
    for n in range(1, 6):
        world.ingest([event(n, day=1 + n % 2)])
        if n % 2:
            world.build()
            world.publish()
    for n in range(1, 6):
        assert world.ids(known_at=n) == [str(i) for i in range(1, n + 1)]


def test_as_of_cuts_event_time(world: World) -> None:
    """Parts and tail alike, to the microsecond."""
    world.ingest([event(1, day=1), event(2, day=2)])
    world.build()
    world.publish()
    world.ingest([event(3, day=1), event(4, day=3)])
    at = (FIRST_DAY * 24 + 2) * 3_600_000_000
    assert world.ids(as_of=at) == ["1"]
    assert world.ids(as_of=at + 3_600_000_001) == ["1", "3"]
    assert world.ids(as_of=(FIRST_DAY + 2) * 86_400_000_000) == ["1", "2", "3"]


def test_a_failed_check_is_not_published(world: World) -> None:
    """Readers go on with the tail."""
    world.ingest([event(1)])
    world.build()
    (note,) = world.snapshots.notes()
    world.store.delete(note.key)
    bad = [Part(p.day, p.version, p.size, p.rows, p.number, checks={"row_count": False}) for p in note.parts]
    Note(note.part, note.month, note.number, tuple(bad)).write(world.store, "acme")
    assert world.publish() is None
    assert world.ids() == ["1"]


def test_two_publishers_racing_lose_nothing(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each built another day; whoever loses the number merges into the winner's snapshot."""
    world.ingest([event(n, day=n) for n in (1, 2)])
    other = World(world.store, tmp_path / "other")
    world.build(1, 1)
    other.build(2, 2)
    barrier = threading.Barrier(2)
    original = publish_module.create_settled
    met: set[int] = set()

    def meet(*args: object, **kwargs: object) -> bool:
        if threading.get_ident() not in met:
            met.add(threading.get_ident())
            barrier.wait(10)
        return original(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(publish_module, "create_settled", meet)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda w: w.publish(), (world, other)))
    latest = World(world.store, tmp_path / "third").snapshots.latest()
    assert latest is not None
    assert latest.log == 1
    assert sorted(latest.catalog.of("timeline")) == [FIRST_DAY, FIRST_DAY + 1]


def test_an_older_build_does_not_replace_a_newer_one(world: World, tmp_path: Path) -> None:
    """A slow builder's note arrives after a faster one has taken in more."""
    world.ingest([event(1)])
    world.build()
    (old,) = world.snapshots.notes()
    world.ingest([event(2)])
    world.build()
    world.publish()
    old.write(world.store, "acme")
    assert world.publish() is None
    assert world.ids() == ["1", "2"]


def test_notes_are_removed_once_they_are_published(world: World) -> None:
    """So that a publisher lists what is new and not the history of the tenant."""
    world.ingest([event(n, day=n) for n in range(1, 9)])
    world.build()
    assert list(world.store.list(keys.builds("acme")))
    world.publish()
    assert not list(world.store.list(keys.builds("acme")))


def test_impossible_cuts_are_refused(world: World) -> None:
    """An empty tenant, and numbers that are not in the log."""
    with pytest.raises(NotFound, match="no events"):
        world.view()
    world.ingest([event(1)])
    for number in (0, 2, -1):
        with pytest.raises(InputError, match="known_at"):
            world.view(known_at=number)


class Readers(RuleBasedStateMachine):
    """Whatever is ingested, built and published in whatever order, a view shows exactly the log it names."""

    def __init__(self) -> None:
        super().__init__()
        self.known: list[list[str]] = []
        self.next = 0

    @initialize(tmp=st.builds(lambda: __import__("tempfile").mkdtemp(prefix="cp-")))
    def open(self, tmp: str) -> None:
        self.root = Path(tmp)
        self.store: Store = LocalStore(self.root / "store")
        self.worlds = [World(self.store, self.root / f"cache-{i}") for i in range(2)]

    def teardown(self) -> None:
        import shutil

        if hasattr(self, "root"):
            shutil.rmtree(self.root)

    @rule(who=st.integers(0, 1), days=st.lists(st.integers(1, 6), min_size=1, max_size=4), again=st.booleans())
    def ingest(self, who: int, days: list[int], again: bool) -> None:
        events = []
        for day in days:
            events.append(event(self.next, f"customer/{self.next % 3}", day))
            self.next += 1
        if again and self.known:
            events.append(event(0, "customer/0", self.first_day))
        if self.next == len(days):
            self.first_day = days[0]
        self.worlds[who].ingest(events)
        before = self.known[-1] if self.known else []
        self.known.append(sorted({*before, *(e["id"] for e in events)}, key=int))

    @precondition(lambda self: self.known)
    @rule(who=st.integers(0, 1), first=st.integers(1, 6), length=st.integers(1, 6))
    def build(self, who: int, first: int, length: int) -> None:
        self.worlds[who].build(first, first + length)

    @precondition(lambda self: self.known)
    @rule(who=st.integers(0, 1))
    def publish(self, who: int) -> None:
        self.worlds[who].publish()

    @precondition(lambda self: self.known)
    @rule(who=st.integers(0, 1), number=st.integers(1, 50))
    def look_back(self, who: int, number: int) -> None:
        number = 1 + number % len(self.known)
        self.worlds[who].history.refresh()
        assert self.worlds[who].ids(known_at=number) == self.known[number - 1]

    @invariant()
    def everything_is_seen_once(self) -> None:
        for world in getattr(self, "worlds", []):
            if self.known:
                assert world.ids() == self.known[-1]
                snapshot = world.snapshots.latest()
                assert snapshot is None or snapshot.log <= len(self.known)


TestReaders = Readers.TestCase


def test_a_snapshot_published_between_two_looks_takes_the_log_along(world: World, tmp_path: Path) -> None:
    """A view never has parts of a commit beyond its own number."""
    world.ingest([event(1)])
    world.build()
    world.publish()
    other = World(world.store, tmp_path / "other")
    original = world.snapshots.latest

    def late() -> object:
        if other.history.refresh() == 1:
            other.ingest([event(2, day=3)])
            other.build()
            other.publish()
        return original()

    world.snapshots.latest = late  # type: ignore[method-assign, assignment]
    view = world.view()
    assert view.snapshot is not None
    assert (view.number, view.snapshot.log, view.as_of) == (2, 2, (FIRST_DAY + 3) * 86_400_000_000)


def test_an_erased_entity_is_gone_before_and_after_materializing(world: World) -> None:
    """The format knows tombstones from the first version: parts that still hold the entity are not used."""
    world.ingest([event(n, f"customer/{n % 2}", 1 + n % 3) for n in range(12)])
    world.build()
    world.publish()
    erase(world)
    kept = [str(n) for n in range(0, 12, 2)]
    assert world.ids() == kept
    assert world.ids(known_at=1) == [str(n) for n in range(12)]
    world.build()
    snapshot = world.publish()
    assert snapshot is not None
    assert (snapshot.log, world.ids()) == (2, kept)
    world.ingest([event(99, "customer/1", 2)])
    assert world.ids() == [*kept, "99"]


def erase(world: World) -> None:
    """A tombstone for customer/1, as the log's second commit."""
    record = CommitRecord(
        number=2, kind="tombstone", put_id="erase", prev=world.history.tip, time=world.history.record(1).time, events=0,
        ranges=(), first_day=None, last_day=None, segments=(), ids=(), entities=("customer/1",),
    )  # fmt: skip
    assert world.store.create(keys.commit("acme", 2), record.encode())


def test_what_was_erased_stays_gone_where_not_all_of_it_is_built_anew(world: World) -> None:
    """A tombstone has no days of its own: a snapshot without the rebuilt days must not count as holding it."""
    world.ingest([event(n, f"customer/{n % 2}", 1 + n % 3) for n in range(12)])
    world.build()
    world.publish()
    erase(world)
    kept = [str(n) for n in range(0, 12, 2)]
    assert world.publish() is None
    assert world.ids() == kept
    world.build(2, 2)
    snapshot = world.publish()
    assert snapshot is not None
    assert (snapshot.log, world.ids()) == (1, kept)
    world.build()
    world.publish()
    assert world.ids() == kept


def test_a_month_manifest_that_is_gone_names_the_remedy(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a history too long for the snapshot to carry it."""
    monkeypatch.setattr(publish_module, "_INLINE", -1)
    world.ingest([event(1)])
    world.build()
    world.publish()
    for key in list(world.store.list("tenants/acme/snapshots/months/")):
        world.store.delete(key)
    with pytest.raises(NotFound) as error:
        Snapshots(world.store, "acme").latest()
    assert "materialize again" in error.value.remedy
    for key in list(world.store.list("tenants/acme/snapshots/")):
        world.store.delete(key)
    assert Snapshots(world.store, "acme").latest() is None
