"""Memory: what agents are told to remember, recalled by words, meaning, entity and time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from context_plane.errors import InputError, NotFound
from context_plane.facade.knowing import Knowing
from context_plane.tenant import Cut, Tenant

if TYPE_CHECKING:
    from context_plane.memory.nodes.node import Edge, Kept
    from context_plane.memory.nodes.recalling import Recalled, Wanted
    from context_plane.memory.nodes.seen import Node, Seen
    from context_plane.memory.nodes.telling import Targets
    from context_plane.parts.view import View
    from context_plane.retrieval.hit import Hit
    from context_plane.retrieval.searcher import Asked


class Recalling(Knowing):
    """Memory nodes and the typed edges between them."""

    def remember(
        self,
        tenant: str,
        entity: str,
        content: str,
        *,
        type: str = "observation",
        confidence: float = 1.0,
        session: str = "",
        origin: str = "",
        about: str | Sequence[str] = (),
        supersedes: Targets | None = None,
        refines: Targets | None = None,
        contradicts: Targets | None = None,
        led_to: Targets | None = None,
        caused_by: Targets | None = None,
        at: Cut = None,
        id: str | None = None,
    ) -> Node:
        """Remembers something about an entity, and returns it as a node; when this returns it is durable and found.

        `type` is observation, decision, preference, correction or outcome; `about` names further entities; `at` says
        from when on it holds (now by default). The five kinds of edges name nodes by id. With an `id` of your own a
        repeated call is the same node.

        Raises `InputError` for arguments that cannot be meant and for an edge that would close a circle, `NotFound`
        for one to a node that is not there, `Conflict` for an id that says something else already.
        """
        from context_plane.memory.nodes.telling import told

        kept = told(
            entity, content, type=type, confidence=confidence, session=session, origin=origin, about=about, at=at,
            id=id, supersedes=supersedes, refines=refines, contradicts=contradicts, led_to=led_to, caused_by=caused_by,
        )  # fmt: skip
        return self._told(tenant, [kept])[0]

    def remember_many(self, tenant: str, nodes: Iterable[Mapping[str, Any]]) -> list[Node]:
        """Remembers several things at once, all or none: mappings with the arguments of `remember`. They may name each
        other by the ids that they are given."""
        from context_plane.memory.nodes.telling import told_many

        kept = told_many(nodes)
        return self._told(tenant, kept) if kept else []

    def link(self, tenant: str, actor: str, kind: str, target: str, *, at: Cut = None) -> Node:
        """States an edge between two nodes that are there, and returns the actor: ``link(t, a, "supersedes", b)`` says
        that a takes the place of b. An edge that was stated before changes nothing. Raises as `remember` does."""
        from context_plane.instants import now, parse_cut
        from context_plane.memory.nodes.node import Edge, check_links, link_event, link_id

        check_links(actor, [(kind, target)])
        state = self._known(tenant)
        with state.lock:
            memory = state.memory.head(state.snapshots.latest()) if state.history.refresh() else None
            if memory is None or actor not in memory.nodes:
                raise NotFound(f"there is no memory {actor!r:.80}", where="link", remedy="check the id")
            held = any(e.kind == kind and e.target == target for e in memory.by_actor.get(actor, ()))
            if not held:
                valid, recorded = parse_cut(at, begins=True, where="at"), now()
                edge = Edge(recorded if valid is None else valid, actor, kind, target, link_id(actor, kind, target))
                self._append(state, [], [edge], [link_event(edge, memory.nodes[actor].entity, recorded)])
        return self._seen(state.view()).node(actor)

    def recall(
        self,
        tenant: str,
        query: str,
        *,
        entity: str | Sequence[str] | None = None,
        type: str | Sequence[str] | None = None,
        session: str | None = None,
        min_confidence: float = 0.0,
        superseded: bool = False,
        since: Cut = None,
        until: Cut = None,
        as_of: Cut = None,
        known_at: int | None = None,
        mode: Asked = "auto",
        k: int = 10,
        vector: Any = None,
    ) -> list[Recalled]:
        """The k nodes that answer a query best: search over what is remembered.

        Only what is current is returned; with `superseded` also what something else has taken the place of. `entity`
        finds nodes about any of these entities, `type` those of some types. Of nodes in conflict each names the others
        (`node.conflicts`). Raises what `search` does.
        """
        state = self._known(tenant)
        view = state.view(as_of, known_at)
        wanted = _wanted(entity, type, session, superseded, min_confidence)
        from context_plane.memory.nodes.recalling import recall

        def search(entities: tuple[str, ...] | None, count: int) -> list[Hit]:
            return self._search(
                view, query, entity=entities, type=wanted.globs, since=since, until=until, mode=mode, k=count,
                vector=vector,
            )  # fmt: skip

        return recall(self._seen(view), search, wanted, k) if k else []

    def node(self, tenant: str, id: str, *, as_of: Cut = None, known_at: int | None = None) -> Node:
        """One node: what it says, whether it is current, what is in conflict with it. Raises `NotFound`."""
        return self._seen(self._known(tenant).view(as_of, known_at)).node(id)

    def nodes(
        self,
        tenant: str,
        *,
        entity: str | Sequence[str] | None = None,
        chain: str | None = None,
        type: str | Sequence[str] | None = None,
        session: str | None = None,
        superseded: bool = False,
        as_of: Cut = None,
        known_at: int | None = None,
    ) -> list[Node]:
        """What is remembered, in order of time: about some entities, or with `chain` all that edges connect with the
        node of that id. What is superseded is left out unless `superseded`."""
        seen = self._seen(self._known(tenant).view(as_of, known_at))
        wanted = _wanted(entity, type, session, superseded, 0.0)
        if chain is not None:
            return [seen.described(kept) for kept in seen.chain(chain) if wanted.takes(kept, seen)]
        from context_plane.memory.nodes.recalling import listed

        return listed(seen, wanted)

    def _seen(self, view: View) -> Seen:
        return self._tenant(view.tenant).memory.seen(view)

    def _told(self, tenant: str, nodes: Sequence[Kept]) -> list[Node]:
        state = self._tenant(tenant)
        self._check_writable()
        with state.lock:
            nodes = self._append(state, nodes, [], [kept.event() for kept in nodes])
        seen = self._seen(state.view())
        return [seen.described(kept) for kept in nodes]

    def _append(
        self, state: Tenant, nodes: Sequence[Kept], links: Sequence[Edge], events: Sequence[Mapping[str, Any]]
    ) -> Sequence[Kept]:
        """Appends events that state nodes and edges, checked against all that is remembered when they are."""
        from context_plane.log.append import append
        from context_plane.log.events import Limits
        from context_plane.memory.nodes.checks import check, settled

        state.history.refresh()
        memory = state.memory.head(state.snapshots.latest())
        nodes, events = settled(memory, nodes, events)

        def guard() -> None:
            check(state.memory.head(None), nodes, links)

        append(state.history, events, limits=Limits(**vars(self.settings.ingest)), guard=guard)
        state.look_again()
        return nodes


def _wanted(
    entity: str | Sequence[str] | None,
    type_: str | Sequence[str] | None,
    session: str | None,
    superseded: bool,
    least: float,
) -> Wanted:
    from context_plane.memory.nodes.node import TYPES
    from context_plane.memory.nodes.recalling import Wanted

    entities = None if entity is None else (entity,) if isinstance(entity, str) else tuple(entity)
    types = TYPES if type_ is None else (type_,) if isinstance(type_, str) else tuple(type_)
    if entities is not None and not all(isinstance(each, str) for each in entities):
        raise InputError("entity holds something that is not text", where="entity", remedy="give a text or texts")
    return Wanted(entities, types, session, superseded, least).checked()
