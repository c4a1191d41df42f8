"""What a view shows of that which packages are made of: the `Reader` that is used outside of tests.

Here belongs asking the plane's own parts. Each is opened when it is first needed: a package of topics loads no index.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from context_plane.errors import InputError, NotFound
from context_plane.instants import parse_duration

if TYPE_CHECKING:
    from context_plane.bundles.packages.declaration import Direction, Query
    from context_plane.bundles.packages.facts import Fact
    from context_plane.knowledge.topic import Topic
    from context_plane.memory.chains.walk import Walk, Walkable
    from context_plane.memory.nodes.seen import Node, Seen
    from context_plane.retrieval.hit import Hit


@dataclass(frozen=True)
class Shown:
    """One view."""

    as_of: int
    seen: Callable[[], Seen]
    topics: Callable[[str], Topic]
    graph: Callable[[], Walkable]
    hits: Callable[[Query, str | int | None, str | int | None], Sequence[Hit]]
    """What answers a query, of a time in [since, until)."""

    def chain(self, node: str) -> Sequence[Node]:
        """The chain of memory that a node is in, in order, with what is superseded."""
        seen = self.seen()
        return [seen.described(kept) for kept in seen.chain(node)]

    def about(self, entity: str) -> Sequence[Node]:
        """All nodes of memory about an entity, in order, with what is superseded."""
        seen = self.seen()
        return [seen.described(kept) for kept in seen.about(entity)]

    def topic(self, name: str) -> Topic:
        """A topic of knowledge."""
        return self.topics(name)

    def walk(self, entity: str, direction: Direction, depth: int) -> Walk:
        """What came before an entity, or after it."""
        from context_plane.memory.chains.walk import walk

        return walk(self.graph(), entity, direction, depth)

    def search(self, query: Query) -> Sequence[Hit]:
        """The events that answer a query best, the best first."""
        return self.hits(query, self._cut(query.since), self._cut(query.until))

    def current(self, hit: Hit) -> bool:
        """Whether what the event says is current: not a memory that is superseded, nor a topic's version gone by."""
        from context_plane.knowledge.names import topic_of
        from context_plane.memory.nodes.node import SOURCE
        from context_plane.retrieval.text.documents import KNOWLEDGE

        if hit.source == SOURCE:
            return not self.seen().superseded_by(hit.event_id)
        name = topic_of(hit.entity) if hit.source == KNOWLEDGE else None
        if name is None:
            return True
        try:
            return any(chunk.event_id == hit.event_id for chunk in self.topics(name).chunks)
        except NotFound:
            return False

    def superseded(self, fact: Fact) -> tuple[str, ...]:
        """What takes the place of a node of memory; nothing for one that is current, or that is not shown."""
        seen = self.seen()
        if fact.id not in seen or seen.kept(fact.id).entity != fact.entity:
            return ()
        return seen.superseded_by(fact.id)

    def _cut(self, written: str | None) -> str | int | None:
        """A time or day as it is written, or so long before the view's instant."""
        if written is None:
            return None
        try:
            return self.as_of - parse_duration(written)
        except InputError:
            return written
