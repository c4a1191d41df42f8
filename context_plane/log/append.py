"""Appending: the plane's own events, as one batch, all or none.

Here belongs the write path of whatever the plane itself has to say: memory, knowledge, receipts. Events of users come
in by `ingest`, which refuses the types that are used here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from context_plane.errors import InputError
from context_plane.log.events import RESERVED, Limits, Normaliser, said
from context_plane.log.ingest import Batch

if TYPE_CHECKING:
    from context_plane.log.history import History
    from context_plane.log.outcome import Commit


def append(
    history: History,
    events: Iterable[Mapping[str, Any]],
    *,
    limits: Limits | None = None,
    guard: Callable[[], None] | None = None,
) -> Commit:
    """Stores the plane's own events and returns their commit; when this returns, readers find them.

    `guard` is called with everything in `history` that was committed before the number that the batch is about to take,
    and again after each number that was lost to another writer: it refuses the batch by raising. Raises what it raises,
    `RefusedBatch` for events that are no events or in conflict with the log, `Unavailable`.
    """
    history.refresh()
    told = list(events)
    silent = not any(said(event.get("data")) for event in told)
    batch = Batch(history, normalise=Normaliser(limits, internal=True), own=True, silent=silent, guard=guard)
    for line, event in enumerate(told, 1):
        if not str(event.get("type", "")).startswith(RESERVED):
            what = f"type {event.get('type')!r:.64} is not the plane's own"
            raise InputError(what, where=f"event {line}", remedy=f"types of own events begin with {RESERVED!r}")
        batch.add(line, event)
    return batch.commit()
