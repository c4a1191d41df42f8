"""What the tests of nodes share: nodes and edges by hand, strategies for them, and a model of what a view shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from hypothesis import strategies as st

from context_plane import ContextPlane
from context_plane.demo.build import build
from context_plane.instants import parse_instant
from context_plane.memory.nodes.memory import Memory
from context_plane.memory.nodes.node import CONTRADICTS, KINDS, SUPERSEDES, TYPES, Edge, Kept, link_id
from context_plane.memory.nodes.part import Rows
from context_plane.memory.nodes.seen import Node, Seen

FAR = 1 << 62
START = parse_instant("2026-03-01T00:00:00Z")


def kept(id_: str, at: int = 0, *links: tuple[str, str], **changed: Any) -> Kept:
    """A node."""
    given: dict[str, Any] = {"entity": "customer/a", "type": "observation", "text": f"about {id_}", **changed}
    return Kept(id_, at=at, recorded=at, links=links, **given)


def link(actor: str, kind: str, target: str, at: int = 0) -> Edge:
    """An edge that was told after its nodes."""
    return Edge(at, actor, kind, target, link_id(actor, kind, target))


def memory_of(nodes: Iterable[Kept], links: Iterable[Edge] = (), accessed: Mapping[str, int] | None = None) -> Memory:
    """All of these, as loaded."""
    memory = Memory()
    memory.add(Rows(tuple(nodes), tuple(links), accessed or {}))
    return memory


def seen_of(nodes: Iterable[Kept], links: Iterable[Edge] = (), cut: int = FAR, number: int = 1) -> Seen:
    """What a view shows that is cut at an instant."""
    return Seen(memory_of(nodes, links), cut, number)


def opened(home: Path, **settings: Any) -> ContextPlane:
    """A plane in memory, of its own store unless one is given."""
    return ContextPlane.open(
        home, **{"store": f"memory://{uuid4().hex}", "max_staleness": 0, "embedder": "none", **settings}
    )


def materialize(plane: ContextPlane) -> None:
    """Builds and publishes what tenant acme lacks."""
    build(plane, "acme", lambda *_: None)


def ids(found: Iterable[Any]) -> list[str]:
    """Of nodes, or of hits."""
    return [each.id for each in found]


def shown(plane: ContextPlane, **cut: Any) -> list[dict[str, Any]]:
    """All that a plane says of all nodes."""
    return [node.to_json() for node in plane.nodes("acme", superseded=True, **cut)]


# --- strategies ------------------------------------------------------------------------------------------------------

NAMES = "abcdefgh"
INSTANTS = st.integers(0, 6)
kinds = st.sampled_from(KINDS)


@st.composite
def edges(draw: st.DrawFn, names: str = NAMES) -> Edge:
    """An edge between two of a few nodes."""
    actor, target = draw(st.lists(st.sampled_from(names), min_size=2, max_size=2, unique=True))
    return link(actor, draw(kinds), target, draw(INSTANTS))


@st.composite
def anything(draw: st.DrawFn) -> Kept:
    """A node with all its fields, as `checked` lets it pass."""
    name = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=12)
    text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60)
    entity = name.map(lambda each: f"kind/{each}")
    links = st.lists(st.tuples(kinds, name), max_size=4, unique=True).map(tuple)
    return Kept(
        draw(name), draw(entity), draw(st.sampled_from(TYPES)), draw(text.filter(str.strip)),
        draw(st.integers(-(10**15), 10**15)), draw(st.integers(0, 10**16)),
        draw(st.floats(0, 1) | st.sampled_from([0.0, 1.0])), draw(st.just("") | name), draw(st.just("") | name),
        draw(st.lists(entity, max_size=3, unique=True).map(tuple)), draw(links),
    )  # fmt: skip


# --- the model -------------------------------------------------------------------------------------------------------


@dataclass
class Model:
    """What was told, with the log number that brought it; what is shown is worked out from sets, each time anew."""

    nodes: dict[str, tuple[int, Kept]] = field(default_factory=dict)
    links: dict[str, tuple[int, Edge]] = field(default_factory=dict)

    def tell(self, number: int, nodes: Sequence[Kept] = (), links: Sequence[Edge] = ()) -> None:
        """What a commit brought."""
        for node in nodes:
            self.nodes.setdefault(node.id, (number, node))
        for edge in links:
            self.links.setdefault(edge.event, (number, edge))

    def shown(self, cut: int = FAR, number: int = FAR) -> dict[str, tuple[set[str], set[str], str]]:
        """By id: what supersedes a node, what it is in conflict with, and its chain."""
        nodes = {id_: node for id_, (told, node) in self.nodes.items() if told <= number and node.at < cut}
        stated = [edge for node in nodes.values() for edge in node.edges]
        stated += [edge for told, edge in self.links.values() if told <= number and edge.at < cut]
        edges = {(e.actor, e.kind, e.target) for e in stated if e.actor in nodes and e.target in nodes}
        by = {id_: {a for a, kind, b in edges if kind == SUPERSEDES and b == id_} for id_ in nodes}
        below = _closed({id_: {b for a, kind, b in edges if kind == SUPERSEDES and a == id_} for id_ in nodes})
        near = {id_: {b for a, _, b in edges if a == id_} | {a for a, _, b in edges if b == id_} for id_ in nodes}
        at_odds = {frozenset((a, b)) for a, kind, b in edges if kind == CONTRADICTS}
        chains = _closed(near)
        found = {}
        for id_ in nodes:
            others = {
                other for other in nodes
                if other != id_ and not by[id_] and not by[other]
                and (frozenset((id_, other)) in at_odds or below[id_] & below[other])
            }  # fmt: skip
            first = min(chains[id_] | {id_}, key=lambda each: nodes[each].order)
            found[id_] = (by[id_], others, first)
        return found


def _closed(near: dict[str, set[str]]) -> dict[str, set[str]]:
    """All that is come to in any number of steps."""
    found = {id_: set(some) for id_, some in near.items()}
    for _ in near:
        found = {id_: some | {far for each in some for far in found[each]} for id_, some in found.items()}
    return found


def said(nodes: Iterable[Node]) -> dict[str, tuple[set[str], set[str], str]]:
    """The same of nodes that a view shows."""
    return {node.id: (set(node.superseded_by), set(node.conflicts), node.chain) for node in nodes}
