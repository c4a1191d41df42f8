"""Receipts as the log keeps them: found by their id without reading anything else.

Every receipt is an entity of its own with one event, so that its segment is known from the commit that brought it.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Final

from context_plane.bundles.answers.receipt import Receipt, decode, entity_of, split
from context_plane.errors import NotFound
from context_plane.instants import parse_instant
from context_plane.log.events import RECEIPT
from context_plane.log.history import removed
from context_plane.log.segments import SegmentRef, read_segment

if TYPE_CHECKING:
    from context_plane.log.history import History

_PREFIX: Final = "receipt/"


class Receipts:
    """The receipts of one tenant. Safe for threads."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._held: dict[str, tuple[int, SegmentRef]] = {}
        self._upto = 0
        self._lock = threading.Lock()

    def read(self, id_: str) -> Receipt:
        """A receipt by its id. Raises `NotFound`, `InputError` for what is no id, `Corrupt`."""
        entity = entity_of(id_)
        found = self._known().get(entity)
        if found is None:
            remedy = "check the id; cortex audit show TENANT lists those that there are"
            raise NotFound(f"there is no receipt {id_}", where=f"tenant {self._history.tenant}", remedy=remedy)
        number, ref = found
        erased, _ = removed(self._history.records(number))
        if erased.get(entity, 0) > number:
            remedy = "what was erased cannot be replayed"
            raise NotFound(f"receipt {id_} was erased", where=f"tenant {self._history.tenant}", remedy=remedy)
        for line in read_segment(self._history.store, self._history.tenant, ref):
            event = json.loads(line)
            if event["type"] == RECEIPT and event["id"] == split(id_)[1]:
                return decode(self._history.tenant, parse_instant(event["time"]), event["id"], event["data"])
        raise NotFound(f"there is no receipt {id_}", where=f"tenant {self._history.tenant}", remedy="check the id")

    def ids(self) -> list[str]:
        """All receipts, the oldest first."""
        held = sorted(self._known().items(), key=lambda pair: (pair[1][0], pair[0]))
        return [f"{self._history.tenant}.{entity.removeprefix(_PREFIX)}" for entity, _ in held]

    def _known(self) -> dict[str, tuple[int, SegmentRef]]:
        head = self._history.refresh()
        with self._lock:
            for record in self._history.records(self._upto, head):
                if record.own:
                    for ref in self._history.segments(record):
                        if ref.entity.startswith(_PREFIX):
                            self._held[ref.entity] = record.number, ref
            self._upto = head
            return self._held
