"""The index of one tenant as a process holds it: a merged full-text shard, its vectors, its graph, and room to work in.

Here belong the lookups that a search makes before it scores: which entities, which documents, which terms. What the
scores are is `scoring`'s business; how parts become an index is `loading`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from mmap import mmap
from typing import TYPE_CHECKING, Any, Final, Protocol

from context_plane.retrieval.filters import Filters, allowed_labels, allowed_types
from context_plane.retrieval.hot.room import Room, new_room
from context_plane.retrieval.shards.entities import entity_hash
from context_plane.retrieval.shards.fulltext import FullText
from context_plane.retrieval.text.documents import Declared

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    from context_plane.retrieval.shards.twins import Twins

    Array = NDArray[Any]

_NAMES_KEPT: Final = 20_000
_CUTS_KEPT: Final = 16
_CHOSEN_KEPT: Final = 4
_SCANNED: Final = 4_096
"""Rows that are gone through sooner than it takes to remember which of them were chosen."""
_SAMPLED: Final = 1_024
BEGINNING: Final = -(1 << 62)
END: Final = 1 << 62


class Graph(Protocol):
    """Finds events near a vector."""

    def near(self, query: Array, count: int) -> Array:
        """Keys of about `count` events, the nearest ones with high probability."""


@dataclass(frozen=True)
class Whole:
    """Statistics of all documents, for an index of the few that a question could be about."""

    documents: int
    tokens: float
    """Sum of the lengths of all."""
    frequency: Array
    """i64: how many of them hold each term of the question."""


class Index:
    """A tenant's documents, or those of its tail. Safe for threads."""

    def __init__(
        self,
        shard: FullText,
        sources: Mapping[str, Declared],
        *,
        vectors: Array | None = None,
        graph: Graph | None = None,
        ungraphed: Array | None = None,
        hidden: Array | None = None,
        counted: Array | None = None,
        whole: Whole | None = None,
    ) -> None:
        """`ungraphed` are rows that the graph does not know; `hidden` (u8 a row) those that are not to be returned from
        here; `counted` (u8 a row) says which documents the statistics count, where not all of them do; `whole` are the
        statistics of an index made for one question, which has but some of the documents."""
        self.shard = shard
        self.vectors = None if vectors is None else read_only(vectors)
        self.graph = graph
        self.ungraphed = ungraphed
        self.twins: Twins | None = None
        """Set where the graph has one row for several of the same vector."""
        self.hidden = hidden
        self.counted = counted
        self.whole = whole
        self.totals: dict[int, tuple[int, float]] = {}
        """By cut: documents before it, and the sum of their spans."""
        self._spans: dict[int, Array] = {}
        self._sources = sources
        self._names: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        self._rooms: list[Room] = []
        self.chosen: dict[tuple[Any, Any], Array] = {}
        """Rows by types and labels asked for, where nothing else is: what is not of the plane's own, what is memory."""

    @property
    def rows(self) -> int:
        """How many documents."""
        return self.shard.rows

    def __getitem__(self, name: str) -> Array:
        return self.shard.arrays[name]

    @cached_property
    def a(self) -> Mapping[str, Array]:
        """The shard's arrays. None can be written to, mapped or merged: loops are compiled for one kind of array."""
        return {name: read_only(array) for name, array in self.shard.arrays.items()}

    @cached_property
    def reach(self) -> tuple[Array, Array]:
        """By source: how many neighbours before and after a document are counted with it."""
        import numpy as np

        declared = [self._sources.get(name, Declared()) for name in self.shard.sources]
        before = np.array([each.before for each in declared] or [0], np.int64)
        return before, np.array([each.after for each in declared] or [0], np.int64)

    @cached_property
    def chained(self) -> bool:
        """Whether any document has neighbours that count."""
        before, after = self.reach
        return "own" in self.a and bool(before.any() or after.any())

    def span(self, cut: int) -> Array:
        """By row, f32: the length that BM25 divides by — a document's own, and the shares of its neighbours' texts that
        lie before `cut`."""
        if not self.chained or cut > self.last:
            return self._span
        known = self._spans.get(cut)
        if known is None:
            known = self._spanned(cut)
            if len(self._spans) >= _CUTS_KEPT:
                self._spans.clear()
            self._spans[cut] = known
        return known

    @cached_property
    def _span(self) -> Array:
        return self._spanned(END)

    def _spanned(self, cut: int) -> Array:
        import numpy as np

        a = self.a
        found = a["length"].astype(np.float32)
        if self.chained:
            for link, reach in zip((a["prev"], a["next"]), self.reach, strict=True):
                at, steps = self.all_rows.copy(), reach[a["source"]]
                for step in range(int(steps.max(initial=0))):
                    at = np.where(at >= 0, link[at], -1)
                    at = np.where((at >= 0) & (step < steps) & (a["time"][at] < cut), at, -1)
                    near = at >= 0
                    found[near] += np.float32(0.5 ** (step + 1)) * a["own"][at[near]]
        return read_only(found)

    @cached_property
    def all_rows(self) -> Array:
        """Every row. Not to be written to: it is no read-only array because the loops are compiled for one kind."""
        import numpy as np

        return np.arange(self.rows, dtype=np.int32)

    @cached_property
    def sample(self) -> tuple[Array, Array]:
        """Some rows that the graph knows, chosen at random, and their vectors: what the graph has to be better than."""
        import numpy as np

        assert self.vectors is not None
        known = self.all_rows if self.ungraphed is None else np.delete(self.all_rows, self.ungraphed)
        count = min(len(known), max(_SAMPLED // 4, min(_SAMPLED, len(known) // 64)))
        rows = np.random.default_rng(0).choice(known, count, replace=False)
        return rows, read_only(np.ascontiguousarray(self.vectors[rows]))

    @cached_property
    def order_of_keys(self) -> tuple[Array, Array]:
        """The keys ascending, and the row of each."""
        import numpy as np

        key = self.a["key"]
        order = np.argsort(key, kind="stable").astype(np.int32)
        return key[order], order

    @cached_property
    def order_of_chains(self) -> tuple[Array, Array]:
        """The chains ascending, and the row of each: within a chain in order of time."""
        import numpy as np

        chain = self.a["chain"]
        order = np.argsort(chain, kind="stable").astype(np.int32)
        return chain[order], order

    def rows_of(self, keys: Array, kernels: ModuleType) -> Array:
        """The rows of those keys that are here."""
        import numpy as np

        out = np.empty(len(keys), np.int32)
        return out[: kernels.rows_of(keys, *self.order_of_keys, out)]

    def entities(self, names: Sequence[str]) -> Array:
        """Numbers of those entities that are here, ascending."""
        import numpy as np

        known = self._numbers
        numbers = [known.get(name) for name in names]
        if None in numbers:
            numbers = self._numbered(names)
        found = np.array(numbers, np.int32)
        if len(found) > 1:
            found.sort()
        return found[found.searchsorted(0) :]

    def _numbered(self, names: Sequence[str]) -> list[int | None]:
        """The number of each entity, -1 where it is not here; remembered, because the same are asked for again."""
        import numpy as np

        hashes, at = self.a["entity_hash"], self.a["entity_at"]
        if len(self._numbers) + len(names) > _NAMES_KEPT:
            self._numbers = {}
        wanted = np.fromiter(map(entity_hash, names), np.uint64, len(names))
        places = np.minimum(hashes.searchsorted(wanted), max(0, len(hashes) - 1))
        numbers: list[int] = np.where(hashes[places] == wanted, at[places], -1).tolist() if len(hashes) else []
        self._numbers.update(zip(names, numbers or [-1] * len(names), strict=True))
        return [*(numbers or [-1] * len(names))]

    def select(self, filters: Filters, cut: int, kernels: ModuleType, room: Room) -> Array | None:
        """The rows that the filters leave and that lie before `cut`, ascending; `None` where that is all of them."""
        import numpy as np

        type_ok, label_ok = self._allowed(filters)
        since = BEGINNING if filters.since is None else filters.since
        until = cut if filters.until is None else min(filters.until, cut)
        whole = filters.entities is None and since <= self.first and until > self.last
        if whole and type_ok is None and label_ok is None and self.hidden is None:
            return None
        kind = (filters.types, filters.labels)
        if whole and (known := self.chosen.get(kind)) is not None:
            return known
        entities = self._all_entities if filters.entities is None else self.entities(filters.entities)
        a = self.a
        count = kernels.select(
            a["starts"], entities, a["time"], since, until,
            a["type"], _NONE() if type_ok is None else type_ok, a["labels"], _NONE() if label_ok is None else label_ok,
            room.rows,
        )  # fmt: skip
        rows: Array = room.rows[:count]
        if self.hidden is not None:
            rows = rows[self.hidden[rows] == 0].astype(np.int32)
        if whole and self.rows > _SCANNED:
            if len(self.chosen) >= _CHOSEN_KEPT:
                self.chosen.pop(next(iter(self.chosen)), None)
            rows = self.chosen[kind] = rows.copy()
        return rows

    @cached_property
    def _all_entities(self) -> Array:
        import numpy as np

        return np.arange(len(self.a["starts"]) - 1, dtype=np.int32)

    @cached_property
    def first(self) -> int:
        """The earliest time of a document, in microseconds."""
        return int(self.a["time"].min()) if self.rows else END

    @cached_property
    def last(self) -> int:
        """The latest."""
        return int(self.a["time"].max()) if self.rows else BEGINNING

    def _allowed(self, filters: Filters) -> tuple[Array | None, Array | None]:
        if filters.types is None and filters.labels is None:
            return self._foreign, None
        types = self._foreign if filters.types is None else allowed_types(self.shard, filters.types)
        return types, allowed_labels(self.shard, filters.labels)

    @cached_property
    def _foreign(self) -> Array | None:
        """Which types are not the plane's own."""
        return allowed_types(self.shard, None)

    def lend_room(self) -> Room:
        """Arrays to work in, for one search at a time."""
        try:
            return self._rooms.pop()
        except IndexError:
            return new_room(self.rows, self.chained)

    def take_back(self, room: Room) -> None:
        """Keeps a room for the next search. Its buffer must be clean; one of a search that failed is not given back."""
        self._rooms.append(room)

    def described(self, rows: Array, kernels: ModuleType) -> list[tuple[str, int, str, str, str, str]]:
        """Of each row's event: entity, time, source, id, type and text."""
        import numpy as np

        a, docs, sources, types = self.a, self._docs, self.shard.sources, self.shard.types
        about = np.empty((len(rows), 6), np.int64)
        kernels.about(rows, a["starts"], a["time"], a["source"], a["type"], a["doc_offsets"], about)
        found = []
        for entity, time, source, kind, begin, end in about.tolist():
            id_, _, text = str(docs[begin:end], "utf-8").partition("\0")
            found.append(
                (self._names.get(entity) or self._entity(entity), time, sources[source], id_, types[kind], text)
            )
        return found

    def _entity(self, number: int) -> str:
        """Name of an entity."""
        first, last = self.a["entity_offsets"][number : number + 2].tolist()
        name = self.a["entity_names"][first:last].tobytes().decode()
        if len(self._names) >= _NAMES_KEPT:
            self._names.clear()
        self._names[number] = name
        return name

    @cached_property
    def _docs(self) -> memoryview:
        return memoryview(self.a["docs"])  # type: ignore[arg-type]  # numpy's arrays are buffers

    @property
    def held(self) -> int:
        """Bytes of memory that are this process's own. Arrays over a memory-mapped file are not: the system takes their
        memory back when it needs it."""
        arrays = [*self.shard.arrays.values(), self.all_rows, *self._spans.values(), *list(self.chosen.values())]
        more = 0 if self.twins is None else self.twins.nbytes
        arrays += [each for each in (self.vectors, self.hidden, self.counted, self.ungraphed) if each is not None]
        for name in ("order_of_keys", "order_of_chains", "sample"):
            arrays += self.__dict__.get(name, ())
        per_row = 32 if self.chained else 24
        return more + sum(map(own_bytes, arrays)) + max(1, len(self._rooms)) * per_row * self.rows


def own_bytes(array: Array) -> int:
    """Bytes of an array, 0 for one over a memory-mapped file."""
    owner: Any = array
    while isinstance(owner, type(array)) and owner.base is not None:
        owner = owner.base
    return 0 if isinstance(owner, memoryview) and isinstance(owner.obj, mmap) else array.nbytes


def read_only(array: Array) -> Array:
    """The array as one that cannot be written to."""
    view = array.view()
    view.flags.writeable = False
    return view


def _NONE() -> Array:  # noqa: N802 - a constant that must not import numpy when this module is imported
    import numpy as np

    global _none
    if _none is None:
        _none = np.zeros(0, np.uint8)
    return _none


_none: Array | None = None
