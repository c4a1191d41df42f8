"""Commits of the plane's own events: how records say so, and what of the history does not move by them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.errors import Corrupt, InputError, NotFound
from context_plane.instants import DAY, parse_instant
from context_plane.log import checkpoints
from context_plane.log import ingest as ingest_module
from context_plane.log.append import append
from context_plane.log.commits import CommitRecord, decode_record
from context_plane.log.history import History
from context_plane.log.ingest import ingest
from context_plane.log.outcome import RefusedBatch
from context_plane.log.segments import SegmentRef
from context_plane.store import keys
from context_plane.store.base import Store
from context_plane.store.local import LocalStore
from context_plane.store.open import open_store

FIRST = parse_instant("2026-03-01T00:00:00Z") // DAY


def event(number: int, day: int = 1, **changes: Any) -> dict[str, Any]:
    """A user's event."""
    return {
        "id": str(number), "source": "test", "type": "test.event", "subject": "customer/a",
        "time": f"2026-03-{day:02d}T00:00:00Z", "data": {"text": f"number {number}"}, **changes,
    }  # fmt: skip


def own(number: int, day: int = 1, *, words: bool = True) -> dict[str, Any]:
    """One of the plane's own, with words or without."""
    data = {"text": f"number {number}"} if words else {"items": [number]}
    return event(number, day, source="cortex/test", type="cortex.test", data=data)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return LocalStore(tmp_path / "store")


@pytest.fixture
def history(store: Store) -> History:
    return History(store, "acme")


def put(history: History, *commits: str, first: int = 1) -> None:
    """Commits by a letter and a day: ``u3`` of a user, ``w3`` of own words, ``r3`` of receipts."""
    for at, (kind, day) in enumerate(commits, first):
        if kind == "u":
            ingest(history, [(1, event(at, int(day)))])
        else:
            append(history, [own(at, int(day), words=kind == "w")])
    history.refresh()


# --- records ---------------------------------------------------------------------------------------------------------


RECORD = CommitRecord(
    number=1, kind="ingest", put_id="p", prev="0" * 64, time="2026-03-01T00:00:00Z", events=1, ranges=((FIRST, FIRST),),
    first_day=FIRST, last_day=FIRST, segments=(SegmentRef("customer/a", FIRST, "0" * 64, 1, 1, 0, 0),),
    ids=((b"a" * 16, b"b" * 16),),
)  # fmt: skip


@pytest.mark.parametrize("is_own", [False, True])
@pytest.mark.parametrize("silent", [False, True])
def test_a_record_says_what_it_is_of(is_own: bool, silent: bool) -> None:
    """And comes back so."""
    record = replace(RECORD, own=is_own, silent=silent)
    assert decode_record("key", record.encode(), 1) == record


def test_records_from_before_are_as_they_were() -> None:
    """Not a byte more is written of a user's commit, and a record that does not say is one."""
    body = RECORD.encode()
    assert b"own" not in body
    assert b"silent" not in body
    found = decode_record("key", body, 1)
    assert (found.own, found.silent) == (False, False)


def test_what_is_appended_is_own(history: History) -> None:
    """And silent where none of it has words, as its record says on the disk."""
    put(history, "u1", "w1", "r1")
    append(history, [own(7, words=False), own(8)])
    append(history, [{**own(n), "data": data} for n, data in enumerate([{"text": ""}, None, {"text": 5}, "words"], 9)])
    history.refresh()
    assert [(r.own, r.silent) for r in history.records()] == [
        (False, False), (True, False), (True, True), (True, False), (True, True),
    ]  # fmt: skip


@pytest.mark.parametrize("type_", ["test.event", "cortex", "Cortex.memory", "", None])
def test_only_own_types_are_appended(history: History, type_: Any) -> None:
    """Nothing of the batch is there otherwise; and users may not ingest what is the plane's own."""
    with pytest.raises(InputError, match="not the plane's own") as error:
        append(history, [own(1), {**own(2), "type": type_}])
    assert error.value.where == "event 2"
    with pytest.raises(RefusedBatch, match="reserved"):
        ingest(history, [(1, own(1))])
    assert history.refresh() == 0


def test_a_guard_sees_everything_before_the_number_that_is_taken(
    store: Store, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked once more for each number that is lost, and what it raises leaves nothing."""
    rivals, heads = [own(1), own(2)], list[int]()
    original = ingest_module.Batch._create

    def late(batch: Any, record: Any) -> bool:
        if rivals and batch._history is history:
            append(History(store, "acme"), [rivals.pop()])
        return original(batch, record)

    monkeypatch.setattr(ingest_module.Batch, "_create", late)

    def guard() -> None:
        heads.append(history.head)
        if len(heads) == 4:
            raise NotFound("no")

    append(history, [own(3)], guard=guard)
    assert (heads, history.head) == ([0, 1, 2], 3)
    with pytest.raises(NotFound):
        append(history, [own(4)], guard=guard)
    assert history.refresh() == 3
    append(history, [own(3)], guard=lambda: pytest.fail("there was nothing to check"))


# --- history ---------------------------------------------------------------------------------------------------------


def test_the_clock_is_that_of_users(history: History) -> None:
    """Own events move only the end; where there are no others they are the clock."""
    put(history, "w5", "u2", "r9", "u3", "w1")
    after = [(FIRST + day) * DAY for day in (5, 2, 2, 3, 3)]
    assert [history.clock(number) for number in range(1, 6)] == after
    assert [history.beyond(number) for number in range(1, 6)] == [(FIRST + day) * DAY for day in (5, 5, 9, 9, 9)]
    assert (history.clock(), history.beyond()) == (after[-1], (FIRST + 9) * DAY)
    told = parse_instant(history.record(5).time) // DAY + 1
    assert history.end() == max(told * DAY, after[-1])


def test_an_empty_log_has_neither(history: History) -> None:
    """Nor anything that was heard."""
    assert (history.clock(), history.end(), history.heard(0), history.news(0)) == (None, None, 0, 0)
    assert (history.touched(), history.touched(own=False), history.touched_by_own()) == ({}, {}, {})


def test_what_was_heard_and_what_is_news(history: History) -> None:
    """Search finds nothing of receipts; context specs of the world nothing of the plane."""
    put(history, "r1", "u1", "w1", "r1", "u1", "r2")
    assert [history.heard(number) for number in range(7)] == [0, 0, 2, 3, 3, 5, 5]
    assert [history.news(number) for number in range(7)] == [0, 0, 2, 2, 2, 5, 5]


def test_days_of_the_world_and_of_the_plane(history: History) -> None:
    """With the last commit that touched each, up to a number."""
    put(history, "u1", "w1", "r2", "u3", "w3", "u1")
    one, two, three = FIRST, FIRST + 1, FIRST + 2
    assert history.touched() == {one: 6, two: 3, three: 5}
    assert history.touched(own=False) == {one: 6, three: 4}
    assert history.touched(4) == {one: 2, two: 3, three: 4}
    assert history.touched(4, own=False) == {one: 1, three: 4}
    assert history.touched(6, own=False) == history.touched(own=False)
    assert history.touched_by_own() == {one: 2, two: 3, three: 5}
    assert history.touched_by_own(4) == {one: 2, two: 3}


letters = st.lists(st.builds("{}{}".format, st.sampled_from("uwr"), st.integers(1, 4)), min_size=1, max_size=8)


@given(commits=letters, every=st.integers(1, 3))
def test_a_reader_that_comes_later_knows_the_same(commits: list[str], every: int) -> None:
    """From checkpoints and records, whatever the log; and each number shows what it showed when it was the last."""
    store, seen = open_store(f"memory://{uuid4().hex}"), dict[int, list[Any]]()
    asked: list[Callable[[History, int], Any]] = [
        History.heard, History.news, History.clock, History.end, History.touched, History.touched_by_own,
        lambda history, number: history.touched(number, own=False),
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "EVERY", every)
        writer = History(store, "acme")
        for number, commit in enumerate(commits, 1):
            put(writer, commit, first=number)
            seen[number] = [each(writer, number) for each in asked]
        reader = History(store, "acme")
        assert reader.refresh() == len(commits)
    for number, expected in seen.items():
        assert [each(reader, number) for each in asked] == expected


def test_a_reader_whose_first_look_fails_begins_anew(store: Store, history: History) -> None:
    """Nothing that it had read by then counts twice."""
    put(history, "u1", "w2", "r3")
    key = keys.commit("acme", 3)
    body, path = store.get(key), store.path(key)
    assert path is not None
    path.write_bytes(b"{}")
    reader = History(store, "acme")
    with pytest.raises(Corrupt):
        reader.refresh()
    path.write_bytes(body)
    assert reader.refresh() == 3
    assert [reader.heard(3), reader.news(3), reader.clock(), reader.touched(own=False)] == [
        2, 1, (FIRST + 1) * DAY, {FIRST: 1},
    ]  # fmt: skip
