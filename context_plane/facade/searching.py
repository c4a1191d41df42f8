"""Search: queries in, hits out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from context_plane.errors import NotFound
from context_plane.facade.reading import Reading
from context_plane.instants import parse_cut
from context_plane.tenant import Cut, Tenant

if TYPE_CHECKING:
    from context_plane.parts.view import View
    from context_plane.retrieval.filters import Filters
    from context_plane.retrieval.hit import Hit
    from context_plane.retrieval.searcher import Asked, Query, Searcher


class Searching(Reading):
    """Search over a tenant's events."""

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

    def _search(
        self,
        view: View,
        query: str,
        *,
        entity: str | Sequence[str] | None = None,
        type: str | Sequence[str] | None = None,
        since: Cut = None,
        until: Cut = None,
        mode: Asked = "auto",
        k: int = 10,
        vector: Any = None,
    ) -> list[Hit]:
        """Hits of a view that is open already, so that all parts of an answer are of one."""
        filters_of, query_of = _search_terms()
        start, end = parse_cut(since, begins=True, where="since"), parse_cut(until, where="until")
        asked = query_of(query, filters_of(entity, type, None, start, end), mode, k, vector).checked()
        return self._searcher(self._tenant(view.tenant)).search(view, asked)

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

    def _searcher(self, state: Tenant) -> Searcher:
        """What searches a tenant, with what the home declares about its sources: held as long as the cache has room."""
        searcher: Searcher = self.files.memory.obtain(("index", state.name), lambda: self._new_searcher(state.name))
        return searcher

    def _new_searcher(self, tenant: str) -> Searcher:
        from context_plane.retrieval.hot.loading import Loader
        from context_plane.retrieval.searcher import Searcher

        loader = Loader(tenant, self.files, self.home.indexing, self.embedder)
        return Searcher(tenant, loader, self.files.grown, self.settings.cache.index)


@cache
def _search_terms() -> tuple[Callable[..., Filters], type[Query]]:
    """What a search is put into. Found once: an import statement in every search would take a hundredth of its time."""
    from context_plane.retrieval.filters import make
    from context_plane.retrieval.searcher import Query as Asking

    return make, Asking
