"""Slices: the rows of a few entities, read by ranges from parts that are not on this machine.

Here belongs what a search of one entity needs of a part, and in which order it is read: which rows are the entity's;
then their columns and vectors, and how many documents hold each term of the question; then the terms of the rows, and
their texts. Three rounds of parallel requests a search, whatever the tenant's size. What comes of them is a small index
that ranks as the whole would, because it knows the statistics of the whole.

Terms and entities are found by hash, and hashes are spread evenly: of an ascending array of n, one lies within a few √n
of where its value says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING, Any, Final

from context_plane.retrieval import entities, fulltext
from context_plane.retrieval.entities import entity_hash
from context_plane.retrieval.fulltext import FullText
from context_plane.retrieval.index import Whole
from context_plane.retrieval.ranged import Opened, Reader, Round
from context_plane.retrieval.vectors import Vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from context_plane.parts.files import Object

    Array = NDArray[Any]
    Spans = list[tuple[str, int, int]]  # entity, first row, and the one after its last

_ROOTS: Final = 4
"""√n from where it should be that a hash is looked for: farther off is one of 10¹³ (Kolmogorov)."""
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


def read(
    reader: Reader, texts: Sequence[Object], vectors: Sequence[Object], names: Sequence[str], hashes: Array
) -> Slice | None:
    """The rows of these entities, with those terms of them that are among `hashes` (ascending).

    `None` where the parts have to be fetched: some were written before there were checksums of heads, have documents
    with neighbours, or hold too many rows. Raises `Corrupt`, `NotFound`, `Unavailable`.
    """
    import numpy as np

    parts = reader.open([*texts, *vectors])
    if parts is None or any("own" in part or "starts" not in part for part in parts):
        return None
    found = _find(reader, parts, sorted(set(names)))
    if sum(last - first for spans in found[: len(texts)] for _, first, last in spans) > _MOST_ROWS:
        return None
    columns = Round(reader)
    rows = [_Rows(part, spans, hashes, columns) for part, spans in zip(parts[: len(texts)], found, strict=False)]
    near = [_near(part, spans, columns) for part, spans in zip(parts[len(texts) :], found[len(texts) :], strict=True)]
    columns.read()
    bodies = Round(reader)
    shards = [each.shard(bodies) for each in rows if each.spans]
    bodies.read()
    made = [shard() for shard in shards]
    documents, tokens = sum(each.part.rows("time") for each in rows), sum(each.part.meta["tokens"] for each in rows)
    frequency = np.zeros(len(hashes), np.int64)
    for each in rows:
        frequency += each.frequency()
    whole = Whole(documents, tokens, frequency)
    return Slice(fulltext.merge(made) if made else None, tuple(each() for each in near), whole)


def _find(reader: Reader, parts: Sequence[Opened], names: Sequence[str]) -> list[Spans]:
    """By part: the rows of those entities that it has."""
    lookups = Round(reader)
    asked = [(part, name, _Lookup(lookups, part, "entity_hash", entity_hash(name))) for part in parts for name in names]
    at = [lookups.rows(part, "entity_at", *lookup.window) for part, _, lookup in asked]
    lookups.read()
    starts = Round(reader)
    found: dict[str, list[tuple[str, Callable[[], Array]]]] = {part.key: [] for part in parts}
    for (part, name, lookup), numbers in zip(asked, at, strict=True):
        place = lookup.place()
        if place is not None:
            number = int(numbers()[place])
            found[part.key].append((name, starts.rows(part, "starts", number, number + 2)))
    starts.read()
    return [[(name, *start().tolist()) for name, start in found[part.key]] for part in parts]


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


def _near(part: Opened, spans: Spans, columns: Round) -> Callable[[], Vectors]:
    """The vectors of rows, once the round is read."""
    pairs = [[columns.rows(part, name, first, last) for _, first, last in spans] for name in ("key", "vector")]
    dimension = part.entries["vector"][1][1]

    def made() -> Vectors:
        import numpy as np

        key, vector = ([each() for each in pieces] for pieces in pairs)
        if not key:
            return Vectors(np.zeros(0, np.uint64), np.zeros((0, dimension), np.float32))
        return Vectors(np.concatenate(key), np.concatenate(vector))

    return made


class _Rows:
    """What a full-text part holds of the entities: their columns, read in one round, their terms and texts in the
    next."""

    def __init__(self, part: Opened, spans: Spans, hashes: Array, columns: Round) -> None:
        self.part = part
        self.spans = spans
        self._hashes = hashes
        self._terms = []
        for hashed in hashes.tolist():
            lookup = _Lookup(columns, part, "terms", hashed)
            first, last = lookup.window
            self._terms.append((lookup, columns.rows(part, "post_start", first, last + 1)))
        self._columns = {
            name: [columns.rows(part, name, first, last + more) for _, first, last in spans]
            for names, more in ((_COLUMNS, 0), (("fwd_start", "doc_offsets"), 1))
            for name in names
        }

    def frequency(self) -> Array:
        """How many of the part's documents hold each term."""
        import numpy as np

        found = np.zeros(len(self._hashes), np.int64)
        for at, (lookup, starts) in enumerate(self._terms):
            place = lookup.place()
            if place is not None:
                found[at] = starts()[place + 1] - starts()[place]
        return found

    def shard(self, bodies: Round) -> Callable[[], FullText]:
        """The shard of the rows, once the round is read."""
        places = [(lookup.window[0], lookup.place()) for lookup, _ in self._terms]
        numbers = [first + place for first, place in places if place is not None]
        hashes = self._hashes[[place is not None for _, place in places]]
        texts = self._pieces("doc_offsets", bodies, "docs")
        terms = self._pieces("fwd_start", bodies, "fwd_term") if numbers else []
        often = self._pieces("fwd_start", bodies, "fwd_tf") if numbers else []

        def made() -> FullText:
            import numpy as np

            counts = np.array([last - first for _, first, last in self.spans])
            columns: dict[str, Array] = {
                **entities.encode([name for name, _, _ in self.spans], counts),
                **{name: self._joined(name) for name in _COLUMNS},
                "docs": np.concatenate([each() for each in texts]),
                "doc_offsets": self._rebased("doc_offsets").astype(np.uint64),
            }
            forward: dict[str, Array] = {
                "fwd_start": np.zeros(int(counts.sum()) + 1, np.int64),
                "fwd_term": np.zeros(0, np.int32),
                "fwd_tf": np.zeros(0, np.uint16),
            }
            if numbers:
                term, tf = (np.concatenate([each() for each in pieces]) for pieces in (terms, often))
                asked = np.isin(term, numbers)
                forward["fwd_start"] = np.concatenate([[0], np.cumsum(asked)])[self._rebased("fwd_start")]
                forward["fwd_term"] = np.searchsorted(numbers, term[asked]).astype(np.int32)
                forward["fwd_tf"] = tf[asked]
            meta = self.part.meta
            labels = tuple(tuple(each) for each in meta["labels"])
            return fulltext.finished(columns, forward, hashes, tuple(meta["types"]), tuple(meta["sources"]), labels)

        return made

    def _pieces(self, starts: str, bodies: Round, name: str) -> list[Callable[[], Array]]:
        """What rows have of an array, given where each row begins in it."""
        spans = [(int(each()[0]), int(each()[-1])) for each in self._columns[starts]]
        return [bodies.rows(self.part, name, *span) for span in spans]

    def _joined(self, name: str) -> Array:
        import numpy as np

        return np.concatenate([each() for each in self._columns[name]])

    def _rebased(self, name: str) -> Array:
        """Where each row begins in the pieces, one behind the other, and where the last ends."""
        import numpy as np

        lengths = [np.diff(each().astype(np.int64)) for each in self._columns[name]]
        return np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
