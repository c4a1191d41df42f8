"""What a node and an edge are, and how the plane's own events hold them.

Here belong the value types, their limits and their JSON. What nodes mean together (what is current, what is a chain) is
`seen`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from context_plane.canonical import canonical
from context_plane.errors import InputError
from context_plane.instants import format_instant, parse_instant
from context_plane.store.keys import MAX_ID_CHARS

SOURCE: Final = "cortex/memory"
"""CloudEvents source of all memory."""
PREFIX: Final = "cortex.memory."
LINK: Final = "cortex.memory.link"
TYPES: Final = ("observation", "decision", "preference", "correction", "outcome")
SUPERSEDES: Final = "supersedes"
CONTRADICTS: Final = "contradicts"
KINDS: Final = (SUPERSEDES, "refines", CONTRADICTS, "led_to", "caused_by")
ONWARD: Final = frozenset({"led_to"})
"""Kinds whose target comes after their actor."""
UNORDERED: Final = frozenset({CONTRADICTS})
"""Kinds that say nothing about which of the two came first."""
_MOST_ABOUT: Final = 100
_MOST_LINKS: Final = 1_000
_MOST_NAME: Final = 256
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, order=True, slots=True)
class Edge:
    """A typed edge between two nodes, ordered by time."""

    at: int
    """When it was stated, microseconds since 1970."""
    actor: str
    kind: str
    target: str
    event: str = ""
    """Id of the event that states it: the actor's own, or a link's."""

    @property
    def later(self) -> str:
        """Which of the two came after the other."""
        return self.target if self.kind in ONWARD else self.actor

    @property
    def earlier(self) -> str:
        """Which of the two was there before."""
        return self.actor if self.kind in ONWARD else self.target


@dataclass(frozen=True, slots=True)
class Kept:
    """A node as its event states it."""

    id: str
    entity: str
    type: str
    text: str
    at: int
    """Valid time: from when on it holds, microseconds since 1970."""
    recorded: int
    """When it was told, microseconds since 1970."""
    confidence: float = 1.0
    session: str = ""
    origin: str = ""
    """Who or what told it."""
    about: tuple[str, ...] = ()
    """Further entities that it is about."""
    links: tuple[tuple[str, str], ...] = ()
    """Kind and target of the edges that it was told with."""

    @property
    def order(self) -> tuple[int, str]:
        """Nodes are ordered by valid time, then by id."""
        return (self.at, self.id)

    @property
    def entities(self) -> tuple[str, ...]:
        """All entities that it is about."""
        return (self.entity, *self.about)

    @property
    def edges(self) -> list[Edge]:
        """The edges that it was told with."""
        return [Edge(self.at, self.id, kind, target, self.id) for kind, target in self.links]

    def event(self) -> dict[str, Any]:
        """The event that states it."""
        data: dict[str, Any] = {
            "text": self.text, "confidence": self.confidence, "recorded": format_instant(self.recorded),
        }  # fmt: skip
        data |= {name: value for name, value in (("session", self.session), ("origin", self.origin)) if value}
        if self.about:
            data["about"] = list(self.about)
        if self.links:
            data["links"] = [{"kind": kind, "target": target} for kind, target in self.links]
        return _event(self.id, f"{PREFIX}{self.type}", self.entity, self.at, data)


def link_event(edge: Edge, entity: str, recorded: int) -> dict[str, Any]:
    """The event that states an edge between nodes that are there; `entity` is the actor's."""
    data = {
        "actor": edge.actor, "kind": edge.kind, "target": edge.target, "recorded": format_instant(recorded),
    }  # fmt: skip
    return _event(edge.event, LINK, entity, edge.at, data)


def link_id(actor: str, kind: str, target: str) -> str:
    """The id of an edge's event: the same edge is told once."""
    return f"l-{hashlib.sha256(canonical([actor, kind, target])).hexdigest()[:20]}"


def node_id(kept: Kept) -> str:
    """The id of a node that was given none: a hash of what it says and when, so that a repeated call is a duplicate."""
    told = [kept.entity, kept.type, kept.text, kept.at, kept.confidence, kept.session, kept.origin]
    return f"m-{hashlib.sha256(canonical([*told, list(kept.about), [list(e) for e in kept.links]])).hexdigest()[:20]}"


def node_of(id_: str, type_: str, entity: str, at: int, data: Mapping[str, Any]) -> Kept:
    """Reverse of `Kept.event`, from what a timeline's row holds."""
    return Kept(
        id_,
        entity,
        type_.removeprefix(PREFIX),
        data["text"],
        at,
        parse_instant(data["recorded"]),
        float(data.get("confidence", 1.0)),
        data.get("session", ""),
        data.get("origin", ""),
        tuple(data.get("about", ())),
        tuple((each["kind"], each["target"]) for each in data.get("links", ())),
    )


def edge_of(id_: str, at: int, data: Mapping[str, Any]) -> Edge:
    """Reverse of `link_event`."""
    return Edge(at, data["actor"], data["kind"], data["target"], id_)


def checked(kept: Kept) -> Kept:
    """The node. Raises `InputError` naming what is wrong with it, as far as that does not depend on other nodes."""
    if kept.type not in TYPES:
        raise InputError(f"there is no type {kept.type!r:.60}", where="type", remedy=f"use one of {', '.join(TYPES)}")
    if not isinstance(kept.text, str) or not kept.text.strip():
        raise InputError("there is nothing to remember", where="content", remedy="give a text")
    if "\0" in kept.text:
        raise InputError("the text holds a NUL character", where="content", remedy="strip \\u0000")
    if not kept.text.isascii() and _SURROGATE.search(kept.text):
        raise InputError("the text holds a lone surrogate", where="content", remedy="send valid Unicode")
    check_share(kept.confidence, "confidence")
    for name, value in (("session", kept.session), ("origin", kept.origin), ("id", kept.id)):
        if not isinstance(value, str) or len(value) > _MOST_NAME or not (value.isprintable() or not value):
            what = f"{name} is {value!r:.60}"
            raise InputError(what, where=name, remedy=f"give at most {_MOST_NAME} printable characters")
    _check_entity(kept.entity, "entity")
    if len(kept.about) > _MOST_ABOUT:
        raise InputError(f"it is about {len(kept.about)} entities", where="about", remedy=f"at most {_MOST_ABOUT}")
    for entity in kept.about:
        _check_entity(entity, "about")
    check_links(kept.id, kept.links)
    return kept


def check_share(value: object, where: str) -> None:
    """Raises `InputError` for what is no number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise InputError(f"the {where} is {value!r:.40}", where=where, remedy="give a number from 0 to 1")


def _check_entity(entity: object, where: str) -> None:
    """As an event's subject is checked."""
    kind, slash, name = entity.partition("/") if isinstance(entity, str) else ("", "", "")
    if not (kind and slash and name) or len(kind + slash + name) > MAX_ID_CHARS or _CONTROL.search(kind + name):
        what, remedy = f"{entity!r:.80} is not an entity", "write it as type/id, such as customer/acme"
        raise InputError(what, where=where, remedy=remedy)


def check_links(actor: str, links: Iterable[tuple[str, str]]) -> None:
    """Raises `InputError` for an edge that cannot be, whatever other nodes there are."""
    given = list(links)
    if not isinstance(actor, str):
        raise InputError(f"{actor!r:.60} is no node's id", where="actor", remedy="give the id of a node")
    if len(given) > _MOST_LINKS:
        raise InputError(f"there are {len(given):,} links", where="links", remedy=f"at most {_MOST_LINKS:,} a node")
    for kind, target in given:
        if kind not in KINDS:
            raise InputError(f"there is no kind {kind!r:.60}", where="kind", remedy=f"use one of {', '.join(KINDS)}")
        if not isinstance(target, str) or not target or len(target) > _MOST_NAME:
            raise InputError(f"{target!r:.60} is no node's id", where=kind, remedy="give the id of a node")
        if target == actor:
            raise InputError(f"{actor} {kind} itself", where=kind, remedy="name another node")


def _event(id_: str, type_: str, entity: str, at: int, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": id_, "source": SOURCE, "type": type_, "subject": entity,
        "time": format_instant(at), "data": data,
    }  # fmt: skip
