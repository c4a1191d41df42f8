"""The fold of memory: timeline rows in, what they state of nodes, edges and accesses out; and its bytes.

Pure and mergeable: what two sets of events state is what both state together, whatever the order. The bytes are JSON
lines of canonical JSON in a zstd frame with a checksum, nodes before edges before accesses, each in order.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from context_plane.canonical import canonical
from context_plane.errors import Corrupt
from context_plane.log.events import RECEIPT
from context_plane.memory.nodes.node import LINK, PREFIX, SOURCE, Edge, Kept, edge_of, node_of

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT: Final = 1
_LEVEL: Final = 3
_COLUMNS: Final = ("entity", "time", "source", "id", "type", "data")
Row = tuple[str, int, str, str, str, str | None]


@dataclass(frozen=True)
class Rows:
    """What some events state of memory."""

    nodes: tuple[Kept, ...] = ()
    """By valid time and id."""
    links: tuple[Edge, ...] = ()
    """Edges that were told after their nodes."""
    accessed: Mapping[str, int] = field(default_factory=dict)
    """In how many answers each node was."""

    def __len__(self) -> int:
        return len(self.nodes) + len(self.links)


def rows_of(events: pa.Table) -> Rows:
    """What the rows of a timeline state."""
    import pyarrow as pa
    import pyarrow.compute as pc

    own = pc.or_(pc.starts_with(events["type"], PREFIX), pc.equal(events["type"], RECEIPT))
    events = events.filter(own)
    columns = [events[name].cast(pa.int64()) if name == "time" else events[name] for name in _COLUMNS]
    return fold(zip(*(column.to_pylist() for column in columns), strict=True))


def fold(rows: Iterable[Row]) -> Rows:
    """What (entity, time, source, id, type, data as JSON) of events state; others than memory and receipts are
    passed over."""
    nodes, links, accessed = list[Kept](), list[Edge](), Counter[str]()
    for entity, at, source, id_, type_, data in rows:
        if type_ == RECEIPT:
            accessed.update(_accessed(json.loads(data or "{}")))
        elif source == SOURCE and type_ == LINK:
            links.append(edge_of(id_, at, json.loads(data or "{}")))
        elif source == SOURCE and type_.startswith(PREFIX):
            nodes.append(node_of(id_, type_, entity, at, json.loads(data or "{}")))
    return _ordered(nodes, links, accessed)


def merge(parts: Sequence[Rows]) -> Rows:
    """What all of them state together."""
    accessed = Counter[str]()
    for each in parts:
        accessed.update(each.accessed)
    return _ordered(
        [node for each in parts for node in each.nodes], [link for each in parts for link in each.links], accessed
    )


def _ordered(nodes: Iterable[Kept], links: Iterable[Edge], accessed: Mapping[str, int]) -> Rows:
    return Rows(
        tuple(sorted(nodes, key=lambda node: node.order)),
        tuple(sorted(links)),
        {id_: accessed[id_] for id_ in sorted(accessed)},
    )


def _accessed(data: Mapping[str, Any]) -> Iterator[str]:
    for item in data.get("items", ()):
        if item.get("kind") == "memory":
            yield item["id"]


def encode(rows: Rows, meta: Mapping[str, Any]) -> bytes:
    """The bytes of a part; `meta` says what it is a part of."""
    import zstandard

    lines = [canonical({"format": FORMAT, **meta})]
    lines += [canonical({"node": _plain(node)}) for node in rows.nodes]
    lines += [canonical({"link": _plain(link)}) for link in rows.links]
    lines.append(canonical({"accessed": dict(rows.accessed)}))
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(b"\n".join(lines))


def decode(body: bytes | memoryview, key: str) -> Rows:
    """Reverse of `encode`. Raises `Corrupt` for anything that it did not write."""
    import zstandard

    try:
        frame = zstandard.ZstdDecompressor().decompressobj()  # takes no memory by what a damaged head says
        plain = frame.decompress(bytes(body))
        if not frame.eof or frame.unused_data:
            raise ValueError("it is not one whole frame")
        head, *lines, last = (json.loads(line) for line in plain.split(b"\n"))
        if head["format"] != FORMAT:
            raise ValueError(f"format {head['format']}")
        nodes = tuple(_node(each["node"]) for each in lines if "node" in each)
        links = tuple(Edge(**each["link"]) for each in lines if "link" in each)
        return Rows(nodes, links, last["accessed"])
    except (zstandard.ZstdError, ValueError, KeyError, TypeError) as error:
        remedy = "delete the object and materialize again: it is derived from the log"
        raise Corrupt(f"part of memory does not read: {error}", where=key, remedy=remedy) from error


def _plain(value: Kept | Edge) -> dict[str, Any]:
    return {name: found for name, found in asdict(value).items() if found not in ("", ())}


def _node(raw: Any) -> Kept:
    if not isinstance(raw, dict):
        raise TypeError("a node is no object")
    raw["about"] = tuple(raw.get("about", ()))
    raw["links"] = tuple((kind, target) for kind, target in raw.get("links", ()))
    return Kept(**raw)
