"""Memory: all nodes and edges that a tenant's log states up to a number.

Here belongs what is held and how it grows. Nothing is ever taken out but by an erasure, for which a new one is read.
What of it a reader sees (`as_of`, what is superseded) is `seen`.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from context_plane.memory.nodes.node import Edge, Kept
from context_plane.memory.nodes.part import Rows


@dataclass(eq=False)
class Memory:
    """Nodes and edges by what they are asked for. Grows under its keeper's lock; readers may look on meanwhile."""

    number: int = 0
    """The log number up to which it holds everything."""
    nodes: dict[str, Kept] = field(default_factory=dict)
    by_actor: dict[str, list[Edge]] = field(default_factory=dict)
    """Edges of each node in order, and so in the next."""
    by_target: dict[str, list[Edge]] = field(default_factory=dict)
    by_entity: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    """Time and id of the nodes that are about an entity, in order."""
    accessed: Counter[str] = field(default_factory=Counter)
    """In how many answers each node was, of what was loaded first."""
    later: dict[str, list[int]] = field(default_factory=dict)
    """The log numbers of further answers that each was in."""
    since: dict[str, int] = field(default_factory=dict)
    """The log number that brought an event, of those that came after what was loaded first."""

    def add(self, rows: Rows, number: int | None = None) -> None:
        """Takes in what further events state, those of commit `number`. Of one id the first node stays, as of one
        identity in the log."""
        if number is None:
            self.accessed.update(rows.accessed)
        else:
            self.since.update(
                dict.fromkeys((*(node.id for node in rows.nodes), *(e.event for e in rows.links)), number)
            )
            for id_, count in rows.accessed.items():
                self.later.setdefault(id_, []).extend([number] * count)
        for node in rows.nodes:
            if node.id not in self.nodes:
                self.nodes[node.id] = node
                for entity in dict.fromkeys(node.entities):
                    insort(self.by_entity.setdefault(entity, []), node.order)
                self._add(node.edges)
        self._add(rows.links)

    def _add(self, edges: Iterable[Edge]) -> None:
        for edge in edges:
            insort(self.by_actor.setdefault(edge.actor, []), edge)
            insort(self.by_target.setdefault(edge.target, []), edge)

    def __len__(self) -> int:
        return len(self.nodes)
