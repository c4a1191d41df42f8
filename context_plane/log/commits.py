"""Commit records: the numbered objects that make a batch exist.

A record says what a batch added (segments, ids), which days it touched and which record came before it. It has at most
4 KB: what does not fit lies in a content-addressed list. `docs/spec/log.md` gives the format field by field.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from context_plane.canonical import canonical
from context_plane.errors import Corrupt
from context_plane.instants import DAY, day_of, parse_day, start_of
from context_plane.log.segments import SegmentRef, check_bytes
from context_plane.store import keys

if TYPE_CHECKING:
    from context_plane.store.base import Store

MAX_RECORD: Final = 4_096
GENESIS: Final = "0" * 64
_INLINE_IDS: Final = 24
_MAX_RANGES: Final = 24
FORMAT: Final = 1

Kind = Literal["ingest", "tombstone", "rewrite"]
Pairs = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True)
class ListRef:
    """A content-addressed object that holds what did not fit into the record."""

    sha256: str
    size: int
    count: int


@dataclass(frozen=True)
class CommitRecord:
    """One commit of a tenant's log."""

    number: int
    kind: Kind
    put_id: str
    prev: str
    """SHA-256 of the record before it; 64 zeros in the first."""
    time: str
    """Wall clock of the writer, RFC 3339; never earlier than the record before."""
    events: int
    ranges: tuple[tuple[int, int], ...]
    """Runs of touched days (days since 1970, inclusive); empty when only the segment list tells them."""
    first_day: int | None
    last_day: int | None
    segments: tuple[SegmentRef, ...] | ListRef
    ids: tuple[tuple[bytes, bytes], ...] | ListRef
    batch: dict[str, Any] | None = None
    paths: Literal["plain", "keyed"] = "plain"
    entities: tuple[str, ...] = ()
    """Tombstone: entities whose events up to here are erased."""
    replaces: tuple[str, ...] = ()
    """Rewrite: SHA-256 of the segments that `segments` stand in for."""
    own: bool = False
    """Whether all of its events are the plane's own (their types begin with ``cortex.``): they do not move the data
    clock, because what a plane remembers or answered is not news of the world."""
    silent: bool = False
    """Of own events: whether none of them says anything in words, so that no index changes by them."""
    sha256: str = field(default="", compare=False)
    """Of the record's own bytes; what the next record names as `prev`."""

    def encode(self) -> bytes:
        """The record's bytes: canonical JSON."""
        body: dict[str, Any] = {
            "format": FORMAT,
            "number": self.number,
            "kind": self.kind,
            "put_id": self.put_id,
            "prev": self.prev,
            "time": self.time,
            "events": self.events,
            "days": {
                "first": _day_text(self.first_day),
                "last": _day_text(self.last_day),
                "ranges": [[_day_text(a), _day_text(b)] for a, b in self.ranges],
            },
            "segments": _encode_list(self.segments, [ref.to_row() for ref in _inline(self.segments)]),
            "ids": _encode_list(self.ids, base64.b64encode(b"".join(a + b for a, b in _inline(self.ids))).decode()),
            "paths": self.paths,
        }
        if self.batch is not None:
            body["batch"] = self.batch
        if self.entities:
            body["entities"] = list(self.entities)
        if self.replaces:
            body["replaces"] = list(self.replaces)
        if self.own:
            body["own"] = True
        if self.silent:
            body["silent"] = True
        return canonical(body)


def decode_record(key: str, body: bytes, number: int) -> CommitRecord:
    """A record from its bytes. Raises `Corrupt` when they are not record `number` in a known format."""
    try:
        raw = json.loads(body)
        if raw["format"] != FORMAT or raw["number"] != number:
            raise ValueError(f"format {raw['format']}, number {raw['number']}")
        return CommitRecord(
            number=number,
            kind=raw["kind"],
            put_id=raw["put_id"],
            prev=raw["prev"],
            time=raw["time"],
            events=raw["events"],
            ranges=tuple((_day_number(a), _day_number(b)) for a, b in raw["days"]["ranges"]),
            first_day=_day_number(raw["days"]["first"]) if raw["days"]["first"] else None,
            last_day=_day_number(raw["days"]["last"]) if raw["days"]["last"] else None,
            segments=_decode_list(raw["segments"], lambda rows: tuple(SegmentRef(*row) for row in rows)),
            ids=_decode_list(raw["ids"], _decode_pairs),
            batch=raw.get("batch"),
            paths=raw["paths"],
            entities=tuple(raw.get("entities", ())),
            replaces=tuple(raw.get("replaces", ())),
            own=raw.get("own", False),
            silent=raw.get("silent", False),
            sha256=hashlib.sha256(body).hexdigest(),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt(
            f"commit record does not read: {error}",
            where=key,
            remedy="restore the object, or upgrade this installation",
        ) from error


def put_id_of(body: bytes) -> str | None:
    """The put-id inside a record's bytes, or `None` when they are not a record."""
    try:
        found = json.loads(body).get("put_id")
    except (ValueError, AttributeError):
        return None
    return found if isinstance(found, str) else None


def ranges_of(days: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Sorted days as inclusive runs; empty when there are too many runs for a record."""
    runs: list[list[int]] = []
    for day in days:
        if runs and day == runs[-1][1] + 1:
            runs[-1][1] = day
        else:
            runs.append([day, day])
    return tuple((a, b) for a, b in runs) if len(runs) <= _MAX_RANGES else ()


def place_segments(store: Store, tenant: str, refs: Sequence[SegmentRef]) -> tuple[SegmentRef, ...] | ListRef:
    """Segments for a record: inline when few and short, else written as a content-addressed Parquet list."""
    if len(refs) <= 12 and sum(len(ref.entity.encode()) + 120 for ref in refs) <= 2_000:
        return tuple(refs)
    body = _encode_segments(refs)
    sha256 = hashlib.sha256(body).hexdigest()
    store.put_content([(keys.segment_list(tenant, sha256), body)])
    return ListRef(sha256, len(body), len(refs))


def place_ids(store: Store, tenant: str, pairs: Pairs) -> tuple[tuple[bytes, bytes], ...] | ListRef:
    """Ids for a record: inline when few, else written as a run under ``ids/``."""
    if len(pairs) <= _INLINE_IDS:
        return tuple(sorted(pairs))
    from context_plane.log.ids import encode_run

    sha256, body = encode_run(pairs)
    store.put_content([(keys.ids(tenant, sha256), body)])
    return ListRef(sha256, len(body), len(pairs))


def load_segments(store: Store, tenant: str, record: CommitRecord) -> Sequence[SegmentRef]:
    """The segments of a commit. Raises `Corrupt` when the list's bytes are not the recorded ones."""
    if not isinstance(record.segments, ListRef):
        return record.segments
    key = keys.segment_list(tenant, record.segments.sha256)
    body = store.get(key)
    check_bytes(key, body, record.segments.size, record.segments.sha256)
    return _decode_segments(body)


def _encode_segments(refs: Sequence[SegmentRef]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = list(zip(*(ref.to_row() for ref in refs), strict=True))
    columns[2] = tuple(bytes.fromhex(sha256) for sha256 in columns[2])
    table = pa.table([pa.array(column, kind) for column, (_, kind) in zip(columns, _fields(), strict=True)], _schema())
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    body: bytes = sink.getvalue().to_pybytes()
    return body


def _decode_segments(body: bytes) -> list[SegmentRef]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = [column.to_pylist() for column in pq.read_table(pa.BufferReader(body), use_threads=False).columns]
    columns[2] = [sha256.hex() for sha256 in columns[2]]
    return list(map(SegmentRef, *columns))


def _fields() -> list[tuple[str, Any]]:
    import pyarrow as pa

    return [
        ("entity", pa.string()),
        ("day", pa.int32()),
        ("sha256", pa.binary(32)),
        ("bytes", pa.int64()),
        ("rows", pa.int32()),
        ("first", pa.int64()),
        ("last", pa.int64()),
    ]


def _schema() -> Any:
    import pyarrow as pa

    return pa.schema(_fields())


def _inline(value: Any) -> tuple[Any, ...]:
    return () if isinstance(value, ListRef) else value


def _encode_list(value: Any, inline: Any) -> dict[str, Any]:
    if isinstance(value, ListRef):
        return {"count": value.count, "sha256": value.sha256, "bytes": value.size}
    return {"count": len(value), "inline": inline}


def _decode_list(raw: dict[str, Any], decode: Any) -> Any:
    if "inline" in raw:
        return decode(raw["inline"])
    return ListRef(raw["sha256"], raw["bytes"], raw["count"])


def _decode_pairs(text: str) -> tuple[tuple[bytes, bytes], ...]:
    body = base64.b64decode(text)
    return tuple((body[i : i + 16], body[i + 16 : i + 32]) for i in range(0, len(body), 32))


def _day_text(day: int | None) -> str | None:
    return None if day is None else day_of(day * DAY).isoformat()


def _day_number(text: str) -> int:
    return start_of(parse_day(text)) // DAY
