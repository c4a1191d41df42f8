"""Building: the assets' way in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from context_plane.errors import InputError
from context_plane.facade.opened import Opened

if TYPE_CHECKING:
    from context_plane.materialize import Builder, MemorySettings, SearchSettings
    from context_plane.retrieval.building.embeddings import Embeddings


class Building(Opened):
    """What materializes a tenant."""

    def builder(self, tenant: str) -> Builder:
        """What materializes the tenant: the assets' way in."""
        from context_plane.materialize import Builder

        state = self._known(tenant)
        self._check_writable()
        return Builder(
            state.history, state.snapshots, self.files, self.home.specs(), self.settings.grain,
            search=self.search_settings(tenant), memory=self.memory_settings(),
        )  # fmt: skip

    def search_settings(self, tenant: str) -> SearchSettings:
        """How the tenant's events are to be indexed: what builders are given."""
        from context_plane.materialize import SearchSettings

        declared = self.home.indexing if self.settings.sources.is_dir() else lambda: None
        return SearchSettings(
            declared,
            self.settings.embedder,
            self.embedder,
            lambda: self._embeddings(tenant),
            self.settings.cache.index,
        )

    def memory_settings(self) -> MemorySettings:
        """How links are to be found: what builders are given."""
        from context_plane.materialize import MemorySettings

        return MemorySettings(self.home.linking if self.home.declares_links else lambda: None)

    def _embeddings(self, tenant: str) -> Embeddings:
        """The tenant's table of vectors, kept because one asset reads what another has just written."""
        from context_plane.retrieval.building.embeddings import Embeddings

        embedder = self.embedder()
        if embedder is None:
            raise InputError("there is no embedder", where="embedder", remedy="set CONTEXT_PLANE_EMBEDDER")
        with self._lock:
            if tenant not in self._tables:
                self._tables[tenant] = Embeddings(self.store, tenant, embedder)
            return self._tables[tenant]
