"""Entities: the arrays by which a shard finds an entity, whose rows are one slice of it.

==================================== =================================================================================
entity_names u8, entity_offsets u64  names of the entities, sorted by code point; m + 1 offsets
entity_hash u64[m], entity_at i32[m] hashes of the names, ascending, and which entity each is
starts i32[m + 1]                    where each entity's rows begin
==================================== =================================================================================
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from context_plane.retrieval.shards import arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

NAMES: Final = ("entity_names", "entity_offsets", "entity_hash", "entity_at", "starts")
"""The arrays of a shard that are about its entities."""


@lru_cache(maxsize=65_536)
def entity_hash(entity: str) -> int:
    """The 64 bits under which a shard finds an entity."""
    return int.from_bytes(hashlib.blake2b(entity.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def encode(names: Sequence[str], counts: Array | Sequence[int]) -> dict[str, Array]:
    """The arrays of entities with so many rows each. `names` are sorted."""
    import numpy as np

    blob, offsets = arrays.strings([name.encode() for name in names])
    hashes = np.fromiter(map(entity_hash, names), np.uint64, len(names))
    order = np.argsort(hashes, kind="stable").astype(np.int32)
    starts = np.zeros(len(names) + 1, np.int32)
    np.cumsum(counts, out=starts[1:])
    return {
        "entity_hash": hashes[order],
        "entity_at": order,
        "starts": starts,
        "entity_offsets": offsets,
        "entity_names": blob,
    }


def of_rows(entities: Sequence[str]) -> dict[str, Array]:
    """The arrays, from the entity of each row. Rows of an entity lie together, and entities are sorted."""
    import numpy as np

    counts: dict[str, int] = dict.fromkeys(entities, 0)
    for each in entities:
        counts[each] += 1
    return encode(list(counts), np.fromiter(counts.values(), np.int64, len(counts)))


def names(held: Mapping[str, Array]) -> list[str]:
    """The entities in order."""
    body, offsets = held["entity_names"].tobytes(), held["entity_offsets"].tolist()
    return [body[a:b].decode() for a, b in pairwise(offsets)]


def merge(held: Sequence[Mapping[str, Array]]) -> tuple[list[str], Array]:
    """The entities of several shards, sorted, and for each row of all shards together which of them is its own."""
    import numpy as np

    of_each = [names(each) for each in held]
    every = sorted({name for each in of_each for name in each})
    number = {name: at for at, name in enumerate(every)}
    rows = [
        np.repeat(np.fromiter((number[name] for name in own), np.int32, len(own)), np.diff(each["starts"]))
        for own, each in zip(of_each, held, strict=True)
    ]
    return every, np.concatenate(rows) if rows else np.zeros(0, np.int32)
