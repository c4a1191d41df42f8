"""Arrays: one immutable object that holds named arrays, laid out to be memory-mapped.

Here belongs the container of all index parts and nothing of what the arrays mean. `docs/spec/indexes.md` gives the
format. All numbers are little-endian; every array begins at a multiple of 64 bytes.

```
magic "CPARRAY1" | length of head u32 | CRC-32 u32 | head (canonical JSON) | padding | arrays
head: {"arrays": {name: [dtype, [shape…], offset]}, "kind", "meta"}; offsets count from the end of the padding
```

The array named ``blocks`` holds the CRC-32 of every 64 KiB of the arrays behind it, and the one in front is that of
everything from the head to the end of ``blocks``, so that a reader who fetches ranges (`ranged`) can tell that they are
what was written. Whoever reads the whole object compares its SHA-256 with the recorded one.
"""

from __future__ import annotations

import json
import re
import sys
import zlib
from collections.abc import Iterator, Mapping
from math import prod
from typing import TYPE_CHECKING, Any, Final

from context_plane.canonical import canonical
from context_plane.errors import Corrupt

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

MAGIC: Final = b"CPARRAY1"
ALIGN: Final = 64
BLOCK: Final = 1 << 16
_DTYPE: Final = re.compile(r"[<|][iuf][1248]")
_FIELDS: Final = {"arrays": dict, "kind": str, "meta": dict}
_REMEDY: Final = "delete the object and materialize again: it is derived from the log"


class Arrays(Mapping[str, "Array"]):
    """The arrays of one object over its bytes: opening reads the head, an array costs nothing until it is touched."""

    def __init__(self, view: memoryview, kind: str, where: str) -> None:
        """Raises `Corrupt` for bytes that are not arrays of this kind, or end too early."""
        self.where = where
        head, start = read_head(view, where)
        if head["kind"] != kind:
            raise Corrupt(f"holds {head['kind']!r}, not {kind!r}", where=where, remedy=_REMEDY)
        self.meta: dict[str, Any] = head["meta"]
        self.nbytes = len(view)
        self._arrays = {name: self._open(view, start, name, entry) for name, entry in head["arrays"].items()}

    def _open(self, view: memoryview, start: int, name: str, entry: Any) -> Array:
        import numpy as np

        try:
            kind, shape, offset = entry
            count = prod(shape)
            if not _DTYPE.fullmatch(kind) or offset < 0 or min(shape, default=0) < 0:
                raise ValueError
            dtype = np.dtype(kind)
            if start + offset + count * dtype.itemsize > len(view):
                raise Corrupt("the object ends within its arrays", where=self.where, remedy=_REMEDY)
            return np.frombuffer(view, dtype, count, start + offset).reshape(shape)
        except (TypeError, ValueError, OverflowError) as error:
            raise Corrupt(f"array {name[:64]!r} cannot be read", where=self.where, remedy=_REMEDY) from error

    def __getitem__(self, name: str) -> Array:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)


def read_head(view: memoryview | bytes, where: str) -> tuple[dict[str, Any], int]:
    """The head, and where the arrays begin. Raises `Corrupt`."""
    if sys.byteorder == "big":
        raise Corrupt("index parts are little-endian", where=where, remedy="search from a little-endian machine")
    length = int.from_bytes(view[8:12], "little")
    if bytes(view[:8]) != MAGIC or 16 + length > len(view):
        raise Corrupt("not an index part", where=where, remedy=_REMEDY)
    try:
        head: dict[str, Any] = json.loads(bytes(view[16 : 16 + length]))
    except ValueError as error:
        raise Corrupt("the head of the index part does not read", where=where, remedy=_REMEDY) from error
    if not isinstance(head, dict) or not all(isinstance(head.get(name), kind) for name, kind in _FIELDS.items()):
        raise Corrupt("the head of the index part lacks a field", where=where, remedy=_REMEDY)
    start, recorded = aligned(16 + length), int.from_bytes(view[12:16], "little")
    if recorded:  # objects written before there was this checksum have 0
        sums = _sums(view, head, start)
        if sums is None or zlib.crc32(view[16 : start + sums.nbytes]) != recorded:
            what = "the head of the index part is damaged: its CRC-32 is not the recorded one"
            raise Corrupt(what, where=where, remedy=_REMEDY)
    return head, start


def _sums(view: memoryview | bytes, head: Mapping[str, Any], start: int) -> Array | None:
    """The checksums of all blocks; `None` where the bytes end before, or the head does not say so."""
    import numpy as np

    entry = head["arrays"].get("blocks")
    if not isinstance(entry, list) or len(entry) != 3 or entry[0] != "<u4" or entry[2] or len(entry[1]) != 1:
        return None
    count = entry[1][0]
    return np.frombuffer(view, np.uint32, count, start) if start + 4 * count <= len(view) else None


def intact(view: memoryview, where: str) -> bool:
    """Whether every block of the arrays is what was written. Raises `Corrupt` for bytes that are no object at all."""
    import numpy as np

    head, start = read_head(view, where)
    sums = _sums(view, head, start)
    if sums is None:
        return False
    payload = view[start + aligned(sums.nbytes) :]
    found = [zlib.crc32(payload[at : at + BLOCK]) for at in range(0, len(payload), BLOCK)]
    return bool(np.array_equal(found, sums))


def read_sums(view: memoryview | bytes, where: str) -> tuple[dict[str, Any], int, Array]:
    """Of an object's first bytes: the head, where the arrays behind the checksums begin, and these, one a block.

    Raises `Corrupt`, also where the bytes end before.
    """
    head, start = read_head(view, where)
    sums = _sums(view, head, start)
    if sums is None:
        raise Corrupt("the checksums of the index part do not read", where=where, remedy=_REMEDY)
    return head, start + aligned(sums.nbytes), sums


def encode(kind: str, meta: Mapping[str, Any], arrays: Mapping[str, Array]) -> bytes:
    """The bytes of an object; the same for the same kind, meta and arrays."""
    import numpy as np

    packed = {name: _little(array) for name, array in arrays.items()}
    payload = b"".join(_padded(array) for array in packed.values())
    sums = [zlib.crc32(payload[at : at + BLOCK]) for at in range(0, len(payload), BLOCK)]
    blocks = np.array(sums, "<u4")
    entries: dict[str, Any] = {"blocks": [blocks.dtype.str, list(blocks.shape), 0]}
    offset = aligned(blocks.nbytes)
    for name, array in packed.items():
        entries[name] = [array.dtype.str, list(array.shape), offset]
        offset += aligned(array.nbytes)
    head = canonical({"arrays": entries, "kind": kind, "meta": dict(meta)})
    padding = b"\0" * (-(16 + len(head)) % ALIGN)
    checked = zlib.crc32(b"".join([head, padding, blocks.tobytes()]))
    start = MAGIC + len(head).to_bytes(4, "little") + checked.to_bytes(4, "little")
    return b"".join([start, head, padding, _padded(blocks), payload])


def strings(texts: list[bytes]) -> tuple[Array, Array]:
    """Byte strings as one array of bytes and the offsets between them (one more than there are strings)."""
    import numpy as np

    lengths = np.fromiter(map(len, texts), np.uint64, len(texts))
    offsets = np.zeros(len(texts) + 1, np.uint64)
    np.cumsum(lengths, out=offsets[1:])
    return np.frombuffer(b"".join(texts), np.uint8), offsets


def _little(array: Array) -> Array:
    import numpy as np

    return np.ascontiguousarray(array, array.dtype.newbyteorder("<"))


def _padded(array: Array) -> bytes:
    body: bytes = array.tobytes()
    return body + b"\0" * (-len(body) % ALIGN)


def aligned(size: int) -> int:
    """The size with what fills it up to the next array."""
    return size + -size % ALIGN
