"""What a process holds of one tenant: its log, its snapshots, its readers, and the view it last looked through."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from functools import cached_property
from time import monotonic
from typing import TYPE_CHECKING

from context_plane.instants import parse_cut

if TYPE_CHECKING:
    from context_plane.bundles.answers.kept import Receipts
    from context_plane.bundles.packages.imports import Imports
    from context_plane.bundles.serve import BundleReader
    from context_plane.log.history import History
    from context_plane.memory.nodes.keeping import Keeper
    from context_plane.memory.nodes.part import Rows
    from context_plane.parts.files import Files
    from context_plane.parts.snapshots import Snapshot, Snapshots
    from context_plane.parts.view import View
    from context_plane.store.base import Store

Cut = str | date | datetime | int | None


class Tenant:
    """One tenant as a process knows it."""

    def __init__(self, store: Store, files: Files, name: str, max_staleness: float) -> None:
        from context_plane.bundles.serve import BundleReader
        from context_plane.log.history import History
        from context_plane.parts.snapshots import Snapshots

        self.name = name
        self.history: History = History(store, name)
        self.snapshots: Snapshots = Snapshots(store, name)
        self.bundles: BundleReader = BundleReader(name, files)
        self.lock = threading.Lock()
        """Held by who ingests: batches of one process would only race each other."""
        self._files = files
        self._max_staleness = 0.0 if store.local else max_staleness
        self._view: View | None = None
        self._looked = 0.0
        self._seen: tuple[int, Snapshot | None] | None = None

    @cached_property
    def memory(self) -> Keeper:
        """What the tenant remembers."""
        from context_plane.memory.nodes.keeping import Keeper

        return Keeper(self.history, self._remembered)

    @cached_property
    def receipts(self) -> Receipts:
        """The receipts of its answers."""
        from context_plane.bundles.answers.kept import Receipts

        return Receipts(self.history)

    @cached_property
    def imports(self) -> Imports:
        """The packages that came from elsewhere."""
        from context_plane.bundles.packages.imports import Imports

        return Imports(self.history)

    def _remembered(self, snapshot: Snapshot, outdated: frozenset[int]) -> Rows:
        """What a snapshot's parts of memory hold, without those of some days."""
        from context_plane.memory.nodes.part import decode, merge
        from context_plane.parts.daily import chosen, open_part
        from context_plane.parts.part import MEMORY

        parts = chosen(MEMORY, snapshot.catalog, outdated)
        return merge([decode(*open_part(self._files, self.name, MEMORY, part)) for part in parts])

    def exists(self) -> bool:
        """Whether there are events. Looks into the store where none are known yet."""
        return bool(self.history.head) or self._look()[0] > 0

    def view(self, as_of: Cut = None, known_at: int | None = None) -> View:
        """The view now, or cut; the newest one is kept while nothing new is in the store.

        Raises `NotFound` where there are no events, `InputError` for an impossible cut.
        """
        from context_plane.parts.view import open_view

        cut = parse_cut(as_of, where="as_of")
        if known_at is not None or cut is not None:
            return open_view(self.history, self.snapshots, self._files, as_of=cut, known_at=known_at)
        view = self._view
        looked = self._seen if self._max_staleness and monotonic() - self._looked < self._max_staleness else None
        head, snapshot = looked or self._look()
        if view is None or view.number != head or view.snapshot is not snapshot:
            view = self._view = open_view(self.history, self.snapshots, self._files, latest=(head, snapshot))
            self._seen = view.number, view.snapshot
        return view

    def look_again(self) -> None:
        """Makes the next read ask the store, however long ago the last one did."""
        self._seen = None

    def _look(self) -> tuple[int, Snapshot | None]:
        """The log number and the snapshot that are the newest in the store: a local one is asked every time, a remote
        one once in a while, both at once because each answer is a round trip."""
        looked = monotonic()
        if self._max_staleness:
            with ThreadPoolExecutor(1, "look") as pool:
                snapshot = pool.submit(self.snapshots.latest)
                seen = self.history.refresh(), snapshot.result()
        else:
            seen = self.history.refresh(), self.snapshots.latest()
        self._looked, self._seen = looked, seen
        return seen
