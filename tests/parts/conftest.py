"""A small world: a store, a tenant's log, and shorthands for building and publishing timelines."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from context_plane.log.history import History
from context_plane.log.ingest import ingest
from context_plane.log.outcome import Commit
from context_plane.parts import timeline
from context_plane.parts.files import Files
from context_plane.parts.publish import publish
from context_plane.parts.snapshots import Snapshot, Snapshots
from context_plane.parts.view import View, open_view
from context_plane.store.base import Store
from context_plane.store.local import LocalStore

FIRST_DAY = 20_513  # 2026-03-01


def event(number: int, entity: str = "customer/a", day: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "source": "test",
        "type": "test.event",
        "subject": entity,
        "time": f"2026-03-{day:02d}T{number % 24:02d}:00:00Z",
        "data": {"n": number},
        **changes,
    }


class World:
    """One process's eyes on a tenant."""

    def __init__(self, store: Store, cache: Path) -> None:
        self.store = store
        self.history = History(store, "acme")
        self.snapshots = Snapshots(store, "acme")
        self.files = Files(store, cache)

    def ingest(self, events: Iterable[Any]) -> Commit:
        return ingest(self.history, enumerate(events, 1))

    def build(self, first: int = 1, last: int = 28) -> timeline.Built:
        until = self.history.refresh()
        days = (FIRST_DAY + first - 1, FIRST_DAY + last - 1)
        return timeline.build(self.history, self.files, self.snapshots.current(), days, until)

    def publish(self) -> Snapshot | None:
        return publish(self.history, self.snapshots)

    def view(self, as_of: int | None = None, known_at: int | None = None) -> View:
        return open_view(self.history, self.snapshots, self.files, as_of=as_of, known_at=known_at)

    def ids(self, **cut: Any) -> list[str]:
        """Ids of the events a view shows, sorted as numbers."""
        return sorted(self.view(**cut).events().column("id").to_pylist(), key=int)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return LocalStore(tmp_path / "store")


@pytest.fixture
def world(store: Store, tmp_path: Path) -> World:
    return World(store, tmp_path / "cache")
