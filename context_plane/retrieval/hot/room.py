"""Room: the arrays that one search writes into, lent by an index and given back clean.

Here belongs what has to hold of them between searches, so that none has to be cleared as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

_STAMPS: Final = 2_000_000_000


@dataclass
class Room:
    """Arrays that one search writes into. A buffer is zero, and a stamp unused, whenever no search holds the room."""

    buffer: Array
    """f32, a score per row."""
    cosines: Array
    """f32, a similarity per row; whatever was there before."""
    stamps: Array
    rows: Array
    more: Array
    kept: Array
    sums: Array
    """f32, zero a row; used where documents are chained."""
    found: Array
    stamp: int = 0

    def next_stamps(self) -> int:
        """A stamp that no row bears; nor does any the one after it."""
        if self.stamp > _STAMPS:
            self.stamps[:] = self.stamp = 0
        self.stamp += 2
        return self.stamp


def new_room(rows: int, chained: bool) -> Room:
    """Room for an index of so many rows."""
    import numpy as np

    n, linked = max(1, rows), max(1, rows) if chained else 1
    return Room(
        np.zeros(n, np.float32), np.zeros(n, np.float32), np.zeros(n, np.int32), np.empty(n, np.int32),
        np.empty(n, np.int32), np.empty(n, np.int32), np.zeros(linked, np.float32), np.empty(linked, np.int32),
    )  # fmt: skip
