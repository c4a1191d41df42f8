"""Serving bundles: from packs where they hold, computed fresh where they do not.

Computed are: an entity that the tail touched, an instant between packs, a spec that is not materialized. The evaluator
is the one that fills the packs, over parts and tail, so the bytes are the same either way.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from context_plane.bundles.bundle import Bundle
from context_plane.bundles.chain import Chain
from context_plane.errors import InputError, NotFound
from context_plane.log.events import RESERVED, entity_type
from context_plane.parts.part import CONTEXTS

if TYPE_CHECKING:
    from context_plane.bundles.evaluate import Evaluated, Evaluator
    from context_plane.bundles.spec import ContextSpec
    from context_plane.parts.files import Files
    from context_plane.parts.view import View

_EVALUATORS_KEPT: Final = 8


class BundleReader:
    """Reads the bundles of one tenant. Safe for threads."""

    def __init__(self, tenant: str, files: Files) -> None:
        self._tenant = tenant
        self._files = files
        self._evaluators: dict[str, Evaluator] = {}
        self._lock = threading.RLock()

    def one(self, view: View, spec: ContextSpec, entity: str) -> Bundle:
        """The bundle of one entity as of `view.as_of`.

        Raises `NotFound` for an entity without any event before that instant, `InputError` for one of another type.
        """
        chain = self._chain(view, spec)
        if chain is not None and entity not in view.tail.touched:
            body = chain.find(entity, view.as_of)
            if body is not None:
                return Bundle(entity, spec.name, view.as_of_text, body)
        if entity_type(entity) != spec.entity:
            raise InputError(
                f"{entity[:80]!r} is not a {spec.entity}",
                where=f"spec {spec.name}",
                remedy=f"ask for an entity {spec.entity}/…",
            )
        return self._compute_one(view, spec, entity, chain)

    def all(self, view: View, spec: ContextSpec) -> Iterator[Bundle]:
        """The bundles of all entities that have an event before `view.as_of`, sorted by entity."""
        as_of = view.as_of_text
        touched = [entity for entity in view.tail.touched if entity_type(entity) == spec.entity]
        chain = self._chain(view, spec)
        parted = chain.split(view.as_of, touched) if chain is not None else None
        if parted is None:
            for evaluated in self._compute(view, spec, None):
                yield Bundle(evaluated.entity, spec.name, as_of, evaluated.body)
            return
        held, rest = parted
        fresh = {
            e.entity: e.body
            for e in self._compute(view, spec, rest)
            # The tail may touch whom nothing happened to by then.
            if e.count or self._exists(view, spec, e.entity, chain)
        }
        for entity in sorted(held.keys() | fresh.keys()):
            place = held.get(entity)
            body = fresh[entity] if place is None else place[0].body(place[1])
            yield Bundle(entity, spec.name, as_of, body)

    def _compute_one(self, view: View, spec: ContextSpec, entity: str, chain: Chain | None) -> Bundle:
        since = None if spec.longest is None else view.as_of - spec.longest
        with self._lock:
            evaluator = self._evaluator(spec)
            evaluator.load(view.paths(since), view.fresh(entity, since), entity=entity)
            found = next(iter(evaluator.evaluate(view.as_of, [entity])), None)
        if (found is None or not found.count) and not self._exists(view, spec, entity, chain):
            raise NotFound(
                f"{entity[:80]!r} has no event before {view.as_of_text}",
                where=f"tenant {self._tenant}",
                remedy="check the id, or ask for a later as_of",
            )
        assert found is not None
        return Bundle(entity, spec.name, view.as_of_text, found.body)

    def _compute(self, view: View, spec: ContextSpec, entities: Sequence[str] | None) -> Iterator[Evaluated]:
        from context_plane.bundles.evaluate import Evaluator

        # Without a list the entities themselves must be found, and those may have been silent for longer than a window.
        since = None if entities is None or spec.longest is None else view.as_of - spec.longest
        if entities is not None and not entities:
            return
        with Evaluator(spec, self._tenant) as evaluator:
            evaluator.load(view.paths(since), view.fresh(None, since))
            yield from evaluator.evaluate(view.as_of, entities)

    def _exists(self, view: View, spec: ContextSpec, entity: str, chain: Chain | None) -> bool:
        """Whether there is an event of it that the spec may count: the plane's own are none, unless it names such."""
        if chain is not None and chain.knows(entity, view.as_of):
            return True
        types = view.events(entity)["type"].to_pylist()
        return any(bool(spec.own_globs) or not type_.startswith(RESERVED) for type_ in types)

    def _evaluator(self, spec: ContextSpec) -> Evaluator:
        evaluator = self._evaluators.get(spec.hash)
        if evaluator is None:
            from context_plane.bundles.evaluate import Evaluator

            while len(self._evaluators) >= _EVALUATORS_KEPT:
                self._evaluators.pop(next(iter(self._evaluators))).close()
            evaluator = self._evaluators[spec.hash] = Evaluator(spec, self._tenant, threads=1)
        return evaluator

    def _chain(self, view: View, spec: ContextSpec) -> Chain | None:
        """The packs of exactly this spec in the view's snapshot, or `None` where there are none."""
        if view.snapshot is None:
            return None
        key = ("packs", self._tenant, spec.name, view.snapshot.number, spec.hash)
        chain: Chain = self._files.memory.obtain(key, lambda: self._open_chain(view, spec))
        return chain if len(chain) else None

    def _open_chain(self, view: View, spec: ContextSpec) -> Chain:
        about = view.catalog.about.get(CONTEXTS + spec.name, {})
        parts = view.catalog.of(CONTEXTS + spec.name) if about.get("hash") == spec.hash else {}
        return Chain(self._tenant, spec.name, [parts[day] for day in sorted(parts)], self._files)

    def warm(self, view: View, spec: ContextSpec) -> None:
        """Loads what the first bundle would have to wait for."""
        chain = self._chain(view, spec)
        if chain is not None:
            chain.load()

    def close(self) -> None:
        """Frees the database connections."""
        with self._lock:
            while self._evaluators:
                self._evaluators.popitem()[1].close()
