"""The timeline: one Parquet file a day with the events of all entities, and the same rows of the fresh tail.

A fold: rows come from segments, are sorted by entity, time, source and id, and one identity counts once (the lowest
commit number wins). A day that already has a file is merged with the segments that came since; the bytes are those of
a build from nothing. Row groups are small and sorted, so that one entity is read without reading the day.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from context_plane.instants import DAY
from context_plane.log.events import COLUMNS, Row, row
from context_plane.log.history import History, live_segments
from context_plane.log.segments import SegmentRef, read_segment
from context_plane.parts.notes import Note
from context_plane.parts.part import TIMELINE, Catalog, Part, month_of
from context_plane.store import keys
from context_plane.store.faults import reach

if TYPE_CHECKING:
    import pyarrow as pa

    from context_plane.parts.files import Files

ROW_GROUP: Final = 8_192
_SORT: Final = [("entity", "ascending"), ("time", "ascending"), ("source", "ascending"), ("id", "ascending")]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Built:
    """What a fold over a range of days did."""

    parts: tuple[Part, ...]
    """Rebuilt parts, by day."""
    unchanged: int
    """Parts in the range that were up to date and left alone."""
    until: int
    """The log number up to which commits were taken in."""


def schema() -> pa.Schema:
    """The columns of a timeline; `time` is in UTC microseconds, `data` and `attributes` are canonical JSON."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("entity", pa.string(), nullable=False),
            pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("source", pa.string(), nullable=False),
            pa.field("id", pa.string(), nullable=False),
            pa.field("type", pa.string(), nullable=False),
            pa.field("text", pa.string()),
            pa.field("labels", pa.list_(pa.string()), nullable=False),
            pa.field("data", pa.string()),
            pa.field("attributes", pa.string()),
            pa.field("digest", pa.binary(16), nullable=False),
        ]
    )


def table(rows: Sequence[Row]) -> pa.Table:
    """Rows as an Arrow table in timeline order, each identity once (the first given wins)."""
    import pyarrow as pa

    seen: set[tuple[str, str]] = set()
    unique = [r for r in rows if (r[2], r[3]) not in seen and not seen.add((r[2], r[3]))]  # type: ignore[func-returns-value]
    unique.sort(key=lambda r: r[:4])
    columns: Iterable[Any] = zip(*unique, strict=True) if unique else [()] * len(COLUMNS)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema(), strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema())


def read_rows(history: History, refs: Iterable[SegmentRef]) -> Iterator[Row]:
    """The rows of segments, in the order given. Raises `Corrupt` where a segment is not what the log recorded."""
    for ref in refs:
        for line in read_segment(history.store, history.tenant, ref):
            yield row(line)


def stale_days(history: History, catalog: Catalog, until: int) -> list[int]:
    """Days whose timeline lacks something of commits up to `until`, sorted."""
    held = catalog.of(TIMELINE)
    touched = history.touched(until)
    return sorted(day for day, number in touched.items() if day not in held or held[day].number < number)


def build(
    history: History,
    files: Files,
    catalog: Catalog,
    days: tuple[int, int],
    until: int,
    progress: Progress | None = None,
) -> Built:
    """Builds the timelines of the days first … last that lack something, and leaves a note for the publisher.

    `catalog` is what is built already, `until` the log number to include. Raises `Corrupt`, `Unavailable`.
    """
    first, last = days
    wanted = [day for day in stale_days(history, catalog, until) if first <= day <= last]
    held = catalog.of(TIMELINE)
    present = [day for day in history.touched(until) if first <= day <= last]
    bases = {day: _base(history, held.get(day), until) for day in wanted}
    segments = _segments_by_day(history, bases, until)
    parts: list[Part] = []
    for done, day in enumerate(wanted, 1):
        part = _build_day(history, files, day, bases[day], segments.pop(day, []), until)
        parts.append(part)
        reach("timeline.day-written")
        if progress is not None:
            progress(done, len(wanted))
    if parts:
        history.store.sync()
        reach("timeline.synced")
        for note in _notes(parts, until):
            note.write(history.store, history.tenant)
        reach("timeline.noted")
    return Built(tuple(parts), len(present) - len(wanted), until)


def _base(history: History, part: Part | None, until: int) -> Part | None:
    """The file to merge into, or `None` where something was taken away since, so that the day is built from nothing."""
    if part is None or any(record.kind != "ingest" for record in history.records(part.number, until)):
        return None
    return part


def _segments_by_day(
    history: History, bases: dict[int, Part | None], until: int
) -> dict[int, list[tuple[int, SegmentRef]]]:
    after = {day: base.number if base else 0 for day, base in bases.items()}
    found: dict[int, list[tuple[int, SegmentRef]]] = {}
    for number, ref in live_segments(history, min(after.values(), default=until), until):
        if number > after.get(ref.day, until):
            found.setdefault(ref.day, []).append((number, ref))
    return found


def _build_day(
    history: History, files: Files, day: int, base: Part | None, segments: list[tuple[int, SegmentRef]], until: int
) -> Part:
    rows = list(read_rows(history, (ref for _, ref in segments)))
    events = table(rows)
    recorded = sum(ref.rows for _, ref in segments)
    if base is not None:
        import pyarrow as pa

        events = pa.concat_tables([read(files, history.tenant, base), events]).sort_by(_SORT).combine_chunks()
        recorded += base.rows
    body = encode(events)
    version = hashlib.sha256(body).hexdigest()
    part = Part(day, version, len(body), events.num_rows, until, checks=check(events, day, recorded))
    files.put(keys.timeline(history.tenant, part.date, version), version, body)
    return part


def read(files: Files, tenant: str, part: Part) -> pa.Table:
    """A day's timeline as an Arrow table. Raises `Corrupt`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = files.fetch(keys.timeline(tenant, part.date, part.version), part.version, part.size)
    with pq.ParquetFile(path) as file:  # half the time of `read_table`, which prepares for many files
        rows = file.read(use_threads=False)
    # Without the ids that Parquet gives to columns: they would be written again, and the bytes be others.
    return pa.Table.from_arrays(rows.columns, schema=schema())


def encode(events: pa.Table) -> bytes:
    """Parquet bytes of a day, the same for the same rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(
        events,
        sink,
        row_group_size=ROW_GROUP,
        compression="zstd",
        compression_level=3,
        use_dictionary=["entity", "source", "type"],
        write_page_checksum=True,
    )
    body: bytes = sink.getvalue().to_pybytes()
    return body


def check(events: pa.Table, day: int, recorded: int) -> dict[str, bool]:
    """The checks of a day: rows against the log, unique identities, schema, day boundaries, order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    times = events.column("time").cast(pa.int64())
    span = pc.min_max(times).as_py()
    names = list(zip(events.column("source").to_pylist(), events.column("id").to_pylist(), strict=True))
    keys_ = list(zip(events.column("entity").to_pylist(), times.to_pylist(), names, strict=True))
    return {
        "row_count": events.num_rows == recorded,
        "unique_ids": len(set(names)) == len(names),
        "schema": events.schema.equals(schema()),
        "day_boundaries": events.num_rows == 0 or (span["min"] >= day * DAY and span["max"] < (day + 1) * DAY),
        "sorted": all(a <= b for a, b in pairwise(keys_)),
    }


def _notes(parts: Sequence[Part], until: int) -> list[Note]:
    months = sorted({month_of(part.day) for part in parts})
    return [
        Note(TIMELINE, month, until, tuple(part for part in parts if month_of(part.day) == month)) for month in months
    ]
