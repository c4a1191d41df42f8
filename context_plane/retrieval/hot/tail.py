"""The fresh tail of an index: documents of commits that no index part holds, searched exactly from memory.

Here belongs the index of the tail and its seam with the parts: a document whose neighbours have come since is answered
from here, with the neighbours it has now, and hidden there. Statistics count every document once.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from context_plane.retrieval.hot.index import Index
from context_plane.retrieval.scoring import kernels
from context_plane.retrieval.shards.fulltext import FullText, build
from context_plane.retrieval.shards.merging import merge, take
from context_plane.retrieval.text.documents import Declared, Document

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from context_plane.retrieval.text.analysis import Analyzer

    Array = NDArray[Any]
    Embed = Callable[[Sequence[str]], Array]


@dataclass(frozen=True)
class Joined:
    """Indexes of parts and the one of their tail, made to be searched together."""

    base: tuple[Index, ...]
    tail: Index | None

    @cached_property
    def indexes(self) -> tuple[Index, ...]:
        """All of them."""
        return self.base if self.tail is None else (*self.base, self.tail)

    @property
    def nbytes(self) -> int:
        """Bytes of memory of the tail."""
        return 0 if self.tail is None else self.tail.held


def join(
    base: Sequence[Index],
    fresh: Iterable[Document],
    analyzer: Analyzer,
    sources: Mapping[str, Declared],
    embed: Embed | None,
) -> Joined:
    """The indexes with the documents that they lack. `embed` gives unit vectors; without it the tail has none.

    Where there are several, none of their documents has neighbours (`loading`).
    """
    documents = sorted(fresh, key=lambda each: (each.entity, each.at, each.source, each.id))
    if not documents:
        return Joined(tuple(base), None)
    shard = build(documents, analyzer)
    vectors = None if embed is None else embed([each.text for each in documents])
    only = base[0] if len(base) == 1 else None
    seam = None if only is None else _seam(only, documents, sources)
    if only is None or seam is None:
        return Joined(tuple(base), Index(shard, sources, vectors=vectors))
    owned, lent = seam
    return Joined((_hiding(only, owned),), _mixed(only, shard, vectors, owned, lent, sources))


def _mixed(
    base: Index, fresh: FullText, vectors: Array | None, owned: Array, lent: Array, sources: Mapping[str, Declared]
) -> Index:
    """The index of fresh documents and of those documents of the base that lie around them."""
    import numpy as np

    shard = merge([fresh, take(base.shard, lent)], interleaved=True)
    plain, loops = Index(shard, sources), kernels.choice.current()
    new, old = plain.rows_of(fresh.arrays["key"], loops), plain.rows_of(base.a["key"][lent], loops)
    counted, hidden = np.zeros(shard.rows, np.uint8), np.zeros(shard.rows, np.uint8)
    counted[new], hidden[old] = 1, 1
    hidden[plain.rows_of(base.a["key"][owned], loops)] = 0
    if vectors is not None:
        width = vectors.shape[1]
        found = np.zeros((shard.rows, width), np.float32)
        found[new] = vectors
        if base.vectors is not None:
            found[old] = base.vectors[lent]
        vectors = found
    return Index(shard, sources, vectors=vectors, hidden=hidden, counted=counted)


def _hiding(base: Index, rows: Array) -> Index:
    """The base without some rows, sharing everything else."""
    import numpy as np

    hidden = np.zeros(base.rows, np.uint8)
    hidden[rows] = 1
    index = copy.copy(base)
    index.hidden = hidden
    index.totals, index.chosen = {}, {}
    return index


def _seam(base: Index, documents: Sequence[Document], sources: Mapping[str, Declared]) -> tuple[Array, Array] | None:
    """Rows of the base that fresh documents are neighbours of, and these with the rows that lend to them; `None` where
    there are none."""
    import numpy as np

    owned: set[int] = set()
    lent: set[int] = set()
    if base.rows:
        for rows, spans, reach in _neighbours(base, documents, sources):
            for first, last in spans:
                owned.update(rows[max(0, first - reach) : last + reach].tolist())
                lent.update(rows[max(0, first - 2 * reach) : last + 2 * reach].tolist())
    return (np.array(sorted(owned), np.int32), np.array(sorted(lent | owned), np.int32)) if lent | owned else None


def _neighbours(
    base: Index, documents: Sequence[Document], sources: Mapping[str, Declared]
) -> Iterator[tuple[Array, set[tuple[int, int]], int]]:
    """For each chain of the base that fresh documents belong to: its rows, the places where documents fall, and how far
    neighbours reach. Of rows of one instant it is not looked up which come first: a place spans all of them."""
    import numpy as np

    chains: dict[int, list[Document]] = {}
    for each in documents:
        if each.chain:
            chains.setdefault(each.chain, []).append(each)
    ordered, order = base.order_of_chains
    for chain, members in chains.items():
        first, last = (int(np.searchsorted(ordered, np.uint64(chain), side=side)) for side in ("left", "right"))
        if first == last:
            continue
        rows = order[first:last]
        declared = sources[members[0].source]
        times = base.a["time"][rows]
        at = [each.at for each in members]
        first_of, last_of = (np.searchsorted(times, at, side=side).tolist() for side in ("left", "right"))
        yield rows, set(zip(first_of, last_of, strict=True)), max(declared.before, declared.after)
