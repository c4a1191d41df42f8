"""Topics: what is known under one name, as the plane tells of it.

Here belong the values that callers are given. How events become them is `events`, which of them a view sees `catalog`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from context_plane.instants import format_instant
from context_plane.knowledge.names import entity_of


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a topic: what is found, shown and paid for."""

    n: int
    """Its place in the version, from 0."""
    heading: tuple[str, ...]
    """The headings above it, the outermost first; its own is the last."""
    text: str
    """As it stands in the file."""
    tokens: int
    event_id: str
    """CloudEvents id of the event that holds it."""

    def to_json(self) -> dict[str, Any]:
        """As ``cortex knowledge show --json`` prints it."""
        return {
            "n": self.n,
            "heading": list(self.heading),
            "text": self.text,
            "tokens": self.tokens,
            "event_id": self.event_id,
        }


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """One version of a topic, without its text."""

    name: str
    version: str
    """``sha256:…`` of the file's bytes: the same text is the same version."""
    revision: int
    """How often the topic had changed by then: what comes back later is another revision of the same version."""
    title: str
    """What the file calls itself; else the last part of the name."""
    at: int
    """When the plane learned it: microseconds since 1970."""
    file: str
    """Path of the file below the folder it was in."""
    chunks: int
    tokens: int
    bytes: int

    @property
    def entity(self) -> str:
        """The entity that its events are of."""
        return entity_of(self.name)

    @property
    def time(self) -> str:
        """When the plane learned it: RFC 3339 in UTC."""
        return format_instant(self.at)

    def to_json(self) -> dict[str, Any]:
        """As ``cortex knowledge list --json`` prints it."""
        return {
            "name": self.name,
            "entity": self.entity,
            "version": self.version,
            "revision": self.revision,
            "title": self.title,
            "time": self.time,
            "file": self.file,
            "chunks": self.chunks,
            "tokens": self.tokens,
            "bytes": self.bytes,
        }


@dataclass(frozen=True)
class Topic:
    """One version of a topic."""

    info: TopicInfo
    chunks: tuple[Chunk, ...]

    @property
    def name(self) -> str:
        """Its name."""
        return self.info.name

    @property
    def entity(self) -> str:
        """The entity that its events are of."""
        return self.info.entity

    @property
    def version(self) -> str:
        """``sha256:…`` of the file's bytes."""
        return self.info.version

    @property
    def title(self) -> str:
        """What the file calls itself."""
        return self.info.title

    @property
    def at(self) -> int:
        """When the plane learned it: microseconds since 1970."""
        return self.info.at

    @property
    def time(self) -> str:
        """When the plane learned it: RFC 3339 in UTC."""
        return self.info.time

    @property
    def tokens(self) -> int:
        """Of the whole text."""
        return self.info.tokens

    @cached_property
    def text(self) -> str:
        """The file: its bytes are this in UTF-8."""
        return "".join(chunk.text for chunk in self.chunks)

    @property
    def nbytes(self) -> int:
        """Bytes of memory, about."""
        return 2 * self.info.bytes + 400 * len(self.chunks) + 1_000

    def to_json(self) -> dict[str, Any]:
        """As ``cortex knowledge show --json`` prints it."""
        return {**self.info.to_json(), "chunks": [chunk.to_json() for chunk in self.chunks]}
