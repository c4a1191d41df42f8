"""Views: what one reader sees — the log up to a number, cut at an instant — as parts plus a tail.

The instant is the data clock where none is asked for. The plane's own events do not move that clock, but what was
remembered a minute ago is to be seen: of events there are none but the plane's own between `as_of` and `end`.

Everything up to the snapshot's log number comes from its parts; what later commits brought is the tail, read from their
segments. A day whose part already holds more than the snapshot's number is not counted twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from context_plane.errors import InputError, NotFound
from context_plane.instants import DAY, format_instant, to_datetime
from context_plane.log.history import History, live_segments, removed
from context_plane.log.segments import SegmentRef
from context_plane.parts.part import TIMELINE, Catalog, Part
from context_plane.parts.snapshots import Snapshot, Snapshots
from context_plane.parts.timeline import read_rows, table
from context_plane.store import keys

if TYPE_CHECKING:
    import pyarrow as pa

    from context_plane.log.commits import CommitRecord
    from context_plane.parts.files import Files


@dataclass(frozen=True)
class Tail:
    """Segments of the commits that the parts do not hold, by entity."""

    segments: dict[str, list[SegmentRef]] = field(default_factory=dict)
    touched: frozenset[str] = frozenset()
    """Entities that a commit after the snapshot touched; their bundles are computed fresh."""
    outdated: frozenset[int] = frozenset()
    """Days whose part is not used: something was taken away from them since."""


@dataclass(frozen=True)
class View:
    """The log up to `number`, cut at `as_of` (microseconds, exclusive)."""

    tenant: str
    number: int
    as_of: int
    clock: int
    """The data clock: the end of the newest event day up to `number`."""
    end: int
    """Where the plane's own events are cut: at `as_of` where one was asked for, else behind the day on which the last
    of them was told."""
    snapshot: Snapshot | None
    tail: Tail
    history: History
    files: Files

    @cached_property
    def as_of_text(self) -> str:
        """`as_of` in RFC 3339."""
        return format_instant(self.as_of)

    @property
    def catalog(self) -> Catalog:
        """The parts of the snapshot."""
        return self.snapshot.catalog if self.snapshot else Catalog()

    def parts(self, since: int | None = None, until: int | None = None) -> list[Part]:
        """Timelines of the days that lie in [since, until) and before `end`."""
        end = self.end if until is None else min(until, self.end)
        return [
            part
            for day, part in self.catalog.of(TIMELINE).items()
            if day * DAY < end and (since is None or (day + 1) * DAY > since) and day not in self.tail.outdated
        ]

    def paths(self, since: int | None = None, until: int | None = None) -> list[Path]:
        """Verified local Parquet files of those days."""
        return self.files.fetch_all(
            (keys.timeline(self.tenant, part.date, part.version), part.version, part.size)
            for part in self.parts(since, until)
        )

    def fresh(self, entity: str | None = None, since: int | None = None, until: int | None = None) -> pa.Table:
        """The tail's events (of one entity) with a time in [since, until) and before `end`, in timeline order."""
        end = self.end if until is None else min(until, self.end)
        groups = self.tail.segments.values() if entity is None else [self.tail.segments.get(entity, [])]
        refs = [ref for group in groups for ref in group if ref.first < end and (since is None or ref.last >= since)]
        rows = [r for r in read_rows(self.history, refs) if r[1] < end and (since is None or r[1] >= since)]
        return table(rows)

    def events(self, entity: str | None = None, since: int | None = None, until: int | None = None) -> pa.Table:
        """Events (of one entity) in [since, until) and before `end`, from parts and tail, in timeline order."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        from context_plane.parts.timeline import schema

        end = self.end if until is None else min(until, self.end)
        filters: list[tuple[str, str, object]] = [("time", "<", to_datetime(end))]
        if since is not None:
            filters.append(("time", ">=", to_datetime(since)))
        if entity is not None:
            filters.append(("entity", "=", entity))
        tables = [
            pq.read_table(path, schema=schema(), filters=filters, use_threads=False)
            for path in self.paths(since, until)
        ]
        tables.append(self.fresh(entity, since, until))
        order = [("entity", "ascending"), ("time", "ascending"), ("source", "ascending"), ("id", "ascending")]
        return pa.concat_tables(tables).sort_by(order)


def open_view(
    history: History,
    snapshots: Snapshots,
    files: Files,
    *,
    as_of: int | None = None,
    known_at: int | None = None,
    latest: tuple[int, Snapshot | None] | None = None,
) -> View:
    """The view of a tenant now, or as it was known at a log number.

    `as_of=None` is the data clock; `latest` gives the newest log number and snapshot to whom they are known. Raises
    `NotFound` for a tenant without events and `InputError` for a `known_at` beyond the log.
    """
    head = history.refresh() if latest is None else latest[0]
    if not head:
        raise NotFound(f"tenant {history.tenant!r} has no events", where=history.store.url, remedy="ingest some first")
    number = head if known_at is None else known_at
    if type(number) is not int or not 1 <= number <= head:
        raise InputError(f"known_at {number!r:.64} is not in the log", where=history.tenant, remedy=f"use 1 to {head}")
    snapshot = snapshots.latest() if latest is None else latest[1]
    if snapshot is not None and snapshot.newest > number:
        if known_at is None:
            number = history.refresh()  # published between the two looks: the log is at least as far by now
        else:
            snapshot = snapshots.at(known_at)
    clock, end = history.clock(number) or 0, history.end(number) or 0
    cut = (clock, end) if as_of is None else (as_of, as_of)
    tail = tail_of(history, snapshot, number)
    return View(history.tenant, number, cut[0], clock, cut[1], snapshot, tail, history, files)


def tail_of(
    history: History,
    snapshot: Snapshot | None,
    number: int,
    kind: str = TIMELINE,
    without: Callable[[CommitRecord], bool] | None = None,
) -> Tail:
    """What the parts of one kind in a snapshot lack of the log up to `number`, but for commits `without` which the kind
    is the same."""
    after = snapshot.log if snapshot else 0
    if after >= number:
        return Tail()
    held = dict(snapshot.catalog.of(kind)) if snapshot else {}
    outdated = _outdated(history, held, after, number)
    segments: dict[str, list[SegmentRef]] = {}
    touched: set[str] = set()
    for commit, ref in live_segments(history, 0 if outdated else after, number):
        if without is not None and without(history.record(commit)):
            continue
        if commit > after:
            touched.add(ref.entity)
        if ref.day in outdated:
            touched.add(ref.entity)
            segments.setdefault(ref.entity, []).append(ref)
        elif commit > after and (ref.day not in held or held[ref.day].number < commit):
            segments.setdefault(ref.entity, []).append(ref)
    touched.update(_taken_away(history, after, number))
    return Tail(segments, frozenset(touched), outdated)


def _outdated(history: History, held: Mapping[int, Part], after: int, number: int) -> frozenset[int]:
    """Days whose part still holds what a later tombstone or rewrite took away; the log itself serves them meanwhile."""
    return frozenset(
        day
        for record in history.records(after, number)
        if record.kind != "ingest"
        for day in history.affected(record)
        if day in held and held[day].number < record.number
    )


def _taken_away(history: History, after: int, number: int) -> set[str]:
    """Entities of which tombstones and rewrites after a snapshot took something away."""
    erased, replaced = removed(history.records(after, number))
    if not replaced:
        return set(erased)
    before = (ref for record in history.records(0, number) for ref in history.segments(record))
    return set(erased) | {ref.entity for ref in before if ref.sha256 in replaced}
