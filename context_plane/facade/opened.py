"""What an opened plane holds: settings, store, cache, models and the tenants that were looked at.

Here belongs what every other room of the façade needs, and no method that answers anything.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Self

from context_plane.config import Settings, load_settings
from context_plane.errors import InputError, NotFound
from context_plane.home import Home
from context_plane.store import keys
from context_plane.tenant import Tenant

if TYPE_CHECKING:
    from context_plane.memory.chains.loading import Seen
    from context_plane.parts.files import Files
    from context_plane.parts.view import View
    from context_plane.processes.engine.sealed import Sealed
    from context_plane.processes.triggers.watching import Registrations
    from context_plane.retrieval.building.embeddings import Embeddings
    from context_plane.retrieval.embedders import Embedder
    from context_plane.store.base import Store


class Opened:
    """A plane over one home. Safe for threads; processes may share the home or store."""

    def __init__(self, settings: Settings) -> None:
        """Use `open`. Nothing is read or written before the first call that needs it."""
        self.settings = settings
        self._tenants: dict[str, Tenant] = {}
        self._store: Store | None = None
        self._files: Files | None = None
        self._embedders: dict[str, Embedder] = {}
        self._tables: dict[str, Embeddings] = {}
        self._graphs: dict[str, Seen] = {}
        self._executions: dict[str, Sealed] = {}
        self._registered: dict[str, Registrations] = {}
        self._views: dict[str, View] = {}
        """Of executions: their contexts are read as the log was when they were accepted."""
        self.home = Home(settings)
        self._lock = threading.RLock()

    @classmethod
    def open(cls, home: str | os.PathLike[str] | None = None, **overrides: Any) -> Self:
        """The plane of a home; by default `CONTEXT_PLANE_HOME`, else ``./.context-plane``.

        `overrides` replace single settings, such as ``store="memory://"``. Raises `InputError` for bad settings.
        """
        settings = load_settings(home)
        if overrides:
            from dataclasses import fields, replace

            known = [field.name for field in fields(Settings)]
            for name in overrides:
                if name not in known:
                    raise InputError(f"unknown setting {name!r}", where="open", remedy=f"known are {', '.join(known)}")
            settings = replace(settings, **overrides)
        return cls(settings)

    @property
    def store(self) -> Store:
        """The object store."""
        with self._lock:
            if self._store is None:
                from context_plane.store.open import open_store

                self._store = open_store(self.settings.store)
            return self._store

    @property
    def files(self) -> Files:
        """The cache: verified local files of parts, and what was made of them."""
        with self._lock:
            if self._files is None:
                from context_plane.parts.files import Files

                limits = self.settings.cache
                self._files = Files(self.store, self.settings.cache_folder, limits.memory, limits.disk)
            return self._files

    def close(self) -> None:
        """Frees what the plane holds open. It may be used again afterwards."""
        with self._lock:
            for state in self._tenants.values():
                state.bundles.close()
            self._tenants.clear()
            for kept in (self._graphs, self._executions, self._registered, self._views):
                kept.clear()
            if self._files is not None:
                self._files.close()
                self._files = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def tenants(self) -> list[str]:
        """Names of the tenants in the store, sorted."""
        return self.store.children(keys.tenants())

    def embedder(self, name: str | None = None) -> Embedder | None:
        """The embedder of a name, by default the home's; opened once. `None` where that is ``none``."""
        wanted = name or self.settings.embedder
        if wanted == "none":
            return None
        with self._lock:
            if wanted not in self._embedders:
                from context_plane.retrieval.embedders import open_embedder

                self._embedders[wanted] = open_embedder(wanted)
            return self._embedders[wanted]

    def _tenant(self, name: str) -> Tenant:
        state = self._tenants.get(name)
        if state is None:
            keys.check_tenant(name)
            store, files = self.store, self.files
            with self._lock:
                state = self._tenants.setdefault(name, Tenant(store, files, name, self.settings.max_staleness))
        return state

    def _known(self, name: str) -> Tenant:
        state = self._tenant(name)
        if not state.exists():
            raise NotFound(
                f"tenant {name!r} has no events",
                where=self.store.url,
                remedy=f"ingest some (cortex ingest PATH --tenant {name}), or check the name",
            )
        return state

    def _check_writable(self) -> None:
        """Before the first write: a store without create-if-absent would let two writers own one number."""
        from context_plane.store.probe import probe

        probe(self.store)
