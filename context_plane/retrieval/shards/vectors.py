"""Vector shards: one unit vector per event, in the order of the full-text shard of the same days.

Here belong encoding them and bringing them into the order of a merged full-text shard. Rows are matched by the event's
key and not by position: the two kinds of shard are built by two assets, and one may be ahead of the other.

Arrays (n events, d dimensions): ``key`` u64[n], ``vector`` f32[n, d], and those of `entities`. A zero vector says that
the model found nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from context_plane.retrieval.shards import arrays, entities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

KIND: Final = "vector"


@dataclass(frozen=True)
class Vectors:
    """A shard's vectors and the events that they belong to."""

    key: Array
    vector: Array
    entities: Mapping[str, Array] | None = None
    """The arrays by which an entity's rows are found; shards made before there were any lack them."""

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.vector.shape[1])

    @property
    def nbytes(self) -> int:
        """Bytes of both arrays."""
        return self.key.nbytes + self.vector.nbytes

    def encode(self, meta: Mapping[str, Any]) -> bytes:
        """The object's bytes; `meta` names tenant, days and embedder."""
        return arrays.encode(KIND, meta, {**(self.entities or {}), "key": self.key, "vector": self.vector})


def decode(view: memoryview, where: str) -> Vectors:
    """The shard over an object's bytes. Raises `Corrupt`."""
    found = arrays.Arrays(view, KIND, where)
    held = {name: found[name] for name in entities.NAMES} if "starts" in found else None
    return Vectors(found["key"], found["vector"], held)


def merge(shards: Sequence[Vectors], dimension: int) -> Vectors:
    """One shard over several that cover different days and come oldest first; rows sorted by entity and time, as in the
    full-text shard merged of the same days."""
    import numpy as np

    if len(shards) == 1:
        return shards[0]
    if not shards:
        return Vectors(np.zeros(0, np.uint64), np.zeros((0, dimension), np.float32))
    key, vector = np.concatenate([s.key for s in shards]), np.concatenate([s.vector for s in shards])
    held = [s.entities for s in shards if s.entities is not None]
    if len(held) < len(shards):
        return Vectors(key, vector)
    names, entity = entities.merge(held)
    order = np.argsort(entity, kind="stable")
    counts = np.bincount(entity, minlength=len(names))
    return Vectors(key[order], vector[order], entities.encode(names, counts))


def align(keys: Array, shards: Sequence[Vectors], dimension: int) -> tuple[Array, Array]:
    """The vectors of these events, f32[n, d], and the rows for which no shard has one (their vectors are zero).

    Nothing is copied where one shard has exactly these events in this order.
    """
    import numpy as np

    if len(shards) == 1 and np.array_equal(shards[0].key, keys):
        return shards[0].vector, np.zeros(0, np.int64)
    found = np.zeros((len(keys), dimension), np.float32)
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    missing = np.ones(len(keys), bool)
    for shard in shards:
        if not len(shard.key) or not len(keys):
            continue
        places = np.minimum(np.searchsorted(ordered, shard.key), len(keys) - 1)
        held = ordered[places] == shard.key
        rows = order[places[held]]
        found[rows] = shard.vector[held] if not held.all() else shard.vector
        missing[rows] = False
    return found, np.flatnonzero(missing)
