"""Embeddings: the tenant's LanceDB table of events with their vectors, one table for each model.

Here belongs that a text is embedded once for each model: a vector is a recorded input, kept with the hash of its text
and looked up ever after. Whoever is killed between two writes goes on where it was; two processes that embed the same
events at once write them once.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from context_plane.retrieval.building.lance import make_table, settled, table_name, translated
from context_plane.retrieval.text.documents import Document
from context_plane.store.faults import reach

if TYPE_CHECKING:
    import pyarrow as pa
    from lancedb.table import Table
    from numpy.typing import NDArray

    from context_plane.retrieval.embedders import Embedder
    from context_plane.store.base import Store

    Array = NDArray[Any]

BATCH: Final = 4_096
"""Texts that are embedded and written at a time: what a kill loses at most."""
_PRESENT: Final = 500_000
_LOOKED_UP: Final = 1_000
_KEPT_BYTES: Final = 64 << 20
_UNIQUE: Final = {"lance-schema:unenforced-primary-key": "true"}
"""Of two that insert the same events at once the later notices, and looks again; else they would be there twice."""
_LOOKED_AT: Final = 16
"""Writes after which it is looked how many fragments there are."""
_FRAGMENTS: Final = 64
_EMPTY: Final = hashlib.blake2b(b"", digest_size=16).digest()
SUMMED: Final = ("key", "event", "source", "entity", "type", "labels", "text")
ROW_SUM: Final = "row_sum"


class Embeddings:
    """The vectors of one tenant's events by one model. Not for several threads at once."""

    def __init__(self, store: Store, tenant: str, embedder: Embedder) -> None:
        """Opens nothing: the table is made with the first vector."""
        self._store = store
        self._tenant = tenant
        self._embedder = embedder
        self._table: Table | None = None
        self._written = 0
        self._kept: dict[bytes, Array] = {}
        self._present: dict[int, bytes] = {}
        """Events that are known to have a row, with the hash of its text."""

    @property
    def name(self) -> str:
        """Name of the model's table."""
        return table_name(self._embedder.id)

    @property
    def model(self) -> str:
        """Identity of the vectors."""
        return self._embedder.id

    @property
    def dimension(self) -> int:
        """Numbers of a vector."""
        return self._embedder.dimension

    @property
    def table(self) -> Table:
        """The table, made where there is none."""
        return self._open()

    def add(self, found: Sequence[Document]) -> int:
        """Sees to it that the table has these events; how many texts had to be embedded for that."""
        hashed = {each.key: (each, _hash(each.text)) for each in found}
        lacking = [pair for key, pair in hashed.items() if self._present.get(key) != pair[1]]
        embedded = 0
        for start in range(0, len(lacking), BATCH):
            batch = lacking[start : start + BATCH]
            known = self._known([each for each, _ in batch])
            new = [(each, text_hash) for each, text_hash in batch if known.get(each.key) != text_hash.hex()]
            again = any(each.key in known for each, _ in new)
            if new:
                embedded += self._write(new, again)
            if len(self._present) > _PRESENT:
                self._present.clear()
            self._present.update((each.key, text_hash) for each, text_hash in batch)
        return embedded

    def vectors(self, found: Sequence[Document]) -> Array:
        """The vectors of these events, f32[n, d]; those that the table lacks are embedded and added first."""
        import numpy as np

        self.add(found)  # also where all texts are known: each event has a row of its own
        hashes = [_hash(each.text) for each in found]
        if set(hashes) - self._kept.keys():
            self._remember(self._lookup(hashes))
        width = self._embedder.dimension
        out = np.zeros((len(found), width), np.float32)
        for row, hashed in enumerate(hashes):
            out[row] = self._kept[hashed]
        return out

    def known(self, texts: Sequence[str]) -> dict[str, Array]:
        """Those of these texts that have a vector, with it; nothing is embedded."""
        hashed = {text: _hash(text) for text in texts if text}
        found = self._lookup(list(hashed.values())) if hashed else {}
        return {text: found[text_hash] for text, text_hash in hashed.items() if text_hash in found}

    def prune(self, first: int, end: int, found: Sequence[Document]) -> int:
        """Removes what the table holds of [first, end) (microseconds) beside these events: it was erased, or is told
        otherwise now. How many rows that were."""
        held = self.count(first, end)
        if held <= len(found):
            return 0
        with translated(self._tenant):
            rows = self._open().search().where(_within(first, end)).select(["key"]).limit(held).to_arrow()
            gone = sorted(set(rows["key"].to_pylist()) - {each.key for each in found})
            for part in _portions([str(key) for key in gone]):
                self._open().delete(f"key IN ({', '.join(part)})")
        for key in gone:
            self._present.pop(key, None)
        return len(gone)

    def count(self, first: int | None = None, end: int = 0) -> int:
        """Rows of the table, or those of [first, end) (microseconds)."""
        with translated(self._tenant):
            return int(self._open().count_rows(None if first is None else _within(first, end)))

    def _write(self, new: Sequence[tuple[Document, bytes]], again: bool) -> int:
        """Embeds what no event before had as its text, and writes all rows, over those that are there where some were
        written before with another text; the number of texts embedded."""
        import numpy as np

        texts = {hashed: each.text for each, hashed in new}
        known = self._lookup(list(texts))
        lacking = [hashed for hashed in texts if hashed not in known]
        if lacking:
            made = self._embedder.embed([texts[hashed] for hashed in lacking])
            known.update(zip(lacking, made, strict=True))
        self._remember(known)
        first, originals = set(lacking), []
        for _, hashed in new:
            originals.append(hashed in first)
            first.discard(hashed)
        vector = np.stack([known[hashed] for _, hashed in new])
        with translated(self._tenant):
            rows = self._rows(new, originals, vector)
            merge = self._open().merge_insert("key").when_not_matched_insert_all()
            if again:
                merge = merge.when_matched_update_all()
                rows = _without_terms(rows, self._open().schema)
            merge.execute(rows, timeout=timedelta(minutes=10))
            self._written += 1
            if self._written % _LOOKED_AT == 1:
                settled(self._open(), _compact)
        reach("embeddings.written")
        return len(lacking)

    def _rows(self, new: Sequence[tuple[Document, bytes]], originals: list[bool], vector: Array) -> pa.Table:
        import pyarrow as pa

        documents = [each for each, _ in new]
        columns = [
            pa.array([each.key for each in documents], pa.uint64()),
            pa.array([each.id for each in documents], pa.string()),
            pa.array([each.source for each in documents], pa.string()),
            pa.array([each.entity for each in documents], pa.string()),
            pa.array([each.at for each in documents], pa.timestamp("us", tz="UTC")),
            pa.array([each.type for each in documents], pa.string()),
            pa.array([list(each.labels) for each in documents], pa.list_(pa.string())),
            pa.array([each.text for each in documents], pa.string()),
            pa.array([hashed.hex() for _, hashed in new], pa.string()),
            pa.array(originals, pa.bool_()),
            pa.FixedSizeListArray.from_arrays(pa.array(vector.reshape(-1)), self._embedder.dimension),
        ]
        schema = self._schema()
        sums = schema.get_field_index(ROW_SUM)
        rows = pa.Table.from_arrays(columns, schema=schema.remove(sums))
        return rows.append_column(schema.field(sums), pa.array(row_sums(rows), pa.int64()))

    def _schema(self) -> pa.Schema:
        import pyarrow as pa

        return pa.schema(
            [
                pa.field("key", pa.uint64(), nullable=False, metadata=_UNIQUE),
                pa.field("event", pa.string(), nullable=False),
                pa.field("source", pa.string(), nullable=False),
                pa.field("entity", pa.string(), nullable=False),
                pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
                pa.field("type", pa.string(), nullable=False),
                pa.field("labels", pa.list_(pa.string())),
                pa.field("text", pa.string()),
                pa.field("text_hash", pa.string(), nullable=False),
                pa.field("original", pa.bool_(), nullable=False),
                pa.field("vector", pa.list_(pa.float32(), self._embedder.dimension), nullable=False),
                pa.field(ROW_SUM, pa.int64(), nullable=False),
            ]
        )

    def _known(self, batch: Sequence[Document]) -> dict[int, str]:
        """Of the events that are there: the hash of the text by key."""
        table, found = self._open(), dict[int, str]()
        with translated(self._tenant):
            for part in _portions([str(each.key) for each in batch]):
                wanted = table.search().where(f"key IN ({', '.join(part)})").select(["key", "text_hash"])
                rows = wanted.limit(len(part)).to_arrow()
                found.update(zip(rows["key"].to_pylist(), rows["text_hash"].to_pylist(), strict=True))
        return found

    def _lookup(self, hashes: Sequence[bytes]) -> dict[bytes, Array]:
        """The vectors that are there already, by hash of their text."""
        import numpy as np

        found = {hashed: self._kept[hashed] for hashed in hashes if hashed in self._kept}
        if _EMPTY in hashes:
            found[_EMPTY] = np.zeros(self._embedder.dimension, np.float32)
        lacking = [hashed.hex() for hashed in dict.fromkeys(hashes) if hashed not in found]
        table = self._open() if lacking else None
        with translated(self._tenant):
            for part in _portions(lacking):
                assert table is not None
                wanted = f"original AND text_hash IN ({', '.join(map(repr, part))})"
                rows = table.search().where(wanted).select(["text_hash", "vector"]).limit(4 * len(part)).to_arrow()
                vectors = rows["vector"].combine_chunks()
                width = self._embedder.dimension
                flat = np.asarray(vectors.flatten(), np.float32).reshape(-1, width) if len(rows) else ()
                found.update((bytes.fromhex(t), v) for t, v in zip(rows["text_hash"].to_pylist(), flat, strict=True))
        return found

    def _remember(self, found: dict[bytes, Array]) -> None:
        """Keeps vectors for the step after: they are embedded by one asset and read by the next."""
        if (len(self._kept) + len(found)) * self._embedder.dimension * 4 > _KEPT_BYTES:
            self._kept.clear()
        self._kept.update(found)

    def _open(self) -> Table:
        if self._table is None:
            found = make_table(self._store, self._tenant, self.name, self._schema())
            with translated(self._tenant):
                settled(found, _make_unique)
            self._table = found
        return self._table


def _compact(table: Table) -> None:
    """Makes few fragments of many: every write adds one, and every look-up goes through all of them."""
    stats: Any = table.stats()  # a dictionary, whatever its annotation says
    if stats["fragment_stats"]["num_small_fragments"] > _FRAGMENTS:
        table.optimize()


def _make_unique(table: Table) -> None:
    """Tables that were made before events were unique in them."""
    wanted = {name.encode(): value.encode() for name, value in _UNIQUE.items()}
    if not wanted.items() <= (table.schema.field("key").metadata or {}).items():
        table.update_field_metadata({"path": "key", "metadata": _UNIQUE})


def _without_terms(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows with nothing in those columns that others have added: it was of another text."""
    import pyarrow as pa

    for field in schema:
        if field.name not in rows.column_names:
            rows = rows.append_column(field, pa.nulls(len(rows), field.type))
    return rows


def _within(first: int, end: int) -> str:
    return f"time >= to_timestamp_micros({first}) AND time < to_timestamp_micros({end})"


def row_sums(rows: pa.Table) -> list[int]:
    """CRC-32 of what each row was written with: LanceDB's files have no checksums of their contents."""
    import numpy as np
    import pyarrow as pa

    times = rows["time"].cast(pa.int64()).to_pylist()
    values = zip(times, *(rows[name].to_pylist() for name in SUMMED), strict=True)
    flat = np.asarray(rows["vector"].combine_chunks().flatten(), np.float32).reshape(len(rows), -1)
    return [
        zlib.crc32(vector.tobytes(), zlib.crc32(repr(each).encode("utf-8", "surrogatepass")))
        for each, vector in zip(values, flat, strict=True)
    ]


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _portions(items: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), _LOOKED_UP):
        yield items[start : start + _LOOKED_UP]
