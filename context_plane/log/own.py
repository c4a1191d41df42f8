"""Own: what the plane itself keeps in a log, such as executions, found without reading anything else.

Such things are entities of a kind of their own, so that their segments are known from the commits that brought them.
Here belongs which of these segments are still there.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from context_plane.log.commits import CommitRecord
    from context_plane.log.history import History
    from context_plane.log.segments import SegmentRef


class OwnSegments:
    """The segments of the plane's own entities of one kind in a tenant's log, without what was erased or replaced. Each
    commit is looked at once. Safe for threads."""

    def __init__(self, history: History, kind: str) -> None:
        self._history = history
        self._prefix = f"{kind}/"
        self._held: dict[str, list[SegmentRef]] = {}
        self._cut: set[str] = set()
        self._upto = 0
        self._lock = threading.Lock()

    def of(self, entity: str) -> list[SegmentRef]:
        """Those of one entity, in the order of the log."""
        with self._lock:
            self._refresh()
            return list(self._held.get(entity, ()))

    def all(self) -> dict[str, list[SegmentRef]]:
        """Those of all entities that have any, in the order in which the log has them."""
        with self._lock:
            self._refresh()
            return dict(self._held)

    def cut(self, entity: str) -> bool:
        """Whether something of an entity was taken away, so that what is left of it is not all."""
        return entity in self._cut

    def _refresh(self) -> None:
        head = self._history.refresh()
        for record in self._history.records(self._upto, head):
            self._take(record)
            self._upto = record.number

    def _take(self, record: CommitRecord) -> None:
        if record.kind == "tombstone":
            for entity in record.entities:
                if self._held.pop(entity, None) is not None:
                    self._cut.add(entity)
        elif record.replaces:
            self._replace(frozenset(record.replaces))
        if record.own or record.kind == "rewrite":
            for ref in self._history.segments(record):
                if ref.entity.startswith(self._prefix):
                    self._held.setdefault(ref.entity, []).append(ref)

    def _replace(self, gone: frozenset[str]) -> None:
        for entity, refs in list(self._held.items()):
            left = [ref for ref in refs if ref.sha256 not in gone]
            if len(left) < len(refs):
                self._cut.add(entity)
                self._held[entity] = left
                if not left:
                    del self._held[entity]
