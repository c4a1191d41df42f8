"""Ingest: batches, duplicates, conflicts, races, and the commit record that makes a batch exist."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from context_plane.errors import Corrupt, InputError, Unavailable
from context_plane.log import checkpoints
from context_plane.log import ingest as ingest_module
from context_plane.log.checkpoints import decode_checkpoint
from context_plane.log.commits import MAX_RECORD, ListRef
from context_plane.log.history import History
from context_plane.log.ingest import ingest
from context_plane.log.outcome import Commit, RefusedBatch
from context_plane.log.segments import read_segment
from context_plane.store import keys
from context_plane.store.base import Store
from context_plane.store.faulty import FaultyStore
from context_plane.store.local import LocalStore


def event(number: int, entity: str = "customer/a", day: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "source": "test",
        "type": "test.event",
        "subject": entity,
        "time": f"2026-03-{day:02d}T{number % 24:02d}:00:00Z",
        "data": {"n": number},
        **changes,
    }


def numbered(events: Iterable[Any]) -> Iterable[tuple[int, Any]]:
    return enumerate(events, 1)


def put(store: Store, events: Iterable[Any], **options: Any) -> Commit:
    return ingest(History(store, "acme"), numbered(events), **options)


def stored(store: Store) -> list[dict[str, Any]]:
    """Every event in the log, read back through the records."""
    history = History(store, "acme")
    history.refresh()
    lines = [
        line
        for record in history.records()
        for ref in history.segments(record)
        for line in read_segment(store, "acme", ref)
    ]
    return sorted((json.loads(line) for line in lines), key=lambda e: (e["source"], e["id"]))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return LocalStore(tmp_path / "store")


def test_a_batch_comes_back_as_it_went_in(store: Store) -> None:
    """Events of several entities and days, out of order, are all there once."""
    events = [event(n, f"customer/{n % 7}", 1 + n % 5) for n in range(100)]
    random.Random(1).shuffle(events)
    commit = put(store, events)
    assert (commit.id, commit.accepted, commit.duplicates, commit.rejected) == (1, 100, 0, [])
    found = stored(store)
    assert len(found) == 100
    assert {e["id"] for e in found} == {str(n) for n in range(100)}


def test_the_same_batch_again_is_all_duplicates(store: Store) -> None:
    """Nothing is committed, and the counts say why."""
    events = [event(n) for n in range(30)]
    put(store, events)
    again = put(store, events)
    assert (again.id, again.accepted, again.duplicates) == (1, 0, 30)
    assert len(stored(store)) == 30


def test_duplicates_inside_a_batch_and_of_the_log_are_counted_apart_from_new_ones(store: Store) -> None:
    """Overlap with the log and with itself."""
    put(store, [event(n) for n in range(10)])
    commit = put(store, [*(event(n) for n in range(5, 15)), event(14)])
    assert (commit.accepted, commit.duplicates) == (5, 6)


@pytest.mark.parametrize("first", [[], [event(1)]], ids=["in the batch", "in the log"])
def test_a_conflict_refuses_the_batch(store: Store, first: list[Any]) -> None:
    """The same identity with other content is never stored, and the line is named."""
    if first:
        put(store, first)
    changed = event(1, data={"n": "changed"})
    batch = [event(2), changed] if first else [event(1), event(2), changed]
    with pytest.raises(RefusedBatch, match="other content") as caught:
        put(store, batch)
    assert caught.value.commit.rejected[0].line == len(batch)
    assert len(stored(store)) == len(first)


def test_skip_bad_keeps_the_good_and_names_the_rest(store: Store) -> None:
    """The rejected are handed over with their line and the event itself."""
    rejects: list[tuple[int, str, Any]] = []
    bad = {"id": "x"}
    commit = put(
        store, [event(1), bad, event(2), event(1, data=0)], skip_bad=True, on_reject=lambda *r: rejects.append(r)
    )
    assert (commit.accepted, commit.rejected_count) == (2, 2)
    assert [(line, raw) for line, _, raw in rejects] == [(2, bad), (4, event(1, data=0))]


def test_all_errors_of_a_batch_are_reported(store: Store) -> None:
    """Not the first only, and the list has an end."""
    with pytest.raises(RefusedBatch) as caught:
        put(store, [{"id": str(n)} for n in range(1_500)])
    assert caught.value.commit.rejected_count == 1_500
    assert len(caught.value.commit.rejected) == ingest_module.MAX_REPORTED
    assert caught.value.where == "line 1"


def test_an_empty_batch_commits_nothing(store: Store) -> None:
    """No events, no commit."""
    assert put(store, []) == Commit(None, 0, 0)


def test_a_batch_id_returns_the_first_answer(store: Store) -> None:
    """A retry with the same id gets the counts of the commit it made, and reads no events."""
    first = put(store, [event(1), event(2), event(2)], batch_id="b-1")
    put(store, [event(3)])

    def unread() -> Iterable[Any]:
        raise AssertionError("the events of a known batch were read")
        yield

    again = put(store, unread(), batch_id="b-1")
    assert (again.id, again.accepted, again.duplicates) == (first.id, 2, 1)


@pytest.mark.parametrize("batch_id", ["", "x" * 257, "a\nb"])
def test_a_batch_id_is_short_and_printable(store: Store, batch_id: str) -> None:
    """It goes into a record of 4 KB."""
    with pytest.raises(InputError, match="batch id"):
        put(store, [event(1)], batch_id=batch_id)


@pytest.mark.parametrize("count", [1, 12, 13, 500])
def test_a_record_never_exceeds_4_kb(store: Store, count: int) -> None:
    """Long names, many entities and scattered days go into lists."""
    events = [event(n, f"customer/{'é' * 400}{n}", 1 + (n * 2) % 28) for n in range(count)]
    put(store, events, batch_id="b" * 256)
    body = store.get(keys.commit("acme", 1))
    assert len(body) <= MAX_RECORD
    assert len(stored(store)) == count


def test_scattered_days_are_found_in_the_list(store: Store) -> None:
    """More runs of days than a record holds: the touched days come from the segments."""
    events = [event(m * 100 + d, time=f"2026-{m:02d}-{d:02d}T00:00:00Z") for m in range(1, 13) for d in range(1, 29, 2)]
    put(store, events)
    history = History(store, "acme")
    history.refresh()
    assert history.record(1).ranges == ()
    assert len(history.touched()) == len(events)


def test_a_large_batch_is_written_in_chunks(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks are one batch: one commit, duplicates across chunks are counted."""
    monkeypatch.setattr(ingest_module, "_CHUNK_EVENTS", 10)
    commit = put(store, [*(event(n) for n in range(35)), event(3)])
    assert (commit.id, commit.accepted, commit.duplicates) == (1, 35, 1)
    assert len(stored(store)) == 35


def test_segments_are_synced_before_the_record_exists(store: Store) -> None:
    """On a disk that forgets what was not synced, a committed batch is whole. Fails when ingest does not sync."""
    disk = FaultyStore(store, random.Random(7))
    put(disk, [event(n, f"customer/{n}") for n in range(50)])
    disk.crash()
    assert len(stored(store)) == 50


def test_a_lost_reply_does_not_double_the_batch(store: Store) -> None:
    """The record landed, its answer did not: reading back settles it. Fails when the read-back is taken out."""
    flaky = FaultyStore(store, random.Random(7), plan={("create", 1): "lose"})
    commit = put(flaky, [event(1), event(2)])
    assert (commit.id, commit.accepted) == (1, 2)
    assert len(stored(store)) == 2


def test_a_spurious_conflict_does_not_lose_the_number(store: Store) -> None:
    """409 although nothing is there: numbers stay gap-free."""
    flaky = FaultyStore(store, random.Random(7), plan={("create", 1): "conflict"})
    assert put(flaky, [event(1)]).id == 1


def test_a_failed_sync_acknowledges_nothing(store: Store) -> None:
    """An error, no record, and the same batch can be sent again."""
    flaky = FaultyStore(store, random.Random(7), plan={("sync", 1): "fail"})
    with pytest.raises(Unavailable):
        put(flaky, [event(1)])
    assert stored(store) == []
    assert put(store, [event(1)]).accepted == 1


def test_who_loses_a_number_drops_what_the_winner_has(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rival commits between our look at the log and our record; counts stay exact and nothing is stored twice."""
    rival = [event(n, f"customer/{n % 3}") for n in range(5, 15)]
    original = ingest_module.Batch._record
    calls: list[int] = []

    def late(batch: Any) -> Any:
        record = original(batch)
        if not calls:
            calls.append(1)
            put(store, rival)
        return record

    monkeypatch.setattr(ingest_module.Batch, "_record", late)
    commit = put(store, [event(n, f"customer/{n % 3}") for n in range(10)])
    assert (commit.id, commit.accepted, commit.duplicates) == (2, 5, 5)
    assert len(stored(store)) == 15


def test_a_conflict_with_the_winner_refuses_the_loser(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lowest number wins, also in a race, and on another day than ours."""
    original = ingest_module.Batch._record
    calls: list[int] = []

    def late(batch: Any) -> Any:
        record = original(batch)
        if not calls:
            calls.append(1)
            put(store, [event(3, day=9, data={"n": "theirs"})])
        return record

    monkeypatch.setattr(ingest_module.Batch, "_record", late)
    with pytest.raises(RefusedBatch, match="another process committed it first"):
        put(store, [event(n) for n in range(5)])
    assert [e["data"] for e in stored(store)] == [{"n": "theirs"}]


def test_threads_racing_with_overlapping_batches_count_exactly(store: Store) -> None:
    """Every event is accepted once in all, whoever wins."""
    batches = [[event(n, f"customer/{n % 5}") for n in range(start, start + 60)] for start in range(0, 160, 20)]
    with ThreadPoolExecutor(4) as pool:
        commits = list(pool.map(lambda batch: put(store, batch), batches))
    assert sum(commit.accepted for commit in commits) == 200
    assert sum(commit.duplicates for commit in commits) == len(batches) * 60 - 200
    assert len(stored(store)) == 200


def test_a_reader_sees_each_commit_after_one_probe(store: Store) -> None:
    """`refresh` on an open history finds what others committed since."""
    history = History(store, "acme")
    assert history.refresh() == 0
    for n in range(3):
        put(store, [event(n)])
        assert history.refresh() == n + 1
    assert history.touched() == {20_513: 3}


def test_the_data_clock_is_the_end_of_the_newest_day(store: Store) -> None:
    """It follows event time, not arrival."""
    put(store, [event(1, day=9)])
    put(store, [event(2, day=4)])
    history = History(store, "acme")
    history.refresh()
    assert history.clock() == history.clock(1) == 20_522 * 86_400_000_000


def test_a_replaced_record_breaks_the_chain(store: Store, tmp_path: Path) -> None:
    """Each record names the hash of the one before."""
    for n in range(3):
        put(store, [event(n)])
    path = tmp_path / "store" / keys.commit("acme", 2)
    path.write_bytes(path.read_bytes().replace(b'"events":1', b'"events":2'))
    with pytest.raises(Corrupt, match="does not follow"):
        History(store, "acme").refresh()


@pytest.mark.parametrize("damage", ["flip", "cut", "grow"])
def test_a_damaged_segment_is_an_error(store: Store, tmp_path: Path, damage: str) -> None:
    """Never short results, never other events: length and hash are checked first."""
    put(store, [event(n) for n in range(20)])
    history = History(store, "acme")
    history.refresh()
    path = tmp_path / "store" / history.segments(history.record(1))[0].key("acme")
    body = path.read_bytes()
    path.write_bytes(
        {"flip": body[:-5] + bytes([body[-5] ^ 1]) + body[-4:], "cut": body[:-3], "grow": body + b"x"}[damage]
    )
    with pytest.raises(Corrupt) as caught:
        stored(store)
    assert path.name in (caught.value.where or "")


def test_checkpoints_hold_what_a_new_reader_needs(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that starts from checkpoints knows what one that read every record knows."""
    monkeypatch.setattr(checkpoints, "EVERY", 4)
    for n in range(10):
        put(store, [event(n, day=1 + n)])
    found = list(store.list(keys.checkpoints("acme")))
    assert [key[-29:-9] for key in found] == [f"{4:020d}", f"{8:020d}"]
    fresh = History(store, "acme")
    assert fresh.refresh() == 10
    assert put(store, [event(n, day=1 + n) for n in range(10)]).duplicates == 10


def test_a_damaged_checkpoint_is_an_error(store: Store) -> None:
    """It names itself and says that it can be deleted."""
    with pytest.raises(Corrupt, match="checkpoint"):
        decode_checkpoint("k", b"x" * 50)


def test_large_batches_keep_their_ids_in_a_run(store: Store) -> None:
    """Beyond 24 ids a record names an object of sorted hashes."""
    put(store, [event(n) for n in range(25)])
    history = History(store, "acme")
    history.refresh()
    assert isinstance(history.record(1).ids, ListRef)
    assert len(history.run_of(history.record(1))) == len(history.ids()) == 25


def test_the_index_folds_its_recent_part(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many small commits end in sorted arrays and still find every id."""
    monkeypatch.setattr("context_plane.log.ids._FOLD_AT", 8)
    for n in range(20):
        put(store, [event(n)])
    history = History(store, "acme")
    history.refresh()
    assert len(history.ids()) == 20
    assert put(store, [event(n) for n in range(22)]).accepted == 2


def test_a_lost_run_of_ids_is_derived_from_the_segments(store: Store) -> None:
    """Everything but the log and its segments can be deleted, and duplicates are still found."""
    events = [event(n, f"customer/{n % 3}") for n in range(60)]
    put(store, events)
    (key,) = store.list("tenants/acme/ids/")
    before = store.get(key)
    store.delete(key)
    assert put(store, [*events, event(60)]).duplicates == 60
    assert store.get(key) == before
