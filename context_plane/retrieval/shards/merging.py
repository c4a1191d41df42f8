"""Several full-text shards as one, and one of some rows of a shard.

Here belongs what has to be renumbered for that: entities, types, sources, labels and terms. What a shard is made of is
`fulltext`'s business.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from context_plane.retrieval.shards import arrays, entities
from context_plane.retrieval.shards.fulltext import FullText, finished

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def merge(shards: Sequence[FullText], *, interleaved: bool = False) -> FullText:
    """One shard over several; the same as if it had been built at once.

    The shards cover different days and come oldest first, or are `interleaved` and come in any order.
    """
    import numpy as np

    if len(shards) == 1:
        return shards[0]
    names, entity = entities.merge([shard.arrays for shard in shards])
    terms = np.unique(np.concatenate([shard.arrays["terms"] for shard in shards]))
    types, sources, labels = (_joined(shards, name) for name in ("types", "sources", "labels"))
    if interleaved:
        order = _order(shards, entity, _renumbered(shards, "source", "sources", sources))
    else:
        order = np.argsort(entity, kind="stable")
    columns = {
        **entities.encode(names, np.bincount(entity, minlength=len(names))),
        **{
            name: np.concatenate([s.arrays[name] for s in shards])[order] for name in ("time", "key", "length", "chain")
        },
        "type": _renumbered(shards, "type", "types", types)[order],
        "source": _renumbered(shards, "source", "sources", sources)[order],
        "labels": _renumbered(shards, "labels", "labels", labels)[order],
        **_merged_docs(shards, order),
    }
    if any("own" in shard.arrays for shard in shards):
        columns["own"] = np.concatenate([_own(shard, "own", "length") for shard in shards])[order]
    return finished(columns, _merged_forward(shards, order, terms), terms, types, sources, labels)


def _order(shards: Sequence[FullText], entity: Array, source: Array) -> Array:
    """The order of all rows by entity, time, source and id."""
    import numpy as np

    time = np.concatenate([shard.arrays["time"] for shard in shards])
    order = np.lexsort((source, time, entity))
    columns = [column[order] for column in (entity, time, source)]
    same = np.logical_and.reduce([column[1:] == column[:-1] for column in columns])
    ids: dict[int, bytes] = {}
    for run in np.split(np.arange(len(order)), np.flatnonzero(~same) + 1):
        if len(run) > 1:
            ids.update((row, _id(shards, row)) for row in order[run].tolist())
            order[run] = sorted(order[run].tolist(), key=ids.__getitem__)
    return order


def _id(shards: Sequence[FullText], row: int) -> bytes:
    """Id of the event in a row of all shards together."""
    for shard in shards:
        if row < shard.rows:
            offsets = shard.arrays["doc_offsets"]
            return bytes(shard.arrays["docs"][offsets[row] : offsets[row + 1]]).partition(b"\0")[0]
        row -= shard.rows
    raise IndexError(row)


def take(shard: FullText, rows: Array) -> FullText:
    """The shard of some of its rows, ascending."""
    import numpy as np

    a = shard.arrays
    entity = np.repeat(np.arange(len(a["starts"]) - 1), np.diff(a["starts"]))[rows]
    kept, entity = np.unique(entity, return_inverse=True)
    names = shard.entities()
    counts = np.diff(a["fwd_start"])[rows]
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    places = np.repeat(a["fwd_start"][rows] - start[:-1], counts) + np.arange(start[-1])
    used, term = np.unique(a["fwd_term"][places], return_inverse=True)
    offsets = a["doc_offsets"]
    docs, doc_offsets = arrays.strings([bytes(a["docs"][offsets[r] : offsets[r + 1]]) for r in rows.tolist()])
    columns: dict[str, Array] = {
        **entities.encode([names[at] for at in kept.tolist()], np.bincount(entity, minlength=len(kept))),
        **{name: a[name][rows] for name in ("time", "key", "length", "chain", "type", "source", "labels")},
        "docs": docs,
        "doc_offsets": doc_offsets,
    }
    forward: dict[str, Array] = {
        "fwd_start": start,
        "fwd_term": term.astype(np.int32),
        "fwd_tf": a["fwd_tf"][places],
    }
    if "own" in a:
        columns["own"], forward["fwd_own"] = a["own"][rows], a["fwd_own"][places]
    return finished(columns, forward, a["terms"][used], shard.types, shard.sources, shard.labels)


def _joined(shards: Sequence[FullText], name: str) -> tuple[Any, ...]:
    return tuple(sorted({value for shard in shards for value in getattr(shard, name)}))


def _renumbered(shards: Sequence[FullText], column: str, values: str, joined: Sequence[Any]) -> Array:
    """A column of all shards, as indices into the joined list."""
    import numpy as np

    number = {value: at for at, value in enumerate(joined)}
    found = []
    for shard in shards:
        places = np.fromiter((number[value] for value in getattr(shard, values)), np.uint32)
        found.append(places[shard.arrays[column]] if len(places) else np.zeros(0, np.uint32))
    return np.concatenate(found)


def _merged_docs(shards: Sequence[FullText], order: Array) -> dict[str, Array]:
    pieces: list[bytes] = []
    for shard in shards:
        body, offsets = shard.arrays["docs"].tobytes(), shard.arrays["doc_offsets"].tolist()
        pieces += [body[a:b] for a, b in pairwise(offsets)]
    docs, doc_offsets = arrays.strings([pieces[at] for at in order.tolist()])
    return {"docs": docs, "doc_offsets": doc_offsets}


def _merged_forward(shards: Sequence[FullText], order: Array, terms: Array) -> dict[str, Array]:
    import numpy as np

    counts = np.concatenate([np.diff(shard.arrays["fwd_start"]) for shard in shards])
    starts = np.concatenate([[0], np.cumsum(counts)])[:-1]
    term = np.concatenate(
        [np.searchsorted(terms, s.arrays["terms"]).astype(np.int32)[s.arrays["fwd_term"]] for s in shards]
    )
    tf = np.concatenate([shard.arrays["fwd_tf"] for shard in shards])
    start = np.concatenate([[0], np.cumsum(counts[order])])
    # Which posting comes to which place: the first of its document, and how far behind that it lies.
    places = np.repeat(starts[order] - start[:-1], counts[order]) + np.arange(start[-1])
    forward = {"fwd_start": start.astype(np.int64), "fwd_term": term[places], "fwd_tf": tf[places]}
    if any("own" in shard.arrays for shard in shards):
        forward["fwd_own"] = np.concatenate([_own(shard, "fwd_own", "fwd_tf") for shard in shards])[places]
    return forward


def _own(shard: FullText, name: str, whole: str) -> Array:
    """An array that only shards with chains have; in others nothing is lent, and it does not matter what is there."""
    return shard.arrays[name] if name in shard.arrays else shard.arrays[whole]
