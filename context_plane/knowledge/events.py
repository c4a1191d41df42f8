"""Events of knowledge: what a version of a topic is in the log, and back.

A change of a topic is one commit's events of its entity, all of one time: a version with its chunks, or that it was
removed (docs/knowledge.md gives the fields). Their ids count the changes of the topic, so that the log itself refuses a
second change with the same number, and what comes back after a change is a change of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from context_plane.ctx import tokens
from context_plane.errors import Corrupt
from context_plane.instants import format_instant, parse_instant
from context_plane.knowledge.chunks import Piece, cut
from context_plane.knowledge.folder import Document
from context_plane.knowledge.names import entity_of
from context_plane.knowledge.topic import Chunk, Topic, TopicInfo
from context_plane.retrieval.text.documents import KNOWLEDGE

SOURCE: Final = KNOWLEDGE
VERSION: Final = "cortex.knowledge.version"
CHUNK: Final = "cortex.knowledge.chunk"
REMOVED: Final = "cortex.knowledge.removed"


@dataclass(frozen=True, slots=True)
class Removal:
    """That a topic's file is gone."""

    name: str
    revision: int
    at: int


def version_of(body: bytes) -> str:
    """The version that a file's bytes are."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def change_id(topic: str, revision: int) -> str:
    """The id of the event that says of a change."""
    return f"{topic}#{revision}"


def of_version(document: Document, revision: int, at: int) -> Iterator[dict[str, Any]]:
    """The events of a new version."""
    title, pieces = cut(document.text, document.form)
    version, name = version_of(document.body), document.topic
    data = {
        "name": name,
        "version": version,
        "revision": revision,
        "title": title or name.rpartition("/")[2],
        "file": document.file,
        "chunks": len(pieces),
        "tokens": tokens.count(document.text),
        "bytes": len(document.body),
    }
    yield _event(VERSION, name, change_id(name, revision), at, data)
    for n, piece in enumerate(pieces):
        yield _event(CHUNK, name, f"{change_id(name, revision)}/{n}", at, _of_piece(piece, version, n))


def of_removal(topic: str, revision: int, at: int) -> dict[str, Any]:
    """The event of a topic whose file is gone."""
    return _event(REMOVED, topic, change_id(topic, revision), at, {"name": topic, "revision": revision})


def time_of(line: bytes) -> int:
    """The time of a line of the log."""
    return parse_instant(json.loads(line)["time"])


def change_in(lines: Iterable[bytes]) -> TopicInfo | Removal | None:
    """What the lines of a commit's events of a topic say that came to be; `None` where they say nothing of it."""
    for line in lines:
        if _VERSION_MARK in line or _REMOVED_MARK in line:
            event = json.loads(line)
            data, at = event.get("data"), parse_instant(event["time"])
            if event["type"] == REMOVED:
                return Removal(data["name"], data["revision"], at)
            if event["type"] == VERSION:
                return TopicInfo(at=at, **data)
    return None


def topic_in(info: TopicInfo, lines: Iterable[bytes]) -> Topic:
    """The topic of a commit's events of it. Raises `Corrupt` where a chunk is missing."""
    found: dict[int, Chunk] = {}
    for line in lines:
        if _CHUNK_MARK in line and (event := json.loads(line))["type"] == CHUNK:
            data = event["data"]
            found[data["n"]] = Chunk(data["n"], tuple(data["heading"]), data["text"], data["tokens"], event["id"])
    if sorted(found) != list(range(info.chunks)):
        what = f"of version {info.version[:19]} of topic {info.name!r} there are {len(found)} chunks of {info.chunks}"
        raise Corrupt(what, where=info.entity, remedy="restore the log from a backup, and sync the file again")
    return Topic(info, tuple(found[n] for n in range(info.chunks)))


def is_whole(topic: Topic) -> bool:
    """Whether the chunks are the file that the version was made of."""
    return version_of(topic.text.encode()) == topic.version


def _of_piece(piece: Piece, version: str, n: int) -> dict[str, Any]:
    heading: Sequence[str] = list(piece.heading)
    return {"text": piece.text, "heading": heading, "version": version, "n": n, "tokens": piece.tokens}


def _event(kind: str, topic: str, id_: str, at: int, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": id_,
        "source": SOURCE,
        "type": kind,
        "subject": entity_of(topic),
        "time": format_instant(at),
        "data": data,
    }


_VERSION_MARK: Final = f'"type":"{VERSION}"'.encode()
_REMOVED_MARK: Final = f'"type":"{REMOVED}"'.encode()
_CHUNK_MARK: Final = f'"type":"{CHUNK}"'.encode()
