"""Extracted events in memory: sorted by (entity, time, source, id), so that windows are ranges of places.

Here belongs looking things up in what one load extracted: an entity's events, the range that an instant and a window
cut out of them, columns for SQL and values for JSON. What is computed over ranges is `evaluate`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from context_plane.bundles.compile import Program

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Span:
    """A batch of entities at one instant: for each the places of its events in each window, ``lows[window] … high``."""

    codes: Places
    high: Places
    lows: Mapping[int | None, Places]
    low: Places
    """The lower ends in the widest window."""

    @classmethod
    def of(cls, codes: Places, ends: Places, starts: Mapping[int | None, Places], widest: int | None) -> Span:
        """The span of some entities, given the places of all; an entity of code -1 has no events."""
        high = _of(ends, codes)
        lows = {window: _of(each, codes) for window, each in starts.items()}
        return cls(codes, high, lows, lows[widest])

    @property
    def counts(self) -> Places:
        """Events of each entity in the widest window."""
        return self.high - self.low

    def valid_through(self, times: Places, forever: int) -> list[int]:
        """For each entity the last instant before one of its windows loses an event."""
        last = np.full(len(self.codes), forever, dtype=np.int64)
        for window, low in self.lows.items():
            if window is not None and len(times):
                oldest = times[np.minimum(low, len(times) - 1)] + window
                last = np.where(low < self.high, np.minimum(last, oldest), last)
        found: list[int] = last.tolist()
        return found


def _of(values: Places, codes: Places) -> Places:
    if not len(values):
        return np.zeros(len(codes), dtype=np.int64)
    return np.where(codes >= 0, values[np.maximum(codes, 0)], 0)


class Loaded:
    """The result of a program's `extract`. Event `n` is row `n`; entity `c` is `names[c]`, its events lie in
    ``starts[c] … starts[c + 1]``."""

    def __init__(self, table: pa.Table, program: Program) -> None:
        import pyarrow as pa

        self.table = table
        entity = table["entity"].dictionary_encode().combine_chunks()
        self.names: list[str] = entity.dictionary.to_pylist()
        self._codes = entity.indices.to_numpy(zero_copy_only=False).astype(np.int32)
        self.starts: Places = np.searchsorted(self._codes, np.arange(len(self.names) + 1)).astype(np.int64)
        self.times: Places = table["t"].to_numpy().astype(np.int64, copy=False)
        columns = {"n": pa.array(np.arange(len(self.times))), "c": pa.array(self._codes), "t": table["t"]}
        for name in program.narrow:
            columns[name] = _numbers(table[name]) if name in program.codes else table[name]
        self._facts = pa.table(columns)

    def code(self, name: str) -> int:
        """The number of an entity; -1 where it has no events here."""
        at = bisect_left(self.names, name)
        return at if at < len(self.names) and self.names[at] == name else -1

    def ends(self, instant: int) -> Places:
        """For each entity, the place behind its last event before the instant."""
        before = np.concatenate(([0], np.cumsum(self.times < instant)))
        ends: Places = self.starts[:-1] + before[self.starts[1:]] - before[self.starts[:-1]]
        return ends

    def touched(self, ranges: Sequence[tuple[int | None, int]]) -> list[str]:
        """The entities with an event in one of the half-open ranges of time, sorted; `None` is before everything."""
        hit = np.zeros(len(self.times), dtype=np.bool_)
        for low, high in ranges:
            inside = self.times < high
            hit |= inside if low is None else inside & (self.times >= low)
        return [self.names[code] for code in np.unique(self._codes[hit])]

    def facts(self, low: Places, high: Places, narrower: Sequence[Places]) -> pa.Table:
        """The narrow columns of the events in the given ranges, which ascend, and for each of some narrower windows
        (the lower ends of its ranges) a column that says which of these events it holds."""
        import pyarrow as pa

        counts = high - low
        total = int(counts.sum())
        used = np.flatnonzero(counts)
        first, last = (int(low[used[0]]), int(high[used[-1]])) if total else (0, 0)
        if last - first == total:
            places: Places = np.arange(first, last)
            facts = self._facts.slice(first, total)
        else:
            places = np.repeat(low - np.concatenate(([0], np.cumsum(counts)[:-1])), counts) + np.arange(total)
            facts = self._facts.take(pa.array(places))
        for index, lower in enumerate(narrower):
            facts = facts.append_column(f"w{index}", pa.array(places >= np.repeat(lower, counts)))
        return facts

    def values(self, column: str, low: int, high: int) -> NDArray[Any]:
        """A column's values in a range; NaN for null numbers."""
        return self._arrays(column)[low:high]

    def digests(self, low: int, high: int) -> bytes:
        """The digests of the events in a range, one behind the other."""
        return self._digests[16 * low : 16 * high]

    def _arrays(self, column: str) -> NDArray[Any]:
        if column not in self._cache:
            source = self._facts if column in self._facts.column_names else self.table
            self._cache[column] = source[column].to_numpy(zero_copy_only=False)
        return self._cache[column]

    @cached_property
    def _cache(self) -> dict[str, NDArray[Any]]:
        return {}

    @cached_property
    def _digests(self) -> bytes:
        return b"".join(self.table["digest"].to_pylist())


def _numbers(column: pa.ChunkedArray) -> pa.Array:
    """A number for each distinct value."""
    import pyarrow as pa

    # Without rows there are no chunks, and Arrow cannot make an empty dictionary of every type.
    return column.dictionary_encode().combine_chunks().indices if len(column) else pa.array([], pa.int32())
