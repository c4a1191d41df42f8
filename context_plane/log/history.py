"""History: a process's view of one tenant's log, brought up to date by probing the next number.

Numbers are gap-free, so whoever has seen `n` has seen everything before it. A new reader loads the checkpoints (each
holds the records since the one before) and then the records after them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, count, islice, takewhile
from typing import TYPE_CHECKING, Final, NamedTuple

from context_plane.errors import Corrupt, NotFound
from context_plane.instants import DAY, parse_instant
from context_plane.log.checkpoints import decode_checkpoint, number_of
from context_plane.log.commits import GENESIS, CommitRecord, ListRef, decode_record, load_segments
from context_plane.log.events import content_digest, identity
from context_plane.log.ids import IdIndex, decode_run, encode_run
from context_plane.log.segments import SegmentRef, check_bytes, read_segment
from context_plane.store import keys

if TYPE_CHECKING:
    from context_plane.store.base import Store

_LISTS_KEPT: Final = 4
_PARALLEL: Final = 16
_PAGE: Final = 1_000
"""Keys that stores give with one listing."""


class _Ends(NamedTuple):
    """How far the events up to a commit reach, in microseconds."""

    world: int | None = None
    """The end of the newest day of events that are not the plane's own."""
    own: int | None = None
    """The same of the plane's own."""
    told: int | None = None
    """The end of the day on which the last of these was told."""

    def with_(self, record: CommitRecord) -> _Ends:
        """The same with one commit more."""
        if record.last_day is None:
            return self
        end = (record.last_day + 1) * DAY
        if not record.own:
            return self._replace(world=end if self.world is None else max(self.world, end))
        told = (parse_instant(record.time) // DAY + 1) * DAY
        return _Ends(
            self.world,
            end if self.own is None else max(self.own, end),
            told if self.told is None else max(self.told, told),
        )


class History:
    """The commit records 1 … `head` of one tenant, and what follows from them. Safe for threads."""

    def __init__(self, store: Store, tenant: str) -> None:
        self.store = store
        self.tenant = keys.check_tenant(tenant)
        self._records: list[CommitRecord] = []
        self._touched: dict[int, int] = {}
        self._world: dict[int, int] = {}
        """Days of events that are not the plane's own."""
        self._ends: list[_Ends] = []
        self._heard: list[int] = []
        self._news: list[int] = []
        self._lists: dict[int, Sequence[SegmentRef]] = {}
        self._ids = IdIndex()
        self._lock = threading.RLock()
        self._next_key = keys.commit(self.tenant, 1)
        self._cold = True

    @property
    def head(self) -> int:
        """The highest commit number seen; 0 for an empty log."""
        return len(self._records)

    @property
    def tip(self) -> str:
        """SHA-256 of the record at `head`: what the next record names as `prev`."""
        return self._records[-1].sha256 if self._records else GENESIS

    def refresh(self) -> int:
        """Reads what has been committed since the last call and returns `head`. One probe where nothing is new."""
        if not self._cold and self.store.head(self._next_key) is None:
            return self.head
        with self._lock:
            complete = self._load_cold() if self._cold else False
            self._cold = False
            while not complete and (body := self._probe()) is not None:
                self._append(body)
            return self.head

    def record(self, number: int) -> CommitRecord:
        """Record `number`. Raises `NotFound` beyond the head."""
        if not 1 <= number <= self.head:
            raise NotFound(f"commit {number} does not exist", where=self.tenant, remedy=f"the log ends at {self.head}")
        return self._records[number - 1]

    def records(self, after: int = 0, until: int | None = None) -> Sequence[CommitRecord]:
        """Records `after` < number ≤ `until` (the head by default)."""
        return self._records[after : self.head if until is None else until]

    def segments(self, record: CommitRecord) -> Sequence[SegmentRef]:
        """The segments of one commit, from its record or its list."""
        if not isinstance(record.segments, ListRef):
            return record.segments
        refs = self._lists.get(record.number)
        if refs is None:
            refs = load_segments(self.store, self.tenant, record)
            with self._lock:
                while len(self._lists) >= _LISTS_KEPT:
                    self._lists.pop(next(iter(self._lists)))
                self._lists[record.number] = refs
        return refs

    def days(self, record: CommitRecord) -> list[int]:
        """The days a commit touched (days since 1970), sorted."""
        if record.ranges:
            return [day for first, last in record.ranges for day in range(first, last + 1)]
        return sorted({ref.day for ref in self.segments(record)})

    def affected(self, record: CommitRecord) -> list[int]:
        """The days that a commit changed: those of its segments; for an erasure, every day there was."""
        return self._all_days(record, self.touched(record.number))

    def touched(self, until: int | None = None, *, own: bool = True) -> dict[int, int]:
        """Every day that has events, with the highest commit number ≤ `until` that touched it; without `own` as if the
        commits of the plane's own events were not there."""
        if until is None or until >= self.head:
            return dict(self._touched if own else self._world)
        touched: dict[int, int] = {}
        for record in self._records[:until]:
            if record.own and not own:
                continue
            touched.update(dict.fromkeys(self._all_days(record, touched), record.number))
        return touched

    def touched_by_own(self, until: int | None = None) -> dict[int, int]:
        """Every day that has events of the plane's own, with the highest commit number ≤ `until` that changed these."""
        touched: dict[int, int] = {}
        for record in self.records(0, until):
            if record.own:
                touched.update(dict.fromkeys(self.days(record), record.number))
            elif record.kind != "ingest":
                days = self._all_days(record, touched)
                touched.update(dict.fromkeys((day for day in days if day in touched), record.number))
        return touched

    def clock(self, until: int | None = None) -> int | None:
        """The tenant's data clock: the end of the newest event day, in microseconds; `None` for an empty log.

        The plane's own events count only where there are no others.
        """
        ends = self._ends_at(until)
        return ends.own if ends.world is None else ends.world

    def end(self, until: int | None = None) -> int | None:
        """Where the plane's own events are cut when nobody asks for an instant: at the data clock, or where that is
        later at the end of the day on which the last of them was told. What holds from a later day on waits for it."""
        ends = self._ends_at(until)
        found = [end for end in (ends.world, ends.told) if end is not None]
        return max(found, default=None)

    def beyond(self, until: int | None = None) -> int | None:
        """The end of the newest day of any event; `None` for an empty log."""
        ends = self._ends_at(until)
        found = [end for end in (ends.world, ends.own) if end is not None]
        return max(found, default=None)

    def _ends_at(self, until: int | None) -> _Ends:
        number = self.head if until is None else min(until, self.head)
        return self._ends[number - 1] if number > 0 else _Ends()

    def heard(self, number: int) -> int:
        """The last commit up to `number` that search may find something of; 0 for none. Receipts are not among them, so
        that an answer does not make the next one wait for an index."""
        return self._heard[number - 1] if number else 0

    def news(self, number: int) -> int:
        """The last commit up to `number` that is not of the plane's own events alone; 0 for none."""
        return self._news[number - 1] if number else 0

    def batch(self, batch_id: str) -> CommitRecord | None:
        """The commit that a batch id made, if it is in the log."""
        for record in reversed(self._records):
            if record.batch is not None and record.batch.get("id") == batch_id:
                return record
        return None

    def ids(self) -> IdIndex:
        """The id index up to `head`."""
        with self._lock:
            for record in self._records[self._ids.upto :]:
                if isinstance(record.ids, ListRef):
                    self._ids.add_run(decode_run(*self._run(record, record.ids)))
                else:
                    for identity, digest in record.ids:
                        self._ids.add(identity, digest)
                self._ids.upto = record.number
            return self._ids

    def run_of(self, record: CommitRecord) -> list[tuple[bytes, bytes]]:
        """The (identity, digest) pairs of one commit."""
        if not isinstance(record.ids, ListRef):
            return list(record.ids)
        identities, digests = decode_run(*self._run(record, record.ids))
        pairs = zip(identities.tolist(), digests.tolist(), strict=True)
        return [(a.ljust(16, b"\0"), b.ljust(16, b"\0")) for a, b in pairs]  # numpy strips NULs from the end

    def _run(self, record: CommitRecord, ref: ListRef) -> tuple[str, bytes]:
        key = keys.ids(self.tenant, ref.sha256)
        try:
            body = self.store.get(key)
        except NotFound:
            body = self._rebuilt_run(record, key)
        check_bytes(key, body, ref.size, ref.sha256)
        return key, body

    def _rebuilt_run(self, record: CommitRecord, key: str) -> bytes:
        """A run that is gone is derived again from the commit's segments: only the log itself must be kept."""
        pairs = []
        for segment in self.segments(record):
            for line in read_segment(self.store, self.tenant, segment):
                event = json.loads(line)
                pairs.append((identity(event["source"], event["id"]), content_digest(line)))
        _, body = encode_run(pairs)
        self.store.put_content([(key, body)])
        return body

    def _probe(self) -> bytes | None:
        return self._get(self._next_key)

    def _get(self, key: str) -> bytes | None:
        try:
            return self.store.get(key)
        except NotFound:
            return None

    def _append(self, body: bytes) -> None:
        key, number = self._next_key, self.head + 1
        record = decode_record(key, body, number)
        if record.prev != self.tip:
            raise Corrupt(
                f"commit {number} does not follow the record before it",
                where=key,
                remedy="a record was replaced after it was written; restore the log from a backup",
            )
        days = self._all_days(record, self._touched)
        world = [] if record.own else self._all_days(record, self._world)
        self._heard.append((self._heard[-1] if self._heard else 0) if record.silent else number)
        self._news.append((self._news[-1] if self._news else 0) if record.own else number)
        self._ends.append((self._ends[-1] if self._ends else _Ends()).with_(record))
        self._records.append(record)
        self._touched.update(dict.fromkeys(days, number))
        self._world.update(dict.fromkeys(world, number))
        self._next_key = keys.commit(self.tenant, number + 1)

    def _all_days(self, record: CommitRecord, touched: dict[int, int]) -> list[int]:
        # An erasure changes every day its entities were active; without an index of them it touches all days so far.
        return list(touched) if record.kind == "tombstone" and record.entities else self.days(record)

    def _load_cold(self) -> bool:
        """As `_load_all`; where that fails half-way nothing is kept of it, so that the next call begins anew."""
        try:
            return self._load_all()
        except BaseException:
            self._records.clear()
            self._touched.clear()
            self._world.clear()
            self._ends.clear()
            self._heard.clear()
            self._news.clear()
            self._next_key = keys.commit(self.tenant, 1)
            raise

    def _load_all(self) -> bool:
        """Loads checkpoints and the records after them; whether there was nothing after those when it was looked.

        Where a read is a round trip, what a listing shows is fetched at once, and with it the record after the last.
        """
        if self.store.local:
            self._append_checkpoints(map(self._with_body, self.store.list(keys.checkpoints(self.tenant))))
            return False
        with ThreadPoolExecutor(_PARALLEL, "log") as pool:
            first = pool.submit(self._listed, 0)  # a log without checkpoints needs no second listing
            checkpoints = list(self.store.list(keys.checkpoints(self.tenant)))
            self._append_checkpoints(pool.map(self._with_body, checkpoints))
            ready = self._listed(self.head) if checkpoints else first.result()
            bodies = [pool.submit(self.store.get, key) for key in ready]
            after = pool.submit(self._get, keys.commit(self.tenant, self.head + len(ready) + 1))
            for body in bodies:
                self._append(body.result())
            last = after.result()
            if last is not None:
                self._append(last)
            return last is None

    def _append_checkpoints(self, found: Iterable[tuple[str, bytes]]) -> None:
        for key, body in found:
            bodies = decode_checkpoint(key, body)
            first = number_of(key, bodies[0])
            # Whoever was killed before he wrote his checkpoint left out some: the log itself has all records.
            while self.head + 1 < first and (lacking := self._probe()) is not None:
                self._append(lacking)
            for record in bodies[max(0, self.head + 1 - first) :]:
                self._append(record)

    def _with_body(self, key: str) -> tuple[str, bytes]:
        return key, self.store.get(key)

    def _listed(self, head: int) -> list[str]:
        """The keys of the records after number `head` that a listing shows, without a gap; a page of them at most
        where it is not known yet how far checkpoints go."""
        prefix = keys.commits(self.tenant)
        after = keys.commit(self.tenant, head) if head else prefix
        listed = islice(self.store.list(prefix, after), None if head else _PAGE)
        found = [key for key in listed if key.count("/") == prefix.count("/")]
        expected = (keys.commit(self.tenant, number) for number in count(head + 1))
        return [key for key, _ in takewhile(lambda pair: pair[0] == pair[1], zip(found, expected, strict=False))]


def live_segments(history: History, after: int, until: int) -> Iterator[tuple[int, SegmentRef]]:
    """(number, segment) of commits `after` < number ≤ `until`, without what tombstones and rewrites took away."""
    erased, replaced = removed(history.records(0, until))
    for record in history.records(after, until):
        for ref in history.segments(record):
            if ref.sha256 not in replaced and erased.get(ref.entity, 0) < record.number:
                yield record.number, ref


def removed(records: Sequence[CommitRecord]) -> tuple[dict[str, int], frozenset[str]]:
    """Entities erased (with the number of their last tombstone) and segments replaced, by these records."""
    erased = {e: record.number for record in records if record.kind == "tombstone" for e in record.entities}
    replaced = frozenset(chain.from_iterable(record.replaces for record in records if record.kind == "rewrite"))
    return erased, replaced
