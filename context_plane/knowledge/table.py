"""The table `knowledge`: the chunks of all versions in LanceDB, for people who ask them with SQL or Lance.

Here belongs keeping it equal to the log. Nothing that the plane answers depends on it: where it is lost, it is made
anew. Only what it lacks is read: of each change it is known without reading how many rows it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from context_plane.knowledge.catalog import Catalog, Change, Head
from context_plane.knowledge.topic import Topic, TopicInfo
from context_plane.retrieval.building.lance import make_table, settled, translated

if TYPE_CHECKING:
    import pyarrow as pa
    from lancedb.table import Table

NAME: Final = "knowledge"
_UNIQUE: Final = {"lance-schema:unenforced-primary-key": "true"}
"""Of two that insert the same rows at once the later notices, and looks again; else they would be there twice."""
_AT_ONCE: Final = 10_000
_FRAGMENTS: Final = 64
Held = dict[tuple[str, int], list[bool]]
"""By topic and time of the change: of each row, whether it says that it is current."""


def schema() -> pa.Schema:
    """The columns of the table: a row a chunk."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("key", pa.string(), nullable=False, metadata=_UNIQUE),
            pa.field("topic", pa.string(), nullable=False),
            pa.field("version", pa.string(), nullable=False),
            pa.field("revision", pa.int64(), nullable=False),
            pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("current", pa.bool_(), nullable=False),
            pa.field("n", pa.int32(), nullable=False),
            pa.field("heading", pa.list_(pa.string()), nullable=False),
            pa.field("text", pa.string(), nullable=False),
            pa.field("tokens", pa.int32(), nullable=False),
        ]
    )


def settle(catalog: Catalog, head: Head) -> tuple[int, int]:
    """Makes a tenant's table hold the chunks of all versions in its log; how many rows were written and deleted.

    Raises `Unavailable`.
    """
    history = head.history
    table = make_table(history.store, history.tenant, NAME, schema())
    with translated(history.tenant, NAME):
        held = _held(table)
        lacking = list(_lacking(catalog, head, held))
        rows = (row for change, current in lacking for row in _rows(catalog.topic(history, change), current))
        written = 0
        for portion in _batches(rows):
            merge = table.merge_insert("key").when_matched_update_all().when_not_matched_insert_all()
            merge.execute(portion, timeout=timedelta(minutes=10))
            written += len(portion)
        for topic, at in held:
            table.delete(f"topic = {_quoted(topic)} AND time = to_timestamp_micros({at})")
        if written or held:
            settled(table, _compact)
    return written, sum(map(len, held.values()))


def _held(table: Table) -> Held:
    """What the table holds."""
    import pyarrow as pa

    found: Held = {}
    if count := table.count_rows():
        rows = table.search().select(["topic", "time", "current"]).limit(count).to_arrow()
        times = rows["time"].cast(pa.int64()).to_pylist()
        for topic, at, current in zip(rows["topic"].to_pylist(), times, rows["current"].to_pylist(), strict=True):
            found.setdefault((topic, at), []).append(current)
    return found


def _lacking(catalog: Catalog, head: Head, held: Held) -> Iterator[tuple[Change, bool]]:
    """The versions whose rows are not as they should be, and whether they are current. What is left in `held` is of no
    version."""
    for change in catalog.changes(head):
        rows = held.get((change.topic, change.at), [])
        current = catalog.newest(head, change.topic)[0] == change
        expected = sum(ref.rows for ref in change.refs) - 1  # one event says what the others are
        if rows == [current] * expected and rows:
            del held[change.topic, change.at]
            continue
        told = catalog.told(head.history, change)
        if isinstance(told, TopicInfo):
            held.pop((change.topic, change.at), None)
            if rows != [current] * told.chunks:
                yield change, current


def _rows(topic: Topic, current: bool) -> Iterator[dict[str, Any]]:
    about = {
        "topic": topic.name,
        "version": topic.version,
        "revision": topic.info.revision,
        "time": topic.at,
        "current": current,
    }
    for chunk in topic.chunks:
        yield {
            **about,
            "key": chunk.event_id,
            "n": chunk.n,
            "heading": list(chunk.heading),
            "text": chunk.text,
            "tokens": chunk.tokens,
        }


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[pa.Table]:
    import pyarrow as pa

    rows = iter(rows)
    while portion := list(islice(rows, _AT_ONCE)):
        yield pa.Table.from_pylist(portion, schema())


def _compact(table: Table) -> None:
    """Makes few fragments of many: every write adds one."""
    stats: Any = table.stats()  # a dictionary, whatever its annotation says
    if stats["fragment_stats"]["num_small_fragments"] > _FRAGMENTS:
        table.optimize()


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
