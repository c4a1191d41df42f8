"""Sources: what a declaration names, as it is at a view, turned into facts.

Here belongs what of a node, a link, an event or a topic is worth saying, and what tells that a source is not what it
was. Where these are looked up is for a `Reader` to say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from context_plane.bundles.packages.declaration import Chain, Declaration, Direction, Entry, Memory, Query, Topic, Walk
from context_plane.bundles.packages.facts import Fact, Piece
from context_plane.canonical import digest
from context_plane.errors import ContextPlaneError, NotFound
from context_plane.instants import format_instant
from context_plane.memory.nodes.node import SOURCE as MEMORY
from context_plane.retrieval.text.documents import KNOWLEDGE

if TYPE_CHECKING:
    from context_plane.knowledge.topic import Topic as Known
    from context_plane.memory.chains.walk import Step
    from context_plane.memory.chains.walk import Walk as Walked
    from context_plane.memory.nodes.seen import Node
    from context_plane.retrieval.hit import Hit


class Reader(Protocol):
    """What a view shows of that which packages are made of. Each raises `NotFound` for what it does not show."""

    def chain(self, node: str) -> Sequence[Node]:
        """The chain of memory that a node is in, in order, with what is superseded."""

    def about(self, entity: str) -> Sequence[Node]:
        """All nodes of memory about an entity, in order, with what is superseded."""

    def topic(self, name: str) -> Known:
        """A topic of knowledge."""

    def walk(self, entity: str, direction: Direction, depth: int) -> Walked:
        """What came before an entity, or after it."""

    def search(self, query: Query) -> Sequence[Hit]:
        """The events that answer a query best, the best first."""

    def current(self, hit: Hit) -> bool:
        """Whether what the event says is current: not a memory that is superseded, nor a topic's version gone by."""

    def superseded(self, fact: Fact) -> tuple[str, ...]:
        """What takes the place of a node of memory; nothing for one that is current, or that is not shown."""


@dataclass(frozen=True)
class Source:
    """What one entry of a declaration names."""

    ref: str
    kind: str
    version: str
    """Equal where a package would say the same of it."""
    pieces: tuple[Piece, ...]
    """What is current of it."""
    raw: tuple[Piece, ...]
    """All of it."""
    superseded: tuple[str, ...] = ()
    """Nodes of memory that are not current."""

    @property
    def chains(self) -> tuple[str, ...]:
        """The chains of memory in it, by their earliest nodes."""
        return tuple(piece.id.removeprefix("chain ") for piece in self.raw) if self.kind == "memory" else ()

    def to_json(self) -> dict[str, Any]:
        """As manifests hold it."""
        found: dict[str, Any] = {
            "ref": self.ref, "kind": self.kind, "version": self.version,
            "facts": [fact.id for piece in self.pieces for fact in piece.facts],
        }  # fmt: skip
        found |= {"chains": list(self.chains)} if self.kind == "memory" else {}
        return {**found, "superseded": list(self.superseded)} if self.superseded else found


def find(declaration: Declaration, reader: Reader) -> tuple[Source, ...]:
    """What the entries of a declaration name, in their order.

    Raises `NotFound` for what the view does not show, naming file and line."""
    found: list[Source] = []
    for at, entry in enumerate(declaration.entries):
        try:
            found.append(_FINDERS[type(entry)](entry, reader))
        except ContextPlaneError as error:
            where = declaration.places[at] if declaration.places else f"package {declaration.name}"
            raise type(error)(f"{entry.ref}: {error.what}", where=where, remedy=error.remedy) from error
    return tuple(found)


def _topic(entry: Topic, reader: Reader) -> Source:
    known = reader.topic(entry.topic)
    facts = tuple(Fact(KNOWLEDGE, chunk.event_id, {"text": chunk.text}) for chunk in known.chunks)
    piece = Piece("knowledge", f"topic {known.name}", known.name, facts, entry.mandatory)
    version = digest([known.name, known.version, [chunk.event_id for chunk in known.chunks]])
    return Source(entry.ref, "knowledge", version, (piece,), (piece,))


def _chain(entry: Chain, reader: Reader) -> Source:
    return _memory(entry.ref, [reader.chain(entry.node)], entry.mandatory)


def _about(entry: Memory, reader: Reader) -> Source:
    seen: set[str] = set()
    chains: list[Sequence[Node]] = []
    for node in reader.about(entry.memory):
        if node.id not in seen:
            chains.append(reader.chain(node.id))
            seen.update(each.id for each in chains[-1])
    if not chains:
        remedy = "check the name (type/id), or remember something about it first"
        raise NotFound(f"nothing is remembered about {entry.memory!r:.80}", where="memory", remedy=remedy)
    return _memory(entry.ref, chains, entry.mandatory)


def _memory(ref: str, chains: Sequence[Sequence[Node]], mandatory: bool) -> Source:
    whole = [
        Piece(
            "memory", f"chain {chain[0].id}", chain[0].entity, tuple(_of_node(node, chain[0].entity) for node in chain),
            mandatory,
        )
        for chain in chains
    ]  # fmt: skip
    gone = {node.id for chain in chains for node in chain if node.superseded_by}
    kept = [piece.with_facts(fact for fact in piece.facts if fact.id not in gone) for piece in whole]
    version = digest([[fact.to_json() for fact in piece.facts] for piece in whole] + [sorted(gone)])
    pieces = tuple(piece for piece in kept if piece.facts)
    return Source(ref, "memory", version, pieces, tuple(whole), tuple(sorted(gone)))


def _of_node(node: Node, of: str) -> Fact:
    says: dict[str, Any] = {"day": format_instant(node.at)[:10], "type": node.type, "text": node.text}
    says |= {} if node.entity == of else {"entity": node.entity}
    says |= {} if node.confidence == 1 else {"confidence": _plain(node.confidence)}
    links = tuple((edge.kind, edge.target) for edge in node.edges)
    return Fact(MEMORY, node.id, says, links, node.entity)


def _walk(entry: Walk, reader: Reader) -> Source:
    found = reader.walk(entry.entity, entry.direction, entry.depth)
    facts = {fact.key: fact for fact in map(_of_step, found.steps)}
    piece = Piece("chain", entry.ref, entry.entity, tuple(facts.values()), entry.mandatory, entry.direction == "back")
    version = digest([fact.to_json() for fact in piece.facts])
    pieces = (piece,) if piece.facts else ()
    return Source(entry.ref, "chain", version, pieces, pieces)


def _of_step(step: Step) -> Fact:
    edge = step.edge
    says = {"day": format_instant(edge.time)[:10], "actor": edge.actor, "does": edge.kind, "target": edge.target}
    says |= {name: text for name, text in (("title", step.thing.title), ("says", edge.quote)) if text}
    return Fact(edge.link.source, f"{edge.actor} {edge.kind} {edge.target}", says, (), edge.actor)


def _query(entry: Query, reader: Reader) -> Source:
    facts = [_of_hit(hit) for hit in reader.search(entry) if reader.current(hit)]
    piece = Piece("events", entry.ref, entry.query, tuple(facts), entry.mandatory)
    pieces = (piece,) if facts else ()
    return Source(entry.ref, "events", digest([fact.to_json() for fact in facts]), pieces, pieces)


def _of_hit(hit: Hit) -> Fact:
    says = {"time": hit.time, "entity": hit.entity, "type": hit.type, "text": hit.text}
    return Fact(hit.source, hit.event_id, says, (), hit.entity)


def _plain(number: float) -> int | float:
    return int(number) if number.is_integer() else number


_FINDERS: Final[dict[type[Entry], Callable[[Any, Reader], Source]]] = {
    Topic: _topic, Chain: _chain, Memory: _about, Walk: _walk, Query: _query,
}  # fmt: skip
