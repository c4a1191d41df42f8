"""Ranges: rows of the arrays of index parts, read without fetching the parts.

Here belongs what is true of any array: which blocks hold the rows, reading the blocks of many parts in one round of
parallel requests, and checking each against its checksum. What the arrays mean is for others. What was read is kept, so
that who asks again about the same rows waits for nothing.
"""

from __future__ import annotations

import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from context_plane.errors import Corrupt
from context_plane.retrieval.shards.arrays import BLOCK, aligned, read_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from context_plane.parts.files import Files, Object

    Array = NDArray[Any]

_LEAD: Final = 9 << 14
"""Bytes that are read of a part first, beside its checksums: a head, and two blocks."""
_WHOLE: Final = 1 << 18
"""Bytes up to which a part is read at once."""
_NEAR: Final = 2
"""Blocks between two that are read with them: a request costs more."""
_LONGEST: Final = 64
"""Blocks of one request."""
_KEPT: Final = 32 << 20
_REMEDY: Final = "delete the object and materialize again: it is derived from the log"


@dataclass(frozen=True, eq=False)
class Opened:
    """A part of which the head is known."""

    key: str
    kind: str
    meta: dict[str, Any]
    entries: dict[str, tuple[str, tuple[int, ...], int]]
    """By name of an array: dtype, shape, and where it begins behind the checksums."""
    begins: int
    """Where that is in the object."""
    size: int
    sums: Array
    checked: bool
    """Whether the head has a checksum: what it says can be relied on."""
    lead: bytes
    """What of the object was read with the head."""

    def block(self, number: int) -> bytes | None:
        """A block that was read with the head. Raises `Corrupt`."""
        start = self.begins + number * BLOCK
        last = min(self.size, start + BLOCK)
        return self.good(number, self.lead[start:last]) if last <= len(self.lead) else None

    def good(self, number: int, body: bytes) -> bytes:
        """The block, if it is what was written. Raises `Corrupt`."""
        if zlib.crc32(body) != int(self.sums[number]):
            what = f"block {number} is damaged: its CRC-32 is not the recorded one"
            raise Corrupt(what, where=self.key, remedy=_REMEDY)
        return body

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def rows(self, name: str) -> int:
        """How many rows an array has."""
        return self.entries[name][1][0]

    def nbytes(self, name: str) -> int:
        """How many bytes it has."""
        dtype, shape, _ = self.entries[name]
        return int(dtype[2:]) * prod(shape)


class Rows(NamedTuple):
    """Rows first … last - 1 of an array of a part."""

    part: Opened
    name: str
    first: int
    last: int


class Round:
    """Rows of arrays that are read together."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._wanted: list[Rows] = []
        self._found: list[Array] = []

    def rows(self, part: Opened, name: str, first: int, last: int) -> Callable[[], Array]:
        """Asks for rows; what is returned gives them once the round is read."""
        at = len(self._wanted)
        self._wanted.append(Rows(part, name, first, last))
        return lambda: self._found[at]

    def read(self) -> None:
        """Reads what was asked for. Raises `Corrupt`, `NotFound`, `Unavailable`."""
        self._found = self._reader.read(self._wanted)


class Reader:
    """Reads parts of one tenant. Safe for threads."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._opened: dict[str, Opened] = {}
        self._blocks: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._lock = threading.Lock()
        self.fetched = 0
        """Bytes that were read."""

    @property
    def nbytes(self) -> int:
        """Bytes of memory that are held."""
        return sum(map(len, list(self._blocks.values()))) + sum(len(each.lead) for each in list(self._opened.values()))

    def open(self, objects: Sequence[Object]) -> list[Opened] | None:
        """The heads of parts; `None` where one has no checksum. Raises `Corrupt`, `NotFound`."""
        lacking = [each for each in objects if each[0] not in self._opened]
        leads = self._read([(key, 0, _first(size)) for key, _, size in lacking])
        for (key, _, size), lead in zip(lacking, leads, strict=True):
            needed = aligned(16 + int.from_bytes(lead[8:12], "little")) + _first(size)
            long = _first(size) < size and needed - _LEAD > len(lead)  # of many types, or sets of labels
            self._opened[key] = _opened(key, size, self._read([(key, 0, min(size, needed))])[0] if long else lead)
        found = [self._opened[key] for key, _, _ in objects]
        return found if all(each.checked for each in found) else None

    def read(self, rows: Sequence[Rows]) -> list[Array]:
        """Rows of arrays, in one round of requests. Raises `Corrupt`, `NotFound`, `Unavailable`."""
        try:
            blocks = self._fetch({(each.part, block) for each in rows for block in _blocks_of(each)})
        except Corrupt as error:
            self._opened.pop(error.where, None)  # what was read with its head: by the next search it may be mended
            raise
        return [_assembled(each, blocks) for each in rows]

    def _fetch(self, wanted: set[tuple[Opened, int]]) -> dict[tuple[str, int], bytes]:
        found, lacking = {}, []
        with self._lock:
            for part, block in wanted:
                name = part.key, block
                held = part.block(block) or self._blocks.get(name)
                if held is None:
                    lacking.append((part, block))
                else:
                    found[name] = held
        runs = _runs(lacking)
        bodies = self._read([_span(*run) for run in runs])
        fresh = {}
        for (part, first, last), body in zip(runs, bodies, strict=True):
            for at, block in enumerate(range(first, last)):
                fresh[part.key, block] = part.good(block, body[at * BLOCK : (at + 1) * BLOCK])
        self._keep(fresh)
        return found | fresh

    def _keep(self, fresh: dict[tuple[str, int], bytes]) -> None:
        with self._lock:
            self._blocks.update(fresh)
            used = len(self._blocks) * BLOCK
            while used > _KEPT:
                self._blocks.popitem(last=False)
                used -= BLOCK

    def _read(self, spans: Sequence[tuple[str, int, int]]) -> list[bytes]:
        self.fetched += sum(length for _, _, length in spans)
        return self._files.ranges(spans) if spans else []


def _first(size: int) -> int:
    """How much of a part is read first."""
    return size if size <= _WHOLE else _LEAD + 4 * (size // BLOCK + 1)


def _opened(key: str, size: int, lead: bytes) -> Opened:
    head, begins, sums = read_sums(lead, key)
    skipped = aligned(sums.nbytes)
    entries = {
        name: (dtype, tuple(shape), offset - skipped)
        for name, (dtype, shape, offset) in head["arrays"].items()
        if name != "blocks"
    }
    checked = lead[12:16] != b"\0\0\0\0"
    return Opened(key, head["kind"], head["meta"], entries, begins, size, sums, checked, lead)


def _blocks_of(rows: Rows) -> range:
    first, last = _bytes_of(rows)
    return range(first // BLOCK, (last + BLOCK - 1) // BLOCK) if last > first else range(0)


def _bytes_of(rows: Rows) -> tuple[int, int]:
    dtype, shape, offset = rows.part.entries[rows.name]
    width = int(dtype[2:]) * prod(shape[1:])
    return offset + rows.first * width, offset + rows.last * width


def _runs(lacking: Sequence[tuple[Opened, int]]) -> list[tuple[Opened, int, int]]:
    """Blocks as runs of each part, with the few that lie between two of them."""
    runs: list[tuple[Opened, int, int]] = []
    for part, block in sorted(lacking, key=lambda each: (each[0].key, each[1])):
        if runs and runs[-1][0] is part and block - runs[-1][2] <= _NEAR and block - runs[-1][1] < _LONGEST:
            runs[-1] = (part, runs[-1][1], block + 1)
        else:
            runs.append((part, block, block + 1))
    return runs


def _span(part: Opened, first: int, last: int) -> tuple[str, int, int]:
    start = part.begins + first * BLOCK
    return part.key, start, min(part.size, part.begins + last * BLOCK) - start


def _assembled(rows: Rows, blocks: dict[tuple[str, int], bytes]) -> Array:
    import numpy as np

    dtype, shape, _ = rows.part.entries[rows.name]
    first, last = _bytes_of(rows)
    held = _blocks_of(rows)
    body = b"".join([blocks[rows.part.key, block] for block in held])
    skipped = first - held.start * BLOCK if last > first else 0
    found: Array = np.frombuffer(body, np.dtype(dtype), (last - first) // int(dtype[2:]), skipped)
    return found.reshape(rows.last - rows.first, *shape[1:])
