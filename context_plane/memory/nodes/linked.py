"""Nodes as things and links of a graph, so that they are walked and drawn as links between entities are."""

from __future__ import annotations

from context_plane.memory.chains.graph import Edge, Thing
from context_plane.memory.chains.part import title
from context_plane.memory.links.link import Evidence, Link, Target
from context_plane.memory.nodes.node import SOURCE
from context_plane.memory.nodes.node import Edge as Stated
from context_plane.memory.nodes.seen import Seen

RULE = "told"


class Linked:
    """What a view shows of memory, to be walked: looked up as the walk comes by, nothing is built for it."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def __contains__(self, id_: str) -> bool:
        return id_ in self._seen

    def thing(self, id_: str) -> Thing:
        """A node, with its type and its first line."""
        if id_ not in self._seen:
            return Thing(id_)
        kept = self._seen.kept(id_)
        old = ", superseded" if self._seen.superseded_by(id_) else ""
        return Thing(id_, kept.at, title(f"{kept.type}{old}: {kept.text.strip()}"))

    def before(self, id_: str) -> list[Edge]:
        """Edges to what came before a node, in order of time."""
        return self._edges(id_, "later")

    def after(self, id_: str) -> list[Edge]:
        """Edges to what came after it, in order of time."""
        return self._edges(id_, "earlier")

    def _edges(self, id_: str, end: str) -> list[Edge]:
        mine = (*self._seen.edges_from(id_), *self._seen.edges_to(id_))
        return [self._edge(edge) for edge in sorted(mine) if getattr(edge, end) == id_]

    def _edge(self, edge: Stated) -> Edge:
        entity = self._seen.kept(edge.actor).entity
        target, evidence = Target(edge.target, event=edge.target), Evidence("links")
        link = Link(edge.at, SOURCE, edge.event, entity, edge.kind, target, False, RULE, evidence)
        return Edge(edge.at, edge.kind, edge.actor, edge.target, link)
