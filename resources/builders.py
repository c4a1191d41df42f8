"""The builders of a plane's tenants: each opened once, with the specs that the home holds now.

Here belong the choice of specs for a builder and nothing of what it builds. Imports no Dagster: a command that finds
nothing to do should not have to.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from context_plane.bundles.folder import Specs, read_specs
from context_plane.errors import NotFound
from context_plane.store import keys

if TYPE_CHECKING:
    from context_plane.log.history import History
    from context_plane.materialize import Builder
    from context_plane.parts.snapshots import Snapshots
    from context_plane.plane import ContextPlane


class Builders:
    """The builders of one plane. What a tenant's builder has read of the log is kept for the next call."""

    def __init__(self, plane: ContextPlane) -> None:
        self.plane = plane
        self._specs: Specs | None = None
        self._opened: dict[str, tuple[History, Snapshots]] = {}

    @property
    def specs(self) -> Specs:
        """The context specs of the home, as they were at the first call or the last `look_again`."""
        if self._specs is None:
            self._specs = read_specs(self.plane.settings.contexts)
        return self._specs

    def look_again(self) -> None:
        """Reads the specs anew at the next call, and opens again the tenants of which derived data were removed."""
        self._specs = None
        for tenant, (_, snapshots) in list(self._opened.items()):
            latest = snapshots.latest()
            if latest is not None and self.plane.store.head(keys.snapshot(tenant, latest.number)) is None:
                del self._opened[tenant]

    def tenants(self) -> list[str]:
        """Names of the tenants in the store, sorted, with or without events."""
        return self.plane.tenants()

    def all(self) -> Iterator[Builder]:
        """The builders of all tenants that have events; of others a killed writer may have left a folder."""
        for tenant in self.tenants():
            with suppress(NotFound):
                yield self.of(tenant)

    def of(self, tenant: str) -> Builder:
        """The builder of a tenant. Raises `NotFound` where it has no events.

        While a spec file is broken, nobody knows which packs were its own, so none are dropped. A home without any spec
        goes on with those that were published, as readers do: a worker may have been given the store alone.
        """
        from context_plane.materialize import Builder

        history, snapshots = self._open(tenant)
        if not history.refresh():
            raise NotFound(f"tenant {tenant!r} has no events", where=self.plane.store.url, remedy="ingest some first")
        settings, specs = self.plane.settings, self.specs
        return Builder(
            history, snapshots, self.plane.files, specs.good, settings.grain, drop=not specs.broken,
            search=self.plane.search_settings(tenant), memory=self.plane.memory_settings(),
        )  # fmt: skip

    def _open(self, tenant: str) -> tuple[History, Snapshots]:
        from context_plane.log.history import History
        from context_plane.parts.snapshots import Snapshots

        if tenant not in self._opened:
            store = self.plane.store
            self._opened[tenant] = History(store, keys.check_tenant(tenant)), Snapshots(store, tenant)
        return self._opened[tenant]
