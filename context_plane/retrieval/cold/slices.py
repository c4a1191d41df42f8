"""Slices: the rows of a few entities, read by ranges from parts that are not on this machine.

Here belongs what a search of one entity needs of a part, and in which order it is read: first which rows are the
entity's, which the beginning of a part says; then the rows with their terms, texts and vectors, and how many documents
hold each term of the question. Two rounds of parallel requests a search, whatever the tenant's size. What comes of them
is a small index that ranks as the whole would, because it knows the statistics of the whole.

Terms and entities are found by hash, and hashes are spread evenly: of an ascending array of n, one lies within a few √n
of where its value says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from context_plane.retrieval.cold.ranged import Opened, Reader, Round
from context_plane.retrieval.hot.index import Whole
from context_plane.retrieval.shards import entities, fulltext, merging
from context_plane.retrieval.shards.entities import entity_hash
from context_plane.retrieval.shards.fulltext import FullText
from context_plane.retrieval.shards.vectors import Vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from context_plane.parts.files import Object

    Array = NDArray[Any]
    Read = Callable[[], Array]

_ROOTS: Final = 4
"""√n from where it should be that a hash is looked for: one array of 10¹³ has any farther off (Kolmogorov)."""
_SMALL: Final = 1 << 18
"""Bytes of an array that is read whole."""
_COLUMNS: Final = ("time", "key", "type", "source", "labels", "length", "chain")
_MOST_ROWS: Final = 20_000
"""Rows of all entities together that are read by ranges."""


@dataclass(frozen=True)
class Slice:
    """What was read."""

    shard: FullText | None
    """The rows, with those terms that the question has; `None` where there are no rows."""
    vectors: tuple[Vectors, ...]
    whole: Whole


class Source(NamedTuple):
    """A part, and from when to when (microseconds) its events may be."""

    object: Object
    first: int
    end: int


class _Span(NamedTuple):
    """Where a part holds an entity: its rows, and in a full-text part their terms and texts."""

    entity: str
    rows: tuple[int, int]
    terms: tuple[int, int]
    docs: tuple[int, int]


def read(
    reader: Reader, texts: Sequence[Source], vectors: Sequence[Source], names: Sequence[str], hashes: Array, cut: int
) -> Slice | None:
    """The rows of these entities, with those terms of them that are among `hashes` (ascending), and the statistics of
    all documents before `cut`.

    `None` where the parts have to be fetched: some were written before they could be read so, have documents with
    neighbours, or hold too many rows. Raises `Corrupt`, `NotFound`, `Unavailable`.
    """
    parts = reader.open([each.object for each in (*texts, *vectors)])
    needed = ("entity_fwd",) * len(texts) + ("starts",) * len(vectors)
    if parts is None or any("own" in part or name not in part for part, name in zip(parts, needed, strict=True)):
        return None
    found = _find(reader, parts, sorted(set(names)))
    if sum(span.rows[1] - span.rows[0] for spans in found[: len(texts)] for span in spans) > _MOST_ROWS:
        return None
    round_ = Round(reader)
    rows = [_Rows(part, spans, hashes, round_) for part, spans in zip(parts[: len(texts)], found, strict=False)]
    near = [_near(part, spans, round_) for part, spans in zip(parts[len(texts) :], found[len(texts) :], strict=True)]
    round_.read()
    shards = [each.shard() for each in rows if each.spans]
    whole = _whole(reader, rows, texts, len(hashes), cut)
    return Slice(merging.merge(shards) if shards else None, tuple(each() for each in near), whole)


def _whole(reader: Reader, rows: Sequence[_Rows], texts: Sequence[Source], terms: int, cut: int) -> Whole:
    """The statistics of all documents before the cut. Of the one part that it may go through, times are read too."""
    import numpy as np

    round_ = Round(reader)
    counts = [
        each.before(cut, round_) if source.end > cut else each.counts
        for each, source in zip(rows, texts, strict=True)
        if source.first < cut
    ]
    round_.read()
    documents, tokens, frequency = 0, 0, np.zeros(terms, np.int64)
    for each in counts:
        more, length, held = each()
        documents, tokens, frequency = documents + more, tokens + length, frequency + held
    return Whole(documents, tokens, frequency)


def _find(reader: Reader, parts: Sequence[Opened], names: Sequence[str]) -> list[list[_Span]]:
    """By part: where it holds those entities that it has."""
    lookups = Round(reader)
    asked = [(part, name, _Lookup(lookups, part, "entity_hash", entity_hash(name))) for part in parts for name in names]
    at = [lookups.rows(part, "entity_at", *lookup.window) for part, _, lookup in asked]
    lookups.read()
    starts = Round(reader)
    found: dict[str, list[tuple[str, list[Read]]]] = {part.key: [] for part in parts}
    for (part, name, lookup), numbers in zip(asked, at, strict=True):
        place = lookup.place()
        if place is not None:
            number = int(numbers()[place])
            held = [array for array in ("starts", "entity_fwd", "entity_docs") if array in part]
            found[part.key].append((name, [starts.rows(part, array, number, number + 2) for array in held]))
    starts.read()
    return [[_span(name, [each() for each in bounds]) for name, bounds in found[part.key]] for part in parts]


def _span(entity: str, bounds: Sequence[Array]) -> _Span:
    """Of a full-text part there are bounds of rows, terms and texts, of a vector part those of rows."""
    pairs = [(int(each[0]), int(each[1])) for each in bounds]
    return _Span(entity, *(pairs if len(pairs) == 3 else (pairs[0], (0, 0), (0, 0))))


class _Lookup:
    """A hash to be looked for in an ascending array."""

    def __init__(self, round_: Round, part: Opened, name: str, hashed: int) -> None:
        count = part.rows(name)
        self.window = 0, count
        if part.nbytes(name) > _SMALL:
            around, reach = hashed * count >> 64, _ROOTS * isqrt(count)
            self.window = max(0, around - reach), min(count, around + reach)
        self._hashed = hashed
        self._values = round_.rows(part, name, *self.window)

    def place(self) -> int | None:
        """Where in the window it is; `None` where it is not."""
        import numpy as np

        values = self._values()
        place = int(np.searchsorted(values, np.uint64(self._hashed)))
        return place if place < len(values) and int(values[place]) == self._hashed else None


def _near(part: Opened, spans: Sequence[_Span], round_: Round) -> Callable[[], Vectors]:
    """The vectors of rows, once the round is read."""
    pairs = [[round_.rows(part, name, *span.rows) for span in spans] for name in ("key", "vector")]
    dimension = part.entries["vector"][1][1]

    def made() -> Vectors:
        import numpy as np

        key, vector = ([each() for each in pieces] for pieces in pairs)
        if not key:
            return Vectors(np.zeros(0, np.uint64), np.zeros((0, dimension), np.float32))
        return Vectors(np.concatenate(key), np.concatenate(vector))

    return made


class _Rows:
    """What a full-text part holds of the entities, and of the question's terms."""

    def __init__(self, part: Opened, spans: Sequence[_Span], hashes: Array, round_: Round) -> None:
        self.part = part
        self.spans = spans
        self._hashes = hashes
        self._lookups = [_Lookup(round_, part, "terms", hashed) for hashed in hashes.tolist()]
        self._starts = [round_.rows(part, "post_start", each.window[0], each.window[1] + 1) for each in self._lookups]
        self._pieces: dict[str, list[Read]] = {
            **{name: [round_.rows(part, name, *span.rows) for span in spans] for name in _COLUMNS},
            **{
                name: [round_.rows(part, name, span.rows[0], span.rows[1] + 1) for span in spans]
                for name in ("fwd_start", "doc_offsets")
            },
            "docs": [round_.rows(part, "docs", *span.docs) for span in spans],
        }
        for name in ("fwd_term", "fwd_tf"):
            self._pieces[name] = [round_.rows(part, name, *span.terms) for span in spans if len(hashes)]

    def counts(self) -> tuple[int, int, Array]:
        """The part's documents, their tokens, and how many of them hold each term."""
        import numpy as np

        found = np.zeros(len(self._hashes), np.int64)
        for at, (first, last) in self._postings():
            found[at] = last - first
        return self.part.rows("time"), self.part.meta["tokens"], found

    def before(self, cut: int, round_: Round) -> Callable[[], tuple[int, int, Array]]:
        """The same of the documents before a cut, once the round is read."""
        count = self.part.rows("time")
        time, length = (round_.rows(self.part, name, 0, count) for name in ("time", "length"))
        held = [(at, round_.rows(self.part, "post_row", *span)) for at, span in self._postings()]

        def counted() -> tuple[int, int, Array]:
            import numpy as np

            early = time() < cut
            found = np.zeros(len(self._hashes), np.int64)
            for at, rows in held:
                found[at] = np.count_nonzero(early[rows()])
            return int(np.count_nonzero(early)), int(length()[early].sum(dtype=np.int64)), found

        return counted

    def _postings(self) -> list[tuple[int, tuple[int, int]]]:
        """Of those terms that the part has: which it is, and where its postings are."""
        found = []
        for at, (lookup, starts) in enumerate(zip(self._lookups, self._starts, strict=True)):
            place = lookup.place()
            if place is not None:
                found.append((at, (int(starts()[place]), int(starts()[place + 1]))))
        return found

    def shard(self) -> FullText:
        """The shard of the rows."""
        import numpy as np

        columns: dict[str, Array] = {
            **entities.encode(
                [each.entity for each in self.spans], [each.rows[1] - each.rows[0] for each in self.spans]
            ),
            **{name: self._joined(name) for name in (*_COLUMNS, "docs")},
            "doc_offsets": self._rebased("doc_offsets").astype(np.uint64),
        }
        places = [lookup.place() for lookup in self._lookups]
        meta = self.part.meta
        return fulltext.finished(
            columns,
            self._forward(places),
            self._hashes[[place is not None for place in places]],
            tuple(meta["types"]),
            tuple(meta["sources"]),
            tuple(tuple(each) for each in meta["labels"]),
        )

    def _forward(self, places: Sequence[int | None]) -> dict[str, Array]:
        """The terms of each row that the question has, given where these were found."""
        import numpy as np

        pairs = zip(self._lookups, places, strict=True)
        numbers = [lookup.window[0] + place for lookup, place in pairs if place is not None]
        start = self._rebased("fwd_start")
        if not numbers:
            return {"fwd_start": start * 0, "fwd_term": np.zeros(0, np.int32), "fwd_tf": np.zeros(0, np.uint16)}
        term = self._joined("fwd_term")
        asked = np.isin(term, numbers)
        return {
            "fwd_start": np.concatenate([[0], np.cumsum(asked)])[start],
            "fwd_term": np.searchsorted(numbers, term[asked]).astype(np.int32),
            "fwd_tf": self._joined("fwd_tf")[asked],
        }

    def _joined(self, name: str) -> Array:
        import numpy as np

        return np.concatenate([each() for each in self._pieces[name]])

    def _rebased(self, name: str) -> Array:
        """Where each row begins in the pieces, one behind the other, and where the last ends."""
        import numpy as np

        lengths = [np.diff(each().astype(np.int64)) for each in self._pieces[name]]
        return np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
