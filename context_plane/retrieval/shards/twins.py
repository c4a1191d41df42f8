"""Twins: events with the very same vector, as those of the same short text have.

In a graph many equal vectors fill each other's links, and what lies behind them is no longer found: on timelines of
which a third are repeats, .96 of the nearest instead of .99. So one event of each vector is in the graph, and here
belongs what finds the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

_CHUNK: Final = 32_768


def hashes(vectors: Array) -> Array:
    """64 bits of each vector, u64: equal for equal ones, and else so by a chance of one in 2 to the 64."""
    import numpy as np

    words = np.ascontiguousarray(vectors, np.float32).view(np.uint32)
    odd = np.random.default_rng(0).integers(1 << 63, size=words.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    out = np.zeros(len(words), np.uint64)
    for start in range(0, len(words), _CHUNK):
        # Products wrap around, which is what makes hashes of them.
        out[start : start + _CHUNK] = (words[start : start + _CHUNK].astype(np.uint64) * odd).sum(
            axis=1, dtype=np.uint64
        )
    return out


def firsts(hashed: Array) -> Array:
    """The first row of each different vector, ascending."""
    import numpy as np

    _, rows = np.unique(hashed, return_index=True)
    found: Array = np.sort(rows)
    return found


class Twins:
    """Rows by their vectors."""

    def __init__(self, hashed: Array) -> None:
        import numpy as np

        self._hashed = hashed
        self._order = np.argsort(hashed, kind="stable").astype(np.int32)
        self._sorted = hashed[self._order]

    def of(self, rows: Array) -> Array:
        """These rows and all that have the vector of one of them, i32, each once."""
        import numpy as np

        wanted = np.unique(self._hashed[rows])
        first, last = self._sorted.searchsorted(wanted), self._sorted.searchsorted(wanted, side="right")
        if len(wanted) == int((last - first).sum()):
            return rows
        return np.concatenate([self._order[a:b] for a, b in zip(first.tolist(), last.tolist(), strict=True)])

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        return int(self._hashed.nbytes + self._order.nbytes + self._sorted.nbytes)
