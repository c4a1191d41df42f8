"""Packs: the file that holds the bundles which changed since the pack before.

Laid out to be memory-mapped: one bundle is one slice, found through a table of 64-bit hashes; all bundles stream in
entity order. `docs/spec/parts.md` gives the format. All numbers are little-endian.

```
magic "CPPACK01" | count u64 | meta length u64 | meta (canonical JSON, padded to 8) | hashes u64[count], ascending
rows u32[count] (padded to 8) | valid_through i64[count] | offsets u64[count + 1] | bundles
bundle: length of entity u16 | entity (UTF-8) | body
```
"""

from __future__ import annotations

import hashlib
import json
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from context_plane.canonical import canonical
from context_plane.errors import Corrupt

_MAGIC: Final = b"CPPACK01"
_HEADER: Final = 24


@dataclass(frozen=True, slots=True)
class Entry:
    """One bundle as it goes into a pack."""

    entity: str
    body: bytes
    """Canonical JSON of the bundle behind its `as_of`."""
    valid_through: int
    """Last instant (microseconds) at which the bundle is the same if nothing new happens to the entity."""


def entity_hash(entity: str) -> int:
    """The 64-bit hash under which packs find an entity."""
    return int.from_bytes(hashlib.blake2b(entity.encode(), digest_size=8).digest(), "little")


def encode_pack(meta: dict[str, Any], entries: Iterable[Entry]) -> tuple[int, bytes]:
    """Number of bundles and bytes of a pack. `entries` come sorted by entity, each entity once."""
    offsets, valid, blobs, index = array("Q", [0]), array("q"), [], []
    for row, entry in enumerate(entries):
        name = entry.entity.encode()
        blob = len(name).to_bytes(2, "little") + name + entry.body
        blobs.append(blob)
        offsets.append(offsets[-1] + len(blob))
        valid.append(entry.valid_through)
        index.append((entity_hash(entry.entity), row))
    index.sort()
    head = canonical(meta)
    head += b" " * (-len(head) % 8)
    rows = array("I", [row for _, row in index])
    tables = [array("Q", [hashed for hashed, _ in index]), rows, valid, offsets]
    if sys.byteorder == "big":
        for table in tables:
            table.byteswap()
    pad = b"\0" * (-len(rows) * 4 % 8)
    sections = [tables[0].tobytes(), tables[1].tobytes(), pad, tables[2].tobytes(), tables[3].tobytes()]
    header = [_MAGIC, len(index).to_bytes(8, "little"), len(head).to_bytes(8, "little"), head]
    return len(index), b"".join([*header, *sections, *blobs])


class Pack:
    """A pack over memory-mapped bytes; opening it reads nothing but the header."""

    __slots__ = ("_blobs", "_offsets", "_rows", "_view", "count", "hashes", "meta", "valid_through")

    def __init__(self, view: memoryview, where: str) -> None:
        if sys.byteorder == "big":
            raise Corrupt("packs are little-endian", where=where, remedy="serve from a little-endian machine")
        if len(view) < _HEADER or bytes(view[:8]) != _MAGIC:
            raise Corrupt("not a pack of bundles", where=where, remedy="materialize the spec again")
        self.count = int.from_bytes(view[8:16], "little")
        meta_end = _HEADER + int.from_bytes(view[16:24], "little")
        ends = [meta_end]
        for width in (8 * self.count, 4 * self.count + (-self.count * 4 % 8), 8 * self.count, 8 * (self.count + 1)):
            ends.append(ends[-1] + width)
        if len(view) < ends[-1]:
            raise Corrupt("the pack ends in its tables", where=where, remedy="materialize the spec again")
        self.meta: dict[str, Any] = json.loads(bytes(view[_HEADER:meta_end]))
        self._view = view
        self.hashes = view[ends[0] : ends[1]].cast("Q")
        self._rows = view[ends[1] : ends[1] + 4 * self.count].cast("I")
        self.valid_through = view[ends[2] : ends[3]].cast("q")
        self._offsets = view[ends[3] : ends[4]].cast("Q")
        self._blobs = ends[4]

    def find(self, entity: str, hashed: int) -> int | None:
        """The row of an entity, or `None`. Logarithmic, without touching any bundle but the one asked for."""
        at = bisect_left(self.hashes, hashed)
        while at < self.count and self.hashes[at] == hashed:
            row = self._rows[at]
            if self.entity(row) == entity:
                return row
            at += 1
        return None

    def index(self) -> Iterator[tuple[int, int]]:
        """(hash, row) of every bundle."""
        return zip(self.hashes, self._rows, strict=True)

    def entity(self, row: int) -> str:
        """The entity of a row."""
        start = self._blobs + self._offsets[row]
        size = int.from_bytes(self._view[start : start + 2], "little")
        return str(self._view[start + 2 : start + 2 + size], "utf-8")

    def body(self, row: int) -> bytes:
        """The bundle of a row, behind its `as_of`."""
        start, end = self._blobs + self._offsets[row], self._blobs + self._offsets[row + 1]
        size = int.from_bytes(self._view[start : start + 2], "little")
        return bytes(self._view[start + 2 + size : end])
