"""A small world that packages are made of: memory, topics, links and hits that a test states, behind a `Reader`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from context_plane.bundles.packages.compile import Compiled, compile_package
from context_plane.bundles.packages.declaration import Declaration, Direction, Query
from context_plane.bundles.packages.facts import Fact
from context_plane.bundles.packages.reading import parse_package
from context_plane.bundles.packages.sources import find
from context_plane.errors import NotFound
from context_plane.instants import parse_cut
from context_plane.knowledge.topic import Chunk, Topic, TopicInfo
from context_plane.memory.chains.graph import Edge as Link
from context_plane.memory.chains.graph import Thing
from context_plane.memory.chains.walk import Walk, walk
from context_plane.memory.links.link import Evidence, Target
from context_plane.memory.links.link import Link as Stated
from context_plane.memory.nodes.memory import Memory
from context_plane.memory.nodes.node import Kept
from context_plane.memory.nodes.part import Rows
from context_plane.memory.nodes.seen import Node, Seen
from context_plane.retrieval.hit import Hit, Scores

FAR = 1 << 60


def instant(day: str) -> int:
    """The beginning of a day in microseconds."""
    at = parse_cut(day, begins=True)
    assert at is not None
    return at


def kept(id_: str, day: str, text: str, entity: str = "service/pay", **told: Any) -> Kept:
    """Something remembered on a day; further arguments are `Kept`'s, or kinds of edges with the node they go to."""
    fields = {name: told.pop(name) for name in ("confidence", "about") if name in told}
    type_ = told.pop("type", "decision")
    links = tuple((kind, target) for kind, target in told.items())
    return Kept(id_, entity, type_, text, instant(day), instant(day), links=links, **fields)


@dataclass
class World:
    """What a view shows. A `Reader`."""

    nodes: Sequence[Kept] = ()
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Chunks of topics, by name."""
    links: Sequence[tuple[str, str, str]] = ()
    """Actor, kind, target; each a day later."""
    found: Mapping[str, Sequence[Hit]] = field(default_factory=dict)
    """Hits, by query."""

    def seen(self) -> Seen:
        """Its memory."""
        memory = Memory()
        memory.add(Rows(tuple(sorted(self.nodes, key=lambda node: node.order))))
        return Seen(memory, FAR, FAR)

    def chain(self, node: str) -> list[Node]:
        """See `Reader`."""
        seen = self.seen()
        return [seen.described(each) for each in seen.chain(node)]

    def about(self, entity: str) -> list[Node]:
        """See `Reader`."""
        seen = self.seen()
        return [seen.described(each) for each in seen.about(entity)]

    def topic(self, name: str) -> Topic:
        """See `Reader`."""
        if name not in self.texts:
            raise NotFound(f"there is no topic {name!r}", where="tenant acme", remedy="check the name")
        return topic(name, *self.texts[name])

    def walk(self, entity: str, direction: Direction, depth: int) -> Walk:
        """See `Reader`."""
        return walk(Linked(self.links), entity, direction, depth)

    def search(self, query: Query) -> Sequence[Hit]:
        """See `Reader`."""
        return self.found.get(query.query, ())[: query.k]

    def current(self, hit: Hit) -> bool:
        """See `Reader`."""
        return hit.source != "cortex/memory" or not self.seen().superseded_by(hit.event_id)

    def superseded(self, fact: Fact) -> tuple[str, ...]:
        """See `Reader`."""
        seen = self.seen()
        return seen.superseded_by(fact.id) if fact.id in seen else ()


class Linked:
    """Links between things, to be walked."""

    def __init__(self, links: Sequence[tuple[str, str, str]]) -> None:
        self._edges = [
            Link(
                instant("2026-03-01") + at, kind, actor, target,
                Stated(at, "issues", str(at), actor, kind, Target(target), False, "column", Evidence("links")),
            )
            for at, (actor, kind, target) in enumerate(links)
        ]  # fmt: skip

    def __contains__(self, id_: str) -> bool:
        return any(id_ in (edge.actor, edge.target) for edge in self._edges)

    def thing(self, id_: str) -> Thing:
        """See `Walkable`."""
        return Thing(id_, 0, f"Title of {id_}")

    def before(self, id_: str) -> list[Link]:
        """See `Walkable`."""
        return [edge for edge in self._edges if edge.later == id_]

    def after(self, id_: str) -> list[Link]:
        """See `Walkable`."""
        return [edge for edge in self._edges if edge.earlier == id_]


def topic(name: str, *chunks: str) -> Topic:
    """A topic of these chunks."""
    text = "".join(chunks)
    info = TopicInfo(name, f"sha256:{hash(text):x}", 1, name, 0, f"{name}.md", len(chunks), 0, len(text))
    made = tuple(Chunk(n, (), chunk, 0, f"{name}#1/{n}") for n, chunk in enumerate(chunks))
    return Topic(info, made)


def hit(id_: str, day: str, text: str, entity: str = "customer/a", type_: str = "crm.note", source: str = "crm") -> Hit:
    """A hit of a query."""
    return Hit("acme", id_, entity, instant(day), type_, text, 1.0, Scores(1.0, None), source)


def declared(text: str, name: str = "team/pay", scope: str = "team") -> Declaration:
    """A declaration with these lines."""
    return parse_package(f"package: {name}\nscope: {scope}\n{text}", f"{name.replace('/', '-')}.yaml")


def compiled(world: World, declaration: Declaration, *on: Compiled) -> Compiled:
    """A package of a world."""
    return compile_package(declaration, find(declaration, world), on)
