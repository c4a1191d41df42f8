"""Keeping: how what a tenant remembers is loaded, kept up with its log, and shown at a view.

Here belongs reading: parts of the snapshot first, then the own commits that they lack. Only these are looked at,
so that catching up costs nothing while a tenant's other events come in.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from context_plane.log.events import RECEIPT, row
from context_plane.log.history import removed
from context_plane.log.segments import read_segment
from context_plane.memory.nodes import part as parts
from context_plane.memory.nodes.memory import Memory
from context_plane.memory.nodes.node import SOURCE
from context_plane.memory.nodes.part import Rows
from context_plane.memory.nodes.seen import Seen
from context_plane.parts.part import MEMORY, Part

if TYPE_CHECKING:
    from collections.abc import Callable

    from context_plane.log.history import History
    from context_plane.log.segments import SegmentRef
    from context_plane.parts.snapshots import Snapshot
    from context_plane.parts.view import View

    ReadParts = Callable[[Snapshot, frozenset[int]], Rows]

_PAST_KEPT: Final = 4


class Keeper:
    """What one tenant remembers. Safe for threads."""

    def __init__(self, history: History, read: ReadParts) -> None:
        """`read` gives what a snapshot's parts of memory hold, but for some days."""
        self._history = history
        self._read = read
        self._head: Memory | None = None
        self._base = 0
        """The newest log number that is in what was loaded first: views before it need a memory of their own."""
        self._past: dict[int, Memory] = {}
        self._lock = threading.RLock()

    def seen(self, view: View) -> Seen:
        """What a view shows."""
        memory = self._at(view)
        return Seen(memory, view.end, view.number)

    def latest(self) -> Seen:
        """Everything up to the log's head, also what holds from a later day on: for whoever has just added to it."""
        memory = self.head(None)
        return Seen(memory, self._history.beyond(memory.number) or 0, memory.number)

    def head(self, snapshot: Snapshot | None) -> Memory:
        """Everything up to the head of the log as it was last looked at, for whoever is about to add to it.

        `snapshot` is what it is loaded from, if it has not been yet."""
        with self._lock:
            newer = snapshot is not None and snapshot.newest > self._history.head
            until = self._history.refresh() if newer else self._history.head
            if self._head is None or self._erased(self._head.number, until):
                self._head = self._load(snapshot, until)
                self._base = until
            self._catch_up(self._head, until)
            return self._head

    def _at(self, view: View) -> Memory:
        with self._lock:
            if self._head is None or view.number >= self._base:
                head = self.head(view.snapshot)
                if view.number >= self._base:
                    return head
            known = self._past.get(view.number)
            if known is None:
                while len(self._past) >= _PAST_KEPT:
                    self._past.pop(next(iter(self._past)))
                known = self._past[view.number] = self._load(view.snapshot, view.number)
            return known

    def _erased(self, after: int, until: int) -> bool:
        return any(record.kind != "ingest" for record in self._history.records(after, until))

    def _catch_up(self, memory: Memory, until: int) -> None:
        for record in self._history.records(memory.number, until):
            if record.own:
                memory.add(self._rows(self._history.segments(record)), record.number)
        memory.number = max(memory.number, until)

    def _load(self, snapshot: Snapshot | None, until: int) -> Memory:
        """What parts hold, and what they lack of the commits up to `until`."""
        held: Mapping[int, Part] = (
            snapshot.catalog.made_by(MEMORY, {"format": parts.FORMAT}) if snapshot is not None else {}
        )
        outdated = frozenset(
            day
            for record in self._history.records(0, until)
            if record.kind != "ingest"
            for day in self._history.affected(record)
            if day in held and held[day].number < record.number
        )
        memory = Memory(until)
        if snapshot is not None and held:
            memory.add(self._read(snapshot, outdated))
        erased, replaced = removed(self._history.records(0, until))
        lacking = [
            ref
            for record in self._history.records(0, until)
            if record.own
            for ref in self._history.segments(record)
            if ref.sha256 not in replaced and erased.get(ref.entity, 0) < record.number
            if ref.day not in held or ref.day in outdated or held[ref.day].number < record.number
        ]
        memory.add(self._rows(lacking))
        return memory

    def _rows(self, refs: Any) -> Rows:
        return parts.fold(_events(self._history, refs))


def _events(history: History, refs: list[SegmentRef]) -> Iterator[parts.Row]:
    """Rows of own segments, of those entities that are not the plane's business alone."""
    for ref in refs:
        for line in read_segment(history.store, history.tenant, ref):
            if SOURCE.encode() in line or RECEIPT.encode() in line:
                entity, at, source, id_, type_, _, _, data, *_ = row(line)
                yield entity, at, source, id_, type_, data
