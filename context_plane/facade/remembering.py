"""Memory: what came of what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from context_plane.facade.recalling import Recalling
from context_plane.tenant import Cut

if TYPE_CHECKING:
    from context_plane.memory.chains.graph import Graph
    from context_plane.memory.chains.walk import Direction, Walk
    from context_plane.memory.nodes.seen import Node
    from context_plane.parts.view import View


BINDING = ("decision", "preference", "correction")
"""Types of nodes that bind whoever acts later."""


class Remembering(Recalling):
    """Chains along the links that events state."""

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
        """What came before something, or with `direction` forward what came of it.

        `start` is an entity, walked along the links that events state, or the id of a memory node, walked along typed
        edges; what is both is taken for the entity. `kinds` are those of links to follow, all by default; `max_tokens`
        limits the text. Links that are not materialized are found in the events that state them, some 20 µs an
        event. Raises `NotFound` for an unknown tenant or start, `InputError` for limits that cannot be meant.
        """
        from context_plane.memory.chains.walk import walk

        wanted = None if kinds is None else frozenset([kinds] if isinstance(kinds, str) else kinds)
        view = self._known(tenant).view(as_of, known_at)
        seen = self._seen(view)
        if start in seen and not ("/" in start and start in self._graph(view)):
            from context_plane.memory.nodes.linked import Linked

            return walk(Linked(seen), start, direction, depth, wanted, max_tokens)
        return walk(self._graph(view), start, direction, depth, wanted, max_tokens)

    def constraints(
        self, tenant: str, entity: str, *, depth: int = 3, as_of: Cut = None, known_at: int | None = None
    ) -> list[Node]:
        """Which constraints apply to an entity: the decisions, preferences and corrections that are current about it,
        and about what it follows from along links, at most so many away; the nearest first, then the oldest."""
        from context_plane.memory.chains.walk import check, walk
        from context_plane.memory.nodes.recalling import Wanted, listed

        check(depth=depth)
        view = self._known(tenant).view(as_of, known_at)
        graph, seen = self._graph(view), self._seen(view)
        steps = walk(graph, entity, "back", depth).steps if entity in graph else ()
        near = dict.fromkeys([entity, *(s.thing.id for s in sorted(steps, key=lambda s: s.depth))])
        wanted = [Wanted((each,), BINDING) for each in near]
        found = [node for each in wanted for node in listed(seen, each)]
        return list({node.id: node for node in found}.values())

    def _graph(self, view: View) -> Graph:
        """The links of a view."""
        from context_plane.memory.chains.loading import graph_of

        return graph_of(view, self.home.linking() if self.home.declares_links else None, self._graphs)
