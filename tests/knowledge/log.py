"""Commits that nothing in the plane makes yet, written as the log's specification says: erasures and rewrites."""

from __future__ import annotations

import json
from dataclasses import replace

from context_plane.log.commits import CommitRecord
from context_plane.log.events import Normaliser
from context_plane.log.history import History
from context_plane.log.segments import SegmentRef, SegmentWriter, read_segment
from context_plane.store import keys
from context_plane.store.base import Store


def erase(store: Store, tenant: str, entity: str) -> None:
    """A tombstone."""
    _commit(store, tenant, kind="tombstone", entities=(entity,), segments=(), ranges=(), own=False)


def rewrite(store: Store, tenant: str, entity: str, *, keep: bool = True) -> None:
    """One segment a day in the place of all segments of an entity; or none where they are to be taken back."""
    history = _history(store, tenant)
    refs = [ref for record in history.records() for ref in history.segments(record) if ref.entity == entity]
    by_day: dict[int, list[SegmentRef]] = {}
    for ref in refs:
        by_day.setdefault(ref.day, []).append(ref)
    made = []
    for group in by_day.values() if keep else ():
        lines = [line for ref in group for line in read_segment(store, tenant, ref)]
        events = [Normaliser(internal=True)(json.loads(line)) for line in lines]
        ref, body = SegmentWriter().pack(events)
        store.put_content([(ref.key(tenant), body)])
        made.append(ref)
    _commit(store, tenant, kind="rewrite", replaces=tuple(ref.sha256 for ref in refs), segments=tuple(made), own=False)


def _history(store: Store, tenant: str) -> History:
    history = History(store, tenant)
    history.refresh()
    return history


def _commit(store: Store, tenant: str, **changes: object) -> None:
    last = _history(store, tenant).records()[-1]
    record: CommitRecord = replace(
        last, number=last.number + 1, prev=last.sha256, put_id=f"made-{last.number}", events=0, ids=(), **changes
    )  # type: ignore[arg-type]  # fmt: skip
    assert store.create(keys.commit(tenant, record.number), record.encode())
