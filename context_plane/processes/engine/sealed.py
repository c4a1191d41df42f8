"""Executions as the log keeps them: found by their id without reading anything else.

The records of an execution are an entity of their own, so that their segments are known from the commits that brought
them. Here belongs reading; what is written is `sealing`'s.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Final

from context_plane.log.history import removed
from context_plane.log.segments import SegmentRef, read_segment
from context_plane.processes.engine.records import Record
from context_plane.processes.engine.sealing import RECORD, entity_of

if TYPE_CHECKING:
    from context_plane.log.history import History

_PREFIX: Final = "execution/"


class Sealed:
    """The executions in one tenant's log. Safe for threads."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._held: dict[str, list[tuple[int, SegmentRef]]] = {}
        self._upto = 0
        self._lock = threading.Lock()

    def records(self, id: str) -> list[Record]:
        """The records of an execution, in order; none for one that is not in the log, or was erased."""
        entity, history = entity_of(id), self._history
        erased, _ = removed(history.records(0, history.refresh()))
        found: dict[int, Record] = {}
        for number, ref in self._known().get(entity, []):
            if erased.get(entity, 0) < number:
                for line in read_segment(history.store, history.tenant, ref):
                    event = json.loads(line)
                    if event["type"] == RECORD:
                        seq, data = int(event["id"].rpartition("/")[2]), event["data"]
                        found[seq] = Record(seq, data["kind"], data["at"], data["body"])
        return [found[seq] for seq in sorted(found)]

    def like(self, prefix: str) -> str | None:
        """The id of an execution that begins so; `None` where there is none."""
        start = entity_of(prefix)
        found = min((entity for entity in self._known() if entity.startswith(start)), default=None)
        return None if found is None else f"{self._history.tenant}.{found.removeprefix(_PREFIX)}"

    def ids(self) -> list[str]:
        """All executions, in the order in which the log has them."""
        held = sorted(self._known().items(), key=lambda pair: (pair[1][0][0], pair[0]))
        return [f"{self._history.tenant}.{entity.removeprefix(_PREFIX)}" for entity, _ in held]

    def _known(self) -> dict[str, list[tuple[int, SegmentRef]]]:
        head = self._history.refresh()
        with self._lock:
            for record in self._history.records(self._upto, head):
                if record.own:
                    for ref in self._history.segments(record):
                        if ref.entity.startswith(_PREFIX):
                            self._held.setdefault(ref.entity, []).append((record.number, ref))
            self._upto = max(self._upto, head)
            return self._held
