"""Links parts: the links that the events of a day state, each with the words that say so, and of every entity its first
event of the day.

Here belongs what such a part holds, byte for byte, and nothing of when it is made (`building`) or read (`layer`). The
first of several first events is again one, and so parts merge: what a part of a month says of any instant within it is
what its days say. The plane's own events are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from context_plane.canonical import canonical
from context_plane.errors import Corrupt
from context_plane.log.events import RESERVED
from context_plane.memory.links.declared import Linking
from context_plane.memory.links.extractor import Extractor
from context_plane.memory.links.fold import fold
from context_plane.memory.links.link import Evidence, Link, Target

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT: Final = 1
"""Raised with every change by which the same events give other bytes."""
META: Final = b"context_plane"
"""Where a part says what it is a part of."""
TITLE: Final = 100
"""Characters of a title."""
_ORDER: Final = [("entity", "ascending"), ("time", "ascending"), ("source", "ascending"), ("id", "ascending")]
_REMEDY: Final = "delete the object and materialize again: it is derived from the log"


@cache
def schema() -> pa.Schema:
    """The columns of a part. A row with a `kind` is a link, in the order of links; those without one come behind, each
    the first event of an entity, in the order of entities."""
    import pyarrow as pa

    text, number = pa.string(), pa.int32()
    return pa.schema(
        [
            pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("source", text, nullable=False),
            pa.field("id", text, nullable=False),
            pa.field("entity", text, nullable=False),
            pa.field("kind", text),
            pa.field("written", text),
            pa.field("target_entity", text),
            pa.field("target_event", text),
            pa.field("inverse", pa.bool_()),
            pa.field("rule", text),
            pa.field("field", text),
            pa.field("start", number),
            pa.field("end", number),
            pa.field("quote", text),
            pa.field("title", text),
        ]
    )


def rows_of(events: pa.Table, linking: Linking, extractor: Extractor | None = None) -> pa.Table:
    """The rows that a timeline's events give, the same in whatever order they are. Takes some 20 µs an event.

    Raises what the extractor does.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    events = events.filter(pc.invert(pc.starts_with(events["type"], RESERVED)))
    columns = [events["time"].cast(pa.int64()), *(events[name] for name in ("source", "id", "entity", "text"))]
    first: dict[str, tuple[int, str, str, str, str | None]] = {}
    for time, source, id_, entity, text in zip(*(column.to_pylist() for column in columns), strict=True):
        known = first.get(entity)
        if known is None or (time, source, id_) < known[:3]:
            first[entity] = (time, source, id_, entity, text)
    links = fold(events, linking, extractor)
    told = [(*row[:4], title(row[4])) for _, row in sorted(first.items())]
    return table(_quoted(links, events) if links else [], told)


def _quoted(links: Sequence[Link], events: pa.Table) -> list[tuple[Link, str]]:
    """Links, each with the words that say so."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = {(link.source, link.id) for link in links}
    some = events.filter(pc.is_in(events["id"], pa.array(sorted({id_ for _, id_ in wanted}), pa.string())))
    data = {
        (source, id_): raw
        for source, id_, raw in zip(*(some[name].to_pylist() for name in ("source", "id", "data")), strict=True)
        if (source, id_) in wanted
    }
    return [(link, _quote(link, data[link.source, link.id])) for link in links]


def _quote(link: Link, data: str | None) -> str:
    """The words of an event's data (JSON) that state a link, with single blanks between; empty for a column."""
    if link.evidence.span is None or not data:
        return ""
    start, end = link.evidence.span
    return " ".join(str(json.loads(data).get(link.evidence.field, ""))[start:end].split())


def title(text: str | None) -> str:
    """The first line of a text that is not blank, shortened."""
    line = next((line.strip() for line in (text or "").splitlines() if line.strip()), "")
    return line if len(line) <= TITLE else f"{line[: TITLE - 1].rstrip()}…"


def table(links: Sequence[tuple[Link, str]], firsts: Sequence[tuple[int, str, str, str, str]]) -> pa.Table:
    """Links in order with their quotes, and first events in the order of entities (time, source, id, entity, title), as
    rows."""
    import pyarrow as pa

    rows: list[tuple[Any, ...]] = [
        (
            link.time, link.source, link.id, link.entity, link.kind, link.target.written, link.target.entity,
            link.target.event, link.inverse, link.rule, link.evidence.field, link.evidence.start, link.evidence.end,
            quote, None,
        )
        for link, quote in links
    ]  # fmt: skip
    rows += [(*first[:4], *(None,) * 10, first[4]) for first in firsts]
    columns: Any = zip(*rows, strict=True) if rows else [()] * len(schema())
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema(), strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema())


def links_of(rows: pa.Table) -> pa.Table:
    """The rows that are links."""
    import pyarrow.compute as pc

    return rows.filter(pc.is_valid(rows["kind"]))


def firsts_of(rows: pa.Table) -> pa.Table:
    """The rows that are first events, of each entity the first of all, in the order of entities."""
    import pyarrow as pa
    import pyarrow.compute as pc

    told = rows.filter(pc.is_null(rows["kind"])).sort_by(_ORDER).combine_chunks()
    if len(told) < 2:
        return told
    entity = told["entity"].combine_chunks()
    new = pc.not_equal(entity.slice(1), entity.slice(0, len(entity) - 1))
    return told.filter(pa.concat_arrays([pa.array([True]), new]))


def merge(parts: Sequence[pa.Table]) -> pa.Table:
    """The rows of several parts as those of one. Parts are of days that follow each other, the oldest first, so that
    their links are in order."""
    import pyarrow as pa

    rows = pa.concat_tables([schema().empty_table(), *parts])
    return pa.concat_tables([links_of(rows), firsts_of(rows)])


def encode(rows: pa.Table, meta: Mapping[str, Any]) -> bytes:
    """Parquet bytes of a part, the same for the same rows; `meta` says what it is a part of."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(
        rows.combine_chunks().replace_schema_metadata({META: canonical(dict(meta))}),
        sink,
        compression="zstd",
        compression_level=3,
        use_dictionary=["source", "entity", "kind", "rule", "field"],
        write_statistics=False,  # a part is read whole, and most are so small that these would be half of it
        store_schema=False,
        write_page_checksum=True,
    )
    body: bytes = sink.getvalue().to_pybytes()
    return body


def decode(view: memoryview, where: str) -> pa.Table:
    """Reverse of `encode`. Raises `Corrupt` for bytes that are no part of links."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.ParquetFile(pa.BufferReader(view)).read(use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise Corrupt(f"a part of links does not read: {error}", where=where, remedy=_REMEDY) from error
    if not rows.schema.equals(schema()):
        raise Corrupt("a part of links has other columns", where=where, remedy=_REMEDY)
    return pa.Table.from_arrays(rows.columns, schema=schema())


def links_in(rows: pa.Table) -> Iterator[tuple[Link, str]]:
    """The links of rows that are such, each with its quote."""
    import pyarrow as pa

    columns = [rows["time"].cast(pa.int64()), *(rows[name] for name in rows.column_names[1:-1])]
    for at, source, id_, entity, kind, written, *other, inverse, rule, field, start, end, quote in zip(
        *(column.to_pylist() for column in columns), strict=True
    ):
        evidence = Evidence(field, start, end)
        yield Link(at, source, id_, entity, kind, Target(written, *other), inverse, rule, evidence), quote
