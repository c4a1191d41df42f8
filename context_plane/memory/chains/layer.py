"""Layers: the rows of links parts, laid out so that what leads from or to one thing is found without the rest.

Here belongs finding. What several layers say together is the graph's business (`graph`). Rows stay in Arrow; links are
made of those alone that somebody asks for.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from context_plane.memory.chains.part import firsts_of, links_in, links_of, merge
from context_plane.memory.links.link import Link

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Array = NDArray[Any]


class First(NamedTuple):
    """The first event of an entity, ordered as events are."""

    time: int
    source: str
    id: str
    title: str


class Layer:
    """Links and first events of some days. Immutable, and safe for threads."""

    def __init__(self, parts: Sequence[pa.Table]) -> None:
        """Of parts whose days follow each other, the oldest first."""
        import numpy as np
        import pyarrow as pa

        rows = merge(parts)
        self._links = links_of(rows).combine_chunks()
        self._firsts = firsts_of(rows)
        self.since: Array = np.asarray(self._firsts["time"].cast(pa.int64()))
        self.times: Array = np.asarray(self._links["time"].cast(pa.int64()))
        self._entities = self._firsts["entity"].combine_chunks()
        self._names, self._offsets, self._rows = _ends(self._links)

    @property
    def nbytes(self) -> int:
        """Bytes that it takes."""
        arrays = (self.since, self.times, self._offsets, self._rows)
        return int(self._links.nbytes + self._firsts.nbytes + self._names.nbytes + sum(each.nbytes for each in arrays))

    def first(self, entity: str) -> First | None:
        """The first event of an entity; `None` where there is none of it."""
        at = _place(self._entities, entity)
        if at is None:
            return None
        source, id_, title = (self._firsts[name][at].as_py() for name in ("source", "id", "title"))
        return First(int(self.since[at]), source, id_, title)

    def links(self, thing: str, before: int) -> list[tuple[Link, str]]:
        """The links from or to a thing that are stated before an instant, in order, each with its quote."""
        at = _place(self._names, thing)
        if at is None:
            return []
        rows = self._rows[self._offsets[at] : self._offsets[at + 1]]
        return list(links_in(self._links.take(rows[self.times[rows] < before])))

    @cached_property
    def entities(self) -> list[str]:
        """Entities that have an event, sorted; in the same order as `since`."""
        found: list[str] = self._entities.to_pylist()
        return found

    def most(self) -> Iterator[str]:
        """What links lead from or to, that with most statements first."""
        import numpy as np

        for at in np.argsort(-np.diff(self._offsets), kind="stable"):
            yield self._names[at].as_py()

    @property
    def names(self) -> list[str]:
        """What links lead from or to, sorted."""
        found: list[str] = self._names.to_pylist()
        return found


def _ends(links: pa.Table) -> tuple[pa.Array, Array, Array]:
    """What links lead from or to, sorted, and for each the rows of its links: offsets into rows."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    entity = links["entity"].combine_chunks()
    ends = pa.concat_arrays([entity, others(links)])
    names = pc.unique(ends)
    names = names.take(pc.sort_indices(names))
    codes = np.asarray(pc.index_in(ends, names))
    rows = np.tile(np.arange(len(entity)), 2)
    itself = np.zeros(len(codes), bool)
    itself[len(entity) :] = codes[: len(entity)] == codes[len(entity) :]
    codes, rows = codes[~itself], rows[~itself]
    order = np.lexsort((rows, codes))
    offsets = np.searchsorted(codes[order], np.arange(len(names) + 1))
    return names, offsets, rows[order]


def others(links: pa.Table) -> pa.Array:
    """Of each link the end that its event's entity is not: as `Link.edge` names it."""
    import pyarrow.compute as pc

    known = pc.if_else(pc.not_equal(links["target_event"], ""), links["target_event"], links["written"])
    found = pc.if_else(pc.not_equal(links["target_entity"], ""), links["target_entity"], known)
    return found.combine_chunks()


def _place(names: pa.Array, name: str) -> int | None:
    """Where a name is among sorted ones: Arrow sorts by bytes of UTF-8, which is the order of code points."""
    at = bisect_left(range(len(names)), name, key=lambda each: names[each].as_py())
    return at if at < len(names) and names[at].as_py() == name else None
