"""Segments: the immutable files that hold events, one entity and one UTC day each.

A segment is JSONL of canonical event lines, sorted by time, source and id, compressed with zstd and named by the
SHA-256 of the compressed bytes. Length and hash are checked before anything parses it, because decoders accept
truncated and damaged frames silently (measured: DuckDB and zstd streams returned short results without an error).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from context_plane.errors import Corrupt, NotFound
from context_plane.instants import DAY, day_of
from context_plane.store import keys

if TYPE_CHECKING:
    from context_plane.log.events import Event
    from context_plane.store.base import Store

_LEVEL: Final = 3  # the knee: 182 MB/s at a ratio of 3.3; level 6 is half as fast for 6 % (reference, measured)
_MAX_PLAIN: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class SegmentRef:
    """One segment as the log names it."""

    entity: str
    day: int
    """Days since 1970-01-01."""
    sha256: str
    size: int
    rows: int
    first: int
    """Earliest event time, microseconds."""
    last: int

    @property
    def date(self) -> date:
        """The UTC day."""
        return day_of(self.day * DAY)

    def key(self, tenant: str, path_key: bytes | None = None) -> str:
        """Where it lies in the store."""
        return keys.segment(tenant, self.entity, self.date, self.sha256, path_key)

    def to_row(self) -> list[Any]:
        """As it is written in commit records and lists."""
        return [self.entity, self.day, self.sha256, self.size, self.rows, self.first, self.last]


class SegmentWriter:
    """Packs events of one entity and day into a segment."""

    def __init__(self) -> None:
        import zstandard

        # Checksums are off by default, and then two of three flipped bits decode to wrong data unnoticed.
        self._compress = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress

    def pack(self, events: list[Event]) -> tuple[SegmentRef, bytes]:
        """The reference and the bytes of a segment. `events` are of one entity and one day, in any order."""
        if len(events) > 1:
            events = sorted(events, key=lambda event: event[3:6])
        body = self._compress(b"\n".join([event.line for event in events]) + b"\n")
        first = events[0]
        sha256 = hashlib.sha256(body).hexdigest()
        return SegmentRef(first.entity, first.day, sha256, len(body), len(events), first.at, events[-1].at), body


def read_segment(store: Store, tenant: str, ref: SegmentRef, path_key: bytes | None = None) -> list[bytes]:
    """The canonical lines of a segment.

    Raises `Corrupt` when length, hash or row count differ from what the log recorded, `NotFound` where it is gone.
    """
    import zstandard

    key = ref.key(tenant, path_key)
    try:
        body = store.get(key)
    except NotFound as error:
        what = "a segment that the log names is gone from the store"
        raise NotFound(what, where=key, remedy="restore it from a backup: nothing else holds its events") from error
    check_bytes(key, body, ref.size, ref.sha256)
    try:
        plain = zstandard.ZstdDecompressor().decompress(body, max_output_size=_MAX_PLAIN)
    except zstandard.ZstdError as error:
        raise Corrupt(f"segment does not decompress: {error}", where=key, remedy=_REMEDY) from error
    lines = plain.split(b"\n")
    lines.pop()
    if len(lines) != ref.rows:
        raise Corrupt(f"segment holds {len(lines)} events, {ref.rows} are recorded", where=key, remedy=_REMEDY)
    return lines


_REMEDY: Final = "restore the object from a backup of the store; the log names its hash"


def check_bytes(key: str, body: bytes | memoryview, length: int, sha256: str) -> None:
    """Raises `Corrupt` unless the bytes are the ones recorded."""
    if len(body) != length:
        raise Corrupt(f"object has {len(body)} bytes, {length} are recorded", where=key, remedy=_REMEDY)
    found = hashlib.sha256(body).hexdigest()
    if found != sha256:
        raise Corrupt(f"object has SHA-256 {found[:12]}…, {sha256[:12]}… is recorded", where=key, remedy=_REMEDY)


def days_of(refs: Iterable[SegmentRef]) -> list[int]:
    """The days that segments touch, sorted."""
    return sorted({ref.day for ref in refs})
