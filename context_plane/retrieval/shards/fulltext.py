"""Full-text shards: documents sorted by entity and time, as arrays from which BM25 is computed exactly.

Here belong their layout and how one is built from documents; `merging` makes one of several. A shard holds no scores
and no document frequencies but its own: how many documents hold a term is the tenant's business and summed over shards
when they are merged, so that the ranking is that of one index over everything. Terms are known by their 64-bit hash, in
order of it; merging needs no words.

Arrays (n documents, v terms, z postings):

====================================  ==================================================================================
entity_names … starts                 the entities, and where each one's documents begin (`entities`)
time i64[n], key u64[n]               event time in microseconds; the 64 bits of the event's identity
type, source, labels u32[n]           indices into the lists in `meta`
length u32[n]                         tokens of the indexed text
chain u64[n], prev, next i32[n]       chain of neighbours, the documents before and after in it; -1 for none
entity_fwd i64[m + 1]                 where each entity's terms begin, in `fwd_term`
entity_docs u64[m + 1]                where its documents begin, in `docs`
docs u8, doc_offsets u64[n + 1]       ``id NUL text``
terms u64[v], post_start i64[v + 1]   hashes of the terms, ascending; where the postings of each begin
post_row i32[z], post_tf u16[z]       postings: documents, ascending within a term, and how often the term is in them
fwd_start i64[n + 1]                  where the terms of each document begin
fwd_term i32[z], fwd_tf u16[z]        the same by document, terms ascending
own u32[n]; post_own, fwd_own u16[z]  only where documents are chained: tokens of the text alone, without the fields
                                      beside it, and how often a term is among them: what neighbours are lent
====================================  ==================================================================================
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from context_plane.retrieval.shards import arrays, entities
from context_plane.retrieval.text.analysis import LONGEST, Analyzer, term_hash
from context_plane.retrieval.text.documents import Document

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

KIND: Final = "fulltext"
_MAX_TF: Final = 65_535
_MEMO: Final = 400_000


@dataclass(frozen=True)
class FullText:
    """A shard: its arrays, and the lists that they index into."""

    arrays: Mapping[str, Array]
    types: tuple[str, ...]
    sources: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    tokens: int
    """Sum of all lengths."""

    @property
    def rows(self) -> int:
        """How many documents."""
        return len(self.arrays["time"])

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays.values())

    def entities(self) -> list[str]:
        """Names of the entities in order."""
        return entities.names(self.arrays)

    def encode(self, meta: Mapping[str, Any]) -> bytes:
        """The object's bytes. `meta` is recorded with it: tenant, days, what it was indexed by."""
        about = {
            **meta,
            "types": list(self.types),
            "sources": list(self.sources),
            "labels": [list(each) for each in self.labels],
            "tokens": self.tokens,
        }
        return arrays.encode(KIND, about, self.arrays)


def decode(view: memoryview, where: str) -> FullText:
    """The shard over an object's bytes. Raises `Corrupt`."""
    found = arrays.Arrays(view, KIND, where)
    meta = found.meta
    labels = tuple(tuple(each) for each in meta["labels"])
    return FullText(found, tuple(meta["types"]), tuple(meta["sources"]), labels, meta["tokens"])


class Terms:
    """Local numbers of terms as they come up: what a builder remembers of the analysis."""

    def __init__(self, analyzer: Analyzer) -> None:
        self._analyzer = analyzer
        self._numbers: dict[str, int] = {}
        self._tokens: dict[str, tuple[int, ...]] = {}

    def of(self, text: str) -> array[int]:
        """The numbers of a text's terms, with repeats."""
        found: array[int] = array("i")
        known = self._tokens
        for token in self._analyzer.tokens(text):
            numbers = known.get(token)
            if numbers is None:
                numbers = self._new(token)
            found.extend(numbers)
        return found

    def _new(self, token: str) -> tuple[int, ...]:
        numbers = tuple(self._numbers.setdefault(term, len(self._numbers)) for term in self._analyzer.expand(token))
        if len(self._tokens) >= _MEMO:
            self._tokens.clear()
        if len(token) <= LONGEST:
            self._tokens[token] = numbers
        return numbers

    def hashes(self) -> Array:
        """The hash of each number."""
        import numpy as np

        return np.fromiter(map(term_hash, self._numbers), np.uint64, len(self._numbers))


def build(documents: Iterable[Document], analyzer: Analyzer) -> FullText:
    """The shard of documents that come sorted by entity, time, source and id."""
    import numpy as np

    terms, found = Terms(analyzer), list(documents)
    numbers = array("i")
    own, lengths = np.empty(len(found), np.uint32), np.empty(len(found), np.uint32)
    for row, document in enumerate(found):
        before = len(numbers)
        numbers.extend(terms.of(document.indexed))
        own[row] = len(numbers) - before
        if document.beside:
            numbers.extend(terms.of(document.beside))
        lengths[row] = len(numbers) - before
    hashes, columns = _sorted_hashes(terms.hashes(), np.frombuffer(numbers, np.int32) if numbers else None)
    rows = np.repeat(np.arange(len(found), dtype=np.int64), lengths)
    pairs, inverse, counts = np.unique(rows * max(1, len(hashes)) + columns, return_inverse=True, return_counts=True)
    row_of, term_of = np.divmod(pairs, max(1, len(hashes)))
    forward = {
        "fwd_start": starts_of(row_of, len(found)),
        "fwd_term": term_of.astype(np.int32),
        "fwd_tf": np.minimum(counts, _MAX_TF).astype(np.uint16),
    }
    made = _columns(found, lengths)
    if any(each.chain for each in found):
        within = np.arange(len(rows)) - np.repeat(np.cumsum(lengths, dtype=np.int64) - lengths, lengths)
        counts = np.bincount(inverse, within < own[rows], len(pairs))
        forward["fwd_own"], made["own"] = np.minimum(counts, _MAX_TF).astype(np.uint16), own
    return finished(made, forward, hashes, *_lists(found))


def _sorted_hashes(hashes: Array, columns: Array | None) -> tuple[Array, Array]:
    """The hashes ascending, and the local numbers as indices into them. Terms of one hash are one term."""
    import numpy as np

    if columns is None:
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    ordered, places = np.unique(hashes, return_inverse=True)
    return ordered, places[columns].astype(np.int64)


def _columns(found: Sequence[Document], lengths: Array) -> dict[str, Array]:
    import numpy as np

    docs, doc_offsets = arrays.strings([f"{each.id}\0{each.text}".encode() for each in found])
    types, sources, labels = (_numbered(values) for values in _values(found))
    return {
        **entities.of_rows([each.entity for each in found]),
        "time": np.fromiter((each.at for each in found), np.int64, len(found)),
        "key": np.fromiter((each.key for each in found), np.uint64, len(found)),
        "type": types,
        "source": sources,
        "labels": labels,
        "length": lengths,
        "chain": np.fromiter((each.chain for each in found), np.uint64, len(found)),
        "docs": docs,
        "doc_offsets": doc_offsets,
    }


def _values(found: Sequence[Document]) -> tuple[list[str], list[str], list[tuple[str, ...]]]:
    return [each.type for each in found], [each.source for each in found], [each.labels for each in found]


def _numbered(values: Sequence[Any]) -> Array:
    """Each value as an index into the sorted distinct ones."""
    import numpy as np

    numbers = {value: number for number, value in enumerate(sorted(set(values)))}
    return np.fromiter((numbers[value] for value in values), np.uint32, len(values))


def _lists(found: Sequence[Document]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[tuple[str, ...], ...]]:
    types, sources, labels = _values(found)
    return tuple(sorted(set(types))), tuple(sorted(set(sources))), tuple(sorted(set(labels)))


def starts_of(ordered: Array, count: int) -> Array:
    """Where each of `count` numbers begins in an ascending array of them."""
    import numpy as np

    starts = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(ordered, minlength=count), out=starts[1:])
    return starts


def finished(
    columns: dict[str, Array],
    forward: dict[str, Array],
    terms: Array,
    types: tuple[str, ...],
    sources: tuple[str, ...],
    labels: tuple[tuple[str, ...], ...],
) -> FullText:
    """The shard with all that follows from its rows: postings, and links between neighbours."""
    import numpy as np

    term, start = forward["fwd_term"], forward["fwd_start"]
    order = np.argsort(term, kind="stable")
    row = np.repeat(np.arange(len(start) - 1, dtype=np.int32), np.diff(start))
    postings = {
        "terms": terms,
        "post_start": starts_of(term, len(terms)),
        "post_row": row[order],
        "post_tf": forward["fwd_tf"][order],
    }
    if "fwd_own" in forward:
        postings["post_own"] = forward["fwd_own"][order]
    at = columns["starts"]
    first = {"entity_fwd": start[at], "entity_docs": columns["doc_offsets"][at]}
    before, after = links(columns["chain"])
    tokens = int(columns["length"].sum(dtype=np.int64))
    held = {**first, **columns, **forward, **postings, "prev": before, "next": after}
    return FullText(held, types, sources, labels, tokens)


def links(chain: Array) -> tuple[Array, Array]:
    """For each document the one before and the one after it in its chain, -1 for none. Rows are in order of time within
    an entity, and no two entities share a chain."""
    import numpy as np

    before, after = np.full(len(chain), -1, np.int32), np.full(len(chain), -1, np.int32)
    rows = np.flatnonzero(chain)
    ordered = rows[np.argsort(chain[rows], kind="stable")]
    same = chain[ordered[1:]] == chain[ordered[:-1]]
    first, second = ordered[:-1][same], ordered[1:][same]
    after[first], before[second] = second, first
    return before, after
