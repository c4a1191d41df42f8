"""Candidates: of a tenant whose index is larger than memory the few hundred events that can be among the best, found
by LanceDB in the table of embeddings.

Here belongs making the table fit for that (the terms of each event, and indexes over them, the vectors and what filters
ask about), and asking it. LanceDB gives the best by words and the nearest, under the filters; its BM25 is a constant
times ours, so what no event outside of the two lists can reach is known (Fagin, Lotem and Naor 2001), and only events
that can reach the k best are fetched. They are ranked by the scorer that ranks everything else.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import TYPE_CHECKING, Any, Final

from context_plane.canonical import digest
from context_plane.errors import Corrupt
from context_plane.instants import DAY
from context_plane.retrieval.building.embeddings import ROW_SUM, SUMMED, row_sums
from context_plane.retrieval.building.lance import settled, translated
from context_plane.retrieval.shards import arrays, entities, fulltext
from context_plane.retrieval.shards.fulltext import FullText

if TYPE_CHECKING:
    import pyarrow as pa
    from lancedb.table import Table
    from numpy.typing import NDArray

    from context_plane.retrieval.filters import Filters
    from context_plane.retrieval.scoring.fusion import Fusion
    from context_plane.retrieval.scoring.question import Mode, Question

    Array = NDArray[Any]

VECTOR: Final = "vector"
TERMS: Final = "terms"
ANALYSIS: Final = "analysis"
BUILT: Final = "built"
"""The log number at which a shard first held the event with these terms: a snapshot of before lacks it."""
TERMS_SUM: Final = "terms_sum"
"""CRC-32 of the three."""
_BATCH: Final = 16_384
_LISTED: Final = 4_096
"""Events of each of the two lists."""
_FETCHED: Final = 1_024
"""Events that are ranked, at most, beside the k that are asked for."""
_MOST_TERMS: Final = 256
"""Terms that LanceDB is asked for: of a longer question those that count most."""
_FACTOR: Final = 2.2
"""What LanceDB's BM25 is more than ours: k1 + 1."""
_SLACK: Final = 0.02
"""By how much the two may differ: the table also holds what came since, and counts it."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_COLUMNS: Final = (*SUMMED, "time", VECTOR, ROW_SUM, TERMS, ANALYSIS, BUILT, TERMS_SUM)
_UNINDEXED: Final = 20_000
"""Rows beside the indexes, which are gone through one by one, that are not worth indexing yet."""


def analysis_of(about: Mapping[str, Any]) -> str:
    """By what analysis and declarations the terms of a row were made, given what full-text shards are made by."""
    return digest(dict(about)).removeprefix("sha256:")[:16]


def prepare(table: Table, shards: Iterable[FullText], numbers: Mapping[int, int], analysis: str, tenant: str) -> int:
    """Gives the rows of a table their terms by the shards of an analysis, and the table its indexes.

    `numbers` are the log numbers up to which the shards were built, by day. How many rows got terms. Raises
    `Unavailable`.
    """
    import numpy as np
    import pyarrow as pa

    filled = 0
    with translated(tenant):
        settled(table, _add_columns)
        lacking = f"{ANALYSIS} IS NULL OR {ANALYSIS} <> '{analysis}'"
        count = table.count_rows(lacking)
        keys = table.search().where(lacking).select(["key"]).limit(count).to_arrow()["key"] if count else ()
        wanted = np.sort(np.asarray(keys, np.uint64))
        for shard in shards if count else ():
            for rows in _portions(np.flatnonzero(np.isin(shard.arrays["key"], wanted))):
                keys, terms = pa.array(shard.arrays["key"][rows], pa.uint64()), _terms_of(shard, rows)
                built = [numbers[day] for day in (shard.arrays["time"][rows] // DAY).tolist()]
                about = [analysis] * len(rows)
                sums = list(map(_terms_sum, about, built, terms))
                columns = [
                    keys,
                    pa.array(terms),
                    pa.array(about),
                    pa.array(built, pa.int64()),
                    pa.array(sums, pa.int64()),
                ]
                update = table.merge_insert("key").when_matched_update_all()
                update.execute(pa.Table.from_arrays(columns, schema=_filled()))
                filled += len(rows)
        settled(table, _index)
    return filled


def _filled() -> pa.Schema:
    """What is written of rows that are there. LanceDB refuses keys that might be null."""
    import pyarrow as pa

    added = {TERMS: pa.string(), ANALYSIS: pa.string(), BUILT: pa.int64(), TERMS_SUM: pa.int64()}
    return pa.schema([pa.field("key", pa.uint64(), nullable=False), *starmap(pa.field, added.items())])


def _add_columns(table: Table) -> None:
    for field in _filled():
        if field.name not in table.schema.names:
            table.add_columns(field)


def _portions(rows: Array) -> list[Array]:
    return [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]


def _terms_of(shard: FullText, rows: Array) -> list[str]:
    """The terms of documents as words of 16 hexadecimal digits, as often as they have them."""
    import numpy as np

    a = shard.arrays
    words = np.array([f"{each:016x}" for each in a["terms"].tolist()], object)
    texts = []
    for row in rows.tolist():
        first, last = int(a["fwd_start"][row]), int(a["fwd_start"][row + 1])
        texts.append(" ".join(np.repeat(words[a["fwd_term"][first:last]], a["fwd_tf"][first:last])))
    return texts


def _index(table: Table) -> None:
    """Makes the indexes, or adds to them what came since, once it is worth it."""
    from lancedb.index import FTS, Bitmap, BTree, IvfFlat, LabelList

    wanted: dict[str, Any] = {
        TERMS: FTS(
            base_tokenizer="whitespace", lower_case=False, stem=False, remove_stop_words=False, ascii_folding=False
        ),
        VECTOR: IvfFlat(distance_type="dot"),
        "entity": BTree(),
        "time": BTree(),
        "type": Bitmap(),
        "labels": LabelList(),
    }
    held = {column: each.name for each in table.list_indices() for column in each.columns}
    rows = table.count_rows()
    for column, config in wanted.items():
        if column not in held and column != VECTOR:
            table.create_index(column, config=config)
    known = int(held[VECTOR].rpartition("_")[2]) if VECTOR in held else 0
    if rows >= 2 * known:  # clusters were chosen for half as many
        table.create_index(VECTOR, config=wanted[VECTOR], name=f"{VECTOR}_{rows}")
        if known:
            table.drop_index(held[VECTOR])
    stats = table.index_stats(held[TERMS]) if TERMS in held else None
    if stats is not None and stats.num_unindexed_rows > _UNINDEXED:
        table.optimize()


@dataclass(frozen=True)
class Asked:
    """What the table is asked."""

    question: Question
    weights: Array
    """What each term of the question counts."""
    mode: Mode
    fuse: Fusion
    k: int
    where: str
    numbers: Mapping[int, int]
    """By day: the log number up to which the snapshot's shard was built."""


class Candidates:
    """A table that has been prepared. Safe for threads."""

    def __init__(self, table: Table, tenant: str) -> None:
        self._table = table
        self._tenant = tenant

    def complete(self, analysis: str, newest: int, count: int) -> bool:
        """Whether the newest version of the table has the terms and vectors of so many events. Raises `Unavailable`."""
        with translated(self._tenant):
            self._table.checkout_latest()  # type: ignore[no-untyped-call]
            held = {column for each in self._table.list_indices() for column in each.columns}
            if not {TERMS, VECTOR} <= held:
                return False
            return bool(self._table.count_rows(f"{ANALYSIS} = '{analysis}' AND {BUILT} <= {newest}") >= count)

    def find(self, asked: Asked) -> tuple[FullText | None, Array]:
        """The events that can be among the k best, with those of their terms that are asked for, and their vectors.

        Raises `Unavailable`, and `Corrupt` where a row is not what was written: LanceDB does not look.
        """
        import numpy as np

        with translated(self._tenant):
            listed = [each for each in (self._by_words(asked), self._by_vector(asked)) if each is not None]
            wanted = _hopeful(listed, asked)
            if not len(wanted):
                return None, np.zeros((0, 0), np.float32)
            rows = self._table.take_row_ids(wanted.tolist()).select(list(_COLUMNS)).to_arrow()
        if not _intact(rows):
            what, remedy = "a row of the table of embeddings is damaged", "delete the folder lance and materialize"
            raise Corrupt(what, where=f"tenant {self._tenant}", remedy=remedy)
        days, built = np.asarray(rows["time"].cast("int64"), np.int64) // DAY, rows[BUILT].to_pylist()
        known = [number <= asked.numbers.get(day, 0) for day, number in zip(days.tolist(), built, strict=True)]
        order = [(name, "ascending") for name in ("entity", "time", "source", "event")]
        return _shard(rows.filter(known).sort_by(order), asked)

    def _by_words(self, asked: Asked) -> _List | None:
        if asked.mode == "vector" or not len(asked.question.hashes):
            return None
        import numpy as np

        most = np.argsort(-asked.weights, kind="stable")[:_MOST_TERMS]
        counts = asked.question.counts[most].astype(np.int64)
        words = [f"{each:016x}" for each in np.repeat(asked.question.hashes[most], counts).tolist()]
        search = self._table.search(" ".join(words), query_type="fts", fts_columns=TERMS)
        rows = search.where(asked.where).select(["_score"]).with_row_id(True).limit(_LISTED).to_arrow()
        missing = float(asked.weights.sum() - asked.weights[most].sum())
        score = np.asarray(rows["_score"], np.float64) / _FACTOR
        return _list(rows, score, asked.fuse.text, 0.0 if len(rows) < _LISTED else float(score.min()), missing)

    def _by_vector(self, asked: Asked) -> _List | None:
        if asked.mode == "bm25" or asked.question.vector is None:
            return None
        import numpy as np

        search: Any = self._table.search(asked.question.vector, vector_column_name=VECTOR)
        rows = (
            search.distance_type("dot")
            .where(asked.where)
            .select(["_distance"])
            .with_row_id(True)
            .limit(_LISTED)
            .to_arrow()
        )
        score = 1 - np.asarray(rows["_distance"], np.float64)
        worst = float(score.min()) if len(rows) else 1.0
        return _list(rows, score, asked.fuse.near, worst, 0.0, least=-1.0)


@dataclass(frozen=True)
class _List:
    """The best by one of the two scores, as parts of the score of both."""

    ids: Array
    score: Array
    least: float
    """What an event that is not listed has at least."""
    most: float
    """What it has at most."""


def _list(rows: pa.Table, score: Array, share: float, worst: float, missing: float, least: float = 0.0) -> _List:
    import numpy as np

    ids = np.asarray(rows["_rowid"], np.uint64)
    return _List(ids, score * share, least * share, (worst + missing) * share)


def _hopeful(listed: Sequence[_List], asked: Asked) -> Array:
    """The rows that can be among the k best, the most hopeful first."""
    import numpy as np

    ids = np.unique(np.concatenate([each.ids for each in listed])) if listed else np.zeros(0, np.uint64)
    least, most = np.zeros(len(ids)), np.zeros(len(ids))
    for each in listed:
        own_least, own_most = np.full(len(ids), each.least), np.full(len(ids), each.most)
        places = np.searchsorted(ids, each.ids)
        own_least[places] = own_most[places] = each.score
        least, most = least + own_least, most + own_most
    order = np.argsort(-most, kind="stable")
    if len(ids) > asked.k:
        needed = np.partition(least, -asked.k)[-asked.k]
        slack = _SLACK * max(abs(float(most.max())), 1e-9)
        order = order[most[order] >= needed - slack]
    found: Array = ids[order[: asked.k + _FETCHED]]
    return found


def _intact(rows: pa.Table) -> bool:
    """Whether rows are what was written."""
    names = (ANALYSIS, BUILT, TERMS)
    terms = [_terms_sum(*each) for each in zip(*(rows[name].to_pylist() for name in names), strict=True)]
    return bool(rows[TERMS_SUM].to_pylist() == terms and rows[ROW_SUM].to_pylist() == row_sums(rows))


def _terms_sum(analysis: str | None, built: int | None, terms: str | None) -> int:
    return zlib.crc32(f"{analysis} {built} {terms}".encode())


def _shard(rows: pa.Table, asked: Asked) -> tuple[FullText, Array]:
    """Rows as a full-text shard that has the terms of the question, and their vectors."""
    import numpy as np
    import pyarrow as pa

    count = rows.num_rows
    words = [f"{each:016x}" for each in asked.question.hashes.tolist()]
    texts = [each or "" for each in rows[TERMS].to_pylist()]
    often = np.array([[text.count(word) for word in words] for text in texts], np.int64).reshape(count, len(words))
    row, term = np.nonzero(often)
    start = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(row, minlength=count), out=start[1:])
    ids, bodies = rows["event"].to_pylist(), rows["text"].to_pylist()
    docs, offsets = arrays.strings([f"{id_}\0{text or ''}".encode() for id_, text in zip(ids, bodies, strict=True)])
    lists = {name: rows[name].to_pylist() for name in ("type", "source")}
    lists["labels"] = [tuple(each or ()) for each in rows["labels"].to_pylist()]
    values = {name: sorted(set(each)) for name, each in lists.items()}
    columns: dict[str, Array] = {
        **entities.of_rows(rows["entity"].to_pylist()),
        "time": np.asarray(rows["time"].cast(pa.int64()), np.int64),
        "key": np.asarray(rows["key"], np.uint64),
        **{name: _numbers(lists[name], values[name]) for name in lists},
        "length": np.array([(len(text) + 1) // 17 for text in texts], np.uint32),
        "chain": np.zeros(count, np.uint64),
        "docs": docs,
        "doc_offsets": offsets,
    }
    forward = {
        "fwd_start": start,
        "fwd_term": term.astype(np.int32),
        "fwd_tf": np.minimum(often[row, term], 65_535).astype(np.uint16),
    }
    flat = rows[VECTOR].combine_chunks().flatten()
    shard = fulltext.finished(
        columns, forward, asked.question.hashes,
        tuple(values["type"]), tuple(values["source"]), tuple(values["labels"]),
    )  # fmt: skip
    return shard, np.asarray(flat, np.float32).reshape(count, -1)


def _numbers(values: Sequence[Any], ordered: Sequence[Any]) -> Array:
    import numpy as np

    number = {value: at for at, value in enumerate(ordered)}
    return np.fromiter((number[value] for value in values), np.uint32, len(values))


def where(filters: Filters, types: Sequence[str] | None, outdated: Iterable[int], newest: int) -> str:
    """Filters as LanceDB's SQL, for a snapshot whose parts hold nothing beyond the log number `newest`; `types` are
    those that the filters allow, `None` where all are."""
    parts = [f"{BUILT} <= {newest}"]
    if filters.entities is not None:
        parts.append(_within("entity", filters.entities))
    if types is not None:
        parts.append(_within("type", types))
    if filters.labels is not None:
        labels = _quoted(filters.labels)
        parts.append(f"array_has_any(labels, [{labels}])" if labels else "false")
    if filters.since is not None:
        parts.append(f"time >= to_timestamp_micros({filters.since})")
    if filters.until is not None:
        parts.append(f"time < to_timestamp_micros({filters.until})")
    parts += [
        f"NOT (time >= to_timestamp_micros({day * DAY}) AND time < to_timestamp_micros({(day + 1) * DAY}))"
        for day in sorted(outdated)
    ]
    return " AND ".join(parts)


def _within(column: str, values: Sequence[str]) -> str:
    quoted = _quoted(values)
    return f"{column} IN ({quoted})" if quoted else "false"


def _quoted(values: Iterable[str]) -> str:
    """Values as a list in SQL, without those that no event has: UTF-8 cannot hold lone surrogates."""
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values if not _SURROGATE.search(value))
