"""Memory: what agents are told to remember, recalled by words, meaning, entity and time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from context_plane.facade.knowing import Knowing
from context_plane.instants import parse_cut
from context_plane.tenant import Cut

if TYPE_CHECKING:
    from context_plane.memory.nodes.node import Edge, Kept
    from context_plane.memory.nodes.recalling import Recalled, Wanted
    from context_plane.memory.nodes.seen import Node, Seen
    from context_plane.memory.nodes.telling import Targets
    from context_plane.parts.view import View
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
        from context_plane.instants import now
        from context_plane.memory.nodes.node import Edge, check_links, link_id
        from context_plane.memory.nodes.telling import instant

        check_links(actor, [(kind, target)])
        edge = Edge(instant(at, now()), actor, kind, target, link_id(actor, kind, target))
        self._known(tenant)
        self._add(tenant, [], [edge])
        return self._tenant(tenant).memory.latest().node(actor)

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
        wanted = _wanted(entity, type, session, superseded, min_confidence)
        start, end = parse_cut(since, begins=True, where="since"), parse_cut(until, where="until")
        view = self._known(tenant).view(as_of, known_at)
        from context_plane.memory.nodes.recalling import Searching, recall

        def within(since: int | None, until: int | None) -> Searching:
            return lambda entities, count: self._search(
                view, query, entity=entities, type=wanted.globs, since=since, until=until, mode=mode, k=count,
                vector=vector,
            )  # fmt: skip

        def narrowed(first: int, after: int) -> Searching:
            return within(first if start is None else max(first, start), after if end is None else min(after, end))

        return recall(self._seen(view), within(start, end), wanted, k, narrowed)

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
        nodes = self._add(tenant, nodes, [])
        seen = self._tenant(tenant).memory.latest()
        return [seen.described(kept) for kept in nodes]

    def _add(self, tenant: str, nodes: Sequence[Kept], links: Sequence[Edge]) -> list[Kept]:
        from context_plane.log.events import Limits
        from context_plane.memory.nodes.adding import add

        state = self._tenant(tenant)
        self._check_writable()
        with state.lock:
            limits = Limits(**vars(self.settings.ingest))
            found = add(state.history, state.memory, state.snapshots.latest(), nodes, links, limits)
            state.look_again()
        return found


def _wanted(
    entity: str | Sequence[str] | None,
    type_: str | Sequence[str] | None,
    session: str | None,
    superseded: bool,
    least: float,
) -> Wanted:
    from context_plane.memory.nodes.node import TYPES
    from context_plane.memory.nodes.recalling import Wanted
    from context_plane.retrieval.filters import make

    given = make(entity, type_, None, None, None)
    types = TYPES if given.types is None else given.types
    return Wanted(given.entities, types, session, superseded, least).checked()
