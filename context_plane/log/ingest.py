"""Ingest: a batch of events becomes segments and one commit record, all or none.

The order is the promise: segments reach the store, the store is synced, and only then the record is created under the
next number. Whoever loses a number reads the winner, drops from its own batch what the winner already holds, and tries
the next, so that accepted and duplicate counts are exact however many processes ingest at once.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, Protocol

from context_plane.errors import Conflict, InputError
from context_plane.instants import format_instant, now, parse_instant
from context_plane.log.checkpoints import write_checkpoint
from context_plane.log.commits import (
    GENESIS,
    MAX_RECORD,
    CommitRecord,
    Kind,
    place_ids,
    place_segments,
    put_id_of,
    ranges_of,
)
from context_plane.log.events import Event, Normaliser
from context_plane.log.history import History
from context_plane.log.outcome import Commit, RefusedBatch, Rejected
from context_plane.log.segments import SegmentRef, SegmentWriter, days_of, read_segment
from context_plane.store import keys
from context_plane.store.faults import reach
from context_plane.store.settled import create_settled

if TYPE_CHECKING:
    from context_plane.store.base import Store

# What is held in memory before segments are written (some 160 MB at most). A smaller chunk splits the events of an
# entity's day into more segments where a batch is sorted by time.
_CHUNK_EVENTS: Final = 200_000
_CHUNK_BYTES: Final = 64 * 1024 * 1024
MAX_REPORTED: Final = 1_000


class BadItem(Protocol):
    """What a reader yields instead of an event it could not read."""

    line: int
    reason: str


@dataclass
class _Chunk:
    events: list[Event] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    size: int = 0


class Batch:
    """One ingest in the making: events go in, segments are written on the way, `commit` makes them exist."""

    def __init__(
        self,
        history: History,
        *,
        normalise: Normaliser | None = None,
        skip_bad: bool = False,
        batch_id: str | None = None,
        kind: Kind = "ingest",
        on_reject: Callable[[int, str, Any], None] | None = None,
        own: bool = False,
        silent: bool = False,
        guard: Callable[[], None] | None = None,
    ) -> None:
        """`own` says that all events are the plane's own, `silent` that they have no words. `guard` is called before
        each attempt to take a number, when everything before that number has been read: what it raises refuses the
        batch, and nothing of it is stored."""
        self._own = own
        self._silent = silent
        self._guard = guard
        self._history = history
        self._store: Store = history.store
        self._normalise = normalise or Normaliser()
        self._skip_bad = skip_bad
        self._batch_id = batch_id
        self._kind: Kind = kind
        self._on_reject = on_reject
        self._chunk = _Chunk()
        self._seen: dict[bytes, bytes] = {}
        self._refs: list[SegmentRef] = []
        self._writer = SegmentWriter()
        self._duplicates = 0
        self._rejected: list[Rejected] = []
        self._rejected_count = 0
        self._upto = history.head
        """What the batch was compared with. Readers of this process may bring the history further meanwhile."""

    def add(self, line: int, raw: Any) -> None:
        """One raw event, or a reader's `BadItem`; `line` is where it stood."""
        if hasattr(raw, "reason"):
            self._reject(line, raw.reason, getattr(raw, "raw", None))
            return
        try:
            event = self._normalise(raw)
        except InputError as error:
            self._reject(line, _reason(error), raw)
            return
        self._take(line, event, raw)

    def _take(self, line: int, event: Event, raw: Any) -> None:
        known = self._seen.get(event.identity)
        if known is not None:
            if known == event.digest:
                self._duplicates += 1
            else:
                self._reject(line, _conflict(event, "earlier in this batch"), raw)
            return
        self._seen[event.identity] = event.digest
        chunk = self._chunk
        chunk.events.append(event)
        chunk.lines.append(line)
        chunk.size += len(event.line)
        if len(chunk.events) >= _CHUNK_EVENTS or chunk.size >= _CHUNK_BYTES:
            self._flush()

    def _reject(self, line: int, reason: str, raw: Any) -> None:
        self._rejected_count += 1
        if len(self._rejected) < MAX_REPORTED:
            self._rejected.append(Rejected(line, reason))
        if self._on_reject is not None:
            self._on_reject(line, reason, raw)

    def _flush(self) -> None:
        """Drops what the log holds already and writes the rest of the chunk as segments."""
        chunk, self._chunk = self._chunk, _Chunk()
        fresh = self._unknown(chunk)
        if self._rejected_count and not self._skip_bad:
            return  # the batch will be refused: from here on only its errors are of interest
        self._write(fresh)

    def _unknown(self, chunk: _Chunk) -> list[Event]:
        fresh: list[Event] = []
        found = self._history.ids().find([event.identity for event in chunk.events])
        for line, event, known in zip(chunk.lines, chunk.events, found, strict=True):
            if known is None:
                fresh.append(event)
                continue
            del self._seen[event.identity]
            if known == event.digest:
                self._duplicates += 1
            else:
                self._reject(line, _conflict(event, "in the log"), _raw(event))
        return fresh

    def _write(self, events: list[Event]) -> None:
        self._store.put_content(self._segments(events))
        reach("ingest.segments-written")

    def _segments(self, events: list[Event]) -> Iterator[tuple[str, bytes]]:
        # Sorted, the files of one folder follow each other, which halves the cost of making folders.
        events.sort(key=lambda event: (event.entity, event.at))
        for _, group in groupby(events, key=lambda event: (event.entity, event.day)):
            ref, body = self._writer.pack(list(group))
            self._refs.append(ref)
            yield ref.key(self._history.tenant), body

    def commit(self) -> Commit:
        """Makes the batch exist, all or none.

        Raises `RefusedBatch` when an event is bad or in conflict and `skip_bad` is off; `Unavailable` when the store
        does not answer, in which case ingesting the same batch again gives the right counts whatever happened.
        """
        self._flush()
        self._refuse_if_bad()
        if not self._seen:
            return self._result(self._history.head or None)
        self._store.sync()
        reach("ingest.segments-synced")
        while True:
            self._rebase()
            if not self._seen:
                return self._result(self._upto)
            if self._guard is not None:
                self._guard()
            record = self._record()
            if self._create(record):
                reach("ingest.committed")
                self._history.refresh()
                write_checkpoint(self._store, self._history.tenant, record.number)
                return self._result(record.number)
            self._history.refresh()

    def _record(self) -> CommitRecord:
        history = self._history
        days = days_of(self._refs)
        segments = place_segments(self._store, history.tenant, self._refs)
        reach("ingest.list-written")
        ids = place_ids(self._store, history.tenant, list(self._seen.items()))
        reach("ingest.ids-written")
        self._store.sync()
        last = history.record(self._upto) if self._upto else None
        return fit(
            CommitRecord(
                number=self._upto + 1,
                kind=self._kind,
                put_id=uuid.uuid4().hex,
                prev=last.sha256 if last else GENESIS,
                time=format_instant(max(now(), parse_instant(last.time) if last else 0)),
                events=len(self._seen),
                ranges=ranges_of(days),
                first_day=days[0],
                last_day=days[-1],
                segments=segments,
                ids=ids,
                batch=self._batch_note(),
                own=self._own,
                silent=self._silent,
            )
        )

    def _batch_note(self) -> dict[str, Any] | None:
        if self._batch_id is None:
            return None
        return {"id": self._batch_id, "duplicates": self._duplicates, "rejected": self._rejected_count}

    def _create(self, record: CommitRecord) -> bool:
        body = record.encode()
        if len(body) > MAX_RECORD:
            raise InputError(
                f"the commit record has {len(body)} bytes", where=self._history.tenant, remedy="use a shorter batch id"
            )
        key = keys.commit(self._history.tenant, record.number)
        return create_settled(self._store, key, body, lambda found: put_id_of(found) == record.put_id)

    def _rebase(self) -> None:
        """Takes out of the batch what was committed since it was last compared with the log."""
        before, self._upto = self._upto, self._history.head
        if before == self._upto:
            return
        if self._batch_id is not None and (winner := self._history.batch(self._batch_id)) is not None:
            raise Conflict(
                f"batch {self._batch_id!r} was committed by another process as {winner.number}",
                where=self._history.tenant,
                remedy="ingest it again to get that commit's counts",
            )
        taken: dict[bytes, bytes] = {}
        touched: set[tuple[str, int]] = set()
        for record in self._history.records(before, self._upto):
            taken.update(pair for pair in self._history.run_of(record) if pair[0] in self._seen)
            touched.update((ref.entity, ref.day) for ref in self._history.segments(record))
        if taken:
            self._drop(taken, touched)
            self._refuse_if_bad()
            self._store.sync()

    def _drop(self, taken: dict[bytes, bytes], touched: set[tuple[str, int]]) -> None:
        clash = any(self._seen[identity] != known for identity, known in taken.items())
        kept: list[SegmentRef] = []
        again: list[Event] = []
        for ref in self._refs:
            # The same event has the same entity and day; only a conflicting one can lie in any segment.
            if not clash and (ref.entity, ref.day) not in touched:
                kept.append(ref)
                continue
            events = [self._renormalise(line) for line in read_segment(self._store, self._history.tenant, ref)]
            fresh = [event for event in events if event.identity not in taken]
            if len(fresh) == len(events):
                kept.append(ref)
                continue
            for event in events:
                if (known := taken.get(event.identity)) is not None:
                    self._settle(event, known)
            again += fresh
        self._refs = kept
        self._write(again)

    def _settle(self, event: Event, known: bytes) -> None:
        del self._seen[event.identity]
        if known == event.digest:
            self._duplicates += 1
        else:
            self._reject(0, _conflict(event, "in the log, where another process committed it first"), _raw(event))

    def _renormalise(self, line: bytes) -> Event:
        return Normaliser(self._normalise.limits, internal=True)(_loads(line))

    def _refuse_if_bad(self) -> None:
        if not self._rejected_count or self._skip_bad:
            return
        first = self._rejected[0]
        more = f" and {self._rejected_count - 1} more" if self._rejected_count > 1 else ""
        raise RefusedBatch(
            f"{first.reason}{more}; the batch was refused and nothing of it is stored",
            where=f"line {first.line}" if first.line else self._history.tenant,
            remedy="correct the events, or ingest with skip_bad (--skip-bad) to keep the good ones",
            commit=Commit(None, 0, 0, self._rejected, self._rejected_count),
        )

    def _result(self, number: int | None) -> Commit:
        return Commit(number, len(self._seen), self._duplicates, self._rejected, self._rejected_count)


def ingest(
    history: History,
    items: Iterable[tuple[int, Any]],
    *,
    normalise: Normaliser | None = None,
    skip_bad: bool = False,
    batch_id: str | None = None,
    on_reject: Callable[[int, str, Any], None] | None = None,
) -> Commit:
    """Ingests (line, raw event) pairs as one batch and returns its commit.

    A batch id that the log already knows returns the counts of its first commit; the events are not read again.
    Raises `RefusedBatch`, `Unavailable`, and `Conflict` when two processes commit one batch id at the same time.
    """
    history.refresh()
    if batch_id is not None and (done := history.batch(check_batch_id(batch_id))) is not None and done.batch:
        return Commit(done.number, done.events, done.batch["duplicates"], [], done.batch["rejected"])
    batch = Batch(history, normalise=normalise, skip_bad=skip_bad, batch_id=batch_id, on_reject=on_reject)
    for line, raw in items:
        batch.add(line, raw)
    return batch.commit()


def check_batch_id(batch_id: str) -> str:
    """The batch id, or `InputError`: 1 to 256 printable characters."""
    if not 1 <= len(batch_id) <= 256 or not batch_id.isprintable():
        raise InputError("a batch id has 1 to 256 printable characters", where="batch_id", remedy="shorten it")
    return batch_id


def fit(record: CommitRecord) -> CommitRecord:
    """The record, without the day ranges where they make it longer than 4 KB: the segment list holds the days too."""
    return record if len(record.encode()) <= MAX_RECORD else replace(record, ranges=())


def _reason(error: InputError) -> str:
    return f"{error.what}: {error.remedy}" if error.remedy else error.what


def _conflict(event: Event, place: str) -> str:
    return (
        f"source {event.source!r} and id {event.id!r} are {place} with other content: "
        f"give the changed event an id of its own"
    )


def _raw(event: Event) -> Any:
    return _loads(event.line)


def _loads(line: bytes) -> Any:
    import json

    return json.loads(line)
