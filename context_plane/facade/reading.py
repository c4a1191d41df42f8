"""Events in, and what is computed from them out: bundles, timelines, SQL."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import IO, TYPE_CHECKING, Any

from context_plane.errors import InputError
from context_plane.facade.opened import Opened
from context_plane.instants import parse_cut
from context_plane.tenant import Cut

if TYPE_CHECKING:
    import pyarrow as pa

    from context_plane.bundles.bundle import Bundle
    from context_plane.bundles.spec import ContextSpec
    from context_plane.log.outcome import Commit
    from context_plane.parts.snapshots import Snapshot
    from context_plane.parts.view import View

Events = str | os.PathLike[str] | IO[bytes] | Iterable[Any]


class Reading(Opened):
    """Ingest, bundles, timelines and SQL."""

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
        """The result of one read-only SELECT over the tables `events`, `bundles`, `memory`, `executions` and
        `steps` of a tenant's view.

        Raises `InputError` for anything but a SELECT over these tables, and for SQL that does not run.
        """
        state = self._known(tenant)
        view = state.view(as_of, known_at)
        from context_plane.query import run

        return run(view, query, state.bundles, list(self.specs(view).values()), state.memory)

    def snapshot(self, tenant: str) -> Snapshot | None:
        """The newest published snapshot, or `None` before the first."""
        return self._known(tenant).snapshots.latest()

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
