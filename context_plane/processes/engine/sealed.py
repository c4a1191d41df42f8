"""Executions as the log keeps them: found by their id without reading anything else.

The records of an execution are an entity of their own. Here belongs reading; what is written is `sealing`'s.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from context_plane.log.own import OwnSegments
from context_plane.log.segments import read_segment
from context_plane.processes.engine.records import Record
from context_plane.processes.engine.sealing import RECORD, entity_of

if TYPE_CHECKING:
    from context_plane.log.history import History

_KIND: Final = "execution"


class Sealed:
    """The executions in one tenant's log. Safe for threads."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._own = OwnSegments(history, _KIND)

    def records(self, id: str) -> list[Record]:
        """The records of an execution, in order; none for one that is not in the log, or of which some were erased."""
        found: dict[int, Record] = {}
        for ref in self._own.of(entity_of(id)):
            for line in read_segment(self._history.store, self._history.tenant, ref):
                event = json.loads(line)
                if event["type"] == RECORD:
                    seq, data = int(event["id"].rpartition("/")[2]), event["data"]
                    found[seq] = Record(seq, data["kind"], data["at"], data["body"])
        # What came after an erasure is the end of a story whose beginning nobody may know.
        return [found[seq] for seq in sorted(found)] if found.keys() == set(range(len(found))) else []

    def like(self, prefix: str) -> str | None:
        """The id of an execution that begins so; `None` where there is none."""
        start = entity_of(prefix)
        found = min((each for each in self._own.all() if each.startswith(start) and self._whole(each)), default=None)
        return None if found is None else self._id(found)

    def ids(self) -> list[str]:
        """All executions, in the order in which the log has them."""
        return [self._id(entity) for entity in self._own.all() if self._whole(entity)]

    def _id(self, entity: str) -> str:
        return f"{self._history.tenant}.{entity.removeprefix(f'{_KIND}/')}"

    def _whole(self, entity: str) -> bool:
        """Whether `records` has something of an entity; it is only read where something was taken away."""
        return not self._own.cut(entity) or bool(self.records(self._id(entity)))
