"""Tables: what parts of memory hold, as LanceDB tables for people who ask them with SQL or Lance.

Here belongs keeping such a table equal to the parts. Nothing that the plane answers depends on one: where it is lost,
the next build that has something to do makes it anew from the parts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from context_plane.canonical import canonical
from context_plane.instants import DAY
from context_plane.retrieval.building.lance import make_table, settled, translated

if TYPE_CHECKING:
    import pyarrow as pa
    from lancedb.table import Table

    from context_plane.store.base import Store

KEY: Final = "key"
DIGEST: Final = "digest"
_UNIQUE: Final = {"lance-schema:unenforced-primary-key": "true"}
"""Of two that insert the same rows at once the later notices, and looks again; else they would be there twice."""
_AT_ONCE: Final = 50_000
_DELETED: Final = 1_000
_FRAGMENTS: Final = 64


def columns(*fields: pa.Field) -> pa.Schema:
    """The schema of a table: `key`, unique in it, `time`, these, and `digest`, the hash of all that a row says."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field(KEY, pa.string(), nullable=False, metadata=_UNIQUE),
            pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
            *fields,
            pa.field(DIGEST, pa.string(), nullable=False),
        ]
    )


def hashed(value: Any) -> str:
    """32 hexadecimal digits of the hash of a JSON value: keys, digests."""
    return hashlib.blake2b(canonical(value), digest_size=16).hexdigest()


Days = Mapping[int, "pa.Table"]
"""Rows by day."""


class Rows:
    """One table of one tenant. Opens LanceDB when there is something to write."""

    def __init__(self, store: Store, tenant: str, name: str, schema: pa.Schema) -> None:
        self._store = store
        self._tenant = tenant
        self._name = name
        self._schema = schema

    def settle(self, days: Days, everything: Callable[[], Days] | None = None, total: int = 0) -> None:
        """Makes the table hold exactly these rows of these days, and where `everything` is given `total` rows in all.

        Where it holds another number it has missed something, or was lost: then it is compared with `everything`.
        Raises `Unavailable`.
        """
        table = make_table(self._store, self._tenant, self._name, self._schema)
        with translated(self._tenant, self._name):
            before = table.schema
            settled(table, self._fit)
            if everything is not None and not before.equals(table.schema):
                days = everything()  # among them these
            _settle(table, days)
            if everything is not None and table.count_rows() != total:
                _settle(table, everything())
            settled(table, _compact)

    def _fit(self, table: Table) -> None:
        """Gives a table the columns that rows have: of another model vectors are as long as its own."""
        held = table.schema
        gone = [field.name for field in self._schema if field.name in held.names and held.field(field.name) != field]
        if gone:
            table.drop_columns(gone)
        lacking = [field for field in self._schema if field.name not in table.schema.names]
        if lacking:
            table.add_columns(lacking)


def _settle(table: Table, days: Days) -> None:
    import pyarrow as pa

    if not days:
        return
    rows = pa.concat_tables([days[day] for day in sorted(days)])
    held = _held(table, days)
    keys = rows[KEY].to_pylist()
    told = zip(keys, rows[DIGEST].to_pylist(), strict=True)
    lacking = rows.filter(pa.array([held.get(key) != digest for key, digest in told], pa.bool_()))
    for field in table.schema:
        if field.name not in lacking.column_names:  # of a model that this builder does not have
            lacking = lacking.append_column(field, pa.nulls(len(lacking), field.type))
    for start in range(0, len(lacking), _AT_ONCE):
        merge = table.merge_insert(KEY).when_matched_update_all().when_not_matched_insert_all()
        merge.execute(lacking.slice(start, _AT_ONCE), on_bad_vectors="null", timeout=timedelta(minutes=10))
    for portion in _portions(sorted(held.keys() - set(keys))):
        table.delete(f"{KEY} IN ({', '.join(map(_quoted, portion))})")


def _held(table: Table, days: Days) -> dict[str, str]:
    """Keys and digests of the rows that the table has of these days."""
    import numpy as np
    import pyarrow as pa

    first, end = min(days) * DAY, (max(days) + 1) * DAY
    within = f"time >= to_timestamp_micros({first}) AND time < to_timestamp_micros({end})"
    count = table.count_rows(within)
    if not count:
        return {}
    rows = table.search().where(within).select([KEY, "time", DIGEST]).limit(count).to_arrow()
    day = np.asarray(rows["time"].cast(pa.int64())) // DAY
    rows = rows.filter(pa.array(np.isin(day, list(days))))
    return dict(zip(rows[KEY].to_pylist(), rows[DIGEST].to_pylist(), strict=True))


def _compact(table: Table) -> None:
    """Makes few fragments of many: every write adds one."""
    stats: Any = table.stats()  # a dictionary, whatever its annotation says
    if stats["fragment_stats"]["num_small_fragments"] > _FRAGMENTS:
        table.optimize()


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _portions(items: Sequence[str]) -> Iterator[Iterable[str]]:
    for start in range(0, len(items), _DELETED):
        yield items[start : start + _DELETED]
