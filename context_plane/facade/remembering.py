"""Memory: what came of what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from context_plane.facade.knowing import Knowing
from context_plane.tenant import Cut

if TYPE_CHECKING:
    from context_plane.memory.chains.graph import Graph
    from context_plane.memory.chains.walk import Direction, Walk
    from context_plane.parts.view import View


class Remembering(Knowing):
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
