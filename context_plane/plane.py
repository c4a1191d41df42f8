"""`ContextPlane`: the façade a user holds. Doors translate protocols to calls on it and do nothing else.

Here belong argument checking, the choice of tenant, view and spec, and nothing that computes. `AsyncContextPlane` has
the same names.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import IO, TYPE_CHECKING, Any, Self

from context_plane.config import Settings, load_settings
from context_plane.errors import InputError, NotFound
from context_plane.home import Home
from context_plane.instants import parse_cut
from context_plane.store import keys
from context_plane.tenant import Cut, Tenant

if TYPE_CHECKING:
    import pyarrow as pa

    from context_plane.bundles.bundle import Bundle
    from context_plane.bundles.spec import ContextSpec
    from context_plane.log.outcome import Commit
    from context_plane.materialize import Builder, SearchSettings
    from context_plane.memory.chains.graph import Graph
    from context_plane.memory.chains.walk import Direction, Walk
    from context_plane.parts.files import Files
    from context_plane.parts.snapshots import Snapshot
    from context_plane.parts.view import View
    from context_plane.retrieval.building.embeddings import Embeddings
    from context_plane.retrieval.embedders import Embedder
    from context_plane.retrieval.filters import Filters
    from context_plane.retrieval.hit import Hit
    from context_plane.retrieval.searcher import Asked, Query, Searcher
    from context_plane.store.base import Store

Events = str | os.PathLike[str] | IO[bytes] | Iterable[Any]


class ContextPlane:
    """A plane over one home. Safe for threads; processes may share the home or store."""

    def __init__(self, settings: Settings) -> None:
        """Use `open`. Nothing is read or written before the first call that needs it."""
        self.settings = settings
        self._tenants: dict[str, Tenant] = {}
        self._store: Store | None = None
        self._files: Files | None = None
        self._embedders: dict[str, Embedder] = {}
        self._tables: dict[str, Embeddings] = {}
        self._graphs: dict[str, tuple[tuple[int, int, str], Graph]] = {}
        self.home = Home(settings)
        self._lock = threading.RLock()

    @classmethod
    def open(cls, home: str | os.PathLike[str] | None = None, **overrides: Any) -> ContextPlane:
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

    def ingest(
        self,
        tenant: str,
        events: Events,
        *,
        source: str | None = None,
        skip_bad: bool = False,
        batch_id: str | None = None,
        on_reject: Callable[[int, str, Any], None] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Commit:
        """Stores a batch of events, all or none, and returns its `Commit`; when this returns, readers find them.

        `events` is a path, an open binary file, or an iterable of dicts (or JSON texts): CloudEvents 1.0 as JSONL or a
        JSON array, plain or compressed, or with `source` anything that the mapping of that name reads. Bad or
        conflicting events refuse the whole batch unless `skip_bad`; `on_reject` then gets line, reason and event.
        Raises `RefusedBatch`, `InputError`, `Unavailable`.
        """
        from context_plane.log.events import Limits, Normaliser
        from context_plane.log.ingest import ingest

        state = self._tenant(tenant)
        self._check_writable()
        limits = Limits(**vars(self.settings.ingest))
        items = self._items(events, source, limits.max_event_bytes)
        with state.lock:
            commit = ingest(
                state.history,
                _counted(items, progress) if progress else items,
                normalise=Normaliser(limits),
                skip_bad=skip_bad,
                batch_id=batch_id,
                on_reject=on_reject,
            )
            state.look_again()
        return commit

    def bundle(
        self, tenant: str, entity: str, spec: str | None = None, *, as_of: Cut = None, known_at: int | None = None
    ) -> Bundle:
        """The context of one entity under a spec (by default the only one for its type).

        Raises `NotFound` for an unknown tenant, spec or entity, `InputError` for an impossible cut.
        """
        state = self._known(tenant)
        view = state.view(as_of, known_at)
        return state.bundles.one(view, self._spec(spec, entity, view), entity)

    def bundles(self, tenant: str, spec: str, *, as_of: Cut = None, known_at: int | None = None) -> Iterator[Bundle]:
        """The bundles of all entities under a spec, sorted by entity. All are of one view, however long it takes."""
        state = self._known(tenant)
        view = state.view(as_of, known_at)
        return state.bundles.all(view, self._spec(spec, None, view))

    def search(
        self,
        tenant: str,
        query: str,
        *,
        entity: str | Sequence[str] | None = None,
        type: str | Sequence[str] | None = None,
        labels: str | Sequence[str] | None = None,
        since: Cut = None,
        until: Cut = None,
        as_of: Cut = None,
        known_at: int | None = None,
        mode: Asked = "auto",
        k: int = 10,
        vector: Any = None,
    ) -> list[Hit]:
        """The k events that answer a query best, the best first; with `mode` bm25 only those that share a term with it.

        Of one filter any value will do, all filters must hold: `entity` (one or several), `type` (globs over event
        types), `labels`, and a time in [since, until), where a day begins the one and ends the other. `vector` is a
        ready query vector of the index's model. ``auto`` is hybrid where there are vectors, else bm25.
        Everything ingested is searched, materialized or not. Raises `NotFound` for an unknown tenant, `InputError` for
        an impossible filter, mode or vector, `Infeasible` where vectors are asked for and there are none.
        """
        filters_of, query_of = _search_terms()
        start, end = parse_cut(since, begins=True, where="since"), parse_cut(until, where="until")
        asked = query_of(query, filters_of(entity, type, labels, start, end), mode, k, vector).checked()
        state = self._known(tenant)
        return self._searcher(state).search(state.view(as_of, known_at), asked)

    def warm(self, tenant: str | None = None) -> None:
        """Loads a tenant's index, its model and the compiled loops, so that no search has to wait for them.

        Without a tenant: the indexes and packs that processes of this home used most lately, until memory is full.
        """
        if tenant is None:
            self._warm_most_used()
        else:
            state = self._known(tenant)
            self._searcher(state).warm(state.view())

    def _warm_most_used(self) -> None:
        for name in self.files.used().most_used:
            if self.files.memory.used > self.settings.cache.memory // 2:
                return  # what is asked for soon needs room too
            kind, tenant, *spec = name.split("/")
            with contextlib.suppress(NotFound):  # what was used last month may be gone
                if kind == "index":
                    self.warm(tenant)
                elif kind == "packs":
                    state = self._known(tenant)
                    view = state.view()
                    state.bundles.warm(view, self._spec(spec[0], None, view))

    def snapshot(self, tenant: str) -> Snapshot | None:
        """The newest published snapshot, or `None` before the first."""
        return self._known(tenant).snapshots.latest()

    def entities(
        self, tenant: str, type: str | None = None, *, as_of: Cut = None, known_at: int | None = None
    ) -> list[str]:
        """All entities (of a type) that have an event, sorted."""
        view = self._known(tenant).view(as_of, known_at)
        from context_plane.query import entities

        return entities(view, type)

    def timeline(
        self,
        tenant: str,
        entity: str,
        *,
        since: Cut = None,
        until: Cut = None,
        as_of: Cut = None,
        known_at: int | None = None,
    ) -> pa.Table:
        """The events of one entity with a time in [since, until), in order of time, source and id.

        A day given as `since` begins with it, as `until` it ends with it.

        Columns: entity, time, source, id, type, text, labels, data, attributes, digest (`parts.timeline.schema`).
        """
        view = self._known(tenant).view(as_of, known_at)
        return view.events(entity, parse_cut(since, begins=True, where="since"), parse_cut(until, where="until"))

    def sql(self, tenant: str, query: str, *, as_of: Cut = None, known_at: int | None = None) -> pa.Table:
        """The result of one read-only SELECT over the tables `events` and `bundles` of a tenant's view.

        Raises `InputError` for anything but a SELECT over these tables, and for SQL that does not run.
        """
        state = self._known(tenant)
        view = state.view(as_of, known_at)
        from context_plane.query import run

        return run(view, query, state.bundles, list(self.specs(view).values()))

    def chain(
        self,
        tenant: str,
        start: str,
        *,
        direction: Direction = "back",
        depth: int = 10,
        kinds: str | Sequence[str] | None = None,
        max_tokens: int | None = None,
        as_of: Cut = None,
        known_at: int | None = None,
    ) -> Walk:
        """What came before an entity, or with `direction` forward what came of it: along the links that events state.

        `kinds` are those of links to follow, all by default; `max_tokens` limits titles and quotes. The links are found
        in the tenant's events at every call that follows a change, some 20 µs an event. Raises `NotFound` for an
        unknown tenant or start, `InputError` for limits that cannot be meant.
        """
        from context_plane.memory.chains.walk import walk

        wanted = None if kinds is None else frozenset([kinds] if isinstance(kinds, str) else kinds)
        graph = self._graph(self._known(tenant).view(as_of, known_at))
        return walk(graph, start, direction, depth, wanted, max_tokens)

    def _graph(self, view: View) -> Graph:
        """The links of a view; those of the last one of each tenant are kept."""
        from context_plane.memory.chains.graph import of_events

        linking = self.home.linking()
        identity = (view.number, view.as_of, repr(linking.to_json()))
        known = self._graphs.get(view.tenant)
        if known is None or known[0] != identity:
            known = self._graphs[view.tenant] = identity, of_events(view.events(), linking)
        return known[1]

    def tenants(self) -> list[str]:
        """Names of the tenants in the store, sorted."""
        return self.store.children(keys.tenants())

    def specs(self, view: View | None = None) -> dict[str, ContextSpec]:
        """The context specs of the home by name; without a `contexts/` folder those of the view's snapshot."""
        home = self.home.specs()
        if home or view is None:
            return home
        from context_plane.bundles.spec import ContextSpec
        from context_plane.parts.part import CONTEXTS

        about = view.catalog.about
        return {
            n.removeprefix(CONTEXTS): ContextSpec.from_json(a["spec"])
            for n, a in about.items()
            if n.startswith(CONTEXTS)
        }

    def builder(self, tenant: str) -> Builder:
        """What materializes the tenant: the assets' way in."""
        from context_plane.materialize import Builder

        state = self._known(tenant)
        self._check_writable()
        search = self.search_settings(tenant)
        return Builder(
            state.history, state.snapshots, self.files, self.home.specs(), self.settings.grain, search=search
        )

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
            self._graphs.clear()
            if self._files is not None:
                self._files.close()
                self._files = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

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

    def _searcher(self, state: Tenant) -> Searcher:
        """What searches a tenant, with what the home declares about its sources: held as long as the cache has room."""
        searcher: Searcher = self.files.memory.obtain(("index", state.name), lambda: self._new_searcher(state.name))
        return searcher

    def _new_searcher(self, tenant: str) -> Searcher:
        from context_plane.retrieval.hot.loading import Loader
        from context_plane.retrieval.searcher import Searcher

        loader = Loader(tenant, self.files, self.home.indexing, self.embedder)
        return Searcher(tenant, loader, self.files.grown, self.settings.cache.index)

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

    def _check_writable(self) -> None:
        """Before the first write: a store without create-if-absent would let two writers own one number."""
        from context_plane.store.probe import probe

        probe(self.store)

    def _spec(self, name: str | None, entity: str | None, view: View) -> ContextSpec:
        specs = self.specs(view)
        if name is not None:
            if name not in specs:
                raise self.home.missing(name, f"there is no context spec {name!r}")
            return specs[name]
        from context_plane.log.events import entity_type

        kind = entity_type(entity or "")
        fitting = [spec for spec in specs.values() if spec.entity == kind]
        if not fitting:
            raise self.home.missing(None, f"no context spec for type {kind[:64]!r}")
        if len(fitting) > 1:
            what = f"{len(fitting)} context specs are for type {kind!r}"
            raise InputError(what, where="spec", remedy=f"name one of {', '.join(spec.name for spec in fitting)}")
        return fitting[0]

    def _items(self, events: Events, source: str | None, max_bytes: int) -> Iterable[tuple[int, Any]]:
        if source is not None:
            from context_plane.log.declaration import Declaration, load_source

            loaded = load_source(self.home.mapping(source))
            if isinstance(loaded, Declaration):
                return loaded.events(events, max_event_bytes=max_bytes)
            if not isinstance(events, (str, os.PathLike)):
                raise InputError("a source mapping reads files", where="source", remedy="pass the path of a file")
            return loaded.events(events, max_event_bytes=max_bytes)
        from context_plane.log.readers import read_events

        return read_events(events, max_event_bytes=max_bytes)


def _counted(items: Iterable[tuple[int, Any]], progress: Callable[[int], None]) -> Iterator[tuple[int, Any]]:
    for count, item in enumerate(items, 1):
        yield item
        if not count & 1023:
            progress(count)


@cache
def _search_terms() -> tuple[Callable[..., Filters], type[Query]]:
    """What a search is put into. Found once: an import statement in every search would take a hundredth of its time."""
    from context_plane.retrieval.filters import make
    from context_plane.retrieval.searcher import Query as Asking

    return make, Asking
